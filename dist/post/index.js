'use strict'
const {
	STATE_VERSION,
	PROXIES,
	AUTHORITIES,
	createBudget,
	LATE_WRITE_GRACE_MS,
	revokeOrphans,
	keyLabel,
	revokeAndVerify,
	sanitize,
	writeSummary,
	formatUtc,
	formatInstant,
	seconds,
	getState,
	STATE_NAME,
	getInput,
	bootedAt,
	networkSettings,
	certificateDigest,
	createKeyApi,
	createHttpClient,
	systemClock,
	runner,
	setFailed,
} = require('../common/index.js')

/** Reads what main saved. Never throws, and takes nothing on settings: every field must be there and of its kind. */
function parseState(text) {
	if (text === '') return { kind: 'none' }
	let value
	try {
		value = JSON.parse(text)
	} catch {
		return { kind: 'unreadable', reason: 'it is not JSON' }
	}
	if (!isObject(value)) return { kind: 'unreadable', reason: 'it is not a record' }
	if (value.version !== STATE_VERSION)
		return {
			kind: 'unreadable',
			reason: `it is not of version ${STATE_VERSION}, the one this release writes`,
		}
	const missing = Object.entries(FIELDS).find(([name, fits]) => !fits(value[name]))
	if (missing) return { kind: 'unreadable', reason: `its ${missing[0]} is missing or malformed` }
	return { kind: 'record', state: value }
}
const isObject = (value) => typeof value === 'object' && value !== null
const isText = (value) => typeof value === 'string'
const isFilled = (value) => typeof value === 'string' && value !== ''
const isFlag = (value) => typeof value === 'boolean'
const isInstant = (value) => typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 8.64e15
const orNull = (fits) => (value) => value === null || fits(value)
const listOf = (fields) => (value) => Array.isArray(value) && value.every((item) => hasAll(item, fields))
const hasAll = (value, fields) =>
	isObject(value) && Object.entries(fields).every(([name, fits]) => fits(value[name]))
const FIELDS = {
	apiUrl: (value) => isText(value) && URL.canParse(String(value)),
	apiKey: isFilled,
	userAgent: isFilled,
	proxy: isText,
	settings: (value) => isObject(value) && Object.values(value).every(isText),
	bootedAt: isInstant,
	revoke: isFlag,
	onRevokeFailure: (value) => value === 'warn' || value === 'fail',
	keys: listOf({
		token: orNull(isFilled),
		id: isFilled,
		prefix: isText,
		createdAt: orNull(isInstant),
		expiresAt: orNull(isInstant),
		keep: isFlag,
	}),
	intents: listOf({ expiry: isInstant, sentAt: isInstant, deadline: isInstant, ambiguous: isFlag }),
}

/** The variables in which two sets of network settings differ, those about certificates and those about proxies. */
function changedSettings(before, after) {
	const changed = (name) => before[name] !== after[name]
	return { authorities: AUTHORITIES.filter(changed), proxies: PROXIES.filter(changed) }
}

/**
 * A budget until `deadline` that does not count the time for which a throttled server sends us away, as long as that
 * leads no further than `latest`. Both in milliseconds since 1970; `onWait` is told of each such wait, in milliseconds.
 */
function throttleBudget(deadline, latest, clock, onWait) {
	let end = deadline
	const budget = () => createBudget(end, clock)
	return {
		left: () => budget().left(),
		limits: () => budget().limits(),
		pause: (duration) => budget().pause(duration),
		extend(wait) {
			if (end + wait > latest) return
			end += wait
			onWait(wait)
		},
	}
}

/** Where a person ends a key by hand. */
const DASHBOARD = 'Dashboard > Plans > API Keys'
/** All of post, in milliseconds. */
const POST = 60_000
/**
 * How much longer post goes on where the API is throttled, in milliseconds: it will revoke the key, only later, as the
 * jobs of a matrix that end together have to take turns.
 */
const MAX_THROTTLE_WAIT_MS = 30 * 60_000
/** What is kept for revoking the known key while lost ones are looked for, in milliseconds. */
const RESERVED_FOR_KEYS_MS = 25_000
/** The longest that a lost request can still be under way when post starts: one attempt, and a slow server. */
const MAX_WATCH_MS = 10_000 + LATE_WRITE_GRACE_MS
const WATCH_INTERVAL_MS = 2_000
/** No look is begun with less time than this, in milliseconds: all that it would tell is that it had none. */
const MIN_LOOKUP_MS = 1_000
/**
 * The post step: ends every key that main made, and looks for those whose reply was lost. Reads nothing but
 * what main saved. Throws an Error where it cannot show that a key is dead and the policy is `fail`; with
 * `warn` it warns.
 */
