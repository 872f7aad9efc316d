'use strict'
const {
	STATE_NAME,
	STATE_VERSION,
	issuedLine,
	writeSummary,
	createBudget,
	seconds,
	createIntent,
	formatInstant,
	clockNote,
	backoff,
	validateCreatedKey,
	revokeOrphans,
	keyLabel,
	revokeAndVerify,
	isHeaderSafe,
	createCancellation,
	CANCEL,
	systemClock,
	getInput,
	setSecret,
	bootedAt,
	networkSettings,
	certificateDigest,
	runner,
	createKeyApi,
	createHttpClient,
	setFailed,
} = require('../common/index.js')
const { existsSync, readFileSync } = require('fs')
const { EOL } = require('os')

class Context {
	/**
	 * Hydrate the context from the environment
	 */
	constructor() {
		var _a, _b, _c
		this.payload = {}
		if (process.env.GITHUB_EVENT_PATH) {
			if (existsSync(process.env.GITHUB_EVENT_PATH)) {
				this.payload = JSON.parse(readFileSync(process.env.GITHUB_EVENT_PATH, { encoding: 'utf8' }))
			} else {
				const path = process.env.GITHUB_EVENT_PATH
				process.stdout.write(`GITHUB_EVENT_PATH ${path} does not exist${EOL}`)
			}
		}
		this.eventName = process.env.GITHUB_EVENT_NAME
		this.sha = process.env.GITHUB_SHA
		this.ref = process.env.GITHUB_REF
		this.workflow = process.env.GITHUB_WORKFLOW
		this.action = process.env.GITHUB_ACTION
		this.actor = process.env.GITHUB_ACTOR
		this.job = process.env.GITHUB_JOB
		this.runAttempt = parseInt(process.env.GITHUB_RUN_ATTEMPT, 10)
		this.runNumber = parseInt(process.env.GITHUB_RUN_NUMBER, 10)
		this.runId = parseInt(process.env.GITHUB_RUN_ID, 10)
		this.apiUrl = (_a = process.env.GITHUB_API_URL) !== null && _a !== void 0 ? _a : `https://api.github.com`
		this.serverUrl =
			(_b = process.env.GITHUB_SERVER_URL) !== null && _b !== void 0 ? _b : `https://github.com`
		this.graphqlUrl =
			(_c = process.env.GITHUB_GRAPHQL_URL) !== null && _c !== void 0 ? _c : `https://api.github.com/graphql`
	}
	get issue() {
		const payload = this.payload
		return Object.assign(Object.assign({}, this.repo), {
			number: (payload.issue || payload.pull_request || payload).number,
		})
	}
	get repo() {
		if (process.env.GITHUB_REPOSITORY) {
			const [owner, repo] = process.env.GITHUB_REPOSITORY.split('/')
			return { owner, repo }
		}
		if (this.payload.repository) {
			return {
				owner: this.payload.repository.owner.login,
				repo: this.payload.repository.name,
			}
		}
		throw new Error("context.repo requires a GITHUB_REPOSITORY environment variable like 'owner/repo'")
	}
}

const context = new Context()

/**
 * The proxy through which `url` is to be reached, a URL, or an empty text for none. Read from the environment as the
 * package `proxy-from-env` does (a test holds the two side by side): HTTPS_PROXY or HTTP_PROXY by the scheme, else
 * ALL_PROXY, unless NO_PROXY exempts the host; lower case first.
 */
function proxyFor(url, env) {
	const setting = (name) => env[name] || env[name.toUpperCase()] || ''
	const scheme = url.protocol.slice(0, -1)
	const exempt = setting('no_proxy').toLowerCase().split(/[,\s]/)
	if (exempt.some((pattern) => covers(pattern, url))) return ''
	const proxy = setting(`${scheme}_proxy`) || setting('all_proxy')
	return !proxy || proxy.includes('://') ? proxy : `${scheme}://${proxy}`
}
/** Whether one entry of NO_PROXY, `host`, `.suffix`, `*.suffix` or `*`, each with `:port` or without, covers `url`. */
function covers(pattern, { protocol, host, port }) {
	const [, name = '', onlyPort] = /^(.+?)(?::(\d+))?$/.exec(pattern) ?? []
	if (Number(onlyPort) && Number(onlyPort) !== Number(port || (protocol === 'https:' ? 443 : 80)))
		return false
	// Unlike `hostname`, this keeps the brackets of an IPv6 address, with which NO_PROXY holds it.
	const asked = host.replace(/:\d+$/, '')
	return /^[.*]/.test(name) ? asked.endsWith(name.replace('*', '')) : asked === name
}

