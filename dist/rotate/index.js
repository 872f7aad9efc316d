'use strict'

const lib = require('./lib/index.js')

/** Watches the responses to `send`. A key API call leaves out a `Date` that is more than a day off, as if there were none. */
function watchDate(send, now) {
	let last = null
	return {
		async send(request) {
			const response = await send(request)
			const difference = Date.parse(response.headers.date ?? '') - now()
			if (!Number.isNaN(difference) && !lib.isStored(response.headers)) last = difference
			return response
		},
		difference: () => last
	}
}

const ACCEPT = 'application/vnd.github+json'
const PAGE_SIZE = 50
const ORGANIZATION = 'organization permission Secrets: write'
/** The secrets API at `apiUrl`: github.com or an Enterprise Server. */
function createGithubSecrets(send, options) {
	const client = { ...options, send }
	const get = (request, read) => call(client, { ...request, method: 'GET' }, ({ body }) => read(JSON.parse(body)))
	return {
		repositoryId: (repository, limits) => {
			const path = `/repos/${repository.split('/').map(encodeURIComponent).join('/')}`
			return get({ path, permission: 'Metadata: read', limits }, answer => String(number(answer, 'id')))
		},
		publicKey: ({ path, permission }, limits) =>
			get({ path: `${path}/public-key`, permission, limits }, answer => ({ id: text(answer, 'key_id'), key: text(answer, 'key') })),
		secret: ({ path, name, permission }, limits) =>
			get({ path: `${path}/${name}`, permission, limits }, answer => {
				const visibility = field(answer, 'visibility')
				return {
					name: text(answer, 'name'),
					visibility: typeof visibility === 'string' ? visibility : null,
					updatedAt: lib.parseTime(field(answer, 'updated_at')).at
				}
			}),
		selectedRepositories: ({ path, name }, page, limits) => {
			const query = `per_page=${PAGE_SIZE}&page=${page}`
			return get({ path: `${path}/${name}/repositories?${query}`, permission: ORGANIZATION, limits }, readRepositories)
		},
		write: ({ path, name, permission }, value, limits) =>
			call(client, { method: 'PUT', path: `${path}/${name}`, permission, limits, body: JSON.stringify(value) }, readWritten)
	}
}
/** GitHub answers a write with 201 or 204; another 2xx is the page of a portal or a proxy. */
function readWritten({ status }) {
	if (status !== 201 && status !== 204) throw new TypeError('status')
	return { created: status === 201 }
}
async function call({ send, apiUrl, token, userAgent, now }, { method, path, permission, limits, body }, read) {
	const url = new URL(apiUrl + path)
	const headers = {
		Accept: ACCEPT,
		Authorization: `Bearer ${token}`,
		'User-Agent': userAgent,
		'X-GitHub-Api-Version': '2022-11-28',
		...(body !== undefined && { 'Content-Type': 'application/json' })
	}
	const failed = failure => ({ ok: false, skew: null, failure })
	try {
		const response = await send({ method, url, headers, ...limits, ...(body !== undefined && { body }) })
		const { status } = response
		const what = `${url.host} answered ${status} to ${method} ${url.pathname}`
		if (status < 200 || status > 299) return failed(refusal$1(response, { what, permission, token, now: now() }))
		try {
			return { ok: true, skew: null, value: read(response) }
		} catch {
			const message = `${what} with something that GitHub's API does not send`
			return failed({ message, status, mayHaveActed: true, retryable: true })
		}
	} catch (error) {
		if (!(error instanceof lib.HttpError)) throw error
		const { mayHaveActed, retryable } = error
		return failed({ message: `${url.host}: ${error.message}`, mayHaveActed, retryable })
	}
}
function field(value, name) {
	return typeof value === 'object' && value !== null ? value[name] : undefined
}
/** Throws if the text is missing. */
function text(value, name) {
	const found = field(value, name)
	if (typeof found !== 'string' || found === '') throw new TypeError(name)
	return found
}
/** Throws if the whole number is missing. */
function number(value, name) {
	const found = field(value, name)
	if (!Number.isSafeInteger(found)) throw new TypeError(name)
	return Number(found)
}
function readRepositories(answer) {
	const rows = field(answer, 'repositories')
	if (!Array.isArray(rows)) throw new TypeError()
	return { total: number(answer, 'total_count'), ids: rows.map(row => number(row, 'id')) }
}
/** Gateways and locks give these; the request may have been carried out. */
const UNCERTAIN_STATUSES = [407, 408, 421, 423, 425, 499]
/** What a response outside 2xx means. `what` is the beginning of the message. */
function refusal$1({ status, headers, body }, { what, permission, token, now }) {
	const given = messageIn(body)
	const reason = reasonGiven(given ?? '', token)
	// GitHub explains each refusal. What answers in front of it may have passed the request on.
	const notFromApi = status >= 400 && status < 500 && given === null
	const retryAfter = waitAsked(headers, now) ?? (/rate limit/i.test(reason) ? 60_000 : undefined)
	// Secondary rate limits answer 403, which otherwise means a missing permission.
	if (status === 429 || (status === 403 && retryAfter !== undefined)) {
		const limited = { status, message: `${what}: rate limited by GitHub`, mayHaveActed: notFromApi, retryable: true }
		return retryAfter === undefined ? limited : { ...limited, retryAfter }
	}
	if (status >= 300 && status < 400) {
		const message = `${what} with a redirect; the repository may have been renamed or moved`
		// The lookups were not redirected, so this is no rename, but perhaps a login page after the write.
		return { status, message, mayHaveActed: true, retryable: false }
	}
	const uncertain = status >= 500 || status < 200 || UNCERTAIN_STATUSES.includes(status)
	const message = notFromApi
		? `${what} with something that GitHub's API does not send`
		: `${what}${reason && `: ${reason}`}${adviceFor(status, permission)}`
	const retryable = uncertain || status === 409 || notFromApi
	return { status, message, mayHaveActed: uncertain || notFromApi, retryable, ...(notFromApi && { notFromApi }) }
}
function adviceFor(status, permission) {
	if (status === 401) return '. github-token is wrong, revoked or expired'
	if (status === 404) return `. It does not exist, or github-token has no access: check that the token has the permission "${permission}"`
	if (status !== 403) return ''
	return (
		`. github-token needs the permission "${permission}". GITHUB_TOKEN can never write secrets: ` +
		'use a token of a GitHub App, or a fine-grained personal access token'
	)
}
/** How long GitHub asks us to wait, in milliseconds: Retry-After, or until the rate limit is reset. */
function waitAsked(headers, now) {
	const asked = lib.parseRetryAfter(headers['retry-after'], now)
	if (asked !== undefined || headers['x-ratelimit-remaining'] !== '0') return asked
	const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN) * 1000
	return Number.isNaN(reset) ? 60_000 : Math.max(0, reset - now)
}
const MAX_REASON_LENGTH = 200
/** GitHub's own message, or null if this is not the JSON of its API. */
function messageIn(body) {
	try {
		const message = field(JSON.parse(body), 'message')
		return typeof message === 'string' ? message : null
	} catch {
		return null
	}
}
/** The message on one line, without anything that could be a token. */
function reasonGiven(message, token) {
	return message
		.replaceAll(token, '***')
		.replace(/[\w-]{24,}/g, '***')
		.replace(/[^\x21-\x7e]+/g, ' ')
		.trim()
		.slice(0, MAX_REASON_LENGTH)
		.replace(/\.$/, '')
}

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