async function revokeKey(found, deps) {
	const { runner } = deps
	if (found.kind === 'none') {
		runner.info('No key was asked for in this job, so there is none to revoke.')
		return
	}
	if (found.kind === 'unreadable') {
		warnOrFail(
			`What the main step saved cannot be used (${found.reason}), so nothing was revoked. If it created a key, that key ` +
				`ends at its own expiry; to end it now: ${DASHBOARD}.`,
			deps.policyWithoutRecord(),
			runner,
		)
		return
	}
	const { state } = found
	if (state.keys.length === 0 && state.intents.length === 0) {
		runner.info('The main step left no key behind, so there is none to revoke.')
		return
	}
	warnOfChanges(state, deps)
	const { clock, bootedAt } = deps
	const work = toolsFor(state, deps)
	const patient = (end) =>
		throttleBudget(end, end + MAX_THROTTLE_WAIT_MS, clock, (wait) =>
			runner.info(`The API has too many requests (429). Trying again in ${seconds(wait)}.`),
		)
	const deadline = clock.now() + POST
	const kept = state.keys.some(({ keep }) => !keep) ? RESERVED_FOR_KEYS_MS : 0
	const intents = state.intents.map((intent) => shifted(intent, bootedAt - state.bootedAt))
	const troubles = await resolveIntents(intents, state.keys, work, patient(deadline - kept))
	// The watch may have been prolonged; what is kept for the keys is still theirs.
	const end = Math.max(deadline, clock.now() + kept)
	troubles.push(...(await revokeKeys(state.keys, work, () => patient(end))))
	if (troubles.length > 0) warnOrFail(troubles.join(' '), state.onRevokeFailure, runner)
}
/** The mark by the clock as it is now, where that was set by `shift` since main ran (in milliseconds). */
function shifted(intent, shift) {
	return { ...intent, sentAt: intent.sentAt + shift, deadline: intent.deadline + shift }
}
function warnOrFail(message, policy, runner) {
	if (policy === 'fail') throw new Error(message)
	runner.warning(message)
}
/**
 * Where a later step changed which certificate authorities are trusted, somebody may be able to read what post
 * sends. The short-lived key is worth the risk, as it dies by it; the long-lived one is not.
 */
function toolsFor(state, { runner, clock, random, connect, settings }) {
	const trusted = changedSettings(state.settings, settings).authorities.length === 0
	return { api: connect(state), clock, random, runner, apiKey: trusted ? state.apiKey : null }
}
function warnOfChanges(state, { runner, settings, verificationOff }) {
	if (verificationOff)
		runner.warning('NODE_TLS_REJECT_UNAUTHORIZED is 0 in this job. Post verifies certificates all the same.')
	const { authorities, proxies } = changedSettings(state.settings, settings)
	if (authorities.length > 0)
		runner.warning(
			`A step of this job changed ${authorities.join(', ')}, and with it which certificates are trusted. ` +
				'Post does not send api-key under these settings.',
		)
	if (proxies.length > 0)
		runner.warning(
			`A step of this job changed the proxy settings (${proxies.join(', ')}). Post goes the way that the main step went.`,
		)
}
/**
 * Looks for the keys of lost create requests, until a server that is slow to act has had its time. What cannot be
 * settled comes back as sentences for the person who has to.
 */
