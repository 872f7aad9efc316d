import { formatUtc, keyLabel, shortId } from '../runner/report.ts'
import { sanitizeName } from '../runner/sanitize.ts'
import type { AccountKey, KeyClass } from './classify.ts'
import { FINDING_KINDS, type Finding, type FindingKind, type Limits } from './findings.ts'

const DAY_MS = 24 * 3_600_000
const MAX_NAMED = 10
const MAX_ROWS = 100
/** A step cannot receive more than 128 KiB in an environment variable. */
const MAX_OUTPUT_BYTES = 100_000
const CLASSES: KeyClass[] = ['in-use', 'rotated', 'short-lived', 'known', 'unexpected']
const ACCEPTABLE: FindingKind[] = ['unexpected', 'never-expires', 'too-old']

export const BLIND_SPOTS =
  'An audit cannot see when a key was last used, or whether a key was made to look short-lived or rotated.'

/** All findings of one kind. */
export interface FindingGroup {
  kind: FindingKind
  findings: Finding[]
}

/** The findings by kind. */
export function groupByKind(findings: readonly Finding[]): FindingGroup[] {
  const groups = FINDING_KINDS.map((kind) => ({ kind, findings: findings.filter((finding) => finding.kind === kind) }))
  return groups.filter((group) => group.findings.length > 0)
}

/** How many keys of each class. */
export function overview(keys: readonly AccountKey[]): string {
  const counts = CLASSES.map((name) => `${keys.filter((key) => key.class === name).length} ${name}`)
  const present = counts.filter((count) => !count.startsWith('0 ')).join(', ')
  return plural(keys.length, 'key') + (present && `: ${present}`)
}

/** One kind of finding: what it is, which keys (unless a table shows them), and what to do. */
export function groupLine(
  { kind, findings }: FindingGroup,
  { now, maxAge, warnBefore }: Limits,
  isInTable = false,
): string {
  const named = findings.slice(0, MAX_NAMED).map((finding) => describeKey(finding, now))
  if (findings.length > MAX_NAMED) named.push(`and ${findings.length - MAX_NAMED} more`)
  const dashboard = 'in Dashboard > Plans > API Keys'
  const [meaning, advice = ''] = {
    'list-incomplete': ['', ''],
    'expires-soon': [
      `in use or made by rotate, expiring within ${days(warnBefore)}`,
      `Look at the last runs of the workflow that rotates it; if there is none, replace it ${dashboard} and in the secret`,
    ],
    unexpected: [
      'made by no action of this project, and not in input known',
      `Find out who uses it; then revoke it ${dashboard}`,
    ],
    'known-overdue': ['still there after the until date in input known', `Revoke it ${dashboard}, or move its date`],
    'known-missing': [
      'in input known, but not in the account',
      'Find out who revoked it, unless it has expired, then remove its line',
    ],
    'never-expires': ['valid until revoked', 'Replace it with a key that expires'],
    'too-old': [`created more than ${days(maxAge)} ago`, 'Replace it with a new key and revoke it'],
  }[kind]
  const keys = isInTable && kind !== 'known-missing' ? '' : `: ${named.join('; ')}`
  const accept = ACCEPTABLE.includes(kind) ? ', or accept it in input known' : ''
  const todo = findings.length === 1 ? advice : `For each: ${advice.replace(/./, (first) => first.toLowerCase())}`
  return `${kind} (${plural(findings.length, 'key')}): ${meaning}${keys}. ${todo}${accept}.`
}

function describeKey({ kind, id, prefix, createdAt, expiresAt, rotation }: Finding, now: number): string {
  if (prefix === null || createdAt === null) return `id ${shortId(id ?? '')}`
  const parts = [keyLabel({ prefix, id: id ?? '' })]
  if (kind === 'unexpected' || kind === 'too-old') parts.push(`created ${created(createdAt, now)}`)
  if (kind !== 'never-expires' && kind !== 'too-old')
    parts.push(expiresAt === null ? 'never expires' : `expires ${formatUtc(expiresAt)}`)
  if (kind === 'expires-soon' && rotation !== null)
    parts.push(`as the rotation of secret ${rotation.secret} has stopped, or no longer revokes old keys`)
  return parts.join(', ')
}