/**
 * Every form of `secret` that a log should not show: itself, its lines, and what common tools make of it. The runner
 * masks base64, URI and JSON forms of its own accord, but neither hex nor base64url; act masks exact texts only.
 * Never an empty one, which would mask everything.
 */
function maskedForms(secret) {
	const bytes = Buffer.from(secret, 'utf8')
	const forms = [
		secret,
		...secret.split(/[\r\n]+/),
		bytes.toString('base64'),
		bytes.toString('base64url'),
		bytes.toString('hex'),
		urlEncoded(secret),
		JSON.stringify(secret).slice(1, -1),
	]
	return [...new Set(forms)].filter((form) => form.trim() !== '')
}
/** encodeURIComponent, which throws on half a surrogate pair; such a text has no URL form to mask. */
function urlEncoded(secret) {
	return secret.isWellFormed() ? encodeURIComponent(secret) : ''
}

/** An empty ledger. Nothing is saved until there is something to save. */
function openJournal({ apiUrl, apiKey, revoke, onRevokeFailure }, deps) {
	const { runner, userAgent, proxy, settings, bootedAt } = deps
	const network = { apiUrl, apiKey, userAgent, proxy, settings, bootedAt }
	let keys = []
	let intents = []
	const save = () => {
		const state = { version: STATE_VERSION, ...network, revoke, onRevokeFailure, keys, intents }
		runner.saveState(STATE_NAME, JSON.stringify(state))
	}
	const without = (items, gone) => items.filter((item) => item !== gone)
	return {
		recordIntent(intent) {
			intents = [...intents, intent]
			save()
		},
		resolve(intent) {
			intents = without(intents, intent)
			save()
		},
		recordKey(key, intent) {
			keys = [...keys, key]
			intents = without(intents, intent)
			save()
		},
		keep(key, keep) {
			keys = keys.map((held) => (held.id === key.id ? { ...held, keep } : held))
			save()
		},
		removeKey(key) {
			keys = keys.filter(({ id }) => id !== key.id)
			save()
		},
		keys: () => keys,
		ids: () => new Set(keys.map(({ id }) => id)),
	}
}

/** A wrong clock is corrected from this difference on, in milliseconds. */
const CLOCK_TOLERANCE_MS = 60_000
/** No create request is sent with less time than this for its answer, in milliseconds: its reply would likely be lost. */
const MIN_ATTEMPT_MS = 500
/** Over how many times the longest Retry-After throttled jobs spread, so as not to return together (docs/scale.md). */
const THROTTLE_JITTER = 2
/** How long main may take to revoke a key that it cannot hand over, in milliseconds, on top of its `timeout`. */
const CLEANUP_TIMEOUT_MS = 20_000
/**
 * The main step: obtains a key that expires within `expiresIn`, masks it, saves what post needs, hands it over.
 * Throws an Error for the person reading the log; whatever it throws, the keys made on the way were revoked or are
 * in the saved record for post.
 */
