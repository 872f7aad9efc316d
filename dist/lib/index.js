'use strict'

const node_fs = require('node:fs')

/** `mayHaveActed` is false only if none of the request can have reached the server. */
class HttpError extends Error {
	mayHaveActed
	retryable
	constructor(message, mayHaveActed, retryable = true) {
		super(message)
		this.mayHaveActed = mayHaveActed
		this.retryable = retryable
	}
}
const CERTIFICATE = /^(?!ERR_SSL).*(CERT|SIGNATURE|UNABLE_TO|INVALID_|MISMATCH|PATH_LENGTH|UNSPECIFIED)/
const HINTS = [
	[/GET_ISSUER|SELF_SIGNED|LEAF/, 'if a private CA signed it, set NODE_EXTRA_CA_CERTS to a lasting file of that CA'],
	[/HAS_EXPIRED|NOT_YET/, 'it is outside its dates; check the clock of this runner'],
	[/alert.(handshake.failure|protocol.version)/i, 'it may require a client certificate'],
	[/wrong.version.number|packet.length/i, 'it does not speak TLS on this port']
]
/** `connected`: TLS included. `via` names the proxy. */
function describeError(error, connected, via = '') {
	const list = (error.errors ?? [error]).map(({ code }) => code ?? 'closed early')
	// EPROTO alone says nothing; OpenSSL's reason is in the message.
	if (list[0] === 'EPROTO') list.push(/SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1] ?? 'TLS')
	const codes = [...new Set(list)].join(', ')
	const failure = (what, { hint = '', acted = connected, retryable = true } = {}) =>
		new HttpError(`${what} (${codes})${via}${hint && `; ${hint}`}`, acted, retryable)
	// The server read no request, even if our handshake was complete (TLS 1.3).
	if (/alert.(certificate.required|bad.certificate)/i.test(codes)) return failure('requires a client certificate', { acted: false, retryable: false })
	if (codes.startsWith('HPE_')) return failure('answered with HTTP that Node refuses', { retryable: false })
	if (connected) return failure('closed the connection before it answered')
	if (codes === 'ENOTFOUND') return Object.assign(failure('its name does not exist', { hint: 'check its spelling' }), { isUnknownHost: true })
	if (codes === 'EAI_AGAIN') return failure('its name could not be resolved')
	const hint = HINTS.find(([pattern]) => pattern.test(codes))?.[1] ?? ''
	if (CERTIFICATE.test(codes)) return failure('its certificate was not accepted', { hint, retryable: false })
	if (!/^EPROTO|^ERR_(TLS|SSL)/.test(codes)) return failure('the connection failed')
	// A load balancer that restarts does not end handshakes with these.
	return failure('the TLS handshake failed', { hint, retryable: hint === '' })
}

const INITIAL_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 20_000
/** The longest wait, in milliseconds. `failures` is 1 or more. */
function longestBackoff(failures) {
	return Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** (failures - 1))
}
/** With full jitter, on top of what the server asked for. `random` is in [0, 1). */
function backoff(failures, random, retryAfter = 0) {
	return Math.ceil(retryAfter + random * longestBackoff(failures))
}
/** RFC 9110, 5.6.7, but for C's asctime. Date.parse alone takes `4s` for a day in 2001. */
const HTTP_DATE = /^\s*[A-Z][a-z]+, \d\d[ -][A-Z][a-z]{2}[ -](\d{4}|\d\d) [\d:]{8} GMT\s*$/
/** Milliseconds since 1970; NaN for any other text. */
function parseHttpDate(text) {
	return HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
}
/** Milliseconds, at most 1e9; undefined if the header is unreadable. `now` is by the server's clock. */
function parseRetryAfter(header = '', now) {
	const [, seconds] = /^\s*(\d+(?:\.\d*)?)\s*(?:,|$)/.exec(header) ?? []
	const wait = seconds === undefined ? parseHttpDate(header) - now : Math.ceil(Number(seconds)) * 1000
	return Number.isNaN(wait) ? undefined : Math.max(0, Math.min(wait, 1e9))
}

/** Without whole IDs. */
function shortPath({ pathname }) {
	return pathname.replace(/([^/]{8})[^/]{16,}/g, '$1...')
}
/** Logs requests, without headers, bodies or whole IDs, if there is a `log`. */
function logRequests(send, log, now) {
	if (!log) return send
	return async request => {
		const { method, url } = request
		const startedAt = now()
		const note = outcome => log(`${method} ${shortPath(url)}: ${outcome} after ${Math.round(now() - startedAt)} ms`)
		const response = await send(request).catch(error => {
			note(`${error},`)
			throw error
		})
		note(`status ${response.status}`)
		return response
	}
}

/** Some servers write these for no time. */
const NO_TIME = /^(0001-?01-?01|9999-?12-?31)/
const DAY = String.raw`(?:(?<month>0[1-9]|1[0-2])-?(?<day>\d\d)|W(?<week>\d\d)-?(?<weekday>[1-7])|(?<ordinal>\d{3}))`
const TIME = String.raw`(?<hour>[01]\d|2[0-4])(?::?(?<minute>[0-5]\d)(?::?(?<second>[0-5]\d|60))?)?`
const FRACTION = String.raw`(?:[.,](?<fraction>\d+))?`
const ZONE = String.raw`(?: ?(?:Z|UTC|GMT|(?<sign>[+\-\u2212])(?<zoneHour>\d\d)(?::?(?<zoneMinute>\d\d))?))?`
const ISO_8601 = new RegExp(String.raw`^(?<year>19[7-9]\d|[2-9]\d{3})-?${DAY}(?:[T ]${TIME}${FRACTION}${ZONE})?$`)
const NUMBER = /^\d{9,13}(?:\.\d+)?$/
const MINUTE_MS = 60_000
/** Any ISO 8601 or RFC 3339 spelling (UTC without an offset), or seconds or milliseconds since 1970. */
function parseTime(value) {
	if (value === null || value === undefined || value === '') return { at: null, unreadable: null }
	const text = typeof value === 'object' ? 'an object' : String(value).trim()
	if (NO_TIME.test(text)) return { at: null, unreadable: null }
	const unit = Number(text) < 1e11 ? 1000 : 1
	const at = NUMBER.test(text) ? Number(text) * unit : fromIso(text)
	return { at, unreadable: at === null ? text.replace(/\w{20,}/g, '***').slice(0, 40) : null }
}
function fromIso(text) {
	const { groups } = ISO_8601.exec(text.toUpperCase()) ?? {}
	if (!groups) return null
	const { month, week, minute, second, fraction = '0', sign = '+' } = groups
	const part = name => Number(groups[name] ?? 0)
	const day = week ? dayOfWeek(part('year'), part('week'), part('weekday')) : part(month ? 'day' : 'ordinal')
	const midnight = Date.UTC(part('year'), month ? part('month') - 1 : 0, day)
	// Date.UTC turns February 30 into March 2.
	const isRealDay = !month || new Date(midnight).getUTCDate() === day
	// 24:00 is the end of a day.
	const isRealTime = part('hour') < 24 || part('minute') + part('second') === 0
	if (!isRealDay || !isRealTime) return null
	const unit = second ? 1000 : minute ? MINUTE_MS : 60 * MINUTE_MS
	const offset = (part('zoneHour') * 60 + part('zoneMinute')) * (sign === '+' ? 1 : -1)
	const minutes = part('hour') * 60 + part('minute') - offset
	return midnight + minutes * MINUTE_MS + part('second') * 1000 + Number(`0.${fraction}`) * unit
}
/** From the beginning of the year. ISO week 1 contains January 4. */
function dayOfWeek(year, week, weekday) {
	const fourth = new Date(Date.UTC(year, 0, 4)).getUTCDay() || 7
	return week * 7 + weekday - fourth - 3
}
/** As many decimals (0, 3 or 6) as `instant` needs. */
function formatExactly(instant) {
	const micros = Math.round(instant * 1000)
	const digits = String(micros % 1000).padStart(3, '0')
	const text = new Date(micros / 1000).toISOString().replace('Z', digits)
	return `${text.replace(/(\.000)?000$/, '')}Z`
}

