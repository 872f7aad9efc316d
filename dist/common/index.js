'use strict'
const { appendFileSync, readFileSync } = require('node:fs')
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
	process.stdout.write(cmd.toString() + require('os').EOL)
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
function issueFileCommand(command, message) {
	const filePath = process.env[`GITHUB_${command}`]
	if (!filePath) {
		throw new Error(`Unable to find environment variable for file command ${command}`)
	}
	if (!require('fs').existsSync(filePath)) {
		throw new Error(`Missing file at path: ${filePath}`)
	}
	require('fs').appendFileSync(filePath, `${toCommandValue(message)}${require('os').EOL}`, {
		encoding: 'utf8',
	})
}
function prepareKeyValueMessage(key, value) {
	const delimiter = `ghadelimiter_${(require('crypto')).randomUUID()}`
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
	return `${key}<<${delimiter}${require('os').EOL}${convertedValue}${require('os').EOL}${delimiter}`
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
// Variables
/**
 * Sets env variable for this action and future actions in the job
 * @param name the name of the variable to set
 * @param val the value of the variable. Non-string values will be converted to a string via JSON.stringify
 */
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
function setOutput(name, value) {
	const filePath = process.env['GITHUB_OUTPUT'] || ''
	if (filePath) {
		return issueFileCommand('OUTPUT', prepareKeyValueMessage(name, value))
	}
	process.stdout.write(require('os').EOL)
	issueCommand('set-output', { name }, toCommandValue(value))
}
// Results
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
	process.stdout.write(message + require('os').EOL)
}
// Wrapper action state
/**
 * Saves state for current action, the state can only be retrieved by this action's post job execution.
 *
 * @param     name     name of the state to store
 * @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
 */
function saveState(name, value) {
	const filePath = process.env['GITHUB_STATE'] || ''
	if (filePath) {
		return issueFileCommand('STATE', prepareKeyValueMessage(name, value))
	}
	issueCommand('save-state', { name }, toCommandValue(value))
}
/**
 * Gets the value of an state set by this action's main execution.
 *
 * @param     name     name of the state to get
 * @returns   string
 */
function getState(name) {
	return process.env[`STATE_${name}`] || ''
}

/** There is no tunnel, so nothing of the request itself was sent. `lasting` says that asking again will not help. */
class ProxyError extends Error {
	permanent
	constructor(message, permanent) {
		super(message)
		this.permanent = permanent
	}
}
/**
 * A `createConnection` for Node's agents that reaches every host through a CONNECT tunnel of `proxy`, with TLS inside
 * it where `secure`. Node's own `proxyEnv` would do, but came with 24.5, and the oldest runner with node24 ships
 * 24.4 (on 32-bit ARM, Node 20).
 */
function tunnelThrough(proxy, secure) {
	return (options, connected) => {
		const refuse = (message, permanent) => connected?.(new ProxyError(message, permanent), undefined)
		if (!URL.canParse(proxy) || !/^https?:$/.test(new URL(proxy).protocol)) {
			refuse('the proxy in HTTPS_PROXY or HTTP_PROXY is not an http or https address', true)
			return
		}
		const { protocol, host, hostname, port, username, password } = new URL(proxy)
		const target = `${bracketed(String(options.host))}:${options.port}`
		const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')
		const open = protocol === 'https:' ? require('node:https').request : require('node:http').request
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
					connected?.(null, secure ? require('node:tls').connect({ ...options, socket }) : socket)
					return
				}
				socket.destroy()
				const hint = status === 407 ? '; it wants a login, as in http://USER:PASSWORD@HOST:PORT' : ''
				const permanent = status < 500 && status !== 408 && status !== 429
				refuse(`the proxy ${host} refused the tunnel with status ${status}${hint}`, permanent)
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
class HttpError extends Error {
	fault
	mayHaveActed
	constructor(fault, mayHaveActed, message) {
		super(message)
		this.fault = fault
		this.mayHaveActed = mayHaveActed
	}
}
const MAX_RESPONSE_BYTES = 1024 * 1024
/**
 * A Send over real sockets, kept open between requests, through `proxy` (a URL; empty for none). Certificates are
 * always verified: an agent's option to do so outranks NODE_TLS_REJECT_UNAUTHORIZED.
 */
function createHttpClient(proxy) {
	const agents = {}
	return (request) => {
		const { protocol } = request.url
		agents[protocol] ??= createAgent(protocol, proxy)
		return exchange(request, agents[protocol], proxy)
	}
}
function createAgent(protocol, proxy) {
	const secure = protocol === 'https:'
	const options = { keepAlive: true, rejectUnauthorized: true }
	const agent = secure
		? new (require('node:https').Agent)(options)
		: new (require('node:http').Agent)(options)
	if (proxy) agent.createConnection = tunnelThrough(proxy, secure)
	return agent
}
function exchange(request, agent, proxy) {
	return new Promise((resolve, reject) => {
		const { url, method, headers, body, cancel } = request
		const secure = url.protocol === 'https:'
		const options = { method, headers, agent }
		const started = secure
			? require('node:https').request(url, options)
			: require('node:http').request(url, options)
		let connected = false
		started.once('socket', (socket) => {
			connected = started.reusedSocket || (!secure && !socket.connecting)
			const whenConnected = () => {
				connected = true
			}
			if (!connected) socket.once(secure ? 'secureConnect' : 'connect', whenConnected)
		})
		const fail = (fault, message) => {
			settle()
			reject(new HttpError(fault, connected, message))
			started.destroy()
		}
		const onTimeout = () =>
			fail('timeout', connected ? 'did not answer in time' : 'could not be reached in time')
		const ends = [setTimeout(onTimeout, request.timeout)]
		const onCancel = () => void ends.push(setTimeout(onTimeout, request.grace ?? 0))
		const settle = () => {
			ends.forEach(clearTimeout)
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
				if (size > MAX_RESPONSE_BYTES) fail('too-large', 'answered with more than 1 MiB')
				else chunks.push(chunk)
			})
			response.on('error', () => fail('cut', 'closed the connection in the middle of its answer'))
			response.once('end', () => {
				settle()
				resolve({
					status: response.statusCode ?? 0,
					headers: response.headers,
					body: Buffer.concat(chunks).toString('utf8'),
				})
			})
		})
		started.end(body)
	})
}
/** Node's error codes, in the words of somebody who has to mend the network. */
function describe(error, connected, proxy) {
	const code = error.code ?? ''
	if (error instanceof ProxyError) return [error.permanent ? 'proxy' : 'refused', error.message]
	// Never the login that its URL may hold.
	const via = proxy ? ` (through the proxy ${new URL(proxy).host})` : ''
	if (connected) return ['cut', `closed the connection before it answered${via}`]
	if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
		return ['dns', `its name could not be resolved (${code}); check api-url`]
	if (/CERT|^UNABLE_TO|SIGNATURE/.test(code))
		return [
			'certificate',
			`its certificate was not accepted (${code})${via}; ` +
				'where a private CA signs it, give its file in NODE_EXTRA_CA_CERTS',
		]
	// A load balancer that restarts says so too.
	if (/^EPROTO|^ERR_(TLS|SSL)/.test(code)) return ['refused', `the TLS handshake failed (${code})${via}`]
	return ['refused', `the connection failed (${code || 'closed early'})${via}`]
}

