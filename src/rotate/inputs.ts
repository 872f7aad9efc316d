import { isLoopback } from '../http/proxy-for-url.ts'
import { type ReadInput, readApiUrl, readChoice, readCredential, readDuration, TIMEOUT } from '../runner/inputs.ts'
import { areLimitsConsistent, canRetire, type Limits, minLifetimeDays } from './decisions.ts'
import type { Place } from './places.ts'

/** The checked inputs of the workflow. Durations in milliseconds. */
export interface RotateInputs {
  apiKey: string
  githubToken: string
  /** In upper case, as GitHub keeps it. */
  secret: string
  /** Where the secret that `apiKey` came from is stored. */
  home: Place
  copies: Place[]
  limits: Limits
  /** Empty for none. */
  initialKeyId: string
  revokePrevious: 'after-overlap' | 'now'
  /** Without a trailing slash. */
  apiUrl: string
  githubApiUrl: string
  timeout: number
}

/**
 * Reads and checks every input; an empty one takes its default. Throws an Error that names the input and says what is
 * wrong with it.
 */
export function readRotateInputs(input: ReadInput, env: NodeJS.ProcessEnv): RotateInputs {
  const given = (name: string, otherwise = '') => input(name).trim() || otherwise
  const apiKey = readCredential(given, env)
  if (/^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(apiKey))
    throw new Error(
      'Input api-key is a JWT access token; only an API key can be rotated. Save an API key in the secret.',
    )
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
    timeout: readDuration(given('timeout', '2m'), TIMEOUT),
  }
}

function readLimits(given: (name: string, otherwise: string) => string): Limits {
  const read = (name: string, otherwise: string, range: { shortest: string; longest: string }) =>
    readDuration(given(name, otherwise), { name, ...range, example: otherwise })
  const limits = {
    rotateAfter: read('rotate-after', '30d', { shortest: '1 day', longest: '365 days' }),
    expiresIn: read('expires-in', '60d', { shortest: '8 days', longest: '730 days' }),
    overlap: read('overlap', '7d', { shortest: '1 hour', longest: '35 days' }),
  }
  if (!canRetire(limits))
    throw new Error(
      'Input rotate-after is too short: it must be at least overlap + 2 hours, or no key would get old enough for the ' +
        'keys before it to be revoked. Raise rotate-after, or lower overlap.',
    )
  if (areLimitsConsistent(limits)) return limits
  throw new Error(
    'Input expires-in is too short: it must be at least rotate-after + overlap + 7 days, which leaves a week to fix a ' +
      `failing rotation. Raise it to ${minLifetimeDays(limits)}d, or lower rotate-after.`,
  )
}

function readToken(value: string): string {
  const example = 'For example: github-token: $' + '{{ steps.app-token.outputs.token }}'
  if (value === '') throw new Error(`Input github-token is empty. Pass a token that may write the secret. ${example}`)
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new Error(
      `Input github-token contains white space, a control character or a non-ASCII character (its value is not shown). ${example}`,
    )
  return value
}

function readSecretName(value: string): string {
  if (/^(?!GITHUB_)[A-Z_][A-Z0-9_]*$/i.test(value)) return value.toUpperCase()
  throw new Error(
    'Input secret is not a valid secret name: only letters, digits and underscores, not starting with a digit or ' +
      'GITHUB_. For example: secret: SPHERESCOUT_API_KEY',
  )
}

function readHome(environment: string, organization: string): Place {
  if (environment !== '' && organization !== '')
    throw new Error(
      'Inputs environment and organization are both set, but a secret belongs to only one of them. Set one.',
    )
  if (organization !== '') {
    if (!/^[\w.-]*\w[\w.-]*$/.test(organization))
      throw new Error('Input organization is not a valid organization name. For example: organization: octo-org')
    return { kind: 'organization', name: organization }
  }
  return environment === '' ? { kind: 'repository', name: '' } : environmentPlace('environment', environment)
}

function environmentPlace(input: string, name: string): Place {
  // Even escaped, these would name another path.
  if (name === '.' || name === '..' || !name.isWellFormed())
    throw new Error(`Input ${input} contains an invalid environment name. For example: production`)
  return { kind: 'environment', name }
}

function readCopies(value: string, home: Place): Place[] {
  const copies = value
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map(readCopy)
  const all = [home, ...copies].map(({ kind, name }) => `${kind} ${name.toLowerCase()}`)
  if (new Set(all).size < all.length)
    throw new Error('Input copies lists a place twice, or lists the place of the secret itself. List each place once.')
  return copies
}

function readCopy(line: string): Place {
  const [, environment] = /^environment\s+(\S.*)$/i.exec(line) ?? []
  if (environment !== undefined) return environmentPlace('copies', environment)
  const kind = (['repository', 'dependabot', 'codespaces'] as const).find((known) => known === line.toLowerCase())
  if (kind !== undefined) return { kind, name: '' }
  throw new Error(
    'Input copies lists an unknown place: each line must be repository, dependabot, codespaces or environment NAME.',
  )
}

function readRevokePrevious(value: string, event: string | undefined): RotateInputs['revokePrevious'] {
  const choice = readChoice('revoke-previous', value, ['after-overlap', 'now'])
  if (choice === 'now' && event !== 'workflow_dispatch')
    throw new Error(
      'Input revoke-previous is now, which is for emergencies because it makes running jobs fail. ' +
        'It is accepted only in a run that was started by hand (workflow_dispatch).',
    )
  return choice
}

function readGithubApiUrl(value: string): string {
  const example = 'For example: github-api-url: https://api.github.com'
  if (!URL.canParse(value)) throw new Error(`Input github-api-url is not a URL. ${example}`)
  const url = new URL(value)
  if (url.username || url.password || /[?#]/.test(value))
    throw new Error(`Input github-api-url contains a user name, password, query or fragment. ${example}`)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    throw new Error(`Input github-api-url must start with https://, or the token would be sent unencrypted. ${example}`)
  return url.href.replace(/\/+$/, '')
}
