import { createRequire as __WEBPACK_EXTERNAL_createRequire } from 'module'
/******/ var __webpack_modules__ = {
	/***/ 744: /***/ (module) => {
		/**
		 * Helpers.
		 */

		var s = 1000
		var m = s * 60
		var h = m * 60
		var d = h * 24
		var w = d * 7
		var y = d * 365.25

		/**
		 * Parse or format the given `val`.
		 *
		 * Options:
		 *
		 *  - `long` verbose formatting [false]
		 *
		 * @param {String|Number} val
		 * @param {Object} [options]
		 * @throws {Error} throw an error if val is not a non-empty string or a number
		 * @return {String|Number}
		 * @api public
		 */

		module.exports = function (val, options) {
			options = options || {}
			var type = typeof val
			if (type === 'string' && val.length > 0) {
				return parse(val)
			} else if (type === 'number' && isFinite(val)) {
				return options.long ? fmtLong(val) : fmtShort(val)
			}
			throw new Error('val is not a non-empty string or a valid number. val=' + JSON.stringify(val))
		}

		/**
		 * Parse the given `str` and return milliseconds.
		 *
		 * @param {String} str
		 * @return {Number}
		 * @api private
		 */

		function parse(str) {
			str = String(str)
			if (str.length > 100) {
				return
			}
			var match =
				/^(-?(?:\d+)?\.?\d+) *(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)?$/i.exec(
					str,
				)
			if (!match) {
				return
			}
			var n = parseFloat(match[1])
			var type = (match[2] || 'ms').toLowerCase()
			switch (type) {
				case 'years':
				case 'year':
				case 'yrs':
				case 'yr':
				case 'y':
					return n * y
				case 'weeks':
				case 'week':
				case 'w':
					return n * w
				case 'days':
				case 'day':
				case 'd':
					return n * d
				case 'hours':
				case 'hour':
				case 'hrs':
				case 'hr':
				case 'h':
					return n * h
				case 'minutes':
				case 'minute':
				case 'mins':
				case 'min':
				case 'm':
					return n * m
				case 'seconds':
				case 'second':
				case 'secs':
				case 'sec':
				case 's':
					return n * s
				case 'milliseconds':
				case 'millisecond':
				case 'msecs':
				case 'msec':
				case 'ms':
					return n
				default:
					return undefined
			}
		}

		/**
		 * Short format for `ms`.
		 *
		 * @param {Number} ms
		 * @return {String}
		 * @api private
		 */

		function fmtShort(ms) {
			var msAbs = Math.abs(ms)
			if (msAbs >= d) {
				return Math.round(ms / d) + 'd'
			}
			if (msAbs >= h) {
				return Math.round(ms / h) + 'h'
			}
			if (msAbs >= m) {
				return Math.round(ms / m) + 'm'
			}
			if (msAbs >= s) {
				return Math.round(ms / s) + 's'
			}
			return ms + 'ms'
		}

		/**
		 * Long format for `ms`.
		 *
		 * @param {Number} ms
		 * @return {String}
		 * @api private
		 */

		function fmtLong(ms) {
			var msAbs = Math.abs(ms)
			if (msAbs >= d) {
				return plural(ms, msAbs, d, 'day')
			}
			if (msAbs >= h) {
				return plural(ms, msAbs, h, 'hour')
			}
			if (msAbs >= m) {
				return plural(ms, msAbs, m, 'minute')
			}
			if (msAbs >= s) {
				return plural(ms, msAbs, s, 'second')
			}
			return ms + ' ms'
		}

		/**
		 * Pluralization helper.
		 */

		function plural(ms, msAbs, n, name) {
			var isPlural = msAbs >= n * 1.5
			return Math.round(ms / n) + ' ' + name + (isPlural ? 's' : '')
		}

		/***/
	},

	/******/
}
/************************************************************************/
/******/ // The module cache
/******/ var __webpack_module_cache__ = {}
/******/
/******/ // The require function
/******/ function __nccwpck_require__(moduleId) {
	/******/ // Check if module is in cache
	/******/ var cachedModule = __webpack_module_cache__[moduleId]
	/******/ if (cachedModule !== undefined) {
		/******/ return cachedModule.exports
		/******/
	}
	/******/ // Create a new module (and put it into the cache)
	/******/ var module = (__webpack_module_cache__[moduleId] = {
		/******/ // no module.id needed
		/******/ // no module.loaded needed
		/******/ exports: {},
		/******/
	})
	/******/
	/******/ // Execute the module function
	/******/ var threw = true
	/******/ try {
		/******/ __webpack_modules__[moduleId](module, module.exports, __nccwpck_require__)
		/******/ threw = false
		/******/
	} finally {
		/******/ if (threw) delete __webpack_module_cache__[moduleId]
		/******/
	}
	/******/
	/******/ // Return the exports of the module
	/******/ return module.exports
	/******/
}
/******/
/************************************************************************/
/******/ /* webpack/runtime/asset-relocator-loader */
/******/ if (typeof __nccwpck_require__ !== 'undefined')
	__nccwpck_require__.ab =
		decodeURIComponent(new URL('.', import.meta.url).pathname).slice(
			import.meta.url.match(/^file:\/\/\/\w:/) ? 1 : 0,
			-1,
		) + '/'
/******/
/************************************************************************/
var __webpack_exports__ = {} // CONCATENATED MODULE: external "os"
const external_os_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('os') // CONCATENATED MODULE: external "crypto"
const external_crypto_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('crypto') // CONCATENATED MODULE: external "fs"
const external_fs_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('fs') // CONCATENATED MODULE: external "node:http"
const external_node_http_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('node:http') // CONCATENATED MODULE: external "node:https"
const external_node_https_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('node:https') // CONCATENATED MODULE: external "node:tls"
const external_node_tls_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('node:tls')
// EXTERNAL MODULE: ./node_modules/ms/index.js
var ms = __nccwpck_require__(744) // CONCATENATED MODULE: external "node:fs"
const external_node_fs_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('node:fs') // CONCATENATED MODULE: external "node:crypto"
const external_node_crypto_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)('node:crypto') // CONCATENATED MODULE: ./build/main/index.js

// We use any as a valid input type
/* eslint-disable @typescript-eslint/no-explicit-any */
/**
 * Sanitizes an input into a string so it can be passed into issueCommand safely
 * @param input input to sanitize into a string
 */
function toCommandValue(input) {
	if (input === null || input === undefined) {
		return ''
	} else if (typeof input === 'string' || input instanceof String) {
		return input
	}
	return JSON.stringify(input)
}
/**
 *
 * @param annotationProperties
 * @returns The command properties to send with the actual annotation command
 * See IssueCommandProperties: https://github.com/actions/runner/blob/main/src/Runner.Worker/ActionCommandManager.cs#L646
 */
function toCommandProperties(annotationProperties) {
	if (!Object.keys(annotationProperties).length) {
		return {}
	}
	return {
		title: annotationProperties.title,
		file: annotationProperties.file,
		line: annotationProperties.startLine,
		endLine: annotationProperties.endLine,
		col: annotationProperties.startColumn,
		endColumn: annotationProperties.endColumn,
	}
}

/**
 * Issues a command to the GitHub Actions runner
 *
 * @param command - The command name to issue
 * @param properties - Additional properties for the command (key-value pairs)
 * @param message - The message to include with the command
 * @remarks
 * This function outputs a specially formatted string to stdout that the Actions
 * runner interprets as a command. These commands can control workflow behavior,
 * set outputs, create annotations, mask values, and more.
 *
 * Command Format:
 *   ::name key=value,key=value::message
 *
 * @example
 * ```typescript
 * // Issue a warning annotation
 * issueCommand('warning', {}, 'This is a warning message');
 * // Output: ::warning::This is a warning message
 *
 * // Set an environment variable
 * issueCommand('set-env', { name: 'MY_VAR' }, 'some value');
 * // Output: ::set-env name=MY_VAR::some value
 *
 * // Add a secret mask
 * issueCommand('add-mask', {}, 'secretValue123');
 * // Output: ::add-mask::secretValue123
 * ```
 *
 * @internal
 * This is an internal utility function that powers the public API functions
 * such as setSecret, warning, error, and exportVariable.
 */
function issueCommand(command, properties, message) {
	const cmd = new Command(command, properties, message)
	process.stdout.write(cmd.toString() + external_os_namespaceObject.EOL)
}
const CMD_STRING = '::'
class Command {
	constructor(command, properties, message) {
		if (!command) {
			command = 'missing.command'
		}
		this.command = command
		this.properties = properties
		this.message = message
	}
	toString() {
		let cmdStr = CMD_STRING + this.command
		if (this.properties && Object.keys(this.properties).length > 0) {
			cmdStr += ' '
			let first = true
			for (const key in this.properties) {
				if (this.properties.hasOwnProperty(key)) {
					const val = this.properties[key]
					if (val) {
						if (first) {
							first = false
						} else {
							cmdStr += ','
						}
						cmdStr += `${key}=${escapeProperty(val)}`
					}
				}
			}
		}
		cmdStr += `${CMD_STRING}${escapeData(this.message)}`
		return cmdStr
	}
}
function escapeData(s) {
	return toCommandValue(s).replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
}
function escapeProperty(s) {
	return toCommandValue(s)
		.replace(/%/g, '%25')
		.replace(/\r/g, '%0D')
		.replace(/\n/g, '%0A')
		.replace(/:/g, '%3A')
		.replace(/,/g, '%2C')
}