const INITIAL_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 20_000
/**
 * How long to wait before the next attempt, in milliseconds: exponential with full jitter, on top of what the server
 * asked for, if it did. `failures` counts the attempts that failed so far (1 or more); `random` is in [0, 1).
 * `spread`, if it is longer, takes the place of the exponential one; neither is more than `most`.
 */
function backoff(failures, retryAfter, random, spread = 0, most = Infinity) {
	const exponential = Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** (failures - 1))
	return Math.ceil((retryAfter ?? 0) + random * Math.min(Math.max(exponential, spread), most))
}
/** The wait that a Retry-After header asks for, in milliseconds: whole seconds, or a date seen from `now`. */
function parseRetryAfter(header, now) {
	if (header === undefined) return undefined
	if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000
	const date = Date.parse(header)
	return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Statuses of gateways and locks that may pass, and behind which the request may have been carried out. */
const UNCERTAIN_STATUSES = [408, 421, 423, 425, 499]
const MAX_REASON_LENGTH = 300
/** What a response outside 2xx means. `now` is the server's time, in milliseconds since 1970. */
function failureOf(asked, response, now) {
	const { status, headers } = response
	if (status >= 300 && status < 400) return redirected(asked, response)
	const rateLimited = status === 429
	const uncertain = status >= 500 || status < 200 || UNCERTAIN_STATUSES.includes(status)
	const notFromApi = isForeign(response)
	const retryAfter = rateLimited || status === 503 ? parseRetryAfter(headers['retry-after'], now) : undefined
	return {
		status,
		message: `${answered(asked, status)}${rateLimited ? ': too many requests' : detail(response, asked.credential)}`,
		mayHaveActed: uncertain,
		retryable: uncertain || rateLimited || notFromApi,
		...(retryAfter !== undefined && { retryAfter }),
		...(notFromApi && { notFromApi }),
	}
}
/** What a 2xx response means whose content could not be used. */
function unusableResponse(asked, response) {
	const { status } = response
	const reason = detail(response, asked.credential) || ': something that is not the JSON of this API'
	const message = `${answered(asked, status)}${reason}`
	return { status, message, mayHaveActed: true, retryable: true, unusable: true }
}
function answered({ method, url }, status) {
	return `${url.host} answered ${status} to ${method} ${url.pathname}`
}
function redirected(asked, { status, headers }) {
	const { url } = asked
	const location = headers.location ?? ''
	const target = URL.canParse(location, url.href) ? new URL(location, url) : null
	const place =
		target === null
			? 'an unreadable address'
			: target.host === url.host
				? target.origin + target.pathname
				: target.host
	const message = `${answered(asked, status)} with a redirect to ${place}; redirects are never followed. Check api-url`
	// 302 and 303 may mean "done, look there".
	return { status, message, mayHaveActed: status === 302 || status === 303, retryable: false }
}
/**
 * Whether a 4xx came from something in front of the API: a page of HTML, or a 401 that asks for a scheme other than
 * Bearer. The API speaks JSON and Bearer alone (its documentation); such an answer says nothing about a key.
 */
function isForeign({ status, headers, body }) {
	if (status < 400 || status > 499) return false
	const schemes = headers['www-authenticate']
	return isHtml(headers, body) || (status === 401 && schemes !== undefined && !/\bbearer\b/i.test(schemes))
}
function isHtml(headers, body) {
	return /html/i.test(headers['content-type'] ?? '') || /^\s*</.test(body)
}
/** What a person needs to know of an answer beyond its status: who answered, or the API's own reason. */
function detail(response, credential) {
	const { status, headers, body } = response
	if (headers['cf-mitigated']) return ' with a challenge; a firewall in front of the API stopped this runner'
	if (isHtml(headers, body)) return ' with an HTML page, not the JSON of this API'
	const scheme = /^[\w-]{1,20}/.exec(headers['www-authenticate'] ?? '')?.[0]
	if (isForeign(response))
		return `, and asks for ${scheme ?? 'another'} authentication, which this API does not use`
	const reason = status === 204 ? '' : reasonGiven(body, credential)
	return reason && `: ${reason}`
}
/**
 * The API's own reason, from any of the shapes that it uses: detail, error, or messages by field. Empty for HTML or
 * nothing. One line, cut to length, without the credential, and without anything else that could be a key.
 */
function reasonGiven(body, credential) {
	let answer
	try {
		answer = JSON.parse(body)
	} catch {
		return ''
	}
	return wordsIn(answer)
		.join('; ')
		.replaceAll(credential, '***')
		.replace(/[\w-]{24,}/g, '***')
		.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
		.trim()
		.slice(0, MAX_REASON_LENGTH)
		.replace(/\.$/, '')
}
function wordsIn(value, label = '', depth = 0) {
	if (typeof value === 'string') return [label + value]
	if (typeof value !== 'object' || value === null || depth > 3) return []
	return Object.entries(value).flatMap(([name, part]) => {
		const isPlain = /^(detail|error|errors|message|messages|non_field_errors|\d+)$/.test(name)
		return name === 'code' ? [] : wordsIn(part, isPlain ? label : `${label}${name}: `, depth + 1)
	})
}

const DATE = String.raw`(\d{4})-?(?:(\d\d)-?(\d\d)|W(\d\d)-?([1-7])|(\d{3}))`
const TIME = String.raw`[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d))?)?(?:[.,](\d+))?`
const ZONE = String.raw`(?: ?(?:(Z|UTC|GMT)|([+\-\u2212])(\d\d)(?::?(\d\d))?))?`
const ISO_8601 = new RegExp(`^${DATE}(?:${TIME}${ZONE})?$`, 'i')
const NUMBER = /^\d{9,13}(?:\.\d+)?$/
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/**
 * Reads a time in any ISO 8601 or RFC 3339 spelling (basic or extended, week or ordinal date, decimal point or comma,
 * any offset), or as seconds or milliseconds since 1970. A time without an offset is UTC. The API returns one instant in
 * many spellings (`.123Z`, `.123000+01:00`), so instants are compared, never texts.
 */
function parseTime(value) {
	if (value === null || value === undefined || value === '') return { kind: 'absent' }
	const text = String(value).trim()
	const at = NUMBER.test(text) ? fromEpoch(Number(text)) : fromIso(text)
	return at === null ? { kind: 'unreadable', text: text.slice(0, 40) } : { kind: 'instant', at }
}
/** Seconds below 1e11 (the year 5138), milliseconds above. */
function fromEpoch(value) {
	return value < 1e11 ? value * 1000 : value
}
function fromIso(text) {
	const found = ISO_8601.exec(text)
	if (!found) return null
	const [, year = '', month, day, week, weekday, ordinal, ...rest] = found
	const [hour = '0', minute, second, fraction, , sign, zoneHour = '0', zoneMinute = '0'] = rest
	const midnight = week
		? fromWeek(Number(year), Number(week), Number(weekday))
		: Date.UTC(Number(year), month ? Number(month) - 1 : 0, Number(day ?? ordinal))
	// Date.UTC turns February 30 into March 2; such a text names no day.
	const isRealDay = !month || new Date(midnight).toISOString().slice(5, 10) === `${month}-${day}`
	const parts = [Number(hour), Number(minute ?? 0), Number(second ?? 0)]
	if (!isRealDay || !isRealTime(...parts)) return null
	const unit = second ? 1000 : minute ? MINUTE_MS : 60 * MINUTE_MS
	const offset = (Number(zoneHour) * 60 + Number(zoneMinute)) * MINUTE_MS * (sign === '+' || !sign ? 1 : -1)
	const time = parts[0] * 3_600_000 + parts[1] * MINUTE_MS + parts[2] * 1000
	return midnight + time - offset + Number(`0.${fraction ?? 0}`) * unit
}
function isRealTime(hour, minute, second) {
	// 60 is a leap second; 24:00 is the end of a day.
	return (hour < 24 && minute < 60 && second <= 60) || (hour === 24 && minute + second === 0)
}
/** Monday of week 1 is the one in the week that holds January 4. */
function fromWeek(year, week, weekday) {
	const fourth = Date.UTC(year, 0, 4)
	const monday = fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * DAY_MS
	return monday + ((week - 1) * 7 + weekday - 1) * DAY_MS
}
/** ISO 8601 in UTC, to the millisecond. */
function formatInstant(instant) {
	return new Date(instant).toISOString()
}
/** ISO 8601 in UTC with six digits of a second, three, or none: whichever writes `instant` in full. */
function formatExactly(instant) {
	const micros = Math.round(instant * 1000)
	const rest = micros % 1000
	const text = formatInstant((micros - rest) / 1000)
	if (rest !== 0) return text.replace('Z', `${String(rest).padStart(3, '0')}Z`)
	return text.replace('.000Z', 'Z')
}

const MAX_PREFIX_LENGTH = 20
const MAX_ID_LENGTH = 256
/** Reads the response to a create call; throws if it holds neither a key nor the description of one. */
function readCreated({ body }) {
	const answer = parseJson(body)
	const created = { token: textOf(field(answer, 'token')), ...readKey(field(answer, 'api_key')) }
	if (created.token === null && created.id === null) throw new Error('no key')
	return created
}
/** Reads one page of the list, a bare array or `{results, next}`; throws if it is neither. */
function readPage({ headers, body }) {
	const answer = parseJson(body)
	const rows = Array.isArray(answer) ? answer : field(answer, 'results')
	if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
	const described = rows.map(readKey)
	const keys = described.flatMap((key) => (key.id === null ? [] : { ...key, id: key.id }))
	const unread = described.filter(({ id, unreadable }) => id === null || unreadable !== null).length
	const next = textOf(field(answer, 'next'))
	const count = field(answer, 'count') ?? headers['x-total-count']
	const morePages = hasUnknownPaging(answer) || /rel="?next/i.test(String(headers.link ?? ''))
	const cached = Number(headers.age) > 0 || /hit/i.test(String(headers['x-cache'] ?? ''))
	const doubts = [
		unread > 0 && `${unread} of its rows cannot be read`,
		next === null && morePages && 'it has further pages that cannot be found',
		cached && 'it comes from a cache',
	]
	const doubt = doubts.find((text) => text !== false) || null
	return { keys, next, doubt, count: count === undefined || count === null ? null : Number(count) }
}
/** Whether a page announces more in a way that this action does not follow, such as `has_more` or `next_cursor`. */
function hasUnknownPaging(answer) {
	if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return false
	const announces = ([name, value]) =>
		/next|more|cursor/i.test(name) && Boolean(value) && !(name === 'next' && typeof value === 'string')
	return Object.entries(answer).some(announces)
}
/** Accepts the response to a revocation; throws if it is not the API's, or says that nothing was revoked. */
function readRevoked({ body }) {
	const answer = body.trim() === '' ? {} : parseJson(body)
	if (field(answer, 'success') === false || field(answer, 'error')) throw new Error('not revoked')
	return null
}
function readKey(value) {
	const [created, expiry] = [parseTime(field(value, 'created')), parseTime(field(value, 'expiry'))]
	const unreadable =
		created.kind === 'unreadable'
			? `created "${created.text}"`
			: expiry.kind === 'unreadable'
				? `expiry "${expiry.text}"`
				: field(value, 'expiry') === undefined
					? 'expiry (missing)'
					: null
	return {
		id: identifier(field(value, 'id')),
		// It is printed: never the whole key.
		prefix: (textOf(field(value, 'token_key')) ?? '').slice(0, MAX_PREFIX_LENGTH),
		createdAt: created.kind === 'instant' ? created.at : null,
		expiresAt: expiry.kind === 'instant' ? expiry.at : null,
		unreadable,
	}
}
/** An id that can stand in a URL, escaped. A dot segment cannot: even escaped, it names another path. */
function identifier(value) {
	if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
	const id = textOf(value)
	const isUsable = id !== null && id !== '.' && id !== '..' && id.isWellFormed() && id.length <= MAX_ID_LENGTH
	return isUsable ? id : null
}
/** JSON with every digit of large integers, as text: ids above 2^53 would lose their last digits (Node 21 and later). */
function parseJson(body) {
	const keepDigits = (_name, value, context) =>
		typeof value === 'number' && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? '')
			? context?.source
			: value
	return JSON.parse(body, keepDigits)
}
function field(value, name) {
	return typeof value === 'object' && value !== null ? value[name] : undefined
}
function textOf(value) {
	return typeof value === 'string' && value !== '' ? value : null
}

