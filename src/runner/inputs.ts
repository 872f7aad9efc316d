import { isHeaderSafe } from '../api/key-api.ts'
import { parseDuration } from '../util/duration.ts'

/** What the workflow asked for, checked. Durations in milliseconds. */
export interface Inputs {
  apiKey: string
  expiresIn: number
  /** Without a trailing slash. */
  apiUrl: string
  /** Empty where no variable is to be set. */
  exportEnv: string
  revoke: boolean
  onRevokeFailure: 'warn' | 'fail'
  timeout: number
}

export type ReadInput = (name: string) => string

/**
 * Reads and checks every input. An empty one takes its default, so that a composite action may pass on inputs
 * it was not given. `whyNoKey` explains an empty `api-key`, where the run tells. Throws an Error that names the
 * input, what is wrong with it, and an example that works.
 */
export function readInputs(input: ReadInput, whyNoKey: string | null = null): Inputs {
  const given = (name: string, otherwise = '') => input(name).trim() || otherwise
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

export function readApiKey(value: string, whyNoKey: string | null): string {
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

export function readDuration(
  name: string,
  value: string,
  shortest: string,
  longest: string,
  example: string,
): number {
  const refuse = (fault: string) =>
    new Error(`Input ${name} is ${quoted(value)}: ${fault}. For example: ${name}: ${example}`)
  if (/^[\d.+-]+$/.test(value)) throw refuse('a number needs a unit, such as s, m, h or d')
  const duration = parseDuration(value)
  if (duration === null) throw refuse('it is not a duration, a number with a unit')
  if (duration < Number(parseDuration(shortest))) throw refuse(`at least ${shortest}`)
  if (duration > Number(parseDuration(longest))) throw refuse(`at most ${longest}`)
  return duration
}

export function readApiUrl(value: string): string {
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

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

/** Names that the runner refuses or that would change the runner, later steps or this action's post step. */
const RESERVED_NAMES = /^(NODE_OPTIONS|PATH|CI|(GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*)$/i

function readVariableName(value: string): string {
  const refuse = (fault: string) =>
    new Error(`Input export-env is ${quoted(value)}: ${fault}. For example: export-env: SPHERESCOUT_API_KEY`)
  if (value !== '' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value))
    throw refuse('not a name for an environment variable')
  if (RESERVED_NAMES.test(value)) throw refuse('a name that is reserved for the runner')
  return value
}

export function readChoice<T extends string>(name: string, value: string, choices: readonly [T, ...T[]]): T {
  const choice = choices.find((known) => known === value.toLowerCase())
  if (choice !== undefined) return choice
  throw new Error(
    `Input ${name} is ${quoted(value)}: it must be ${choices.join(' or ')}. For example: ${name}: ${choices[0]}`,
  )
}

/** A value for a message: one line, and not too much of it. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
}

/** A branch of a pull request; its repository is null where a fork was deleted since. */
interface Branch {
  repo?: { full_name?: string } | null
}

/** What of the workflow run explains an empty secret; the shape of `context` in @actions/github. */
export interface RunContext {
  eventName: string
  actor: string
  payload: { pull_request?: { head?: Branch; base?: Branch; [other: string]: unknown } }
}

/**
 * Why this run was given no secrets, or null where it should have been: GitHub gives none to pull requests from
 * forks, and only Dependabot's own to runs that Dependabot starts.
 */
export function explainMissingSecrets({ eventName, actor, payload }: RunContext): string | null {
  if (actor === 'dependabot[bot]')
    return "This run was started by Dependabot, and GitHub gives such runs none of the repository's Actions secrets; define it as a Dependabot secret, or skip this job."
  const { head, base } = payload.pull_request ?? {}
  const fromFork = head !== undefined && head.repo?.full_name !== base?.repo?.full_name
  if (eventName === 'pull_request' && fromFork)
    return 'This is a pull request from a fork, and GitHub gives such runs no secrets; skip this job for forks.'
  return null
}
