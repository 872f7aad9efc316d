'use strict'

const common = require('../common/index.js')
const node_fs = require('node:fs')

/** As the URL parser writes these hosts. */
const LOOPBACK = /^((.+\.)?localhost\.?|127\.[\d.]+|\[::1\]|\[::ffff:7f\w\w:\w+\])$/
/**
 * The proxy for requests to `url`, as an http or https URL; empty for none. Chosen as curl and Go do: HTTPS_PROXY or
 * HTTP_PROXY by the scheme, else ALL_PROXY, unless NO_PROXY exempts the host; lower case first. Never one
 * for loopback hosts, as it could read a key sent to them in the clear. Throws if the variable names no usable proxy.
 */
function proxyFor(url, env) {
	const exempt = (env.no_proxy || env.NO_PROXY || '').split(/[,\s]+/)
	if (LOOPBACK.test(url.hostname) || exempt.some((entry) => covers(entry, url))) return ''
	const own = `${url.protocol.slice(0, -1)}_proxy`
	const name = [own, own.toUpperCase(), 'all_proxy', 'ALL_PROXY'].find((variable) => env[variable]?.trim())
	return name === undefined ? '' : readProxy(name, env[name]?.trim() ?? '', own.toUpperCase(), url.hostname)
}
/** The value of the variable `name` as a URL. Messages show only its scheme, as the rest may be a login. */
function readProxy(name, value, own, host) {
	const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase()
	if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
		throw new Error(
			`${name} is a ${scheme}:// proxy. Set ${own} to an http:// or https:// proxy, or add ${host} to NO_PROXY.`,
		)
	const proxy = scheme === undefined ? `http://${value}` : value
	// An @ after the first delimiter belongs to a login that was cut there.
	if (!URL.canParse(proxy) || /^[^/]*\/\/[^/?#\\]*[/?#\\].*@/s.test(proxy))
		throw new Error(
			`${name} is not a valid proxy address. Write it as http://USER:PASSWORD@HOST:PORT, ` +
				'and percent-encode special characters of the login (# as %23, / as %2F, ? as %3F).',
		)
	return proxy
}
/**
 * Whether one entry of NO_PROXY covers `url`: `*`, an IP address or CIDR range, or a name, which covers its subdomains
 * too (after `.` or `*.`, only these); each with `:port` or without.
 */
function covers(entry, { protocol, hostname, port }) {
	const { isIP } = process.getBuiltinModule('node:net')
	const [, name = '', onlyPort] = /^(.+?)(?::(\d+))?$/.exec(isIP(entry) ? `[${entry}]` : entry) ?? []
	if (onlyPort && Number(onlyPort) !== Number(port || (protocol === 'https:' ? 443 : 80))) return false
	if (name === '*') return true
	const host = hostname.replace(/^\[|[\].]$/g, '')
	if (isIP(host)) return within(host, name)
	const suffix = name.toLowerCase().replace(/^\*?(?=\.)|\.$/g, '')
	return suffix !== '' && (host === suffix || host.endsWith(suffix.replace(/^\.?/, '.')))
}
/** Whether an IP address is in `range`, an address or CIDR range, with brackets or without. */
function within(host, range) {
	const { BlockList, isIP } = process.getBuiltinModule('node:net')
	const [address = '', prefix] = range.replace(/[[\]]/g, '').split('/')
	const family = (text) => (isIP(text) === 6 ? 'ipv6' : 'ipv4')
	const list = new BlockList()
	try {
		list.addSubnet(address, Number(prefix || (isIP(address) === 6 ? 128 : 32)), family(address))
		return list.check(host, family(host))
	} catch {
		return false
	}
}

/** No API key or token is shorter. Masking a shorter value, such as `true`, would hide it wherever the log has it. */
const MIN_CREDENTIAL_LENGTH = 8
/**
 * Every form of `secret` that a log must not show: the value, its lines, and what common tools make of it. The runner
 * masks base64, URI and JSON forms itself, but not hex or base64url; act masks exact values only. Leaves out lines and
 * forms shorter than `shortest`, and a value with such lines, as the runner masks a value line by line.
 */
function maskedForms(secret, shortest = 1) {
	const bytes = Buffer.from(secret, 'utf8')
	const lines = secret.split(/[\r\n]+/)
	const forms = [
		...(lines.some((line) => isTooShort(line, shortest)) ? [] : [secret]),
		...lines,
		bytes.toString('base64'),
		bytes.toString('base64url'),
		bytes.toString('hex'),
		urlEncoded(secret),
		JSON.stringify(secret).slice(1, -1),
	]
	if (secret.trim().length < shortest) return []
	return [...new Set(forms)].filter((form) => form.trim().length >= shortest)
}
/** Whether the runner would mask this line of a secret, though it is too short; it skips empty lines. */
function isTooShort(line, shortest) {
	return line !== '' && line.length < shortest
}
/** encodeURIComponent, which throws on half a surrogate pair; such a value has no URL form to mask. */
function urlEncoded(secret) {
	return secret.isWellFormed() ? encodeURIComponent(secret) : ''
}

/** The runner hands the record to post as an environment variable, of which Linux allows 128 KiB (MAX_ARG_STRLEN). */
const MAX_RECORD_LENGTH = 64 * 1024
/** Kept free for the keys of the requests that are recorded. */
const RESERVED_LENGTH = 16 * 1024
/** An empty journal. Nothing is saved until there is something to save. */
function openJournal({ apiUrl, apiKey, revoke, onRevokeFailure }, deps) {
	const { runner, userAgent, proxy, settings, bootedAt } = deps
	let state = {
		version: common.STATE_VERSION,
		...{ apiUrl, apiKey, userAgent, proxy, settings, bootedAt, revoke, onRevokeFailure },
		grid: common.UNKNOWN_GRID_US,
		skew: null,
		keys: [],
		intents: [],
	}
	const save = (change, maxLength = MAX_RECORD_LENGTH) => {
		const record = JSON.stringify({ ...state, ...change })
		if (record.length > maxLength)
			throw new Error(
				`The record for the post step would exceed ${maxLength / 1024} KiB; no key was requested.`,
			)
		state = { ...state, ...change }
		runner.saveState(common.STATE_NAME, record)
	}
	const others = (intent) => state.intents.filter((item) => item !== intent)
	return {
		recordIntent: (intent) =>
			save({ intents: [...state.intents, intent] }, MAX_RECORD_LENGTH - RESERVED_LENGTH),
		resolve: (intent) => save({ intents: others(intent) }),
		recordKey(key, intent, isRepeated) {
			const intents = [...others(intent), ...(isRepeated ? [{ ...intent, answered: true }] : [])]
			save({ keys: [...state.keys, key], intents, ...learn(state, key, intent) })
		},
		keep: (key, keep) =>
			save({ keys: state.keys.map((held) => (held.id === key.id ? { ...held, keep } : held)) }),
		removeKey: (key) => save({ keys: state.keys.filter(({ id }) => id !== key.id) }),
		keys: () => state.keys,
		ids: () => new Set(state.keys.map(({ id }) => id)),
		learned: () => state,
	}
}
/** What an answered request shows of the server: how finely it keeps an expiry, and what its clock says. */
function learn({ grid, skew }, key, intent) {
	const shown =
		key.expiresAt === null ? common.UNKNOWN_GRID_US : common.coarsestGrid(intent.expiry, key.expiresAt)
	return { grid: Math.min(grid, shown), skew: key.createdAt === null ? skew : key.createdAt - intent.sentAt }
}

/** A key may outlive what was asked for by this much: servers round, and clocks differ by a little. */
const MAX_EXTRA_LIFETIME_MS = 5_000
/** A clock that makes a lifetime this much shorter is corrected. */
const CLOCK_TOLERANCE_MS$1 = 60_000
/** A `created` further off than this, against both other clocks, is in another time zone rather than right. */
const ZONE_ERROR_MS = 10 * 60_000
const MAX_TOKEN_LENGTH = 4096
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
/** Whether the value of a key can be sent as a credential and saved. */
function isSendable(token) {
	return (
		common.isHeaderSafe(token) && token.length >= MIN_CREDENTIAL_LENGTH && token.length <= MAX_TOKEN_LENGTH
	)
}
function whyNotOurs(key, context) {
	const { token, id, prefix, createdAt, expiresAt } = key
	const { intent, tokens, ids, receivedAt, dateSkew, skew } = context
	if (token !== null && tokens.includes(token)) return 'it returned a key that existed before'
	if (id !== null && ids.has(id)) return 'it returned the id of a key that existed before'
	const describesAnother = prefix !== '' && token !== null && !token.startsWith(prefix)
	if (describesAnother && tokens.some((known) => known.startsWith(prefix)))
		return 'it returned the description of a key that existed before'
	const fit = expiresAt === null ? 'none' : common.fitOf(intent, expiresAt, common.UNKNOWN_GRID_US)
	if (fit === 'exact' || common.zoneShift(intent, expiresAt) !== 0) return null
	const isFresh =
		createdAt !== null && common.isWithin(createdAt, [intent.sentAt, receivedAt], [dateSkew, skew])
	if (createdAt !== null && !isFresh)
		return `it returned a key that was created ${common.formatInstant(createdAt)}`
	if (fit === 'near' || (isFresh && (expiresAt === null || isCapped(key, intent)))) return null
	if (expiresAt === null) return `it returned a key whose ${key.unreadable ?? 'origin'} cannot be verified`
	return `it returned a key that expires ${common.formatInstant(expiresAt)}, not ${common.formatInstant(intent.expiry)} as requested`
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
	if (!isSendable(token))
		return `the key is not one of ${MIN_CREDENTIAL_LENGTH} to ${MAX_TOKEN_LENGTH} visible ASCII characters`
	if (id === null) return 'the response holds no usable id, so the key could not be revoked by it'
	if (expiresAt === null && unreadable !== null) return `its ${unreadable} cannot be read`
	if (expiresAt === null) return 'the key never expires, although an expiry was requested'
	const shift = common.zoneShift(intent, expiresAt)
	if (shift !== 0)
		return `its times are off by ${shift / 3_600_000} h: the API writes local times without an offset`
	return null
}
function judgeLifetime(key, context) {
	const { intent, expiresIn, receivedAt, skew } = context
	const expiresAt = key.expiresAt ?? 0
	const serverSkew = skewOfServer(key, context)
	const lifetime = expiresAt - (receivedAt + serverSkew)
	const asked = intent.expiry - intent.sentAt - skew
	const isMarked = common.gridBetween(intent.expiry, expiresAt) !== null
	const isShort = lifetime < asked - Math.min(CLOCK_TOLERANCE_MS$1, asked / 2)
	const wasWrongClock = isMarked && (isShort || lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS)
	if (wasWrongClock) return { kind: 'replace', skew: serverSkew }
	if (lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS)
		return { kind: 'revoke', reason: 'the key lives longer than asked' }
	if (lifetime <= 0) return { kind: 'revoke', reason: 'the key had expired when it arrived' }
	if (isMarked) return { kind: 'accept', warning: null }
	const minutes = (duration) => `${Math.round(duration / 60_000)} min`
	const warning = `The API shortened the key's lifetime to ${minutes(lifetime)}; expires-in is ${minutes(expiresIn)}.`
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

/** No create request is sent with less time than this for its response, in milliseconds: it would likely be lost. */
const MIN_ATTEMPT_MS = 500
/** Over how many times the longest Retry-After rate-limited jobs spread, so as not to return together (docs/scale.md). */
const THROTTLE_JITTER = 2
const FIRST_ATTEMPT = {
	attempt: 1,
	precision: common.PRECISIONS_US[0],
	longestRetryAfter: 0,
	wasUnusable: false,
}
/** Decides what follows a failed create request: the same again later, a coarser expiry at once, or the end. */
function nextAttempt(failure, progress, context) {
	const { status, retryAfter = 0, unusable = false } = failure
	if (status === 400) {
		// Nothing was made. The likely causes are an expiry in the past by the server's clock, or too many digits.
		const coarser = common.PRECISIONS_US[common.PRECISIONS_US.indexOf(progress.precision) + 1]
		if (context.clockCorrected) return { kind: 'retry', afterMs: 0, progress }
		if (coarser) return { kind: 'retry', afterMs: 0, progress: { ...progress, precision: coarser } }
	}
	const isFinal = !failure.retryable || isRefusal(status) || (unusable && progress.wasUnusable)
	if (isFinal) return { kind: 'stop', message: refusalMessage(failure) }
	const longestRetryAfter = Math.max(progress.longestRetryAfter, retryAfter)
	const afterMs = waitFor(progress.attempt, retryAfter, longestRetryAfter, context)
	if (afterMs + MIN_ATTEMPT_MS > context.left)
		return { kind: 'stop', message: stoppedMessage(failure, progress.attempt, afterMs, context.timeout) }
	const next = { attempt: progress.attempt + 1, longestRetryAfter, wasUnusable: unusable }
	return { kind: 'retry', afterMs, progress: { ...progress, ...next } }
}
/** A refusal of the credential or the path: even if something else than the API gave it, it will not pass soon. */
function isRefusal(status) {
	return status !== undefined && [401, 403, 404].includes(status)
}
function waitFor(attempt, retryAfter, longest, { left, random }) {
	// Never spread so far that one more 429 would exceed the timeout, nor so far that this attempt would.
	const room = left - MIN_ATTEMPT_MS - retryAfter
	const spread = Math.min(THROTTLE_JITTER * longest, room - longest)
	return common.backoff(attempt, retryAfter, random, spread, retryAfter > 0 ? Math.max(0, room) : Infinity)
}
function refusalMessage({ status, notFromApi, message }) {
	if (status === 401 && !notFromApi)
		return `The API rejected api-key: ${message}. The key may be wrong, revoked or expired; check the secret that api-key is set from.`
	const hint = notFromApi
		? ' Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.'
		: ''
	return `No key was created: ${message}.${hint}`
}
function stoppedMessage({ message }, attempts, wait, timeout) {
	return (
		`No key was created: ${message}. Stopped after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: the next retry ` +
		`(in ${common.formatSeconds(wait)}) would exceed timeout (${common.formatSeconds(timeout)}). Raise the input timeout, or run the job again later.`
	)
}

/** A `Date` this far from our clock corrects it after a 400; `created` corrects it by the lifetime that it shows. */
const CLOCK_TOLERANCE_MS = 60_000
/** How often a key that was made by a wrong clock is replaced. */
const MAX_REPLACEMENTS = 2
/** How long main may take to revoke keys that it cannot hand over, on top of its `timeout`. */
const CLEANUP_TIMEOUT_MS = 20_000
/** A response that took this long may be to the second of two requests: gateways repeat what times out. */
const SLOW_RESPONSE_MS = 3_000
/**
 * The main step: obtains a key that expires within `expiresIn`, masks it, saves what post needs, hands it over.
 * Throws an Error for the person reading the log; whatever it throws, the keys created on the way were revoked or are
 * in the saved record for post.
 */
async function issueKey(inputs, deps) {
	const { runner, cancellation } = deps
	const context = { ...deps, inputs, journal: openJournal(inputs, deps) }
	try {
		const key = await obtainKey(context)
		stopIfCancelled(cancellation)
		setOutputs(key, inputs, runner)
		runner.info(common.issuedLine(key, inputs))
		const status = inputs.revoke
			? 'Valid; the post step revokes it'
			: 'Valid until it expires (`revoke: false`)'
		common.summarizeKeys(runner, 'SphereScout key for this job', [{ key, status }])
		stopIfCancelled(cancellation)
		if (!inputs.revoke) context.journal.keep(key, true)
	} catch (error) {
		await revokeHeldKeys(context, CLEANUP_TIMEOUT_MS)
		throw error
	}
}
/** Sends create requests until one brings a key that passes every check, or asking again is pointless. */
async function obtainKey(context) {
	const { runner, clock, random, cancellation, inputs } = context
	const { timeout } = inputs
	const budget = common.createBudget(clock.now() + timeout, clock, cancellation)
	let progress = FIRST_ATTEMPT
	let skew = 0
	for (let replacements = 0; ; ) {
		const attempt = await requestKey(context, budget, skew, progress.precision)
		if (attempt.kind === 'key') return attempt.key
		if (attempt.skew !== null) {
			skew = attempt.skew
			runner.info(common.clockNote(skew))
		}
		if (attempt.kind === 'replace') {
			await revokeHeldKeys(context, budget.left())
			replacements += 1
			if (replacements > MAX_REPLACEMENTS || budget.left() < MIN_ATTEMPT_MS)
				throw new Error(`No key was created: there was no time to replace it. ${common.clockNote(skew)}`)
			continue
		}
		stopIfCancelled(cancellation)
		const clockCorrected = attempt.skew !== null
		const left = budget.left()
		const next = nextAttempt(attempt.failure, progress, { left, timeout, random: random(), clockCorrected })
		if (next.kind === 'stop') throw new Error(next.message)
		progress = next.progress
		if (next.afterMs === 0) continue
		runner.info(`${attempt.failure.message}. Retrying in ${common.formatSeconds(next.afterMs)}.`)
		await budget.pause(next.afterMs)
	}
}
/** Sends one create request; the journal knows of it before it leaves, and of the key before anything is done with it. */
async function requestKey(context, budget, skew, precision) {
	const { api, clock, random, cancellation, inputs, journal } = context
	stopIfCancelled(cancellation)
	const limits = budget.limits()
	const now = clock.now()
	const { expiresIn, apiKey } = inputs
	const intent = common.createIntent({
		...{ now, skew, precision, lifetime: expiresIn, timeout: limits.timeout, random: random() },
	})
	journal.recordIntent(intent)
	const result = await api.create(apiKey, common.formatExactly(intent.expiry), limits)
	if (result.ok) return accept(result.value, { intent, skew, dateSkew: result.skew }, context)
	// What may have acted stays in the journal: the post step looks for its key.
	const { failure } = result
	if (!failure.mayHaveActed) journal.resolve(intent)
	const isClockWrong = failure.status === 400 && Math.abs((result.skew ?? skew) - skew) > CLOCK_TOLERANCE_MS
	return { kind: 'failure', failure, skew: isClockWrong ? result.skew : null }
}
/**
 * Masks the key before anything else is done with it, judges whether it is ours, and saves it for post if so. Throws if
 * it is ours but cannot be used; it is then in the journal, to be revoked.
 */
function accept(answer, request, context) {
	const { runner, clock, inputs, journal } = context
	const { intent } = request
	for (const form of maskedForms(answer.token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
	const receivedAt = clock.now()
	const held = journal.keys()
	const verdict = judgeCreated(answer, {
		...request,
		receivedAt,
		expiresIn: inputs.expiresIn,
		tokens: [inputs.apiKey, ...held.flatMap(({ token }) => token ?? [])],
		ids: journal.ids(),
	})
	if (verdict.kind === 'refuse' || answer.id === null) {
		const reason = verdict.kind === 'refuse' || verdict.kind === 'revoke' ? verdict.reason : ''
		const message = `${new URL(inputs.apiUrl).host} answered the create request, but ${reason}`
		const failure = { message, status: 200, mayHaveActed: true, retryable: true, unusable: true }
		return { kind: 'failure', failure, skew: null }
	}
	const key = toIssuedKey(answer, answer.id)
	journal.recordKey(key, intent, receivedAt - intent.sentAt >= SLOW_RESPONSE_MS)
	if (verdict.kind === 'revoke') throw new Error(`The API's response cannot be used: ${verdict.reason}.`)
	if (verdict.kind === 'replace') return verdict
	if (verdict.warning !== null) runner.warning(verdict.warning)
	return { kind: 'key', key }
}
function toIssuedKey({ token, prefix, createdAt, expiresAt }, id) {
	// A value that cannot be sent is not saved either; the key is then revoked with `api-key`.
	return {
		token: token !== null && isSendable(token) ? token : null,
		id,
		prefix,
		createdAt,
		expiresAt,
		keep: false,
	}
}
function revocationContext(context, budget) {
	const { api, clock, random, inputs, journal } = context
	const { skew } = journal.learned()
	return { api, clock, random, budget, credentials: [inputs.apiKey], skew }
}
function setOutputs(key, inputs, runner) {
	const token = key.token ?? ''
	runner.setOutput('key', token)
	runner.setOutput('key-id', key.id)
	runner.setOutput('key-prefix', key.prefix)
	const instant = (known) => (known === null ? '' : common.formatInstant(known))
	runner.setOutput('created-at', instant(key.createdAt))
	runner.setOutput('expires-at', instant(key.expiresAt))
	if (inputs.exportEnv !== '') runner.exportVariable(inputs.exportEnv, token)
}
/** Revokes every key that main holds and will not hand over. What cannot be revoked now is left to post. */
async function revokeHeldKeys(context, time) {
	const { runner, clock, cancellation, journal } = context
	const budget = common.createBudget(clock.now() + Math.min(time, CLEANUP_TIMEOUT_MS), clock, cancellation)
	const revoke = async (key) => {
		const result = await common.revokeAndVerify(key, revocationContext(context, budget))
		if (result.revoked)
			runner.info(`Revoked the key ${common.keyLabel(key)}${result.verified ? ' (verified)' : ''}.`)
		else
			runner.warning(
				`Could not confirm that the key ${common.keyLabel(key)} was revoked: ${result.failure.message}. The post step will try again.`,
			)
		try {
			if (result.revoked) journal.removeKey(key)
			else journal.keep(key, false)
		} catch {
			// A state file that cannot be written may be why main fails; the other keys still have to be revoked.
		}
	}
	await Promise.all(journal.keys().map(revoke))
}
function stopIfCancelled(cancellation) {
	if (cancellation.requestedAt !== null)
		throw new Error('The job was cancelled before a key could be handed over.')
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** The units in the order of their names in DURATION, in milliseconds. */
const UNITS = [1, SECOND, MINUTE, HOUR, DAY, 7 * DAY, 365.25 * DAY]
const DURATION =
	/^(-?(?:\d+|\d*\.\d+)) *(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?)|(y|yrs?|years?))$/i
/**
 * The duration that a text such as `90s`, `15m` or `1.5 hours` names, in milliseconds, or null where it names none:
 * one number with one unit, as the package `ms` reads it (a test holds the two side by side).
 */
function parseDuration(text) {
	const [, number, ...names] = DURATION.exec(text) ?? []
	const unit = UNITS[names.findIndex((name) => name !== undefined)]
	return unit === undefined ? null : Number(number) * unit
}

/**
 * Reads and checks every input. An empty one takes its default, so that a composite action may pass on inputs
 * it was not given. `explainEmptyKey` is called if `api-key` is empty; null if the run does not tell why. Throws an
 * Error that names the input, what is wrong with it, and an example that works.
 */
function readInputs(input, explainEmptyKey = () => null) {
	const given = (name, otherwise = '') => input(name).trim() || otherwise
	const apiKey = given('api-key')
	if (apiKey === '') throw new Error(emptyKeyMessage(given('api_key') !== '', explainEmptyKey))
	return {
		apiKey: checkCredential(apiKey),
		expiresIn: readDuration(given('expires-in', '1h'), EXPIRES_IN),
		apiUrl: readApiUrl(given('api-url', 'https://www.spherescout.io')),
		exportEnv: readVariableName(given('export-env')),
		revoke: readChoice('revoke', given('revoke', 'true'), ['true', 'false']) === 'true',
		onRevokeFailure: readChoice('on-revoke-failure', given('on-revoke-failure', 'warn'), ['warn', 'fail']),
		timeout: readDuration(given('timeout', '2m'), TIMEOUT),
	}
}
function emptyKeyMessage(isMisspelled, explain) {
	const why = isMisspelled
		? 'The workflow sets api_key; the name has a hyphen.'
		: (explain() ??
			'Check that the secret is defined for this repository, organization or environment, that the job names that ' +
				'environment, and that a reusable workflow receives it (secrets: inherit).')
	return `Input api-key is empty. ${why} For example: api-key: $${'{{ secrets.SPHERESCOUT_API_KEY }}'}`
}
/** What people paste by mistake, in the order in which it is looked for. */
const PASTED = [
	[/^\*+$/, 'contains only asterisks: it was copied from a log that masks it'],
	[/^["'`]/, 'begins with a quote'],
	[/^\{/, 'begins with {, as a JSON document does'],
	[/^\$/, 'begins with $: it is the name of a variable, not its value'],
	[/^(authorization|bearer)[\s:]/i, 'begins with the name of an HTTP header or scheme'],
	[/^[A-Za-z_][\w-]*\s*=[^=]/, 'has the form NAME=VALUE'],
]
/** `value`, if it can be an API key or token; otherwise throws an Error that says what is wrong, without the value. */
function checkCredential(value) {
	const fault = credentialFault(value)
	if (fault === null) return value
	throw new Error(
		`Input api-key ${fault} (its value is not shown). Save the secret again: only the key itself, on one line.`,
	)
}
function credentialFault(value) {
	const pasted = PASTED.find(([pattern]) => pattern.test(value))
	if (pasted) return pasted[1]
	if (value.length < MIN_CREDENTIAL_LENGTH)
		return `is shorter than ${MIN_CREDENTIAL_LENGTH} characters, so it is not an API key or token`
	return common.isHeaderSafe(value)
		? null
		: 'contains white space, a control character or a non-ASCII character'
}
const EXPIRES_IN = { name: 'expires-in', shortest: '1 minute', longest: '5 days', example: '30m' }
const TIMEOUT = { name: 'timeout', shortest: '1 second', longest: '30 minutes', example: '2m' }
function readDuration(value, { name, shortest, longest, example }) {
	const refuse = (fault) =>
		new Error(`Input ${name} is ${quoted(value)}: ${fault}. For example: ${name}: ${example}`)
	if (/^[\d.+-]+$/.test(value)) throw refuse('a number needs a unit, such as s, m, h or d')
	const duration = parseDuration(value)
	if (duration === null) throw refuse('it is not a duration such as 90s, 15m or 1.5h')
	if (duration < Number(parseDuration(shortest))) throw refuse(`it must be at least ${shortest}`)
	if (duration > Number(parseDuration(longest))) throw refuse(`it must be at most ${longest}`)
	return duration
}
function readApiUrl(value) {
	const example = 'For example: api-url: https://www.spherescout.io'
	if (!URL.canParse(value)) throw new Error(`Input api-url is not a URL. ${example}`)
	const url = new URL(value)
	if (url.username || url.password || /[?#]/.test(value))
		throw new Error(`Input api-url contains a user name, password, query or fragment. ${example}`)
	if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
		throw new Error(
			`Input api-url must start with https://, or keys would be sent unencrypted (http:// is only for loopback hosts). ${example}`,
		)
	return url.href.replace(/\/+$/, '')
}
function isLoopback(hostname) {
	return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
/** Names that the runner refuses, or that would change the runner, later steps or this action's post step. */
const RESERVED_NAMES = /^(NODE_OPTIONS|PATH|CI|(GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*)$/i
function readVariableName(value) {
	const refuse = (fault) =>
		new Error(`Input export-env is ${quoted(value)}: ${fault}. For example: export-env: SPHERESCOUT_API_KEY`)
	if (value !== '' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value))
		throw refuse('not a name for an environment variable')
	if (RESERVED_NAMES.test(value)) throw refuse('it is reserved for the runner')
	return value
}
function readChoice(name, value, choices) {
	const choice = choices.find((known) => known === value.toLowerCase())
	if (choice !== undefined) return choice
	throw new Error(
		`Input ${name} is ${quoted(value)}: it must be ${choices.join(' or ')}. For example: ${name}: ${choices[0]}`,
	)
}
/** A value for a message: one line, at most 60 characters. */
function quoted(value) {
	return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
}

/** GitHub's own payloads are at most 25 MB. */
const MAX_EVENT_BYTES = 32 * 1024 * 1024
/** Reads the run's context from the environment and the event file. Never throws: an unusable file counts as empty. */
function readRunContext(env) {
	const { GITHUB_EVENT_NAME: eventName = '', GITHUB_ACTOR: actor = '', GITHUB_EVENT_PATH: path = '' } = env
	let payload = null
	try {
		const file = node_fs.statSync(path)
		if (file.isFile() && file.size <= MAX_EVENT_BYTES)
			payload = JSON.parse(node_fs.readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
	} catch {
		// The file only helps to explain an empty secret.
	}
	return { eventName, actor, payload }
}
/**
 * Why this run received no secrets, or null if it should have: GitHub withholds them from pull requests from forks,
 * gives runs started by Dependabot only Dependabot's own, and copies none to a fork.
 */
function explainMissingSecrets({ eventName, actor, payload }) {
	if (actor === 'dependabot[bot]')
		return 'Dependabot started this run, and GitHub gives such runs only Dependabot secrets; define it as a Dependabot secret, or skip this job.'
	const head = field(payload, 'pull_request', 'head')
	const source = field(head, 'repo', 'full_name')
	const target = field(payload, 'pull_request', 'base', 'repo', 'full_name')
	if (/^pull_request(_review(_comment)?)?$/.test(eventName) && head !== undefined && source !== target)
		return 'This is a pull request from a fork, and GitHub gives such runs no secrets; skip this job for forks.'
	if (field(payload, 'repository', 'fork') === true)
		return 'This repository is a fork, and GitHub does not copy secrets to forks; define it here, or skip this job.'
	return null
}
function field(value, ...path) {
	return path.reduce(
		(part, name) => (typeof part === 'object' && part !== null ? Reflect.get(part, name) : undefined),
		value,
	)
}

/** The action's name and version, as the API sees them in User-Agent; a test keeps them those of package.json. */
const ACTION = 'spherescout-ephemeral-key'
const VERSION = '1.0.0'
/**
 * The User-Agent of one run, so that the account's owner can trace a key to it: `owner/repo` and the run's id, less
 * what cannot stand in a header.
 */
function userAgent(repository, runId) {
	const sanitize = (part) => (part ?? '').replace(/[^\w./-]/g, '') || 'unknown'
	return `${ACTION}/${VERSION} (${sanitize(repository)}; run ${sanitize(runId)})`
}

// Wires the real runner, network, clock and signals into the main step.
const cancellation = common.createCancellation(common.systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, cancellation.request)
// Exit before the runner kills this process; what the post step needs is already saved.
cancellation.signal.addEventListener('abort', () =>
	setTimeout(() => process.exit(1), common.CANCEL.EXIT_MS).unref(),
)
async function run() {
	try {
		for (const form of maskedForms(common.getInput('api-key'), MIN_CREDENTIAL_LENGTH))
			common.runner.setSecret(form)
		for (const login of common.proxyLogins(process.env))
			for (const form of maskedForms(login)) common.runner.setSecret(form)
		const inputs = readInputs(common.getInput, () => explainMissingSecrets(readRunContext(process.env)))
		common.requireCommandFiles(process.env, [
			'GITHUB_STATE',
			'GITHUB_OUTPUT',
			...(inputs.exportEnv ? ['GITHUB_ENV'] : []),
		])
		const proxy = proxyFor(new URL(inputs.apiUrl), process.env)
		const agent = userAgent(process.env.GITHUB_REPOSITORY, process.env.GITHUB_RUN_ID)
		const send = common.logRequests(common.createHttpClient(proxy), common.debugLog(), common.systemClock.now)
		await issueKey(inputs, {
			api: common.createIssuingApi(common.createCaller(send, agent, common.systemClock.now), inputs.apiUrl),
			clock: common.systemClock,
			random: Math.random,
			runner: common.runner,
			cancellation,
			userAgent: agent,
			proxy,
			settings: common.networkSettings(process.env),
			bootedAt: common.bootedAt,
		})
	} catch (error) {
		common.failStep(error)
	}
}
void run()