// For internal use, subject to change.
// We use any as a valid input type
/* eslint-disable @typescript-eslint/no-explicit-any */
function issueFileCommand(command, message) {
	const filePath = process.env[`GITHUB_${command}`]
	if (!filePath) {
		throw new Error(`Unable to find environment variable for file command ${command}`)
	}
	if (!external_fs_namespaceObject.existsSync(filePath)) {
		throw new Error(`Missing file at path: ${filePath}`)
	}
	external_fs_namespaceObject.appendFileSync(
		filePath,
		`${toCommandValue(message)}${external_os_namespaceObject.EOL}`,
		{
			encoding: 'utf8',
		},
	)
}
function prepareKeyValueMessage(key, value) {
	const delimiter = `ghadelimiter_${external_crypto_namespaceObject.randomUUID()}`
	const convertedValue = toCommandValue(value)
	// These should realistically never happen, but just in case someone finds a
	// way to exploit uuid generation let's not allow keys or values that contain
	// the delimiter.
	if (key.includes(delimiter)) {
		throw new Error(`Unexpected input: name should not contain the delimiter "${delimiter}"`)
	}
	if (convertedValue.includes(delimiter)) {
		throw new Error(`Unexpected input: value should not contain the delimiter "${delimiter}"`)
	}
	return `${key}<<${delimiter}${external_os_namespaceObject.EOL}${convertedValue}${external_os_namespaceObject.EOL}${delimiter}`
}

false ||
	function (thisArg, _arguments, P, generator) {
		function adopt(value) {
			return value instanceof P
				? value
				: new P(function (resolve) {
						resolve(value)
					})
		}
		return new (P || (P = Promise))(function (resolve, reject) {
			function fulfilled(value) {
				try {
					step(generator.next(value))
				} catch (e) {
					reject(e)
				}
			}
			function rejected(value) {
				try {
					step(generator['throw'](value))
				} catch (e) {
					reject(e)
				}
			}
			function step(result) {
				result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected)
			}
			step((generator = generator.apply(thisArg, _arguments || [])).next())
		})
	}
/**
 * The code to exit an action
 */
var ExitCode
;(function (ExitCode) {
	/**
	 * A code indicating that the action was successful
	 */
	ExitCode[(ExitCode['Success'] = 0)] = 'Success'
	/**
	 * A code indicating that the action was a failure
	 */
	ExitCode[(ExitCode['Failure'] = 1)] = 'Failure'
})(ExitCode || (ExitCode = {}))
//-----------------------------------------------------------------------
// Variables
//-----------------------------------------------------------------------
/**
 * Sets env variable for this action and future actions in the job
 * @param name the name of the variable to set
 * @param val the value of the variable. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function exportVariable(name, val) {
	const convertedVal = toCommandValue(val)
	process.env[name] = convertedVal
	const filePath = process.env['GITHUB_ENV'] || ''
	if (filePath) {
		return issueFileCommand('ENV', prepareKeyValueMessage(name, val))
	}
	issueCommand('set-env', { name }, convertedVal)
}
/**
 * Registers a secret which will get masked from logs
 *
 * @param secret - Value of the secret to be masked
 * @remarks
 * This function instructs the Actions runner to mask the specified value in any
 * logs produced during the workflow run. Once registered, the secret value will
 * be replaced with asterisks (***) whenever it appears in console output, logs,
 * or error messages.
 *
 * This is useful for protecting sensitive information such as:
 * - API keys
 * - Access tokens
 * - Authentication credentials
 * - URL parameters containing signatures (SAS tokens)
 *
 * Note that masking only affects future logs; any previous appearances of the
 * secret in logs before calling this function will remain unmasked.
 *
 * @example
 * ```typescript
 * // Register an API token as a secret
 * const apiToken = "abc123xyz456";
 * setSecret(apiToken);
 *
 * // Now any logs containing this value will show *** instead
 * console.log(`Using token: ${apiToken}`); // Outputs: "Using token: ***"
 * ```
 */
function setSecret(secret) {
	issueCommand('add-mask', {}, secret)
}
/**
 * Gets the value of an input.
 * Unless trimWhitespace is set to false in InputOptions, the value is also trimmed.
 * Returns an empty string if the value is not defined.
 *
 * @param     name     name of the input to get
 * @param     options  optional. See InputOptions.
 * @returns   string
 */
function getInput(name, options) {
	const val = process.env[`INPUT_${name.replace(/ /g, '_').toUpperCase()}`] || ''
	if (options && options.required && !val) {
		throw new Error(`Input required and not supplied: ${name}`)
	}
	if (options && options.trimWhitespace === false) {
		return val
	}
	return val.trim()
}
/**
 * Sets the value of an output.
 *
 * @param     name     name of the output to set
 * @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function setOutput(name, value) {
	const filePath = process.env['GITHUB_OUTPUT'] || ''
	if (filePath) {
		return issueFileCommand('OUTPUT', prepareKeyValueMessage(name, value))
	}
	process.stdout.write(external_os_namespaceObject.EOL)
	issueCommand('set-output', { name }, toCommandValue(value))
}
//-----------------------------------------------------------------------
// Results
//-----------------------------------------------------------------------
/**
 * Sets the action status to failed.
 * When the action exits it will be with an exit code of 1
 * @param message add error issue message
 */
function setFailed(message) {
	process.exitCode = ExitCode.Failure
	error(message)
}
/**
 * Adds an error issue
 * @param message error issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function error(message, properties = {}) {
	issueCommand(
		'error',
		toCommandProperties(properties),
		message instanceof Error ? message.toString() : message,
	)
}
/**
 * Adds a warning issue
 * @param message warning issue message. Errors will be converted to string via toString()
 * @param properties optional properties to add to the annotation.
 */
function warning(message, properties = {}) {
	issueCommand(
		'warning',
		toCommandProperties(properties),
		message instanceof Error ? message.toString() : message,
	)
}
/**
 * Writes info to log with console.log.
 * @param message info message
 */
function info(message) {
	process.stdout.write(message + external_os_namespaceObject.EOL)
}
//-----------------------------------------------------------------------
// Wrapper action state
//-----------------------------------------------------------------------
/**
 * Saves state for current action, the state can only be retrieved by this action's post job execution.
 *
 * @param     name     name of the state to store
 * @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function saveState(name, value) {
	const filePath = process.env['GITHUB_STATE'] || ''
	if (filePath) {
		return issueFileCommand('STATE', prepareKeyValueMessage(name, value))
	}
	issueCommand('save-state', { name }, toCommandValue(value))
}

class Context {
	/**
	 * Hydrate the context from the environment
	 */
	constructor() {
		var _a, _b, _c
		this.payload = {}
		if (process.env.GITHUB_EVENT_PATH) {
			if ((0, external_fs_namespaceObject.existsSync)(process.env.GITHUB_EVENT_PATH)) {
				this.payload = JSON.parse(
					(0, external_fs_namespaceObject.readFileSync)(process.env.GITHUB_EVENT_PATH, { encoding: 'utf8' }),
				)
			} else {
				const path = process.env.GITHUB_EVENT_PATH
				process.stdout.write(`GITHUB_EVENT_PATH ${path} does not exist${external_os_namespaceObject.EOL}`)
			}
		}
		this.eventName = process.env.GITHUB_EVENT_NAME
		this.sha = process.env.GITHUB_SHA
		this.ref = process.env.GITHUB_REF
		this.workflow = process.env.GITHUB_WORKFLOW
		this.action = process.env.GITHUB_ACTION
		this.actor = process.env.GITHUB_ACTOR
		this.job = process.env.GITHUB_JOB
		this.runAttempt = parseInt(process.env.GITHUB_RUN_ATTEMPT, 10)
		this.runNumber = parseInt(process.env.GITHUB_RUN_NUMBER, 10)
		this.runId = parseInt(process.env.GITHUB_RUN_ID, 10)
		this.apiUrl = (_a = process.env.GITHUB_API_URL) !== null && _a !== void 0 ? _a : `https://api.github.com`
		this.serverUrl =
			(_b = process.env.GITHUB_SERVER_URL) !== null && _b !== void 0 ? _b : `https://github.com`
		this.graphqlUrl =
			(_c = process.env.GITHUB_GRAPHQL_URL) !== null && _c !== void 0 ? _c : `https://api.github.com/graphql`
	}
	get issue() {
		const payload = this.payload
		return Object.assign(Object.assign({}, this.repo), {
			number: (payload.issue || payload.pull_request || payload).number,
		})
	}
	get repo() {
		if (process.env.GITHUB_REPOSITORY) {
			const [owner, repo] = process.env.GITHUB_REPOSITORY.split('/')
			return { owner, repo }
		}
		if (this.payload.repository) {
			return {
				owner: this.payload.repository.owner.login,
				repo: this.payload.repository.name,
			}
		}
		throw new Error("context.repo requires a GITHUB_REPOSITORY environment variable like 'owner/repo'")
	}
}

