'use strict'

const node_fs = require('node:fs')

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
const MINUTE_MS$1 = 60_000
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
	const unit = second ? 1000 : minute ? MINUTE_MS$1 : 60 * MINUTE_MS$1
	const offset = (part('zoneHour') * 60 + part('zoneMinute')) * (sign === '+' ? 1 : -1)
	const minutes = part('hour') * 60 + part('minute') - offset
	return midnight + minutes * MINUTE_MS$1 + part('second') * 1000 + Number(`0.${fraction}`) * unit
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

const MAX_PAGES = 100
/** Reads the list once, page by page. Called again after a failure, an attempt goes on with the page that failed. */
function createLister(call, apiUrl, now) {
	const start = new URL(`${apiUrl}${KEYS_PATH}`)
	return credential => {
		const keys = []
		const visited = new Set()
		let doubt = null
		let skew = null
		let url = start
		return async limits => {
			const deadline = now() + limits.timeout
			while (url !== null) {
				const timeout = Math.max(1, Math.min(MAX_ATTEMPT_MS, deadline - now()))
				const result = await call({ method: 'GET', url, credential }, { ...limits, timeout }, readPage)
				if (!result.ok) return result
				visited.add(url.href)
				const page = result.value
				skew = result.skew ?? skew
				keys.push(...page.keys)
				doubt ??= page.doubt
				url = page.next === null ? null : nextUrl(page.next, start)
				if (url === null && page.count !== null && page.count !== new Set(keys.map(({ id }) => id)).size)
					doubt ??= `it shows ${keys.length} of ${page.count} keys`
				if (url !== null && (visited.has(url.href) || visited.size === MAX_PAGES)) {
					doubt ??= visited.size === MAX_PAGES ? `it has more than ${MAX_PAGES} pages` : 'its pages repeat'
					url = null
				}
			}
			return { ok: true, skew, value: { keys, doubt, pages: visited.size } }
		}
	}
}
/** All calls. The main step does not load the list. */
function createKeyApi(options) {
	return { ...createIssuingApi(options), list: createLister(createCaller(options), options.apiUrl, options.now) }
}
/** Always on our own host: the credential goes nowhere else. */
function nextUrl(next, start) {
	const isBareQuery = /^[\w-]+=/.test(next)
	const named = URL.parse(isBareQuery ? `?${next}` : next, start.href) ?? start
	const tail = named.pathname.split(KEYS_PATH)[1]
	const url = new URL(start)
	url.pathname = tail === undefined ? named.pathname : start.pathname + tail
	url.search = named.search
	return url
}
/** Another field may announce more keys. */
const KNOWN_FIELDS = ['results', 'next', 'previous', 'count']
/** Headers of a list that may lack a key. */
const PARTIAL = [
	/^link: .*rel\s*=[\s"']*[^"',;]*\b(next|last)\b/i,
	/^(?!x-total-count:)(\S*[-_])?(total|next|(has)?more|cursor|continuation|incomplete|pag(es?|ing|ination)|truncated|last-\S*key)([-_]?(count|items|elements|records?|results|pages?|range|cursor|next|offset|token|url|size))*: ./,
	/^(x-)?((list|results?)[-_](count|size)|results?|offset|count): .*\d/,
	/^((x-)?(scroll|marker|bookmark)(-id)?|x-(content-)?range): ./
]
/** Throws if this is neither an array nor `{results, next}`. */
function readPage({ status, headers, body }) {
	const answer = parseJson(body)
	const described = rowsOf(answer).map(readKey)
	const keys = described.flatMap(key => (key.id === null ? [] : { ...key, id: key.id }))
	const unread = described.filter(key => key.id === null || key.unreadable !== null || (key.createdAt ?? key.expiresAt) === null).length
	// An absolute URL, a path or a query; null on the last page.
	const next = textOf(field(answer, 'next'))
	const totals = [field(answer, 'count'), headers['x-total-count'], headers['content-range']].flatMap(total =>
		total === undefined || total === null ? [] : (/(?:^|\/|, )(\d+)$/.exec(String(total).slice(-15))?.[1] ?? 'unreadable')
	)
	const count = Number(totals[0] ?? Number.NaN)
	const isUnknown = !Array.isArray(answer) && Object.keys(answer ?? {}).some(name => !KNOWN_FIELDS.includes(name))
	const isOddNext = next === null && Boolean(field(answer, 'next'))
	const isOdd = status !== 200 || isUnknown || isOddNext || totals.some(total => Number(total) !== count)
	const doubts = [
		unread > 0 && `${unread} of its rows cannot be read`,
		(isOdd || hasHeader(PARTIAL, headers)) && 'it may have pages that cannot be found',
		isStored(headers) && 'it comes from a cache'
	]
	// Why a key may exist that this page does not show.
	const doubt = doubts.find(Boolean) || null
	return { keys, next, doubt, count: Number.isNaN(count) ? null : count }
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

/** A gateway may have repeated a request that took longer. */
const SLOW_RESPONSE_MS = 3_000

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

/** Why this list cannot show that a key is absent, or null. `gone`: IDs of revoked keys. */
function doubtAbout(list, credential, gone) {
	// A JWT is no key, so no list shows it.
	const isJwt = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential)
	const doubts = [
		list.doubt,
		!isJwt && ownRows(list, credential).length !== 1 && 'it does not show the key that it was read with',
		list.keys.some(({ id }) => gone.has(id)) && 'it still shows a key that was revoked'
	]
	const doubt = doubts.find(Boolean)
	return doubt ? `the list of keys cannot be relied on, because ${doubt}` : null
}
/** The rows that may be that of `credential`. */
function ownRows({ keys }, credential) {
	return keys.filter(({ prefix }) => prefix !== '' && credential.startsWith(prefix))
}
/** Some APIs write IDs in another form in the list. */
function isRowOf({ id, prefix, expiresAt }, row) {
	return row.id === id || (prefix !== '' && row.prefix.startsWith(prefix) && row.expiresAt === expiresAt)
}
/** See `RevocationContext.isMissing`. */
function missingCheck({ api, gone }) {
	return async (key, revocation) => {
		const { credential, granted } = revocation
		if (credential === null || !(granted || isOldEnough(key, revocation))) return false
		const read = await readList(credential, { ...revocation, api })
		if (!read.ok || doubtAbout(read.value, credential, gone) !== null) return false
		const own = ownRows(read.value, credential)
		const others = ownRows(read.value, key.token ?? '').filter(row => !own.includes(row))
		return others.length === 0 && !read.value.keys.some(row => isRowOf(key, row))
	}
}
/** Several pages are read twice: a key that disappears moves others past the page that is read next. */
async function readList(credential, context) {
	const read = () => retry(context.api.list(credential), context)
	const first = await read()
	const second = first.ok && first.value.pages > 1 ? await read() : first
	if (!first.ok || !second.ok) return second
	const byId = new Map([...first.value.keys, ...second.value.keys].map(key => [key.id, key]))
	return { ...second, value: { ...second.value, keys: [...byId.values()], doubt: first.value.doubt ?? second.value.doubt } }
}

/** No credential is shorter; masking a value such as `true` would ruin the log. */
const MIN_CREDENTIAL_LENGTH = 8
/** What a log must not show, if not shorter than `shortest`. The runner masks no hex or base64url. */
function maskedForms(secret, shortest = 3) {
	const bytes = Buffer.from(secret, 'utf8')
	const lines = secret.split(/[\r\n]+/)
	const forms = [
		...(lines.some(line => line !== '' && line.length < shortest) ? [] : [secret]),
		...lines,
		bytes.toString('base64'),
		bytes.toString('base64url'),
		bytes.toString('hex'),
		// Half a surrogate pair has no URL form.
		secret.isWellFormed() ? encodeURIComponent(secret) : '',
		JSON.stringify(secret).slice(1, -1)
	]
	if (secret.trim().length < shortest) return []
	return [...new Set(forms)].filter(form => form.trim().length >= shortest)
}

/** The tag's range: 26 bits, so that the expiry of a new key is at most 37.3 hours earlier than asked. */
const TAG_RANGE = 2 ** 26
/** The longest lifetime of a key that the main action creates, in milliseconds: a rotated key always outlives it. */
const MAX_EPHEMERAL_LIFETIME_MS = 5 * 24 * 3_600_000
/**
 * The tag that the expiry of every key of `rotation` carries: the first 26 bits of SHA-256 over its name. GitHub
 * compares organizations, environments and secrets without case, so the tag does as well.
 */
function rotationTag({ apiUrl, server, scope, environment, secret }, sha256) {
	const place = [server, scope, environment].map(part => part.toLowerCase())
	const name = [apiUrl, ...place, secret.toUpperCase()].join('\n')
	const [first = 0, second = 0, third = 0, fourth = 0] = sha256(name)
	return first * 2 ** 18 + second * 2 ** 10 + third * 2 ** 2 + (fourth >> 6)
}
/** The server whose API is at `githubApiUrl`, by the name that people know: github.com for https://api.github.com. */
function githubServer(githubApiUrl) {
	return new URL(githubApiUrl).host.replace(/^api\./, '')
}
/** Whether a rotation may have made a key: it outlives keys of the main action, and expires in no first millisecond. */
function canHaveRotationTag({ createdAt, expiresAt }) {
	if (createdAt === null || expiresAt === null) return false
	return expiresAt - createdAt > MAX_EPHEMERAL_LIFETIME_MS && Math.floor(expiresAt) % 1000 !== 0
}
/**
 * Whether a key was made by the rotation with this tag: its expiry is also congruent to the tag modulo 2^26 ms,
 * microseconds aside. A random expiry fits with a probability of 1.5e-8.
 */
function hasRotationTag(key, tag) {
	return canHaveRotationTag(key) && Math.floor(Number(key.expiresAt)) % TAG_RANGE === tag
}

// What a run of rotate decides, as pure functions. Instants are milliseconds since 1970 by the API's clock.
const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
/** A key is written to the secret within this time of its creation, or never. */
const WRITE_WITHIN_MS = 10 * 60 * 1000
/**
 * A key is only retired if it was created at least this long before the key in hand. Because of WRITE_WITHIN_MS, it was
 * then last written before the key in hand was created, even if GitHub carried a write out 50 minutes late.
 */
const MIN_GAP_MS = HOUR_MS
/** Added to the overlap: the longest time between creation and the end of the last write. */
const OVERLAP_MARGIN_MS = HOUR_MS
/** The least time to fix a failing rotation before the key in the secret expires. */
const MIN_RECOVERY_MS = 7 * DAY_MS
/** Whether the three durations leave at least 7 days to fix a failing rotation. */
function areLimitsConsistent({ rotateAfter, expiresIn, overlap }) {
	return expiresIn >= rotateAfter + overlap + MIN_RECOVERY_MS
}
/** What the rule of keysToRetire adds to the overlap, and an hour for the time at which a daily run starts. */
const RETIRE_MARGIN_MS = 2 * HOUR_MS
/**
 * Whether a key gets old enough, before it is replaced, for the keys that it replaced to be retired. Otherwise none ever
 * would be, and each would stay valid until it expires.
 */
function canRetire({ rotateAfter, overlap }) {
	return rotateAfter >= overlap + RETIRE_MARGIN_MS
}
/** The shortest consistent `expires-in`, in days. */
function minLifetimeDays({ rotateAfter, overlap }) {
	return Math.ceil((rotateAfter + overlap + MIN_RECOVERY_MS) / DAY_MS)
}
/** The only row of the list whose prefix `token` begins with, or the reason why there is no such row. */
function findCurrentKey({ keys, doubt }, token) {
	const rows = keys.filter(({ prefix }) => prefix !== '' && token.startsWith(prefix))
	const [only] = rows
	if (only && rows.length === 1) return only
	if (rows.length > 1) return `its first characters match ${rows.length} keys in the list`
	return `no key in the list matches its first characters${doubt === null ? '' : ` (${doubt})`}`
}
/** Whether this rotation made the key. A key without an expiry was never made by it. */
function isOwn(key, tag) {
	return key.unreadable === null && hasRotationTag(key, tag)
}
/** Whether a key lives no longer than those of the main action. */
function isEphemeral({ createdAt, expiresAt }) {
	return createdAt !== null && expiresAt !== null && expiresAt - createdAt <= MAX_EPHEMERAL_LIFETIME_MS
}
/** Whether a key has expired: some APIs list such keys. */
function isExpired({ expiresAt }, now) {
	return expiresAt !== null && expiresAt <= now
}
/** By how much `taggedExpiry` is at most earlier than requested, in milliseconds. */
const MAX_EXPIRY_SHIFT_MS = 2 * TAG_RANGE
/** The latest instant up to `latest` that carries the tag and is not a whole second. */
function taggedExpiry(latest, tag) {
	const whole = Math.floor(latest)
	const expiry = whole - ((whole - tag) % TAG_RANGE)
	// An API that drops fractions stores only whole seconds; those must not look like ours.
	return expiry % 1000 === 0 ? expiry - TAG_RANGE : expiry
}
/** How finely an expiry is requested, in microseconds: a server may refuse more digits than it keeps. */
const PRECISIONS_US = [1, 1000, 1_000_000]
/** Below half a millisecond, so that a server that rounds to milliseconds stores the tagged one. */
const MAX_NONCE_US = 499
/**
 * The expiry to request. Two runs at once have the same tagged millisecond, so microseconds tell their keys apart: a
 * gateway may answer one run with the key of the other. `random` is in [0, 1).
 */
function requestedExpiry(latest, tag, { precision, random }) {
	if (precision === 1_000_000) return Math.floor(latest / 1000) * 1000
	const nonce = precision === 1 ? 1 + Math.floor(random * MAX_NONCE_US) : 0
	return (taggedExpiry(latest - 1, tag) * 1000 + nonce) / 1000
}
/**
 * The order in which places are written: `home`, where the key in hand came from, is last. A run that is killed in
 * between leaves the old key there, so the next run rotates again and writes every place.
 */
function writeOrder(home, copies) {
	return [...copies, home]
}
/** When the keys that a key created at `createdAt` replaced can be retired. */
function retirableAt(createdAt, { overlap }) {
	return createdAt + overlap + OVERLAP_MARGIN_MS
}
/**
 * The keys that can be revoked now, because no run can still need them. An own key X that was created an hour or more
 * before the key in hand was last written before the key in hand was: the secret holds the key in hand or a later one,
 * even if the key in hand is stale. And whoever was given X was queued longer ago than the overlap.
 */
function keysToRetire(facts) {
	return isAnyPlaceInDoubt(facts) ? [] : retirableKeys(facts)
}
/** The keys that could be revoked now if no place might hold an older key than the key in hand. */
function keysInDoubt(facts) {
	return isAnyPlaceInDoubt(facts) ? retirableKeys(facts) : []
}
/** Whether some place may hold an older key than the key in hand. */
function isAnyPlaceInDoubt(facts) {
	return facts.updates.some((_, index) => mayHoldOlderKey(index, facts))
}
function retirableKeys(facts) {
	const { keys, current, tag, overlap, now, initialKeyId, updates } = facts
	if (current.createdAt === null || !isOwn(current, tag)) return []
	if (now <= retirableAt(current.createdAt, { overlap })) return []
	// Until it was last written, a copy may have held a key older than the key in hand: a stale run knows fewer copies.
	if (updates.some(at => at !== null && now <= retirableAt(at, { overlap }))) return []
	const { createdAt: currentCreatedAt } = current
	return keys.filter(key => {
		if (key.id === current.id || key.createdAt === null || isExpired(key, now)) return false
		if (isOwn(key, tag)) return key.createdAt <= currentCreatedAt - MIN_GAP_MS
		return key.id === initialKeyId && key.createdAt < currentCreatedAt
	})
}
/**
 * The keys that an emergency has to revoke: the key in hand (even if `keys` lacks it), the initial key and every own key
 * but the new one. `young` are those that are not so much older than the new key that no late write can restore them.
 */
function keysToRevokeNow(facts) {
	const { keys, current, tag, initialKeyId, created } = facts
	const others = keys.filter(key => key.id !== current.id && key.id !== created.id && !isExpired(key, facts.now))
	const old = [current, ...others.filter(key => isKnownLater(key, { tag, initialKeyId }))]
	const isYoung = ({ createdAt }) => createdAt === null || createdAt > created.createdAt - MIN_GAP_MS
	return { now: old.filter(key => !isYoung(key)), young: old.filter(isYoung) }
}
/** Whether a later run, with another key in hand, knows that it may revoke this key. */
function isKnownLater(key, { tag, initialKeyId }) {
	return isOwn(key, tag) || key.id === initialKeyId
}
/**
 * When the key has to be replaced: at the age of `rotateAfter`, or while enough is left of its lifetime to recover from
 * failures, whichever is earlier. A key that never expires, or whose creation cannot be read, is due at once (0). This
 * does not depend on the tag, so an API that rounds expiries does not cause a rotation every day.
 */
function dueAt({ createdAt, expiresAt, unreadable }, { rotateAfter, expiresIn }) {
	if (createdAt === null || (expiresAt === null && unreadable === null)) return 0
	const byAge = createdAt + rotateAfter
	if (expiresAt === null) return byAge
	// Own keys expire up to MAX_EXPIRY_SHIFT_MS early; for them, the age decides.
	return Math.min(byAge, expiresAt - (expiresIn - rotateAfter) + MAX_EXPIRY_SHIFT_MS)
}
/**
 * When the next key is due although `current` is still passed as api-key: with the newest key, which the secret got, or a
 * week before the key in hand expires, as it may be the secret's after all. Otherwise each run would add a key.
 */
function dueWhileStuck(current, newest, limits) {
	return Math.min(dueAt(newest, limits), (current.expiresAt ?? Number.POSITIVE_INFINITY) - MIN_RECOVERY_MS)
}
/**
 * Whether a secret changed between two readings of `updated_at` (null: absent or unreadable). Whole seconds count, as
 * one reading may have more digits than the other. So the second of two writes within one second is not shown: writing
 * the same value again is harmless and shows it.
 */
function writeVisibility(before, after) {
	if (before === null) return 'unknown'
	return after !== null && wholeSecond(after) > wholeSecond(before) ? 'shown' : 'not shown'
}
/** By how much GitHub's clock and the API's may differ, in milliseconds. */
const CLOCKS_DIFFER_MS = HOUR_MS
/**
 * Whether a place was last written before the key in hand was created, and so holds an older key: it was added to
 * `copies` after the last rotation.
 */
function holdsOlderKey(updatedAt, { createdAt }) {
	return updatedAt !== null && createdAt !== null && updatedAt < createdAt - CLOCKS_DIFFER_MS
}
/** `updated_at` has whole seconds, and GitHub may carry out the last write a little late. */
const WRITE_MARGIN_MS = 60_000
/**
 * Whether a copy was last written so long before or after home that no finished rotation wrote both: it writes copies
 * first, and home within ten minutes. If a rotation wrote one of them, the other may hold any key. GitHub's clock says
 * both, so this needs no agreement with the API's.
 */
function writtenApart(updatedAt, homeUpdatedAt) {
	if (updatedAt === null || homeUpdatedAt === null) return null
	if (updatedAt < homeUpdatedAt - WRITE_WITHIN_MS - WRITE_MARGIN_MS) return 'before'
	return updatedAt > homeUpdatedAt + WRITE_MARGIN_MS ? 'after' : null
}
/** A rotation this long ago at most is not repeated only because home and a copy were written apart. */
const LATELY_MS = 2 * DAY_MS
/**
 * Whether this rotation made a key less than two days ago. If home and a copy were written apart nevertheless, something
 * else may write one of them: another key would not end that, and one in every run would fill the account.
 */
function rotatedLately({ keys, current, tag, now }) {
	return [current, ...keys].some(key => isOwn(key, tag) && key.createdAt !== null && key.createdAt > now - LATELY_MS)
}
/**
 * By how much the API's clock may be ahead of GitHub's before each place seems to be older than its key. Both clocks are
 * set by time servers, and a key is written seconds after its creation. A copy that a person saved in these seconds, and
 * listed later, would not be noticed.
 */
const CREATED_AHEAD_MS = 10_000
/**
 * Whether the place with this index may hold a key that is older than the key in hand: it was last written more than
 * 10 s before that key was created, or its `updated_at` is missing although others have one. The only place holds the
 * key in hand or a later one, whatever clocks say, because the key in hand came out of it. Beside copies, home may not:
 * one of them may shadow it.
 */
function mayHoldOlderKey(index, { updates, current }) {
	const updatedAt = updates[index] ?? null
	if (updatedAt === null) return updates.some(at => at !== null)
	if (updates.length === 1 || current.createdAt === null) return false
	return updatedAt < wholeSecond(current.createdAt) - CREATED_AHEAD_MS
}
const wholeSecond = time => Math.floor(time / 1000) * 1000
/** A server may round an expiry to its own grid, up to a minute; more than this is another lifetime. */
const ROUNDING_MS = 60_000
/** Whether two expiries are the same but for rounding; never if one is unknown. */
function isSameLifetime(expiresAt, other) {
	return expiresAt !== null && Math.abs(expiresAt - other) <= ROUNDING_MS
}
/** Whether an expiry is earlier than another, by more than rounding. */
function expiresEarlier(expiresAt, other) {
	return expiresAt < other - ROUNDING_MS
}
/**
 * Judges the response to a create request. A gateway may replay or mix up responses, and some APIs return a key that
 * existed before: such a key may be in use. The microseconds of the expiry prove that this run created the key, unless
 * it is old; without them, the time of its creation does.
 */
function judgeCreated(key, facts) {
	const { createdAt, expiresAt } = key
	const { asked } = facts
	const other = whyAnother(key, facts)
	if (other !== null) return { kind: 'refused', reason: other, orphan: true }
	const isExact = expiresAt !== null && hasMicroseconds(expiresAt) && toMicros(expiresAt) === toMicros(asked)
	// Without a Date, the clock of this machine may be wrong by years.
	const isOld = facts.skews.some(skew => skew !== null) && createdAt !== null && !isCreatedLately(createdAt, facts)
	if (!(isExact && !isOld) && !isCreatedNow(createdAt, facts)) {
		const created = createdAt === null ? 'an unknown time' : formatUtc(createdAt)
		return { kind: 'refused', reason: `it was created at ${created}, not now`, orphan: false }
	}
	const unusable = whyUnusable(key, facts)
	if (unusable !== null) return { kind: 'unusable', reason: unusable }
	const expiry = `it expires at ${formatUtc(expiresAt ?? 0)}, not at ${formatUtc(asked)} as requested`
	if (isSameLifetime(expiresAt, asked)) return { kind: 'ours' }
	if (isCapped(key, asked)) return { kind: 'unusable', reason: `${expiry}: the API shortens lifetimes. Lower expires-in` }
	return { kind: 'refused', reason: expiry, orphan: false }
}
const toMicros = time => Math.round(time * 1000)
const hasMicroseconds = time => toMicros(time) % 1000 !== 0
/** Why the key is certainly not the one that this request created, or null. */
function whyAnother({ token, id, expiresAt }, { asked, apiKey, knownIds }) {
	if (id === null) return 'the response has no id'
	if (token === apiKey) return 'it is api-key itself'
	if (knownIds.has(id)) return 'it existed before'
	if (expiresAt !== null && hasMicroseconds(expiresAt) && toMicros(expiresAt) !== toMicros(asked))
		return 'another run requested it (its expiry has other microseconds)'
	return null
}
/** By how much times may differ, in milliseconds: `Date` has whole seconds; without it, clocks may differ too. */
const SLACK_MS = { known: 5_000, unknown: 65_000 }
/** By either clock: `Date` may be wrong as well. */
function isCreatedNow(createdAt, { sentAt, answeredAt, skews }) {
	if (createdAt === null) return false
	const known = skews.filter(skew => skew !== null)
	const slack = known.length > 0 ? SLACK_MS.known : SLACK_MS.unknown
	return [0, ...known].some(skew => sentAt + skew - slack <= createdAt && createdAt <= answeredAt + skew + slack)
}
const MINUTE_MS = 60_000
/** Limits of an API are whole minutes, expiries of other runs are not. */
function isCapped({ createdAt, expiresAt }, asked) {
	const lifetime = Number(expiresAt) - Number(createdAt)
	return Number(expiresAt) < asked && Math.abs(lifetime - Math.round(lifetime / MINUTE_MS) * MINUTE_MS) <= 1
}
function whyUnusable({ token, createdAt, expiresAt, unreadable }, facts) {
	if (token === null) return 'the response has no key'
	if (createdAt === null) return 'the API does not say when it was created'
	if (expiresAt === null && unreadable !== null) return 'its expiry cannot be read'
	if (expiresAt === null) return 'it never expires, although an expiry was requested'
	if (isCreatedLately(createdAt, facts)) return null
	return `it was created at ${formatUtc(createdAt)}, but the time here is ${formatUtc(facts.answeredAt)}. Check the clock of the runner`
}
/** By any clock that may be right, give or take an hour. */
function isCreatedLately(createdAt, { answeredAt, skews }) {
	return [0, ...skews].some(skew => skew !== null && Math.abs(createdAt - answeredAt - skew) <= HOUR_MS)
}

/**
 * Reads the account's list, with retries; one of several pages twice (see `readList`). It may take as long as is left,
 * and a page at most 10 s.
 */
function listKeys(credential, { api, random }, budget) {
	const list = key => {
		const read = api.list(key)
		return limits => read({ ...limits, timeout: Math.max(1, budget.left()) })
	}
	return readList(credential, { api: { ...api, list }, budget, random })
}

/** The report of a run that has done nothing yet. */
function openReport() {
	return { state: 'Failed', notes: [], current: null, created: null, retired: [], dueAt: null }
}
/** Sets the outputs. `key-id` and the rest are those of the new key, else of the one in api-key. */
function setOutputs({ state, current, created, retired, dueAt }, runner) {
	const key = created ?? current
	const instant = known => (known ? new Date(known).toISOString() : '')
	runner.setOutput('rotated', String(state.startsWith('Rotated')))
	runner.setOutput('key-id', key?.id ?? '')
	runner.setOutput('key-prefix', key?.prefix ?? '')
	runner.setOutput('expires-at', instant(key?.expiresAt))
	runner.setOutput('due-at', instant(dueAt))
	runner.setOutput('retired', JSON.stringify(retired.map(({ id }) => id)))
}
/** The job summary, in Markdown. */
function summaryOf(report) {
	const { state, notes, current, created, retired, dueAt } = report
	const rows = [
		...(created ? [rowOf(created, 'New; in the secret')] : []),
		...(current ? [rowOf(current, statusOfCurrent(report))] : []),
		...retired.filter(({ id }) => id !== current?.id).map(key => rowOf(key, 'Revoked'))
	]
	const table = rows.length === 0 ? [] : ['| Key | Created | Expires | Status |', '| --- | --- | --- | --- |', ...rows, '']
	return [
		`### SphereScout key rotation: ${state}`,
		'',
		...table,
		...(dueAt === null ? [] : [`- Next rotation: ${dueAt === 0 ? 'now' : `due at ${formatUtc(dueAt)}`}`]),
		...validityOf(report),
		// Text of a server must not become a link.
		...notes.map(note => `- ${note.replace(/[[\]]|(?<=:)\/\/|(?<=www)\./gi, '\\$&')}`),
		''
	].join('\n')
}
/** The secret may hold a newer key than api-key: another run wrote it, or a write that GitHub did not confirm. */
function validityOf({ created, current }) {
	const key = created ?? current
	if (key === null) return []
	const what = created ? 'the secret' : 'the key in api-key'
	if (key.expiresAt === null && key.unreadable !== null) return ['- The expiry of the key in api-key cannot be read.']
	if (key.expiresAt === null) return ['- The key in api-key has no expiry.']
	return [`- If rotation stops, ${what} works until ${formatUtc(key.expiresAt)}.`]
}
function statusOfCurrent({ created, current, retired }) {
	if (retired.some(({ id }) => id === current?.id)) return 'Revoked'
	return created ? 'Replaced; still valid' : 'Received as api-key'
}
function rowOf(key, status) {
	const instant = (known, none) => (known === null ? none : formatUtc(known))
	const noExpiry = key.unreadable === null ? 'never' : 'unreadable'
	return `| \`${keyLabel(key)}\` | ${instant(key.createdAt, '')} | ${instant(key.expiresAt, noExpiry)} | ${status} |`
}
/** Text from a server for the summary and the log: one line, without Markdown or runner commands. */
function plainLine(text) {
	return sanitizeLine(text).replace(/[|`<>\\]/g, '?')
}
/** Writes the summary. */
function writeRotationSummary(report, runner) {
	runner.writeSummary(summaryOf(report))
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

const ROTATE_STATE_VERSION = 1
const ROTATE_STATE_NAME = 'rotation'
/** Reads what the main step saved. Never throws; requires every field, each of its type, and such that requests can be sent. */
function parseRotateState(text) {
	if (text === '') return { kind: 'none' }
	try {
		const value = JSON.parse(text)
		return isRotateState(value) ? { kind: 'record', state: value } : { kind: 'unreadable' }
	} catch {
		return { kind: 'unreadable' }
	}
}
const PHASES = ['creating', 'created', 'writing', 'revoking', 'settled']
/** After the key was created, the record names it. */
const NEEDS_KEY = ['created', 'writing']
function isRotateState(value) {
	return (
		isRecord(value) &&
		value.version === ROTATE_STATE_VERSION &&
		areTexts(value, ['apiUrl', 'apiKey', 'userAgent', 'proxy', 'leaked']) &&
		areSendable(value) &&
		isRecord(value.settings) &&
		areTexts(value.settings, Object.keys(value.settings)) &&
		PHASES.includes(value.phase) &&
		isInstant(value.expiry) &&
		(value.key === null ? !NEEDS_KEY.includes(value.phase) : isUnusedKey(value.key)) &&
		(value.phase !== 'revoking' || value.leaked !== '')
	)
}
/** What Node or the URL would refuse to send, or would send elsewhere. */
function areSendable({ apiUrl, userAgent, proxy }) {
	return /^https?:/.test(String(apiUrl)) && URL.canParse(String(apiUrl)) && /^[\x20-\x7e]*$/.test(String(userAgent)) && isProxyUsable(String(proxy))
}
/** As `proxyFor` returned it; a loopback host has none, whatever the variable says. */
function isProxyUsable(proxy) {
	try {
		return proxyFor(new URL('https://api.invalid'), { https_proxy: proxy }) === proxy
	} catch {
		return false
	}
}
function isUnusedKey(value) {
	return (
		isRecord(value) &&
		areTexts(value, ['prefix']) &&
		typeof value.id === 'string' &&
		readId(value.id) !== null &&
		(value.token === null || typeof value.token === 'string') &&
		[value.createdAt, value.expiresAt].every(time => time === null || isInstant(time))
	)
}
function isRecord(value) {
	return typeof value === 'object' && value !== null
}
function areTexts(value, names) {
	return names.every(name => typeof value[name] === 'string')
}
function isInstant(value) {
	return typeof value === 'number' && Math.abs(value) <= 8.64e15
}

/** Saves nothing before the first call. */
function openRecord(runner, start) {
	let expiry = 0
	let key = null
	const save = phase => {
		const state = { version: ROTATE_STATE_VERSION, ...start, phase, expiry, key }
		runner.saveState(ROTATE_STATE_NAME, JSON.stringify(state))
	}
	return {
		creating(asked) {
			expiry = asked
			key = null
			save('creating')
		},
		created(made) {
			key = made
			save('created')
		},
		writing: () => save('writing'),
		revoking() {
			key = null
			save('revoking')
		},
		settled() {
			key = null
			save('settled')
		}
	}
}
/** A state file that cannot be written must not stop what is more urgent. */
function saveIfPossible(save) {
	try {
		save()
	} catch {
		// The post step then finds an older record: it leaves the key alone, or revokes a revoked key. Both are harmless.
	}
}

/** Create requests of one run, not counting those refused for their digits (400): one without an answer may leave an orphan. */
const MAX_ATTEMPTS = 3
/** An attempt needs at least this much time, in milliseconds. */
const MIN_ATTEMPT_MS = 500
const PROVE_INTERVAL_MS = 1_000
/** How long revoking an unused key may take, in milliseconds: long enough for a list to count as proof. */
const DISCARD_TIMEOUT_MS = 20_000
/**
 * Creates a key that carries the tag, and masks it. Throws an Error if there is no usable key. An orphan is left to a
 * later run: two runs at once may request the same expiry, so it may be the other run's key, which the secret may hold.
 */
async function createKey(request, record, deps) {
	const { clock, api } = deps
	const budget = createBudget({ deadline: clock.now() + request.timeout, clock, cancellation: deps.cancellation })
	// A listed key with the tag shows that the API keeps milliseconds: whole seconds could carry none.
	const keepsTag = request.known.some(key => isOwn(key, request.tag))
	const precisions = keepsTag ? PRECISIONS_US.filter(one => one < 1_000_000) : PRECISIONS_US
	let precision = 1
	// Of any attempt: a clear refusal says nothing about an earlier request that was not answered.
	let mayHaveActed = false
	for (let attempt = 1; ; ) {
		const reason = whyNoFurtherRequest(request, budget, deps)
		if (reason !== null) throw new Error(refusalMessage({ message: reason, mayHaveActed }))
		const sentAt = clock.now()
		const latest = sentAt + (request.skew ?? 0) + request.lifetime
		const asked = requestedExpiry(latest, request.tag, { precision, random: deps.random() })
		record.creating(asked)
		const reply = await api.create(request.apiKey, formatExactly(asked), budget.limits())
		if (reply.ok) {
			const sent = { ...request, asked, sentAt, mayHaveActed, skews: [reply.skew, request.skew] }
			const key = await accept(reply.value, sent, { ...deps, record })
			return { key, writeUntil: sentAt + WRITE_WITHIN_MS }
		}
		// A gateway may have repeated a request that was refused this late.
		const isRepeated = reply.failure.status !== undefined && clock.now() - sentAt >= SLOW_RESPONSE_MS
		mayHaveActed ||= reply.failure.mayHaveActed || isRepeated
		const failure = { ...reply.failure, mayHaveActed }
		if (!mayHaveActed) saveIfPossible(record.settled)
		const coarser = precisions[precisions.indexOf(precision) + 1]
		if (failure.status === 400 && !failure.notFromApi && coarser) {
			// The likely cause is a server that refuses so many digits.
			precision = coarser
			continue
		}
		await waitOrGiveUp({ failure, attempt }, budget, deps)
		attempt += 1
	}
}
/** Why another create request must not be sent, or null. An earlier one may have been carried out. */
function whyNoFurtherRequest({ timeout }, budget, { cancellation }) {
	if (cancellation.requestedAt !== null) return 'the job was cancelled'
	if (budget.left() >= MIN_ATTEMPT_MS) return null
	return `the timeout of ${formatSeconds(timeout)} is over; raise input timeout`
}
/** Waits before the next create request. Throws an Error if there is no time or no use for one. */
async function waitOrGiveUp({ failure, attempt }, budget, { random, runner, cancellation }) {
	if (failure.retryable && cancellation.requestedAt !== null) return
	const wait = backoff(attempt, random(), failure.retryAfter)
	if (!failure.retryable || attempt === MAX_ATTEMPTS || wait + MIN_ATTEMPT_MS > budget.left()) throw new Error(refusalMessage(failure))
	runner.info(plainLine(`${failure.message}. Retrying in ${formatSeconds(wait)}.`))
	await budget.pause(wait)
}
function refusalMessage({ message, mayHaveActed }) {
	if (!mayHaveActed) return `No new key was created: ${message}. This run did not change the secret.`
	return `No new key was received: ${message}. This run did not change the secret. ${ORPHAN}`
}
/** Of a key that a request may have created. */
const ORPHAN =
	'If a create request took effect anyway, there is a key whose value no one knows. A later run revokes it, or it expires. ' +
	'If the API changes expiries, neither is certain: look for a key of this time in the dashboard, and revoke it there.'
/** Masks the key before any other use, and accepts it only if this run certainly created it and can use it. */
async function accept(answer, { known, apiKey, mayHaveActed, ...sent }, deps) {
	const { runner, clock } = deps
	const { token, id, prefix, createdAt, expiresAt } = answer
	for (const form of maskedForms(token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
	const knownIds = new Set(known.map(key => key.id))
	const verdict = judgeCreated(answer, { ...sent, apiKey, answeredAt: clock.now(), knownIds })
	if (verdict.kind === 'ours' && token !== null && id !== null && createdAt !== null && expiresAt !== null)
		return { token, id, prefix, createdAt, expiresAt }
	if (verdict.kind === 'unusable' && id !== null)
		throw await giveBack({ token, id, prefix, createdAt, expiresAt }, { ...verdict, apiKey, mayHaveActed }, deps)
	saveIfPossible(deps.record.settled)
	throw new Error(refusedKey(answer, verdict, { apiKey, known, mayHaveActed }))
}
/** Revokes a key that this run created but cannot use. Returns what to say. */
async function giveBack(key, { apiKey, mayHaveActed, reason }, { record, ...deps }) {
	saveIfPossible(() => record.created(key))
	const isRevoked = await discardKey(key, apiKey, deps)
	if (isRevoked) saveIfPossible(record.settled)
	return new Error(
		`The new key ${keyLabel(key)} cannot be used: ${reason}. It was not written, so this run did not change the secret` +
			`${isRevoked ? '' : '. It could not be revoked: revoke it in the dashboard'}.${mayHaveActed ? ` ${EARLIER}` : ''}`
	)
}
const EARLIER = `An earlier create request may have created another key. ${ORPHAN}`
function refusedKey(answer, verdict, existing) {
	const { id, prefix } = answer
	const { reason, orphan } = verdict.kind === 'refused' ? verdict : { reason: 'it is incomplete', orphan: true }
	const found = id === null ? '' : `; check the key ${keyLabel({ prefix, id })} in the dashboard`
	const created = mayLiveForever(answer, existing) ? foreverAdvice(answer) : ORPHAN
	const unused = `Revoke it there if no one uses it: no later run does.${existing.mayHaveActed ? ` ${EARLIER}` : ''}`
	const advice = orphan ? created : unused
	return `The API's response does not describe a key that this run created: ${reason}. It was neither written nor revoked${found}. ${advice}`
}
/** Whether the response describes a key without an id and without an expiry that did not exist before. */
function mayLiveForever({ token, id, prefix, expiresAt }, { apiKey, known }) {
	const existed = token === apiKey || known.some(key => prefix !== '' && key.prefix === prefix)
	return id === null && expiresAt === null && !existed
}
function foreverAdvice({ prefix }) {
	const which = prefix === '' ? 'a key of this time' : `the key ${prefix}...`
	return `It may never expire, and no later run revokes it: look for ${which} in the dashboard, and revoke it there unless someone uses it.`
}
/**
 * Waits until the API accepts the key and lists it (replicas may lag). Returns its row, by which the next run will find
 * it. Throws an Error if that does not happen in time, if the row lacks a time that later runs need, or if it expires
 * earlier than the response says. A later expiry does no harm: some APIs extend a key when it is used.
 */
async function proveKey(key, deps, budget) {
	for (;;) {
		const reply = isSendable(key.token) ? await listKeys(key.token, deps, budget) : UNSENDABLE
		const row = reply.ok ? findCurrentKey(reply.value, key.token) : null
		if (row !== null && typeof row === 'object' && whyUnproven(row, key) === null) return row
		const mayLag = reply.ok ? typeof row === 'string' : isRejected(reply)
		// A last request without the time for an answer would only hide this reason.
		if (!mayLag || budget.left() <= PROVE_INTERVAL_MS + MIN_ATTEMPT_MS)
			throw new Error(
				`Could not confirm that the new key ${keyLabel(key)} works: ${reply.ok ? row && whyUnproven(row, key) : reply.failure.message}. ` +
					'It was not written, so this run did not change the secret.'
			)
		await budget.pause(PROVE_INTERVAL_MS)
	}
}
/** Why the row does not show that the key works as the response described it, or null. */
function whyUnproven(row, key) {
	if (typeof row === 'string') return row
	if (row.id !== key.id) return 'the list shows its first characters at another id'
	if (row.expiresAt === null) return 'the list shows no expiry for it'
	if (row.createdAt === null) return 'the list does not show when it was created'
	if (!expiresEarlier(row.expiresAt, key.expiresAt)) return null
	return `the list shows that it expires at ${formatUtc(row.expiresAt)}, not at ${formatUtc(key.expiresAt)}`
}
function isSendable(token) {
	return isHeaderSafe(token) && token.length >= MIN_CREDENTIAL_LENGTH
}
const UNSENDABLE = { ok: false, failure: { message: 'its value cannot be sent in a header', mayHaveActed: false, retryable: false } }
/**
 * Revokes a key that was certainly never written, with the key itself or with `apiKey` (null if that must not be sent).
 * Returns whether it is revoked.
 */
async function discardKey(key, apiKey, { runner, ...deps }) {
	const credential = sendable(apiKey)
	const budget = createBudget({ deadline: deps.clock.now() + DISCARD_TIMEOUT_MS, clock: deps.clock })
	const context = { ...deps, skew: null, credential, gone: new Set() }
	const result = await revokeAndVerify({ ...key, token: sendable(key.token) }, { ...context, budget, isMissing: missingCheck(context) })
	if (result.revoked) runner.info(`Revoked the new key ${keyLabel(key)}, which was not written${result.verified ? ' (verified)' : ''}.`)
	else
		runner.warning(
			plainLine(`Could not confirm that the new key ${keyLabel(key)}, which was not written, was revoked: ` + `${result.reason}. ${validity(key)}`)
		)
	return result.revoked
}
/** Null for what Node refuses to send: an API may return anything, and a record may be damaged. */
function sendable(secret) {
	return secret !== null && isHeaderSafe(secret) ? secret : null
}
function validity({ expiresAt }) {
	if (expiresAt === null) return 'It may never expire: revoke it in the dashboard.'
	return `It expires at ${formatUtc(expiresAt)}, unless a later run revokes it before.`
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

module.exports = {
	AUTHORITIES,
	CANCEL,
	DAY_MS,
	HttpError,
	MIN_CREDENTIAL_LENGTH,
	MIN_GAP_MS,
	ORPHAN,
	ROTATE_STATE_NAME,
	areLimitsConsistent,
	backoff,
	canRetire,
	createBudget,
	createCancellation,
	createHttpClient,
	createKey,
	createKeyApi,
	debugLog,
	discardKey,
	dueAt,
	dueWhileStuck,
	failStep,
	findCurrentKey,
	formatUtc,
	getInput,
	getState,
	githubServer,
	holdsOlderKey,
	isAnyPlaceInDoubt,
	isEphemeral,
	isExpired,
	isKnownLater,
	isLoopback,
	isOwn,
	isStored,
	keyLabel,
	keysInDoubt,
	keysToRetire,
	keysToRevokeNow,
	listKeys,
	logRequests,
	maskedForms,
	mayHoldOlderKey,
	minLifetimeDays,
	networkSettings,
	openRecord,
	openReport,
	parseRetryAfter,
	parseRotateState,
	parseTime,
	plainLine,
	proveKey,
	proxyFor,
	proxyLogins,
	retirableAt,
	retry,
	rotatedLately,
	rotationTag,
	runner,
	saveIfPossible,
	setOutputs,
	systemClock,
	writeOrder,
	writeRotationSummary,
	writeVisibility,
	writtenApart
}