const MAX_PREFIX_LENGTH = 20
const MAX_ID_LENGTH = 256
/** Whether a header matches. */
function hasHeader(rules, headers) {
	return Object.keys(headers).some(name => rules.some(rule => rule.test(`${name}: ${headers[name]}`)))
}
/** Headers of an answer that a cache stored. */
const CACHED = [
	/^(age|\S*(cache-(hits?|age)|from-cache|cached(-response)?)): (0, )*([1-9]\d*|true|yes)(,|$)/i,
	/^(\S*cache(-\S*(status|info|lookup|remote|debug|result|state))?|x-cdn): ((.*[^a-z=-])?(hit(?!-)|refreshhit|stale(?!-)|updating|revalidated)|fresh|cached)/i,
	/^server-timing: .*cdn-cache[^,]*hit/i,
	/^x-varnish: \d+ \d/,
	/^warning: 11/
]
/** Such an answer belongs to another request. */
const isStored = headers => hasHeader(CACHED, headers)
function freshBody({ headers, body }) {
	if (isStored(headers)) throw new Error('from a cache')
	return body
}
/** Throws if there is neither a key nor its description. */
function readCreated(response) {
	const answer = parseJson(freshBody(response))
	const token = textOf(field(answer, 'token'))
	const key = readKey(field(answer, 'api_key'))
	if (token === null && key.id === null) throw new Error('no key')
	// It is printed: never most of a short key.
	return { ...key, token, prefix: key.prefix.slice(0, token === null ? 8 : token.length / 2) }
}
/** Throws unless the key was accepted: the answer is the list. */
function readAccepted(response) {
	rowsOf(parseJson(freshBody(response)))
	return null
}
/** Throws unless this is the list, or a page of it. */
function rowsOf(answer) {
	const rows = Array.isArray(answer) ? answer : field(answer, 'results')
	if (Array.isArray(rows)) return rows
	throw new Error('neither an array nor a page')
}
/** Throws unless the key was revoked: the answer is empty. */
function readRevoked(response) {
	if (freshBody(response).trim() !== '') throw new Error('not revoked')
	return null
}
/** What is missing or unusable is null. */
function readKey(value) {
	const [created, expiry] = [parseTime(field(value, 'created')), parseTime(field(value, 'expiry'))]
	const faults = [
		created.unreadable !== null && `created "${created.unreadable}"`,
		expiry.unreadable !== null && `expiry "${expiry.unreadable}"`,
		field(value, 'expiry') === undefined && 'expiry (missing)'
	]
	return {
		id: readId(field(value, 'id')),
		// It is printed: never the whole key. Some APIs write `abcd****`.
		prefix: (textOf(field(value, 'token_key')) ?? '').slice(0, MAX_PREFIX_LENGTH).replace(/\W+$/, ''),
		createdAt: created.at,
		/** Null if the key never expires, too. */
		expiresAt: expiry.at,
		/** The field that could not be read, with its text, or null. */
		unreadable: faults.find(Boolean) || null
	}
}
/** Null if unusable. Even escaped, a dot segment names another path. */
function readId(value) {
	if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
	const id = textOf(value)
	const isUsable = id !== null && id !== '.' && id !== '..' && id.isWellFormed() && id.length <= MAX_ID_LENGTH
	return isUsable ? id : null
}
/** Keeps integers above 2^53 as text: they would lose digits. */
function parseJson(body) {
	const keepDigits = (_name, value, { source = '' } = {}) =>
		typeof value === 'number' && !Number.isSafeInteger(value) && /^\d+$/.test(source) ? source : value
	return JSON.parse(body, keepDigits)
}
/** Undefined if there is none. */
function field(value, name) {
	return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
/** Null for no text, or an empty one. */
function textOf(value) {
	return typeof value === 'string' && value !== '' ? value : null
}

/** The request may have been carried out. */
const UNCERTAIN_STATUSES = [407, 408, 409, 421, 423, 424, 425, 499]
const MAX_REASON_LENGTH = 300
/** `now`: the server's time (ms). A 2xx is a failure if its content could not be used. */
function failureOf(asked, response, now) {
	const { method, url } = asked
	const { status, headers } = response
	const answer = parsed(response.body)
	// Some gateways replace the status of a success.
	const hasKey = /"(token|api_key)"\s*:\s*["{]/.test(response.body)
	const unusable = status < 300
	const rateLimited = status === 429
	const uncertain = unusable || status >= 500 || UNCERTAIN_STATUSES.includes(status)
	const notFromApi = !rateLimited && isForeign(response)
	return {
		status,
		message: `${url.host} answered ${status} to ${method} ${shortPath(url)}${detail(asked, response)}`,
		// Only the API's own JSON proves that nothing was done.
		mayHaveActed: hasKey || (!rateLimited && (uncertain || isRedirect(status) || notFromApi || answer === undefined)),
		retryable: uncertain || rateLimited || notFromApi,
		retryAfter: rateLimited || status === 503 ? parseRetryAfter(headers['retry-after'], now) : undefined,
		notFromApi,
		unusable
	}
}
/** It may mean "done, look there". */
const isRedirect = status => status >= 300 && status < 400
function redirectTarget({ url }, location) {
	const target = location ? URL.parse(location, url.href) : null
	const named = target?.host === url.host ? target.origin + shortPath(target) : target?.host.replace(/\w{24,}/g, '***')
	return named || 'an unreadable address'
}
/** The API speaks only JSON and Bearer (its documentation). */
function isForeign(response) {
	const { status, headers, body } = response
	if (status < 400 || status > 499) return false
	const schemes = headers['www-authenticate']?.replace(/"[^"]*"/g, '') || 'Bearer'
	return (
		isStored(headers) ||
		(status === 401 && !/(^|,\s*)bearer\b/i.test(schemes)) ||
		// Some servers call their JSON HTML.
		(parsed(body) === undefined && (body.trim() !== '' || isHtml(response)))
	)
}
/** Undefined if this API would not write it. */
function parsed(body) {
	try {
		const value = JSON.parse(body)
		return typeof value === 'number' ? undefined : value
	} catch {
		return undefined
	}
}
function isHtml({ headers, body }) {
	return /html/i.test(headers['content-type'] ?? '') || /^\s*</.test(body)
}
const NOT_JSON = ': something that is not the JSON of this API'
function detail(asked, response) {
	const { status, headers, body } = response
	if (status === 429) return ': too many requests'
	if (isRedirect(status) && status !== 304)
		return ` with a redirect to ${redirectTarget(asked, headers.location)}; redirects are never followed. Check api-url`
	if (isStored(headers)) return ' from a cache'
	const isJson = parsed(body) !== undefined
	if (!isJson && isHtml(response)) return ' with an HTML page, not the JSON of this API'
	const coding = headers['content-encoding']?.replace(/^identity$/i, '')
	if (!isJson && coding && body !== '') return ` in ${coding.slice(0, 8)}, which was not asked for`
	if (response.isCut) return ' with more than 1 MiB'
	const scheme = /^(?!bearer)[\w-]{1,12}(?![\w-])/i.exec(headers['www-authenticate'] ?? '')?.[0]
	if (isForeign(response)) return scheme ? `, and asks for ${scheme} authentication, which this API does not use` : NOT_JSON
	const reason = reasonGiven(asked, response)
	if (reason === '' && status < 300) return NOT_JSON
	return reason && `: ${reason}`
}
/** One line, nothing that could be a key; of a success, only what is named as a reason. */
function reasonGiven({ method, credential }, { status, body }) {
	// Only create makes keys.
	const keyLike = method === 'POST' ? /(?=\S*\d)[^\s;]{8,}|\S{24,}/g : /\S{24,}/g
	const words = wordsIn(parsed(body), status < 300).join('; ')
	const safe = words.replaceAll(credential, '***').replace(keyLike, '***')
	return safe.replace(/\s+/g, ' ').trim().slice(0, MAX_REASON_LENGTH).replace(/\.$/, '')
}
function wordsIn(value, onlyNamed, { label, depth } = { label: '', depth: 0 }) {
	if (typeof value === 'string') return [label + value]
	if (typeof value !== 'object' || value === null || depth > 3) return []
	return Object.entries(value).flatMap(([name, part]) => {
		const isPlain = /^(detail|error|errors|message|messages|non_field_errors|\d+)$/.test(name)
		if (/^code$|token|key|secret/i.test(name) || (onlyNamed && !isPlain)) return []
		return wordsIn(part, onlyNamed, { label: isPlain ? label : `${label}${name}: `, depth: depth + 1 })
	})
}

const KEYS_PATH = '/api/user/api-keys'
const MAX_DATE_SKEW_MS = 24 * 3_600_000
/** Never throws for what the network or the API does. */
function createCaller({ client, userAgent, now }) {
	return async (request, limits, read) => {
		const { method, url, credential } = request
		const body = request.body && JSON.stringify(request.body)
		const headers = {
			Accept: 'application/json',
			Authorization: `Bearer ${credential}`,
			'User-Agent': userAgent,
			...(body && { 'Content-Type': 'application/json' })
		}
		const sentAt = now()
		try {
			const response = await client({ method, url, headers, body, ...limits })
			const skew = skewOf(response, sentAt, now())
			try {
				if (response.status < 300) return { ok: true, skew, value: read(response) }
			} catch {
				// The failure says so.
			}
			return { ok: false, skew, failure: failureOf(request, response, now() + (skew ?? 0)) }
		} catch (error) {
			if (!(error instanceof HttpError)) throw error
			return { ok: false, skew: null, failure: { ...error, message: `${url.host}: ${error.message}` } }
		}
	}
}
/** The calls that the main step needs. */
function createIssuingApi(options) {
	const call = createCaller(options)
	const url = new URL(`${options.apiUrl}${KEYS_PATH}`)
	return {
		create: (credential, expiry, limits) => call({ method: 'POST', url, credential, body: { expiry } }, limits, readCreated),
		revoke: (credential, id, limits) => call({ method: 'DELETE', url: new URL(`${url}/${encodeURIComponent(id)}`), credential }, limits, readRevoked),
		/** Asks whether a key is still accepted. */
		probe: (credential, limits) => call({ method: 'GET', url, credential }, limits, readAccepted)
	}
}
/** Alone, this does not prove that a key is revoked. */
function isRejected(result) {
	return !result.ok && result.failure.status === 401 && !result.failure.notFromApi
}
/** Visible ASCII: nothing breaks out of a header or a log line. */
function isHeaderSafe(credential) {
	return /^[\x21-\x7e]+$/.test(credential)
}
function skewOf({ headers }, sentAt, receivedAt) {
	if (isStored(headers)) return null
	// Whole seconds are half a second late on average.
	const skew = parseHttpDate(headers.date ?? '') + 500 - (sentAt + receivedAt) / 2
	return Math.abs(skew) <= MAX_DATE_SKEW_MS ? skew : null
}

/** Decide which certificate authorities Node trusts. */
const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap(name => [name, name.toLowerCase()])
/** Those that are set. */
function networkSettings(env) {
	return Object.fromEntries([...AUTHORITIES, ...PROXIES].flatMap(name => (env[name] ? [[name, env[name]]] : [])))
}
/** Never throws; decodes what it can. */
const percentDecoded = text => process.getBuiltinModule('node:querystring').unescape(text)
/** What to mask of logins, as written and decoded, even if malformed. */
function proxyLogins(env) {
	const logins = PROXIES.flatMap(name => {
		const [, user = '', password] = /^\s*(?:[A-Za-z][\w+.-]*:\/\/)?([^:]*)(?::(.*))?@/s.exec(env[name] ?? '') ?? []
		if (password) return [password, `${user}:${password}`]
		// A user alone may be a token, but not a name such as `ci`.
		return user.length < 8 ? [] : [user]
	})
	return [...new Set(logins.flatMap(login => [login, percentDecoded(login)]))]
}

/** The timeout is for each address of a host: Node's 250 ms are too short. */
const CONNECTION = { rejectUnauthorized: true, autoSelectFamilyAttemptTimeout: 3_000 }
/** A `createConnection` for agents. Node's `proxyEnv` came with 24.5; runners ship 24.4 too. */
function tunnelThrough(proxy, secure) {
	const { protocol, host, hostname, port, username, password } = new URL(proxy)
	const login = Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`).toString('base64')
	const authorization = username || password ? { 'Proxy-Authorization': `Basic ${login}` } : {}
	return (options, connected) => {
		const refuse = error => connected?.(error, undefined)
		// Alone, an IPv6 address seems to end in a port.
		const target = `${String(options.host).replace(/.*:.*/, '[$&]')}:${options.port}`
		nodeModule(protocol)
			.request({
				method: 'CONNECT',
				host: hostname.replace(/^\[|\]$/g, ''),
				port,
				path: target,
				headers: { Host: target, ...authorization },
				agent: false,
				...CONNECTION
			})
			// A silent proxy must not outlive the request.
			.once('socket', socket => socket.unref())
			.once('connect', (answer, socket) => {
				const { statusCode = 0 } = answer
				if (statusCode < 200 || statusCode > 299) {
					socket.destroy()
					return refuse(refusal(host, answer, Boolean(username || password)))
				}
				socket.ref()
				const { connect } = process.getBuiltinModule('node:tls')
				connected?.(null, secure ? connect({ ...options, socket }) : socket)
			})
			.on('error', error => {
				const failure = describeError(error, false)
				refuse(Object.assign(failure, { message: `the proxy ${host}: ${failure.message}` }))
			})
			.end()
	}
}
/** Loaded only when needed. */
function nodeModule(protocol) {
	return process.getBuiltinModule(protocol === 'https:' ? 'node:https' : 'node:http')
}
function refusal(host, { statusCode: status = 0, headers }, hasLogin) {
	const login = hasLogin ? 'does not accept this login' : 'requires a login, as in http://USER:PASSWORD@HOST:PORT'
	const isBasic = /basic/i.test(headers['proxy-authenticate'] ?? 'Basic')
	const hint = status === 407 ? `; it ${isBasic ? login : 'does not offer Basic authentication, the only kind supported'}` : ''
	const isTemporary = status >= 500 || [408, 429].includes(status)
	return new HttpError(`the proxy ${host} refused the tunnel with status ${status}${hint}`, false, isTemporary)
}

const MAX_RESPONSE_BYTES = 1024 * 1024
/** For one host. Requests share no connection: a late answer would seem to be the next one's. */
function createHttpClient(proxy) {
	const via = proxy && ` (through the proxy ${new URL(proxy).host})`
	return request => exchange(request, createAgent(request.url.protocol, proxy), via)
}
function createAgent(protocol, proxy) {
	const agent = new (nodeModule(protocol).Agent)(CONNECTION)
	if (proxy) agent.createConnection = tunnelThrough(proxy, protocol === 'https:')
	return agent
}
function exchange(request, agent, via) {
	return new Promise((resolve, reject) => {
		const { url, method, body } = request
		const headers = { 'Accept-Encoding': 'identity', ...request.headers }
		const sent = nodeModule(url.protocol).request(url, { method, agent, headers })
		const isConnected = trackConnection(sent, url.protocol === 'https:')
		let received
		const fail = error => {
			stopDeadline()
			error.unusable = /^2/.test(`${received?.statusCode}`)
			reject(error)
			sent.destroy()
		}
		const stopDeadline = startDeadline(request, () => {
			const message = isConnected() ? 'did not answer in time' : 'could not be reached in time'
			fail(new HttpError(`${message}${via}`, isConnected()))
		})
		// Not once: an unhandled error ends the process. One after a complete response is not about it.
		sent.on('error', error => {
			if (!received?.complete) fail(error instanceof HttpError ? error : describeError(error, isConnected(), via))
		})
		const receive = response => {
			received = response
			if (response.statusCode === 101) return fail(new HttpError('answered 101 and switched to another protocol', true, false))
			const cutOff = ({ code }) => fail(new HttpError(`closed the connection in the middle of its answer (${code})`, true))
			readBody(response).then(read => {
				stopDeadline()
				// Of several, Node keeps the first.
				const age = response.headersDistinct.age?.join(', ')
				resolve({ status: response.statusCode ?? 0, headers: { ...response.headers, age }, ...read })
			}, cutOff)
		}
		sent.once('upgrade', receive).once('response', receive).end(body)
	})
}
function trackConnection(sent, secure) {
	let connected = false
	sent.once('socket', socket => {
		connected = !secure && !socket.connecting
		if (connected) return
		socket.once(secure ? 'secureConnect' : 'connect', () => {
			connected = true
		})
	})
	return () => connected
}
function startDeadline({ timeout, cancel, grace }, expire) {
	const timers = [setTimeout(expire, timeout)]
	const onCancel = () => void timers.push(setTimeout(expire, grace ?? 0))
	if (cancel?.aborted) onCancel()
	else cancel?.addEventListener('abort', onCancel)
	return () => {
		timers.forEach(clearTimeout)
		cancel?.removeEventListener('abort', onCancel)
	}
}
/** Of more than 1 MiB, only the start is read. By events: iteration takes 1 ms more. */
function readBody(response) {
	const chunks = []
	let size = 0
	response.on('data', chunk => {
		chunks.push(chunk)
		size += chunk.length
		if (size > MAX_RESPONSE_BYTES) response.destroy()
	})
	return new Promise((resolve, reject) => {
		const text = () => String(Buffer.concat(chunks)).replace(/^\uFEFF/, '')
		response.once('error', reject)
		response.once('close', () => resolve({ body: text(), isCut: size > MAX_RESPONSE_BYTES }))
	})
}

/** `hostname` as the URL parser writes it. */
function isLoopback(hostname) {
	return /^(localhost\.?|127\.[\d.]+|\[::1\]|\[::ffff:7f\w\w:\w+\])$/.test(hostname)
}
/** Empty for none, as for loopback: only that has http: URLs. Throws if the variable names no usable one. */
function proxyFor(url, env) {
	const exempt = (env.no_proxy || env.NO_PROXY || '').split(/[,\s]+/)
	if (isLoopback(url.hostname) || /\.localhost\.?$/.test(url.hostname) || exempt.some(entry => covers(entry, url))) return ''
	const name = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].find(variable => env[variable]?.trim())
	return name ? readProxy(name, String(env[name]).trim(), url) : ''
}
/** Messages show only the scheme: the rest may be a login. */
function readProxy(name, value, { hostname }) {
	const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase()
	if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
		throw new Error(`${name} is a ${scheme}:// proxy. Set HTTPS_PROXY to an http:// or https:// proxy, or add ${hostname} to NO_PROXY.`)
	const proxy = scheme === undefined ? `http://${value}` : value
	// An @ after the first delimiter belongs to a login that was cut there.
	if (!URL.canParse(proxy) || /^[^/]*\/\/[^/?#\\]*[/?#\\].*@/s.test(proxy))
		throw new Error(
			`${name} is not a valid proxy address. Write it as http://USER:PASSWORD@HOST:PORT, ` +
				'and percent-encode special characters of the login (# as %23).'
		)
	return proxy
}
/** `entry`: `*`, an address, a CIDR range or a name, perhaps with `:port`. */
function covers(entry, { hostname, port }) {
	const { BlockList, isIP } = process.getBuiltinModule('node:net')
	const [, name = '', onlyPort] = /^(.+?)(?::(\d+))?$/.exec(isIP(entry) ? `[${entry}]` : entry) ?? []
	if (onlyPort && Number(onlyPort) !== Number(port || 443)) return false
	if (name === '*') return true
	const host = hostname.replace(/^\[|[\].]$/g, '')
	if (!isIP(host)) {
		const suffix = name.toLowerCase().replace(/^\*?(?=\.)|\.$/g, '')
		return host === suffix || host.endsWith(suffix.replace(/^\.?/, '.'))
	}
	const [address = '', prefix] = name.replace(/[[\]]/g, '').split('/')
	const family = text => (isIP(text) === 6 ? 'ipv6' : 'ipv4')
	const list = new BlockList()
	try {
		list.addSubnet(address, Number(prefix || (isIP(address) === 6 ? 128 : 32)), family(address))
		return list.check(host, family(host))
	} catch {
		return false
	}
}

/** As a literal, it would take 1 ms of every start. */
const INVISIBLE = '[\\p{C}\\p{DI}]'
/** One line without commands: `::name::` at its start, `##[name]` anywhere (ActionCommand.TryParse). */
function sanitizeLine(text) {
	const line = text.replace(/\s+/g, ' ').trim()
	const visible = line.replace(/[^ -~]+/g, other => other.replace(new RegExp(INVISIBLE, 'gu'), '?'))
	return visible.replace(/##(?=\[)/g, '# #').replace(/^::/, ': :')
}
/** At most 200 characters; none ends a code span or cell, or starts a command, tag or link. */
function sanitizeName(text) {
	return text.replace(/[^\w.~+/=:-]/g, '?').slice(0, 200)
}

/** What the steps use of the runner. A test compares it with @actions/core. */
const runner = {
	info: text => print(sanitizeLine(text)),
	warning: text => annotate('warning', text),
	/** Throws if the log cannot be written: no key is handed on without a mask. */
	setSecret: secret => write(command('add-mask', secret)),
	/** This and the next two throw an Error if the runner's file cannot be written. */
	setOutput: (name, value) => append('GITHUB_OUTPUT', entry(name, value)),
	exportVariable: (name, value) => append('GITHUB_ENV', entry(name, value)),
	saveState: (name, value) => append('GITHUB_STATE', entry(name, value)),
	/** Adds Markdown to the job summary. Never throws: the log says the same. */
	writeSummary(markdown) {
		try {
			append('GITHUB_STEP_SUMMARY', `${markdown}\n`)
		} catch (error) {
			print(sanitizeLine(String(error)))
		}
	}
}
/** Trimmed; empty if not given. */
function getInput(name) {
	return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim()
}
/** Empty if nothing was saved. */
function getState(name) {
	return process.env[`STATE_${name}`] ?? ''
}
/** `value` must not contain the delimiter. */
function entry(name, value) {
	let delimiter = 'ghadelimiter'
	while (value.includes(delimiter)) delimiter += delimiter
	return `${name}<<${delimiter}\n${value}\n${delimiter}\n`
}
const LOSSES = {
	GITHUB_STATE: 'the post step could not revoke the key',
	GITHUB_OUTPUT: 'later steps get no outputs',
	GITHUB_ENV: 'export-env could not be set',
	GITHUB_STEP_SUMMARY: 'the job summary is missing'
}
/** All of `text` or nothing: half an entry spoils the next one. Creates no file: no one would read it. */
function append(variable, text) {
	const path = process.env[variable] || '(not set)'
	try {
		const before = node_fs.statSync(path)
		try {
			node_fs.appendFileSync(path, text)
		} catch (error) {
			if (before.isFile()) node_fs.truncateSync(path, before.size)
			throw error
		}
	} catch (error) {
		throw new Error(
			`Could not write the file ${variable} (${error.message}), so ${LOSSES[variable]}. ` +
				"Check the disk space and the permissions of the runner's temporary folder."
		)
	}
}
/** Null unless debug logging is on. */
function debugLog() {
	return process.env.RUNNER_DEBUG === '1' ? text => print(command('debug', sanitizeLine(text))) : null
}
/** The stack trace goes to the debug log. */
function failStep(error) {
	process.exitCode = 1
	const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error))
	// Errors thrown on purpose are plain Errors.
	annotate('error', name === 'Error' ? message : `Unexpected ${name}, please report it: ${message}`)
	for (const line of stack.split('\n')) debugLog()?.(line)
}
/** The runner silently cuts at 4,096 characters. */
const MAX_ANNOTATION_LENGTH = 4_000
const CUT_NOTE = '... (truncated; the full text is in the log of this step)'
/** A text too long for one is also printed in full. */
function annotate(level, text) {
	const line = sanitizeLine(text)
	const isTooLong = line.length > MAX_ANNOTATION_LENGTH
	if (isTooLong) print(line)
	print(command(level, isTooLong ? line.slice(0, MAX_ANNOTATION_LENGTH - CUT_NOTE.length) + CUT_NOTE : line))
}
function command(name, data) {
	return `::${name}::${data.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')}`
}
/** A closed log stops nothing. */
function print(line) {
	try {
		write(line)
	} catch {}
}
/** Waits while the pipe is full. Starts sooner than `process.stdout`. */
function write(line) {
	for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) {
		try {
			rest = rest.subarray(node_fs.writeSync(1, rest))
		} catch (error) {
			if (error.code !== 'EAGAIN') throw error
		}
	}
}

/** Milliseconds since the machine started, which no one can set. */
const uptime = () => Number(process.hrtime.bigint() / 1000000n)
/** In milliseconds since 1970, by the clock as it is set now. */
const bootedAt = Date.now() - uptime()
/** The machine's clock in ms, monotonic within this process. */
const systemClock = {
	now: () => bootedAt + uptime(),
	/** Resolves after `duration`, or as soon as `wake` is aborted. */
	async sleep(duration, wake) {
		const { setTimeout } = process.getBuiltinModule('node:timers/promises')
		await setTimeout(duration, undefined, { signal: wake }).catch(() => {})
	}
}

/** A test compares both with package.json. */
const ACTION = 'spherescout-ephemeral-key'
const VERSION = '1.0.0'
/** Lets SphereScout trace a request to its run. */
function userAgent({ GITHUB_REPOSITORY, GITHUB_RUN_ID }) {
	const sanitize = part => (part ?? '').replace(/[^\w./-]/g, '') || 'unknown'
	return `${ACTION}/${VERSION} (${sanitize(GITHUB_REPOSITORY)}; run ${sanitize(GITHUB_RUN_ID)})`
}

/** The real network, with the proxies of `env`. Throws if they are unusable. */
function connect(apiUrl, env) {
	const { now } = systemClock
	const client = logRequests(createHttpClient(proxyFor(new URL(apiUrl), env)), debugLog(), now)
	return { client, apiUrl, userAgent: userAgent(process.env), now }
}

/** Milliseconds since the first signal. The runner kills after 10 s (actions/runner, ProcessInvoker). */
const CANCEL = { RESPONSE_GRACE_MS: 5_000, LAST_REQUEST_MS: 6_500, EXIT_MS: 6_900 }
/** Only the first call of `request` counts. */
function createCancellation(now) {
	const controller = new AbortController()
	const { signal } = controller
	return {
		signal,
		get requestedAt() {
			return signal.aborted ? signal.reason : null
		},
		request: () => controller.abort(now())
	}
}

const MAX_ATTEMPT_MS = 10_000
const LAST_ATTEMPT_MS = 1_000
const MIN_LEFT_MS = 250
/** How long (ms) work may go on: to `deadline`, or less after a cancellation (CANCEL). */
function createBudget({ deadline, clock, cancellation, throttle }) {
	let end = deadline
	let waitsUntil = 0
	const left = () => {
		const cancelledAt = cancellation?.requestedAt ?? Infinity
		return Math.max(0, Math.min(end, cancelledAt + CANCEL.LAST_REQUEST_MS) - clock.now())
	}
	// A signal that already came must not end every later wait.
	const signalToCome = () => (cancellation?.requestedAt === null ? cancellation.signal : undefined)
	return {
		left,
		limits() {
			const cancel = signalToCome()
			const timeout = Math.max(1, Math.min(MAX_ATTEMPT_MS, left()))
			return cancel ? { timeout, cancel, grace: CANCEL.RESPONSE_GRACE_MS } : { timeout }
		},
		/** Waits, but no longer than is left; a cancellation ends the wait. */
		pause: duration => clock.sleep(Math.min(duration, left()), signalToCome()),
		/** For a wait that the API asked for (429). */
		extend(wait) {
			// Waits at the same time count once.
			const more = wait - Math.max(0, waitsUntil - clock.now())
			if (throttle === undefined || more <= 0 || end + more > throttle.latest) return
			end += more
			waitsUntil = clock.now() + wait
			throttle.onWait(wait)
		}
	}
}
/** Retries until the budget is spent, at last even before Retry-After. */
async function retry(attempt, { budget, random, shouldRetry = ({ retryable }) => retryable, isImpatient = false }) {
	for (let failures = 1; ; failures++) {
		const result = await attempt(budget.limits())
		if (result.ok || !shouldRetry(result.failure)) return result
		const wait = backoff(failures, random(), result.failure.retryAfter)
		if (result.failure.status === 429) budget.extend(wait)
		if (budget.left() <= (isImpatient ? wait : 0) + LAST_ATTEMPT_MS) return result
		await budget.pause(Math.min(wait, budget.left() - LAST_ATTEMPT_MS))
		// After a stall, another request would only hide this answer.
		if (budget.left() < MIN_LEFT_MS) return result
	}
}

/** A key as the dashboard shows it. */
function keyLabel({ prefix, id }) {
	return `${sanitizeName(prefix)}... (id ${shortId(id)})`
}
/** Enough to find it by. */
function shortId(id) {
	const whole = sanitizeName(id)
	return whole.length > 16 ? `${whole.slice(0, 8)}...` : whole
}
/** Milliseconds as `2.5 s`. */
function formatSeconds(duration) {
	return `${(duration / 1000).toFixed(1)} s`
}
/** As `2027-01-01 00:00:00 UTC`. */
function formatUtc(instant) {
	return `${new Date(instant).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
/** A table of keys for the job summary, in Markdown. */
function keySummary(title, rows) {
	const lines = rows.map(({ key: { prefix, id, createdAt, expiresAt }, status }) => {
		const [created, expires] = [createdAt, expiresAt].map(at => (at === null ? 'unknown' : formatUtc(at)))
		return `| \`${sanitizeName(prefix)}...\` | \`${shortId(id)}\` | ${created} | ${expires} | ${status} |\n`
	})
	const head = '| API key | ID | Created | Expires | Status |\n| --- | --- | --- | --- | --- |\n'
	return `### ${title}\n\n${head}${lines.join('')}`
}

