import { isLoopback } from '../http/proxy-for-url.ts'
import type { Secret } from '../util/brands.ts'
import { parseDuration } from '../util/duration.ts'
import { MIN_CREDENTIAL_LENGTH } from './masking.ts'

/** The checked inputs of the workflow. Durations in milliseconds; `apiUrl` without a trailing slash. */
export type Inputs = ReturnType<typeof readInputs>

export type ReadInput = (name: string) => string

/** Throws an Error that names the input, the fault and an example. */
export function readInputs(input: ReadInput, env: NodeJS.ProcessEnv) {
  const given = (name: string, otherwise = '') => input(name).trim() || otherwise
  return {
    apiKey: readCredential(given, env),
    expiresIn: readDuration(given('expires-in', '1h'), EXPIRES_IN),
    apiUrl: readApiUrl(given('api-url', 'https://www.spherescout.io')),
    exportEnv: readVariableName(given('export-env')),
    revoke: readChoice('revoke', given('revoke', 'true'), ['true', 'false']) === 'true',
    onRevokeFailure: readChoice('on-revoke-failure', given('on-revoke-failure', 'warn'), ['warn', 'fail']),
    timeout: readDuration(given('timeout', '2m'), TIMEOUT),
  }
}

const FAULTS: [pattern: RegExp, fault: string][] = [
  [/^["'`]/, 'begins with a quote'],
  [/^\{/, 'begins with {, as a JSON document does'],
  [/^\$/, 'begins with $: it is the name of a variable, not its value'],
  [/^(authorization|bearer)[\s:]/i, 'begins with the name of an HTTP header or scheme'],
  [/^[A-Za-z_][\w-]*\s*=[^=]/, 'has the form NAME=VALUE'],
  [/^.{0,7}$/s, `is shorter than ${MIN_CREDENTIAL_LENGTH} characters, so it is not an API key or token`],
  [/[^\x21-\x7e]/, 'contains white space, a control character or a non-ASCII character'],
]

/** The input api-key. Throws an Error that does not show it. */
export function readCredential(given: ReadInput, env: NodeJS.ProcessEnv): Secret {
  const value = given('api-key')
  if (value === '') {
    const why = given('api_key') ? 'The workflow sets api_key; the name has a hyphen.' : explainMissingSecrets(env)
    throw new Error(`Input api-key is empty. ${why} For example: api-key: $${'{{ secrets.SPHERESCOUT_API_KEY }}'}`)
  }
  const fault = FAULTS.find(([pattern]) => pattern.test(value))?.[1]
  if (fault === undefined) return value
  throw new Error(
    `Input api-key ${fault} (its value is not shown). Save the secret again: only the key itself, on one line.`,
  )
}

function explainMissingSecrets({ GITHUB_ACTOR, GITHUB_EVENT_NAME = '' }: NodeJS.ProcessEnv): string {
  if (GITHUB_ACTOR === 'dependabot[bot]')
    return 'GitHub gives runs by Dependabot only Dependabot secrets; define it as one, or skip this job.'
  if (/^pull_request(_review(_comment)?)?$/.test(GITHUB_EVENT_NAME))
    return 'GitHub gives no secrets to pull requests from forks; skip this job for them. If this is none, check that the secret is defined.'
  return 'Check that the secret is defined, that the job names its environment, and that a reusable workflow receives it (under secrets: of the job that calls it).'
}

const EXPIRES_IN = { name: 'expires-in', shortest: '1 minute', longest: '5 days', example: '30m' }
export const TIMEOUT = { name: 'timeout', shortest: '1 second', longest: '30 minutes', example: '2m' }

/** Milliseconds. Throws an Error for the user. */
export function readDuration(value: string, { name, shortest, longest, example }: typeof TIMEOUT): number {
  const refuse = refusal(name, value, example)
  const duration = parseDuration(value)
  if (duration === null) throw refuse('it is not a duration such as 90s, 15m or 1.5h')
  if (duration < Number(parseDuration(shortest))) throw refuse(`it must be at least ${shortest}`)
  if (duration > Number(parseDuration(longest))) throw refuse(`it must be at most ${longest}`)
  return duration
}

/** Throws an Error that does not show `value`: it may hold a password. */
export function readApiUrl(value: string): string {
  const refuse = (fault: string) =>
    new Error(`Input api-url ${fault}. For example: api-url: https://www.spherescout.io`)
  if (!URL.canParse(value)) throw refuse('is not a URL')
  const url = new URL(value)
  if (url.username || url.password || /[?#]/.test(value))
    throw refuse('contains a user name, password, query or fragment')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    throw refuse('must start with https://, or keys would be sent unencrypted (http:// is only for loopback hosts)')
  return url.href.replace(/\/+$/, '')
}

/** Names of the runner, or that change how later steps run. */
const RESERVED_NAMES = /^(NODE_OPTIONS|LD_PRELOAD|BASH_ENV|PATH|CI|(GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*)$/i

function readVariableName(value: string): string {
  const refuse = refusal('export-env', value, 'SPHERESCOUT_API_KEY')
  if (value !== '' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value))
    throw refuse('it is not a name for an environment variable')
  if (RESERVED_NAMES.test(value)) throw refuse('it is reserved for the runner')
  return value
}

/** Ignores case. Throws an Error for the user. */
export function readChoice<T extends string>(name: string, value: string, choices: readonly [T, ...T[]]): T {
  const choice = choices.find((known) => known === value.toLowerCase())
  if (choice !== undefined) return choice
  throw refusal(name, value, choices[0])(`it must be ${choices.join(' or ')}`)
}

/** Shows at most 60 characters of the value. */
function refusal(name: string, value: string, example: string): (fault: string) => Error {
  const shown = JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
  return (fault) => new Error(`Input ${name} is ${shown}: ${fault}. For example: ${name}: ${example}`)
}
