'use strict'

const lib = require('../lib/index.js')

const MAX_PAGES = 100
/** Reads the list once, page by page. Called again after a failure, an attempt goes on with the page that failed. */
function createLister(call, apiUrl, now) {
	const start = new URL(`${apiUrl}${lib.KEYS_PATH}`)
	return credential => {
		const keys = []
		const visited = new Set()
		let doubt = null
		let skew = null
		let url = start
		return async limits => {
			const deadline = now() + limits.timeout
			while (url !== null) {
				const timeout = Math.max(1, Math.min(lib.MAX_ATTEMPT_MS, deadline - now()))
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
	return { ...lib.createIssuingApi(options), list: createLister(lib.createCaller(options), options.apiUrl, options.now) }
}
/** Always on our own host: the credential goes nowhere else. */
function nextUrl(next, start) {
	const isBareQuery = /^[\w-]+=/.test(next)
	const named = URL.parse(isBareQuery ? `?${next}` : next, start.href) ?? start
	const tail = named.pathname.split(lib.KEYS_PATH)[1]
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
	const answer = lib.parseJson(body)
	const described = lib.rowsOf(answer).map(lib.readKey)
	const keys = described.flatMap(key => (key.id === null ? [] : { ...key, id: key.id }))
	const unread = described.filter(key => key.id === null || key.unreadable !== null || (key.createdAt ?? key.expiresAt) === null).length
	// An absolute URL, a path or a query; null on the last page.
	const next = lib.textOf(lib.field(answer, 'next'))
	const totals = [lib.field(answer, 'count'), headers['x-total-count'], headers['content-range']].flatMap(total =>
		total === undefined || total === null ? [] : (/(?:^|\/|, )(\d+)$/.exec(String(total).slice(-15))?.[1] ?? 'unreadable')
	)
	const count = Number(totals[0] ?? Number.NaN)
	const isUnknown = !Array.isArray(answer) && Object.keys(answer ?? {}).some(name => !KNOWN_FIELDS.includes(name))
	const isOddNext = next === null && Boolean(lib.field(answer, 'next'))
	const isOdd = status !== 200 || isUnknown || isOddNext || totals.some(total => Number(total) !== count)
	const doubts = [
		unread > 0 && `${unread} of its rows cannot be read`,
		(isOdd || lib.hasHeader(PARTIAL, headers)) && 'it may have pages that cannot be found',
		lib.isStored(headers) && 'it comes from a cache'
	]
	// Why a key may exist that this page does not show.
	const doubt = doubts.find(Boolean) || null
	return { keys, next, doubt, count: Number.isNaN(count) ? null : count }
}

/** Never throws. Replaces each damaged part; only the API's URL must be sound. */
function parseState(text) {
	if (text === '') return { state: null, damage: '' }
	let value
	try {
		value = JSON.parse(text)
	} catch {
		return { state: null, damage: 'it is not JSON' }
	}
	if (!isFields(value)) return { state: null, damage: 'it is not a record' }
	const { apiUrl } = value
	const isUrl = isText(apiUrl) && /^https?:/.test(apiUrl) && URL.canParse(apiUrl)
	return isUrl ? readParts(value, apiUrl) : { state: null, damage: 'it holds no API URL' }
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
		settings: part('settings', value => areSettings(value, apiUrl), {}),
		bootedAt: part('bootedAt', isNumberOrNull, null),
		onRevokeFailure: part('onRevokeFailure', value => value === 'warn' || value === 'fail', 'warn'),
		skew: part('skew', isNumberOrNull, null),
		keys: entries('keys', isKey),
		intents: entries('intents', isIntent)
	}
	return { state, damage: damaged.join(', ') }
}
const isFields = value => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = value => typeof value === 'string'
/** A token that cannot be sent would make Node throw. */
const isSecret = value => isText(value) && lib.isHeaderSafe(value)
const isTexts = value => isFields(value) && Object.values(value).every(isText)
/** A Date beyond 8.64e15 does not exist, and post adds such numbers. */
const isNumber = value => typeof value === 'number' && Math.abs(value) <= 1e15
const isNumberOrNull = value => value === null || isNumber(value)
const isKey = value =>
	isFields(value) &&
	(value.token === null || isSecret(value.token)) &&
	isText(value.id) &&
	lib.readId(value.id) === value.id &&
	isText(value.prefix) &&
	isNumberOrNull(value.createdAt) &&
	isNumberOrNull(value.expiresAt) &&
	isNumber(value.asked) &&
	typeof value.keep === 'boolean'
const isIntent = value =>
	isFields(value) &&
	isNumber(value.expiry) &&
	isNumber(value.sentAt) &&
	isNumber(value.deadline) &&
	(value.stored === undefined || isNumberOrNull(value.stored)) &&
	isText(value.refused)
/** A proxy that main could not have used would keep post from sending anything. */
function areSettings(value, apiUrl) {
	try {
		return isTexts(value) && lib.proxyFor(new URL(apiUrl), value) !== null
	} catch {
		return false
	}
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
		if (credential === null || !(granted || lib.isOldEnough(key, revocation))) return false
		const read = await readList(credential, { ...revocation, api })
		if (!read.ok || doubtAbout(read.value, credential, gone) !== null) return false
		const own = ownRows(read.value, credential)
		const others = ownRows(read.value, key.token ?? '').filter(row => !own.includes(row))
		return others.length === 0 && !read.value.keys.some(row => isRowOf(key, row))
	}
}
/** Several pages are read twice: a key that disappears moves others past the page that is read next. */
async function readList(credential, context) {
	const read = () => lib.retry(context.api.list(credential), context)
	const first = await read()
	const second = first.ok && first.value.pages > 1 ? await read() : first
	if (!first.ok || !second.ok) return second
	const byId = new Map([...first.value.keys, ...second.value.keys].map(key => [key.id, key]))
	return { ...second, value: { ...second.value, keys: [...byId.values()], doubt: first.value.doubt ?? second.value.doubt } }
}

/** After this, even a slow server has carried out a request. */
const LATE_WRITE_GRACE_MS = 15_000
/** No server carries a request out this long after its deadline. */
const LATEST_WRITE_MS = 10 * 60_000
/** Found only if a single key has exactly the expiry, and was created in the window. */
function matchIntent(intent, list, context) {
	const { known, shift, dateSkew, skew, grid } = context
	const rows = list.filter(({ id }) => !known.has(id)).map(key => ({ key, ...lib.withoutZone(key, intent) }))
	const wasThen = (created, inAnyZone = false) => {
		const end = intent.deadline + (inAnyZone ? LATEST_WRITE_MS : LATE_WRITE_GRACE_MS)
		return [0, shift].some(moved => {
			const skews = [dateSkew, skew === null ? null : skew + moved]
			return lib.isWithin(created, { from: intent.sentAt - moved, to: end - moved, skews, inAnyZone })
		})
	}
	const listGrid = gridShownBy(list)
	const [finest, coarsest] = [Math.min(grid, listGrid), Math.max(grid, listGrid)]
	const exact = rows.filter(({ expiresAt }) => !isRoundedOtherwise(intent, expiresAt) && lib.fitOf(intent, expiresAt, finest) === 'exact')
	const [only, another] = exact.filter(({ createdAt }) => wasThen(createdAt))
	if (only && !another) return { key: only.key, candidates: [] }
	const near = rows.filter(({ key, expiresAt }) => {
		// Without a usable expiry, only the time identifies a key, in any zone.
		const isSuspect = (key.expiresAt === null || lib.isCapped(key, intent)) && wasThen(key.createdAt, true)
		return isSuspect || lib.fitOf(intent, expiresAt, coarsest) !== 'none'
	})
	return { key: null, candidates: (exact.length > 0 ? exact : near).map(({ key }) => key) }
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
	if (stored.some(expiry => Math.round(expiry * 1000) % 1000 !== 0)) return 1
	if (!stored.every(lib.isOnCoarseGrid)) return 1000
	return stored.length > 0 ? Infinity : COARSEST_GRID_US
}

const DASHBOARD = 'Dashboard > Plans > API Keys'
const WATCH_INTERVAL_MS = 2_000
/** Less would only time out. */
const MIN_LOOKUP_MS = 1_000
const NOT_SENT = { ok: false, skew: null, failure: lib.NO_CREDENTIAL }
/** Looks until even a slow server has acted, and revokes what is ours. Warns, and returns failures (sentences). */
async function resolveIntents(intents, given) {
	const { runner, clock, budget } = given
	if (intents.length === 0) return []
	runner.info(`Looking for the keys of ${intents.length} create request(s) whose response was lost, unusable or slow.`)
	const watchUntil = Math.max(...intents.map(({ deadline }) => deadline)) + LATE_WRITE_GRACE_MS
	const context = { ...given, orphans: new Map(), labels: new Set(), unsettled: new Set() }
	let look = { findings: intents.map(intent => ({ intent })), isOpen: true }
	let pause = WATCH_INTERVAL_MS
	do {
		const isWatched = clock.now() >= watchUntil
		const wasUnsettled = context.unsettled.size > 0
		look = await lookOnce(look, isWatched, context)
		const { isOpen } = look
		const rest = budget.left() - MIN_LOOKUP_MS
		if (isWatched) pause += WATCH_INTERVAL_MS
		if (isOpen && rest > 0) await budget.pause(Math.min(pause, rest))
		// A key that ends moves the rows of a list, and until then, its twin is not certain.
		else if (!isOpen && (wasUnsettled || context.unsettled.size > 0)) await Promise.all(context.orphans.values())
		else break
	} while (budget.left() >= MIN_LOOKUP_MS)
	const all = [...(await Promise.all(context.orphans.values())), ...look.findings]
	for (const warning of sentences(all, 'warning', context)) runner.warning(warning)
	return sentences(all, 'failure', context)
}
/** Looks once, and starts to revoke what is certainly ours. `isWatched`: a slow server has had its time. */
async function lookOnce(last, isWatched, context) {
	const { credential, gone, orphans, labels, unsettled, clock } = context
	const read = credential === null ? NOT_SENT : await readList(credential, context)
	const list = read.ok ? read.value : { keys: [], doubt: '' }
	const doubt = read.ok ? doubtAbout(list, credential ?? '', gone) : read.failure.message
	// A redirect shows that api-url is wrong; anything else may pass.
	const isOpen = read.ok ? !isWatched || doubt !== null : credential !== null && !/^3/.test(`${read.failure.status}`)
	// What is left of a key that was revoked is its twin.
	const held = context.held.filter(({ id }) => !gone.has(id)).flatMap(key => heldRows(key, list))
	const known = new Set([...gone, ...[...ownRows(list, credential ?? ''), ...held].map(({ id }) => id)])
	const findings = last.findings.map(finding => {
		const intent = { ...finding.intent }
		// A gateway may have replayed the response.
		if (labels.has(intent.refused)) intent.refused = ''
		const { key, candidates } = matchIntent(intent, list.keys, { ...context, known, dateSkew: read.skew })
		// A refusal may pass.
		if (key !== null && (!orphans.has(key.id) || (isOpen && !unsettled.has(key.id)))) {
			const orphan = revokeOrphan(intent, key, context)
			orphan.catch(() => {})
			orphans.set(key.id, orphan)
			labels.add(lib.keyLabel(key))
			// Once it is gone, the list no longer shows the grid of its expiry.
			context.grid = Math.min(context.grid, gridShownBy([key]))
			// From now on, its twin is looked for.
			return { intent: { ...intent, refused: '', stored: lib.withoutZone(key, intent).expiresAt } }
		}
		const others = candidates.filter(({ id }) => !orphans.has(id))
		// What names keys outlasts a list that does not.
		if (doubt !== null && others.length === 0 && finding.hasNames) return finding
		const problem = problemOf(intent, { doubt, isWatched, candidates: others, now: clock.now() })
		return { intent, hasNames: others.length > 0, ...problem }
	})
	return { findings, isOpen }
}
async function revokeOrphan(intent, key, context) {
	context.unsettled.add(key.id)
	// By the clock of a server that is behind, its age is unknown.
	const result = await lib.revokeAndVerify({ ...key, token: null, createdAt: null }, context)
	context.unsettled.delete(key.id)
	if (!result.revoked) {
		const failure = `Could not confirm that the orphaned API key ${lib.keyLabel(key)} was revoked: ${result.reason}`
		return { intent, failure }
	}
	context.gone.add(key.id)
	const what = result.granted ? 'Found and revoked the' : 'No longer valid:'
	context.runner.info(`${what} orphaned key ${lib.keyLabel(key)}.`)
	return { intent }
}
/** Also if the list writes id and expiry otherwise: no other key has our prefix. */
function heldRows(key, list) {
	const byPrefix = key.token === null ? [] : ownRows(list, key.token)
	return list.keys.filter(row => isRowOf(key, row) || (byPrefix.length === 1 && byPrefix[0] === row))
}
function undetermined({ stored, refused }) {
	const question = refused
		? `the key ${refused}, which a create request returned, is this run's`
		: stored === undefined
			? 'an unresolved create request created a key'
			: 'a gateway repeated a create request'
	return `Could not determine whether ${question}`
}
/** As the list shows it: the API may not keep what was asked for. */
function withExpiry(key) {
	const { expiresAt, unreadable } = key
	return `${lib.keyLabel(key)}, ${expiresAt === null ? (unreadable ?? 'never expires') : `expires ${lib.formatUtc(expiresAt)}`}`
}
/** Of a list without a key that is certainly of `intent`. */
function problemOf(intent, { candidates, doubt, isWatched, now }) {
	const { refused, stored } = intent
	const isAnswered = stored !== undefined
	const unsettled = problem => (isAnswered ? { warning: problem } : { failure: problem })
	const which = refused === '' ? 'An unresolved create request' : `The create request that returned the key ${refused}`
	if (candidates.length > 0)
		return unsettled(
			`${isAnswered ? 'A possibly repeated create request' : which} matches ${candidates.length} key(s) ` +
				`(${candidates.slice(0, 3).map(withExpiry).join('; ')}); revoked none, because some may belong to other runs`
		)
	if (doubt !== null) return unsettled(`${undetermined(intent)}: ${doubt}`)
	if (refused !== '') return { failure: `A create request returned the key ${refused}, which may not be this run's, so it was not revoked` }
	if (!isWatched) return { failure: 'There was no time to wait for an unresolved create request' }
	if (isAnswered || now >= intent.deadline + LATEST_WRITE_MS) return {}
	return { warning: 'No key of an unresolved create request has appeared so far; if the API still creates one, this action cannot see it' }
}
function sentences(findings, sort, { skew }) {
	const reasons = new Set(findings.flatMap(finding => finding[sort] ?? []))
	return [...reasons].map(reason => {
		const intents = findings.filter(finding => finding[sort] === reason).map(({ intent }) => intent)
		const count = intents.length === 1 ? '' : ` (${intents.length} requests)`
		return `${reason}${count}. ${describeRequests(intents, skew)}. To revoke such a key now: ${DASHBOARD}.`
	})
}
/** What lets a person find their keys. */
function describeRequests(intents, skew) {
	const least = of => Math.min(...intents.map(intent => intent[of]))
	const later = intents.length === 1 ? '' : ' or later'
	const sent = lib.formatUtc(least('sentAt') + (skew ?? 0))
	return `Sent about ${sent}${later}, for a key that expires ${lib.formatExactly(least('expiry'))}${later}`
}

const POST_STEP_TIMEOUT_MS = 60_000
/** Jobs of a matrix that end together take turns. */
const MAX_THROTTLE_WAIT_MS = 30 * 60_000
/** For the known keys: one that ends moves the rows of a list that is being read. */
const LOOKUP_DELAY_MS = 3_000
/** The post step. Throws an Error or warns, by `onRevokeFailure`, about what it cannot confirm. */
async function revokeKeys({ state, damage }, deps) {
	const { runner } = deps
	const failures = []
	if (damage !== '')
		failures.push(
			`${state === null ? 'The' : 'Part of the'} record that the main step saved cannot be used (${damage}). ` +
				`A key that it described may stay valid until it expires; to revoke it now: ${DASHBOARD}.`
		)
	if (state !== null && state.keys.length + state.intents.length > 0) await settleAll(state, failures, deps)
	else if (damage === '') runner.info('The main step saved no key that may be valid, so there is nothing to revoke.')
	if (failures.length === 0) return
	const message = failures.join(' ')
	if ((state?.onRevokeFailure ?? deps.policyWithoutRecord()) === 'fail') throw new Error(message)
	runner.warning(message)
}
/** Adds to `failures`, known keys first. */
async function settleAll(state, failures, deps) {
	const { clock, runner, stopping } = deps
	const context = contextFor(state, deps)
	let isLooking = state.intents.length > 0
	const unsettled = () => {
		const keys = state.keys.filter(({ id, keep }) => !keep && !context.gone.has(id)).map(lib.keyLabel)
		return [...keys, ...(isLooking ? [`${state.intents.length} create request(s)`] : [])].join(', ')
	}
	const intents = state.intents.map(({ sentAt, deadline, ...intent }) => {
		return { ...intent, sentAt: sentAt + context.shift, deadline: deadline + context.shift }
	})
	const warnOfRest = () => {
		const sent = isLooking ? ` ${describeRequests(intents, context.skew)}.` : ''
		const rest = `The runner is stopping this step; not yet settled: ${unsettled()}.${sent} To revoke them now: ${DASHBOARD}.`
		runner.warning([rest, ...failures].join(' '))
	}
	stopping.addEventListener('abort', warnOfRest)
	const deadline = clock.now() + POST_STEP_TIMEOUT_MS
	const onWait = wait => runner.info(`Rate limited by the API (429). Retrying in ${lib.formatSeconds(wait)}. Not yet settled: ${unsettled()}.`)
	const newBudget = () => lib.createBudget({ deadline, clock, throttle: { latest: deadline + MAX_THROTTLE_WAIT_MS, onWait } })
	const revoking = revokeHeldKeys(context, newBudget, failures)
	const wake = new AbortController()
	const stopWaiting = () => wake.abort()
	revoking.then(stopWaiting, stopWaiting)
	if (intents.length > 0) await clock.sleep(LOOKUP_DELAY_MS, wake.signal)
	const looking = resolveIntents(intents, { ...context, budget: newBudget() }).then(found => {
		isLooking = false
		failures.push(...found)
	})
	await Promise.all([revoking, looking])
	stopping.removeEventListener('abort', warnOfRest)
}
/** A step that changed the trusted authorities may read what post sends: never the long-lived key. */
function contextFor(state, { runner, clock, random, connect, settings, bootedAt }) {
	// Post uses the proxies of main, so those may differ.
	const changed = lib.AUTHORITIES.filter(name => state.settings[name] !== settings[name])
	if (changed.length > 0)
		runner.warning(
			`A step of this job changed ${changed.join(', ')}, which decides the certificates that are trusted. ` +
				'The post step does not send api-key under these settings.'
		)
	const shift = bootedAt - (state.bootedAt ?? bootedAt)
	const lists = { api: connect(state), gone: new Set() }
	return {
		...{ ...lists, clock, random, runner, shift, held: state.keys },
		credential: changed.length === 0 ? state.apiKey : null,
		skew: state.skew === null ? null : state.skew - shift,
		grid: gridShownBy(state.keys),
		isMissing: missingCheck(lists)
	}
}
async function revokeHeldKeys(context, newBudget, failures) {
	const { runner, gone, clock, held, skew } = context
	const revokeOne = async key => {
		const end = key.expiresAt === null ? null : lib.formatUtc(key.expiresAt)
		if (key.keep) {
			const at = end === null ? '' : ` at ${end}`
			runner.info(`The key ${lib.keyLabel(key)} stays valid until it expires${at} (\`revoke: false\`).`)
			return '**Kept** until it expires (`revoke: false`)'
		}
		const result = await lib.revokeAndVerify(key, { ...context, budget: newBudget() })
		if (!result.revoked) {
			const expiry = end === null ? 'Its expiry is unknown, so it may never expire; revoke it now' : `It expires at ${end}`
			failures.unshift(
				`Could not confirm that API key ${lib.keyLabel(key)} was revoked: ${result.reason}. ${expiry}. To revoke it now: ${DASHBOARD}.`
			)
			return '**Revocation not confirmed**'
		}
		gone.add(key.id)
		const how = `${result.granted ? 'Revoked' : 'No longer valid'}${result.verified ? ' (verified)' : ''}`
		const proof = result.verified ? '; the API rejects it with 401' : ''
		runner.info(`${how}: API key ${lib.keyLabel(key)}${proof}.`)
		return `**${how}**, ${lib.formatUtc(clock.now() + (skew ?? 0))}`
	}
	const rows = await Promise.all(held.map(async key => ({ key, status: await revokeOne(key) })))
	if (rows.length > 0) runner.writeSummary(lib.keySummary('SphereScout key after this job', rows))
}

const cancellation = lib.createCancellation(lib.systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, cancellation.request)
async function run() {
	await revokeKeys(parseState(lib.getState(lib.STATE_NAME)), {
		clock: lib.systemClock,
		random: Math.random,
		runner: lib.runner,
		connect: ({ apiUrl, settings }) => createKeyApi(lib.connect(apiUrl, settings)),
		settings: lib.networkSettings(process.env),
		bootedAt: lib.bootedAt,
		stopping: cancellation.signal,
		policyWithoutRecord: () => (/^fail$/i.test(lib.getInput('on-revoke-failure')) ? 'fail' : 'warn')
	})
}
run().catch(lib.failStep)
