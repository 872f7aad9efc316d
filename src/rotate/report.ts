import type { ListedKey } from '../api/key-api.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import { sanitizeLine } from '../runner/sanitize.ts'

/** What a run found and did so far, for the summary and the outputs. */
export interface RotationReport {
  /** The outcome in a few words; docs/rotation.md explains each. */
  state: 'Failed' | 'Not due' | 'Rotated' | 'Rotated, and the old keys revoked' | 'Rotated; old keys may be valid'
  /** What a person should know or do. */
  notes: string[]
  /** The key in api-key, and the new one that the secret holds now. */
  current: ListedKey | null
  created: ListedKey | null
  retired: ListedKey[]
  /** Milliseconds since 1970; null if unknown. */
  dueAt: number | null
}

/** The report of a run that has done nothing yet. */
export function openReport(): RotationReport {
  return { state: 'Failed', notes: [], current: null, created: null, retired: [], dueAt: null }
}

/** Sets the outputs. `key-id` and the rest are those of the new key, else of the one in api-key. */
export function setOutputs({ state, current, created, retired, dueAt }: RotationReport, runner: Runner): void {
  const key = created ?? current
  const instant = (known: number | null | undefined) => (known ? new Date(known).toISOString() : '')
  runner.setOutput('rotated', String(state.startsWith('Rotated')))
  runner.setOutput('key-id', key?.id ?? '')
  runner.setOutput('key-prefix', key?.prefix ?? '')
  runner.setOutput('expires-at', instant(key?.expiresAt))
  runner.setOutput('due-at', instant(dueAt))
  runner.setOutput('retired', JSON.stringify(retired.map(({ id }) => id)))
}

/** The job summary, in Markdown. */
export function summaryOf(report: RotationReport): string {
  const { state, notes, current, created, retired, dueAt } = report
  const rows = [
    ...(created ? [rowOf(created, 'New; in the secret')] : []),
    ...(current ? [rowOf(current, statusOfCurrent(report))] : []),
    ...retired.filter(({ id }) => id !== current?.id).map((key) => rowOf(key, 'Revoked')),
  ]
  const table =
    rows.length === 0 ? [] : ['| Key | Created | Expires | Status |', '| --- | --- | --- | --- |', ...rows, '']
  return [
    `### SphereScout key rotation: ${state}`,
    '',
    ...table,
    ...(dueAt === null ? [] : [`- Next rotation: ${dueAt === 0 ? 'now' : `due at ${formatUtc(dueAt)}`}`]),
    ...validityOf(report),
    // Text of a server must not become a link.
    ...notes.map((note) => `- ${note.replace(/[[\]]|(?<=:)\/\/|(?<=www)\./gi, '\\$&')}`),
    '',
  ].join('\n')
}

/** The secret may hold a newer key than api-key: another run wrote it, or a write that GitHub did not confirm. */
function validityOf({ created, current }: RotationReport): string[] {
  const key = created ?? current
  if (key === null) return []
  const what = created ? 'the secret' : 'the key in api-key'
  if (key.expiresAt === null && key.unreadable !== null) return ['- The expiry of the key in api-key cannot be read.']
  if (key.expiresAt === null) return ['- The key in api-key has no expiry.']
  return [`- If rotation stops, ${what} works until ${formatUtc(key.expiresAt)}.`]
}

function statusOfCurrent({ created, current, retired }: RotationReport): string {
  if (retired.some(({ id }) => id === current?.id)) return 'Revoked'
  return created ? 'Replaced; still valid' : 'Received as api-key'
}

function rowOf(key: ListedKey, status: string): string {
  const instant = (known: number | null, none: string) => (known === null ? none : formatUtc(known))
  const noExpiry = key.unreadable === null ? 'never' : 'unreadable'
  return `| \`${keyLabel(key)}\` | ${instant(key.createdAt, '')} | ${instant(key.expiresAt, noExpiry)} | ${status} |`
}

/** Text from a server for the summary and the log: one line, without Markdown or runner commands. */
export function plainLine(text: string): string {
  return sanitizeLine(text).replace(/[|`<>\\]/g, '?')
}

/** Writes the summary. */
export function writeRotationSummary(report: RotationReport, runner: Pick<Runner, 'writeSummary'>): void {
  runner.writeSummary(summaryOf(report))
}