async function resolveIntents(intents, keys, work, budget) {
	const { runner, clock } = work
	if (intents.length === 0) return []
	runner.info(`Looking for the keys of ${intents.length} create request(s) whose reply was lost.`)
	const known = new Set(keys.map(({ id }) => id))
	const credentials = [...keys.map(({ token }) => token), work.apiKey]
	const slowest = Math.max(...intents.map(({ deadline }) => deadline + LATE_WRITE_GRACE_MS))
	const until = Math.min(slowest, clock.now() + MAX_WATCH_MS)
	let open = intents.map((intent) => ({
		intent,
		outcome: { kind: 'absent' },
	}))
	for (;;) {
		const lookedAt = clock.now()
		const looked = open.map(({ intent }) => intent)
		const outcomes = await revokeOrphans(looked, credentials, known, work, budget)
		open = open.flatMap(({ intent }, index) => {
			const outcome = outcomes[index]
			if (outcome === undefined) return []
			if (outcome.kind !== 'revoked') return { intent, outcome }
			runner.info(
				`Found a key of this job that was never handed over, and revoked it: ${keyLabel(outcome.key)}.`,
			)
			return []
		})
		const watched = lookedAt >= until
		const worthAnother = open.some(({ outcome }) =>
			outcome.kind === 'failed' ? outcome.failure.retryable : !watched,
		)
		if (!worthAnother || budget.left() <= WATCH_INTERVAL_MS + MIN_LOOKUP_MS) {
			if (watched && open.length > 0 && open.every(({ outcome }) => outcome.kind === 'absent'))
				runner.info('No other key was made by such a request.')
			return open.flatMap(({ intent, outcome }) => unsettled(intent, outcome, watched))
		}
		await budget.pause(
			watched ? WATCH_INTERVAL_MS : Math.min(WATCH_INTERVAL_MS, Math.max(0, until - clock.now())),
		)
	}
}
function unsettled(intent, outcome, watchedToTheEnd) {
	const byHand =
		`If there is such a key, it was created about ${formatUtc(intent.sentAt)} with expiry ${formatInstant(intent.expiry)}, ` +
		`when it ends by itself; to end it now: ${DASHBOARD}.`
	if (outcome.kind === 'failed')
		return [
			`It could not be seen whether a lost create request made a key: ${outcome.failure.message}. ${byHand}`,
		]
	if (outcome.kind === 'unclear')
		return [
			`A create request was lost, and ${outcome.candidates.length} key(s) may be its own or another run's, so none was revoked. ${byHand}`,
		]
	if (!watchedToTheEnd)
		return [`A create request was lost, and there was no time to wait for a slow server. ${byHand}`]
	return []
}
/** Revokes every key that is not to be kept, and proves it. What could not be proved comes back as sentences. */
async function revokeKeys(keys, work, newBudget) {
	const { runner, clock } = work
	const troubles = []
	const ends = []
	const note = (key, how, rest = `, ${formatUtc(clock.now())}`) =>
		ends.push({ key, fate: `**${how}**${rest}` })
	// At the same time: none has to wait for another that takes all of it.
	const endings = await Promise.all(
		keys.map((key) => (key.keep ? null : revokeAndVerify(key, work.apiKey, work, newBudget()))),
	)
	for (const [index, key] of keys.entries()) {
		const ending = endings[index]
		if (!ending) {
			runner.info(`The key ${keyLabel(key)} is left to its expiry${expiry(key)}, as revoke is false.`)
			note(key, 'Left to its expiry', ', as revoke is false')
			continue
		}
		if (ending.dead) {
			const how = `${ending.already ? 'Already revoked or expired' : 'Revoked'}${ending.verified ? ' (verified)' : ''}`
			runner.info(`${how}: the API key ${keyLabel(key)}${ending.verified ? ' is refused with 401' : ''}.`)
			note(key, how)
		} else {
			troubles.push(
				`The API key ${sanitize(key.prefix)}... (id ${sanitize(key.id)}) could not be shown to be dead: ${ending.reason}. It expires by itself${expiry(key) || ' never'}; ` +
					`to end it now: ${DASHBOARD}.`,
			)
			note(key, 'Not shown to be dead')
		}
	}
	if (ends.length > 0) writeSummary(runner, 'SphereScout key after this job', 'Ended', ends)
	return troubles
}
function expiry({ expiresAt }) {
	return expiresAt === null ? '' : ` at ${formatUtc(expiresAt)}`
}

// Wires the real runner, network and clock into the post step.
// Nothing is more urgent than the revocation: a signal does not stop it, only the runner's kill does.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, () => {})
async function run() {
	try {
		await revokeKey(parseState(getState(STATE_NAME)), {
			clock: systemClock,
			random: Math.random,
			runner,
			connect: ({ apiUrl, proxy, userAgent }) =>
				createKeyApi(createHttpClient(proxy), apiUrl, userAgent, systemClock.now),
			settings: networkSettings(process.env, certificateDigest),
			bootedAt,
			verificationOff: process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0',
			policyWithoutRecord: () => (/^fail$/i.test(getInput('on-revoke-failure')) ? 'fail' : 'warn'),
		})
	} catch (error) {
		setFailed(error instanceof Error ? error.message : String(error))
	}
}
void run()
