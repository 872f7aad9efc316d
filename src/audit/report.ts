import { cell, formatUtc, sanitize, shortId } from '../runner/report.ts'
import { formatInstant } from '../util/instant.ts'
import type { AccountKey, KeyClass } from './classify.ts'
import { FINDING_KINDS, type Finding, type FindingKind, type Limits } from './findings.ts'

const DAY_MS = 24 * 3_600_000
/** How many keys a line of the log names; all are in the outputs, as far as these go. */
const MAX_NAMED = 10
/** How many rows the summary shows. */
const MAX_ROWS = 100
/** The most that output `findings` holds: a value that a step gets in its environment may not pass 128 KiB. */
const MAX_OUTPUT_LENGTH = 100_000

/** All findings of one kind. */
export interface FindingGroup {
  kind: FindingKind
  findings: Finding[]
}

/** The findings by kind, the most urgent first; only kinds that there are. */
export function groupByKind(findings: readonly Finding[]): FindingGroup[] {
  return FINDING_KINDS.map((kind) => ({ kind, findings: findings.filter((f) => f.kind === kind) })).filter(
    ({ findings: found }) => found.length > 0,
  )
}

/** One line on what was read: how many keys of each class. */
export function overview(keys: readonly AccountKey[]): string {
  const counts = CLASSES.map((name) => [keys.filter((key) => key.class === name).length, CLASS_NAMES[name]])
  const named = counts.filter(([count]) => count !== 0).map(([count, name]) => `${count} ${name}`)
  return `${plural(keys.length, 'key')}${named.length > 0 ? `: ${named.join(', ')}` : ''}`
}

/** The line of the log for one kind of finding: what was found, in which keys, and what to do. */
export function groupLine({ kind, findings }: FindingGroup, limits: Limits): string {
  const named = findings.slice(0, MAX_NAMED).map((finding) => describeKey(finding, limits.now))
  const more = findings.length > MAX_NAMED ? `; and ${findings.length - MAX_NAMED} more` : ''
  return `${titleOf({ kind, findings }, limits)}: ${named.join('; ')}${more}. ${whatToDo(kind, findings)}`
}

function titleOf({ kind, findings }: FindingGroup, limits: Limits): string {
  return `${kind} (${plural(findings.length, 'key')}): ${meaningOf(kind, limits)}`
}

/** What a list that could not be judged means. */
export function incompleteLine(reason: string): string {
  return (
    `list-incomplete: The API's list of keys may not show every key (${reason}), so no key was judged. ` +
    'Run the audit again; if it says the same, run `npm run conformance` and see docs/audit.md.'
  )
}

/** What no audit can see. */
export const BLIND_SPOTS =
  'Not visible to an audit: when a key was last used (the API does not say), and that a key was made to look short-lived or rotated.'

/** The findings as JSON, without a secret; cut after as many as fit into 100,000 characters. */
export function findingsJson(findings: readonly Finding[]): string {
  const instant = (at: number | null) => (at === null ? null : formatInstant(at))
  const rows: string[] = []
  let length = 0
  for (const { kind, class: keyClass, id, prefix, createdAt, expiresAt } of findings) {
    const created = instant(createdAt)
    const row = JSON.stringify({
      class: keyClass,
      finding: kind,
      id,
      prefix,
      created,
      expiry: instant(expiresAt),
    })
    length += row.length + 1
    if (length > MAX_OUTPUT_LENGTH) break
    rows.push(row)
  }
  return `[${rows.join(',')}]`
}

/** The job summary of a complete list, in Markdown. */
export function summaryOf(
  keys: readonly AccountKey[],
  findings: readonly Finding[],
  notes: readonly string[],
  limits: Limits,
): string {
  const kindsOf = kindsById(findings)
  const rows = [...keys.map(({ key, class: name }) => ({ ...key, class: name })), ...missingRows(findings)]
    .filter((row) => row.class !== 'short-lived' || kindsOf.has(row.id))
    .sort((a, b) => urgency(kindsOf.get(a.id)) - urgency(kindsOf.get(b.id)))
  const table = rows.slice(0, MAX_ROWS).map((row) => tableRow(row, kindsOf.get(row.id) ?? [], limits.now))
  const hidden =
    rows.length > MAX_ROWS ? [`${rows.length - MAX_ROWS} more are in the output \`findings\`.`, ''] : []
  const actions = groupByKind(findings).map(
    (group) => `- ${titleOf(group, limits)}. ${whatToDo(group.kind, group.findings)}`,
  )
  return [
    `### SphereScout keys: ${kindsOf.size === 0 ? 'no findings' : `${kindsOf.size} to look at`}`,
    '',
    `${overview(keys)}.`,
    '',
    ...(rows.length > 0 ? [TABLE_HEAD, ...table, ''] : []),
    ...hidden,
    ...(actions.length > 0 ? ['**What to do**', '', ...actions, ''] : []),
    ...linesForKnown(findings),
    ...notes.flatMap((note) => [note, '']),
    BLIND_SPOTS,
  ].join('\n')
}