const KEYS_PATH = '/api/user/api-keys'
const MAX_PAGES = 100
/** A `Date` further from our own clock than this is a gateway's error rather than the server's time. */
const MAX_DATE_SKEW_MS = 24 * 3_600_000
/**
 * The key API at `apiUrl` (no trailing slash). `userAgent` tells the account's owner which run made a request; `now`
 * is this machine's clock in milliseconds.
 */
function createKeyApi(client, apiUrl, userAgent, now) {
	const call = caller(client, userAgent, now)
	const keysUrl = new URL(`${apiUrl}${KEYS_PATH}`)
	return {
		create: (credential, expiry, limits) =>
			call({ method: 'POST', url: keysUrl, credential, body: { expiry } }, limits, readCreated),
		list(credential, limits) {
			const deadline = now() + limits.timeout
			return readList$1(keysUrl, (url) =>
				call(
					{ method: 'GET', url, credential },
					{ ...limits, timeout: Math.max(1, deadline - now()) },
					readPage,
				),
			)
		},
		revoke: (credential, id, limits) =>
			call(
				{ method: 'DELETE', url: new URL(`${keysUrl}/${encodeURIComponent(id)}`), credential },
				limits,
				readRevoked,
			),
		async probe(credential, limits) {
			const result = await call({ method: 'GET', url: keysUrl, credential }, limits, readPage)
			return result.ok ? { ...result, value: null } : result
		},
	}
}
/** Whether the API itself answered 401: not accepted here and now, which alone does not prove an end. */
function isRejected(result) {
	return !result.ok && result.failure.status === 401 && !result.failure.notFromApi
}
/** Whether a credential can be sent at all: visible ASCII, nothing that could break out of a header or a log line. */
function isHeaderSafe(credential) {
	return /^[\x21-\x7e]+$/.test(credential)
}
function caller(client, userAgent, now) {
	return async ({ method, url, credential, body }, limits, read) => {
		const headers = {
			Accept: 'application/json',
			Authorization: `Bearer ${credential}`,
			'User-Agent': userAgent,
			...(body && { 'Content-Type': 'application/json' }),
		}
		const asked = { method, url, credential }
		const sentAt = now()
		try {
			const response = await client({
				method,
				url,
				headers,
				...limits,
				...(body && { body: JSON.stringify(body) }),
			})
			const skew = skewOf(response, sentAt, now())
			if (response.status < 200 || response.status > 299)
				return { ok: false, skew, failure: failureOf(asked, response, now() + (skew ?? 0)) }
			try {
				return { ok: true, skew, value: read(response) }
			} catch {
				return { ok: false, skew, failure: unusableResponse(asked, response) }
			}
		} catch (error) {
			if (!(error instanceof HttpError)) throw error
			const { mayHaveActed } = error
			const retryable = error.fault !== 'certificate' && error.fault !== 'proxy'
			return {
				ok: false,
				skew: null,
				failure: { message: `${url.host}: ${error.message}`, mayHaveActed, retryable },
			}
		}
	}
}
/** Reads the list page by page; `doubt` is the first reason why a key may be missing from it. */
async function readList$1(start, readOne) {
	const keys = []
	const visited = new Set()
	let doubt = null
	let skew = null
	for (let url = start; url !== null; ) {
		visited.add(url.href)
		const result = await readOne(url)
		if (!result.ok) return result
		const { value } = result
		skew = result.skew ?? skew
		keys.push(...value.keys)
		doubt ??= value.doubt
		url = value.next === null ? null : nextUrl(value.next, start)
		if (url === null && value.count !== null && value.count !== keys.length)
			doubt ??= `it shows ${keys.length} of ${value.count} keys`
		if (url !== null && (visited.has(url.href) || visited.size === MAX_PAGES)) {
			doubt ??= visited.size === MAX_PAGES ? `it has more than ${MAX_PAGES} pages` : 'its pages repeat'
			url = null
		}
	}
	return { ok: true, skew, value: { keys, doubt, pages: visited.size } }
}
/** The next page, on our own host whatever host the response names: the credential goes nowhere else. */
function nextUrl(next, start) {
	const isBareQuery = /^[\w-]+=/.test(next)
	const reference = isBareQuery ? `?${next}` : next
	const named = URL.canParse(reference, start.href) ? new URL(reference, start) : start
	const tail = named.pathname.split(KEYS_PATH)[1]
	const path = tail === undefined ? named.pathname : start.pathname + tail
	const url = new URL(start)
	url.pathname = path
	url.search = named.search
	return url
}
function skewOf({ headers }, sentAt, receivedAt) {
	// The header has whole seconds; on average, the server was half a second further.
	const skew = Date.parse(headers.date ?? '') + 500 - (sentAt + receivedAt) / 2
	return Math.abs(skew) <= MAX_DATE_SKEW_MS ? skew : null
}

