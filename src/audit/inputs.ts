import { githubServer, type Rotation } from '../rotate/rotation-tag.ts'
import { type ReadInput, readApiUrl, readCredential, readDuration, TIMEOUT } from '../runner/inputs.ts'
import { FINDING_KINDS, type FindingKind } from './findings.ts'

/** A key that is meant to exist: one line of input `known`. */
export interface KnownKey {
  id: string
  /** The end of the last day on which it may exist, in milliseconds since 1970; null for no end. */
  until: number | null
}

/** What the workflow asked the audit for, checked. Durations in milliseconds. */
export interface AuditInputs {
  apiKey: string
  /** Without a trailing slash. */
  apiUrl: string
  known: readonly KnownKey[]
  /** The rotations whose keys are recognized. */
  rotations: readonly Rotation[]
  maxAge: number
  warnBefore: number
  failOn: ReadonlySet<FindingKind>
  timeout: number
}

const MAX_AGE = { name: 'max-age', shortest: '1 day', longest: '10 years', example: '90d' }
const WARN_BEFORE = { name: 'warn-before', shortest: '1 hour', longest: '1 year', example: '14d' }

/** Checks every input; an empty one takes its default. Throws an Error that names the input and the line. */
export function readAuditInputs(input: ReadInput, env: NodeJS.ProcessEnv): AuditInputs {
  const given = (name: string, otherwise = '') => input(name).trim() || otherwise
  const apiKey = readCredential(given, env)
  const apiUrl = readApiUrl(given('api-url', 'https://www.spherescout.io'))
  return {
    apiKey,
    apiUrl,
    known: readKnown(input('known'), apiKey),
    rotations: readRotations(given('rotated-secrets', 'SPHERESCOUT_API_KEY'), apiUrl, env),
    maxAge: readDuration(shortened(given('max-age', '90d')), MAX_AGE),
    warnBefore: readDuration(shortened(given('warn-before', '14d')), WARN_BEFORE),
    failOn: readFailOn(input('fail-on')),
    timeout: readDuration(shortened(given('timeout', '2m')), TIMEOUT),
  }
}

interface Line {
  text: string
  error(fault: string, example: string): Error
}

/** Of what could be a key, no more than the dashboard shows. */
function shortened(text: string): string {
  return text.replace(/\S{24,}/g, (run) => `${run.slice(0, 15)}...`)
}

/** The beginning of a text. */
export function quoted(text: string): string {
  return JSON.stringify(shortened(text).slice(0, 60))
}

/** The lines of an input, without blank ones and comments. An environment's name may have `#`, and ends its line. */
function linesOf(name: string, value: string): Line[] {
  return value.split(/\r\n|\r|\n/).flatMap((line, index) => {
    const isNamed = /^[^#]*\senvironment=/.test(line)
    const text = (isNamed ? line : line.replace(/(^|\s)#.*$/, '')).trim()
    const error = (fault: string, example: string) =>
      new Error(`Input ${name}, line ${index + 1}: ${quoted(text)} ${fault}. For example: ${example}`)
    return text === '' ? [] : { text, error }
  })
}

function readKnown(value: string, apiKey: string): KnownKey[] {
  const ids = new Set<string>()
  return linesOf('known', value.replaceAll(apiKey, '***')).map(({ text, error }) => {
    const refuse = (fault: string) => error(fault, '48213 until 2027-06-30 # reporting')
    const [, id, date] = /^(\S+)(?:\s+until\s+(\S+))?$/.exec(text) ?? []
    if (id === undefined) throw refuse('is not an id with an optional until date')
    if (/[#,;"'`]/.test(id)) throw refuse('has punctuation in the id')
    if (id.includes('***')) throw refuse('has the key in api-key in place of an id')
    if (ids.has(id)) throw refuse('repeats an id')
    ids.add(id)
    const until = date === undefined ? null : endOfDay(date)
    if (Number.isNaN(until)) throw refuse('has no date of the form YYYY-MM-DD after until')
    return { id, until }
  })
}

/** The end of a day in UTC (ms), or NaN. */
function endOfDay(date: string): number {
  const start = Date.parse(`${date}T00:00:00Z`)
  // Date.parse takes February 30 for March 2.
  const isDate = /^\d/.test(date) && new Date(start).toJSON()?.startsWith(`${date}T`)
  return isDate ? start + 24 * 3_600_000 : Number.NaN
}

const ROTATED =
  /^([A-Za-z_]\w*)(?:\s+(?:repository=(\d+)|organization=([\w.-]+))(?:\s+server=(\S+))?)?(?:\s+environment=(.+))?$/

function readRotations(value: string, apiUrl: string, env: NodeJS.ProcessEnv): Rotation[] {
  const { GITHUB_REPOSITORY_ID: id, GITHUB_API_URL: githubApiUrl = '' } = env
  const own = URL.canParse(githubApiUrl) ? githubServer(githubApiUrl) : 'github.com'
  return linesOf('rotated-secrets', value).flatMap(({ text, error }) => {
    const [, secret, repository = id, organization, named, environment = ''] = ROTATED.exec(text) ?? []
    if (secret === undefined)
      throw error(
        'is not a secret with an optional repository=ID or organization=NAME, server=HOST after these, and environment=NAME',
        'SPHERESCOUT_API_KEY environment=production',
      )
    const url = `https://${named}`
    if (named !== undefined && (!URL.canParse(url) || !/^[\w.:-]+$/.test(named)))
      throw error('has no host after server=', 'SCOUT_KEY organization=octo-org server=github.example.com')
    const server = named === undefined ? own : githubServer(url)
    const scope = organization ? `org:${organization}` : repository && `repo:${repository}`
    return scope ? { apiUrl, server, scope, environment, secret } : []
  })
}

function readFailOn(value: string): Set<FindingKind> {
  const names = value.toLowerCase().match(/[^\s,]+/g) ?? []
  const kinds = names.map((name) => {
    const kind = FINDING_KINDS.find((known) => known === name)
    if (kind) return kind
    throw new Error(`Input fail-on names ${quoted(name)}; the findings are ${FINDING_KINDS.join(', ')}`)
  })
  return new Set(kinds)
}