async function issueKey(inputs, deps) {
	const { runner, clock, cancellation } = deps
	const journal = openJournal(inputs, deps)
	try {
		const key = await obtainKey(inputs, deps, journal)
		stopIfCancelled(cancellation)
		setOutputs(key, inputs, runner)
		runner.info(issuedLine(key, inputs, clock.now()))
		const fate = inputs.revoke ? 'to be revoked by the post step' : 'left to its expiry'
		writeSummary(runner, 'SphereScout key for this job', 'Afterwards', [{ key, fate }])
		stopIfCancelled(cancellation)
		if (!inputs.revoke) journal.keep(key, true)
	} catch (error) {
		await revokeHeldKeys(journal, deps, inputs.apiKey)
		throw error
	}
}
/** Asks until there is a key that passes every check, or there is no point in asking again. */
async function obtainKey(inputs, deps, journal) {
	const { runner, clock, random, api, cancellation } = deps
	const budget = createBudget(clock.now() + inputs.timeout, clock, cancellation)
	const work = { ...deps, inputs, journal, budget }
	let skew = 0
	let wholeSeconds = false
	let replaced = false
	let refusals = 0
	let longestRetryAfter = 0
	for (let attempt = 1; ; ) {
		stopIfCancelled(cancellation)
		if (budget.left() < MIN_ATTEMPT_MS)
			throw new Error(
				`No key was obtained within the timeout of ${seconds(inputs.timeout)}. Raise input timeout.`,
			)
		const limits = budget.limits()
		const intent = createIntent(clock.now(), skew, inputs.expiresIn, limits.timeout, wholeSeconds, random())
		journal.recordIntent(intent)
		// Whole seconds, where a mark has them, are asked for without the fractions that the server refused.
		const expiry = formatInstant(intent.expiry).replace('.000Z', 'Z')
		const reply = await api.create(inputs.apiKey, expiry, limits)
		const skewSeen = reply.skew ?? skew
		const clockWasWrong = Math.abs(skewSeen - skew) > CLOCK_TOLERANCE_MS
		if (clockWasWrong) {
			skew = skewSeen
			runner.info(clockNote(skew))
		}
		if (reply.ok) {
			const key = await accept(reply.value, intent, work)
			if (!clockWasWrong || replaced) return key
			// Its lifetime was reckoned by a clock that is wrong; by the server's it is another than was asked for.
			replaced = true
			// Without the time to ask again, it is ended like any other key of a main that fails.
			if (budget.left() >= MIN_ATTEMPT_MS) await revokeHeldKeys(journal, deps, inputs.apiKey, budget.left())
			continue
		}
		const { failure } = reply
		if (!failure.mayHaveActed) journal.resolve(intent)
		else await recover(intent, failure.message, work)
		stopIfCancelled(cancellation)
		if (failure.status === 400 && refusals < 2 && (clockWasWrong || !wholeSeconds)) {
			// Nothing was made. The likely causes are an expiry in the past by the server's clock, or fractions of a
			// second.
			refusals += 1
			if (!clockWasWrong) wholeSeconds = true
			continue
		}
		if (!failure.retryable) throw new Error(refusalMessage(failure))
		const { retryAfter = 0 } = failure
		longestRetryAfter = Math.max(longestRetryAfter, retryAfter)
		// Never spread so far that being sent away once more would pass the timeout, nor so far that this attempt would.
		const room = budget.left() - MIN_ATTEMPT_MS - retryAfter
		const spread = Math.min(THROTTLE_JITTER * longestRetryAfter, room - longestRetryAfter)
		const most = retryAfter > 0 ? Math.max(0, room) : Infinity
		const wait = backoff(attempt, retryAfter, random(), spread, most)
		if (wait + MIN_ATTEMPT_MS > budget.left())
			throw new Error(gaveUpMessage(failure, attempt, wait, inputs.timeout))
		runner.info(`${failure.message}. Trying again in ${seconds(wait)}.`)
		await budget.pause(wait)
		attempt += 1
	}
}
/**
 * Masks the key before anything else is done with it, saves it for post, and only then looks at whether it is
 * what was asked for. Throws where it is not; it is then in the ledger, to be revoked.
 */