const context = new Context()

var DEFAULT_PORTS = {
	ftp: 21,
	gopher: 70,
	http: 80,
	https: 443,
	ws: 80,
	wss: 443,
}

function parseUrl(urlString) {
	try {
		return new URL(urlString)
	} catch {
		return null
	}
}

/**
 * @param {string|object|URL} url - The URL as a string or URL instance, or a
 *   compatible object (such as the result from legacy url.parse).
 * @return {string} The URL of the proxy that should handle the request to the
 *  given URL. If no proxy is set, this will be an empty string.
 */
function getProxyForUrl(url) {
	var parsedUrl = (typeof url === 'string' ? parseUrl(url) : url) || {}
	var proto = parsedUrl.protocol
	var hostname = parsedUrl.host
	var port = parsedUrl.port
	if (typeof hostname !== 'string' || !hostname || typeof proto !== 'string') {
		return '' // Don't proxy URLs without a valid scheme or host.
	}

	proto = proto.split(':', 1)[0]
	// Stripping ports in this way instead of using parsedUrl.hostname to make
	// sure that the brackets around IPv6 addresses are kept.
	hostname = hostname.replace(/:\d*$/, '')
	port = parseInt(port) || DEFAULT_PORTS[proto] || 0
	if (!shouldProxy(hostname, port)) {
		return '' // Don't proxy URLs that match NO_PROXY.
	}

	var proxy = getEnv(proto + '_proxy') || getEnv('all_proxy')
	if (proxy && proxy.indexOf('://') === -1) {
		// Missing scheme in proxy, default to the requested URL's scheme.
		proxy = proto + '://' + proxy
	}
	return proxy
}

/**
 * Determines whether a given URL should be proxied.
 *
 * @param {string} hostname - The host name of the URL.
 * @param {number} port - The effective port of the URL.
 * @returns {boolean} Whether the given URL should be proxied.
 * @private
 */
function shouldProxy(hostname, port) {
	var NO_PROXY = getEnv('no_proxy').toLowerCase()
	if (!NO_PROXY) {
		return true // Always proxy if NO_PROXY is not set.
	}
	if (NO_PROXY === '*') {
		return false // Never proxy if wildcard is set.
	}

	return NO_PROXY.split(/[,\s]/).every(function (proxy) {
		if (!proxy) {
			return true // Skip zero-length hosts.
		}
		var parsedProxy = proxy.match(/^(.+):(\d+)$/)
		var parsedProxyHostname = parsedProxy ? parsedProxy[1] : proxy
		var parsedProxyPort = parsedProxy ? parseInt(parsedProxy[2]) : 0
		if (parsedProxyPort && parsedProxyPort !== port) {
			return true // Skip if ports don't match.
		}

		if (!/^[.*]/.test(parsedProxyHostname)) {
			// No wildcards, so stop proxying if there is an exact match.
			return hostname !== parsedProxyHostname
		}

		if (parsedProxyHostname.charAt(0) === '*') {
			// Remove leading wildcard.
			parsedProxyHostname = parsedProxyHostname.slice(1)
		}
		// Stop proxying if the hostname ends with the no_proxy host.
		return !hostname.endsWith(parsedProxyHostname)
	})
}

/**
 * Get the value for an environment variable.
 *
 * @param {string} key - The name of the environment variable.
 * @return {string} The value of the environment variable.
 * @private
 */
function getEnv(key) {
	return process.env[key.toLowerCase()] || process.env[key.toUpperCase()] || ''
}

/**
 * What a cancelled job leaves main, in milliseconds since the first signal. The runner sends SIGTERM 7.5 s
 * after SIGINT and kills 2.5 s later, so main has ended by 7 s.
 */
const CANCEL = {
	/** The longest that a reply already on its way is waited for. */
	lastReply: 5_000,
	/** No request goes on after this. */
	lastRequest: 6_500,
	/** By now main ends, whatever it waits for. */
	end: 6_900,
}
/** A cancellation that is requested by calling `request`; only the first call counts. */
function createCancellation(now) {
	const controller = new AbortController()
	let requestedAt = null
	return {
		signal: controller.signal,
		get requestedAt() {
			return requestedAt
		},
		request() {
			requestedAt ??= now()
			controller.abort()
		},
	}
}
/** The job was cancelled while main was at work. */
class Cancelled extends Error {
	name = 'Cancelled'
}

/**
 * Checks that the runner gave the files through which `names` are handed on. Without GITHUB_STATE or
 * GITHUB_OUTPUT, @actions/core falls back to printing commands, the key among them, to the log. Throws an Error
 * that names what is missing.
 */
function requireCommandFiles(env, names) {
	const missing = names.filter((name) => !env[name])
	if (missing.length > 0)
		throw new Error(
			`This runner does not set ${missing.join(' and ')}, so a key could only be handed on through the log. ` +
				'No key was asked for. Run the action on a current GitHub Actions runner.',
		)
}

/** There is no tunnel, so nothing of the request itself was sent. `lasting` says that asking again will not help. */
class ProxyRefusal extends Error {
	name = 'ProxyRefusal'
	lasting
	constructor(message, lasting) {
		super(message)
		this.lasting = lasting
	}
}
/**
 * A `createConnection` for Node's agents that reaches every host through a CONNECT tunnel of `proxy`, with TLS inside
 * it where `secure`. Node's own `proxyEnv` would do, but came with 24.5, and the oldest runner with node24 ships
 * 24.4 (on 32-bit ARM, Node 20).
 */
