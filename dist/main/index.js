'use strict'

const lib = require('../lib/index.js')

const DAY_MS = 86_400_000
/** In milliseconds, in the order of DURATION. */
const UNITS = [1, 1000, 60_000, 3_600_000, DAY_MS, 7 * DAY_MS, 365.25 * DAY_MS]
const DURATION =
	/^(-?(?:\d+|\d*\.\d+)) *(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|weeks?)|(y|yrs?|years?))$/
/** Milliseconds, as the package `ms` reads it in lowercase. Null for any other text. */
function parseDuration(text) {
	const [, number, ...names] = DURATION.exec(text) ?? []
	const unit = UNITS[names.findIndex(Boolean)]
	return unit === undefined ? null : Number(number) * unit
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

/** Throws an Error that names the input, the fault and an example. */
function readInputs(input, env) {
	const given = (name, otherwise = '') => input(name).trim() || otherwise
	return {
		apiKey: readCredential(given, env),
		expiresIn: readDuration(given('expires-in', '1h'), EXPIRES_IN),
		apiUrl: readApiUrl(given('api-url', 'https://www.spherescout.io')),
		exportEnv: readVariableName(given('export-env')),
		revoke: readChoice('revoke', given('revoke', 'true'), ['true', 'false']) === 'true',
		onRevokeFailure: readChoice('on-revoke-failure', given('on-revoke-failure', 'warn'), ['warn', 'fail']),
		timeout: readDuration(given('timeout', '2m'), TIMEOUT)
	}
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
const EXPIRES_IN = { name: 'expires-in', shortest: '1 minute', longest: '5 days', example: '30m' }
const TIMEOUT = { name: 'timeout', shortest: '1 second', longest: '30 minutes', example: '2m' }
/** Milliseconds. Throws an Error for the user. */
function readDuration(value, { name, shortest, longest, example }) {
	const refuse = refusal(name, value, example)
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
	if (url.protocol !== 'https:' && !(url.protocol === 'http:' && lib.isLoopback(url.hostname)))
		throw refuse('must start with https://, or keys would be sent unencrypted (http:// is only for loopback hosts)')
	return url.href.replace(/\/+$/, '')
}
/** Names of the runner, or that change how later steps run. */
const RESERVED_NAMES = /^(NODE_OPTIONS|LD_PRELOAD|BASH_ENV|PATH|CI|(GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*)$/i
function readVariableName(value) {
	const refuse = refusal('export-env', value, 'SPHERESCOUT_API_KEY')
	if (value !== '' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value)) throw refuse('it is not a name for an environment variable')
	if (RESERVED_NAMES.test(value)) throw refuse('it is reserved for the runner')
	return value
}
/** Ignores case. Throws an Error for the user. */
function readChoice(name, value, choices) {
	const choice = choices.find(known => known === value.toLowerCase())
	if (choice !== undefined) return choice
	throw refusal(name, value, choices[0])(`it must be ${choices.join(' or ')}`)
}
/** Shows at most 60 characters of the value. */
function refusal(name, value, example) {
	const shown = JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
	return fault => new Error(`Input ${name} is ${shown}: ${fault}. For example: ${name}: ${example}`)
}

/** By the server's clock. */
function issuedLine(key, revoke) {
	const { createdAt, expiresAt } = key
	const end = revoke ? 'The post step revokes it after the job.' : 'It stays valid until it expires (`revoke: false`).'
	const validity =
		expiresAt === null ? 'whose expiry is unknown' : `valid until ${lib.formatUtc(expiresAt)}${formatLifetime(expiresAt - (createdAt ?? expiresAt))}`
	return `Created the API key ${lib.keyLabel(key)}, ${validity}. ${end}`
}
function formatLifetime(lifetime) {
	if (lifetime <= 0) return ''
	const minutes = Math.round(lifetime / 60_000)
	return minutes < 120 ? ` (for ${minutes} min)` : ` (for ${Math.round(minutes / 60)} h)`
}
/** `skew`: the server's clock less ours, in milliseconds. */
function clockNote(skew) {
	const minutes = Math.abs(skew / 60_000).toFixed(1)
	return `This runner's clock is ${minutes} min ${skew > 0 ? 'behind' : 'ahead of'} the API's; the API's decides`
}

/** Post gets it in an environment variable: on Windows, at most 32,767 characters. */
const MAX_RECORD_BYTES = 30 * 1024
/** For the keys in it. */
const RESERVED_BYTES = 10 * 1024
/** A gateway may have repeated a request that took longer. */
const SLOW_RESPONSE_MS = 3_000
/** Main's write-ahead journal, for post. Each method throws what `saveState` throws. */
function openJournal({ apiUrl, apiKey, onRevokeFailure }, { runner, settings, bootedAt }) {
	let state = { apiUrl, apiKey, onRevokeFailure, settings, bootedAt, skew: null, keys: [], intents: [] }
	const save = (change, maxBytes = MAX_RECORD_BYTES) => {
		const record = JSON.stringify({ ...state, ...change })
		if (Buffer.byteLength(record) > maxBytes)
			throw new Error(`The record for the post step would exceed ${maxBytes / 1024} KiB. Lower timeout, or shorten the proxy variables.`)
		state = { ...state, ...change }
		runner.saveState(lib.STATE_NAME, record)
	}
	const made = []
	const others = intent => state.intents.filter(item => item !== intent)
	return {
		recordIntent: intent => save({ intents: [...state.intents, intent] }, MAX_RECORD_BYTES - RESERVED_BYTES),
		/** The request was answered; post looks for the key of what is `left` of it. */
		settle: (intent, ...left) => save({ intents: [...others(intent), ...left] }),
		/** The request created this key. */
		recordKey(key, intent, receivedAt) {
			made.push(key)
			// A gateway may repeat a slow request: post looks for a twin.
			const twins = receivedAt - intent.sentAt < SLOW_RESPONSE_MS ? [] : [{ ...intent, stored: key.expiresAt }]
			// The least that it may be: no key is taken for older than it is.
			const skew = key.createdAt === null ? state.skew : Math.min(state.skew ?? Infinity, key.createdAt - receivedAt)
			save({ keys: [...state.keys, key], intents: [...others(intent), ...twins], skew })
		},
		/** Whether the key is left to expire, or revoked by post. */
		keep: (key, keep) => save({ keys: state.keys.map(held => (held === key ? { ...held, keep } : held)) }),
		removeKey: key => save({ keys: state.keys.filter(held => held !== key) }),
		keys: () => state.keys,
		/** Removed ones too: a gateway may replay a response. */
		made: () => made,
		skew: () => state.skew
	}
}

const MAX_EXTRA_LIFETIME_MS = 5_000
/** A clock this far off is corrected. */
const CLOCK_TOLERANCE_MS = 60_000
const MAX_TOKEN_LENGTH = 4096
const EXISTED = 'it returned a key that existed before'
/** Judges whether the key is ours, and as requested. */
function judgeCreated(key, context) {
	const { token, id } = key
	// A server may give the id of a revoked key to the next one.
	const isKnown = token === null ? context.ids.has(id ?? '') : context.tokens.includes(token)
	const stranger = isKnown ? EXISTED : whyNotOurs(key, context)
	if (stranger !== null) return { kind: 'refuse', reason: stranger, isKnown }
	if (id === null) return { kind: 'refuse', reason: 'the response holds no usable id', isKnown }
	const unusable = whyUnusable(key, context.intent)
	if (unusable !== null) return { kind: 'revoke', reason: unusable }
	return judgeLifetime(key, context)
}
/** Whether it fits into a header, and can be masked. */
function isSendable(token) {
	return lib.isHeaderSafe(token) && token.length >= MIN_CREDENTIAL_LENGTH && token.length <= MAX_TOKEN_LENGTH
}
function whyNotOurs(key, context) {
	const { token, prefix, createdAt, expiresAt } = key
	const { intent, tokens, receivedAt, dateSkew, skew } = context
	const isDescribed = prefix === '' || (token === null ? !tokens.some(known => known.startsWith(prefix)) : token.startsWith(prefix))
	if (!isDescribed) return EXISTED
	const { createdAt: created, expiresAt: expiry } = withoutSureZone(key, intent)
	const fit = lib.fitOf(intent, expiry)
	// Some APIs give an old key a new expiry.
	const isDated = Math.abs(dateSkew ?? Infinity) < CLOCK_TOLERANCE_MS
	const window = { from: intent.sentAt, to: receivedAt, skews: [dateSkew, skew] }
	const isOld = created !== null && (isDated || created < intent.sentAt) && !lib.isWithin(created, window)
	if (fit === 'exact' && !isOld) return null
	const isFresh = lib.isWithin(created, { ...window, isStrict: dateSkew !== null })
	if (createdAt !== null && !isFresh)
		return `it returned a key that was created ${lib.formatExactly(createdAt)}${dateSkew === null ? ", or this runner's clock is wrong" : ''}`
	if (fit === 'near' || (isFresh && (expiresAt === null || lib.isCapped(key, intent)))) return null
	if (expiresAt === null) return `it returned a key whose ${key.unreadable ?? 'origin'} cannot be verified`
	return `it returned a key that expires ${lib.formatExactly(expiresAt)}, not ${lib.formatExactly(intent.expiry)} as requested`
}
/** See `withoutZone`, which a coarse expiry fits by chance. */
function withoutSureZone({ createdAt, expiresAt }, intent) {
	const times = lib.withoutZone({ createdAt, expiresAt }, intent)
	const isCoarse = createdAt === null || Number(times.expiresAt) % 60_000 === 0
	const isSure = lib.fitOf(intent, times.expiresAt) === 'exact' || !isCoarse
	return isSure ? times : { createdAt, expiresAt, zone: 0 }
}
function whyUnusable(key, intent) {
	const { token, expiresAt, unreadable } = key
	if (token === null) return 'the response holds no key'
	if (!isSendable(token)) return `the key is not one of ${MIN_CREDENTIAL_LENGTH} to ${MAX_TOKEN_LENGTH} visible ASCII characters`
	if (expiresAt === null && unreadable !== null) return `its ${unreadable} cannot be read`
	if (expiresAt === null) return 'the key never expires, although an expiry was requested'
	const { zone } = withoutSureZone(key, intent)
	if (zone !== 0) return `its times are off by ${zone / 3_600_000} h: the API writes local times without an offset`
	return null
}
function judgeLifetime(key, context) {
	const { intent, expiresIn, receivedAt, dateSkew, skew } = context
	const expiresAt = key.expiresAt ?? 0
	// A gateway may set `Date`. Its seconds are rounded down, so that no lifetime is too long.
	const byDate = dateSkew === null ? skew : dateSkew - 500 - (receivedAt - intent.sentAt) / 2
	const otherwise = Math.abs(byDate - skew) > CLOCK_TOLERANCE_MS ? byDate : skew
	const serverSkew = key.createdAt === null ? otherwise : key.createdAt - receivedAt
	const lifetime = expiresAt - (receivedAt + serverSkew)
	const asked = intent.expiry - intent.sentAt - skew
	const isMarked = lib.fitOf(intent, expiresAt) !== 'none'
	const isShort = lifetime < asked - Math.min(CLOCK_TOLERANCE_MS, asked / 2)
	const isLong = lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS
	const isWrongClock = Math.abs(serverSkew - skew) > MAX_EXTRA_LIFETIME_MS && (isLong || (isMarked && isShort))
	if (isWrongClock) return { kind: 'replace', skew: serverSkew }
	if (isLong) return { kind: 'revoke', reason: 'the key lives longer than asked' }
	if (lifetime <= 0) return { kind: 'revoke', reason: 'the key had expired when it arrived' }
	if (isMarked && !isShort) return { kind: 'accept', warning: null }
	const minutes = duration => `${Math.round(duration / 6_000) / 10} min`
	const warning = `The API shortened the key's lifetime to ${minutes(lifetime)}; expires-in is ${minutes(expiresIn)}.`
	return { kind: 'accept', warning }
}

/** With less, the response would likely be lost. */
const MIN_ATTEMPT_MS = 500
/** Rate-limited jobs spread over this many Retry-Afters (docs/scale.md). */
const THROTTLE_JITTER = 2
const NOTHING_LEARNED = { skew: 0, corrections: 0, precision: 1, longestRetryAfter: 0, hopeless: 0 }
const FIRST_ATTEMPT = { attempt: 1, afterMs: 0, ...NOTHING_LEARNED }
const MAX_CORRECTIONS = 2
/** Two unusable successes, or four unknown hosts: a resolver may err. */
const MAX_HOPELESS = 4
/** What follows a failed create request. Throws an Error if nothing does. */
function nextAttempt(failure, progress, { left, random, skew }) {
	const { status, retryAfter = 0, unusable = false, isUnknownHost } = failure
	const { attempt } = progress
	const hopeless = unusable || isUnknownHost ? progress.hopeless + (unusable ? 2 : 1) : 0
	const isTimeLeft = left >= MIN_ATTEMPT_MS
	const corrections = progress.corrections + 1
	if (isTimeLeft && skew !== null && corrections <= MAX_CORRECTIONS) return { ...progress, afterMs: 0, skew, corrections }
	// A 400 is likely about too many digits.
	const coarser = lib.PRECISIONS_US[lib.PRECISIONS_US.indexOf(progress.precision) + 1]
	if (isTimeLeft && status === 400 && coarser) return { ...progress, afterMs: 0, precision: coarser }
	// These do not pass soon, whoever gave them.
	const isRefusal = [401, 403, 404].includes(status ?? 0)
	if (!failure.retryable || isRefusal || hopeless >= MAX_HOPELESS) throw new Error(refusalMessage(failure))
	const longestRetryAfter = Math.max(progress.longestRetryAfter, retryAfter)
	// Leave time for this attempt, and for one more 429 after it.
	const room = left - MIN_ATTEMPT_MS - retryAfter
	const spread = Math.min(THROTTLE_JITTER * longestRetryAfter, room - longestRetryAfter)
	const most = retryAfter > 0 ? Math.max(0, room) : Infinity
	const jitter = random() * Math.min(Math.max(lib.longestBackoff(attempt), spread), most)
	const afterMs = Math.ceil(retryAfter + jitter)
	return { ...progress, attempt: attempt + 1, afterMs, longestRetryAfter, hopeless }
}
function refusalMessage({ status, notFromApi, message }) {
	if (status === 401 && !notFromApi)
		return `The API rejected api-key: ${message}. The key may be wrong, revoked or expired; check the secret that api-key is set from.`
	const hint = notFromApi
		? ' Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.'
		: status === 404
			? ' Check api-url.'
			: ''
	return `No key was obtained: ${message}.${hint}`
}

/** On top of `timeout`. */
const CLEANUP_TIMEOUT_MS = 20_000
/** The main step. If it throws, its keys are revoked, or saved for post. */
async function issueKey(inputs, deps) {
	const { runner, cancellation } = deps
	const context = { ...deps, inputs, journal: openJournal(inputs, deps) }
	try {
		const key = await obtainKey(context)
		stopIfCancelled(cancellation)
		const instant = known => (known === null ? '' : new Date(known).toISOString())
		runner.setOutput('key', key.token ?? '')
		runner.setOutput('key-id', key.id)
		runner.setOutput('key-prefix', key.prefix)
		runner.setOutput('created-at', instant(key.createdAt))
		runner.setOutput('expires-at', instant(key.expiresAt))
		if (inputs.exportEnv !== '') runner.exportVariable(inputs.exportEnv, key.token ?? '')
		runner.info(issuedLine(key, inputs.revoke))
		const status = inputs.revoke ? 'Valid; the post step revokes it' : 'Valid until it expires (`revoke: false`)'
		runner.writeSummary(lib.keySummary('SphereScout key for this job', [{ key, status }]))
		if (!inputs.revoke) context.journal.keep(key, true)
	} catch (error) {
		await revokeHeldKeys(context, CLEANUP_TIMEOUT_MS)
		throw error
	}
}
async function obtainKey(context) {
	const { runner, clock, random, cancellation, inputs } = context
	const { timeout } = inputs
	const budget = lib.createBudget({ deadline: clock.now() + timeout, clock, cancellation })
	for (let progress = FIRST_ATTEMPT; ; ) {
		const result = await requestKey(progress, budget, context)
		if (result.ok) return result.value
		const { failure, skew } = result
		if (skew !== null) {
			runner.info(`${clockNote(skew)}.`)
			// If our clock is behind, the key ends early: another one matters more.
			await revokeHeldKeys(context, budget.left() / (skew > progress.skew ? 2 : 1))
		}
		stopIfCancelled(cancellation, failure)
		const next = nextAttempt(failure, progress, { left: budget.left(), random, skew })
		const isWorthIt = next.afterMs + MIN_ATTEMPT_MS <= budget.left()
		const wait = lib.formatSeconds(next.afterMs)
		if (isWorthIt && next.afterMs > 0) {
			runner.info(`${failure.message}. Retrying in ${wait}.`)
			await budget.pause(next.afterMs)
			stopIfCancelled(cancellation, failure)
		}
		if (!isWorthIt || budget.left() < MIN_ATTEMPT_MS)
			throw new Error(
				`No key was obtained: ${failure.message}. Stopped after attempt ${progress.attempt}: the next retry (in ${wait}) ` +
					`would exceed timeout (${lib.formatSeconds(timeout)}). Run the job again later, or raise timeout (${TIMEOUT.longest} at most).`
			)
		progress = next
	}
}
/** Its `skew` is null unless the response shows that our clock is wrong. */
async function requestKey(progress, budget, context) {
	const { api, clock, random, inputs, journal } = context
	const { skew, precision } = progress
	const limits = budget.limits()
	const now = clock.now()
	const { expiresIn: lifetime, apiKey } = inputs
	const intent = lib.createIntent({ now, skew, precision, lifetime, timeout: limits.timeout, random: random() })
	journal.recordIntent(intent)
	const result = await api.create(apiKey, lib.formatExactly(intent.expiry), limits)
	if (result.ok) return accept(result.value, { intent, skew, dateSkew: result.skew }, context)
	// Otherwise post looks for its key.
	const { failure } = result
	const isRepeated = failure.status && clock.now() - now >= SLOW_RESPONSE_MS
	if (!failure.mayHaveActed && !isRepeated) journal.settle(intent)
	const tolerance = Math.min(CLOCK_TOLERANCE_MS, lifetime / 4)
	const isClockWrong = failure.status === 400 && !failure.notFromApi && Math.abs((result.skew ?? skew) - skew) > tolerance
	return { ok: false, failure, skew: isClockWrong ? result.skew : null }
}
/** Masks the key first. Throws if it is ours but unusable. */
function accept(answer, request, context) {
	const { runner, clock, inputs, journal } = context
	const { intent } = request
	for (const form of maskedForms(answer.token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
	const received = { ...request, receivedAt: clock.now() }
	const verdict = judgeCreated(answer, {
		...received,
		expiresIn: inputs.expiresIn,
		tokens: [inputs.apiKey, ...journal.made().flatMap(({ token }) => token ?? [])],
		ids: new Set(journal.made().map(({ id }) => id))
	})
	if (verdict.kind === 'refuse') {
		const described = lib.keyLabel({ prefix: answer.prefix, id: answer.id ?? 'unknown' })
		const message = `${new URL(inputs.apiUrl).host} answered the create request, but ${verdict.reason}: ${described}`
		try {
			journal.settle(intent, { ...intent, refused: verdict.isKnown || !(answer.prefix || answer.id) ? '' : described })
		} catch (error) {
			throw new Error(`${message}. ${error}`)
		}
		return { ok: false, failure: { message, mayHaveActed: true, retryable: true, unusable: true }, skew: null }
	}
	const { unreadable, token, ...rest } = answer
	// Without a value that can be sent, `api-key` revokes the key.
	const sendable = token !== null && isSendable(token) ? token : null
	const { createdAt, expiresAt } = withoutSureZone(answer, intent)
	const known = { ...rest, createdAt, expiresAt, id: answer.id ?? '' }
	const key = { ...known, token: sendable, asked: intent.expiry, keep: false }
	journal.recordKey(key, intent, received.receivedAt)
	if (verdict.kind === 'revoke') throw new Error(`The API's response cannot be used: ${verdict.reason}.`)
	if (verdict.kind === 'replace') {
		const message = `the key got a wrong expiry and could not be replaced. ${clockNote(verdict.skew)}`
		return { ok: false, failure: { message, mayHaveActed: true, retryable: false }, skew: verdict.skew }
	}
	if (verdict.warning !== null) runner.warning(verdict.warning)
	return { ok: true, skew: null, value: key }
}
/** Post revokes what cannot be revoked now. */
async function revokeHeldKeys(context, time) {
	const { runner, clock, cancellation, journal, inputs } = context
	const deadline = clock.now() + Math.min(time, CLEANUP_TIMEOUT_MS)
	const budget = lib.createBudget({ deadline, clock, cancellation })
	const revoke = async key => {
		const options = { ...context, budget, credential: inputs.apiKey, skew: journal.skew() }
		const result = await lib.revokeAndVerify(key, options)
		if (result.revoked) runner.info(`Revoked the key ${lib.keyLabel(key)}${result.verified ? ' (verified)' : ''}.`)
		else runner.warning(`Could not confirm that the key ${lib.keyLabel(key)} was revoked: ${result.reason}. The post step will try again.`)
		try {
			if (result.revoked) journal.removeKey(key)
			else journal.keep(key, false)
		} catch {
			// Perhaps why main fails. Still revoke the other keys.
		}
	}
	await Promise.all(journal.keys().map(revoke))
}
function stopIfCancelled(cancellation, last) {
	const cause = last ? `; the last attempt failed: ${last.message}` : ''
	if (cancellation.requestedAt !== null) throw new Error(`The job was cancelled before a key could be handed over${cause}.`)
}

const cancellation = lib.createCancellation(lib.systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, cancellation.request)
// Exit before the runner kills this process.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), lib.CANCEL.EXIT_MS).unref())
async function run() {
	for (const form of maskedForms(lib.getInput('api-key'), MIN_CREDENTIAL_LENGTH)) lib.runner.setSecret(form)
	for (const login of lib.proxyLogins(process.env)) for (const form of maskedForms(login)) lib.runner.setSecret(form)
	const inputs = readInputs(lib.getInput, process.env)
	await issueKey(inputs, {
		api: lib.createIssuingApi(lib.connect(inputs.apiUrl, process.env)),
		clock: lib.systemClock,
		random: Math.random,
		runner: lib.runner,
		cancellation,
		settings: lib.networkSettings(process.env),
		bootedAt: lib.bootedAt
	})
}
run().catch(lib.failStep)