async function accept(answer, intent, work) {
	const { token, id, prefix, createdAt, expiresAt } = answer
	if (token !== null) for (const form of maskedForms(token)) work.runner.setSecret(form)
	const fault = validateCreatedKey(answer, intent.expiry)
	if (id === null) {
		await recover(intent, fault ?? '', work)
		throw new Error(
			`The API's answer cannot be used: ${fault}. The post step looks for any key that it made.`,
		)
	}
	const key = { token, id, prefix, createdAt, expiresAt, keep: false }
	work.journal.recordKey(key, intent)
	if (fault !== null)
		throw new Error(`The API's answer cannot be used: ${fault}. That key is revoked at once.`)
	return key
}
/** Looks for the key that a lost reply may have carried, and tells `why`. What stays unknown stays in the ledger. */
async function recover(intent, why, work) {
	const { runner, inputs, journal, budget } = work
	runner.info(`${why}. A key may have been made all the same; looking for it.`)
	const [recovery] = await revokeOrphans([intent], [inputs.apiKey], journal.ids(), work, budget)
	switch (recovery?.kind) {
		case 'revoked':
			journal.resolve(intent)
			runner.info(`Found it, by its expiry, and revoked it: ${keyLabel(recovery.key)}.`)
			break
		case 'absent':
			runner.info('No such key so far. The post step will look again, as a slow server may still make it.')
			break
		case 'unclear':
			runner.warning(
				`A create request was lost, and the account holds ${recovery.candidates.length} key(s) that may be its own or another run's. ` +
					`None was revoked; such a key expires by itself at ${formatInstant(intent.expiry)}.`,
			)
			break
		case 'failed':
			runner.info(
				`The account's keys could not be looked through (${recovery.failure.message}). The post step will try again.`,
			)
			break
	}
}
function setOutputs(key, inputs, runner) {
	const token = key.token ?? ''
	runner.setOutput('key', token)
	runner.setOutput('key-id', key.id)
	runner.setOutput('key-prefix', key.prefix)
	const instant = (known) => (known === null ? '' : formatInstant(known))
	runner.setOutput('created-at', instant(key.createdAt))
	runner.setOutput('expires-at', instant(key.expiresAt))
	if (inputs.exportEnv !== '') runner.exportVariable(inputs.exportEnv, token)
}
/** Compensation: every key that main holds and will not hand over is ended now. What cannot be is left to post. */
async function revokeHeldKeys(journal, deps, apiKey, time = CLEANUP_TIMEOUT_MS) {
	const { runner, clock, cancellation } = deps
	const budget = createBudget(clock.now() + Math.min(time, CLEANUP_TIMEOUT_MS), clock, cancellation)
	const end = async (key) => {
		const ending = await revokeAndVerify(key, apiKey, deps, budget)
		if (ending.dead)
			runner.info(`The key ${keyLabel(key)} was revoked${ending.verified ? ' (verified)' : ''}.`)
		else
			runner.warning(
				`The key ${keyLabel(key)} could not be revoked: ${ending.reason}. The post step will try again.`,
			)
		try {
			if (ending.dead) journal.removeKey(key)
			else journal.keep(key, false)
		} catch {
			// A state file that cannot be written may be why main is failing; the other keys still have to be ended.
		}
	}
	await Promise.all(journal.keys().map(end))
}
function stopIfCancelled(cancellation) {
	if (cancellation.requestedAt !== null)
		throw new Error('The job was cancelled before a key could be handed over.')
}
function refusalMessage({ status, message }) {
	if (status === 401)
		return `The API did not accept api-key: it is wrong, revoked or expired (${message}). Check the secret that api-key is given.`
	return `No key was obtained: ${message}.`
}
function gaveUpMessage({ message }, attempts, wait, timeout) {
	return (
		`No key was obtained: ${message}. Gave up after ${attempts} attempt(s), as the next one, in ${seconds(wait)}, ` +
		`would pass the timeout of ${seconds(timeout)}. Raise input timeout, or run the job again later.`
	)
}

/**
 * Throws an Error where the runner does not set the files through which `names` are handed on: @actions/core would
 * print commands to the log instead, the key among them.
 */