/** The variables by which Node decides which certificate authorities it trusts. */
const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
/** The variables that name a proxy, or the hosts that need none; each is read in both cases. */
const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
	name,
	name.toLowerCase(),
])
/**
 * The variables that decide whom this process trusts and which way its requests go, with their values; and with a
 * digest of the certificates to which they lead, as a later step may swap these. `digest` gives null for what cannot be
 * read.
 */
function networkSettings(env, digest) {
	const settings = {}
	for (const name of [...AUTHORITIES, ...PROXIES]) {
		const value = env[name]
		if (!value) continue
		settings[name] = AUTHORITIES.includes(name) ? `${value} ${digest(name, value) ?? 'unreadable'}` : value
	}
	return settings
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

/** The longest that one attempt may take, in milliseconds. */
const MAX_ATTEMPT_MS = 10_000
/** What is kept back for a last attempt, in milliseconds. */
const LAST_ATTEMPT_MS = 1_000
/** A budget that ends at `deadline` by `clock`. */
function createBudget(deadline, clock, cancellation) {
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
			const timeout = Math.max(1, Math.min(MAX_ATTEMPT_MS, left()))
			return cancel ? { timeout, cancel, grace: CANCEL.lastReply } : { timeout }
		},
		pause: (duration) => clock.sleep(Math.min(duration, left()), signalToCome()),
	}
}
/**
 * Repeats a call that may be repeated (list, revoke, probe) until it succeeds, fails for good (or in a way that is not
 * `worthwhile` to try again), or the budget is spent. The last attempt is made even if the server asked for a longer
 * wait: a key that lives on is worse than a 429.
 */
