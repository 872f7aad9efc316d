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
/** Throws unless this is the list, or a page of it. */
function rowsOf(answer) {
	const rows = Array.isArray(answer) ? answer : field(answer, 'results')
	if (Array.isArray(rows)) return rows
	throw new Error('neither an array nor a page')
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
function skewOf({ headers }, sentAt, receivedAt) {
	if (isStored(headers)) return null
	// Whole seconds are half a second late on average.
	const skew = parseHttpDate(headers.date ?? '') + 500 - (sentAt + receivedAt) / 2
	return Math.abs(skew) <= MAX_DATE_SKEW_MS ? skew : null
}

/** Milliseconds since the first signal. The runner kills after 10 s (actions/runner, ProcessInvoker). */
const CANCEL = { RESPONSE_GRACE_MS: 5_000, LAST_REQUEST_MS: 6_500 }

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

/** Why the list could not be read, and what to do: `ifRejected` after a 401. */
function whyNotListed({ message, status, notFromApi, retryable }, ifRejected) {
	if (status === 401 && !notFromApi) return `The API rejected api-key: ${message}. ${ifRejected}`
	const failed = `Could not list the keys of the account: ${message}.`
	if (notFromApi) return `${failed} Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.`
	if (status === 404) return `${failed} Check api-url.`
	return retryable ? `${failed} Run the job again later, or raise timeout.` : failed
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
/** As `2027-01-01 00:00:00 UTC`. */
function formatUtc(instant) {
	return `${new Date(instant).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** How much longer than asked a key may live where clocks differ. */
const LIFETIME_SLACK_MS = 5 * 60_000
const JWT = /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/
/** What readings of one list show together. A key that one lacks may have moved between its pages. */
function readLists(readings, apiKey) {
	for (const reading of readings) {
		const reason = whyIncomplete(reading, apiKey)
		if (reason !== null) return { kind: 'incomplete', reason }
	}
	const rows = readings.flatMap(reading => reading.keys).filter(hasTimes)
	const keys = [...new Map(rows.map(key => [key.id, key])).values()]
	return { kind: 'complete', keys, inUse: keysInUse(keys, apiKey) }
}
function hasTimes(key) {
	return key.createdAt !== null
}
function keysInUse(keys, apiKey) {
	return keys.filter(({ prefix }) => prefix !== '' && apiKey.startsWith(prefix))
}
/** Null if a list shows every key with its times, also the one that it was read with (a JWT is in none). */
function whyIncomplete({ keys, doubt }, apiKey) {
	const ids = new Set()
	for (const key of keys) {
		if (key.unreadable !== null) return `cannot read ${key.unreadable} of the key ${keyLabel(key)}`
		if (!hasTimes(key)) return `the list does not say when the key ${keyLabel(key)} was created`
		if (ids.has(key.id)) return `the key ${keyLabel(key)} is listed twice`
		ids.add(key.id)
	}
	if (doubt !== null || JWT.test(apiKey)) return doubt
	return keysInUse(keys, apiKey).length > 0 ? null : 'the key in api-key is not in it'
}
/** Some APIs list expired keys; `now` is by the earlier clock. The key in use was just accepted. */
function usableKeys({ keys, inUse }, now) {
	return keys.filter(key => key.expiresAt === null || key.expiresAt > now || inUse.includes(key))
}
/** Sorts keys into classes. `known` outranks markers, which can be imitated. */
function classify({ keys, inUse }, known, rotations) {
	return keys.map(key => {
		const entry = known.find(({ id }) => id === key.id) ?? null
		const rotation = rotations.find(({ tag }) => hasRotationTag(key, tag)) ?? null
		const isInUse = inUse.length === 1 && inUse.includes(key)
		const other = isShortLived(key) ? 'short-lived' : 'unexpected'
		const keyClass = isInUse ? 'in-use' : entry ? 'known' : rotation ? 'rotated' : other
		return { key, class: keyClass, rotation, known: entry }
	})
}
/** Whether a key lives no longer than keys of the main action. */
function isShortLived({ createdAt, expiresAt }) {
	return expiresAt !== null && expiresAt - createdAt <= MAX_EPHEMERAL_LIFETIME_MS + LIFETIME_SLACK_MS
}

/** Everything that the audit can find, the most urgent first. */
const FINDING_KINDS = ['list-incomplete', 'expires-soon', 'unexpected', 'known-overdue', 'known-missing', 'never-expires', 'too-old']
/** Findings about the keys of a complete list, the most urgent first. */
function findFindings(keys, known, limits) {
	const ids = new Set(keys.map(({ key }) => key.id))
	const missing = known.filter(({ id, until }) => !ids.has(id) && !isPast(until, limits.now))
	const findings = [
		...keys.flatMap(entry => kindsFor(entry, limits).map(kind => ({ ...entry.key, kind, class: entry.class, rotation: entry.rotation }))),
		...missing.map(({ id }) => ({ ...LIST_INCOMPLETE, kind: 'known-missing', class: 'known', id }))
	]
	return findings.sort((a, b) => FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind))
}
/** The only finding if the list cannot be judged. */
const LIST_INCOMPLETE = { kind: 'list-incomplete', class: null, id: null, prefix: null, createdAt: null, expiresAt: null, rotation: null }
/** A key in `known` is accepted until its date has passed. */
function kindsFor(entry, { now, maxAge, warnBefore }) {
	const { key, class: keyClass, rotation, known } = entry
	if (keyClass === 'short-lived') return []
	const kinds = []
	// A rotation that works revokes its keys long before. The newest may be left over, and in no secret.
	const mustNotExpire = (keyClass === 'in-use' || rotation !== null) && !isShortLived(key)
	if (mustNotExpire && key.expiresAt !== null && key.expiresAt - now <= warnBefore) kinds.push('expires-soon')
	if (keyClass === 'unexpected') kinds.push('unexpected')
	const overdue = known !== null && isPast(known.until, now)
	if (overdue) kinds.push('known-overdue')
	if (known !== null && !overdue) return kinds
	if (key.expiresAt === null) kinds.push('never-expires')
	if (now - key.createdAt > maxAge && !isShortLived(key)) kinds.push('too-old')
	return kinds
}
function isPast(until, now) {
	return until !== null && now >= until
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

const DAY_MS$1 = 86_400_000
/** In milliseconds, in the order of DURATION. */
const UNITS = [1, 1000, 60_000, 3_600_000, DAY_MS$1, 7 * DAY_MS$1, 365.25 * DAY_MS$1]
const DURATION =
	/^(-?(?:\d+|\d*\.\d+)) *(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?)|(y|yrs?|years?))$/
/** Milliseconds, as the package `ms` reads it in lowercase. Null for any other text. */
function parseDuration(text) {
	const [, number, ...names] = DURATION.exec(text) ?? []
	const unit = UNITS[names.findIndex(Boolean)]
	return unit === undefined ? null : Number(number) * unit
}

const FAULTS = [
	[/^["'`]/, 'begins with a quote'],
	[/^\{/, 'begins with {, as a JSON document does'],
	[/^\$/, 'begins with $: it is the name of a variable, not its value'],
	[/^(authorization|bearer)[\s:]/i, 'begins with the name of an HTTP header or scheme'],
	[/^[A-Za-z_][\w-]*\s*=[^=]/, 'has the form NAME=VALUE'],
	[/^.{0,7}$/s, `is shorter than ${MIN_CREDENTIAL_LENGTH} characters, so it is not an API key or token`],
	[/[^\x21-\x7e]/, 'contains white space, a control character or a non-ASCII character']
]
/** The input api-key. Throws an Error that does not show it. */
function readCredential(given, env) {
	const value = given('api-key')
	if (value === '') {
		const why = given('api_key') ? 'The workflow sets api_key; the name has a hyphen.' : explainMissingSecrets(env)
		throw new Error(`Input api-key is empty. ${why} For example: api-key: $${'{{ secrets.SPHERESCOUT_API_KEY }}'}`)
	}
	const fault = FAULTS.find(([pattern]) => pattern.test(value))?.[1]
	if (fault === undefined) return value
	throw new Error(`Input api-key ${fault} (its value is not shown). Save the secret again: only the key itself, on one line.`)
}
function explainMissingSecrets({ GITHUB_ACTOR, GITHUB_EVENT_NAME = '' }) {
	if (GITHUB_ACTOR === 'dependabot[bot]') return 'GitHub gives runs by Dependabot only Dependabot secrets; define it as one, or skip this job.'
	if (/^pull_request(_review(_comment)?)?$/.test(GITHUB_EVENT_NAME))
		return 'GitHub gives no secrets to pull requests from forks; skip this job for them. If this is none, check that the secret is defined.'
	return 'Check that the secret is defined, that the job names its environment, and that a reusable workflow receives it (under secrets: of the job that calls it).'
}
const TIMEOUT = { name: 'timeout', shortest: '1 second', longest: '30 minutes', example: '2m' }
/** Milliseconds. Throws an Error for the user. */
function readDuration(value, { name, shortest, longest, example }) {
	const refuse = refusal$1(name, value, example)
	const duration = parseDuration(value)
	if (duration === null) throw refuse('it is not a duration such as 90s, 15m or 1.5h')
	if (duration < Number(parseDuration(shortest))) throw refuse(`it must be at least ${shortest}`)
	if (duration > Number(parseDuration(longest))) throw refuse(`it must be at most ${longest}`)
	return duration
}
/** Throws an Error that does not show `value`: it may hold a password. */
function readApiUrl(value) {
	const refuse = fault => new Error(`Input api-url ${fault}. For example: api-url: https://www.spherescout.io`)
	if (!URL.canParse(value)) throw refuse('is not a URL')
	const url = new URL(value)
	if (url.username || url.password || /[?#]/.test(value)) throw refuse('contains a user name, password, query or fragment')
	if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
		throw refuse('must start with https://, or keys would be sent unencrypted (http:// is only for loopback hosts)')
	return url.href.replace(/\/+$/, '')
}
/** Shows at most 60 characters of the value. */
function refusal$1(name, value, example) {
	const shown = JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
	return fault => new Error(`Input ${name} is ${shown}: ${fault}. For example: ${name}: ${example}`)
}

const MAX_AGE = { name: 'max-age', shortest: '1 day', longest: '10 years', example: '90d' }
const WARN_BEFORE = { name: 'warn-before', shortest: '1 hour', longest: '1 year', example: '14d' }
/** Checks every input; an empty one takes its default. Throws an Error that names the input and the line. */
function readAuditInputs(input, env) {
	const given = (name, otherwise = '') => input(name).trim() || otherwise
	const apiKey = readCredential(given, env)
	const apiUrl = readApiUrl(given('api-url', 'https://www.spherescout.io'))
	return {
		apiKey,
		apiUrl,
		known: readKnown(input('known'), apiKey),
		rotations: readRotations(given('rotated-secrets', 'SPHERESCOUT_API_KEY'), apiUrl, env),
		maxAge: readDuration(shortened(given('max-age', '90d')), MAX_AGE),
		warnBefore: readDuration(shortened(given('warn-before', '14d')), WARN_BEFORE),
		failOn: readFailOn(input('fail-on')),
		timeout: readDuration(shortened(given('timeout', '2m')), TIMEOUT)
	}
}
/** Of what could be a key, no more than the dashboard shows. */
function shortened(text) {
	return text.replace(/\S{24,}/g, run => `${run.slice(0, 15)}...`)
}
/** The beginning of a text. */
function quoted(text) {
	return JSON.stringify(shortened(text).slice(0, 60))
}
/** The lines of an input, without blank ones and comments. An environment's name may have `#`, and ends its line. */
function linesOf(name, value) {
	return value.split(/\r\n|\r|\n/).flatMap((line, index) => {
		const isNamed = /^[^#]*\senvironment=/.test(line)
		const text = (isNamed ? line : line.replace(/(^|\s)#.*$/, '')).trim()
		const error = (fault, example) => new Error(`Input ${name}, line ${index + 1}: ${quoted(text)} ${fault}. For example: ${example}`)
		return text === '' ? [] : { text, error }
	})
}
function readKnown(value, apiKey) {
	const ids = new Set()
	return linesOf('known', value.replaceAll(apiKey, '***')).map(({ text, error }) => {
		const refuse = fault => error(fault, '48213 until 2027-06-30 # reporting')
		const [, id, date] = /^(\S+)(?:\s+until\s+(\S+))?$/.exec(text) ?? []
		if (id === undefined) throw refuse('is not an id with an optional until date')
		if (/[#,;"'`]/.test(id)) throw refuse('has punctuation in the id')
		if (id.includes('***')) throw refuse('has the key in api-key in place of an id')
		if (ids.has(id)) throw refuse('repeats an id')
		ids.add(id)
		const until = date === undefined ? null : endOfDay(date)
		if (Number.isNaN(until)) throw refuse('has no date of the form YYYY-MM-DD after until')
		return { id, until }
	})
}
/** The end of a day in UTC (ms), or NaN. */
function endOfDay(date) {
	const start = Date.parse(`${date}T00:00:00Z`)
	// Date.parse takes February 30 for March 2.
	const isDate = /^\d/.test(date) && new Date(start).toJSON()?.startsWith(`${date}T`)
	return isDate ? start + 24 * 3_600_000 : Number.NaN
}
const ROTATED = /^([A-Za-z_]\w*)(?:\s+(?:repository=(\d+)|organization=([\w.-]+))(?:\s+server=(\S+))?)?(?:\s+environment=(.+))?$/
function readRotations(value, apiUrl, env) {
	const { GITHUB_REPOSITORY_ID: id, GITHUB_API_URL: githubApiUrl = '' } = env
	const own = URL.canParse(githubApiUrl) ? githubServer(githubApiUrl) : 'github.com'
	return linesOf('rotated-secrets', value).flatMap(({ text, error }) => {
		const [, secret, repository = id, organization, named, environment = ''] = ROTATED.exec(text) ?? []
		if (secret === undefined)
			throw error(
				'is not a secret with an optional repository=ID or organization=NAME, server=HOST after these, and environment=NAME',
				'SPHERESCOUT_API_KEY environment=production'
			)
		const url = `https://${named}`
		if (named !== undefined && (!URL.canParse(url) || !/^[\w.:-]+$/.test(named)))
			throw error('has no host after server=', 'SCOUT_KEY organization=octo-org server=github.example.com')
		const server = named === undefined ? own : githubServer(url)
		const scope = organization ? `org:${organization}` : repository && `repo:${repository}`
		return scope ? { apiUrl, server, scope, environment, secret } : []
	})
}
function readFailOn(value) {
	const names = value.toLowerCase().match(/[^\s,]+/g) ?? []
	const kinds = names.map(name => {
		const kind = FINDING_KINDS.find(known => known === name)
		if (kind) return kind
		throw new Error(`Input fail-on names ${quoted(name)}; the findings are ${FINDING_KINDS.join(', ')}`)
	})
	return new Set(kinds)
}

const DAY_MS = 24 * 3_600_000
const MAX_NAMED = 10
const MAX_ROWS = 100
/** A step cannot receive more than 128 KiB in an environment variable. */
const MAX_OUTPUT_BYTES = 100_000
const CLASSES = ['in-use', 'rotated', 'short-lived', 'known', 'unexpected']
const ACCEPTABLE = ['unexpected', 'never-expires', 'too-old']
const BLIND_SPOTS = 'An audit cannot see when a key was last used, or whether a key was made to look short-lived or rotated.'
/** The findings by kind. */
function groupByKind(findings) {
	const groups = FINDING_KINDS.map(kind => ({ kind, findings: findings.filter(finding => finding.kind === kind) }))
	return groups.filter(group => group.findings.length > 0)
}
/** How many keys of each class. */
function overview(keys) {
	const counts = CLASSES.map(name => `${keys.filter(key => key.class === name).length} ${name}`)
	const present = counts.filter(count => !count.startsWith('0 ')).join(', ')
	return plural(keys.length, 'key') + (present && `: ${present}`)
}
/** One kind of finding: what it is, which keys (unless a table shows them), and what to do. */
function groupLine({ kind, findings }, { now, maxAge, warnBefore }, isInTable = false) {
	const named = findings.slice(0, MAX_NAMED).map(finding => describeKey(finding, now))
	if (findings.length > MAX_NAMED) named.push(`and ${findings.length - MAX_NAMED} more`)
	const dashboard = 'in Dashboard > Plans > API Keys'
	const [meaning, advice = ''] = {
		'list-incomplete': ['', ''],
		'expires-soon': [
			`in use or made by rotate, expiring within ${days(warnBefore)}`,
			`Look at the last runs of the workflow that rotates it; if there is none, replace it ${dashboard} and in the secret`
		],
		unexpected: ['made by no action of this project, and not in input known', `Find out who uses it; then revoke it ${dashboard}`],
		'known-overdue': ['still there after the until date in input known', `Revoke it ${dashboard}, or move its date`],
		'known-missing': ['in input known, but not in the account', 'Find out who revoked it, unless it has expired, then remove its line'],
		'never-expires': ['valid until revoked', 'Replace it with a key that expires'],
		'too-old': [`created more than ${days(maxAge)} ago`, 'Replace it with a new key and revoke it']
	}[kind]
	const keys = isInTable && kind !== 'known-missing' ? '' : `: ${named.join('; ')}`
	const accept = ACCEPTABLE.includes(kind) ? ', or accept it in input known' : ''
	const todo = findings.length === 1 ? advice : `For each: ${advice.replace(/./, first => first.toLowerCase())}`
	return `${kind} (${plural(findings.length, 'key')}): ${meaning}${keys}. ${todo}${accept}.`
}
function describeKey({ kind, id, prefix, createdAt, expiresAt, rotation }, now) {
	if (prefix === null || createdAt === null) return `id ${shortId(id ?? '')}`
	const parts = [keyLabel({ prefix, id: id ?? '' })]
	if (kind === 'unexpected' || kind === 'too-old') parts.push(`created ${created(createdAt, now)}`)
	if (kind !== 'never-expires' && kind !== 'too-old') parts.push(expiresAt === null ? 'never expires' : `expires ${formatUtc(expiresAt)}`)
	if (kind === 'expires-soon' && rotation !== null)
		parts.push(`as the rotation of secret ${rotation.secret} has stopped, or no longer revokes old keys`)
	return parts.join(', ')
}
/** As many findings as fit into 100,000 bytes, as JSON without secrets. */
function findingsJson(findings) {
	const instant = at => (at === null ? null : new Date(at).toISOString())
	const rows = []
	// The brackets; a comma before each row but the first.
	let bytes = 1
	for (const { kind: finding, class: name, id, prefix, createdAt, expiresAt } of findings) {
		const times = { created: instant(createdAt), expiry: instant(expiresAt) }
		const row = JSON.stringify({ class: name, finding, id, prefix, ...times })
		bytes += Buffer.byteLength(row) + 1
		if (bytes > MAX_OUTPUT_BYTES) break
		rows.push(row)
	}
	return `[${rows.join(',')}]`
}
/** The job summary: keys with findings first, short-lived ones left out. */
function summaryOf({ keys, findings, notes, limits }) {
	const kindsOf = id => findings.filter(finding => finding.id === id).map(({ kind }) => kind)
	const urgency = ({ key }) => FINDING_KINDS.indexOf(kindsOf(key.id)[0] ?? 'list-incomplete') || FINDING_KINDS.length
	const shown = keys.filter(entry => entry.class !== 'short-lived').sort((a, b) => urgency(a) - urgency(b))
	const rows = shown.slice(0, MAX_ROWS).map(({ key: { id, prefix, createdAt, expiresAt }, class: name }) => {
		const kinds = kindsOf(id).join(', ')
		const expires = expiresAt === null ? '**never**' : day(expiresAt)
		return `| ${kinds && `**${kinds}**`} | \`${sanitizeName(prefix)}...\` | \`${shortId(id)}\` | ${name} | ${created(createdAt, limits.now)} | ${expires} |`
	})
	// In no row of the table.
	const missing = findings.filter(({ kind }) => kind === 'known-missing').length
	const present = new Set(findings.map(({ id }) => id)).size - missing
	const counts = [present > 0 && `${present} to look at`, missing > 0 && `${missing} missing`]
	const head = '| Finding | Key | Id | Class | Created | Expires |\n| --- | --- | --- | --- | --- | --- |'
	const paragraphs = [
		`### SphereScout keys: ${counts.filter(Boolean).join(', ') || 'no findings'}`,
		`${overview(keys)}.`,
		rows.length > 0 && [head, ...rows].join('\n'),
		shown.length > MAX_ROWS && `${shown.length - MAX_ROWS} more keys are not shown here.`,
		groupByKind(findings)
			.map(group => `- ${groupLine(group, limits, true)}`)
			.join('\n'),
		linesForKnown(findings),
		...notes,
		BLIND_SPOTS
	]
	return paragraphs.filter(Boolean).join('\n\n')
}
/** Lines for input `known`, for keys that a person may accept. */
function linesForKnown(findings) {
	const acceptable = findings.filter(({ kind }) => ACCEPTABLE.includes(kind))
	const lines = acceptable.map(({ id, prefix, createdAt }) => {
		const name = sanitizeName(id ?? '')
		const begin = name === id ? name : `# see output findings: ${name}`
		return `${begin} # ${sanitizeName(prefix ?? '')}..., created ${day(createdAt ?? 0)}`
	})
	if (lines.length === 0) return ''
	const [...rest] = new Set(lines)
	const code = rest.splice(0, MAX_ROWS)
	if (rest.length > 0) code.push(`# ${rest.length} more: see output findings`)
	return `<details><summary>Lines for input known, for keys that are meant to exist</summary>\n\n\`\`\`\n${code.join('\n')}\n\`\`\`\n\n</details>`
}
function plural(count, noun) {
	return `${count} ${noun}${count === 1 ? '' : 's'}`
}
function days(duration) {
	if (duration < 2 * DAY_MS) return plural(Math.round(duration / 3_600_000), 'hour')
	return plural(Math.round(duration / DAY_MS), 'day')
}
function created(instant, now) {
	return `${day(instant)} (${days(Math.max(0, now - instant))} ago)`
}
function day(instant) {
	return formatUtc(instant).slice(0, 10)
}

/** Lists, judges and reports the keys; changes nothing. Throws an Error without a list or the time. */
async function auditAccount(inputs, deps) {
	const { runner } = deps
	const { apiKey, known } = inputs
	const { readings, skew } = await listKeys(inputs, deps)
	const read = readLists(readings, apiKey)
	if (read.kind === 'incomplete') {
		const line =
			`list-incomplete: The API's list of keys may not show every key (${read.reason}), so no key was judged. ` +
			'Run the audit again; if it says the same, see docs/audit.md.'
		const summary = `### SphereScout keys: not judged\n\n${line.replace(/[|`<>\\[\]\s]+/g, ' ')}`
		publish({ findings: [LIST_INCOMPLETE], summary }, apiKey, runner)
		runner.fail(line)
		return
	}
	if (skew === null) throw new Error(UNKNOWN_TIME)
	refuseWholeKeys(known, read.keys, runner)
	// SHA-256 takes long to load, and most accounts need it for no key.
	const tagged = read.keys.some(canHaveRotationTag) ? inputs.rotations : []
	const rotations = tagged.map(rotation => ({ secret: rotation.secret, tag: rotationTag(rotation, deps.sha256) }))
	const limits = { ...inputs, now: deps.clock.now() + skew }
	const keys = classify({ ...read, keys: usableKeys(read, Math.min(limits.now, deps.clock.now())) }, known, rotations)
	const findings = findFindings(keys, known, limits)
	const notes = [...notesOn(read.inUse.length, inputs.rotations.length), ...unseenRotations(inputs, keys, rotations)]
	for (const line of [`Read ${overview(keys)}.`, ...notes]) runner.info(line)
	for (const group of groupByKind(findings)) {
		const say = inputs.failOn.has(group.kind) ? runner.fail : runner.warning
		say(groupLine(group, limits))
	}
	if (findings.length === 0) runner.info('No findings.')
	runner.info(BLIND_SPOTS)
	publish({ findings, summary: summaryOf({ keys, findings, notes, limits }) }, apiKey, runner)
}
/** A clock that is wrong by a month hides a key that expires soon. */
const UNKNOWN_TIME =
	"Could not judge the keys: the API's time is unknown (no Date header, or one that is more than a day off). " + 'Check the clock of the runner.'
/** Several pages are read twice: a key that disappears moves others past the page that is read next. */
async function listKeys(inputs, { api, clock, random }) {
	const budget = createBudget({ deadline: clock.now() + inputs.timeout, clock })
	const shouldRetry = ({ retryable, retryAfter = 0 }) => retryable && retryAfter < budget.left()
	const read = async () => {
		const list = api.list(inputs.apiKey)
		const attempt = () => list({ timeout: Math.max(1, budget.left()) })
		const reply = await retry(attempt, { budget, random, shouldRetry })
		if (!reply.ok) throw new Error(whyNotListed(reply.failure, REJECTED))
		return reply
	}
	const { value, skew } = await read()
	if (value.pages === 1) return { readings: [value], skew }
	const again = await read()
	return { readings: [value, again.value], skew: again.skew ?? skew }
}
const REJECTED = 'The key may be wrong, revoked or expired; check the secret that api-key is set from.'
/** A whole key in place of its id, or around it, must not get into the outputs. */
function refuseWholeKeys(known, keys, runner) {
	for (const { id } of known) {
		const { prefix = '' } = keys.find(key => keyIn(id, key.prefix) !== '') ?? {}
		const found = keyIn(id, prefix)
		if (found === '' || keys.some(key => key.id === id)) continue
		for (const text of [id, found, found.replace(/[^\w.~+/=-].*/, '')]) for (const form of maskedForms(text)) runner.setSecret(form)
		throw new Error(
			`Input known has a whole key in place of an id: the one that begins ${sanitizeName(prefix)}... Use the id, and ` +
				'replace the key if anyone else can read the workflow or this log.'
		)
	}
}
/** The end of `text` that begins like a key and is longer, or nothing. Ids contain a short prefix by chance. */
function keyIn(text, prefix) {
	const at = prefix === '' ? -1 : text.indexOf(prefix)
	const begins = at >= 0 && (prefix.length >= MIN_CREDENTIAL_LENGTH || !/[a-z\d]/i.test(text.charAt(at - 1)))
	return begins && text.length > at + prefix.length ? text.slice(at) : ''
}
function notesOn(keysInUse, rotations) {
	return [
		keysInUse === 0 && 'As api-key is a JWT, no key of the list is in use here.',
		keysInUse > 1 && `The first characters of api-key fit ${keysInUse} keys, so the key in use is unknown.`,
		rotations === 0 && 'Keys made by rotate are not recognized: add repository=ID in input rotated-secrets, as GITHUB_REPOSITORY_ID is not set.'
	].filter(note => note !== false)
}
/** The name of each environment whose rotation made no key: it may have taken in a comment. */
function unseenRotations(inputs, keys, rotations) {
	return inputs.rotations.flatMap(({ secret, environment }, index) => {
		const tag = rotations[index]?.tag ?? null
		if (environment === '' || keys.some(({ rotation }) => rotation?.tag === tag)) return []
		return `No key was made by a rotation of ${secret} in environment ${quoted(environment)}.`
	})
}
/**
 * Writes outputs and summary, without the key, even if the API gives it as an id. If nothing was judged, the other
 * counts stay empty: zero would say that there is nothing.
 */
function publish({ findings, summary }, apiKey, runner) {
	const clean = text => text.replaceAll(apiKey, '***')
	const judged = findings[0]?.kind !== 'list-incomplete'
	runner.setOutput('ok', String(findings.length === 0))
	runner.setOutput('findings', clean(findingsJson(findings)))
	for (const kind of FINDING_KINDS) {
		const { length } = findings.filter(finding => finding.kind === kind)
		runner.setOutput(kind, judged || length > 0 ? String(length) : '')
	}
	runner.writeSummary(clean(summary))
}

/** Decide which certificate authorities Node trusts. */
;['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap(name => [name, name.toLowerCase()])
/** Never throws; decodes what it can. */
const percentDecoded = text => process.getBuiltinModule('node:querystring').unescape(text)

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

// Wires the real runner, network and clock into the audit. It creates nothing: no post step.
async function run() {
	for (const form of maskedForms(getInput('api-key'), MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
	const { env } = process
	const inputs = readAuditInputs(getInput, env)
	await auditAccount(inputs, {
		api: { list: createLister(createCaller(connect(inputs.apiUrl, env)), inputs.apiUrl, systemClock.now) },
		clock: systemClock,
		random: Math.random,
		sha256: text => process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest(),
		runner: { ...runner, fail: failStep }
	})
}
run().catch(failStep)
