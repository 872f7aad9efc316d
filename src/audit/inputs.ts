import {
  checkCredential,
  emptyKeyMessage,
  quoted,
  type ReadInput,
  readApiUrl,
  readDuration,
  TIMEOUT,
} from '../runner/inputs.ts'
import type { Rotation } from '../util/rotation-tag.ts'
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

/** What the run itself says. */
export interface RunFacts {
  /** Why `api-key` is empty, or null. */
  explainEmptyKey: () => string | null
  repositoryId: string | undefined
}

/**
 * Reads and checks every input of the audit; an empty one takes its default. Throws an Error that names the input, the
 * line where there are several, what is wrong, and an example that works.
 */
export function readAuditInputs(input: ReadInput, { explainEmptyKey, repositoryId }: RunFacts): AuditInputs {
  const given = (name: string, otherwise: string) => input(name).trim() || otherwise
  const apiKey = given('api-key', '')
  if (apiKey === '') throw new Error(emptyKeyMessage(given('api_key', '') !== '', explainEmptyKey))
  const apiUrl = readApiUrl(given('api-url', 'https://www.spherescout.io'))
  const rotated = given('rotated-secrets', 'SPHERESCOUT_API_KEY')
  return {
    apiKey: checkCredential(apiKey),
    apiUrl,
    known: readKnown(input('known'), apiKey),
    rotations: readRotations(rotated, apiUrl, repositoryId),
    maxAge: readDuration(given('max-age', '90d'), MAX_AGE),
    warnBefore: readDuration(given('warn-before', '14d'), WARN_BEFORE),
    failOn: readFailOn(input('fail-on')),
    timeout: readDuration(given('timeout', '2m'), TIMEOUT),
  }
}

interface Line {
  number: number
  text: string
}

/** The lines of an input that hold something besides blanks and a comment, with their numbers from 1. */
function linesOf(value: string): Line[] {
  return value
    .split(/\r\n|\r|\n/)
    .map((line, index) => ({ number: index + 1, text: line.replace(/(^|\s)#.*$/, '').trim() }))
    .filter(({ text }) => text !== '')
}

function lineError(name: string, { number, text }: Line, fault: string, example: string): Error {
  return new Error(`Input ${name}, line ${number}: ${quoted(text)} ${fault}. For example: ${example}`)
}

/** The lines of `known`: an id each, with an optional `until` date. */
function readKnown(value: string, apiKey: string): KnownKey[] {
  const lineOfId = new Map<string, number>()
  return linesOf(value).map((line) => {
    const example = '48213 until 2027-06-30 # reporting'
    const [id = '', word, date, ...rest] = line.text.split(/\s+/)
    if (id === apiKey)
      throw new Error(
        `Input known, line ${line.number}, is the key in api-key itself (not shown here). List the id of a key, never the key`,
      )
    if (rest.length > 0 || (word !== undefined && (word !== 'until' || date === undefined)))
      throw lineError('known', line, 'is not an id with an optional until date', example)
    const until = date === undefined ? null : endOfDay(date)
    if (until !== null && Number.isNaN(until))
      throw lineError('known', line, 'has no date of the form YYYY-MM-DD after until', example)
    const earlier = lineOfId.get(id)
    if (earlier !== undefined)
      throw lineError('known', line, `repeats the id of line ${earlier}`, `remove one of them`)
    lineOfId.set(id, line.number)
    return { id, until }
  })
}

/** The end of a day in UTC, in milliseconds since 1970, or NaN for what is no date. */
function endOfDay(date: string): number {
  const start = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN
  // Date.parse would take February 30 for March 2.
  const isDate = !Number.isNaN(start) && new Date(start).toISOString().startsWith(date)
  return isDate ? start + 24 * 3_600_000 : Number.NaN
}

const ROTATED =
  /^(?<secret>[A-Za-z_]\w*)(?:\s+(?:repository=(?<repository>\d+)|organization=(?<organization>[\w.-]+)))?(?:\s+environment=(?<environment>.+))?$/

/** The lines of `rotated-secrets`. One without a repository or organization belongs to the repository of this run. */
function readRotations(value: string, apiUrl: string, repositoryId: string | undefined): Rotation[] {
  return linesOf(value).flatMap((line) => {
    const groups = ROTATED.exec(line.text)?.groups
    if (groups === undefined)
      throw lineError(
        'rotated-secrets',
        line,
        'is not the name of a secret with an optional repository=ID or organization=NAME and environment=NAME',
        'SPHERESCOUT_API_KEY environment=production',
      )
    const { secret = '', organization, environment = '', repository = repositoryId } = groups
    if (organization === undefined && !repository) return []
    const scope = organization === undefined ? `repo:${repository}` : `org:${organization}`
    return [{ apiUrl, scope, environment, secret }]
  })
}

function readFailOn(value: string): Set<FindingKind> {
  const names = value.split(/[\s,]+/).filter((name) => name !== '')
  return new Set(
    names.map((name) => {
      const kind = FINDING_KINDS.find((known) => known === name.toLowerCase())
      if (kind !== undefined) return kind
      throw new Error(
        `Input fail-on names ${quoted(name)}, which is not a finding. The findings are: ${FINDING_KINDS.join(', ')}`,
      )
    }),
  )
}