async function retry(budget, random, attempt, shouldRetry = (failure) => failure.retryable) {
	for (let failures = 1; ; failures++) {
		const reply = await attempt(budget.limits())
		if (reply.ok || !shouldRetry(reply.failure)) return reply
		const wait = backoff(failures, reply.failure.retryAfter, random())
		if (reply.failure.status === 429) budget.extend?.(wait)
		if (budget.left() <= LAST_ATTEMPT_MS) return reply
		await budget.pause(Math.min(wait, budget.left() - LAST_ATTEMPT_MS))
	}
}

/** A key as a person finds it in the dashboard: its first characters, and as much of its id as helps. */
function keyLabel({ prefix, id }) {
	return `${sanitize(prefix)}... (id ${shortId(id)})`
}
function shortId(id) {
	const whole = cell(id)
	return whole.length > 16 ? `${whole.slice(0, 8)}...` : whole
}
function cell(text) {
	return sanitize(text).replace(/[|`<>\\]/g, '?')
}
/** Text of the server's for a line of log: what could start a line or a command of its own is left out. */
function sanitize(text) {
	return text.replace(/[^\x21-\x7e]/g, '?').slice(0, 200)
}
/** One line on the key that was handed over.  */
function issuedLine(key, { revoke }) {
	const end = revoke
		? 'The post step revokes it after the job.'
		: 'It is left to its expiry, as revoke is false.'
	return `Created the API key ${keyLabel(key)}, valid until ${expiryOf(key)}${lifetime(key)}. ${end}`
}
/** A duration in milliseconds, for a person. */
function formatSeconds(duration) {
	return `${(duration / 1000).toFixed(1)} s`
}
function lifetime({ createdAt, expiresAt }) {
	if (createdAt === null || expiresAt === null) return ''
	const minutes = Math.round((expiresAt - createdAt) / 60_000)
	const text = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
	return ` (for ${text})`
}
function expiryOf({ expiresAt }) {
	return expiresAt === null ? 'no set time' : formatUtc(expiresAt)
}
/** An instant for a person, to the second: 2027-01-01 00:00:00 UTC. */
function formatUtc(instant) {
	return `${formatInstant(instant).slice(0, 19).replace('T', ' ')} UTC`
}
/** What to say of a runner whose clock is wrong; `skew` is the server's clock less ours, in milliseconds. */
function clockNote(skew) {
	const minutes = Math.abs(skew / 60_000).toFixed(1)
	return `This runner's clock is ${minutes} min ${skew > 0 ? 'behind' : 'ahead of'} the API's; the expiry is reckoned by the API's.`
}
/**
 * Adds a table of keys to the job summary. A summary that cannot be written is no reason to fail a job or to lose
 * sight of a key.
 */
function writeSummary(runner, title, heading, rows) {
	const lines = rows.map(({ key, status }) => {
		const created = key.createdAt === null ? '' : formatUtc(key.createdAt)
		return `| \`${cell(key.prefix)}...\` | \`${shortId(key.id)}\` | ${created} | ${expiryOf(key)} | ${status} |\n`
	})
	const head = `| Key | Id | Created | Expires | ${heading} |\n| --- | --- | --- | --- | --- |\n`
	try {
		runner.writeSummary(`### ${title}\n\n${head}${lines.join('')}`)
	} catch {
		runner.info('The job summary could not be written.')
	}
}

/** How finely the expiry is asked for, in microseconds: the server may refuse more digits than it keeps. */
const PRECISIONS_US = [1, 1000, 1_000_000]
/** How long after the deadline of an unanswered request a slow server may still carry it out. */
const LATE_WRITE_GRACE_MS = 15_000
/** At most this part of the lifetime is given up to make the expiry one that no other run is likely to ask for. */
const MAX_SHORTENING = 0.05
/** Chooses the expiry of one create request: `lifetime` from now by the server's clock, less a random part of up to 5%. */
function createIntent({ now, skew, lifetime, timeout, precision, random }) {
	const latest = (now + skew + lifetime - random * lifetime * MAX_SHORTENING) * 1000
	const kept = Math.floor(latest / precision) * precision
	// Never on the next coarser grid by chance: on a server that keeps less, that would look like keys of other runs.
	const isCoarse = precision < 1_000_000 && kept % (precision * 1000) === 0
	return {
		expiry: (isCoarse ? kept - precision : kept) / 1000,
		sentAt: now,
		deadline: now + timeout,
		answered: false,
	}
}
/** Grids on which servers keep an expiry, in microseconds. 10 ms stands for SQL Server's 1/300 s as well. */
const GRIDS_US = [1000, 10_000, 1_000_000, 60_000_000]
/** The coarsest grid: what has to be assumed until a response shows a finer one. */
const UNKNOWN_GRID_US = 60_000_000
/** By how many microseconds `stored` is less than `asked`. */
function microsLost(asked, stored) {
	return Math.round(asked * 1000) - Math.round(stored * 1000)
}
/** The finest grid (microseconds) on which a server would have turned `asked` into `stored`, or null if on none. */
function gridBetween(asked, stored) {
	const lost = microsLost(asked, stored)
	return lost === 0 ? 1 : (GRIDS_US.find((grid) => fits(stored, lost, grid)) ?? null)
}
/**
 * The coarsest grid (microseconds) that one answered request allows for: an expiry can lie on a coarse grid by chance,
 * so a near miss up to this far may still be ours.
 */
function coarsestGrid(asked, stored) {
	const lost = microsLost(asked, stored)
	return GRIDS_US.findLast((grid) => fits(stored, lost, grid)) ?? (lost === 0 ? 1 : UNKNOWN_GRID_US)
}
/** Whether a server that rounds down, or to the nearest, would store this on `grid`. */
function fits(stored, lost, grid) {
	if (lost >= grid || lost < -grid / 2) return false
	const micros = Math.round(stored * 1000)
	// 1/300 s is written with three digits, of which the last is 0, 3 or 7.
	return grid === 10_000 ? [0, 3000, 7000].includes(micros % 10_000) : micros % grid === 0
}
/**
 * How well a stored expiry fits the one that was asked for, on a server whose grid is at most `grid` microseconds.
 * `exact` proves that the request of this intent made the key (docs/design.md gives the odds), `near` does not.
 */
function fitOf(intent, stored, grid) {
	const needed = gridBetween(intent.expiry, stored)
	const isWholeSecond = Math.round(intent.expiry * 1000) % 1_000_000 === 0
	if (needed === null || needed > Math.max(grid, 1)) return 'none'
	return needed <= 1000 && !isWholeSecond ? 'exact' : 'near'
}

const STATE_VERSION = 2
const STATE_NAME = 'record'

/** How far `created` may lie outside the window of a request: a `Date` header has whole seconds, and takes a while. */
const CLOCK_SLACK_MS = 5_000
/** The same by this machine's clock, which is corrected only beyond a minute. */
const LOCAL_CLOCK_SLACK_MS = 65_000
/** A key may outlive what was asked for by this much: servers round, and clocks differ by a little. */
const MAX_EXTRA_LIFETIME_MS = 5_000
/** A `created` further off than this, against both other clocks, is in another time zone rather than right. */
const ZONE_ERROR_MS = 10 * 60_000
/** Offsets of time zones are multiples of a quarter of an hour, up to 14 hours. */
const ZONE_STEP_MS = 15 * 60_000
const MAX_ZONE_MS = 14 * 3_600_000
/** A clock that makes a lifetime this much shorter is corrected, in milliseconds. */
const CLOCK_TOLERANCE_MS = 60_000
const MAX_TOKEN_LENGTH = 4096
/** Whether `created` lies between `from` and `to` (this machine's clock) by one of the clocks that may be right. */
function isWithin(created, from, to, skews) {
	const fits = (skew, slack) => from + skew - slack <= created && created <= to + skew + slack
	return fits(0, LOCAL_CLOCK_SLACK_MS) || skews.some((skew) => skew !== null && fits(skew, CLOCK_SLACK_MS))
}
/**
 * Is one of the listed keys the one that the request of `intent` made? Found only if exactly one key, created in the
 * window of the request, has exactly the expiry asked for. A near miss, a match at another time, or a key without an
 * expiry that was created in the window is ambiguous.
 */
function matchIntent(intent, list, context) {
	const { known, skews, grid } = context
	const to = intent.deadline + LATE_WRITE_GRACE_MS
	const others = list.filter(({ id }) => !known.has(id))
	const inWindow = ({ createdAt }) => createdAt !== null && isWithin(createdAt, intent.sentAt, to, skews)
	const fitness = ({ expiresAt }) => (expiresAt === null ? 'none' : fitOf(intent, expiresAt, grid))
	const exact = others.filter((key) => fitness(key) === 'exact')
	const [only] = exact
	if (only && exact.length === 1 && inWindow(only)) return { kind: 'found', key: only }
	const isNear = (key) => fitness(key) === 'near' && (key.createdAt === null || inWindow(key))
	// A server that ignores or garbles the expiry leaves nothing to identify its key by but the time.
	const isSuspect = (key) => key.expiresAt === null && inWindow(key)
	const near = others.filter((key) => isNear(key) || isSuspect(key) || zoneShift(intent, key.expiresAt) !== 0)
	const candidates = exact.length > 0 ? exact : near
	return candidates.length > 0 ? { kind: 'ambiguous', candidates } : { kind: 'absent' }
}
/**
 * Is the key that create returned ours, and is it what was asked for? An answer that came to our request is not
 * necessarily about it: gateways replay and mix up responses, and some APIs return a key that was there before.
 */
function judgeCreated(key, context) {
	const stranger = whyNotOurs(key, context)
	if (stranger !== null) return { kind: 'refuse', reason: stranger }
	const unusable = whyUnusable(key, context.intent)
	if (unusable !== null) return { kind: 'revoke', reason: unusable }
	return judgeLifetime(key, context)
}
function whyNotOurs(key, context) {
	const { token, id, prefix, createdAt, expiresAt } = key
	const { intent, tokens, ids, receivedAt, dateSkew, skew } = context
	if (token !== null && tokens.includes(token)) return 'it returned a key that existed before'
	if (id !== null && ids.has(id)) return 'it returned the id of a key that existed before'
	const describesAnother = prefix !== '' && token !== null && !token.startsWith(prefix)
	if (describesAnother && tokens.some((known) => known.startsWith(prefix)))
		return 'it returned the description of a key that existed before'
	const fit = expiresAt === null ? 'none' : fitOf(intent, expiresAt, UNKNOWN_GRID_US)
	if (fit === 'exact' || zoneShift(intent, expiresAt) !== 0) return null
	const isFresh = createdAt !== null && isWithin(createdAt, intent.sentAt, receivedAt, [dateSkew, skew])
	if (createdAt !== null && !isFresh) return `it returned a key that was created ${formatInstant(createdAt)}`
	if (fit === 'near' || (isFresh && (expiresAt === null || isCapped(key, intent)))) return null
	if (expiresAt === null) return `it returned a key whose ${key.unreadable ?? 'origin'} cannot be verified`
	return `it returned a key that expires ${formatInstant(expiresAt)}, not ${formatInstant(intent.expiry)} as requested`
}
/**
 * Whether an API that limits lifetimes shortened this one: such a limit is in whole minutes, while the expiry that
 * another run asked for is not.
 */
function isCapped({ createdAt, expiresAt }, intent) {
	if (createdAt === null || expiresAt === null || expiresAt >= intent.expiry) return false
	const lifetime = expiresAt - createdAt
	return lifetime >= 60_000 && Math.abs(lifetime - Math.round(lifetime / 60_000) * 60_000) <= 1
}
function whyUnusable({ token, id, expiresAt, unreadable }, intent) {
	if (token === null) return 'the response holds no key'
	if (!isHeaderSafe(token)) return 'the key holds white space, control or non-ASCII characters'
	if (token.length > MAX_TOKEN_LENGTH) return `the key is longer than ${MAX_TOKEN_LENGTH} characters`
	if (id === null) return 'the response holds no usable id, so the key could not be revoked by it'
	if (expiresAt === null && unreadable !== null) return `its ${unreadable} cannot be read`
	if (expiresAt === null) return 'the key never expires, although an expiry was requested'
	const shift = zoneShift(intent, expiresAt)
	if (shift !== 0)
		return `its times are off by ${shift / 3_600_000} h: the API writes local times without an offset`
	return null
}
/** By how many milliseconds a server shifts times that it writes in a zone of its own without an offset; 0 if it does not. */
function zoneShift(intent, stored) {
	if (stored === null) return 0
	const shift = Math.round((stored - intent.expiry) / ZONE_STEP_MS) * ZONE_STEP_MS
	const isZone = shift !== 0 && Math.abs(shift) <= MAX_ZONE_MS
	return isZone && fitOf(intent, stored - shift, UNKNOWN_GRID_US) === 'exact' ? shift : 0
}
function judgeLifetime(key, context) {
	const { intent, expiresIn, receivedAt, skew } = context
	const expiresAt = key.expiresAt ?? 0
	const serverSkew = skewOfServer(key, context)
	const lifetime = expiresAt - (receivedAt + serverSkew)
	const asked = intent.expiry - intent.sentAt - skew
	const isMarked = gridBetween(intent.expiry, expiresAt) !== null
	const isShort = lifetime < asked - Math.min(CLOCK_TOLERANCE_MS, asked / 2)
	const wasWrongClock = isMarked && (isShort || lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS)
	if (wasWrongClock) return { kind: 'replace', skew: serverSkew }
	if (lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS)
		return { kind: 'revoke', reason: 'the key lives longer than asked' }
	if (lifetime <= 0) return { kind: 'revoke', reason: 'the key had expired when it arrived' }
	const warning = isMarked ? null : 'The API shortened the lifetime'
	return { kind: 'accept', warning }
}
/**
 * The server's clock less ours, never more than it really is, so that a lifetime chosen by it is never longer than
 * asked. `created` is the API's own clock and outranks `Date`, which a gateway may set; only against both other
 * clocks, and by a time zone's worth, it is not believed.
 */
function skewOfServer({ createdAt }, context) {
	const { intent, receivedAt, dateSkew, skew } = context
	const byDate = dateSkew === null ? skew : dateSkew - 500 - (receivedAt - intent.sentAt) / 2
	if (createdAt === null) return Math.abs(byDate - skew) > 60_000 ? byDate : skew
	const byCreated = createdAt - receivedAt
	const isInAnotherZone =
		Math.abs(byCreated) > ZONE_ERROR_MS && dateSkew !== null && Math.abs(dateSkew) < 60_000
	return isInAnotherZone ? byDate : byCreated
}

/**
 * Is this key revoked, or expired, beyond doubt? A 401 alone proves nothing: a replica that lags or an authentication
 * service that is down gives it to a valid key as well. So does a grant alone, or a list that may be stale.
 */
function isVerifiedRevoked({ granted, rejected, missing, expired }) {
	return rejected && (granted || missing || expired)
}
/**
 * Can this list show that a key is absent? Returns why not, or null. `credential` is what it was read with: "every key"
 * (the API's documentation) includes that one. `gone` are ids of keys that were verified as revoked.
 */
function doubtAbout(list, credential, gone) {
	if (list.doubt !== null) return list.doubt
	if (!list.keys.some(({ prefix }) => prefix !== '' && credential.startsWith(prefix)))
		return 'it does not show the key that it was read with'
	if (list.keys.some(({ id }) => gone.has(id))) return 'it still shows a key that was revoked'
	return null
}

/** How long an answer other than 401 is asked again, in milliseconds: caches and replicas may lag. */
const VERIFY_FOR_MS = 10_000
const PROBE_INTERVAL_MS = 500
/** A key counts as expired this long after its expiry, in milliseconds. */
const EXPIRY_MARGIN_MS = 1_000
/**
 * Revokes `key` by id and collects evidence until its end is verified, or there is no point in going on. The key revokes
 * itself, so that the long-lived credential need not travel again; if it may not (401, 403, 404), `credentials` do. In
 * the good case that is two requests: the revocation, and a 401 to the key.
 */
async function revokeAndVerify(key, context) {
	const evidence = { granted: false, rejected: false, missing: false, expired: false }
	const token = key.token !== null && isHeaderSafe(key.token) ? key.token : null
	let wasGranted = false
	for (let round = 1; ; round++) {
		// Extend the deadline for 429s only in the first round.
		const budget = round === 1 ? context.budget : { ...context.budget, extend: () => {} }
		const now = { ...context, budget }
		const refusal = await requestRevocation(key, token, evidence, now)
		const probed =
			token === null || isVerifiedRevoked(evidence)
				? null
				: await probeUntilRejected(token, refusal, evidence, now)
		if (token === null || (refusal !== null && evidence.rejected)) await checkList(key.id, evidence, now)
		wasGranted ||= evidence.granted
		const verified = isVerifiedRevoked(evidence)
		if (verified || (token === null && evidence.missing))
			return { revoked: true, verified, alreadyRevoked: !wasGranted }
		// A grant after which the key is still accepted was none; a later 401 must not be taken for its effect.
		if (probed?.ok) evidence.granted = false
		const failure = refusal ?? whatIsMissing(evidence, probed)
		const wait = backoff(round, undefined, context.random())
		if (!canStillChange(refusal, evidence) || budget.left() <= wait + PROBE_INTERVAL_MS)
			return { revoked: false, failure: explain(failure, evidence) }
		await budget.pause(wait)
	}
}
/** Whether another round can bring something new: a refusal for good cannot, unless the key is rejected already. */
function canStillChange(refusal, { rejected }) {
	return refusal === null || refusal.retryable || rejected || refusal.status === 401 || refusal.status === 404
}
/** Asks each credential in turn to revoke the id. Returns null if one of them was granted it, else the last failure. */
async function requestRevocation(key, token, evidence, context) {
	const { api, budget, random, credentials } = context
	let failure = NO_CREDENTIAL
	for (const credential of [token, ...credentials]) {
		if (credential === null || !isHeaderSafe(credential)) continue
		const result = await retry(budget, random, (limits) => api.revoke(credential, key.id, limits))
		if (result.ok) {
			Object.assign(evidence, { granted: true, rejected: false })
			return null
		}
		failure = result.failure
		if (credential === token && isRejected(result)) {
			// Some APIs answer 401 to a key that may not revoke itself, so only a probe tells whether it is accepted.
			const probed = await api.probe(token, budget.limits())
			evidence.rejected = isRejected(probed)
			evidence.expired = hasExpired(key, probed.skew, context)
			if (isVerifiedRevoked(evidence)) return failure
		}
		if (![401, 403, 404].includes(failure.status ?? 0)) return failure
	}
	return failure
}
const NO_CREDENTIAL = {
	message: 'there was no credential left that may be sent',
	mayHaveActed: false,
	retryable: false,
}
/** Whether the expiry has passed by every clock that may be right: ours, the `Date` of a response, the API's own times. */
function hasExpired({ expiresAt }, dateSkew, { clock, skew }) {
	const earliest = clock.now() + Math.min(0, dateSkew ?? 0, skew ?? 0)
	return expiresAt !== null && expiresAt + EXPIRY_MARGIN_MS < earliest
}
/**
 * Asks with the key until the API answers 401, or for 10 s; where its revocation was refused, only until there is an
 * answer. Notes in `evidence` whether it was rejected, and returns the last result.
 */
async function probeUntilRejected(token, refusal, evidence, { api, clock, random, budget }) {
	const isRateLimit = ({ status }) => status === 429
	for (let end = Infinity; ; ) {
		const result = await retry(budget, random, (limits) => api.probe(token, limits), isRateLimit)
		end = Math.min(end, clock.now() + VERIFY_FOR_MS)
		evidence.rejected = isRejected(result)
		const isEnough = evidence.rejected || (refusal !== null && (result.ok || !result.failure.retryable))
		if (isEnough || clock.now() >= end || budget.left() <= PROBE_INTERVAL_MS) return result
		await budget.pause(PROBE_INTERVAL_MS * (1 + random()))
	}
}
/** Notes in `evidence` whether a list that can be believed no longer shows the key. */
async function checkList(id, evidence, context) {
	const { api, budget, random, gone, credentials } = context
	const [credential] = credentials.filter(isHeaderSafe)
	if (credential === undefined) return
	const result = await retry(budget, random, (limits) => api.list(credential, limits))
	if (!result.ok) return
	const isShown = result.value.keys.some((key) => key.id === id)
	evidence.missing = !isShown && doubtAbout(result.value, credential, gone) === null
}
function whatIsMissing({ granted }, probed) {
	const claim = granted ? 'the API answered as if it were revoked' : 'the API does not know its id'
	const then = probed === null ? 'it is not gone from the list' : probed.ok ? 'the API still accepts it' : ''
	const message = `${claim}, but ${then || `then: ${probed?.ok === false ? probed.failure.message : ''}`}`
	return { message, mayHaveActed: true, retryable: true }
}
function explain(failure, { granted, rejected }) {
	if (!rejected || granted) return failure
	const message = `the API rejects the key, but nothing confirms that it was revoked (${failure.message})`
	return { ...failure, message }
}

/**
 * Looks once for the keys of unanswered create requests, and revokes those that this run certainly made. One result
 * per intent, in order.
 */
async function revokeOrphans(intents, context) {
	const read = await readList(context)
	if (!read.ok) {
		const { message, retryable } = read.failure
		return intents.map(() => ({ kind: 'failed', reason: message, retryable, key: null }))
	}
	const { list, credential } = read.value
	const doubt = doubtAbout(list, credential, context.gone)
	const { known, grid, skew } = context
	const results = []
	for (const intent of intents) {
		const match = matchIntent(intent, list.keys, { known, grid, skews: [read.skew, skew] })
		if (match.kind === 'absent') results.push({ kind: 'absent', doubt })
		else if (match.kind === 'ambiguous') results.push(match)
		else results.push(await revokeOrphan(match.key, context))
	}
	return results
}
async function revokeOrphan(key, context) {
	const result = await revokeAndVerify({ ...key, token: null }, context)
	if (result.revoked) return { kind: 'revoked', key }
	const { message, retryable } = result.failure
	return { kind: 'failed', reason: message, retryable, key }
}
/**
 * Reads the list with the first credential that may. A list of several pages is read twice, because a key that ends
 * meanwhile moves the others up, past the page that is read next: what one reading missed, the other one shows.
 */
async function readList(context) {
	const { api, budget, random, credentials } = context
	let failure = NO_CREDENTIAL
	for (const credential of credentials.filter(isHeaderSafe)) {
		const read = () => retry(budget, random, (limits) => api.list(credential, limits))
		const first = await read()
		const last = first.ok && first.value.pages > 1 ? await read() : first
		if (first.ok && last.ok) return { ...last, value: { list: merge(first.value, last.value), credential } }
		if (!last.ok) failure = last.failure
		// An authentication service that is down answers 401 to everything, and may come back.
		if (failure.status === 401) failure = { ...failure, retryable: true }
		if (failure.status !== 401 && failure.status !== 403) break
	}
	return { ok: false, skew: null, failure }
}
function merge(first, second) {
	const byId = new Map([...first.keys, ...second.keys].map((key) => [key.id, key]))
	return { ...second, keys: [...byId.values()], doubt: first.doubt ?? second.doubt }
}

/**
 * The real runner. Of the toolkit's builder of summaries, which is five times the size of all this, no more is needed
 * than an append.
 */
const runner = {
	info,
	warning,
	setSecret,
	setOutput,
	exportVariable,
	saveState,
	writeSummary(markdown) {
		appendFileSync(process.env.GITHUB_STEP_SUMMARY ?? '', `${markdown}\n`)
	},
}

/** Milliseconds since the machine started: the same for all its processes, and nobody can set it. */
const uptime = () => Number(process.hrtime.bigint() / 1000000n)
/** When the machine started, in milliseconds since 1970, by its clock as it is set while this process starts. */
const bootedAt = Date.now() - uptime()
/** The machine's clock, which for this process is not set any more. */
const systemClock = {
	now: () => bootedAt + uptime(),
	sleep: (duration, signal) =>
		require('node:timers/promises')
			.setTimeout(duration, undefined, { signal })
			.catch(() => {}),
}
/**
 * The SHA-256 digest, in hex, of the certificates to which the variable `name` leads by its `value`: a file's, or the
 * system's. Null where they cannot be read.
 */
function certificateDigest(name, value) {
	try {
		const certificates =
			name === 'NODE_EXTRA_CA_CERTS' || name === 'SSL_CERT_FILE'
				? readFileSync(value)
				: require('node:tls').getCACertificates('system').join('')
		return require('node:crypto').createHash('sha256').update(certificates).digest('hex')
	} catch {
		return null
	}
}

module.exports = {
	AUTHORITIES,
	CANCEL,
	LATE_WRITE_GRACE_MS,
	PRECISIONS_US,
	PROXIES,
	STATE_NAME,
	STATE_VERSION,
	UNKNOWN_GRID_US,
	backoff,
	bootedAt,
	certificateDigest,
	clockNote,
	coarsestGrid,
	createBudget,
	createCancellation,
	createHttpClient,
	createIntent,
	createKeyApi,
	formatExactly,
	formatInstant,
	formatSeconds,
	formatUtc,
	getInput,
	getState,
	isHeaderSafe,
	issuedLine,
	judgeCreated,
	keyLabel,
	networkSettings,
	revokeAndVerify,
	revokeOrphans,
	runner,
	setFailed,
	setSecret,
	systemClock,
	writeSummary,
}
