import { isHeaderSafe } from '../api/call.ts'
import { parseDuration } from '../util/duration.ts'
import { MIN_CREDENTIAL_LENGTH } from './masking.ts'

/** The checked inputs of the workflow. Durations in milliseconds. */
export interface Inputs {
  apiKey: string
  expiresIn: number
  /** Without a trailing slash. */
  apiUrl: string
  /** Empty if no variable is to be set. */
  exportEnv: string
  revoke: boolean
  onRevokeFailure: 'warn' | 'fail'
  timeout: number
}

/** Reads one input by its name, as the workflow gave it. */
export type ReadInput = (name: string) => string

/**
 * Reads and checks every input. An empty one takes its default, so that a composite action may pass on inputs
 * it was not given. `explainEmptyKey` is called if `api-key` is empty; null if the run does not tell why. Throws an
 * Error that names the input, what is wrong with it, and an example that works.
 */
export function readInputs(input: ReadInput, explainEmptyKey: () => string | null = () => null): Inputs {
  const given = (name: string, otherwise = '') => input(name).trim() || otherwise
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

/** What to say of an empty `api-key`. */
export function emptyKeyMessage(isMisspelled: boolean, explain: () => string | null): string {
  const why = isMisspelled
    ? 'The workflow sets api_key; the name has a hyphen.'
    : (explain() ??
      'Check that the secret is defined for this repository, organization or environment, that the job names that ' +
        'environment, and that a reusable workflow receives it (secrets: inherit).')
  return `Input api-key is empty. ${why} For example: api-key: $${'{{ secrets.SPHERESCOUT_API_KEY }}'}`
}

/** What people paste by mistake, in the order in which it is looked for. */
const PASTED: [pattern: RegExp, fault: string][] = [
  [/^\*+$/, 'contains only asterisks: it was copied from a log that masks it'],
  [/^["'`]/, 'begins with a quote'],
  [/^\{/, 'begins with {, as a JSON document does'],
  [/^\$/, 'begins with $: it is the name of a variable, not its value'],
  [/^(authorization|bearer)[\s:]/i, 'begins with the name of an HTTP header or scheme'],
  [/^[A-Za-z_][\w-]*\s*=[^=]/, 'has the form NAME=VALUE'],
]

/** `value`, if it can be an API key or token; otherwise throws an Error that says what is wrong, without the value. */
export function checkCredential(value: string): string {
  const fault = credentialFault(value)
  if (fault === null) return value
  throw new Error(
    `Input api-key ${fault} (its value is not shown). Save the secret again: only the key itself, on one line.`,
  )
}

function credentialFault(value: string): string | null {
  const pasted = PASTED.find(([pattern]) => pattern.test(value))
  if (pasted) return pasted[1]
  if (value.length < MIN_CREDENTIAL_LENGTH)
    return `is shorter than ${MIN_CREDENTIAL_LENGTH} characters, so it is not an API key or token`
  return isHeaderSafe(value) ? null : 'contains white space, a control character or a non-ASCII character'
}

/** A duration that an input takes: its limits, and an example, as a person writes them. */
export interface DurationInput {
  name: string
  shortest: string
  longest: string
  example: string
}

const EXPIRES_IN: DurationInput = {
  name: 'expires-in',
  shortest: '1 minute',
  longest: '5 days',
  example: '30m',
}
export const TIMEOUT: DurationInput = {
  name: 'timeout',
  shortest: '1 second',
  longest: '30 minutes',
  example: '2m',
}

/** The duration that `value` names, in milliseconds; throws an Error with an example. */
export function readDuration(value: string, { name, shortest, longest, example }: DurationInput): number {
  const refuse = (fault: string) =>
    new Error(`Input ${name} is ${quoted(value)}: ${fault}. For example: ${name}: ${example}`)
  if (/^[\d.+-]+$/.test(value)) throw refuse('a number needs a unit, such as s, m, h or d')
  const duration = parseDuration(value)
  if (duration === null) throw refuse('it is not a duration such as 90s, 15m or 1.5h')
  if (duration < Number(parseDuration(shortest))) throw refuse(`it must be at least ${shortest}`)
  if (duration > Number(parseDuration(longest))) throw refuse(`it must be at most ${longest}`)
  return duration
}

/** The API's base URL without a trailing slash; throws an Error if a key must not be sent there. */
export function readApiUrl(value: string): string {
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

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

/** Names that the runner refuses, or that would change the runner, later steps or this action's post step. */
const RESERVED_NAMES = /^(NODE_OPTIONS|PATH|CI|(GITHUB|RUNNER|ACTIONS|INPUT|STATE)_.*)$/i

function readVariableName(value: string): string {
  const refuse = (fault: string) =>
    new Error(`Input export-env is ${quoted(value)}: ${fault}. For example: export-env: SPHERESCOUT_API_KEY`)
  if (value !== '' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value))
    throw refuse('not a name for an environment variable')
  if (RESERVED_NAMES.test(value)) throw refuse('it is reserved for the runner')
  return value
}

function readChoice<T extends string>(name: string, value: string, choices: readonly [T, ...T[]]): T {
  const choice = choices.find((known) => known === value.toLowerCase())
  if (choice !== undefined) return choice
  throw new Error(
    `Input ${name} is ${quoted(value)}: it must be ${choices.join(' or ')}. For example: ${name}: ${choices[0]}`,
  )
}

/** A value for a message: one line, at most 60 characters. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
}
