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
const MAX_PAGES = 100
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
			...(body && { 'Content-Type': 'application/json' }),
		}
		const asked = now()
		try {
			const response = await send({
				method,
				url,
				headers,
				...limits,
				...(body && { body: JSON.stringify(body) }),
			})
			const skew = skewOf(response, (asked + now()) / 2)
			if (response.status < 200 || response.status > 299)
				return { ok: false, skew, failure: refusal(method, url, response, credential, now() + (skew ?? 0)) }
			try {
				return { ok: true, skew, value: read(response) }
			} catch {
				const { status } = response
				const message = `${url.host} answered ${method} ${url.pathname} with ${status} and something that could not be read`
				return { ok: false, skew, failure: { message, status, mayHaveActed: true, retryable: true } }
			}
		} catch (error) {
			if (!(error instanceof HttpError)) throw error
			const message = `${url.host}: ${error.message}`
			// Neither a certificate nor a proxy's refusal changes by asking again.
			const retryable = error.fault !== 'certificate' && error.fault !== 'proxy'
			return { ok: false, skew: null, failure: { message, mayHaveActed: error.mayHaveActed, retryable } }
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
			if (pages === MAX_PAGES) {
				const message = `${new URL(keysUrl).host} has more than ${MAX_PAGES} pages of keys; the list was not read to its end`
				return { ok: false, skew: reply.skew, failure: { message, mayHaveActed: true, retryable: false } }
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
	return { token: text(field(answer, 'token')), ...readKey(field(answer, 'api_key')) }
}
/** What the API says of a key, created or listed. */
function readKey(value) {
	return {
		id: identifier(field(value, 'id')),
		// It is printed: never the whole key.
		prefix: (text(field(value, 'token_key')) ?? '').slice(0, 20),
		createdAt: parseInstant(field(value, 'created')),
		expiresAt: parseInstant(field(value, 'expiry')),
	}
}
/** One page of the list: a bare array, or `{results, next}`. Throws where it is neither. */
function readPage({ body }) {
	const answer = JSON.parse(body)
	const rows = Array.isArray(answer) ? answer : field(answer, 'results')
	if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
	const next = field(answer, 'next')
	return {
		keys: rows.map(readKey).flatMap((key) => (key.id === null ? [] : { ...key, id: key.id })),
		// Only the query of the next page is used: whatever host the answer names, the credential goes to ours.
		nextQuery: typeof next === 'string' && next ? new URL(next, 'https://any.example').search : null,
	}
}
function field(value, name) {
	return typeof value === 'object' && value !== null ? value[name] : undefined
}
function text(value) {
	return typeof value === 'string' && value !== '' ? value : null
}
/** An id that can stand in a URL, escaped. A dot segment cannot: even escaped, it names another path. */
function identifier(value) {
	if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
	const id = text(value)
	return id === null || id === '.' || id === '..' || !id.isWellFormed() ? null : id
}
/** Answers of gateways and locks that may pass, and behind which the request may have been carried out. */
const UNCERTAIN_STATUSES = [408, 421, 423, 425, 499]
/** What an answer outside 2xx means. `now` is by the server's clock. */
function refusal(method, url, { status, headers, body }, credential, now) {
	const what = `${url.host} answered ${status} to ${method} ${url.pathname}`
	const certain = { status, message: what, mayHaveActed: false, retryable: false }
	if (status === 401) return certain
	if (status >= 300 && status < 400) {
		const location = headers.location ?? ''
		const host = URL.canParse(location, url.href) ? new URL(location, url).host : 'an unreadable address'
		const message = `${what} with a redirect to ${host}; redirects are never followed. Check api-url`
		// "Done, look there" is said with these two.
		return { ...certain, message, mayHaveActed: status === 302 || status === 303 }
	}
	const throttled = status === 429
	const reason = throttled ? 'too many requests' : reasonGiven(body, credential)
	const retryAfter = throttled ? parseRetryAfter(headers['retry-after'], now) : undefined
	const doubtful = status >= 500 || status < 200 || UNCERTAIN_STATUSES.includes(status)
	return {
		status,
		message: `${what}${reason && `: ${reason}`}`,
		mayHaveActed: doubtful,
		retryable: doubtful || throttled,
		...(retryAfter !== undefined && { retryAfter }),
	}
}
const MAX_REASON_LENGTH = 300
/**
 * The API's own words for a refusal, from any of the shapes that it uses: detail, error, or messages by field. Empty
 * for HTML or nothing. One line, cut to length, without the credential, and without anything else that could be a key.
 */
function reasonGiven(body, credential) {
	let answer
	try {
		answer = JSON.parse(body)
	} catch {
		return ''
	}
	const words = (value, label = '', depth = 0) => {
		if (typeof value === 'string') return [label + value]
		if (typeof value !== 'object' || value === null || depth > 3) return []
		return Object.entries(value).flatMap(([name, part]) => {
			const sanitize = /^(detail|error|message|messages|non_field_errors|\d+)$/.test(name)
			return name === 'code' ? [] : words(part, sanitize ? label : `${label}${name}: `, depth + 1)
		})
	}
	return words(answer)
		.join('; ')
		.replaceAll(credential, '***')
		.replace(/[\w-]{24,}/g, '***')
		.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
		.trim()
		.slice(0, MAX_REASON_LENGTH)
		.replace(/\.$/, '')
}
/** Whether a credential can be sent at all: visible ASCII, nothing that could break out of a header or a log line. */
function isHeaderSafe(credential) {
	return /^[\x21-\x7e]+$/.test(credential)
}
/** Checks the answer to a create call; the reason why it cannot be used, or null. `asked` is the expiry asked for (ms). */
function validateCreatedKey(answer, asked) {
	if (answer.token === null) return 'the answer holds no key'
	if (!isHeaderSafe(answer.token)) return 'the key holds white space, control or non-ASCII characters'
	if (answer.id === null) return 'the answer holds no id, so the key could not be revoked by it'
	if (answer.expiresAt === null) return 'the key never expires, though an expiry was asked for'
	if (answer.expiresAt > asked + ROUNDING_MS)
		return `the key expires ${formatInstant(answer.expiresAt)}, later than the ${formatInstant(asked)} asked for`
	return null
}
/** A server may round an expiry to its own grid; more than this is another lifetime. */
const ROUNDING_MS = 5_000

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
/** One line on the key that was handed over. `now` is in milliseconds since 1970. */
function issuedLine(key, { revoke }, now) {
	const end = revoke
		? 'The post step revokes it after the job.'
		: 'It is left to its expiry, as revoke is false.'
	return `Created the API key ${keyLabel(key)}, valid until ${expiryOf(key)}${lifetime(key, now)}. ${end}`
}
/** A duration in milliseconds, for a person. */
function seconds(duration) {
	return `${(duration / 1000).toFixed(1)} s`
}
function lifetime({ expiresAt }, now) {
	if (expiresAt === null) return ''
	const minutes = Math.round((expiresAt - now) / 60_000)
	const text = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
	return ` (${text} from now)`
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
function writeSummary(runner, title, fates, rows) {
	const lines = rows.map(({ key, fate }) => {
		const created = key.createdAt === null ? '' : formatUtc(key.createdAt)
		return `| \`${cell(key.prefix)}...\` | \`${shortId(key.id)}\` | ${created} | ${expiryOf(key)} | ${fate} |\n`
	})
	const head = `| Key | Id | Created | Expires | ${fates} |\n| --- | --- | --- | --- | --- |\n`
	try {
		runner.writeSummary(`### ${title}\n\n${head}${lines.join('')}`)
	} catch {
		runner.info('The job summary could not be written.')
	}
}

/** How long after a lost request's deadline a slow server may still carry it out. */
const LATE_WRITE_GRACE_MS = 15_000
/** At most this part of the lifetime is given up to make the expiry one that no other run is likely to ask for. */
const MAX_SHORTENING = 0.05
/** How far `created` may lie outside the window of the request: the Date header has whole seconds, and takes a while. */
const CLOCK_SLACK_MS = 5_000
/** The same where no answer told the server's time; a wrong clock is only corrected beyond a minute. */
const UNKNOWN_CLOCK_SLACK_MS = 65_000
/**
 * Chooses the expiry of one create request: `lifetime` from now by the server's clock, less a random part of at most
 * 5 %, never more. `skew` is the server's clock less ours; `random` is in [0, 1). Times in milliseconds.
 */
function createIntent(now, skew, lifetime, timeout, ambiguous, random) {
	const instant = Math.floor(now + skew + lifetime - random * lifetime * MAX_SHORTENING)
	const wholeSeconds = Math.floor(instant / 1000) * 1000
	// Never a whole second by chance: on a server that drops fractions, that would match keys of other runs.
	const expiry = ambiguous ? wholeSeconds : instant === wholeSeconds ? instant - 1 : instant
	return { expiry, sentAt: now, deadline: now + timeout, ambiguous }
}
/**
 * Looks in the account's list for the key that the request of `mark` made. Found only if exactly one key, made in the
 * window of the request, has exactly the expiry asked for; keys known to be somebody's (`known` ids) are left out.
 * `skew` is the server's clock less ours, or null where no answer told.
 */
function findMatch(intent, list, known, skew) {
	const slack = skew === null ? UNKNOWN_CLOCK_SLACK_MS : CLOCK_SLACK_MS
	const from = intent.sentAt + (skew ?? 0) - slack
	const to = intent.deadline + LATE_WRITE_GRACE_MS + (skew ?? 0) + slack
	const others = list.filter(({ id }) => !known.has(id))
	const possible = others.filter(
		({ createdAt, expiresAt }) =>
			createdAt !== null &&
			from <= createdAt &&
			createdAt <= to &&
			// A server that keeps no fractions, or rounds them, moves the expiry by less than a second; one that
			// ignores it makes a key without.
			(expiresAt === null || Math.abs(expiresAt - intent.expiry) < 1000),
	)
	const marked = ({ expiresAt }) => expiresAt === intent.expiry
	const exact = possible.filter(marked)
	const [only] = exact
	if (only && exact.length === 1 && !intent.ambiguous) return { kind: 'found', key: only }
	// Keys that miss the mark by milliseconds are other runs' where the server keeps milliseconds, and only worth a
	// warning where it does not: there every expiry ends in whole seconds, or there is none.
	const rounded = possible.filter(({ expiresAt }) => expiresAt === null || expiresAt % 1000 === 0)
	// One that has the mark, but was made at another time, may be ours where a clock was wrong.
	const otherTime = intent.ambiguous ? [] : others.filter(marked)
	const candidates = [exact, otherTime, rounded].find(({ length }) => length > 0) ?? []
	return candidates.length > 0 ? { kind: 'unclear', candidates } : { kind: 'absent' }
}

const STATE_VERSION = 1
const STATE_NAME = 'record'

/**
 * Makes a call that may be repeated with the first of `credentials` that may (null: one that must not be sent; what
 * cannot be sent is passed over too). After a 401, 403 or 404 it is the next one's turn, unless that was `enough`.
 */
async function withCredentials(credentials, budget, random, call, enough) {
	const message = 'there was no credential left to ask with'
	let reply = {
		ok: false,
		skew: null,
		failure: { message, mayHaveActed: false, retryable: false },
	}
	for (const credential of credentials) {
		if (credential === null || !isHeaderSafe(credential)) continue
		reply = await retry(budget, random, (limits) => call(credential, limits))
		if (reply.ok || ![401, 403, 404].includes(reply.failure.status ?? 0) || (await enough?.(reply))) break
	}
	return reply
}

/** How long an answer other than 401 is asked again, in milliseconds: caches and replicas may lag. */
const VERIFY_FOR_MS = 10_000
const PROBE_INTERVAL_MS = 500
const UNKNOWN_ID = 'the API does not know its id'
/**
 * Revokes `key` by id and proves it. The key revokes itself, so that `apiKey` need not travel again; where it may not
 * (403, 404, or a 401 though it lives), `apiKey` does, unless it is null because it must not be sent. A 204 or a 404 is
 * not proof; a 401 to the key itself is. A key that is still accepted is revoked again while there is time.
 */
async function revokeAndVerify(key, apiKey, tools, budget) {
	const token = key.token !== null && isHeaderSafe(key.token) ? key.token : null
	let time = budget
	let claimed = false
	for (;;) {
		// Refused with 401, it may be dead already; then `apiKey` stays where it is.
		let proved = false
		const isDead = async (reply) => {
			if (token !== null && isRejected(reply))
				proved = isRejected(await tools.api.probe(token, time.limits()))
			return proved
		}
		const answered = await revokeById(key.id, [token, apiKey], tools, time, isDead)
		claimed ||= answered === 'revoked'
		if (proved) return { dead: true, verified: true, already: !claimed }
		if (token === null) {
			if (answered === 'revoked') return { dead: true, verified: false, already: false }
			return { dead: false, reason: answered === 'gone' ? UNKNOWN_ID : answered.message }
		}
		const refused = typeof answered === 'object' && !answered.retryable
		const reply = await probe(token, refused, tools, time)
		if (isRejected(reply)) return { dead: true, verified: true, already: !claimed }
		if (!refused && budget.left() > PROBE_INTERVAL_MS) {
			// A throttled API is borne with until its first word, not where it does not keep it.
			time = { ...budget, extend: () => {} }
			continue
		}
		if (typeof answered === 'object') return { dead: false, reason: answered.message }
		const claim = answered === 'gone' ? UNKNOWN_ID : 'the API answered as if it were revoked'
		return {
			dead: false,
			reason: `${claim}, but then: ${reply.ok ? 'the API still accepts it' : reply.failure.message}`,
		}
	}
}
/**
 * Revokes by id with the first of `credentials` that may. Answers 'revoked', 'gone' (404, which proves nothing), or
 * the problem that remained.
 */
async function revokeById(id, credentials, { api, random }, budget, enough) {
	const revoke = (credential, limits) => api.revoke(credential, id, limits)
	const reply = await withCredentials(credentials, budget, random, revoke, enough)
	if (reply.ok) return 'revoked'
	return reply.failure.status === 404 ? 'gone' : reply.failure
}
/** Whether the API answered 401. */
function isRejected(reply) {
	return !reply.ok && reply.failure.status === 401
}
/**
 * Asks with the key until the answer is 401, or for 10 s; where its revocation was `refused`, only until there is an
 * answer. Returns the last reply.
 */
async function probe(token, refused, { api, clock, random }, budget) {
	// Throttled, it says nothing about the key.
	const throttled = (failure) => failure.status === 429
	for (let ends = Infinity; ; ) {
		const reply = await retry(budget, random, (limits) => api.probe(token, limits), throttled)
		ends = Math.min(ends, clock.now() + VERIFY_FOR_MS)
		const enough = refused && (reply.ok || !reply.failure.retryable)
		if (isRejected(reply) || enough || clock.now() >= ends || budget.left() <= PROBE_INTERVAL_MS) return reply
		await budget.pause(PROBE_INTERVAL_MS * (1 + random()))
	}
}

/**
 * Looks once for the keys of lost create requests and revokes those that are certainly this run's.
 * `credentials` are tried in turn where one may not list or revoke; `known` are ids that need no looking for. A
 * key whose text nobody knows cannot prove that it is dead, so the list has to show that it is gone. One answer
 * a mark, in order.
 */
async function revokeOrphans(intents, credentials, known, tools, budget) {
	const listed = await listKeys(credentials, tools, budget)
	if (!listed.ok) return intents.map(() => ({ kind: 'failed', failure: listed.failure }))
	const recoveries = []
	for (const intent of intents) {
		const match = findMatch(intent, listed.value, known, listed.skew)
		if (match.kind !== 'found') recoveries.push(match)
		else recoveries.push(await revokeOrphan(match.key, credentials, tools, budget))
	}
	return recoveries
}
async function revokeOrphan(key, credentials, tools, budget) {
	const answered = await revokeById(key.id, credentials, tools, budget)
	if (typeof answered === 'object') return { kind: 'failed', failure: answered }
	const left = await listKeys(credentials, tools, budget)
	if (!left.ok) return { kind: 'failed', failure: left.failure }
	if (!left.value.some(({ id }) => id === key.id)) return { kind: 'revoked', key }
	const message = `the key ${keyLabel(key)} is still in the list after its revocation`
	return { kind: 'failed', failure: { message, mayHaveActed: true, retryable: true } }
}
function listKeys(credentials, { api, random }, budget) {
	return withCredentials(credentials, budget, random, api.list)
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
	PROXIES,
	STATE_NAME,
	STATE_VERSION,
	backoff,
	bootedAt,
	certificateDigest,
	clockNote,
	createBudget,
	createCancellation,
	createHttpClient,
	createIntent,
	createKeyApi,
	formatInstant,
	formatUtc,
	getInput,
	getState,
	isHeaderSafe,
	issuedLine,
	keyLabel,
	networkSettings,
	revokeAndVerify,
	revokeOrphans,
	runner,
	sanitize,
	seconds,
	setFailed,
	setSecret,
	systemClock,
	validateCreatedKey,
	writeSummary,
}
