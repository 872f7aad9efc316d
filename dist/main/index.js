'use strict'
const {
	UNKNOWN_GRID_US,
	STATE_VERSION,
	STATE_NAME,
	coarsestGrid,
	PRECISIONS_US,
	formatSeconds,
	backoff,
	issuedLine,
	writeSummary,
	createBudget,
	clockNote,
	createIntent,
	formatExactly,
	formatInstant,
	revokeAndVerify,
	keyLabel,
	judgeCreated,
	revokeOrphans,
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

/** The runner hands the record to post as an environment variable, of which Linux allows 128 KiB (MAX_ARG_STRLEN). */
const MAX_RECORD_LENGTH = 64 * 1024
/** Kept free for the keys of the requests that are recorded. */
const RESERVED_LENGTH = 16 * 1024
/** An empty journal. Nothing is saved until there is something to save. */
function openJournal({ apiUrl, apiKey, revoke, onRevokeFailure }, deps) {
	const { runner, userAgent, proxy, settings, bootedAt } = deps
	let state = {
		version: STATE_VERSION,
		...{ apiUrl, apiKey, userAgent, proxy, settings, bootedAt, revoke, onRevokeFailure },
		grid: UNKNOWN_GRID_US,
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
		runner.saveState(STATE_NAME, record)
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
	const shown = key.expiresAt === null ? UNKNOWN_GRID_US : coarsestGrid(intent.expiry, key.expiresAt)
	return { grid: Math.min(grid, shown), skew: key.createdAt === null ? skew : key.createdAt - intent.sentAt }
}

/** No create request is sent with less time than this for its response, in milliseconds: it would likely be lost. */
const MIN_ATTEMPT_MS = 500
/** Over how many times the longest Retry-After rate-limited jobs spread, so as not to return together (docs/scale.md). */
const THROTTLE_JITTER = 2
const FIRST_ATTEMPT = {
	attempt: 1,
	precision: PRECISIONS_US[0],
	longestRetryAfter: 0,
	wasUnusable: false,
}
/** Decides what follows a failed create request: the same again later, a coarser expiry at once, or the end. */
function nextAttempt(failure, progress, context) {
	const { status, retryAfter = 0, unusable = false } = failure
	if (status === 400) {
		// Nothing was made. The likely causes are an expiry in the past by the server's clock, or too many digits.
		const coarser = PRECISIONS_US[PRECISIONS_US.indexOf(progress.precision) + 1]
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
	return backoff(attempt, retryAfter, random, spread, retryAfter > 0 ? Math.max(0, room) : Infinity)
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
		`(in ${formatSeconds(wait)}) would exceed timeout (${formatSeconds(timeout)}). Raise the input timeout, or run the job again later.`
	)
}

/** A `Date` this far from our clock corrects it after a 400; `created` corrects it by the lifetime that it shows. */
const CLOCK_TOLERANCE_MS = 60_000
/** How often a key that was made by a wrong clock is replaced. */
const MAX_REPLACEMENTS = 2
/** How long main may take to revoke keys that it cannot hand over, on top of its `timeout`. */
const CLEANUP_TIMEOUT_MS = 20_000
/** How long main looks for the key of an unanswered request; post looks again. */
const LOOKUP_TIMEOUT_MS = 10_000
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
		runner.info(issuedLine(key, inputs))
		const status = inputs.revoke ? 'Revoked by the post step' : 'Expires by itself (`revoke: false`)'
		writeSummary(runner, 'SphereScout key for this job', 'After the job', [{ key, status }])
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
	const budget = createBudget(clock.now() + inputs.timeout, clock, cancellation)
	let progress = FIRST_ATTEMPT
	let skew = 0
	for (let replacements = 0; ; ) {
		stopIfCancelled(cancellation)
		const attempt = await requestKey(context, budget, skew, progress.precision)
		if (attempt.kind === 'key') return attempt.key
		stopIfCancelled(cancellation)
		if (attempt.kind === 'replace') {
			skew = attempt.skew
			runner.info(clockNote(skew))
			replacements += 1
			await revokeHeldKeys(context, budget.left())
			if (replacements > MAX_REPLACEMENTS || budget.left() < MIN_ATTEMPT_MS)
				throw new Error(`No key was created: ${clockNote(skew)} There was no time to replace the key.`)
			continue
		}
		const { failure, dateSkew } = attempt
		const clockCorrected = failure.status === 400 && Math.abs((dateSkew ?? skew) - skew) > CLOCK_TOLERANCE_MS
		if (clockCorrected && dateSkew !== null) {
			skew = dateSkew
			runner.info(clockNote(skew))
		}
		const { timeout } = inputs
		const next = nextAttempt(failure, progress, {
			left: budget.left(),
			timeout,
			random: random(),
			clockCorrected,
		})
		if (next.kind === 'stop') throw new Error(next.message)
		progress = next.progress
		if (next.afterMs === 0) continue
		runner.info(`${failure.message}. Retrying in ${formatSeconds(next.afterMs)}.`)
		await budget.pause(next.afterMs)
	}
}
/** Sends one create request; the journal knows of it before it leaves, and of the key before anything is done with it. */
async function requestKey(context, budget, skew, precision) {
	const { api, clock, random, inputs, journal } = context
	const limits = budget.limits()
	const now = clock.now()
	const { expiresIn, apiKey } = inputs
	const intent = createIntent({
		...{ now, skew, precision, lifetime: expiresIn, timeout: limits.timeout, random: random() },
	})
	journal.recordIntent(intent)
	const result = await api.create(apiKey, formatExactly(intent.expiry), limits)
	if (result.ok) return accept(result.value, { intent, skew, dateSkew: result.skew }, context, budget)
	const { failure } = result
	if (failure.mayHaveActed) await recover(intent, failure.message, context, budget)
	else journal.resolve(intent)
	return { kind: 'failure', failure, dateSkew: result.skew }
}
/**
 * Masks the key before anything else is done with it, judges whether it is ours, and saves it for post if so. Throws if
 * it is ours but cannot be used; it is then in the journal, to be revoked.
 */
async function accept(answer, request, context, budget) {
	const { runner, clock, inputs, journal } = context
	const { intent, dateSkew } = request
	if (answer.token !== null) for (const form of maskedForms(answer.token)) runner.setSecret(form)
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
		await recover(intent, message, context, budget)
		const failure = { message, status: 200, mayHaveActed: true, retryable: true, unusable: true }
		return { kind: 'failure', failure, dateSkew }
	}
	const key = toIssuedKey(answer, answer.id, verdict)
	journal.recordKey(key, intent, receivedAt - intent.sentAt >= SLOW_RESPONSE_MS)
	if (verdict.kind === 'revoke') throw new Error(`The API's response cannot be used: ${verdict.reason}.`)
	if (verdict.kind === 'replace') return verdict
	if (verdict.warning !== null) runner.warning(`${verdict.warning}.`)
	return { kind: 'key', key }
}
function toIssuedKey({ token, prefix, createdAt, expiresAt }, id, verdict) {
	// An unusable value cannot be sent, so it is not saved either.
	return { token: verdict.kind === 'revoke' ? null : token, id, prefix, createdAt, expiresAt, keep: false }
}
/** Looks for the key that an unanswered request may have created. What stays unknown stays in the journal for post. */
async function recover(intent, why, context, budget) {
	const { runner, clock, cancellation, journal } = context
	runner.info(`${why}. The request may still have created a key; checking.`)
	const deadline = clock.now() + Math.min(budget.left(), LOOKUP_TIMEOUT_MS)
	const lookup = createBudget(deadline, clock, cancellation)
	const { grid } = journal.learned()
	const [orphan] = await revokeOrphans([intent], {
		...revocationContext(context, lookup),
		grid,
		known: journal.ids(),
	})
	switch (orphan?.kind) {
		case 'revoked':
			journal.resolve(intent)
			return runner.info(`Found and revoked the orphaned key ${keyLabel(orphan.key)}.`)
		case 'absent':
			return runner.info('No orphaned key found yet. The post step will check again.')
		case 'ambiguous':
			return runner.info(
				`An unanswered create request matches ${orphan.candidates.length} key(s) that may belong to other runs; ` +
					'revoked none. The post step will check again.',
			)
		case 'failed':
			return runner.info(
				`Could not look for an orphaned key (${orphan.reason}). The post step will try again.`,
			)
	}
}
function revocationContext(context, budget) {
	const { api, clock, random, inputs, journal } = context
	const { skew } = journal.learned()
	return { api, clock, random, budget, credentials: [inputs.apiKey], gone: new Set(), skew }
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
/** Revokes every key that main holds and will not hand over. What cannot be revoked now is left to post. */
async function revokeHeldKeys(context, time) {
	const { runner, clock, cancellation, journal } = context
	const budget = createBudget(clock.now() + Math.min(time, CLEANUP_TIMEOUT_MS), clock, cancellation)
	const revoke = async (key) => {
		const result = await revokeAndVerify(key, revocationContext(context, budget))
		if (result.revoked)
			runner.info(`Revoked the key ${keyLabel(key)}${result.verified ? ' (verified)' : ''}.`)
		else
			runner.warning(
				`Could not confirm that the key ${keyLabel(key)} was revoked: ${result.failure.message}. The post step will try again.`,
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