function tunnelThrough(proxy, secure) {
	return (options, connected) => {
		const refuse = (message, lasting) => connected?.(new ProxyRefusal(message, lasting), undefined)
		if (!URL.canParse(proxy) || !/^https?:$/.test(new URL(proxy).protocol)) {
			refuse('the proxy in HTTPS_PROXY or HTTP_PROXY is not an http or https address', true)
			return
		}
		const { protocol, host, hostname, port, username, password } = new URL(proxy)
		const target = `${bracketed(String(options.host))}:${options.port}`
		const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')
		const open =
			protocol === 'https:'
				? external_node_https_namespaceObject.request
				: external_node_http_namespaceObject.request
		open({
			method: 'CONNECT',
			host: hostname.replace(/^\[|\]$/g, ''),
			port: port || (protocol === 'https:' ? 443 : 80),
			path: target,
			headers: { Host: target, ...(username ? { 'Proxy-Authorization': `Basic ${login}` } : {}) },
			agent: false,
			rejectUnauthorized: true,
		})
			// The request that wants the tunnel has a deadline; a proxy that never answers must not outlive it.
			.once('socket', (socket) => socket.unref())
			.once('connect', (answer, socket) => {
				const status = answer.statusCode ?? 0
				if (status === 200) {
					socket.ref()
					connected?.(
						null,
						secure ? (0, external_node_tls_namespaceObject.connect)({ ...options, socket }) : socket,
					)
					return
				}
				socket.destroy()
				const hint =
					answer.statusCode === 407 ? '; it wants a login, as in http://USER:PASSWORD@HOST:PORT' : ''
				refuse(`the proxy ${host} refused the tunnel with status ${status}${hint}`, status < 500)
			})
			.on('error', (error) =>
				refuse(`the proxy ${host} could not be reached (${error.code ?? 'closed early'})`, false),
			)
			.end()
		return
	}
}
function decoded(part) {
	try {
		return decodeURIComponent(part)
	} catch {
		return part
	}
}
function bracketed(host) {
	return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

/**
 * A request that got no usable answer. `mayHaveActed` is the fact that matters for a key: false only where nothing
 * of the request can have reached the server (no name, no connection, no completed TLS handshake).
 */
class HttpFailure extends Error {
	name = 'HttpFailure'
	fault
	mayHaveActed
	constructor(fault, mayHaveActed, message) {
		super(message)
		this.fault = fault
		this.mayHaveActed = mayHaveActed
	}
}
const MAX_ANSWER_BYTES = 1024 * 1024
/**
 * A Send over real sockets, kept open between requests, through `proxy` (a URL; empty for none). Certificates are
 * always verified: the option that says so outranks NODE_TLS_REJECT_UNAUTHORIZED.
 */
function createSend(proxy) {
	const options = { keepAlive: true, rejectUnauthorized: true }
	const agents = {
		http: new external_node_http_namespaceObject.Agent(options),
		https: new external_node_https_namespaceObject.Agent(options),
	}
	if (proxy) {
		agents.http.createConnection = tunnelThrough(proxy, false)
		agents.https.createConnection = tunnelThrough(proxy, true)
	}
	return (request) => exchange(request, agents, proxy)
}
function exchange(request$2, agents, proxy) {
	return new Promise((resolve, reject) => {
		const { url, method, headers, body, cancel } = request$2
		const secure = url.protocol === 'https:'
		const started = secure
			? (0, external_node_https_namespaceObject.request)(url, {
					method,
					headers,
					agent: agents.https,
					rejectUnauthorized: true,
				})
			: (0, external_node_http_namespaceObject.request)(url, { method, headers, agent: agents.http })
		let connected = false
		started.once('socket', (socket) => {
			const whenConnected = () => {
				connected = true
			}
			if (started.reusedSocket) whenConnected()
			else if (secure) socket.once('secureConnect', whenConnected)
			else if (socket.connecting) socket.once('connect', whenConnected)
			else whenConnected()
		})
		const fail = (fault, message) => {
			settle()
			reject(new HttpFailure(fault, connected, message))
			started.destroy()
		}
		const onTimeout = () =>
			fail('timeout', connected ? 'did not answer in time' : 'could not be reached in time')
		let timer = setTimeout(onTimeout, request$2.timeout)
		const startedAt = performance.now()
		const onCancel = () => {
			clearTimeout(timer)
			const left = request$2.timeout - (performance.now() - startedAt)
			timer = setTimeout(onTimeout, Math.min(left, request$2.grace ?? 0))
		}
		const settle = () => {
			clearTimeout(timer)
			cancel?.removeEventListener('abort', onCancel)
		}
		if (cancel?.aborted) onCancel()
		else cancel?.addEventListener('abort', onCancel)
		// Every time, not once: an error without a listener would end the process, and with it the key's only keeper.
		started.on('error', (error) => fail(...describe(error, connected, proxy)))
		started.once('response', (response) => {
			const chunks = []
			let size = 0
			response.on('data', (chunk) => {
				size += chunk.length
				if (size > MAX_ANSWER_BYTES) fail('too-large', 'answered with more than 1 MiB')
				else chunks.push(chunk)
			})
			response.on('error', () => fail('cut', 'closed the connection in the middle of its answer'))
			response.once('end', () => {
				settle()
				resolve({
					status: response.statusCode ?? 0,
					headers: flatten(response.headers),
					body: Buffer.concat(chunks).toString('utf8'),
				})
			})
		})
		started.end(body)
	})
}
function flatten(headers) {
	return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
/** Node's error codes, in the words of somebody who has to mend the network. */
function describe(error, connected, proxy) {
	const code = error.code ?? ''
	const via = proxy ? ` (through the proxy ${proxyHost(proxy)})` : ''
	if (error instanceof ProxyRefusal) return [error.lasting ? 'proxy' : 'refused', error.message]
	if (connected) return ['cut', `closed the connection before it answered${via}`]
	if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
		return [
			'dns',
			`${proxy ? `the proxy's name ${proxyHost(proxy)}` : 'its name'} could not be resolved (${code})`,
		]
	if (/CERT|^ERR_TLS|^ERR_SSL|^UNABLE_TO|^EPROTO|SIGNATURE/.test(code))
		return [
			'tls',
			`its certificate or TLS handshake was not accepted (${code})${via}; ` +
				'where a private CA signs it, give its file in NODE_EXTRA_CA_CERTS',
		]
	return ['refused', `the connection failed (${code || 'closed early'})${via}`]
}
/** The proxy's host and port, never the login that its URL may hold. */
function proxyHost(proxy) {
	return URL.canParse(proxy) ? new URL(proxy).host : 'with an unreadable address'
}

const FIRST_WAIT = 500
const LONGEST_WAIT = 20_000
/**
 * How long to wait before the next attempt, in milliseconds: exponential with full jitter, after what the
 * server asked for, if it did. The jitter comes on top of Retry-After, so that jobs told the same moment do not
 * return together. `failures` counts the attempts that failed so far (1 or more); `random` is in [0, 1).
 */
function backoff(failures, retryAfter, random) {
	const spread = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (failures - 1))
	return Math.ceil((retryAfter ?? 0) + random * spread)
}
/** The wait that a Retry-After header asks for, in milliseconds: whole seconds, or a date seen from `now`. */
function parseRetryAfter(header, now) {
	if (header === undefined) return undefined
	if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000
	const date = Date.parse(header)
	return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

const ISO_8601 = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/
/**
 * The instant that an ISO 8601 text names, in milliseconds since 1970, or null where it names none. The API gives one
 * instant back in many spellings (`.123Z`, `.123000Z`, `+01:00`), so instants are compared, never texts; finer digits
 * stay as a fraction of a millisecond, so that `.123456Z` does not pass for `.123Z`. Without an offset, it is UTC.
 */
function parseInstant(text) {
	const [, day, time, fraction = '', zone = 'Z'] = (typeof text === 'string' && ISO_8601.exec(text)) || []
	if (!day || !time) return null
	const seconds = Date.parse(`${day}T${time}${zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`)
	return Number.isNaN(seconds) ? null : seconds + Number(`0.${fraction || 0}`) * 1000
}
/** ISO 8601 in UTC, to the millisecond. */
function formatInstant(instant) {
	return new Date(instant).toISOString()
}

const KEYS_PATH = '/api/user/api-keys'
const MOST_PAGES = 100
/**
 * The key API at `apiUrl` (no trailing slash). `userAgent` tells the account's owner which run made a request; `now`
 * is this machine's clock in milliseconds.
 */
function createKeyApi(send, apiUrl, userAgent, now) {
	const keysUrl = `${apiUrl}${KEYS_PATH}`
	async function call(method, url, credential, limits, read, body) {
		const headers = {
			Accept: 'application/json',
			Authorization: `Bearer ${credential}`,
			'User-Agent': userAgent,
		}
		const json = body && JSON.stringify(body)
		if (json) {
			headers['Content-Type'] = 'application/json'
			headers['Content-Length'] = String(Buffer.byteLength(json))
		}
		const asked = now()
		try {
			const response = await send({ method, url, headers, ...limits, ...(json ? { body: json } : {}) })
			const skew = skewOf(response, (asked + now()) / 2)
			if (response.status < 200 || response.status > 299) {
				return { ok: false, skew, problem: refusal(method, url, response, credential, now()) }
			}
			try {
				return { ok: true, skew, value: read(response) }
			} catch {
				const message = `${url.host} answered ${method} ${url.pathname} with ${response.status} and something that could not be read`
				return {
					ok: false,
					skew,
					problem: { message, status: response.status, mayHaveActed: true, passing: true },
				}
			}
		} catch (error) {
			if (!(error instanceof HttpFailure)) throw error
			const message = `${url.host}: ${error.message}`
			// Neither a certificate nor a proxy's refusal changes by asking again.
			const passing = error.fault !== 'tls' && error.fault !== 'proxy'
			return { ok: false, skew: null, problem: { message, mayHaveActed: error.mayHaveActed, passing } }
		}
	}
	async function readPages(credential, limits) {
		const keys = []
		let query = ''
		for (let pages = 1; ; pages++) {
			const reply = await call('GET', new URL(keysUrl + query), credential, limits(), readPage)
			if (!reply.ok) return reply
			keys.push(...reply.value.keys)
			if (reply.value.nextQuery === null) return { ok: true, skew: reply.skew, value: { keys, pages } }
			query = reply.value.nextQuery
			if (pages === MOST_PAGES) {
				const message = `${new URL(keysUrl).host} has more than ${MOST_PAGES} pages of keys; the list was not read to its end`
				return { ok: false, skew: reply.skew, problem: { message, mayHaveActed: true, passing: false } }
			}
		}
	}
	return {
		create: (credential, expiry, limits) =>
			call('POST', new URL(keysUrl), credential, limits, readCreated, { expiry }),
		async list(credential, limits) {
			const deadline = now() + limits.timeout
			const remaining = () => ({ ...limits, timeout: Math.max(1, deadline - now()) })
			const first = await readPages(credential, remaining)
			if (!first.ok || first.value.pages === 1)
				return first.ok ? { ...first, value: first.value.keys } : first
			// A key that ends while the pages are read moves the others up, past the page that is read next. What one
			// reading missed, another one finds.
			const second = await readPages(credential, remaining)
			if (!second.ok) return second
			const byId = new Map([...first.value.keys, ...second.value.keys].map((key) => [key.id, key]))
			return { ...second, value: [...byId.values()] }
		},
		revoke: (credential, id, limits) =>
			call('DELETE', new URL(`${keysUrl}/${encodeURIComponent(id)}`), credential, limits, () => null),
		probe: (credential, limits) => call('GET', new URL(keysUrl), credential, limits, () => null),
	}
}
function skewOf(response, ours) {
	const date = Date.parse(response.headers.date ?? '')
	// The header has whole seconds; on average, the server was half a second further.
	return Number.isNaN(date) ? null : date + 500 - ours
}
function readCreated({ body }) {
	const answer = JSON.parse(body)
	const meta = field(answer, 'api_key')
	return {
		token: main_text(field(answer, 'token')),
		id: identifier(field(meta, 'id')),
		prefix: main_text(field(meta, 'token_key')),
		createdAt: parseInstant(field(meta, 'created')),
		expiresAt: parseInstant(field(meta, 'expiry')),
	}
}
/** One page of the list: a bare array, or `{results, next}`. Throws where it is neither. */
function readPage({ body }) {
	const answer = JSON.parse(body)
	const rows = Array.isArray(answer) ? answer : field(answer, 'results')
	if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
	const next = field(answer, 'next')
	return {
		keys: rows.flatMap((row) => {
			const id = identifier(field(row, 'id'))
			if (id === null) return []
			return {
				id,
				prefix: main_text(field(row, 'token_key')) ?? '',
				createdAt: parseInstant(field(row, 'created')),
				expiresAt: parseInstant(field(row, 'expiry')),
			}
		}),
		// Only the query of the next page is used: whatever host the answer names, the credential goes to ours.
		nextQuery: typeof next === 'string' && next ? new URL(next, 'https://any.example').search : null,
	}
}
function field(value, name) {
	return typeof value === 'object' && value !== null ? value[name] : undefined
}
function main_text(value) {
	return typeof value === 'string' && value !== '' ? value : null
}
/** An id that can stand in a URL, escaped. A dot segment cannot: even escaped, it names another path. */
function identifier(value) {
	if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
	const id = main_text(value)
	return id === null || id === '.' || id === '..' || !id.isWellFormed() ? null : id
}
/** What an answer outside 2xx means. */
function refusal(method, url, { status, headers, body }, credential, now) {
	const what = `${url.host} answered ${status} to ${method} ${url.pathname}`
	const reason = reasonGiven(body, credential)
	const certain = { status, mayHaveActed: false, passing: false }
	if (status === 401) return { ...certain, message: what }
	if (status === 429) {
		const retryAfter = parseRetryAfter(headers['retry-after'], now)
		return {
			...certain,
			message: `${what}: too many requests${retryAfter === undefined ? '' : `, wait ${Math.ceil(retryAfter / 1000)} s`}`,
			passing: true,
			...(retryAfter === undefined ? {} : { retryAfter }),
		}
	}
	if (status >= 300 && status < 400) {
		const location = headers.location ?? ''
		const host = URL.canParse(location, url.href) ? new URL(location, url).host : 'an unreadable address'
		return {
			...certain,
			message: `${what} with a redirect to ${host}; redirects are never followed. Check api-url`,
		}
	}
	if (status >= 500 || status < 200)
		return { status, message: `${what}${reason && `: ${reason}`}`, mayHaveActed: true, passing: true }
	return { ...certain, message: `${what}${reason && `: ${reason}`}` }
}
const LONGEST_REASON = 300
/**
 * The API's own words for a refusal, from any of the shapes that it uses: detail, error, or messages by field. Empty
 * for HTML or nothing. One line, cut to length, and without the credential, should the server repeat it.
 */
function reasonGiven(body, credential) {
	let answer
	try {
		answer = JSON.parse(body)
	} catch {
		return ''
	}
	const words = (value, depth = 0) => {
		if (typeof value === 'string') return [value]
		if (typeof value !== 'object' || value === null || depth > 3) return []
		return Object.values(value).flatMap((part) => words(part, depth + 1))
	}
	const parts =
		typeof answer === 'object' && answer !== null && !Array.isArray(answer)
			? Object.entries(answer).flatMap(([name, value]) => {
					const said = words(value).join(' ')
					if (!said || name === 'code') return []
					return /^(detail|error|message|messages|non_field_errors)$/.test(name) ? said : `${name}: ${said}`
				})
			: words(answer)
	return parts
		.join('; ')
		.replaceAll(credential, '***')
		.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
		.trim()
		.slice(0, LONGEST_REASON)
		.replace(/\.$/, '')
}
/** Whether a credential can be sent at all: visible ASCII, nothing that could break out of a header or a log line. */
function isUsable(credential) {
	return /^[\x21-\x7e]+$/.test(credential)
}
/** Checks the answer to a create call; the reason why it cannot be used, or null. `asked` is the expiry asked for (ms). */
function faultInAnswer(answer, asked) {
	if (answer.token === null) return 'the answer holds no key'
	if (!isUsable(answer.token)) return 'the key holds white space, control or non-ASCII characters'
	if (answer.id === null) return 'the answer holds no id, so the key could not be revoked by it'
	if (answer.expiresAt === null) return 'the key never expires, though an expiry was asked for'
	if (answer.expiresAt > asked + ROUNDING)
		return `the key expires ${formatInstant(answer.expiresAt)}, later than the ${formatInstant(asked)} asked for`
	return null
}
/** A server may round an expiry to its own grid; more than this is another lifetime. */
const ROUNDING = 5_000

/** An input that cannot be used; the message names it, what is wrong, and an example that works. */
class InputError extends Error {
	name = 'InputError'
}
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
/**
 * Reads and checks every input. An empty one takes its default, so that a composite action may pass on inputs
 * it was not given. `whyNoKey` explains an empty `api-key`, where the run tells. Throws InputError.
 */
function readInputs(input, whyNoKey = null) {
	return {
		apiKey: readApiKey(input('api-key').trim(), whyNoKey),
		expiresIn: readDuration(
			'expires-in',
			input('expires-in').trim() || '1h',
			MINUTE,
			'1 minute',
			5 * DAY,
			'5 days',
			'30m',
		),
		apiUrl: readApiUrl(input('api-url').trim() || 'https://www.spherescout.io'),
		exportEnv: readVariableName(input('export-env').trim()),
		revoke: readFlag('revoke', input('revoke').trim() || 'true'),
		onRevokeFailure: readPolicy(input('on-revoke-failure').trim() || 'warn'),
		timeout: readDuration(
			'timeout',
			input('timeout').trim() || '2m',
			1000,
			'1 second',
			30 * MINUTE,
			'30 minutes',
			'2m',
		),
	}
}
function readApiKey(value, whyNoKey) {
	if (value === '')
		throw new InputError(
			`Input api-key is empty. ${whyNoKey ?? 'Is the secret defined, and for this repository or environment?'} ` +
				'For example: api-key: $' +
				'{{ secrets.SPHERESCOUT_API_KEY }}',
		)
	if (!isUsable(value))
		throw new InputError(
			'Input api-key holds white space, a control character or a non-ASCII character inside (it is not shown here). ' +
				'Save the secret again, with nothing but the key, on one line',
		)
	return value
}
function readDuration(name, value, shortest, shortestText, longest, longestText, example) {
	const refuse = (fault) =>
		new InputError(`Input ${name} is ${quoted(value)}: ${fault}. For example: ${name}: ${example}`)
	if (/^[\d.+-]+$/.test(value)) throw refuse('a number needs a unit, such as s, m, h or d')
	const duration = value.length <= 100 ? ms(value) : undefined
	if (duration === undefined || Number.isNaN(duration))
		throw refuse('it is not a duration, a number with a unit')
	if (duration < shortest) throw refuse(`at least ${shortestText}`)
	if (duration > longest) throw refuse(`at most ${longestText}`)
	return duration
}
function readApiUrl(value) {
	const example = 'For example: api-url: https://www.spherescout.io'
	if (!URL.canParse(value)) throw new InputError(`Input api-url is not a URL. ${example}`)
	const url = new URL(value)
	if (url.username || url.password)
		throw new InputError(
			`Input api-url holds a user name or password; the credential goes into api-key. ${example}`,
		)
	if (/[?#]/.test(value)) throw new InputError(`Input api-url holds a query or fragment. ${example}`)
	if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
		throw new InputError(
			`Input api-url must start with https:// (http:// is for loopback hosts alone), as a key would be sent in the clear. ${example}`,
		)
	return url.href.replace(/\/+$/, '')
}
function isLoopback(hostname) {
	return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
/** Names that the runner refuses or that would change the runner, later steps or this action's post step. */
const RESERVED_NAMES = /^(NODE_OPTIONS|PATH|CI|(GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*)$/i
function readVariableName(value) {
	const refuse = (fault) =>
		new InputError(
			`Input export-env is ${quoted(value)}: ${fault}. For example: export-env: SPHERESCOUT_API_KEY`,
		)
	if (value !== '' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value))
		throw refuse('not a name for an environment variable')
	if (RESERVED_NAMES.test(value)) throw refuse('a name that is reserved for the runner')
	return value
}
function readFlag(name, value) {
	if (/^(true|True|TRUE)$/.test(value)) return true
	if (/^(false|False|FALSE)$/.test(value)) return false
	throw new InputError(
		`Input ${name} is ${quoted(value)}: it must be true or false. For example: ${name}: true`,
	)
}
function readPolicy(value) {
	if (value === 'warn' || value === 'fail') return value
	throw new InputError(
		`Input on-revoke-failure is ${quoted(value)}: it must be warn or fail. For example: on-revoke-failure: fail`,
	)
}
/** A value for a message: one line, and not too much of it. */
function quoted(value) {
	return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
}
/**
 * Why this run was given no secrets, or null where it should have been: GitHub gives none to pull requests from
 * forks, and only Dependabot's own to runs that Dependabot starts.
 */
function whyNoSecrets({ eventName, actor, payload }) {
	if (actor === 'dependabot[bot]')
		return 'This run was started by Dependabot, and GitHub gives such runs none of the repository’s Actions secrets; define it as a Dependabot secret, or skip this job.'
	const { head, base } = payload.pull_request ?? {}
	const fromFork = head !== undefined && head.repo?.full_name !== base?.repo?.full_name
	if (eventName === 'pull_request' && fromFork)
		return 'This is a pull request from a fork, and GitHub gives such runs no secrets; skip this job for forks.'
	return null
}

/** The longest that one attempt may take, in milliseconds. */
const ATTEMPT = 10_000
/** What is kept back for a last attempt, in milliseconds. */
const LAST_ATTEMPT = 1_000
/** A budget that ends at `deadline` by `clock`. */
function budgetUntil(deadline, clock, cancellation) {
	const left = () => {
		const requestedAt = cancellation?.requestedAt ?? null
		const end = requestedAt === null ? deadline : Math.min(deadline, requestedAt + CANCEL.lastRequest)
		return Math.max(0, end - clock.now())
	}
	// A signal that has already come shortens `left`; it must not cut short every wait that follows.
	const signalToCome = () => (cancellation?.requestedAt === null ? cancellation.signal : undefined)
	return {
		left,
		limits() {
			const cancel = signalToCome()
			const timeout = Math.max(1, Math.min(ATTEMPT, left()))
			return cancel ? { timeout, cancel, grace: CANCEL.lastReply } : { timeout }
		},
		pause: (duration) => clock.sleep(Math.min(duration, left()), signalToCome()),
	}
}
/**
 * Repeats a call that may be repeated (list, revoke, probe) until it succeeds, fails for good, or the budget is
 * spent. The last attempt is made even if the server asked for a longer wait: a key that lives on is worse than
 * a 429.
 */
async function persist(budget, random, attempt) {
	for (let failures = 1; ; failures++) {
		const reply = await attempt(budget.limits())
		if (reply.ok || !reply.problem.passing || budget.left() <= LAST_ATTEMPT) return reply
		const wait = backoff(failures, reply.problem.retryAfter, random())
		await budget.pause(Math.min(wait, budget.left() - LAST_ATTEMPT))
	}
}

/** How long an answer other than 401 is asked again, in milliseconds: caches and replicas may lag. */
const PROOF = 10_000
const PROBE_EVERY = 500
/**
 * Revokes `key` by id and proves it. The key revokes itself, so that `apiKey` need not travel again; where it may not
 * (401, 403, 404), `apiKey` does, unless it is null because it must not be sent. A 204 or a 404 is not proof;
 * a 401 to the key itself is.
 */
async function endKey(key, apiKey, tools, budget) {
	const token = key.token !== null && isUsable(key.token) ? key.token : null
	const answered = await revokeById(key.id, [token, apiKey], tools, budget)
	if (token !== null) return prove(token, answered, tools, budget)
	if (answered === 'revoked') return { dead: true, verified: false, already: false }
	return { dead: false, reason: answered === 'gone' ? 'the API no longer knows its id' : answered.message }
}
/**
 * Revokes by id with the first of `credentials` that may. Answers 'revoked', 'gone' (404, which proves nothing), or
 * the problem that remained.
 */
async function revokeById(id, credentials, { api, random }, budget) {
	let outcome = {
		message: 'there was no credential left to revoke it with',
		mayHaveActed: false,
		passing: false,
	}
	for (const credential of credentials) {
		if (credential === null) continue
		const reply = await persist(budget, random, (limits) => api.revoke(credential, id, limits))
		if (reply.ok) return 'revoked'
		outcome = reply.problem.status === 404 ? 'gone' : reply.problem
		if (![401, 403, 404].includes(reply.problem.status ?? 0)) break
	}
	return outcome
}
async function prove(token, answered, { api, clock, random }, budget) {
	const refused = typeof answered === 'object' && !answered.passing
	const proofEnds = clock.now() + PROOF
	for (;;) {
		const reply = await api.probe(token, budget.limits())
		if (!reply.ok && reply.problem.status === 401) {
			return { dead: true, verified: true, already: answered !== 'revoked' }
		}
		if (refused || clock.now() >= proofEnds || budget.left() <= PROBE_EVERY) {
			if (typeof answered === 'object') return { dead: false, reason: answered.message }
			const still = reply.ok ? 'the API still accepts it' : reply.problem.message
			return { dead: false, reason: `the API answered as if it were revoked, but then: ${still}` }
		}
		await budget.pause(PROBE_EVERY * (1 + random()))
	}
}

const STATE_VERSION = 1
const STATE_NAME = 'record'

/** An empty ledger. Nothing is saved until there is something to save. */
function openLedger({ apiUrl, apiKey, revoke, onRevokeFailure }, { runner, userAgent, proxy, settings }) {
	const fixed = {
		version: STATE_VERSION,
		apiUrl,
		apiKey,
		userAgent,
		proxy,
		settings,
		revoke,
		onRevokeFailure,
	}
	let keys = []
	let marks = []
	const save = () => {
		const state = { ...fixed, keys: [...keys], marks: [...marks] }
		runner.saveState(STATE_NAME, JSON.stringify(state))
	}
	const without = (items, gone) => items.filter((item) => item !== gone)
	const setKeep = (key, keep) => {
		keys = keys.map((held) => (held.id === key.id ? { ...held, keep } : held))
		save()
	}
	return {
		intend(mark) {
			marks = [...marks, mark]
			save()
		},
		settle(mark) {
			marks = without(marks, mark)
			save()
		},
		obtain(key, mark) {
			keys = [...keys, key]
			marks = without(marks, mark)
			save()
		},
		keep: (key) => setKeep(key, true),
		end(key) {
			keys = keys.filter(({ id }) => id !== key.id)
			save()
		},
		giveToPost: (key) => setKeep(key, false),
		keys: () => keys,
		ids: () => new Set(keys.map(({ id }) => id)),
	}
}

/** How long after a lost request's deadline a slow server may still carry it out. */
const SLOW_SERVER = 15_000
/** At most this part of the lifetime is given up to make the expiry one that no other run is likely to ask for. */
const SHORTENED_BY = 0.05
/** How far `created` may lie outside the window of the request: the Date header has whole seconds, and takes a while. */
const CLOCK_SLACK = 5_000
/** The same where no answer told the server's time; a wrong clock is only corrected beyond a minute. */
const UNKNOWN_CLOCK_SLACK = 65_000
/**
 * Chooses the expiry of one create request: `lifetime` from now by the server's clock, less a random part of at most
 * 5 %, never more. `skew` is the server's clock less ours; `random` is in [0, 1). Times in milliseconds.
 */
function chooseMark(now, skew, lifetime, timeout, weak, random) {
	const instant = Math.floor(now + skew + lifetime - random * lifetime * SHORTENED_BY)
	const wholeSeconds = Math.floor(instant / 1000) * 1000
	// Never a whole second by chance: on a server that drops fractions, that would match keys of other runs.
	const expiry = weak ? wholeSeconds : instant === wholeSeconds ? instant - 1 : instant
	return { expiry, askedAt: now, deadline: now + timeout, weak }
}
/**
 * Looks in the account's list for the key that the request of `mark` made. Found only if exactly one key, made in the
 * window of the request, has exactly the expiry asked for; keys known to be somebody's (`known` ids) are left out.
 * `skew` is the server's clock less ours, or null where no answer told.
 */
function sight(mark, list, known, skew) {
	const slack = skew === null ? UNKNOWN_CLOCK_SLACK : CLOCK_SLACK
	const from = mark.askedAt + (skew ?? 0) - slack
	const to = mark.deadline + SLOW_SERVER + (skew ?? 0) + slack
	const possible = list.filter(
		({ id, createdAt, expiresAt }) =>
			!known.has(id) &&
			createdAt !== null &&
			from <= createdAt &&
			createdAt <= to &&
			// A server that keeps no fractions, or rounds them, moves the expiry by less than a second; one that
			// ignores it makes a key without.
			(expiresAt === null || Math.abs(expiresAt - mark.expiry) < 1000),
	)
	const exact = possible.filter(({ expiresAt }) => expiresAt === mark.expiry)
	const [only] = exact
	if (only && exact.length === 1 && !mark.weak) return { kind: 'found', key: only }
	// Keys that miss the mark by milliseconds are other runs' where the server keeps milliseconds, and only worth a
	// warning where it does not: there every expiry ends in whole seconds, or there is none.
	const blurred = possible.filter(({ expiresAt }) => expiresAt === null || expiresAt % 1000 === 0)
	const candidates = exact.length > 0 ? exact : blurred
	return candidates.length > 0 ? { kind: 'unclear', candidates } : { kind: 'absent' }
}

/**
 * Every form of `secret` that a log should not show: itself, its lines, and what common tools make of it. The runner
 * masks base64, URI and JSON forms of its own accord, but neither hex nor base64url; act masks exact texts only.
 * Forms that are no different are left out; so is anything empty, which would mask everything.
 */
function maskedForms(secret) {
	const bytes = Buffer.from(secret, 'utf8')
	const forms = [
		secret,
		...secret.split(/[\r\n]+/),
		bytes.toString('base64'),
		bytes.toString('base64url'),
		bytes.toString('hex'),
		urlEncoded(secret),
		JSON.stringify(secret).slice(1, -1),
	]
	return [...new Set(forms)].filter((form) => form.trim() !== '')
}
/** encodeURIComponent, which throws on half a surrogate pair; such a text has no URL form to mask. */
function urlEncoded(secret) {
	return secret.isWellFormed() ? encodeURIComponent(secret) : ''
}

/** A key as a person finds it in the dashboard: its first characters, and as much of its id as helps. */
function shortened({ prefix, id }) {
	return `${plain(prefix)}… (id ${shortId(id)})`
}
function shortId(id) {
	const whole = cell(id)
	return whole.length > 16 ? `${whole.slice(0, 8)}…` : whole
}
/** Text of the server's for a line of log: what could start a line or a command of its own is left out. */
function plain(text) {
	return text.replace(/[^\x21-\x7e]/g, '?').slice(0, 200)
}
/** One line on the key that was handed over. `now` is in milliseconds since 1970. */
function issuedLine(key, { revoke }, now) {
	const end = revoke
		? 'The post step revokes it after the job.'
		: 'It is left to its expiry, as revoke is false.'
	return `Created the API key ${shortened(key)}, valid until ${expiryOf(key)}${lifetime(key, now)}. ${end}`
}
function lifetime({ expiresAt }, now) {
	if (expiresAt === null) return ''
	const minutes = Math.round((expiresAt - now) / 60_000)
	const text = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
	return ` (${text} from now)`
}
function expiryOf({ expiresAt }) {
	return expiresAt === null ? 'no set time' : readable(expiresAt)
}
/** An instant for a person, to the second: 2027-01-01 00:00:00 UTC. */
function readable(instant) {
	return `${formatInstant(instant).slice(0, 19).replace('T', ' ')} UTC`
}
/** What to say of a runner whose clock is wrong; `skew` is the server's clock less ours, in milliseconds. */
function clockNote(skew) {
	const minutes = Math.abs(skew / 60_000).toFixed(1)
	return `This runner’s clock is ${minutes} min ${skew > 0 ? 'behind' : 'ahead of'} the API’s; the expiry is reckoned by the API’s.`
}
/** The job summary of main. */
function issuedSummary(key, { revoke }) {
	return [
		'### SphereScout key for this job',
		'',
		'| Key | Id | Created | Expires | Afterwards |',
		'| --- | --- | --- | --- | --- |',
		`| \`${cell(key.prefix)}…\` | \`${shortId(key.id)}\` | ${key.createdAt === null ? '' : readable(key.createdAt)} | ${expiryOf(key)} | ${revoke ? 'revoked by the post step' : 'left to its expiry'} |`,
		'',
	].join('\n')
}
function cell(text) {
	return plain(text).replace(/[|`<>\\]/g, '?')
}
/** Adds to the job summary. A summary that cannot be written is no reason to fail a job or to lose sight of a key. */
function summarise(runner, markdown) {
	try {
		runner.summarise(markdown)
	} catch {
		runner.info('The job summary could not be written.')
	}
}

/**
 * Looks once for the keys of lost create requests and revokes those that are certainly this run's.
 * `credentials` are tried in turn where one may not list or revoke; `known` are ids that need no looking for. A
 * key whose text nobody knows cannot prove that it is dead, so the list has to show that it is gone. One answer
 * a mark, in order.
 */
async function recoverKeys(marks, credentials, known, tools, budget) {
	const listed = await listKeys(credentials, tools, budget)
	if (!listed.ok) return marks.map(() => ({ kind: 'failed', problem: listed.problem }))
	const recoveries = []
	for (const mark of marks) {
		const sighting = sight(mark, listed.value, known, listed.skew)
		if (sighting.kind !== 'found') recoveries.push(sighting)
		else recoveries.push(await revokeLost(sighting.key, credentials, tools, budget))
	}
	return recoveries
}
async function revokeLost(key, credentials, tools, budget) {
	const answered = await revokeById(key.id, credentials, tools, budget)
	if (typeof answered === 'object') return { kind: 'failed', problem: answered }
	const left = await listKeys(credentials, tools, budget)
	if (!left.ok) return { kind: 'failed', problem: left.problem }
	if (!left.value.some(({ id }) => id === key.id)) return { kind: 'revoked', key }
	const message = `the key ${shortened(key)} is still in the list after its revocation`
	return { kind: 'failed', problem: { message, mayHaveActed: true, passing: true } }
}
/**
 * The listed key that `token` belongs to, or null: for an answer that gave the key but no id. A key's prefix is
 * long enough to tell it from every other, or else this does not guess.
 */
async function identify(token, credential, tools, budget) {
	const listed = await listKeys([credential], tools, budget)
	if (!listed.ok) return null
	const owners = listed.value.filter(
		({ prefix }) => prefix.length >= SHORTEST_PREFIX && token.startsWith(prefix),
	)
	return owners.length === 1 ? (owners[0] ?? null) : null
}
const SHORTEST_PREFIX = 8
async function listKeys(credentials, { api, random }, budget) {
	const usable = credentials.filter((credential) => credential !== null)
	const ask = (credential) => persist(budget, random, (limits) => api.list(credential, limits))
	const [first, ...others] = usable
	if (first === undefined) {
		const problem = {
			message: 'there was no credential left to list the keys with',
			mayHaveActed: false,
			passing: false,
		}
		return { ok: false, skew: null, problem }
	}
	let reply = await ask(first)
	for (const credential of others) {
		if (reply.ok || ![401, 403].includes(reply.problem.status ?? 0)) break
		reply = await ask(credential)
	}
	return reply
}

/** A wrong clock is corrected from this difference on, in milliseconds. */
const WRONG_CLOCK = 60_000
/** No create request is sent with less time than this for its answer, in milliseconds: its reply would likely be lost. */
const SHORTEST_ATTEMPT = 500
/** How long main may take to revoke a key that it cannot hand over, in milliseconds, on top of its `timeout`. */
const COMPENSATION = 20_000
/**
 * The main step: obtains a key that expires within `expiresIn`, masks it, saves what post needs, hands it over.
 * Throws an Error for the person reading the log; whatever it throws, the keys made on the way were revoked or are
 * in the saved record for post.
 */
async function issueKey(inputs, surroundings) {
	const { runner, clock, cancellation } = surroundings
	const ledger = openLedger(inputs, surroundings)
	try {
		const key = await obtainKey(inputs, surroundings, ledger)
		stopIfCancelled(cancellation)
		handOver(key, inputs, runner)
		runner.info(issuedLine(key, inputs, clock.now()))
		summarise(runner, issuedSummary(key, inputs))
		stopIfCancelled(cancellation)
		if (!inputs.revoke) ledger.keep(key)
	} catch (error) {
		await endAll(ledger, surroundings, inputs.apiKey)
		throw error
	}
}
/** Asks until there is a key that passes every check, or there is no point in asking again. */
async function obtainKey(inputs, surroundings, ledger) {
	const { runner, clock, random, api, cancellation } = surroundings
	const budget = budgetUntil(clock.now() + inputs.timeout, clock, cancellation)
	let skew = 0
	let wholeSeconds = false
	let replaced = false
	let refusals = 0
	for (let attempt = 1; ; ) {
		stopIfCancelled(cancellation)
		const limits = budget.limits()
		const mark = chooseMark(clock.now(), skew, inputs.expiresIn, limits.timeout, wholeSeconds, random())
		ledger.intend(mark)
		const reply = await api.create(inputs.apiKey, expiryText(mark), limits)
		const clockWasWrong = reply.skew !== null && Math.abs(reply.skew - skew) > WRONG_CLOCK
		if (clockWasWrong && reply.skew !== null) {
			skew = reply.skew
			runner.info(clockNote(skew))
		}
		if (reply.ok) {
			const key = await accept(reply.value, mark, inputs, surroundings, ledger, budget)
			if (!clockWasWrong || replaced) return key
			// Its lifetime was reckoned by a clock that is wrong; by the server's it is another than was asked for.
			replaced = true
			await replace(key, inputs.apiKey, surroundings, ledger, budget)
			if (budget.left() < SHORTEST_ATTEMPT) throw new Error(clockMessage(inputs.timeout))
			continue
		}
		const { problem } = reply
		if (!problem.mayHaveActed) ledger.settle(mark)
		else await recover(mark, problem, inputs.apiKey, surroundings, ledger, budget)
		stopIfCancelled(cancellation)
		if (problem.status === 400 && refusals < 2 && (clockWasWrong || !wholeSeconds)) {
			// Nothing was made. The likely causes are an expiry in the past by the server's clock, or fractions of a
			// second.
			refusals += 1
			if (!clockWasWrong) wholeSeconds = true
			continue
		}
		if (!problem.passing) throw new Error(refusalMessage(problem))
		const wait = backoff(attempt, problem.retryAfter, random())
		if (wait + SHORTEST_ATTEMPT > budget.left())
			throw new Error(gaveUpMessage(problem, attempt, wait, inputs.timeout))
		runner.info(`${problem.message}. Trying again in ${seconds(wait)}.`)
		await budget.pause(wait)
		attempt += 1
	}
}
/**
 * Masks the key before anything else is done with it, saves it for post, and only then looks at whether it is
 * what was asked for. Throws where it is not; it is then in the ledger, to be revoked.
 */
async function accept(answer, mark, inputs, surroundings, ledger, budget) {
	const { token } = answer
	if (token !== null) for (const form of maskedForms(token)) surroundings.runner.setSecret(form)
	const usable = token !== null && isUsable(token) ? token : null
	const fault = faultInAnswer(answer, mark.expiry)
	// Without an id, the list knows it: by the key's first characters, or else by the mark.
	const listed =
		answer.id === null && usable !== null ? await identify(usable, inputs.apiKey, surroundings, budget) : null
	const id = answer.id ?? listed?.id ?? null
	if (id === null) {
		const problem = { message: fault ?? '' }
		await recover(mark, problem, inputs.apiKey, surroundings, ledger, budget)
		throw new Error(
			`The API’s answer cannot be used: ${fault}. The post step looks for any key that it made.`,
		)
	}
	const { createdAt, expiresAt } = answer
	const key = { token: usable, id, prefix: answer.prefix ?? '', createdAt, expiresAt, keep: false }
	ledger.obtain(key, mark)
	if (fault !== null)
		throw new Error(`The API’s answer cannot be used: ${fault}. That key is revoked at once.`)
	return key
}
/** Looks for the key that a lost reply may have carried. What stays unknown stays in the ledger. */
async function recover(mark, problem, apiKey, surroundings, ledger, budget) {
	const { runner } = surroundings
	runner.info(`${problem.message}. A key may have been made all the same; looking for it.`)
	const [recovery] = await recoverKeys([mark], [apiKey], ledger.ids(), surroundings, budget)
	switch (recovery?.kind) {
		case 'revoked':
			ledger.settle(mark)
			runner.info(`Found it, by its expiry, and revoked it: ${shortened(recovery.key)}.`)
			break
		case 'absent':
			runner.info('No such key so far. The post step will look again, as a slow server may still make it.')
			break
		case 'unclear':
			runner.warning(
				`A create request was lost, and the account holds ${recovery.candidates.length} key(s) that may be its own or another run’s. ` +
					`None was revoked; such a key expires by itself at ${formatInstant(mark.expiry)}.`,
			)
			break
		case 'failed':
			runner.info(
				`The account’s keys could not be looked through (${recovery.problem.message}). The post step will try again.`,
			)
			break
	}
}
async function replace(key, apiKey, surroundings, ledger, budget) {
	const ending = await endKey(key, apiKey, surroundings, budget)
	if (ending.dead) ledger.end(key)
	surroundings.runner.info(
		`The key ${shortened(key)} was made with the wrong clock and is replaced` +
			`${ending.dead ? ' (revoked)' : `; it could not be revoked yet (${ending.reason}), the post step will try again`}.`,
	)
}
function handOver(key, inputs, runner) {
	const token = key.token ?? ''
	runner.setOutput('key', token)
	runner.setOutput('key-id', key.id)
	runner.setOutput('key-prefix', key.prefix)
	runner.setOutput('created-at', key.createdAt === null ? '' : formatInstant(key.createdAt))
	runner.setOutput('expires-at', key.expiresAt === null ? '' : formatInstant(key.expiresAt))
	if (inputs.exportEnv !== '') runner.exportVariable(inputs.exportEnv, token)
}
/** Compensation: main is failing, so every key that it holds is ended now. What cannot be is left to post. */
async function endAll(ledger, surroundings, apiKey) {
	const { runner, clock, cancellation } = surroundings
	const budget = budgetUntil(clock.now() + COMPENSATION, clock, cancellation)
	for (const key of ledger.keys()) {
		const ending = await endKey(key, apiKey, surroundings, budget)
		if (ending.dead)
			runner.info(`The key ${shortened(key)} was revoked${ending.verified ? ' (verified)' : ''}.`)
		else
			runner.warning(
				`The key ${shortened(key)} could not be revoked: ${ending.reason}. The post step will try again.`,
			)
		try {
			if (ending.dead) ledger.end(key)
			else ledger.giveToPost(key)
		} catch {
			// A state file that cannot be written may be why main is failing; the other keys still have to be ended.
		}
	}
}
function stopIfCancelled(cancellation) {
	if (cancellation.requestedAt !== null)
		throw new Cancelled('The job was cancelled before a key could be handed over.')
}
function expiryText(mark) {
	return mark.weak ? formatInstant(mark.expiry).replace('.000Z', 'Z') : formatInstant(mark.expiry)
}
function seconds(duration) {
	return `${(duration / 1000).toFixed(1)} s`
}
function refusalMessage({ status, message }) {
	if (status === 401)
		return `The API did not accept api-key: it is wrong, revoked or expired (${message}). Check the secret that api-key is given.`
	return `No key was created: ${message}.`
}
function clockMessage(timeout) {
	return (
		`This runner’s clock is wrong, and the timeout of ${seconds(timeout)} left no time to ask for a key by the API’s. ` +
		'Raise input timeout, or set the runner’s clock.'
	)
}
function gaveUpMessage({ message }, attempts, wait, timeout) {
	return (
		`No key was obtained: ${message}. Gave up after ${attempts} attempt(s), as the next one, in ${seconds(wait)}, ` +
		`would pass the timeout of ${seconds(timeout)}. Raise input timeout, or run the job again later.`
	)
}

/** The variables by which Node decides which certificate authorities it trusts; those that name a file come first. */
const FILES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE']
const AUTHORITIES = [...FILES, 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
/** The variables that name a proxy, or the hosts that need none; each is read in both cases. */
const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
	name,
	name.toLowerCase(),
])
/**
 * The variables that decide whom this process trusts and which way its requests go, with their values; for a
 * file, a digest of its content too, so that a later step that swaps the file is noticed. Unset variables are
 * left out. `digest` gives null for a file that cannot be read.
 */
function networkSettings(env, digest) {
	const set = [...AUTHORITIES, ...PROXIES].flatMap((name) => (env[name] ? [[name, env[name]]] : []))
	return Object.fromEntries(
		set.map(([name, value]) => [
			name,
			FILES.includes(name) ? `${value} ${digest(value) ?? 'unreadable'}` : value,
		]),
	)
}

/**
 * The real runner. Imported by name, so that the bundle holds no more of the toolkit than this; its builder of
 * summaries is five times the size of what is left, and all that is needed of it is this append.
 */
const runner = {
	info,
	warning,
	setSecret,
	setOutput,
	exportVariable,
	saveState,
	summarise(markdown) {
		;(0, external_node_fs_namespaceObject.appendFileSync)(
			process.env.GITHUB_STEP_SUMMARY ?? '',
			`${markdown}\n`,
		)
	},
}

/** The machine's clock. */
const systemClock = {
	now: () => Date.now(),
	sleep: (duration, wake) =>
		new Promise((resolve) => {
			const done = () => {
				clearTimeout(timer)
				wake?.removeEventListener('abort', done)
				resolve()
			}
			const timer = setTimeout(done, duration)
			if (wake?.aborted) done()
			else wake?.addEventListener('abort', done)
		}),
}
/** The SHA-256 digest of a file in hex, or null where it cannot be read. */
function fileDigest(path) {
	try {
		return (0, external_node_crypto_namespaceObject.createHash)('sha256')
			.update((0, external_node_fs_namespaceObject.readFileSync)(path))
			.digest('hex')
	} catch {
		return null
	}
}

/** The action's name and version, as the API sees them in User-Agent; a test keeps them those of package.json. */
const ACTION = 'spherescout-ephemeral-key'
const VERSION = '1.0.0'
/**
 * The User-Agent of one run, so that the account's owner can trace a key to it. Takes `owner/repo` and the
 * run's id as the runner gave them, and leaves out what cannot stand in a header.
 */
function userAgent(repository, runId) {
	const plain = (part) => (part ?? '').replace(/[^\w./-]/g, '') || 'unknown'
	return `${ACTION}/${VERSION} (${plain(repository)}; run ${plain(runId)})`
}

// Wires the real runner, network, clock and signals into the main step.
const cancellation = createCancellation(systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, cancellation.request)
// Whatever still waits then, the runner is about to kill it; the record for post is already saved.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.end).unref())
async function run() {
	try {
		for (const form of maskedForms(getInput('api-key'))) setSecret(form)
		const inputs = readInputs(getInput, whyNoSecrets(context))
		requireCommandFiles(process.env, [
			'GITHUB_STATE',
			'GITHUB_OUTPUT',
			...(inputs.exportEnv ? ['GITHUB_ENV'] : []),
		])
		const proxy = getProxyForUrl(inputs.apiUrl)
		const agent = userAgent(process.env.GITHUB_REPOSITORY, process.env.GITHUB_RUN_ID)
		await issueKey(inputs, {
			api: createKeyApi(createSend(proxy), inputs.apiUrl, agent, systemClock.now),
			clock: systemClock,
			random: Math.random,
			runner,
			cancellation,
			userAgent: agent,
			proxy,
			settings: networkSettings(process.env, fileDigest),
		})
	} catch (error) {
		setFailed(error instanceof Error ? error.message : String(error))
	}
}
void run()