function requireCommandFiles(env, names) {
	const missing = names.filter((name) => !env[name])
	if (missing.length > 0)
		throw new Error(
			`This runner does not set ${missing.join(' and ')}, so a key could only be handed on through the log. ` +
				'No key was asked for. Run the action on a current GitHub Actions runner.',
		)
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
 * it was not given. `whyNoKey` explains an empty `api-key`, where the run tells. Throws an Error that names the
 * input, what is wrong with it, and an example that works.
 */
function readInputs(input, whyNoKey = null) {
	const given = (name, otherwise = '') => input(name).trim() || otherwise
	return {
		apiKey: readApiKey(given('api-key'), whyNoKey),
		expiresIn: readDuration('expires-in', given('expires-in', '1h'), '1 minute', '5 days', '30m'),
		apiUrl: readApiUrl(given('api-url', 'https://www.spherescout.io')),
		exportEnv: readVariableName(given('export-env')),
		revoke: readChoice('revoke', given('revoke', 'true'), ['true', 'false']) === 'true',
		onRevokeFailure: readChoice('on-revoke-failure', given('on-revoke-failure', 'warn'), ['warn', 'fail']),
		timeout: readDuration('timeout', given('timeout', '2m'), '1 second', '30 minutes', '2m'),
	}
}
function readApiKey(value, whyNoKey) {
	if (value === '')
		throw new Error(
			`Input api-key is empty. ${whyNoKey ?? 'Is the secret defined, and for this repository or environment?'} ` +
				'For example: api-key: $' +
				'{{ secrets.SPHERESCOUT_API_KEY }}',
		)
	if (!isHeaderSafe(value))
		throw new Error(
			'Input api-key holds white space, a control character or a non-ASCII character inside (it is not shown here). ' +
				'Save the secret again, with nothing but the key, on one line',
		)
	return value
}
function readDuration(name, value, shortest, longest, example) {
	const refuse = (fault) =>
		new Error(`Input ${name} is ${quoted(value)}: ${fault}. For example: ${name}: ${example}`)
	if (/^[\d.+-]+$/.test(value)) throw refuse('a number needs a unit, such as s, m, h or d')
	const duration = parseDuration(value)
	if (duration === null) throw refuse('it is not a duration, a number with a unit')
	if (duration < Number(parseDuration(shortest))) throw refuse(`at least ${shortest}`)
	if (duration > Number(parseDuration(longest))) throw refuse(`at most ${longest}`)
	return duration
}
function readApiUrl(value) {
	const example = 'For example: api-url: https://www.spherescout.io'
	if (!URL.canParse(value)) throw new Error(`Input api-url is not a URL. ${example}`)
	const url = new URL(value)
	if (url.username || url.password || /[?#]/.test(value))
		throw new Error(`Input api-url holds a user name, password, query or fragment. ${example}`)
	if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
		throw new Error(
			`Input api-url must start with https:// (http:// is for loopback hosts alone), as a key would be sent in the clear. ${example}`,
		)
	return url.href.replace(/\/+$/, '')
}
function isLoopback(hostname) {
	return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
/** Names that the runner refuses or that would change the runner, later steps or this action's post step. */
const RESERVED_NAMES = /^(NODE_OPTIONS|PATH|CI|(GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*)$/i
function readVariableName(value) {
	const refuse = (fault) =>
		new Error(`Input export-env is ${quoted(value)}: ${fault}. For example: export-env: SPHERESCOUT_API_KEY`)
	if (value !== '' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value))
		throw refuse('not a name for an environment variable')
	if (RESERVED_NAMES.test(value)) throw refuse('a name that is reserved for the runner')
	return value
}
function readChoice(name, value, choices) {
	const choice = choices.find((known) => known === value.toLowerCase())
	if (choice !== undefined) return choice
	throw new Error(
		`Input ${name} is ${quoted(value)}: it must be ${choices.join(' or ')}. For example: ${name}: ${choices[0]}`,
	)
}
/** A value for a message: one line, and not too much of it. */
function quoted(value) {
	return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
}
/**
 * Why this run was given no secrets, or null where it should have been: GitHub gives none to pull requests from
 * forks, and only Dependabot's own to runs that Dependabot starts.
 */
function explainMissingSecrets({ eventName, actor, payload }) {
	if (actor === 'dependabot[bot]')
		return "This run was started by Dependabot, and GitHub gives such runs none of the repository's Actions secrets; define it as a Dependabot secret, or skip this job."
	const { head, base } = payload.pull_request ?? {}
	const fromFork = head !== undefined && head.repo?.full_name !== base?.repo?.full_name
	if (eventName === 'pull_request' && fromFork)
		return 'This is a pull request from a fork, and GitHub gives such runs no secrets; skip this job for forks.'
	return null
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
const cancellation = createCancellation(systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, cancellation.request)
// Whatever still waits then, the runner is about to kill it; the record for post is already saved.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.end).unref())
async function run() {
	try {
		for (const form of maskedForms(getInput('api-key'))) setSecret(form)
		const inputs = readInputs(getInput, explainMissingSecrets(context))
		requireCommandFiles(process.env, [
			'GITHUB_STATE',
			'GITHUB_OUTPUT',
			...(inputs.exportEnv ? ['GITHUB_ENV'] : []),
		])
		const proxy = proxyFor(new URL(inputs.apiUrl), process.env)
		const agent = userAgent(process.env.GITHUB_REPOSITORY, process.env.GITHUB_RUN_ID)
		await issueKey(inputs, {
			api: createKeyApi(createHttpClient(proxy), inputs.apiUrl, agent, systemClock.now),
			clock: systemClock,
			random: Math.random,
			runner,
			cancellation,
			userAgent: agent,
			proxy,
			settings: networkSettings(process.env, certificateDigest),
			bootedAt,
		})
	} catch (error) {
		setFailed(error instanceof Error ? error.message : String(error))
	}
}
void run()