const PRECISIONS_US = [1, 1000, 1_000_000]
/** Time zones are multiples of 15 minutes, up to 14 hours. */
const ZONE_STEP_MS = 15 * 60_000
const MAX_ZONE_MS = 14 * 3_600_000
/** For an expiry that no other run is likely to request. */
const MAX_SHORTENING = 0.05
/** Up to 5% before the end of `lifetime`, by the server's clock. */
function createIntent({ now, skew, lifetime, timeout, precision, random }) {
	const latest = (now + skew + lifetime - random * lifetime * MAX_SHORTENING) * 1000
	const kept = Math.floor(latest / precision) * precision
	// On the next coarser grid, it would look like other runs' keys.
	const isCoarse = precision === 1 ? kept % 1000 === 0 : precision === 1000 && isOnCoarseGrid(kept / 1000)
	const expiry = (isCoarse ? kept - precision : kept) / 1000
	return { expiry, sentAt: now, deadline: now + timeout, refused: '' }
}
/** Servers keep an expiry on one of these; 10 ms is also SQL Server's 1/300 s. */
const GRIDS_US = [1000, 10_000, 1_000_000, 60_000_000]
/** The finest grid on which a server turns `asked` into `stored`, or null. */
function gridBetween(asked, stored) {
	const micros = Math.round(stored * 1000)
	const lost = Math.round(asked * 1000) - micros
	if (lost === 0) return 1
	const fits = grid => {
		// By rounding to the nearest, down or (but for 1 ms, where a match proves more) up.
		const isRounded = lost < grid && lost >= (grid > 1000 ? 1 - grid : -grid / 2)
		return isRounded && (grid === 10_000 ? isOnCoarseGrid(stored) : micros % grid === 0)
	}
	return GRIDS_US.find(fits) ?? null
}
/** Some servers compute it anew, or round up. */
const MAX_DRIFT_MS = 50
/** 1/300 s is written with a last digit of 0, 3 or 7. */
function isOnCoarseGrid(stored) {
	return [0, 3000, 7000].includes(Math.round(stored * 1000) % 10_000)
}
/** `exact` proves that this request made the key (odds: docs/design.md), `near` does not. */
function fitOf(intent, stored, grid = Infinity) {
	if (stored === null) return 'none'
	const drifted = Math.abs(stored - intent.expiry) < MAX_DRIFT_MS ? Infinity : NaN
	const needed = gridBetween(intent.expiry, stored) ?? drifted
	if (!(needed <= grid)) return 'none'
	const isWholeSecond = Math.round(intent.expiry * 1000) % 1_000_000 === 0
	// On a coarse grid, other runs' keys share the few values.
	const mayBeCoarse = needed > 1 && grid > 1000 && isOnCoarseGrid(stored)
	return needed > 1000 || isWholeSecond || mayBeCoarse ? 'near' : 'exact'
}
/** The zone (ms) that brings `local` nearest to `instant`, or 0. */
function nearestZone(local, instant) {
	const shift = Math.round((local - instant) / ZONE_STEP_MS) * ZONE_STEP_MS
	return Math.abs(shift) <= MAX_ZONE_MS ? shift : 0
}
/** The key's times without the offset (`zone`, in ms) of a server that writes local times. */
function withoutZone({ createdAt, expiresAt }, intent) {
	const nearest = expiresAt === null ? 0 : nearestZone(expiresAt, intent.expiry)
	const moved = (time, zone) => (time === null ? null : time - zone)
	const zone = fitOf(intent, moved(expiresAt, nearest)) === 'none' ? 0 : nearest
	return { createdAt: moved(createdAt, zone), expiresAt: moved(expiresAt, zone), zone }
}
/** `Date` has whole seconds, and takes a while to arrive. */
const CLOCK_SLACK_MS = 5_000
/** Our own clock is corrected only beyond a minute. */
const LOCAL_CLOCK_SLACK_MS = 65_000
/** By our clock, or by one that differs by one of `skews`. */
function isWithin(created, { from, to, skews, isStrict, inAnyZone }) {
	if (created === null) return false
	const fits = (skew, slack) => {
		const late = created - (from + skew - slack)
		const zone = inAnyZone ? Math.floor(late / ZONE_STEP_MS) * ZONE_STEP_MS : 0
		return Math.abs(zone) <= MAX_ZONE_MS && zone <= late && late <= to - from + 2 * slack + zone
	}
	const isNow = fits(0, isStrict ? CLOCK_SLACK_MS : LOCAL_CLOCK_SLACK_MS)
	return isNow || skews.some(skew => skew !== null && fits(skew, CLOCK_SLACK_MS))
}
/** Limits of an API are about whole minutes, expiries of other runs are not. */
function isCapped({ createdAt, expiresAt }, intent) {
	if (createdAt === null || expiresAt === null) return false
	if (expiresAt - Math.max(0, nearestZone(createdAt, intent.sentAt)) >= intent.expiry) return false
	const lifetime = expiresAt - createdAt
	return lifetime >= 60_000 && Math.abs(lifetime - Math.round(lifetime / 60_000) * 60_000) <= 50
}

