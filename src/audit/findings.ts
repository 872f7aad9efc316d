import { type AccountKey, isShortLived, type KeyClass, type TaggedRotation } from './classify.ts'
import type { KnownKey } from './inputs.ts'

/** Everything that the audit can find, the most urgent first. */
export const FINDING_KINDS = [
  'list-incomplete',
  'expires-soon',
  'unexpected',
  'known-overdue',
  'known-missing',
  'never-expires',
  'too-old',
] as const
export type FindingKind = (typeof FINDING_KINDS)[number]

/** One finding about one key. Instants in milliseconds since 1970. */
export interface Finding {
  kind: FindingKind
  /** Null where the finding is about the list. */
  class: KeyClass | null
  /** Null where there is no such key, or the finding is about the list. */
  id: string | null
  prefix: string | null
  createdAt: number | null
  expiresAt: number | null
  /** The rotation that made the key; null for none. */
  rotation: TaggedRotation | null
}

/** What the keys are judged by. */
export interface Limits {
  /** The API's clock, in milliseconds since 1970. */
  now: number
  /** Durations in milliseconds. */
  maxAge: number
  warnBefore: number
}

/** Findings about the keys of a complete list, the most urgent first. */
export function findFindings(keys: readonly AccountKey[], known: readonly KnownKey[], limits: Limits): Finding[] {
  const ids = new Set(keys.map(({ key }) => key.id))
  const missing = known.filter(({ id, until }) => !ids.has(id) && !isPast(until, limits.now))
  const findings: Finding[] = [
    ...keys.flatMap((entry) =>
      kindsFor(entry, limits).map((kind) => ({ ...entry.key, kind, class: entry.class, rotation: entry.rotation })),
    ),
    ...missing.map(({ id }): Finding => ({ ...LIST_INCOMPLETE, kind: 'known-missing', class: 'known', id })),
  ]
  return findings.sort((a, b) => FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind))
}

/** The only finding if the list cannot be judged. */
export const LIST_INCOMPLETE: Finding = {
  kind: 'list-incomplete',
  class: null,
  id: null,
  prefix: null,
  createdAt: null,
  expiresAt: null,
  rotation: null,
}

/** A key in `known` is accepted until its date has passed. */
function kindsFor(entry: AccountKey, { now, maxAge, warnBefore }: Limits): FindingKind[] {
  const { key, class: keyClass, rotation, known } = entry
  if (keyClass === 'short-lived') return []
  const kinds: FindingKind[] = []
  // A rotation that works revokes its keys long before. The newest may be left over, and in no secret.
  const mustNotExpire = (keyClass === 'in-use' || rotation !== null) && !isShortLived(key)
  if (mustNotExpire && key.expiresAt !== null && key.expiresAt - now <= warnBefore) kinds.push('expires-soon')
  if (keyClass === 'unexpected') kinds.push('unexpected')
  const overdue = known !== null && isPast(known.until, now)
  if (overdue) kinds.push('known-overdue')
  if (known !== null && !overdue) return kinds
  if (key.expiresAt === null) kinds.push('never-expires')
  if (now - key.createdAt > maxAge && !isShortLived(key)) kinds.push('too-old')
  return kinds
}

function isPast(until: number | null, now: number): boolean {
  return until !== null && now >= until
}
