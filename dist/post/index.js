'use strict'

const lib = require('../lib/index.js')

const MAX_PAGES = 100
/** Reads the list once, page by page. The main step does without, and without the bytes that it takes. */
function createLister(call, apiUrl, now) {
	const start = new URL(`${apiUrl}${lib.KEYS_PATH}`)
	return async (credential, limits) => {
		const deadline = now() + limits.timeout
		const keys = []
		const visited = new Set()
		let doubt = null
		let skew = null
		for (let url = start; url !== null; ) {
			visited.add(url.href)
			const timeout = Math.max(1, Math.min(lib.MAX_ATTEMPT_MS, deadline - now()))
			const result = await call({ method: 'GET', url, credential }, { ...limits, timeout }, readPage)
			if (!result.ok) return result
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
/** All calls. */
function createKeyApi(options) {
	return { ...lib.createIssuingApi(options), list: createLister(lib.createCaller(options), options.apiUrl, options.now) }
}
/** Always on our own host: the credential goes nowhere else. */
function nextUrl(next, start) {
	const isBareQuery = /^[\w-]+=/.test(next)
	const reference = isBareQuery ? `?${next}` : next
	const named = URL.canParse(reference, start.href) ? new URL(reference, start) : start
	const tail = named.pathname.split(lib.KEYS_PATH)[1]
	const url = new URL(start)
	url.pathname = tail === undefined ? named.pathname : start.pathname + tail
	url.search = named.search
	return url
}
/** Another field may announce more keys. */
const KNOWN_FIELDS = ['results', 'next', 'previous', 'count']
/** Headers of a list that may be old. */
const CACHED = [
	/^(age|\S*cache-hits): .*[1-9]/,
	/^(?!\S*cache-(control|key):)\S*cache\S*:.*([^a-z]hit|refreshhit|stale|updating|revalidated)/i,
	/^warning: 1/,
]
/** Headers of a list that may lack a key. */
const PARTIAL = [
	/^link: .*rel\s*=[\s"']*[^"',;]*\b(next|last)\b/i,
	/^(?!x-total-count:)(\S*-)?(total|next|more|cursor|pages?|pagination|truncated)(-(count|pages?|range|cursor|next|token))*: ./,
]
/** The names of those that match. */
function headersLike(rules, headers) {
	return Object.keys(headers).filter((name) => rules.some((rule) => rule.test(`${name}: ${headers[name]}`)))
}
/** Throws if this is neither an array nor `{results, next}`. */
function readPage({ status, headers, body }) {
	const answer = lib.parseJson(body)
	const rows = Array.isArray(answer) ? answer : lib.field(answer, 'results')
	if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
	const described = rows.map(lib.readKey)
	const keys = described.flatMap((key) => (key.id === null ? [] : { ...key, id: key.id }))
	const unread = described.filter(
		({ id, unreadable, createdAt, expiresAt }) => id === null || unreadable !== null || (createdAt ?? expiresAt) === null,
	).length
	// An absolute URL, a path or a query; null on the last page.
	const next = lib.textOf(lib.field(answer, 'next'))
	const totals = [lib.field(answer, 'count'), headers['x-total-count'], headers['content-range']].flatMap((total) =>
		total === undefined || total === null ? [] : (/\d+$/.exec(String(total).slice(-15))?.[0] ?? 'unreadable'),
	)
	const count = Number(totals[0] ?? Number.NaN)
	const isUnknown = !Array.isArray(answer) && Object.keys(answer ?? {}).some((name) => !KNOWN_FIELDS.includes(name))
	const isOddNext = next === null && Boolean(lib.field(answer, 'next'))
	const isOdd = status !== 200 || isUnknown || isOddNext || totals.some((total) => Number(total) !== count)
	const doubts = [
		unread > 0 && `${unread} of its rows cannot be read`,
		(isOdd || headersLike(PARTIAL, headers).length > 0) && 'it may have pages that cannot be found',
		headersLike(CACHED, headers).length > 0 && 'it comes from a cache',
	]
	// Why a key may exist that this page does not show.
	const doubt = doubts.find(Boolean) || null
	return { keys, next, doubt, count: Number.isNaN(count) ? null : count }
}

/** Never throws. Names each damaged part in `damaged`, and replaces it; only the API's URL must be sound. */
function parseState(text) {
	const unreadable = (reason) => ({ kind: 'unreadable', reason })
	if (text === '') return { kind: 'none' }
	let value
	try {
		value = JSON.parse(text)
	} catch {
		return unreadable('it is not JSON')
	}
	if (!isFields(value)) return unreadable('it is not a record')
	const { apiUrl } = value
	if (!isText(apiUrl) || !/^https?:/.test(apiUrl) || !URL.canParse(apiUrl)) return unreadable('it holds no API URL')
	return { kind: 'record', ...readParts(value, apiUrl) }
}
function readParts(value, apiUrl) {
	const damaged = []
	const part = (name, isSound, otherwise) => {
		const found = value[name]
		if (isSound(found)) return found
		damaged.push(name)
		return otherwise
	}
	const entries = (name, isSound) => {
		const found = part(name, Array.isArray, [])
		const sound = found.filter(isSound)
		if (sound.length < found.length) damaged.push(`${found.length - sound.length} of its ${name}`)
		return sound
	}
	const state = {
		apiUrl,
		apiKey: part('apiKey', isSecret, null),
		settings: part('settings', areSettingsFor(new URL(apiUrl)), {}),
		bootedAt: part('bootedAt', isNumberOrNull, null),
		onRevokeFailure: part('onRevokeFailure', isPolicy, 'warn'),
		skew: part('skew', isNumberOrNull, null),
		keys: entries('keys', isKey),
		intents: entries('intents', isIntent),
	}
	return { state, damaged }
}
const isFields = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value) => typeof value === 'string'
/** A token that cannot be sent would make Node throw. */
const isSecret = (value) => isText(value) && lib.isHeaderSafe(value)
const isTexts = (value) => isFields(value) && Object.values(value).every(isText)
const isPolicy = (value) => value === 'warn' || value === 'fail'
/** A Date beyond 8.64e15 does not exist, and post adds such numbers. */
const isNumber = (value) => typeof value === 'number' && Math.abs(value) <= 1e15
const isNumberOrNull = (value) => value === null || isNumber(value)
const isKey = (value) =>
	isFields(value) &&
	(value.token === null || isSecret(value.token)) &&
	lib.readId(value.id) === value.id &&
	isText(value.prefix) &&
	isNumberOrNull(value.createdAt) &&
	isNumberOrNull(value.expiresAt) &&
	isNumber(value.asked) &&
	typeof value.keep === 'boolean'
const isIntent = (value) =>
	isFields(value) &&
	isNumber(value.expiry) &&
	isNumber(value.sentAt) &&
	isNumber(value.deadline) &&
	(value.stored === undefined || isNumberOrNull(value.stored)) &&
	isText(value.refused)
/** A proxy that main could not have used would keep post from sending anything. */
function areSettingsFor(url) {
	return (value) => {
		try {
			return isTexts(value) && lib.proxyFor(url, value) !== null
		} catch {
			return false
		}
	}
}

/** Why this list cannot show that a key is absent, or null. `gone`: IDs of revoked keys. */
function doubtAbout(list, credential, gone) {
	if (list.doubt !== null) return list.doubt
	// A JWT is no key, so no list shows it.
	const isJwt = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential)
	if (!isJwt && ownRows(list, credential).length !== 1) return 'it does not show the key that it was read with'
	if (list.keys.some(({ id }) => gone.has(id))) return 'it still shows a key that was revoked'
	return null
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
function missingCheck(context) {
	const { api, random, credential, gone } = context
	return async (key, { startedAt, granted, budget }) => {
		if (credential === null || !(granted || lib.isOldEnough(key, startedAt, context))) return false
		const read = await readList(credential, { api, budget, random })
		if (!read.ok || doubtAbout(read.value, credential, gone) !== null) return false
		const own = ownRows(read.value, credential)
		const others = ownRows(read.value, key.token ?? '').filter((row) => !own.includes(row))
		return others.length === 0 && !read.value.keys.some((row) => isRowOf(key, row))
	}
}
/** Several pages are read twice: a key that disappears moves others past the page that is read next. */
async function readList(credential, context) {
	const read = () => lib.retry((limits) => context.api.list(credential, limits), context)
	const first = await read()
	const second = first.ok && first.value.pages > 1 ? await read() : first
	if (!first.ok || !second.ok) return second
	const byId = new Map([...first.value.keys, ...second.value.keys].map((key) => [key.id, key]))
	return {
		...second,
		value: { ...second.value, keys: [...byId.values()], doubt: first.value.doubt ?? second.value.doubt },
	}
}

/** Found only if a single key has exactly the expiry, and was created in the window. */
function matchIntent(intent, list, context) {
	const { known, shift, dateSkew, skew, grid } = context
	const others = list.filter(({ id }) => !known.has(id))
	const wasThen = (created, inAnyZone = false) => {
		const end = intent.deadline + (inAnyZone ? lib.LATEST_WRITE_MS : lib.LATE_WRITE_GRACE_MS)
		return [0, shift].some((moved) => {
			const skews = [dateSkew, skew === null ? null : skew + moved]
			return lib.isWithin(created, { from: intent.sentAt - moved, to: end - moved, skews, inAnyZone })
		})
	}
	const inWindow = (key) => wasThen(lib.withoutZone(key, intent).createdAt)
	const listGrid = gridShownBy(list)
	const fitness = (key) => {
		const { expiresAt } = lib.withoutZone(key, intent)
		if (!isRoundedOtherwise(intent, expiresAt) && lib.fitOf(intent, expiresAt, Math.min(grid, listGrid)) === 'exact') return 'exact'
		return lib.fitOf(intent, expiresAt, Math.max(grid, listGrid)) === 'none' ? 'none' : 'near'
	}
	const exact = others.filter((key) => fitness(key) === 'exact')
	const [only, another] = exact.filter(inWindow)
	if (only && !another) return { kind: 'found', key: only }
	// Without a usable expiry, only the time identifies a key, in any zone.
	const isSuspect = (key) => {
		const { createdAt, expiresAt } = key
		return (expiresAt === null || lib.isCapped(key, intent)) && wasThen(createdAt, true)
	}
	const near = others.filter((key) => fitness(key) === 'near' || isSuspect(key))
	const candidates = exact.length > 0 ? exact : near
	return candidates.length > 0 ? { kind: 'ambiguous', candidates } : { kind: 'absent' }
}
/** Twins expire alike where the response and the list round alike. */
function isRoundedOtherwise({ expiry, stored }, expiresAt) {
	if (!stored || !expiresAt || lib.gridBetween(stored, expiresAt) === 1) return false
	return lib.gridBetween(expiry, stored) !== 1 && lib.gridBetween(expiry, expiresAt) !== 1
}
const COARSEST_GRID_US = 60_000_000
/** The coarsest grid of a server that stored these; Infinity if it may compute expiries anew. */
function gridShownBy(keys) {
	const shown = keys.map(({ expiresAt, asked }) => {
		if (!asked || !expiresAt) return { expiry: expiresAt, grid: 0 }
		const expiry = expiresAt - lib.nearestZone(expiresAt, asked)
		return { expiry, grid: lib.gridBetween(asked, expiry) }
	})
	if (keys.length === 0 || shown.some(({ grid }) => grid === null)) return Infinity
	// What the server only repeats may be stored on any grid.
	const stored = shown.flatMap(({ expiry, grid }) => (grid === 1 ? [] : (expiry ?? [])))
	if (stored.some((expiry) => Math.round(expiry * 1000) % 1000 !== 0)) return 1
	if (!stored.every(lib.isOnCoarseGrid)) return 1000
	return stored.length > 0 ? Infinity : COARSEST_GRID_US
}

/** Looks once, and revokes keys that this run certainly made. One result per intent, in order. */
async function revokeOrphans(intents, context) {
	const read = await readAll(context)
	if (!read.ok) {
		const { message: reason, retryable } = read.failure
		return intents.map(() => ({ kind: 'failed', reason, retryable, key: null }))
	}
	const list = read.value
	const credential = context.credential ?? ''
	const doubt = doubtAbout(list, credential, context.gone)
	// What is left of a key that was revoked is its twin.
	const held = context.held.filter(({ id }) => !context.gone.has(id)).flatMap((key) => heldRows(key, list))
	const others = [...ownRows(list, credential), ...held].map(({ id }) => id)
	const looked = { ...context, known: new Set([...context.gone, ...others]), dateSkew: read.skew }
	const results = intents.map((intent) => {
		const match = matchIntent(intent, list.keys, looked)
		return match.kind === 'found' ? revokeOrphan(match.key, doubt, context) : { doubt, ...match }
	})
	return Promise.all(results)
}
/** Also if the list writes id and expiry otherwise: no other key has our prefix. */
function heldRows(key, list) {
	const byPrefix = key.token === null ? [] : ownRows(list, key.token)
	return list.keys.filter((row) => isRowOf(key, row) || (byPrefix.length === 1 && byPrefix[0] === row))
}
async function revokeOrphan(key, doubt, context) {
	const result = await lib.revokeAndVerify({ ...key, token: null }, context)
	if (result.revoked) return { kind: 'revoked', key, doubt }
	const { message: reason, retryable } = result.failure
	return { kind: 'failed', reason, retryable, key }
}
async function readAll(context) {
	if (context.credential === null) return { ok: false, skew: null, failure: lib.NO_CREDENTIAL }
	const read = await readList(context.credential, context)
	// An authentication service that is down gives 401, too.
	return read.ok || read.failure.status !== 401 ? read : { ...read, failure: { ...read.failure, retryable: true } }
}

const DASHBOARD = 'Dashboard > Plans > API Keys'
/** One attempt, and a slow server. */
const MAX_WATCH_MS = lib.MAX_ATTEMPT_MS + lib.LATE_WRITE_GRACE_MS
const WATCH_INTERVAL_MS = 2_000
/** A lookup with less time would only time out. */
const MIN_LOOKUP_MS = 1_000
/** Looks until even a slow server has acted, and revokes what is certainly ours. Adds to `gone`, lowers `grid`. */
async function resolveIntents(intents, context) {
	const { runner, clock, budget } = context
	if (intents.length === 0) return { failures: [], warnings: [] }
	const unanswered = intents.filter(({ stored }) => stored === undefined).length
	if (unanswered > 0) runner.info(`Looking for the keys of ${unanswered} unanswered create request(s).`)
	const latest = Math.max(...intents.map(({ deadline }) => deadline + lib.LATE_WRITE_GRACE_MS))
	const watchUntil = Math.min(latest, clock.now() + MAX_WATCH_MS)
	let open = intents.map((intent) => ({
		intent,
		isFound: intent.stored !== undefined,
		result: { kind: 'absent', doubt: 'it was not read' },
	}))
	for (;;) {
		const lookedAt = clock.now()
		open = addResults(open, await revokeOrphans(intents, context), context)
		const isWatched = lookedAt >= watchUntil
		if (!shouldLookAgain(open, isWatched) || budget.left() <= WATCH_INTERVAL_MS + MIN_LOOKUP_MS) return conclude(open, isWatched, clock.now())
		const rest = isWatched ? WATCH_INTERVAL_MS : Math.max(0, watchUntil - clock.now())
		await budget.pause(Math.min(WATCH_INTERVAL_MS, rest))
	}
}
function addResults(open, results, context) {
	return open.map((item, index) => {
		const result = results[index] ?? item.result
		if (result.kind !== 'revoked') return { ...item, result }
		context.gone.add(result.key.id)
		// The list no longer shows the grid of its expiry.
		context.grid = Math.min(context.grid, gridShownBy([result.key]))
		context.runner.info(`Found and revoked the orphaned key ${lib.keyLabel(result.key)}.`)
		return { ...item, result: { kind: 'absent', doubt: result.doubt }, isFound: true }
	})
}
/** `isWatched`: a slow server has had its time. */
function shouldLookAgain(open, isWatched) {
	return open.some(({ result }) => (result.kind === 'failed' ? result.retryable : !isWatched || result.doubt !== null))
}
/** What to say of each intent in the end. */
function conclude(open, isWatched, now) {
	const failures = new Map()
	const warnings = new Map()
	for (const item of open) {
		const { intent, result, isFound } = item
		const isDoubtful = result.kind === 'absent' && result.doubt !== null
		const mayStillAct = !isFound && now < intent.deadline + lib.LATEST_WRITE_MS
		const reason = reasonOf(item, isWatched) ?? (mayStillAct ? NOTHING_YET : null)
		if (reason === null) continue
		const sort = reason === NOTHING_YET || (isFound && (isDoubtful || result.kind === 'ambiguous')) ? warnings : failures
		sort.set(reason, [...(sort.get(reason) ?? []), intent])
	}
	return { failures: sentences(failures), warnings: sentences(warnings) }
}
const NOTHING_YET = 'No key of an unanswered create request has appeared so far; if the API still creates one, this action cannot see it'
function reasonOf({ intent: { refused }, isFound, result }, isWatched) {
	const what = isFound ? 'a gateway repeated a create request' : 'an unanswered create request created a key'
	switch (result.kind) {
		case 'failed':
			return result.key === null
				? `Could not determine whether ${what}: ${result.reason}`
				: `Could not confirm that the orphaned API key ${lib.keyLabel(result.key)} was revoked: ${result.reason}`
		case 'ambiguous':
			return (
				`${isFound ? 'A possibly repeated' : 'An unanswered'} create request matches ${result.candidates.length} key(s) (${result.candidates.slice(0, 3).map(lib.keyLabel).join(', ')}); ` +
				'revoked none, because some may belong to other runs'
			)
		case 'absent':
			if (result.doubt !== null) return `Could not determine whether ${what}: the list of keys cannot be relied on, because ${result.doubt}`
			if (refused !== '' && !isFound) return `A create request returned the key ${refused}, which may not be this run's, so it was not revoked`
			return isWatched ? null : 'There was no time to wait for an unanswered create request'
		case 'revoked':
			return null
	}
}
function sentences(byReason) {
	return [...byReason].map(([reason, intents]) => {
		const least = (of) => Math.min(...intents.map((intent) => intent[of]))
		const [count, later] = intents.length === 1 ? ['', ''] : [` (${intents.length} requests)`, ' or later']
		const times = `created about ${lib.formatUtc(least('sentAt'))} and expires ${lib.formatExactly(least('expiry'))}${later}`
		if (intents[0]?.refused) return `${reason}. Look at it: ${DASHBOARD}.`
		return `${reason}${count}. Such a key was ${times}; to revoke it now: ${DASHBOARD}.`
	})
}

const POST_STEP_TIMEOUT_MS = 60_000
/** Jobs of a matrix that end together take turns. */
const MAX_THROTTLE_WAIT_MS = 30 * 60_000
/** The known keys get a head start. */
const LOOKUP_DELAY_MS = 3_000
const NOTHING_LEFT = 'The main step saved no key that may be valid, so there is nothing to revoke.'
const STAYS_VALID = `stays valid until it expires; to revoke it now: ${DASHBOARD}.`
/** The post step. Throws an Error or warns, by `onRevokeFailure`, about what it cannot confirm. */
async function revokeKeys(found, deps) {
	const { runner } = deps
	if (found.kind === 'none') return runner.info(NOTHING_LEFT)
	if (found.kind === 'unreadable') {
		const message =
			`The record that the main step saved cannot be used (${found.reason}), so nothing was revoked. ` +
			`If it created a key, that key ${STAYS_VALID}`
		return warnOrFail([message], deps.policyWithoutRecord(), runner)
	}
	const { state, damaged } = found
	const failures = []
	if (damaged.length > 0)
		failures.push(
			`Parts of the record that the main step saved cannot be used (${damaged.join(', ')}). ` +
				`If they described another key, that key ${STAYS_VALID}`,
		)
	if (state.keys.length === 0 && state.intents.length === 0) {
		if (damaged.length === 0) runner.info(NOTHING_LEFT)
	} else {
		const unresolved = await settleAll(state, contextFor(state, deps))
		for (const warning of unresolved.warnings) runner.warning(warning)
		failures.push(...unresolved.failures)
	}
	warnOrFail(failures, state.onRevokeFailure, runner)
}
async function settleAll(state, context) {
	const { clock, newBudget, shift } = context
	const intents = state.intents.map(({ sentAt, deadline, ...intent }) => {
		return { ...intent, sentAt: sentAt + shift, deadline: deadline + shift }
	})
	const end = clock.now() + POST_STEP_TIMEOUT_MS
	const revoking = revokeHeldKeys(state.keys, context, () => newBudget(end))
	const wake = new AbortController()
	const stopWaiting = () => wake.abort()
	revoking.then(stopWaiting, stopWaiting)
	if (intents.length > 0) await clock.sleep(LOOKUP_DELAY_MS, wake.signal)
	const [failures, unresolved] = await Promise.all([revoking, resolveIntents(intents, { ...context, budget: newBudget(end) })])
	return { ...unresolved, failures: [...failures, ...unresolved.failures] }
}
function warnOrFail(failures, policy, runner) {
	if (failures.length === 0) return
	const message = failures.join(' ')
	if (policy === 'fail') throw new Error(message)
	runner.warning(message)
}
/** A step that changed the trusted authorities may read what post sends: never the long-lived key. */
function contextFor(state, deps) {
	const { runner, clock, random, connect, settings, bootedAt } = deps
	const changed = lib.changedAuthorities(state.settings, settings)
	if (changed.length > 0)
		runner.warning(
			`A step of this job changed ${changed.join(', ')}, which decides the certificates that are trusted. ` +
				'The post step does not send api-key under these settings.',
		)
	const credential = changed.length === 0 ? state.apiKey : null
	const shift = bootedAt - (state.bootedAt ?? bootedAt)
	const onWait = (wait) => runner.info(`Rate limited by the API (429). Retrying in ${lib.formatSeconds(wait)}.`)
	const skew = state.skew === null ? null : state.skew - shift
	const context = { api: connect(state), clock, random, runner, credential, skew, gone: new Set() }
	return {
		...{ ...context, shift, held: state.keys },
		grid: gridShownBy(state.keys),
		isMissing: missingCheck(context),
		newBudget: (deadline) => lib.createBudget({ deadline, clock, throttle: { latest: deadline + MAX_THROTTLE_WAIT_MS, onWait } }),
	}
}
async function revokeHeldKeys(keys, context, newBudget) {
	const { runner, gone } = context
	const failures = []
	const revokeOne = async (key) => {
		if (key.keep) {
			const end = key.expiresAt === null ? '' : ` at ${lib.formatUtc(key.expiresAt)}`
			runner.info(`The key ${lib.keyLabel(key)} stays valid until it expires${end} (\`revoke: false\`).`)
			return { key, status: '**Kept** until it expires (`revoke: false`)' }
		}
		const result = await lib.revokeAndVerify(key, { ...context, budget: newBudget() })
		if (result.revoked) gone.add(key.id)
		else
			failures.push(
				`Could not confirm that API key ${lib.keyLabel(key)} was revoked: ${result.failure.message}. ${expiryAdvice(key.expiresAt)} To revoke it now: ${DASHBOARD}.`,
			)
		return { key, status: report(key, result, context) }
	}
	const rows = await Promise.all(keys.map(revokeOne))
	if (rows.length > 0) lib.summarizeKeys(runner, 'SphereScout key after this job', rows)
	return failures
}
function expiryAdvice(expiresAt) {
	if (expiresAt === null) return 'Its expiry is unknown, so it may never expire; revoke it now.'
	return `It expires at ${lib.formatUtc(expiresAt)}.`
}
function report(key, result, { runner, clock }) {
	if (!result.revoked) return '**Revocation not confirmed**'
	const how = `${result.alreadyRevoked ? 'Already revoked or expired' : 'Revoked'}${result.verified ? ' (verified)' : ''}`
	const proof = result.verified ? '; the API rejects it with 401' : ''
	runner.info(`${how}: API key ${lib.keyLabel(key)}${proof}.`)
	return `**${how}**, ${lib.formatUtc(clock.now())}`
}

// Wires the real runner, network and clock into the post step.
// Only the runner's kill stops the revocation, no signal and no broken log.
process.stdout.on('error', () => {})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, () => {})
async function run() {
	await revokeKeys(parseState(lib.getState(lib.STATE_NAME)), {
		clock: lib.systemClock,
		random: Math.random,
		runner: lib.runner,
		connect: ({ apiUrl, settings }) => createKeyApi(lib.connect(apiUrl, settings)),
		settings: lib.networkSettings(process.env),
		bootedAt: lib.bootedAt,
		policyWithoutRecord: () => (/^fail$/i.test(lib.getInput('on-revoke-failure')) ? 'fail' : 'warn'),
	})
}
run().catch(lib.failStep)