const STATE_NAME = 'record'

/** Whether the key is certainly revoked or expired. */
function isVerifiedRevoked({ granted, rejected, missing, expired }) {
	return rejected && (granted || missing || expired)
}
const MAX_REPLICA_LAG_MS = 15_000
/** Whether every replica knows the key. */
function isOldEnough({ createdAt }, { startedAt, clock, skew }) {
	const now = clock.now()
	const age = createdAt === null || skew === null ? 0 : now + skew - createdAt
	return Math.max(now - startedAt, age) >= MAX_REPLICA_LAG_MS
}
const VERIFY_FOR_MS = 10_000
const PROBE_INTERVAL_MS = 500
const EXPIRY_MARGIN_MS = 1_000
/** Kept free, however long the waits are. */
const LAST_ROUND_MS = 750
/** Revokes `key` with itself, or with `credential` where that does not end it, until verified or hopeless. */
async function revokeAndVerify(key, context) {
	const { clock, random, budget } = context
	const nothing = { granted: false, rejected: false, missing: false, expired: false, idle: 0, claimed: false }
	const revocation = { ...context, ...nothing, startedAt: clock.now() }
	const { token } = key
	let wasGranted = false
	let refusals = 0
	for (let round = 1; ; round++) {
		const refusal = await requestRevocation(key, revocation)
		const probed = token === null || isVerifiedRevoked(revocation) ? null : await probeUntilRejected(token, refusal, revocation)
		if (!isVerifiedRevoked(revocation) && (token === null || revocation.rejected))
			revocation.missing = (await context.isMissing?.(key, revocation)) ?? false
		wasGranted ||= refusal === null
		const verified = isVerifiedRevoked(revocation)
		if (verified || revocation.missing) return { revoked: true, verified, granted: wasGranted }
		// A later 401 is not the effect of this grant.
		if (probed?.ok) revocation.granted = revocation.claimed = false
		if (refusal === null && !revocation.rejected) revocation.idle++
		// A refusal may pass: it is final the second time, if the API itself still accepts the key.
		if (refusal !== null && probed?.ok !== false && !revocation.mayPass) refusals++
		// Of a key without a value, only a list can show more.
		const lacksList = token === null && refusal === null && !context.isMissing
		const spare = refusals < 2 && !lacksList ? budget.left() - LAST_ROUND_MS : 0
		if (spare > 0) await budget.pause(Math.min(backoff(round, random()), spare))
		if (spare <= 0 || budget.left() <= PROBE_INTERVAL_MS)
			return { revoked: false, reason: reasonOf(refusal, probed, { ...revocation, granted: wasGranted }) }
	}
}
/** Null once granted, else the last failure. A rate limit may be of one credential alone. */
async function requestRevocation(key, revocation) {
	const { budget, random, clock, credential, idle } = revocation
	const { token } = key
	const order = [
		[token, credential],
		[credential, token]
	][idle] ?? [credential ?? token]
	let turns = order.flatMap(secret => (secret === null ? [] : { secret, dueAt: 0 }))
	let asked = turns
	let failure = NO_CREDENTIAL
	const ask = async () => {
		for (const turn of asked) {
			const { secret } = turn
			const refusal = await requestWith(secret, key, revocation)
			if (refusal === null) return { ok: true, skew: null, value: null }
			const { status, retryAfter = 0 } = refusal
			failure = refusal
			turns = turns.filter(other => other !== turn)
			if (mayChange(refusal)) turns.push({ secret, status, dueAt: clock.now() + retryAfter })
			if (budget.left() <= PROBE_INTERVAL_MS) break
		}
		revocation.mayPass = turns.length > 0 || (token !== null && !order.includes(token))
		turns.sort((a, b) => a.dueAt - b.dueAt)
		const limited = turns.find(({ status }) => status === 429)
		// Else, the next round retries.
		asked = limited ? turns.slice(0, 1) : []
		const [next] = asked
		if (limited && limited !== next) budget.extend(limited.dueAt - clock.now())
		const wait = next && { status: next.status, retryAfter: Math.max(0, next.dueAt - clock.now()) }
		return { ok: false, skew: null, failure: { ...failure, ...wait } }
	}
	const result = await retry(ask, { budget, random, shouldRetry: () => asked.length > 0 })
	return result.ok ? null : result.failure
}
async function requestWith(credential, key, revocation) {
	const { api, budget } = revocation
	const result = await api.revoke(credential, key.id, budget.limits())
	if (result.ok) {
		revocation.granted ||= credential === key.token || (await isRealGrant(key, credential, revocation))
		revocation.rejected = false
		return null
	}
	if (credential !== key.token && isUnknownId(result) && revocation.claimed) {
		revocation.granted = true
		// An earlier 401 proves nothing: the key is probed again.
		revocation.rejected = false
	}
	if (!isRejected(result)) return result.failure
	if (credential !== key.token) return { ...result.failure, message: `api-key was rejected: ${result.failure.message}` }
	// Some APIs give 401 to a key that may not revoke itself.
	const probed = await api.probe(credential, budget.limits())
	revocation.rejected = isRejected(probed)
	revocation.expired = hasExpired(key, probed.skew, revocation)
	return result.failure
}
/** An API may grant what a replica does not know; not if it answers 404 to the same request then. */
async function isRealGrant(key, credential, revocation) {
	if (key.token === null || (!revocation.rejected && isOldEnough(key, revocation))) return true
	revocation.claimed = true
	return isUnknownId(await revocation.api.revoke(credential, key.id, revocation.budget.limits()))
}
const isUnknownId = result => !result.ok && result.failure.status === 404 && !result.failure.notFromApi
const isRateLimited = ({ status }) => status === 429
/** A replica that does not know the key gives 401 or 404; portals redirect, and gates break TLS, for a while. */
const mayChange = ({ retryable, status = 401 }) => retryable || [401, 404].includes(status) || status < 400
const NO_CREDENTIAL = { message: 'there was no credential left that may be sent', mayHaveActed: false, retryable: false }
/** By every clock that may be right. */
function hasExpired({ expiresAt }, dateSkew, { clock, skew }) {
	const serverSkews = [skew, dateSkew].filter(known => known !== null)
	if (expiresAt === null || serverSkews.length === 0) return false
	return expiresAt + EXPIRY_MARGIN_MS < clock.now() + Math.min(0, ...serverSkews)
}
/** Probes until a 401, or for 10 s; after a refusal, until there is an answer; once if another round follows. */
async function probeUntilRejected(token, refusal, revocation) {
	const { api, clock, random, budget } = revocation
	for (let end = Infinity; ; ) {
		const options = { budget, random, shouldRetry: isRateLimited, isImpatient: true }
		const result = await retry(limits => api.probe(token, limits), options)
		end = Math.min(end, clock.now() + VERIFY_FOR_MS)
		revocation.rejected = isRejected(result)
		// What gives an empty success to every request granted nothing.
		if (!result.ok && result.failure.unusable && result.failure.status) revocation.granted = revocation.claimed = false
		const isAnswered = revocation.mayPass || result.ok || !result.failure.retryable
		if (revocation.rejected || (refusal !== null && isAnswered) || clock.now() >= end || budget.left() <= 3 * PROBE_INTERVAL_MS) return result
		await budget.pause(PROBE_INTERVAL_MS * (1 + random()))
	}
}
function reasonOf(refusal, probed, { granted, rejected }) {
	const now = rejected
		? 'the API rejects the key, but nothing confirms that it was revoked'
		: probed?.ok
			? 'the API still accepts it'
			: (probed?.failure.message ?? 'no list confirms that it is gone')
	return `${(!granted && refusal?.message) || 'the revocation was granted'}; ${now}`
}

module.exports = {
	AUTHORITIES,
	CANCEL,
	KEYS_PATH,
	MAX_ATTEMPT_MS,
	NO_CREDENTIAL,
	PRECISIONS_US,
	STATE_NAME,
	bootedAt,
	connect,
	createBudget,
	createCaller,
	createCancellation,
	createIntent,
	createIssuingApi,
	failStep,
	field,
	fitOf,
	formatExactly,
	formatSeconds,
	formatUtc,
	getInput,
	getState,
	gridBetween,
	hasHeader,
	isCapped,
	isHeaderSafe,
	isLoopback,
	isOldEnough,
	isOnCoarseGrid,
	isStored,
	isWithin,
	keyLabel,
	keySummary,
	longestBackoff,
	nearestZone,
	networkSettings,
	parseJson,
	proxyFor,
	proxyLogins,
	readId,
	readKey,
	retry,
	revokeAndVerify,
	rowsOf,
	runner,
	systemClock,
	textOf,
	withoutZone
}