/** The job summary of a list that could not be judged. */
export function incompleteSummary(reason: string): string {
  return `### SphereScout keys: not judged\n\n${incompleteLine(reason).replace(/[|`<>\\\s]+/g, ' ')}\n`
}

const CLASS_NAMES: Record<KeyClass, string> = {
  'in-use': 'in use',
  rotated: 'made by rotate',
  'short-lived': 'short-lived',
  known: 'known',
  unexpected: 'unexpected',
}
const CLASSES: KeyClass[] = ['in-use', 'rotated', 'short-lived', 'known', 'unexpected']

const TABLE_HEAD = '| Finding | Key | Id | Class | Created | Expires |\n| --- | --- | --- | --- | --- | --- |'

interface Row {
  id: string
  prefix: string
  class: KeyClass
  createdAt: number | null
  expiresAt: number | null
}

function tableRow({ id, prefix, class: name, createdAt, expiresAt }: Row, kinds: string[], now: number) {
  const created = createdAt === null ? '-' : `${day(createdAt)} (${ago(now - createdAt)})`
  const expires = createdAt === null ? '-' : expiresAt === null ? '**never**' : day(expiresAt)
  const found = kinds.length === 0 ? '-' : `**${kinds.join(', ')}**`
  const key = prefix === '' ? '-' : `\`${cell(prefix)}...\``
  return `| ${found} | ${key} | \`${shortId(id)}\` | ${CLASS_NAMES[name]} | ${created} | ${expires} |`
}

/** Ids in `known` that no key has, as rows: they have no key to stand in. */
function missingRows(findings: readonly Finding[]): Row[] {
  return findings
    .filter(({ kind }) => kind === 'known-missing')
    .map(({ id }) => ({ id: id ?? '', prefix: '', class: 'known', createdAt: null, expiresAt: null }))
}

function kindsById(findings: readonly Finding[]): Map<string, FindingKind[]> {
  const kinds = new Map<string, FindingKind[]>()
  for (const { id, kind } of findings) if (id !== null) kinds.set(id, [...(kinds.get(id) ?? []), kind])
  return kinds
}

/** The place of a row in the table: the most urgent finding first, no finding last. */
function urgency([first]: FindingKind[] = []): number {
  return first === undefined ? FINDING_KINDS.length : FINDING_KINDS.indexOf(first)
}

/** The whole ids of keys that a person may accept, as lines to paste into input `known`. */
function linesForKnown(findings: readonly Finding[]): string[] {
  const acceptable = findings.filter(({ kind }) => ACCEPTABLE.includes(kind))
  const byId = new Map(acceptable.map((finding) => [finding.id, finding]))
  if (byId.size === 0) return []
  const lines = [...byId.values()].slice(0, MAX_ROWS).map(({ id, prefix, createdAt }) => {
    const created = createdAt === null ? '' : `, created ${day(createdAt)}`
    return `${sanitize(id ?? '')} # ${sanitize(prefix ?? '')}...${created}`.replaceAll('`', '?')
  })
  const head = '<details><summary>Lines for input known, for keys that are meant to exist</summary>'
  return [head, '', '```', ...lines, '```', '', '</details>', '']
}

/** One key in a line, with the times that its finding is about. */
function describeKey({ kind, id, prefix, createdAt, expiresAt }: Finding, now: number): string {
  if (prefix === null || createdAt === null) return `id ${shortId(id ?? '')}`
  const parts = [`${cell(prefix)}... (id ${shortId(id ?? '')})`]
  if (kind === 'unexpected' || kind === 'too-old')
    parts.push(`created ${day(createdAt)}, ${ago(now - createdAt)}`)
  if (kind !== 'never-expires' && kind !== 'too-old')
    parts.push(expiresAt === null ? 'never expires' : `expires ${formatUtc(expiresAt)}`)
  return parts.join(', ')
}

/** What is true of every key with a finding of this kind. */
function meaningOf(kind: FindingKind, { maxAge, warnBefore }: Limits): string {
  switch (kind) {
    case 'list-incomplete':
      return "the API's list of keys may not show every key"
    case 'expires-soon':
      return `meant to stay valid, but expires within ${days(warnBefore)}`
    case 'unexpected':
      return 'made by no action of this project, and not in input known'
    case 'known-overdue':
      return 'still there after its until date in input known'
    case 'known-missing':
      return 'in input known, but not in the account'
    case 'never-expires':
      return 'valid until someone revokes it'
    case 'too-old':
      return `created more than ${days(maxAge)} ago`
  }
}

const DASHBOARD = 'in Dashboard > Plans > API Keys'
/** What a person may accept by a line in `known`. */
const ACCEPTABLE: FindingKind[] = ['unexpected', 'never-expires', 'too-old']
const ACCEPT = 'or accept it in input known'

function whatToDo(kind: FindingKind, findings: readonly Finding[]): string {
  const rotation = findings.find((finding) => finding.rotation !== null)?.rotation
  switch (kind) {
    case 'list-incomplete':
      return 'Run the audit again.'
    case 'expires-soon':
      return rotation
        ? `The rotation of secret ${rotation.secret} has stopped: look at the last runs of its workflow.`
        : `Create a new key ${DASHBOARD}, save it as the secret, then revoke this one.`
    case 'unexpected':
      return `Find out who uses it; then revoke it ${DASHBOARD}, ${ACCEPT}.`
    case 'known-overdue':
      return `Revoke it ${DASHBOARD}, or move its date.`
    case 'known-missing':
      return 'Find out who revoked it, then remove its line.'
    case 'never-expires':
      return `Replace it with a key that expires, ${ACCEPT}.`
    case 'too-old':
      return `Replace it with a new key and revoke it, ${ACCEPT}.`
  }
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A duration for a person: whole days, or hours below two days. */
function days(duration: number): string {
  if (duration < 2 * DAY_MS) return plural(Math.round(duration / 3_600_000), 'hour')
  return plural(Math.round(duration / DAY_MS), 'day')
}

function ago(age: number): string {
  return age < 0 ? 'in the future' : `${days(age)} ago`
}

function day(instant: number): string {
  return formatUtc(instant).slice(0, 10)
}