const FAULTS = [
	[/^["'`]/, 'begins with a quote'],
	[/^\{/, 'begins with {, as a JSON document does'],
	[/^\$/, 'begins with $: it is the name of a variable, not its value'],
	[/^(authorization|bearer)[\s:]/i, 'begins with the name of an HTTP header or scheme'],
	[/^[A-Za-z_][\w-]*\s*=[^=]/, 'has the form NAME=VALUE'],
	[/^.{0,7}$/s, `is shorter than ${lib.MIN_CREDENTIAL_LENGTH} characters, so it is not an API key or token`],
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

/**
 * Reads and checks every input; an empty one takes its default. Throws an Error that names the input and says what is
 * wrong with it.
 */
function readRotateInputs(input, env) {
	const given = (name, otherwise = '') => input(name).trim() || otherwise
	const apiKey = readCredential(given, env)
	if (/^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(apiKey))
		throw new Error('Input api-key is a JWT access token; only an API key can be rotated. Save an API key in the secret.')
	const home = readHome(given('environment'), given('organization'))
	return {
		apiKey,
		githubToken: readToken(given('github-token')),
		secret: readSecretName(given('secret', 'SPHERESCOUT_API_KEY')),
		home,
		copies: readCopies(given('copies'), home),
		limits: readLimits(given),
		initialKeyId: given('initial-key-id'),
		revokePrevious: readRevokePrevious(given('revoke-previous', 'after-overlap'), env.GITHUB_EVENT_NAME),
		apiUrl: readApiUrl(given('api-url', 'https://www.spherescout.io')),
		githubApiUrl: readGithubApiUrl(given('github-api-url', env.GITHUB_API_URL || 'https://api.github.com')),
		timeout: readDuration(given('timeout', '2m'), TIMEOUT)
	}
}
function readLimits(given) {
	const read = (name, otherwise, range) => readDuration(given(name, otherwise), { name, ...range, example: otherwise })
	const limits = {
		rotateAfter: read('rotate-after', '30d', { shortest: '1 day', longest: '365 days' }),
		expiresIn: read('expires-in', '60d', { shortest: '8 days', longest: '730 days' }),
		overlap: read('overlap', '7d', { shortest: '1 hour', longest: '35 days' })
	}
	if (!lib.canRetire(limits))
		throw new Error(
			'Input rotate-after is too short: it must be at least overlap + 2 hours, or no key would get old enough for the ' +
				'keys before it to be revoked. Raise rotate-after, or lower overlap.'
		)
	if (lib.areLimitsConsistent(limits)) return limits
	throw new Error(
		'Input expires-in is too short: it must be at least rotate-after + overlap + 7 days, which leaves a week to fix a ' +
			`failing rotation. Raise it to ${lib.minLifetimeDays(limits)}d, or lower rotate-after.`
	)
}
function readToken(value) {
	const example = 'For example: github-token: $' + '{{ steps.app-token.outputs.token }}'
	if (value === '') throw new Error(`Input github-token is empty. Pass a token that may write the secret. ${example}`)
	if (!/^[\x21-\x7e]+$/.test(value))
		throw new Error(`Input github-token contains white space, a control character or a non-ASCII character (its value is not shown). ${example}`)
	return value
}
function readSecretName(value) {
	if (/^(?!GITHUB_)[A-Z_][A-Z0-9_]*$/i.test(value)) return value.toUpperCase()
	throw new Error(
		'Input secret is not a valid secret name: only letters, digits and underscores, not starting with a digit or ' +
			'GITHUB_. For example: secret: SPHERESCOUT_API_KEY'
	)
}
function readHome(environment, organization) {
	if (environment !== '' && organization !== '')
		throw new Error('Inputs environment and organization are both set, but a secret belongs to only one of them. Set one.')
	if (organization !== '') {
		if (!/^[\w.-]*\w[\w.-]*$/.test(organization))
			throw new Error('Input organization is not a valid organization name. For example: organization: octo-org')
		return { kind: 'organization', name: organization }
	}
	return environment === '' ? { kind: 'repository', name: '' } : environmentPlace('environment', environment)
}
function environmentPlace(input, name) {
	// Even escaped, these would name another path.
	if (name === '.' || name === '..' || !name.isWellFormed())
		throw new Error(`Input ${input} contains an invalid environment name. For example: production`)
	return { kind: 'environment', name }
}
function readCopies(value, home) {
	const copies = value
		.split(/\r?\n/)
		.map(line => line.trim())
		.filter(line => line !== '')
		.map(readCopy)
	const all = [home, ...copies].map(({ kind, name }) => `${kind} ${name.toLowerCase()}`)
	if (new Set(all).size < all.length)
		throw new Error('Input copies lists a place twice, or lists the place of the secret itself. List each place once.')
	return copies
}
function readCopy(line) {
	const [, environment] = /^environment\s+(\S.*)$/i.exec(line) ?? []
	if (environment !== undefined) return environmentPlace('copies', environment)
	const kind = ['repository', 'dependabot', 'codespaces'].find(known => known === line.toLowerCase())
	if (kind !== undefined) return { kind, name: '' }
	throw new Error('Input copies lists an unknown place: each line must be repository, dependabot, codespaces or environment NAME.')
}
function readRevokePrevious(value, event) {
	const choice = readChoice('revoke-previous', value, ['after-overlap', 'now'])
	if (choice === 'now' && event !== 'workflow_dispatch')
		throw new Error(
			'Input revoke-previous is now, which is for emergencies because it makes running jobs fail. ' +
				'It is accepted only in a run that was started by hand (workflow_dispatch).'
		)
	return choice
}
function readGithubApiUrl(value) {
	const example = 'For example: github-api-url: https://api.github.com'
	if (!URL.canParse(value)) throw new Error(`Input github-api-url is not a URL. ${example}`)
	const url = new URL(value)
	if (url.username || url.password || /[?#]/.test(value))
		throw new Error(`Input github-api-url contains a user name, password, query or fragment. ${example}`)
	if (url.protocol !== 'https:' && !(url.protocol === 'http:' && lib.isLoopback(url.hostname)))
		throw new Error(`Input github-api-url must start with https://, or the token would be sent unencrypted. ${example}`)
	return url.href.replace(/\/+$/, '')
}

/** How long to wait for a list that shows what was done, in milliseconds: replicas may lag. */
const VERIFY_FOR_MS = 10_000
const LIST_INTERVAL_MS = 1_000
/**
 * Revokes the keys. An acknowledgment is not proof: a key counts as revoked once a list that can be trusted no longer
 * shows it.
 */
async function revokeListed({ keys, credential }, deps, budget) {
	const refused = []
	const asked = []
	const answers = new Map()
	for (const key of keys) {
		const revoke = limits => deps.api.revoke(credential, key.id, limits)
		const reply = await lib.retry(revoke, { budget, random: deps.random })
		// A repeated revocation gets 404; the list decides.
		if (!reply.ok && reply.failure.status !== 404) answers.set(key, `${reply.failure.message}, and `)
		if (reply.ok || reply.failure.status === 404 || reply.failure.mayHaveActed) asked.push(key)
		else refused.push({ key, reason: reply.failure.message })
	}
	const waited = await waitUntilGone({ keys: asked, credential }, deps, budget)
	const left = [...refused, ...waited.map(({ key, reason }) => ({ key, reason: `${answers.get(key) ?? ''}${reason}` }))]
	return { revoked: asked.filter(key => !left.some(one => one.key === key)), left }
}
/** Those of the keys that may still be valid. */
async function waitUntilGone({ keys, credential }, deps, budget) {
	if (keys.length === 0) return []
	const stillIn = listed => keys.filter(({ id }) => listed.some(row => row.id === id))
	const isDone = listed => stillIn(listed).length === 0
	const { listed, reason } = await readTrustedList({ credential, isDone }, deps, budget)
	if (listed === null) return keys.map(key => ({ key, reason }))
	return stillIn(listed).map(key => ({ key, reason: 'it is still in the list' }))
}
/**
 * Reads the list until it can be trusted and `isDone`, for at most 10 s. `listed` is null if no list can be trusted;
 * `reason` says why.
 */
async function readTrustedList({ credential, isDone }, deps, budget) {
	const end = deps.clock.now() + VERIFY_FOR_MS
	for (;;) {
		const reply = await lib.listKeys(credential, deps, budget)
		if (!reply.ok) return { listed: null, reason: reply.failure.message }
		const reason = whyUntrusted(reply.value, credential)
		const listed = reason === null ? reply.value.keys : null
		const isLast = deps.clock.now() >= end || budget.left() <= LIST_INTERVAL_MS
		if (isLast || (listed !== null && isDone(listed))) return { listed, reason: reason ?? '' }
		await budget.pause(LIST_INTERVAL_MS)
	}
}
/** Why a list does not show that a key is absent, or null. */
function whyUntrusted(list, credential) {
	const current = lib.findCurrentKey(list, credential)
	if (list.doubt !== null) return `the account's list may be incomplete (${list.doubt})`
	return typeof current === 'string' ? `the list does not show the key that it was read with (${current})` : null
}

const YOUNG = 'it may be less than an hour old, so another run may still be writing it'
const UNTAGGED = 'there may be more, which cannot be recognized because the API changed the expiry of the new key'
/** Revokes the old keys although running jobs use them. Only a list that can be trusted shows which there are. */
async function revokeAtOnce(emergency, deps, budget) {
	const credential = emergency.created.token
	const { listed, reason } = await readTrustedList({ credential, isDone: () => true }, deps, budget)
	const { now, young } = lib.keysToRevokeNow({ ...emergency, keys: listed ?? emergency.keys })
	const { revoked, left } = await revokeListed({ keys: now, credential }, deps, budget)
	left.push(...young.map(key => ({ key, reason: YOUNG })))
	return { revoked, problem: problemOf(left, listed === null ? reason : null, emergency) }
}
/** Why an emergency did not succeed, or null. `doubt`: why the list does not show every key, or null. */
function problemOf(left, doubt, emergency) {
	const forgotten = left.filter(({ key }) => !lib.isKnownLater(key, emergency))
	const problems = left.map(({ key, reason }) => `${fullLabel(key)}: ${reason}`)
	const advice = []
	if (doubt !== null) problems.push(`there may be more, because the list of keys cannot be used (${doubt})`)
	if (doubt !== null || forgotten.length < left.length) advice.push('Run this again in an hour, or revoke them in the dashboard.')
	for (const { key } of forgotten) advice.push(`No later run recognizes ${lib.keyLabel(key)}: revoke that key in the dashboard.`)
	if (!emergency.isTagged) {
		problems.push(UNTAGGED)
		advice.push('Look in the dashboard for keys that no one needs.')
	}
	if (problems.length === 0) return null
	return `The secret holds a new key, but old keys may still be valid: ${problems.join('; ')}. ${advice.join(' ')}`
}
/** What a run adds whose write may have taken effect, so that the key in hand is no longer in the secret. */
function notRevokedLine(facts) {
	const { current } = facts
	if (lib.isKnownLater(current, facts)) return 'No old key was revoked: run this again in an hour.'
	return (
		`No old key was revoked. No later run recognizes ${fullLabel(current)} once the secret holds another key: ` +
		'when a new run works, revoke that key in the dashboard.'
	)
}
/** With the whole id, because the dashboard has to be searched for it. */
function fullLabel({ prefix, id }) {
	return `${prefix}... (id ${id})`
}

/** How long before the expiry of a key that is not being replaced a run warns, and warns more urgently. */
const SOON_MS = 14 * lib.DAY_MS
const URGENT_MS = 7 * lib.DAY_MS
/** A new key should be the key in hand by then: a run a day, and one that was skipped. */
const NOT_RECEIVED_AFTER_MS = 2 * lib.DAY_MS
/**
 * Whether a person has to act because rotation does not work. A run that is stuck always warns; one that fails, if the
 * key in hand expires soon. With a short `expires-in`, the key of a rotation that works is also close to its expiry when
 * it is replaced.
 */
function expiryAlarm({ current: { expiresAt }, failed, stuck, now }) {
	const left = expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt - now
	if (!failed && !stuck) return 'none'
	if (left > SOON_MS) return stuck ? 'stuck' : 'none'
	return left > URGENT_MS ? 'soon' : 'urgent'
}
/**
 * The newest key of this rotation, if one that is newer than the key in hand is so old that runs should have received it;
 * else null. A key that only a copy got does not count. If someone else wrote the secret after the newest key, the key in
 * hand came from there: then it is replaced, but only once. A tool that writes it again every day needs a warning, not a
 * key every day.
 */
function keyNotReceived({ keys, current, tag, now, homeUpdatedAt }) {
	const { createdAt: currentCreatedAt } = current
	if (currentCreatedAt === null) return null
	const newer = keys.filter(
		key => lib.isOwn(key, tag) && !lib.holdsOlderKey(homeUpdatedAt, key) && creationOf(key) >= currentCreatedAt + lib.MIN_GAP_MS
	)
	if (!newer.some(key => creationOf(key) <= now - NOT_RECEIVED_AFTER_MS)) return null
	const newest = newer.reduce((latest, key) => (creationOf(key) > creationOf(latest) ? key : latest))
	return wasWrittenByOthers(homeUpdatedAt, newest) && !wasReplacedBefore(newer, newest) ? null : newest
}
/** A rotation writes its key within ten minutes of its creation; the rest is for clocks that differ. */
const OWN_WRITE_WITHIN_MS = 60 * 60 * 1000
/** Whether someone else wrote a place after the rotation that created this key. */
function wasWrittenByOthers(updatedAt, newest) {
	return updatedAt !== null && updatedAt > creationOf(newest) + OWN_WRITE_WITHIN_MS
}
/** Two keys that replaced the key in hand within this time mean that it is put back repeatedly. */
const REPEATED_WITHIN_MS = 7 * lib.DAY_MS
/** Whether the key in hand was already replaced shortly before the newest key; keys of the same hour are one attempt. */
function wasReplacedBefore(newer, newest) {
	return newer.some(key => {
		const earlier = creationOf(newest) - creationOf(key)
		return earlier >= lib.MIN_GAP_MS && earlier <= REPEATED_WITHIN_MS
	})
}
function creationOf({ createdAt }) {
	return createdAt ?? Number.NEGATIVE_INFINITY
}
/** What a person should know and do, in a line; null if there is no alarm. */
function expiryWarning(current, facts) {
	const alarm = expiryAlarm(facts)
	const { expiresAt } = current
	if (alarm === 'none') return null
	if (alarm === 'stuck' || expiresAt === null)
		return `The key ${lib.keyLabel(current)} ${STUCK}, and run the workflow again.${facts.rotated ? '' : UNTIL_DUE}`
	const days = Math.max(0, Math.floor((expiresAt - facts.now) / lib.DAY_MS))
	const left = days === 1 ? '1 day' : `${days} days`
	const why = facts.failed ? 'was not replaced. Fix what this run reports' : STUCK
	if (alarm === 'soon')
		return `The key ${lib.keyLabel(current)} expires at ${lib.formatUtc(expiresAt)} (in ${left}) and ${why}, and run the workflow again.`
	return (
		`URGENT: the key ${lib.keyLabel(current)} expires at ${lib.formatUtc(expiresAt)} (in ${left}), and jobs that use it fail from then on. ` +
		`It ${why}, and run the workflow again today, or create a key in the dashboard and save it in the secret.`
	)
}
const UNTIL_DUE = ' Until then, keys are only created when the newest one is due.'
const STUCK = 'was replaced by earlier runs, but is still passed as api-key. Check that api-key comes from the secret that this action writes'

/** Why the list could not be read, and what to do: `ifRejected` after a 401. */
function whyNotListed({ message, status, notFromApi, retryable }, ifRejected) {
	if (status === 401 && !notFromApi) return `The API rejected api-key: ${message}. ${ifRejected}`
	const failed = `Could not list the keys of the account: ${message}.`
	if (notFromApi) return `${failed} Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.`
	if (status === 404) return `${failed} Check api-url.`
	return retryable ? `${failed} Run the job again later, or raise timeout.` : failed
}

/** Where no key can be created: which keys count toward the account's limit although no place should hold them. */
function unusedKeysNote({ keys, current, tag, updates }) {
	const newer = keys
		.filter(key => lib.isOwn(key, tag) && Number(key.createdAt) > Number(current.createdAt))
		.sort((a, b) => Number(a.createdAt) - Number(b.createdAt))
	const lastWrite = Math.max(...updates.map(at => at ?? Infinity))
	const unwritten = newer.filter(({ createdAt }) => Number(createdAt) - lib.MIN_GAP_MS > lastWrite)
	if (unwritten.length > 0)
		return (
			` The account holds ${unwritten.map(fullLabel).join(', ')}, made by earlier runs after the secret was last updated: ` +
			"if the API's and GitHub's clocks agree, no place holds them. If the account has reached its limit of keys, revoke " +
			'them in the dashboard.'
		)
	const newest = newer.pop()
	if (newest === undefined || newer.length === 0) return ''
	return (
		` The account holds ${newer.map(fullLabel).join(', ')}, which a later run replaced by ${lib.keyLabel(newest)}, but none of ` +
		'them is api-key. If it has reached its limit of keys, revoke these in the dashboard, unless a place holds one of them.'
	)
}
/** Says that old keys are kept because of such a place. */
function doubtNote({ label, updatedAt }, kept) {
	const why = updatedAt === null ? 'GitHub does not say when it was updated' : 'it was last updated just before that was created'
	const next = kept.some(isForever) ? 'The next rotation writes every place.' : 'A run after the next rotation revokes them, or they expire.'
	return `The secret in ${label} may hold an older key than the one in use (${why}), so no old key was revoked. ${next}`
}
/** Warns of the kept keys that nothing ends, unless a person does. */
function foreverWarnings(kept) {
	return kept
		.filter(isForever)
		.map(
			key =>
				`The old key ${fullLabel(key)} never expires, and no run revokes it while a place may hold an older key than the ` +
				'one in use. Check that every place holds a newer key, then revoke it in the dashboard.'
		)
}
function isForever({ expiresAt }) {
	return expiresAt === null
}
/** What is left to do about `initial-key-id`; null for nothing. */
function initialKeyNote(facts) {
	const { initialKeyId, keys, current, created, retired, left, kept, tag, isInDoubt, now } = facts
	if (initialKeyId === '') return null
	const initial = keys.find(({ id }) => id === initialKeyId)
	if (!initial) return NO_INITIAL_KEY
	const isInitial = ({ id }) => id === initialKeyId
	const what = `The initial key ${lib.keyLabel(initial)}`
	if (retired.some(isInitial)) return `${what} was revoked. Now remove initial-key-id.`
	if (lib.isExpired(initial, now)) return null
	if (created && !lib.isOwn(created, tag)) return `${what} ${BY_NO_RUN}`
	// The note about the previous key says when it is revoked.
	if (created && isInitial(current)) return null
	if (initial.createdAt === null) return `${what} ${BY_NO_RUN}`
	// A warning says what to do about it.
	if (left.some(isInitial) || (kept.some(isInitial) && isForever(initial))) return null
	if (isInDoubt) return `${what} is still valid; it is not revoked while GitHub does not show that every place holds a newer key.`
	// Whether the API keeps the expiry of a key, by which it is recognized, is only known of a key of this rotation.
	return `${what} ${lib.isOwn(created ?? current, tag) ? BY_LATER_RUN : BY_RUN_THAT_RECOGNIZES}`
}
const BY_NO_RUN = 'is still valid, and no later run revokes it. Revoke it in the dashboard when no run uses it.'
const BY_LATER_RUN = 'is still valid; a later run that receives a newer key revokes it.'
const BY_RUN_THAT_RECOGNIZES =
	'is still valid. A later run revokes it once it receives a newer key that it recognizes as one of this rotation; if ' +
	'none does, revoke it in the dashboard.'
const NO_INITIAL_KEY = 'No key of the account has the ID in initial-key-id. If that key was revoked, remove the input; otherwise correct it.'
/** What happens to the key that was replaced. */
function previousKeyNote(facts) {
	const { current, tag, limits, createdAt, hasCopies } = facts
	const what = `The previous key ${lib.keyLabel(current)}`
	if (!lib.isKnownLater(current, facts))
		return `${what} was not created by rotate, so it stays valid. To have it revoked after the overlap, set initial-key-id to ${current.id}`
	if (current.createdAt === null)
		return `${what} stays valid, because the API does not say when it was created. Revoke it in the dashboard when no run uses it.`
	if (lib.isOwn(current, tag) && current.createdAt > createdAt - lib.MIN_GAP_MS)
		return `${what} is less than an hour older than the new one, so it stays valid: a run after the next rotation revokes it, or it expires at ${lib.formatUtc(current.expiresAt ?? 0)}.`
	const condition = hasCopies ? ', if GitHub shows then that every place holds a newer key' : ''
	const at = lib.formatUtc(lib.retirableAt(createdAt, limits))
	return `${what} stays valid during the overlap: the first run after ${at} that receives the new key revokes it${condition}.`
}

/** The paths of a place's secrets, the usual one first; an Enterprise Server may know environments by id only. */
function secretsPaths({ kind, name }, { owner, repo, id }) {
	const escaped = encodeURIComponent(name)
	const repository = `/repos/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}`
	switch (kind) {
		case 'environment':
			return [repository, `/repositories/${encodeURIComponent(id)}`].map(base => `${base}/environments/${escaped}/secrets`)
		case 'organization':
			return [`/orgs/${escaped}/actions/secrets`]
		case 'repository':
			return [`${repository}/actions/secrets`]
		default:
			return [`${repository}/${kind}/secrets`]
	}
}
/** The permission that a fine-grained token or an App needs, by its name in GitHub's settings. */
function permissionFor({ kind }) {
	return {
		repository: 'Secrets: write',
		environment: 'Secrets: write and Environments: write',
		organization: 'organization permission Secrets: write',
		dependabot: 'Dependabot secrets: write',
		codespaces: 'Codespaces secrets: write'
	}[kind]
}
/** The place in words, for messages. */
function placeLabel({ kind, name }) {
	return {
		repository: 'the repository',
		environment: `the environment ${JSON.stringify(name)}`,
		organization: `the organization ${name}`,
		dependabot: "the repository's Dependabot secrets",
		codespaces: "the repository's Codespaces secrets"
	}[kind]
}

/** How long GitHub may take to show a write, in milliseconds: replicas may lag. */
const SHOWN_WITHIN_MS = 15_000
const READ_INTERVAL_MS = 1_000
/** Reads what GitHub says about the secret in one place, once. A description of another secret is a failure. */
async function readSecret({ place, path, secret }, { secrets }, budget) {
	const reply = await secrets.secret({ path, name: secret, permission: permissionFor(place) }, budget.limits())
	if (!reply.ok || reply.value.name.toUpperCase() === secret) return reply
	const message = `GitHub returned another secret instead of ${secret} in ${placeLabel(place)}`
	return { ok: false, skew: null, failure: { message, mayHaveActed: false, retryable: false } }
}
/**
 * Waits until GitHub shows that the secret was written. Neither its acknowledgment nor its refusal is proof of what
 * happened to this secret, in this place. Returns the reason if no write is shown in time.
 */
async function waitUntilShown({ target, updatedAt }, deps, budget) {
	if (updatedAt === null) return { visibility: 'unknown', reason: '', unchanged: false }
	let end = deps.clock.now() + SHOWN_WITHIN_MS
	for (let reads = 1; ; reads++) {
		// What a machine that slept was told before it slept shows nothing of the time after that.
		const askedAt = deps.clock.now()
		const reply = await readSecret(target, deps, budget)
		if (reply.ok && lib.writeVisibility(updatedAt, reply.value.updatedAt) === 'shown') return { visibility: 'shown', reason: '', unchanged: false }
		const pause = reply.ok ? 0 : lib.backoff(reads, deps.random(), reply.failure.retryAfter)
		const wait = READ_INTERVAL_MS + pause
		if (!reply.ok) end += reply.failure.retryAfter ?? 0
		const isOver = askedAt + wait > end
		if (isOver || budget.left() <= wait) {
			const unchanged = isOver && reply.ok && reply.value.updatedAt === updatedAt
			const shown = reply.ok ? NOT_MOVED : reply.failure.message
			const reason = !isOver && deps.cancellation.requestedAt !== null ? CANCELLED$1 : shown
			return { visibility: 'not shown', reason, unchanged }
		}
		await budget.pause(wait)
	}
}
const CANCELLED$1 = 'the job was cancelled before GitHub showed the write'
const NOT_MOVED = 'GitHub acknowledged it, but updated_at of the secret did not change'

/** A write needs at least this much time, in milliseconds. */
const MIN_ATTEMPT_MS = 1_000
const MAX_PAGES = 200
/** How long it may take to confirm that a refused write did not change the secret, in milliseconds. */
const CONFIRM_REFUSAL_MS = 30_000
/** How often a key is written to a place while GitHub acknowledges that but does not show it. */
const MAX_WRITES = 2
/**
 * Reads what is needed to write the secret in one place. Throws an Error if it does not exist there: otherwise a typo
 * would create a second secret while the key in the real one expires.
 */
async function inspectPlace({ place, secret, repository }, deps, budget) {
	const ask = attempt => lib.retry(attempt, { budget, random: deps.random })
	const permission = permissionFor(place)
	for (const path of secretsPaths(place, repository)) {
		const at = { place, path, secret }
		const found = await ask(() => readSecret(at, deps, budget))
		if (!found.ok && found.failure.status === 404 && !found.failure.notFromApi) continue
		const info = valueOrThrow(found, place)
		const publicKey = valueOrThrow(await ask(limits => deps.secrets.publicKey({ path, permission }, limits)), place)
		const { visibility, updatedAt } = info
		if (place.kind !== 'organization') return { ...at, publicKey, updatedAt, audience: {} }
		if (visibility === null) throw new Error(`GitHub did not return the visibility of ${secret} in ${placeLabel(place)}. No key was created.`)
		const ids = visibility === 'selected' ? await readSelected(at, deps, budget) : null
		return { ...at, publicKey, updatedAt, audience: { visibility, ...(ids && { selected_repository_ids: ids }) } }
	}
	throw new Error(
		`There is no secret ${secret} in ${placeLabel(place)}, or github-token cannot see it (404). No key was created. ` +
			`Check the inputs secret, environment and copies, and that the token has access to it ("${permission}").`
	)
}
/** The ids of all repositories that may use an organization's secret. */
async function readSelected({ place, path, secret }, { secrets, random }, budget) {
	const at = { path, name: secret }
	const ids = new Set()
	for (let page = 1; page <= MAX_PAGES; page++) {
		const reply = await lib.retry(limits => secrets.selectedRepositories(at, page, limits), { budget, random })
		const { total, ids: more } = valueOrThrow(reply, place)
		for (const id of more) ids.add(id)
		if (ids.size === total) return [...ids]
		if (more.length === 0) break
	}
	throw new Error(`Could not read all repositories that may use ${secret} in ${placeLabel(place)}. No key was created; run the workflow again.`)
}
function valueOrThrow(reply, place) {
	if (reply.ok) return reply.value
	throw new Error(`Could not look up the secret in ${placeLabel(place)}: ${reply.failure.message}. This run created no key.`)
}
/**
 * Writes the key to every place, in this order, until `writeUntil`. Writing the same value twice is harmless, so
 * everything but a clear refusal is retried. Stops at the first place that fails or does not show the write: the place
 * that the key in hand came from is the last, so a later run rotates again and writes every place.
 */
async function writePlaces({ key: { token }, writeUntil }, targets, deps) {
	const budget = lib.createBudget({ deadline: writeUntil, clock: deps.clock, cancellation: deps.cancellation })
	const notes = []
	let confirmed = true
	for (const [index, target] of targets.entries()) {
		const { reply, acted } = await writeUntilShown({ token, target }, deps, budget)
		const label = placeLabel(target.place)
		if (!reply.ok) {
			const reason = `writing the secret in ${label} failed: ${reply.failure.message}`
			return { kind: index === 0 && !acted ? 'refused' : 'unclear', reason }
		}
		if (reply.value.created) notes.push(`The secret in ${label} had been deleted and was created again.`)
		if (reply.value.confirmed) continue
		confirmed = false
		notes.push(`GitHub does not say when the secret in ${label} was updated, so only its acknowledgment shows the write.`)
	}
	return { kind: 'written', confirmed, notes }
}
/** Writes the key to one place until GitHub shows that the secret changed. */
async function writeUntilShown({ token, target }, deps, budget) {
	const read = await lib.retry(() => readSecret(target, deps, budget), { budget, random: deps.random })
	const before = namingCancellation(read, deps)
	// Without the secret (404), the write creates it.
	if (!before.ok && (before.failure.status !== 404 || before.failure.notFromApi)) return { reply: before, acted: false }
	const updatedAt = latest(target, before)
	let acted = false
	for (let writes = 1; ; writes++) {
		const written = await writePlace({ token, target }, deps, budget)
		acted ||= written.acted
		const { reply } = written
		if (!reply.ok && !acted && written.refused) {
			const confirmed = await confirmRefusal(reply, { target, updatedAt }, deps)
			// A write within the second of another one shows nothing; the next one is in a later second.
			if (writes > 1 || confirmed.acted || budget.left() < MIN_ATTEMPT_MS) return confirmed
			continue
		}
		if (!reply.ok) return { reply, acted }
		if (budget.left() === 0) return { reply: notSent(deps.cancellation.requestedAt === null ? ANSWERED_LATE : CANCELLED), acted }
		const { visibility, reason } = await waitUntilShown({ target, updatedAt }, deps, budget)
		if (visibility !== 'not shown') {
			// A 201 alone is no proof that it had been deleted.
			const value = { created: reply.value.created && !before.ok, confirmed: visibility === 'shown' }
			return { reply: { ...reply, value }, acted }
		}
		// The write may have come within the same second as another run's, or have been lost: the same value again.
		if (writes === MAX_WRITES || budget.left() < MIN_ATTEMPT_MS) return { reply: notSent(reason), acted }
	}
}
/** A refusal proves that nothing was written only if GitHub also shows the secret unchanged. */
async function confirmRefusal(reply, before, deps) {
	const { clock, cancellation } = deps
	const budget = lib.createBudget({ deadline: clock.now() + CONFIRM_REFUSAL_MS, clock, cancellation })
	const { unchanged } = await waitUntilShown(before, deps, budget)
	if (unchanged) return { reply, acted: false }
	return { reply: notSent(`${reply.failure.message}; nothing shows that the secret is unchanged`), acted: true }
}
/** The later of two readings: one of them may come from a replica that lags. */
function latest({ updatedAt }, before) {
	const again = before.ok ? before.value.updatedAt : null
	return updatedAt === null || again === null ? (updatedAt ?? again) : Math.max(updatedAt, again)
}
async function writePlace({ token, target }, deps, budget) {
	const { secrets, seal, random } = deps
	const { path, secret, audience } = target
	const permission = permissionFor(target.place)
	let { publicKey } = target
	let acted = false
	let refused = false
	const write = async limits => {
		// A machine that slept may wake up after the time for writing.
		if (budget.left() < MIN_ATTEMPT_MS) return TOO_LATE
		const encrypted = sealed(seal, token, publicKey)
		if (encrypted === null) return UNUSABLE_KEY
		const value = { encrypted_value: encrypted, key_id: publicKey.id, ...audience }
		const reply = namingCancellation(await secrets.write({ path, name: secret, permission }, value, limits), deps)
		acted ||= reply.ok || reply.failure.mayHaveActed
		refused ||= !reply.ok && reply.failure.status !== undefined
		return reply
	}
	const reply = await lib.retry(write, { budget, random })
	if (reply.ok || reply.failure.status !== 422) return { reply, acted, refused }
	// Probably GitHub replaced its public key after we read it.
	const fresh = await lib.retry(limits => secrets.publicKey({ path, permission }, limits), { budget, random })
	if (!fresh.ok || fresh.value.id === publicKey.id) return { reply, acted, refused }
	publicKey = fresh.value
	const again = await lib.retry(write, { budget, random })
	return { reply: again, acted, refused }
}
/** The encrypted value, or null if the public key is unusable. */
function sealed(seal, token, { key }) {
	try {
		return seal(token, key)
	} catch {
		return null
	}
}
/** A request that a cancellation cut short has no other cause. */
function namingCancellation(reply, { cancellation }) {
	if (reply.ok || reply.failure.status !== undefined || cancellation.requestedAt === null) return reply
	return { ...reply, failure: { ...reply.failure, message: `${reply.failure.message} (the job was cancelled)` } }
}
function notSent(message) {
	const failure = { message, mayHaveActed: false, retryable: false }
	return { ok: false, skew: null, failure }
}
const TOO_LATE = notSent('more than ten minutes have passed since the key was created, or the job was cancelled')
/** Requests are cut off in time, so the machine slept: the write may have left it after that. */
const ANSWERED_LATE = 'GitHub answered more than ten minutes after the key was created, so the write may have come too late'
const CANCELLED = 'the job was cancelled before GitHub answered, so the write may have come too late'
const UNUSABLE_KEY = notSent('GitHub sent an unusable public key')

/**
 * The main step: reads the places and retires old keys; if the key in hand is due, creates a new one, confirms that it
 * works, and writes it to every place, last to where the key in hand came from. Throws an Error for the person reading
 * the log.
 */
async function rotateKey(inputs, deps) {
	const report = lib.openReport()
	let run = null
	let targets = []
	let behind = 'none'
	let spared = { kept: [], left: [] }
	let failure = null
	try {
		run = await openRun(inputs, deps, report)
		targets = await inspectPlaces(run)
		refuseEphemeralKey(targets, run)
		report.dueAt = nextRotation(targets, run)
		const isEmergency = inputs.revokePrevious === 'now'
		if (report.dueAt <= apiTime(run)) report.dueAt = 0
		const isDue = isEmergency || report.dueAt === 0
		behind = noteOlderKeys(targets, run, isDue)
		// Until it succeeds.
		if (behind === 'write') report.dueAt = 0
		// An emergency revokes them anyway, with a list that it reads then.
		if (behind === 'none' && !isEmergency) spared = await retireOldKeys(targets, run)
		if (isDue || behind === 'write') await rotate(run, targets)
		else report.state = 'Not due'
		deps.runner.info(outcomeLine(report))
	} catch (error) {
		failure = error instanceof Error ? error : new Error(String(error))
		failure.message = lib.plainLine(failure.message)
		report.notes.push(failure.message)
	}
	if (run !== null && report.current !== null) {
		noteInitialKey(targets, { behind, ...spared }, run)
		warnOfExpiry(targets, run)
	}
	lib.writeRotationSummary(report, deps.runner)
	finish(report, failure, deps)
}
/** Sets the outputs, and throws what made the run fail. Outputs that cannot be set must not hide that. */
function finish(report, failure, { runner }) {
	try {
		lib.setOutputs(report, runner)
	} catch (error) {
		if (failure === null) throw error
		runner.warning(error instanceof Error ? error.message : String(error))
	}
	if (failure !== null) throw failure
}
/** The API's clock, or this machine's if the API's is unknown. */
function apiTime({ deps, skew }) {
	return deps.clock.now() + (skew ?? 0)
}
/**
 * What has passed by then has passed by every clock that may be right: a gateway may send a wrong Date, and a machine
 * that slept misjudges it. If the API's clock is unknown, nothing has.
 */
function surelyPast({ deps, skew }) {
	return skew === null ? Number.NEGATIVE_INFINITY : deps.clock.now() + Math.min(0, skew)
}
/**
 * Warns of the places that hold an older key than the one in hand, or may because no rotation wrote them together with
 * home. They are written before any old key is revoked: by this run, or by a later one, if it seems so only because
 * something wrote one of them soon after a rotation, or puts an old key back.
 */
function noteOlderKeys(targets, run, isDue) {
	const { inputs, current, tag, deps, report } = run
	// A person may take longer to save a key in every place.
	const writtenAt = lib.isOwn(current, tag) ? homeUpdatedAt(targets) : null
	const isAnyOlder = targets.some(({ updatedAt }) => lib.holdsOlderKey(updatedAt, current))
	const when = isDue || isAnyOlder ? 'write' : whenApart(targets, run)
	let isBehind = false
	for (const { place, updatedAt } of targets) {
		const isOlder = lib.holdsOlderKey(updatedAt, current)
		const apart = lib.writtenApart(updatedAt, writtenAt)
		if (!isOlder && apart === null) continue
		const why = isOlder ? BEFORE_CREATION : `${apartFrom(apart, placeLabel(inputs.home))}${UNTIL[when]}. ${BY_OTHERS}`
		const note = `The secret in ${placeLabel(place)} was last updated ${why}.`
		deps.runner.warning(note)
		report.notes.push(note)
		isBehind = true
	}
	return isBehind ? when : 'none'
}
const BEFORE_CREATION =
	'before the key in use was created, so that key has to be replaced. If more runs say so, another workflow rotates the ' +
	'same secret, or the clocks of the API and of GitHub differ'
/** Which run writes places that no rotation wrote together. A new key would not end what puts an old one back. */
function whenApart(targets, run) {
	const newest = newestNotReceived(targets, run)
	if (newest && targets.some(({ updatedAt }) => wasWrittenByOthers(updatedAt, newest))) return 'stuck'
	return lib.rotatedLately({ ...run, now: apiTime(run) }) ? 'wait' : 'write'
}
function apartFrom(apart, home) {
	return `${apart === 'before' ? 'more than ten minutes before' : 'more than a minute after'} that in ${home}`
}
const UNTIL = {
	write: ', so the key in use has to be replaced',
	wait: '. The newest key is less than two days old, so it is not replaced again, and no old key was revoked',
	stuck: ', so no old key was revoked'
}
const BY_OTHERS = 'If more runs say so, a person, a tool or another workflow writes only one of them'
/** When the key is due. Where the server does not say when the secret was written, no key counts as one that it got. */
function nextRotation(targets, run) {
	const { limits } = run.inputs
	const newest = homeUpdatedAt(targets) === null ? null : newestNotReceived(targets, run)
	return newest === null ? lib.dueAt(run.current, limits) : lib.dueWhileStuck(run.current, newest, limits)
}
function homeUpdatedAt(targets) {
	return targets.at(-1)?.updatedAt ?? null
}
function newestNotReceived(targets, run) {
	return keyNotReceived({ ...run, now: apiTime(run), homeUpdatedAt: homeUpdatedAt(targets) })
}
/** Warns if a person has to act because rotation does not work. */
function warnOfExpiry(targets, run) {
	const { current, report, deps } = run
	const now = apiTime(run)
	const failed = report.state === 'Failed'
	const stuck = newestNotReceived(targets, run) !== null
	const warning = expiryWarning(current, { current, failed, stuck, rotated: report.created !== null, now })
	if (warning === null) return
	deps.runner.warning(warning)
	report.notes.push(warning)
}
function outcomeLine({ state, current, created, dueAt }) {
	const due = dueAt === null || dueAt === 0 ? '' : ` The next rotation is due at ${lib.formatUtc(dueAt)}.`
	if (created) return `Rotated: the secret now holds the key ${lib.keyLabel(created)}.${due}`
	return `${state}: api-key is the key ${current ? lib.keyLabel(current) : ''}.${due}`
}
function phaseBudget({ timeout }, { clock, cancellation }) {
	return lib.createBudget({ deadline: clock.now() + timeout, clock, cancellation })
}
async function openRun(inputs, deps, report) {
	const { apiKey, apiUrl, home, secret, githubApiUrl } = inputs
	const budget = phaseBudget(inputs, deps)
	const repository = { ...deps.repository, id: await repositoryId(inputs, deps, budget) }
	const scope = home.kind === 'organization' ? `org:${home.name}` : `repo:${repository.id}`
	const environment = home.kind === 'environment' ? home.name : ''
	const server = lib.githubServer(githubApiUrl)
	const tag = lib.rotationTag({ apiUrl, server, scope, environment, secret }, deps.sha256)
	const reply = await lib.listKeys(apiKey, deps, budget)
	if (!reply.ok) throw new Error(whyNotListed(reply.failure, REJECTED))
	if (reply.skew === null) requireEqualDays(deps)
	const current = lib.findCurrentKey(reply.value, apiKey)
	if (typeof current === 'string') throw new Error(`Could not find api-key in the account's list of keys: ${current}. Nothing was changed.`)
	report.current = current
	const leaked = inputs.revokePrevious === 'now' ? lib.plainLine(fullLabel(current)) : ''
	const record = lib.openRecord(deps.runner, { ...deps.connection, apiUrl, apiKey, leaked })
	const { keys, doubt } = reply.value
	return { inputs, deps, repository, tag, keys, doubt, current, skew: reply.skew, record, report }
}
/** Throws an Error if the API sent a `Date` that is more than a day off, and so counts as unknown. */
function requireEqualDays({ clock, dateDifference }) {
	const difference = dateDifference()
	if (difference === null || Math.abs(difference) <= lib.DAY_MS) return
	const now = clock.now()
	throw new Error(
		`The clocks of this machine (${lib.formatUtc(now)}) and of the API (${lib.formatUtc(now + difference)}) are more than a day ` +
			'apart, so ages cannot be calculated. Nothing was changed. Check the clock of the runner.'
	)
}
const REJECTED = 'The key is wrong, revoked or expired, so rotation cannot continue. Create a key in the dashboard and save it in the secret.'
/** As api-key, each run would receive another one, and add a key that nothing retires. */
function refuseEphemeralKey(targets, { current, inputs, report }) {
	if (!lib.isEphemeral(current) || !lib.holdsOlderKey(homeUpdatedAt(targets), current)) return
	// Nothing about this key concerns the secret.
	report.current = null
	throw new Error(
		`api-key is the short-lived key ${lib.keyLabel(current)}, made after the secret in ${placeLabel(inputs.home)} was last ` +
			'updated, so it is not the key in that secret. Pass the secret itself as api-key. Nothing was changed.'
	)
}
async function repositoryId({ home }, { repository: { owner, repo, id }, secrets, random }, budget) {
	if (id !== null) return id
	if (home.kind === 'organization') return ''
	const reply = await lib.retry(limits => secrets.repositoryId(`${owner}/${repo}`, limits), { budget, random })
	if (reply.ok) return reply.value
	throw new Error(`Could not read the repository's id: ${reply.failure.message}.`)
}
/** Revokes the old keys that no run can still need. A failure is only reported: rotation must not depend on it. */
async function retireOldKeys(targets, run) {
	const { inputs, deps, keys, doubt, current, tag, skew, report } = run
	const { initialKeyId } = inputs
	const overlap = inputs.limits.overlap
	if (doubt !== null || skew === null) {
		const reason = doubt === null ? UNKNOWN_TIME : `The account's list may be incomplete (${doubt})`
		report.notes.push(lib.plainLine(`${reason}, so no old key was revoked.`))
		return { kept: [], left: [] }
	}
	const updates = updatesOf(targets)
	const facts = { keys, current, tag, overlap, now: surelyPast(run), initialKeyId, updates }
	const kept = lib.keysInDoubt(facts)
	noteDoubtfulPlaces(targets, kept, run)
	const request = { keys: lib.keysToRetire(facts), credential: inputs.apiKey }
	const { revoked, left } = await revokeListed(request, deps, phaseBudget(inputs, deps))
	reportRevoked(revoked, run)
	for (const { key, reason } of left) {
		const failure = lib.plainLine(`Could not confirm that the old key ${lib.keyLabel(key)} was revoked: ${reason}.`)
		deps.runner.warning(`${failure} A later run tries again.`)
		report.notes.push(failure)
	}
	return { kept, left: left.map(({ key }) => key) }
}
/** Says which places may hold an older key than the one in hand, so that the keys `kept` are not revoked. */
function noteDoubtfulPlaces(targets, kept, run) {
	const { current, report, deps } = run
	if (kept.length === 0) return
	const updates = updatesOf(targets)
	for (const [index, { place, updatedAt }] of targets.entries())
		if (lib.mayHoldOlderKey(index, { updates, current })) report.notes.push(doubtNote({ label: placeLabel(place), updatedAt }, kept))
	for (const warning of foreverWarnings(kept).map(lib.plainLine)) {
		deps.runner.warning(warning)
		report.notes.push(warning)
	}
}
function updatesOf(targets) {
	return targets.map(({ updatedAt }) => updatedAt)
}
/** Says what is left to do about `initial-key-id`. An emergency that does not revoke that key says so itself. */
function noteInitialKey(targets, { behind, ...spared }, run) {
	const { inputs, report, doubt, skew, current } = run
	const { initialKeyId, revokePrevious } = inputs
	const isRevoked = report.retired.some(({ id }) => id === initialKeyId)
	const isUnknown = targets.length === 0 || doubt !== null || skew === null || revokePrevious === 'now'
	if (isUnknown && !isRevoked) return
	const isInDoubt = behind !== 'none' || lib.isAnyPlaceInDoubt({ updates: updatesOf(targets), current })
	const note = initialKeyNote({ ...run, ...report, ...spared, current, initialKeyId, isInDoubt, now: surelyPast(run) })
	if (note !== null) report.notes.push(note)
}
function reportRevoked(revoked, { deps: { runner }, report }) {
	report.retired.push(...revoked)
	for (const key of revoked) runner.info(`Revoked the old key ${lib.keyLabel(key)} (no longer listed).`)
}
async function inspectPlaces({ inputs, deps, repository }) {
	const { home, copies, secret } = inputs
	const budget = phaseBudget(inputs, deps)
	const targets = []
	for (const place of lib.writeOrder(home, copies)) targets.push(await inspectPlace({ place, secret, repository }, deps, budget))
	return targets
}
async function rotate(run, targets) {
	const { inputs, deps, tag, skew, keys, current, record, report } = run
	const { apiKey, timeout, limits, initialKeyId } = inputs
	const request = { apiKey, timeout, lifetime: limits.expiresIn, tag, skew, known: keys }
	const fresh = await lib.createKey(request, record, deps).catch(error => {
		error.message += unusedKeysNote({ keys, current, tag, updates: targets.map(({ updatedAt }) => updatedAt) })
		throw error
	})
	const replacement = await useOrDiscard(fresh, targets, run)
	const { row } = replacement
	report.created = row
	report.state = 'Rotated'
	report.dueAt = lib.dueAt(row, limits)
	lib.saveIfPossible(inputs.revokePrevious === 'now' && replacement.confirmed ? record.revoking : record.settled)
	if (!lib.isOwn(row, tag)) report.notes.push(UNRECOGNIZABLE)
	else if (inputs.revokePrevious !== 'now') {
		const facts = { current, tag, limits, initialKeyId, createdAt: row.createdAt ?? 0 }
		report.notes.push(lib.plainLine(previousKeyNote({ ...facts, hasCopies: targets.length > 1 })))
	}
	if (inputs.revokePrevious === 'now') await revokePrevious(run, fresh, replacement)
}
const UNKNOWN_TIME = "The API's time is unknown (no Date header)"
const UNRECOGNIZABLE =
	'The API changed the expiry of the new key, so later runs cannot recognize it: they revoke no old keys, which stay valid until they expire.'
/**
 * Confirms that the key works and writes it. A key that was certainly not written is revoked; in doubt, it stays valid.
 */
async function useOrDiscard(fresh, targets, run) {
	const { inputs, deps, record } = run
	const { key, writeUntil } = fresh
	const { clock, cancellation } = deps
	let row
	let result = null
	try {
		record.created(key)
		const proveUntil = Math.min(clock.now() + inputs.timeout, writeUntil)
		row = await lib.proveKey(key, deps, lib.createBudget({ deadline: proveUntil, clock, cancellation }))
		if (cancellation.requestedAt !== null) throw new Error('The job was cancelled before the new key was written.')
		record.writing()
		result = { kind: 'unclear', reason: 'writing the secret was interrupted' }
		result = await writePlaces(fresh, targets, deps)
	} catch (error) {
		if (result === null) await discard(key, run)
		throw error
	}
	if (result.kind === 'written') {
		run.report.notes.push(...result.notes)
		return { row, confirmed: result.confirmed }
	}
	if (result.kind === 'refused') await discard(key, run)
	const isEmergency = inputs.revokePrevious === 'now' && result.kind === 'unclear'
	const advice = isEmergency ? ` ${notRevokedLine({ ...run, initialKeyId: inputs.initialKeyId })}` : ''
	throw new Error(writeFailure(result, key) + advice)
}
function writeFailure({ kind, reason }, key) {
	if (kind === 'refused') return `The new key was not written, so this run did not change the secret: ${reason}.`
	return (
		`Could not confirm that the new key ${lib.keyLabel(key)} was written to every place: ${reason}. ` +
		'It and the old key both stay valid; the next run rotates again if necessary.'
	)
}
/** Revokes a key that no place holds. If that fails, the post step tries again. */
async function discard(key, { inputs, deps, record }) {
	lib.saveIfPossible(() => record.created(key))
	if (await lib.discardKey(key, inputs.apiKey, deps)) lib.saveIfPossible(record.settled)
}
/** The emergency: revokes the old keys right after the confirmed write, although running jobs use them. */
async function revokePrevious(run, { key }, { row, confirmed }) {
	const { inputs, deps, current, tag, record, report } = run
	report.state = 'Rotated; old keys may be valid'
	if (!confirmed)
		throw new Error(
			`GitHub acknowledged the new key ${lib.keyLabel(key)}, but does not say when the secret was updated. So no old key was ` +
				`revoked. Check that a new run works, then revoke the old key ${fullLabel(current)} in the dashboard.`
		)
	const { initialKeyId } = inputs
	const facts = { ...run, created: key, initialKeyId, now: surelyPast(run), isTagged: lib.isOwn(row, tag) }
	const { revoked, problem } = await revokeAtOnce(facts, deps, phaseBudget(inputs, deps))
	reportRevoked(revoked, run)
	lib.saveIfPossible(record.settled)
	if (problem !== null) throw new Error(problem)
	report.state = 'Rotated, and the old keys revoked'
	report.notes.push(REVOKED_SCOPE)
}
const REVOKED_SCOPE = 'Only the key in hand and the older keys of this rotation were revoked. If another key leaked, revoke it in the dashboard.'

function isBytes$1(a) {
	return (
		a instanceof Uint8Array || (ArrayBuffer.isView(a) && a.constructor.name === 'Uint8Array' && 'BYTES_PER_ELEMENT' in a && a.BYTES_PER_ELEMENT === 1)
	)
}
const atitle$1 = title => (title ? `"${title}" ` : '')
function abool(value, title = '') {
	if (typeof value !== 'boolean') throw new TypeError(atitle$1(title) + 'expected boolean, got type=' + typeof value)
	return value
}
function anumber$1(n, title = '') {
	if (typeof n !== 'number') throw new TypeError(atitle$1(title) + 'expected number, got ' + typeof n)
	if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(atitle$1(title) + 'expected integer >= 0, got ' + n)
	return n
}
function abytes$1(value, length, title = '') {
	if (isBytes$1(value) && (length === undefined || value.length === length)) return value
	if (length !== undefined) anumber$1(length, 'length')
	const bytes = isBytes$1(value)
	const ofLen = length !== undefined ? ` of length ${length}` : ''
	const got = bytes ? `length=${value.length}` : `type=${typeof value}`
	const message = atitle$1(title) + 'expected Uint8Array' + ofLen + ', got ' + got
	if (!bytes) throw new TypeError(message)
	throw new RangeError(message)
}
const aobject$1 = (value, label) => {
	if (value === null || typeof value !== 'object' || Array.isArray(value))
		throw new TypeError(label === 'object' ? 'expected valid options object' : `"${label}" expected object, got type=${typeof value}`)
}
function aexists$1(instance, checkFinished = true) {
	if (instance.destroyed) throw new Error('hash was destroyed')
	if (checkFinished && instance.finished) throw new Error('digest() was already called')
}
function aoutput$1(out, instance) {
	abytes$1(out, undefined, 'output')
	const min = instance.outputLen
	if (!(out.length >= min)) {
		throw new RangeError('"output" expected length >= ' + min)
	}
}
function u32$1(arr) {
	return new Uint32Array(arr.buffer, arr.byteOffset, Math.floor(arr.byteLength / 4))
}
function clean$1(...arrays) {
	for (let i = 0; i < arrays.length; i++) {
		arrays[i].fill(0)
	}
}
const isLE$1 = (() => new Uint8Array(new Uint32Array([0x11223344]).buffer)[0] === 0x44)()
function byteSwap$1(word) {
	return ((word << 24) & 0xff000000) | ((word << 8) & 0xff0000) | ((word >>> 8) & 0xff00) | ((word >>> 24) & 0xff)
}
function byteSwap32$1(arr) {
	for (let i = 0; i < arr.length; i++) {
		arr[i] = byteSwap$1(arr[i])
	}
	return arr
}
const swap32IfBE$1 = isLE$1 ? u => u : byteSwap32$1
function overlapBytes(a, b) {
	if (!a.byteLength || !b.byteLength) return false
	return a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
}
function complexOverlapBytes(input, output) {
	if (overlapBytes(input, output) && input.byteOffset < output.byteOffset) throw new Error('complex overlap of input and output is not supported')
}
function checkOpts$1(defaults, opts) {
	aobject$1(defaults, 'defaults')
	aobject$1(opts, 'opts')
	const merged = Object.assign(defaults, opts)
	return merged
}
function equalBytes(a, b) {
	a = abytes$1(a)
	b = abytes$1(b)
	if (a.length !== b.length) return false
	let diff = 0
	for (let i = 0; i < a.length; i++) diff |= a[i] ^ b[i]
	return diff === 0
}
function wrapMacConstructor(keyLen, macCons, fromMsg) {
	const mac = macCons
	const getArgs = () => []
	const macC = (msg, key) =>
		mac(key, ...getArgs(msg))
			.update(msg)
			.digest()
	const tmp = mac(new Uint8Array(keyLen), ...getArgs(new Uint8Array(0)))
	macC.outputLen = tmp.outputLen
	macC.blockLen = tmp.blockLen
	macC.create = (key, ...args) => mac(key, ...args)
	return macC
}
const wrapCipher = (params, constructor) => {
	function wrappedCipher(key, ...args) {
		abytes$1(key, undefined, 'key')
		if (params.nonceLength !== undefined) {
			const nonce = args[0]
			abytes$1(nonce, params.varSizeNonce ? undefined : params.nonceLength, 'nonce')
		}
		const tagl = params.tagLength
		const aadStart = params.nonceLength !== undefined ? 1 : 0
		if (!params.withAAD) {
			for (let i = aadStart; i < args.length; i++) if (isBytes$1(args[i])) throw new Error('AAD not supported')
		}
		if (params.withAAD && args[aadStart] !== undefined) abytes$1(args[aadStart], undefined, 'AAD')
		const cipher = constructor(key, ...args)
		const checkOutput = (fnLength, output) => {
			if (output !== undefined) {
				if (fnLength !== 2) throw new Error('cipher output not supported')
				abytes$1(output, undefined, 'output')
			}
		}
		let called = false
		const wrCipher = {
			encrypt(data, output) {
				if (called) throw new Error('cannot encrypt() twice with same key + nonce')
				called = true
				abytes$1(data, undefined, 'data')
				checkOutput(cipher.encrypt.length, output)
				return cipher.encrypt(data, output)
			},
			decrypt(data, output) {
				abytes$1(data, undefined, 'data')
				if (tagl && data.length < tagl) throw new Error('"ciphertext" expected length >= tagLength=' + tagl)
				checkOutput(cipher.decrypt.length, output)
				return cipher.decrypt(data, output)
			}
		}
		return wrCipher
	}
	Object.assign(wrappedCipher, params)
	return wrappedCipher
}
function getOutput(expectedLength, out, onlyAligned = true) {
	if (out === undefined) return new Uint8Array(expectedLength)
	abytes$1(out, expectedLength, 'output')
	if (onlyAligned && !isAligned32(out)) throw new Error('invalid output, must be aligned')
	return out
}
function isAligned32(bytes) {
	return bytes.byteOffset % 4 === 0
}
function copyBytes$1(bytes) {
	return Uint8Array.from(abytes$1(bytes))
}

const encodeStr = str => Uint8Array.from(str.split(''), c => c.charCodeAt(0))
const sigma16_32 = (() => swap32IfBE$1(u32$1(encodeStr('expand 16-byte k'))))()
const sigma32_32 = (() => swap32IfBE$1(u32$1(encodeStr('expand 32-byte k'))))()
function rotl(a, b) {
	return (a << b) | (a >>> (32 - b))
}
const BLOCK_LEN = 64
const BLOCK_LEN32 = 16
const MAX_COUNTER = (() => 2 ** 32 - 1)()
const U32_EMPTY = Uint32Array.of()
function runCipher(core, sigma, key, nonce, data, output, counter, rounds) {
	const len = data.length
	const block = new Uint8Array(BLOCK_LEN)
	const b32 = u32$1(block)
	const isAligned = isLE$1 && isAligned32(data) && isAligned32(output)
	const d32 = isAligned ? u32$1(data) : U32_EMPTY
	const o32 = isAligned ? u32$1(output) : U32_EMPTY
	if (!isLE$1) {
		for (let pos = 0; pos < len; counter++) {
			core(sigma, key, nonce, b32, counter, rounds)
			swap32IfBE$1(b32)
			if (counter >= MAX_COUNTER) throw new Error('arx: counter overflow')
			const take = Math.min(BLOCK_LEN, len - pos)
			for (let j = 0, posj; j < take; j++) {
				posj = pos + j
				output[posj] = data[posj] ^ block[j]
			}
			pos += take
		}
		return
	}
	for (let pos = 0; pos < len; counter++) {
		core(sigma, key, nonce, b32, counter, rounds)
		if (counter >= MAX_COUNTER) throw new Error('arx: counter overflow')
		const take = Math.min(BLOCK_LEN, len - pos)
		if (isAligned && take === BLOCK_LEN) {
			const pos32 = pos / 4
			if (pos % 4 !== 0) throw new Error('arx: invalid block position')
			for (let j = 0, posj; j < BLOCK_LEN32; j++) {
				posj = pos32 + j
				o32[posj] = d32[posj] ^ b32[j]
			}
			pos += BLOCK_LEN
			continue
		}
		for (let j = 0, posj; j < take; j++) {
			posj = pos + j
			output[posj] = data[posj] ^ block[j]
		}
		pos += take
	}
}
function createCipher(core, opts) {
	const { allowShortKeys, extendNonceFn, counterLength, counterRight, rounds } = checkOpts$1(
		{ allowShortKeys: false, counterLength: 8, counterRight: false, rounds: 20 },
		opts
	)
	if (typeof core !== 'function') throw new Error('core must be a function')
	anumber$1(counterLength)
	anumber$1(rounds)
	abool(counterRight)
	abool(allowShortKeys)
	return (key, nonce, data, output, counter = 0) => {
		abytes$1(key, undefined, 'key')
		abytes$1(nonce, undefined, 'nonce')
		abytes$1(data, undefined, 'data')
		const len = data.length
		const hasOutput = output !== undefined
		output = getOutput(len, output, false)
		if (hasOutput) complexOverlapBytes(data, output)
		anumber$1(counter)
		if (counter < 0 || counter >= MAX_COUNTER) throw new Error('arx: counter overflow')
		const toClean = []
		let l = key.length
		let k
		let sigma
		if (l === 32) {
			toClean.push((k = copyBytes$1(key)))
			sigma = sigma32_32
		} else if (l === 16 && allowShortKeys) {
			k = new Uint8Array(32)
			k.set(key)
			k.set(key, 16)
			sigma = sigma16_32
			toClean.push(k)
		} else {
			abytes$1(key, 32, 'arx key')
			throw new Error('invalid key size')
		}
		if (!isLE$1 || !isAligned32(nonce)) toClean.push((nonce = copyBytes$1(nonce)))
		let k32 = u32$1(k)
		if (extendNonceFn) {
			if (nonce.length !== 24) throw new Error('arx: extended nonce must be 24 bytes')
			const n16 = nonce.subarray(0, 16)
			if (isLE$1) extendNonceFn(sigma, k32, u32$1(n16), k32)
			else {
				const sigmaRaw = swap32IfBE$1(Uint32Array.from(sigma))
				extendNonceFn(sigmaRaw, k32, u32$1(n16), k32)
				clean$1(sigmaRaw)
				swap32IfBE$1(k32)
			}
			nonce = nonce.subarray(16)
		} else if (!isLE$1) swap32IfBE$1(k32)
		const nonceNcLen = 16 - counterLength
		if (nonceNcLen !== nonce.length) throw new Error(`arx: nonce must be ${nonceNcLen} or 16 bytes`)
		if (nonceNcLen !== 12) {
			const nc = new Uint8Array(12)
			nc.set(nonce, counterRight ? 0 : 12 - nonce.length)
			nonce = nc
			toClean.push(nonce)
		}
		const n32 = swap32IfBE$1(u32$1(nonce))
		try {
			runCipher(core, sigma, k32, n32, data, output, counter, rounds)
			return output
		} finally {
			clean$1(...toClean)
		}
	}
}

function u8to16(a, i) {
	return (a[i++] & 0xff) | ((a[i++] & 0xff) << 8)
}
class Poly1305 {
	blockLen = 16
	outputLen = 16
	buffer = new Uint8Array(16)
	r = new Uint16Array(10)
	h = new Uint16Array(10)
	pad = new Uint16Array(8)
	pos = 0
	finished = false
	destroyed = false
	constructor(key) {
		key = copyBytes$1(abytes$1(key, 32, 'key'))
		const t0 = u8to16(key, 0)
		const t1 = u8to16(key, 2)
		const t2 = u8to16(key, 4)
		const t3 = u8to16(key, 6)
		const t4 = u8to16(key, 8)
		const t5 = u8to16(key, 10)
		const t6 = u8to16(key, 12)
		const t7 = u8to16(key, 14)
		this.r[0] = t0 & 0x1fff
		this.r[1] = ((t0 >>> 13) | (t1 << 3)) & 0x1fff
		this.r[2] = ((t1 >>> 10) | (t2 << 6)) & 0x1f03
		this.r[3] = ((t2 >>> 7) | (t3 << 9)) & 0x1fff
		this.r[4] = ((t3 >>> 4) | (t4 << 12)) & 0x00ff
		this.r[5] = (t4 >>> 1) & 0x1ffe
		this.r[6] = ((t4 >>> 14) | (t5 << 2)) & 0x1fff
		this.r[7] = ((t5 >>> 11) | (t6 << 5)) & 0x1f81
		this.r[8] = ((t6 >>> 8) | (t7 << 8)) & 0x1fff
		this.r[9] = (t7 >>> 5) & 0x007f
		for (let i = 0; i < 8; i++) this.pad[i] = u8to16(key, 16 + 2 * i)
	}
	process(data, offset, isLast = false) {
		const hibit = isLast ? 0 : 1 << 11
		const { h, r } = this
		const r0 = r[0]
		const r1 = r[1]
		const r2 = r[2]
		const r3 = r[3]
		const r4 = r[4]
		const r5 = r[5]
		const r6 = r[6]
		const r7 = r[7]
		const r8 = r[8]
		const r9 = r[9]
		const t0 = u8to16(data, offset + 0)
		const t1 = u8to16(data, offset + 2)
		const t2 = u8to16(data, offset + 4)
		const t3 = u8to16(data, offset + 6)
		const t4 = u8to16(data, offset + 8)
		const t5 = u8to16(data, offset + 10)
		const t6 = u8to16(data, offset + 12)
		const t7 = u8to16(data, offset + 14)
		let h0 = h[0] + (t0 & 0x1fff)
		let h1 = h[1] + (((t0 >>> 13) | (t1 << 3)) & 0x1fff)
		let h2 = h[2] + (((t1 >>> 10) | (t2 << 6)) & 0x1fff)
		let h3 = h[3] + (((t2 >>> 7) | (t3 << 9)) & 0x1fff)
		let h4 = h[4] + (((t3 >>> 4) | (t4 << 12)) & 0x1fff)
		let h5 = h[5] + ((t4 >>> 1) & 0x1fff)
		let h6 = h[6] + (((t4 >>> 14) | (t5 << 2)) & 0x1fff)
		let h7 = h[7] + (((t5 >>> 11) | (t6 << 5)) & 0x1fff)
		let h8 = h[8] + (((t6 >>> 8) | (t7 << 8)) & 0x1fff)
		let h9 = h[9] + ((t7 >>> 5) | hibit)
		let c = 0
		let d0 = c + h0 * r0 + h1 * (5 * r9) + h2 * (5 * r8) + h3 * (5 * r7) + h4 * (5 * r6)
		c = d0 >>> 13
		d0 &= 0x1fff
		d0 += h5 * (5 * r5) + h6 * (5 * r4) + h7 * (5 * r3) + h8 * (5 * r2) + h9 * (5 * r1)
		c += d0 >>> 13
		d0 &= 0x1fff
		let d1 = c + h0 * r1 + h1 * r0 + h2 * (5 * r9) + h3 * (5 * r8) + h4 * (5 * r7)
		c = d1 >>> 13
		d1 &= 0x1fff
		d1 += h5 * (5 * r6) + h6 * (5 * r5) + h7 * (5 * r4) + h8 * (5 * r3) + h9 * (5 * r2)
		c += d1 >>> 13
		d1 &= 0x1fff
		let d2 = c + h0 * r2 + h1 * r1 + h2 * r0 + h3 * (5 * r9) + h4 * (5 * r8)
		c = d2 >>> 13
		d2 &= 0x1fff
		d2 += h5 * (5 * r7) + h6 * (5 * r6) + h7 * (5 * r5) + h8 * (5 * r4) + h9 * (5 * r3)
		c += d2 >>> 13
		d2 &= 0x1fff
		let d3 = c + h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * (5 * r9)
		c = d3 >>> 13
		d3 &= 0x1fff
		d3 += h5 * (5 * r8) + h6 * (5 * r7) + h7 * (5 * r6) + h8 * (5 * r5) + h9 * (5 * r4)
		c += d3 >>> 13
		d3 &= 0x1fff
		let d4 = c + h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0
		c = d4 >>> 13
		d4 &= 0x1fff
		d4 += h5 * (5 * r9) + h6 * (5 * r8) + h7 * (5 * r7) + h8 * (5 * r6) + h9 * (5 * r5)
		c += d4 >>> 13
		d4 &= 0x1fff
		let d5 = c + h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1
		c = d5 >>> 13
		d5 &= 0x1fff
		d5 += h5 * r0 + h6 * (5 * r9) + h7 * (5 * r8) + h8 * (5 * r7) + h9 * (5 * r6)
		c += d5 >>> 13
		d5 &= 0x1fff
		let d6 = c + h0 * r6 + h1 * r5 + h2 * r4 + h3 * r3 + h4 * r2
		c = d6 >>> 13
		d6 &= 0x1fff
		d6 += h5 * r1 + h6 * r0 + h7 * (5 * r9) + h8 * (5 * r8) + h9 * (5 * r7)
		c += d6 >>> 13
		d6 &= 0x1fff
		let d7 = c + h0 * r7 + h1 * r6 + h2 * r5 + h3 * r4 + h4 * r3
		c = d7 >>> 13
		d7 &= 0x1fff
		d7 += h5 * r2 + h6 * r1 + h7 * r0 + h8 * (5 * r9) + h9 * (5 * r8)
		c += d7 >>> 13
		d7 &= 0x1fff
		let d8 = c + h0 * r8 + h1 * r7 + h2 * r6 + h3 * r5 + h4 * r4
		c = d8 >>> 13
		d8 &= 0x1fff
		d8 += h5 * r3 + h6 * r2 + h7 * r1 + h8 * r0 + h9 * (5 * r9)
		c += d8 >>> 13
		d8 &= 0x1fff
		let d9 = c + h0 * r9 + h1 * r8 + h2 * r7 + h3 * r6 + h4 * r5
		c = d9 >>> 13
		d9 &= 0x1fff
		d9 += h5 * r4 + h6 * r3 + h7 * r2 + h8 * r1 + h9 * r0
		c += d9 >>> 13
		d9 &= 0x1fff
		c = ((c << 2) + c) | 0
		c = (c + d0) | 0
		d0 = c & 0x1fff
		c = c >>> 13
		d1 += c
		h[0] = d0
		h[1] = d1
		h[2] = d2
		h[3] = d3
		h[4] = d4
		h[5] = d5
		h[6] = d6
		h[7] = d7
		h[8] = d8
		h[9] = d9
	}
	finalize() {
		const { h, pad } = this
		const g = new Uint16Array(10)
		let c = h[1] >>> 13
		h[1] &= 0x1fff
		for (let i = 2; i < 10; i++) {
			h[i] += c
			c = h[i] >>> 13
			h[i] &= 0x1fff
		}
		h[0] += c * 5
		c = h[0] >>> 13
		h[0] &= 0x1fff
		h[1] += c
		c = h[1] >>> 13
		h[1] &= 0x1fff
		h[2] += c
		g[0] = h[0] + 5
		c = g[0] >>> 13
		g[0] &= 0x1fff
		for (let i = 1; i < 10; i++) {
			g[i] = h[i] + c
			c = g[i] >>> 13
			g[i] &= 0x1fff
		}
		g[9] -= 1 << 13
		let mask = (c ^ 1) - 1
		for (let i = 0; i < 10; i++) g[i] &= mask
		mask = ~mask
		for (let i = 0; i < 10; i++) h[i] = (h[i] & mask) | g[i]
		h[0] = (h[0] | (h[1] << 13)) & 0xffff
		h[1] = ((h[1] >>> 3) | (h[2] << 10)) & 0xffff
		h[2] = ((h[2] >>> 6) | (h[3] << 7)) & 0xffff
		h[3] = ((h[3] >>> 9) | (h[4] << 4)) & 0xffff
		h[4] = ((h[4] >>> 12) | (h[5] << 1) | (h[6] << 14)) & 0xffff
		h[5] = ((h[6] >>> 2) | (h[7] << 11)) & 0xffff
		h[6] = ((h[7] >>> 5) | (h[8] << 8)) & 0xffff
		h[7] = ((h[8] >>> 8) | (h[9] << 5)) & 0xffff
		let f = h[0] + pad[0]
		h[0] = f & 0xffff
		for (let i = 1; i < 8; i++) {
			f = (((h[i] + pad[i]) | 0) + (f >>> 16)) | 0
			h[i] = f & 0xffff
		}
		clean$1(g)
	}
	update(data) {
		aexists$1(this)
		abytes$1(data)
		data = copyBytes$1(data)
		const { buffer, blockLen } = this
		const len = data.length
		for (let pos = 0; pos < len; ) {
			const take = Math.min(blockLen - this.pos, len - pos)
			if (take === blockLen) {
				for (; blockLen <= len - pos; pos += blockLen) this.process(data, pos)
				continue
			}
			buffer.set(data.subarray(pos, pos + take), this.pos)
			this.pos += take
			pos += take
			if (this.pos === blockLen) {
				this.process(buffer, 0, false)
				this.pos = 0
			}
		}
		return this
	}
	destroy() {
		this.destroyed = true
		clean$1(this.h, this.r, this.buffer, this.pad)
	}
	digestInto(out) {
		aexists$1(this)
		aoutput$1(out, this)
		this.finished = true
		const { buffer, h } = this
		let { pos } = this
		if (pos) {
			buffer[pos++] = 1
			for (; pos < 16; pos++) buffer[pos] = 0
			this.process(buffer, 0, true)
		}
		this.finalize()
		let opos = 0
		for (let i = 0; i < 8; i++) {
			out[opos++] = h[i] >>> 0
			out[opos++] = h[i] >>> 8
		}
	}
	digest() {
		const { buffer, outputLen } = this
		this.digestInto(buffer)
		const res = buffer.slice(0, outputLen)
		this.destroy()
		return res
	}
}
const poly1305 = wrapMacConstructor(32, key => new Poly1305(key))

function salsaCore(s, k, n, out, cnt, rounds = 20, cntHi = 0) {
	let y00 = s[0],
		y01 = k[0],
		y02 = k[1],
		y03 = k[2],
		y04 = k[3],
		y05 = s[1],
		y06 = n[0],
		y07 = n[1],
		y08 = cnt,
		y09 = cntHi,
		y10 = s[2],
		y11 = k[4],
		y12 = k[5],
		y13 = k[6],
		y14 = k[7],
		y15 = s[3]
	let x00 = y00,
		x01 = y01,
		x02 = y02,
		x03 = y03,
		x04 = y04,
		x05 = y05,
		x06 = y06,
		x07 = y07,
		x08 = y08,
		x09 = y09,
		x10 = y10,
		x11 = y11,
		x12 = y12,
		x13 = y13,
		x14 = y14,
		x15 = y15
	for (let r = 0; r < rounds; r += 2) {
		x04 ^= rotl((x00 + x12) | 0, 7)
		x08 ^= rotl((x04 + x00) | 0, 9)
		x12 ^= rotl((x08 + x04) | 0, 13)
		x00 ^= rotl((x12 + x08) | 0, 18)
		x09 ^= rotl((x05 + x01) | 0, 7)
		x13 ^= rotl((x09 + x05) | 0, 9)
		x01 ^= rotl((x13 + x09) | 0, 13)
		x05 ^= rotl((x01 + x13) | 0, 18)
		x14 ^= rotl((x10 + x06) | 0, 7)
		x02 ^= rotl((x14 + x10) | 0, 9)
		x06 ^= rotl((x02 + x14) | 0, 13)
		x10 ^= rotl((x06 + x02) | 0, 18)
		x03 ^= rotl((x15 + x11) | 0, 7)
		x07 ^= rotl((x03 + x15) | 0, 9)
		x11 ^= rotl((x07 + x03) | 0, 13)
		x15 ^= rotl((x11 + x07) | 0, 18)
		x01 ^= rotl((x00 + x03) | 0, 7)
		x02 ^= rotl((x01 + x00) | 0, 9)
		x03 ^= rotl((x02 + x01) | 0, 13)
		x00 ^= rotl((x03 + x02) | 0, 18)
		x06 ^= rotl((x05 + x04) | 0, 7)
		x07 ^= rotl((x06 + x05) | 0, 9)
		x04 ^= rotl((x07 + x06) | 0, 13)
		x05 ^= rotl((x04 + x07) | 0, 18)
		x11 ^= rotl((x10 + x09) | 0, 7)
		x08 ^= rotl((x11 + x10) | 0, 9)
		x09 ^= rotl((x08 + x11) | 0, 13)
		x10 ^= rotl((x09 + x08) | 0, 18)
		x12 ^= rotl((x15 + x14) | 0, 7)
		x13 ^= rotl((x12 + x15) | 0, 9)
		x14 ^= rotl((x13 + x12) | 0, 13)
		x15 ^= rotl((x14 + x13) | 0, 18)
	}
	let oi = 0
	out[oi++] = (y00 + x00) | 0
	out[oi++] = (y01 + x01) | 0
	out[oi++] = (y02 + x02) | 0
	out[oi++] = (y03 + x03) | 0
	out[oi++] = (y04 + x04) | 0
	out[oi++] = (y05 + x05) | 0
	out[oi++] = (y06 + x06) | 0
	out[oi++] = (y07 + x07) | 0
	out[oi++] = (y08 + x08) | 0
	out[oi++] = (y09 + x09) | 0
	out[oi++] = (y10 + x10) | 0
	out[oi++] = (y11 + x11) | 0
	out[oi++] = (y12 + x12) | 0
	out[oi++] = (y13 + x13) | 0
	out[oi++] = (y14 + x14) | 0
	out[oi++] = (y15 + x15) | 0
}
function hsalsa(s, k, i, out) {
	const s2 = isLE$1 ? s : swap32IfBE$1(s.slice(0, 4))
	const k2 = isLE$1 ? k : swap32IfBE$1(k.slice(0, 8))
	const i2 = isLE$1 ? i : swap32IfBE$1(i.slice(0, 4))
	const t = new Uint32Array(16)
	salsaCore(s2, k2, i2.subarray(0, 2), t, i2[2], 20, i2[3])
	let oi = 0
	out[oi++] = (t[0] - s2[0]) | 0
	out[oi++] = (t[5] - s2[1]) | 0
	out[oi++] = (t[10] - s2[2]) | 0
	out[oi++] = (t[15] - s2[3]) | 0
	out[oi++] = (t[6] - i2[0]) | 0
	out[oi++] = (t[7] - i2[1]) | 0
	out[oi++] = (t[8] - i2[2]) | 0
	out[oi++] = (t[9] - i2[3]) | 0
	swap32IfBE$1(out)
	if (!isLE$1) clean$1(s2, k2, i2)
	clean$1(t)
}
const xsalsa20 = createCipher(salsaCore, { counterRight: true, extendNonceFn: hsalsa })
const xsalsa20poly1305 = wrapCipher({ blockSize: 64, nonceLength: 24, tagLength: 16 }, (key, nonce) => {
	return {
		encrypt(plaintext, output) {
			output = getOutput(plaintext.length + 32, output, false)
			const authKey = output.subarray(0, 32)
			const ciphPlaintext = output.subarray(32)
			output.set(plaintext, 32)
			clean$1(authKey)
			xsalsa20(key, nonce, output, output)
			const tag = poly1305(ciphPlaintext, authKey)
			output.set(tag, 16)
			clean$1(output.subarray(0, 16), tag)
			return output.subarray(16)
		},
		decrypt(ciphertext, output) {
			abytes$1(ciphertext, undefined, 'data')
			output = getOutput(ciphertext.length + 32, output, false)
			const tmp = output.subarray(0, 32)
			const passedTag = output.subarray(32, 48)
			const ciphPlaintext = output.subarray(48)
			output.set(ciphertext, 32)
			clean$1(tmp)
			const authKey = xsalsa20(key, nonce, tmp, tmp)
			const tag = poly1305(ciphPlaintext, authKey)
			if (!equalBytes(passedTag, tag)) {
				clean$1(output)
				throw new Error('invalid tag')
			}
			xsalsa20(key, nonce, output.subarray(16), output.subarray(16))
			clean$1(tmp, passedTag, tag)
			return ciphPlaintext
		}
	}
})

function isBytes(a) {
	return (
		a instanceof Uint8Array || (ArrayBuffer.isView(a) && a.constructor.name === 'Uint8Array' && 'BYTES_PER_ELEMENT' in a && a.BYTES_PER_ELEMENT === 1)
	)
}
const atitle = title => (title ? `"${title}" ` : '')
function anumber(n, title = '') {
	if (typeof n !== 'number') throw new TypeError(atitle(title) + 'expected number, got ' + typeof n)
	if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(atitle(title) + 'expected integer >= 0, got ' + n)
	return n
}
function abytes(value, length, title = '') {
	if (isBytes(value) && (length === undefined || value.length === length)) return value
	if (length !== undefined) anumber(length, 'length')
	const bytes = isBytes(value)
	const ofLen = length !== undefined ? ` of length ${length}` : ''
	const got = bytes ? `length=${value.length}` : `type=${typeof value}`
	const message = atitle(title) + 'expected Uint8Array' + ofLen + ', got ' + got
	if (!bytes) throw new TypeError(message)
	throw new RangeError(message)
}
function copyBytes(bytes) {
	return Uint8Array.from(abytes(bytes))
}
const aobject = (value, label) => {
	if (value === null || typeof value !== 'object' || Array.isArray(value))
		throw new TypeError((label === 'object' ? '' : `"${label}" `) + 'expected object, got type=' + typeof value)
}
const aopts = (value, label) => {
	aobject(value, label)
	const proto = Object.getPrototypeOf(value)
	if (proto !== Object.prototype && proto !== null) throw new TypeError(`"${label}" expected plain object`)
	if (Object.hasOwn(value, '__proto__')) throw new TypeError(`"${label}.__proto__" is not allowed`)
}
function aexists(instance, checkFinished = true) {
	if (instance.destroyed) throw new Error('hash was destroyed')
	if (checkFinished && instance.finished) throw new Error('digest() was already called')
}
function aoutput(out, instance) {
	abytes(out, undefined, 'output')
	const min = instance.outputLen
	if (!(out.length >= min)) {
		throw new RangeError('"output" expected length >= ' + min)
	}
}
function u32(arr) {
	return new Uint32Array(arr.buffer, arr.byteOffset, Math.floor(arr.byteLength / 4))
}
function clean(...arrays) {
	for (let i = 0; i < arrays.length; i++) {
		arrays[i].fill(0)
	}
}
const isLE = (() => new Uint8Array(new Uint32Array([0x11223344]).buffer)[0] === 0x44)()
function byteSwap(word) {
	return ((word << 24) & 0xff000000) | ((word << 8) & 0xff0000) | ((word >>> 8) & 0xff00) | ((word >>> 24) & 0xff)
}
const swap8IfBE = isLE ? n => n : n => byteSwap(n) >>> 0
function byteSwap32(arr) {
	for (let i = 0; i < arr.length; i++) {
		arr[i] = byteSwap(arr[i])
	}
	return arr
}
const swap32IfBE = isLE ? u => u : byteSwap32
function checkOpts(defaults, opts, title = 'opts') {
	aopts(defaults, 'defaults')
	if (opts !== undefined) aopts(opts, title)
	const merged = Object.assign(Object.create(null), defaults, opts)
	return merged
}
function createHasher(hashCons, info = {}) {
	if (typeof hashCons !== 'function') throw new TypeError('"hashCons" expected function, got type=' + typeof hashCons)
	info = checkOpts({}, info, 'info')
	const hashC = (msg, opts) => hashCons(opts).update(msg).digest()
	const tmp = hashCons(undefined)
	hashC.outputLen = tmp.outputLen
	hashC.blockLen = tmp.blockLen
	hashC.canXOF = tmp.canXOF
	hashC.create = opts => hashCons(opts)
	Object.assign(hashC, info)
	return Object.freeze(hashC)
}

const BSIGMA = Uint8Array.from([
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3, 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3,
	6, 7, 1, 9, 4, 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8, 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13, 2, 12, 6, 10, 0, 11, 8,
	3, 4, 13, 7, 5, 15, 14, 1, 9, 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11, 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10, 6, 15, 14,
	9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5, 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3, 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4, 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5,
	10, 4, 0, 15, 8, 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13, 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9
])

const fromNumH = n => (n / 2 ** 32) | 0
const fromNumL = n => n >>> 0
const rotrSH = (h, l, s) => (h >>> s) | (l << (32 - s))
const rotrSL = (h, l, s) => (h << (32 - s)) | (l >>> s)
const rotrBH = (h, l, s) => (h << (64 - s)) | (l >>> (s - 32))
const rotrBL = (h, l, s) => (h >>> (s - 32)) | (l << (64 - s))
const rotr32H = (_h, l) => l
const rotr32L = (h, _l) => h
function add(Ah, Al, Bh, Bl) {
	const l = (Al >>> 0) + (Bl >>> 0)
	return { h: (Ah + Bh + ((l / 2 ** 32) | 0)) | 0, l: l | 0 }
}
const add3L = (Al, Bl, Cl) => (Al >>> 0) + (Bl >>> 0) + (Cl >>> 0)
const add3H = (low, Ah, Bh, Ch) => (Ah + Bh + Ch + ((low / 2 ** 32) | 0)) | 0

const B2B_IV = Uint32Array.from([
	0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a, 0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c,
	0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19
])
const BBUF = new Uint32Array(32)
function G1b(a, b, c, d, msg, x) {
	const Xl = msg[x],
		Xh = msg[x + 1]
	let Al = BBUF[2 * a],
		Ah = BBUF[2 * a + 1]
	let Bl = BBUF[2 * b],
		Bh = BBUF[2 * b + 1]
	let Cl = BBUF[2 * c],
		Ch = BBUF[2 * c + 1]
	let Dl = BBUF[2 * d],
		Dh = BBUF[2 * d + 1]
	const ll = add3L(Al, Bl, Xl)
	Ah = add3H(ll, Ah, Bh, Xh)
	Al = ll | 0
	let xh = Dh ^ Ah,
		xl = Dl ^ Al
	Dh = rotr32H(xh, xl)
	Dl = rotr32L(xh)
	;({ h: Ch, l: Cl } = add(Ch, Cl, Dh, Dl))
	xh = Bh ^ Ch
	xl = Bl ^ Cl
	Bh = rotrSH(xh, xl, 24)
	Bl = rotrSL(xh, xl, 24)
	BBUF[2 * a] = Al
	BBUF[2 * a + 1] = Ah
	BBUF[2 * b] = Bl
	BBUF[2 * b + 1] = Bh
	BBUF[2 * c] = Cl
	BBUF[2 * c + 1] = Ch
	BBUF[2 * d] = Dl
	BBUF[2 * d + 1] = Dh
}
function G2b(a, b, c, d, msg, x) {
	const Xl = msg[x],
		Xh = msg[x + 1]
	let Al = BBUF[2 * a],
		Ah = BBUF[2 * a + 1]
	let Bl = BBUF[2 * b],
		Bh = BBUF[2 * b + 1]
	let Cl = BBUF[2 * c],
		Ch = BBUF[2 * c + 1]
	let Dl = BBUF[2 * d],
		Dh = BBUF[2 * d + 1]
	const ll = add3L(Al, Bl, Xl)
	Ah = add3H(ll, Ah, Bh, Xh)
	Al = ll | 0
	let xh = Dh ^ Ah,
		xl = Dl ^ Al
	Dh = rotrSH(xh, xl, 16)
	Dl = rotrSL(xh, xl, 16)
	;({ h: Ch, l: Cl } = add(Ch, Cl, Dh, Dl))
	xh = Bh ^ Ch
	xl = Bl ^ Cl
	Bh = rotrBH(xh, xl, 63)
	Bl = rotrBL(xh, xl, 63)
	BBUF[2 * a] = Al
	BBUF[2 * a + 1] = Ah
	BBUF[2 * b] = Bl
	BBUF[2 * b + 1] = Bh
	BBUF[2 * c] = Cl
	BBUF[2 * c + 1] = Ch
	BBUF[2 * d] = Dl
	BBUF[2 * d + 1] = Dh
}
function checkBlake2Opts(outputLen, opts = {}, keyLen, saltLen, persLen) {
	anumber(keyLen)
	if (outputLen <= 0 || outputLen > keyLen) throw new Error('"dkLen" must be 1..' + keyLen + ', got ' + outputLen)
	const { key, salt, personalization } = opts
	if (key !== undefined && (key.length < 1 || key.length > keyLen)) throw new Error('"key" expected to be undefined or of length=1..' + keyLen)
	if (salt !== undefined) abytes(salt, saltLen, 'salt')
	if (personalization !== undefined) abytes(personalization, persLen, 'personalization')
}
class _BLAKE2 {
	buffer
	buffer32
	finished = false
	destroyed = false
	length = 0
	pos = 0
	blockLen
	outputLen
	canXOF = false
	constructor(blockLen, outputLen) {
		anumber(blockLen)
		anumber(outputLen)
		this.blockLen = blockLen
		this.outputLen = outputLen
		this.buffer = new Uint8Array(blockLen)
		this.buffer32 = u32(this.buffer)
	}
	update(data) {
		aexists(this)
		abytes(data)
		const { blockLen, buffer, buffer32 } = this
		const len = data.length
		const offset = data.byteOffset
		const buf = data.buffer
		for (let pos = 0; pos < len; ) {
			if (this.pos === blockLen) {
				swap32IfBE(buffer32)
				this.compress(buffer32, 0, false)
				swap32IfBE(buffer32)
				this.pos = 0
			}
			const take = Math.min(blockLen - this.pos, len - pos)
			const dataOffset = offset + pos
			if (take === blockLen && !(dataOffset % 4) && pos + take < len) {
				const data32 = new Uint32Array(buf, dataOffset, Math.floor((len - pos) / 4))
				swap32IfBE(data32)
				for (let pos32 = 0; pos + blockLen < len; pos32 += buffer32.length, pos += blockLen) {
					this.length += blockLen
					this.compress(data32, pos32, false)
				}
				swap32IfBE(data32)
				continue
			}
			buffer.set(pos === 0 && take === len ? data : data.subarray(pos, pos + take), this.pos)
			this.pos += take
			this.length += take
			pos += take
		}
		return this
	}
	digestInto(out) {
		aexists(this)
		aoutput(out, this)
		if (out.byteOffset & 3) throw new RangeError('"output" expected 4-byte aligned byteOffset, got ' + out.byteOffset)
		const { pos, buffer32 } = this
		this.finished = true
		this.buffer.fill(0, pos)
		swap32IfBE(buffer32)
		this.compress(buffer32, 0, true)
		swap32IfBE(buffer32)
		const state = this.get()
		const out32 = out === this.buffer ? buffer32 : u32(out)
		const full = Math.floor(this.outputLen / 4)
		for (let i = 0; i < full; i++) out32[i] = swap8IfBE(state[i])
		const tail = this.outputLen % 4
		if (!tail) return
		const off = full * 4
		const word = state[full]
		for (let i = 0; i < tail; i++) out[off + i] = word >>> (8 * i)
	}
	digest() {
		const { buffer, outputLen } = this
		this.digestInto(buffer)
		const res = buffer.slice(0, outputLen)
		this.destroy()
		return res
	}
	_cloneInto(to) {
		const { buffer, length, finished, destroyed, outputLen, pos } = this
		to ||= new this.constructor({ dkLen: outputLen })
		to.set(...this.get())
		to.buffer.set(buffer)
		to.destroyed = destroyed
		to.finished = finished
		to.length = length
		to.pos = pos
		to.outputLen = outputLen
		return to
	}
	clone() {
		return this._cloneInto()
	}
}
class _BLAKE2b extends _BLAKE2 {
	v0l = B2B_IV[0] | 0
	v0h = B2B_IV[1] | 0
	v1l = B2B_IV[2] | 0
	v1h = B2B_IV[3] | 0
	v2l = B2B_IV[4] | 0
	v2h = B2B_IV[5] | 0
	v3l = B2B_IV[6] | 0
	v3h = B2B_IV[7] | 0
	v4l = B2B_IV[8] | 0
	v4h = B2B_IV[9] | 0
	v5l = B2B_IV[10] | 0
	v5h = B2B_IV[11] | 0
	v6l = B2B_IV[12] | 0
	v6h = B2B_IV[13] | 0
	v7l = B2B_IV[14] | 0
	v7h = B2B_IV[15] | 0
	constructor(opts = {}) {
		opts = checkOpts({}, opts)
		const olen = opts.dkLen === undefined ? 64 : opts.dkLen
		super(128, olen)
		checkBlake2Opts(olen, opts, 64, 16, 16)
		let { key, personalization, salt } = opts
		let keyLength = 0
		if (key !== undefined) {
			abytes(key, undefined, 'key')
			keyLength = key.length
		}
		this.v0l ^= this.outputLen | (keyLength << 8) | (0x01 << 16) | (0x01 << 24)
		if (salt !== undefined) {
			abytes(salt, undefined, 'salt')
			const slt = u32(copyBytes(salt))
			this.v4l ^= swap8IfBE(slt[0])
			this.v4h ^= swap8IfBE(slt[1])
			this.v5l ^= swap8IfBE(slt[2])
			this.v5h ^= swap8IfBE(slt[3])
		}
		if (personalization !== undefined) {
			abytes(personalization, undefined, 'personalization')
			const pers = u32(copyBytes(personalization))
			this.v6l ^= swap8IfBE(pers[0])
			this.v6h ^= swap8IfBE(pers[1])
			this.v7l ^= swap8IfBE(pers[2])
			this.v7h ^= swap8IfBE(pers[3])
		}
		if (key !== undefined) {
			const tmp = new Uint8Array(this.blockLen)
			tmp.set(key)
			this.update(tmp)
			clean(tmp)
		}
	}
	get() {
		let { v0l, v0h, v1l, v1h, v2l, v2h, v3l, v3h, v4l, v4h, v5l, v5h, v6l, v6h, v7l, v7h } = this
		return [v0l, v0h, v1l, v1h, v2l, v2h, v3l, v3h, v4l, v4h, v5l, v5h, v6l, v6h, v7l, v7h]
	}
	set(v0l, v0h, v1l, v1h, v2l, v2h, v3l, v3h, v4l, v4h, v5l, v5h, v6l, v6h, v7l, v7h) {
		this.v0l = v0l | 0
		this.v0h = v0h | 0
		this.v1l = v1l | 0
		this.v1h = v1h | 0
		this.v2l = v2l | 0
		this.v2h = v2h | 0
		this.v3l = v3l | 0
		this.v3h = v3h | 0
		this.v4l = v4l | 0
		this.v4h = v4h | 0
		this.v5l = v5l | 0
		this.v5h = v5h | 0
		this.v6l = v6l | 0
		this.v6h = v6h | 0
		this.v7l = v7l | 0
		this.v7h = v7h | 0
	}
	compress(msg, offset, isLast) {
		const { v0l, v0h, v1l, v1h, v2l, v2h, v3l, v3h, v4l, v4h, v5l, v5h, v6l, v6h, v7l, v7h } = this
		{
			BBUF[0] = v0l
			BBUF[1] = v0h
			BBUF[2] = v1l
			BBUF[3] = v1h
			BBUF[4] = v2l
			BBUF[5] = v2h
			BBUF[6] = v3l
			BBUF[7] = v3h
			BBUF[8] = v4l
			BBUF[9] = v4h
			BBUF[10] = v5l
			BBUF[11] = v5h
			BBUF[12] = v6l
			BBUF[13] = v6h
			BBUF[14] = v7l
			BBUF[15] = v7h
		}
		BBUF.set(B2B_IV, 16)
		const l = fromNumL(this.length)
		const h = fromNumH(this.length)
		BBUF[24] = B2B_IV[8] ^ l
		BBUF[25] = B2B_IV[9] ^ h
		if (isLast) {
			BBUF[28] = ~BBUF[28]
			BBUF[29] = ~BBUF[29]
		}
		let j = 0
		const s = BSIGMA
		for (let i = 0; i < 12; i++) {
			G1b(0, 4, 8, 12, msg, offset + 2 * s[j++])
			G2b(0, 4, 8, 12, msg, offset + 2 * s[j++])
			G1b(1, 5, 9, 13, msg, offset + 2 * s[j++])
			G2b(1, 5, 9, 13, msg, offset + 2 * s[j++])
			G1b(2, 6, 10, 14, msg, offset + 2 * s[j++])
			G2b(2, 6, 10, 14, msg, offset + 2 * s[j++])
			G1b(3, 7, 11, 15, msg, offset + 2 * s[j++])
			G2b(3, 7, 11, 15, msg, offset + 2 * s[j++])
			G1b(0, 5, 10, 15, msg, offset + 2 * s[j++])
			G2b(0, 5, 10, 15, msg, offset + 2 * s[j++])
			G1b(1, 6, 11, 12, msg, offset + 2 * s[j++])
			G2b(1, 6, 11, 12, msg, offset + 2 * s[j++])
			G1b(2, 7, 8, 13, msg, offset + 2 * s[j++])
			G2b(2, 7, 8, 13, msg, offset + 2 * s[j++])
			G1b(3, 4, 9, 14, msg, offset + 2 * s[j++])
			G2b(3, 4, 9, 14, msg, offset + 2 * s[j++])
		}
		this.v0l ^= BBUF[0] ^ BBUF[16]
		this.v0h ^= BBUF[1] ^ BBUF[17]
		this.v1l ^= BBUF[2] ^ BBUF[18]
		this.v1h ^= BBUF[3] ^ BBUF[19]
		this.v2l ^= BBUF[4] ^ BBUF[20]
		this.v2h ^= BBUF[5] ^ BBUF[21]
		this.v3l ^= BBUF[6] ^ BBUF[22]
		this.v3h ^= BBUF[7] ^ BBUF[23]
		this.v4l ^= BBUF[8] ^ BBUF[24]
		this.v4h ^= BBUF[9] ^ BBUF[25]
		this.v5l ^= BBUF[10] ^ BBUF[26]
		this.v5h ^= BBUF[11] ^ BBUF[27]
		this.v6l ^= BBUF[12] ^ BBUF[28]
		this.v6h ^= BBUF[13] ^ BBUF[29]
		this.v7l ^= BBUF[14] ^ BBUF[30]
		this.v7h ^= BBUF[15] ^ BBUF[31]
		clean(BBUF)
	}
	destroy() {
		this.destroyed = true
		clean(this.buffer32)
		this.set(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}
}
const blake2b = createHasher(opts => new _BLAKE2b(opts))

const nodeCrypto = () => process.getBuiltinModule('node:crypto')
const KEY_BYTES = 32
const NONCE_BYTES = 24
/**
 * Encrypts `text` for the holder of `publicKey` (base64), as libsodium's crypto_box_seal does and GitHub asks for: only
 * GitHub can open it. Returns base64. `ephemeral` is used once; tests may pass their own. Throws an Error if
 * `publicKey` is not a usable X25519 key.
 */
function sealForGithub(text, publicKey, ephemeral = generateKeyPair()) {
	const recipient = new Uint8Array(Buffer.from(publicKey, 'base64'))
	if (recipient.length !== KEY_BYTES) throw new TypeError('publicKey')
	const nonce = blake2b(Buffer.concat([ephemeral.publicKey, recipient]), { dkLen: NONCE_BYTES })
	const box = xsalsa20poly1305(sharedKey(ephemeral, recipient), nonce).encrypt(new Uint8Array(Buffer.from(text, 'utf8')))
	return Buffer.concat([ephemeral.publicKey, box]).toString('base64')
}
/** The key of crypto_box: HSalsa20 of what X25519 agrees on. Throws for a public key of low order. */
function sharedKey(own, recipient) {
	const secret = nodeCrypto().diffieHellman({
		privateKey: nodeCrypto().createPrivateKey({ key: jwk(own.publicKey, own.privateKey), format: 'jwk' }),
		publicKey: nodeCrypto().createPublicKey({ key: jwk(recipient), format: 'jwk' })
	})
	const key = new Uint32Array(KEY_BYTES / 4)
	hsalsa(words(SIGMA), words(secret), new Uint32Array(4), key)
	return new Uint8Array(key.buffer)
}
/** The constant of Salsa20. */
const SIGMA = Buffer.from('expand 32-byte k')
function words(bytes) {
	return new Uint32Array(new Uint8Array(bytes).buffer)
}
function jwk(publicKey, privateKey) {
	const text = bytes => Buffer.from(bytes).toString('base64url')
	return { kty: 'OKP', crv: 'X25519', x: text(publicKey), ...(privateKey && { d: text(privateKey) }) }
}
function generateKeyPair() {
	const { x = '', d = '' } = nodeCrypto().generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
	const bytes = text => new Uint8Array(Buffer.from(text, 'base64url'))
	return { publicKey: bytes(x), privateKey: bytes(d) }
}

/** A test compares both with package.json. */
const ACTION = 'spherescout-ephemeral-key'
const VERSION = '1.0.0'
/** Lets SphereScout trace a request to its run. */
function userAgent({ GITHUB_REPOSITORY, GITHUB_RUN_ID }) {
	const sanitize = part => (part ?? '').replace(/[^\w./-]/g, '') || 'unknown'
	return `${ACTION}/${VERSION} (${sanitize(GITHUB_REPOSITORY)}; run ${sanitize(GITHUB_RUN_ID)})`
}

// Wires the real runner, network, clock and signals into the main step of rotate.
// A machine that sleeps may stop one clock and not the other; a key must not be written late by either.
const clock = { ...lib.systemClock, now: () => Math.max(lib.systemClock.now(), Date.now()) }
const cancellation = lib.createCancellation(clock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, cancellation.request)
// The runner is about to kill this process; the record for the post step is already saved.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), lib.CANCEL.EXIT_MS).unref())
async function run() {
	for (const name of ['api-key', 'github-token'])
		for (const form of lib.maskedForms(lib.getInput(name), lib.MIN_CREDENTIAL_LENGTH)) lib.runner.setSecret(form)
	for (const login of lib.proxyLogins(process.env)) for (const form of lib.maskedForms(login)) lib.runner.setSecret(form)
	const inputs = readRotateInputs(lib.getInput, process.env)
	const proxy = lib.proxyFor(new URL(inputs.apiUrl), process.env)
	const agent = userAgent(process.env)
	const connect = proxyUrl => lib.logRequests(lib.createHttpClient(proxyUrl), lib.debugLog(), clock.now)
	const github = connect(lib.proxyFor(new URL(inputs.githubApiUrl), process.env))
	const watch = watchDate(connect(proxy), clock.now)
	const { apiUrl, githubApiUrl, githubToken } = inputs
	const [owner = '', repo = ''] = (process.env.GITHUB_REPOSITORY ?? '').split('/')
	await rotateKey(inputs, {
		api: lib.createKeyApi({ client: watch.send, apiUrl, userAgent: agent, now: clock.now }),
		secrets: createGithubSecrets(github, { apiUrl: githubApiUrl, token: githubToken, userAgent: agent, now: clock.now }),
		clock,
		dateDifference: watch.difference,
		random: Math.random,
		runner: lib.runner,
		cancellation,
		sha256: text => process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest(),
		seal: sealForGithub,
		repository: { owner, repo, id: process.env.GITHUB_REPOSITORY_ID || null },
		connection: { userAgent: agent, proxy, settings: lib.networkSettings(process.env) }
	})
}
run().catch(lib.failStep)