/** As many findings as fit into 100,000 bytes, as JSON without secrets. */
export function findingsJson(findings: readonly Finding[]): string {
  const instant = (at: number | null) => (at === null ? null : new Date(at).toISOString())
  const rows: string[] = []
  // The brackets; a comma before each row but the first.
  let bytes = 1
  for (const { kind: finding, class: name, id, prefix, createdAt, expiresAt } of findings) {
    const times = { created: instant(createdAt), expiry: instant(expiresAt) }
    const row = JSON.stringify({ class: name, finding, id, prefix, ...times })
    bytes += Buffer.byteLength(row) + 1
    if (bytes > MAX_OUTPUT_BYTES) break
    rows.push(row)
  }
  return `[${rows.join(',')}]`
}

/** What an audit found. */
export interface AuditReport {
  keys: readonly AccountKey[]
  findings: readonly Finding[]
  /** What limited it, in one sentence each. */
  notes: readonly string[]
  limits: Limits
}

/** The job summary: keys with findings first, short-lived ones left out. */
export function summaryOf({ keys, findings, notes, limits }: AuditReport): string {
  const kindsOf = (id: string) => findings.filter((finding) => finding.id === id).map(({ kind }) => kind)
  const urgency = ({ key }: AccountKey) =>
    FINDING_KINDS.indexOf(kindsOf(key.id)[0] ?? 'list-incomplete') || FINDING_KINDS.length
  const shown = keys.filter((entry) => entry.class !== 'short-lived').sort((a, b) => urgency(a) - urgency(b))
  const rows = shown.slice(0, MAX_ROWS).map(({ key: { id, prefix, createdAt, expiresAt }, class: name }) => {
    const kinds = kindsOf(id).join(', ')
    const expires = expiresAt === null ? '**never**' : day(expiresAt)
    return `| ${kinds && `**${kinds}**`} | \`${sanitizeName(prefix)}...\` | \`${shortId(id)}\` | ${name} | ${created(createdAt, limits.now)} | ${expires} |`
  })
  // In no row of the table.
  const missing = findings.filter(({ kind }) => kind === 'known-missing').length
  const present = new Set(findings.map(({ id }) => id)).size - missing
  const counts = [present > 0 && `${present} to look at`, missing > 0 && `${missing} missing`]
  const head = '| Finding | Key | Id | Class | Created | Expires |\n| --- | --- | --- | --- | --- | --- |'
  const paragraphs = [
    `### SphereScout keys: ${counts.filter(Boolean).join(', ') || 'no findings'}`,
    `${overview(keys)}.`,
    rows.length > 0 && [head, ...rows].join('\n'),
    shown.length > MAX_ROWS && `${shown.length - MAX_ROWS} more keys are not shown here.`,
    groupByKind(findings)
      .map((group) => `- ${groupLine(group, limits, true)}`)
      .join('\n'),
    linesForKnown(findings),
    ...notes,
    BLIND_SPOTS,
  ]
  return paragraphs.filter(Boolean).join('\n\n')
}

/** Lines for input `known`, for keys that a person may accept. */
function linesForKnown(findings: readonly Finding[]): string {
  const acceptable = findings.filter(({ kind }) => ACCEPTABLE.includes(kind))
  const lines = acceptable.map(({ id, prefix, createdAt }) => {
    const name = sanitizeName(id ?? '')
    const begin = name === id ? name : `# see output findings: ${name}`
    return `${begin} # ${sanitizeName(prefix ?? '')}..., created ${day(createdAt ?? 0)}`
  })
  if (lines.length === 0) return ''
  const [...rest] = new Set(lines)
  const code = rest.splice(0, MAX_ROWS)
  if (rest.length > 0) code.push(`# ${rest.length} more: see output findings`)
  return `<details><summary>Lines for input known, for keys that are meant to exist</summary>\n\n\`\`\`\n${code.join('\n')}\n\`\`\`\n\n</details>`
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function days(duration: number): string {
  if (duration < 2 * DAY_MS) return plural(Math.round(duration / 3_600_000), 'hour')
  return plural(Math.round(duration / DAY_MS), 'day')
}

function created(instant: number, now: number): string {
  return `${day(instant)} (${days(Math.max(0, now - instant))} ago)`
}

function day(instant: number): string {
  return formatUtc(instant).slice(0, 10)
}
