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

/** Every finding about the keys of a complete list, the most urgent first; those of one kind in the list's order. */
export function findFindings(
  keys: readonly AccountKey[],
  known: readonly KnownKey[],
  limits: Limits,
): Finding[] {
  const newest = newestOfRotations(keys)
  const findings = keys.flatMap((entry) =>
    kindsFor(entry, newest.has(entry), limits).map((kind) => aboutKey(kind, entry)),
  )
  const ids = new Set(keys.map(({ key }) => key.id))
  const missing = known.filter(({ id, until }) => !ids.has(id) && !isPast(until, limits.now))
  const all = [...findings, ...missing.map(({ id }) => missingKey(id))]
  return all.sort((a, b) => FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind))
}

/** The finding that takes the place of all others where the list cannot be judged. */
export function listIncomplete(): Finding {
  return {
    kind: 'list-incomplete',
    class: null,
    id: null,
    prefix: null,
    createdAt: null,
    expiresAt: null,
    rotation: null,
  }
}

/** What is wrong with one key. A key in `known` is accepted as it is until its date has passed. */
function kindsFor(entry: AccountKey, isNewest: boolean, { now, maxAge, warnBefore }: Limits): FindingKind[] {
  const { key, class: keyClass, known } = entry
  if (keyClass === 'short-lived') return []
  const kinds: FindingKind[] = []
  const mustStayValid = (keyClass === 'in-use' || isNewest) && !isShortLived(key)
  if (mustStayValid && key.expiresAt !== null && key.expiresAt - now <= warnBefore) kinds.push('expires-soon')
  if (keyClass === 'unexpected') kinds.push('unexpected')
  const overdue = known !== null && isPast(known.until, now)
  if (overdue) kinds.push('known-overdue')
  if (known !== null && !overdue) return kinds
  if (key.expiresAt === null) kinds.push('never-expires')
  if (now - key.createdAt > maxAge) kinds.push('too-old')
  return kinds
}

/**
 * The newest key of each rotation. A rotation that works replaces it long before it expires, so one that expires soon
 * means that the rotation has stopped, whether or not it is the key in use.
 */
function newestOfRotations(keys: readonly AccountKey[]): Set<AccountKey> {
  const newest = new Map<TaggedRotation, AccountKey>()
  for (const entry of keys) {
    if (entry.rotation === null) continue
    const other = newest.get(entry.rotation)
    if (!other || entry.key.createdAt > other.key.createdAt) newest.set(entry.rotation, entry)
  }
  return new Set(newest.values())
}

function isPast(until: number | null, now: number): boolean {
  return until !== null && now >= until
}

function aboutKey(kind: FindingKind, { key, class: keyClass, rotation }: AccountKey): Finding {
  const { id, prefix, createdAt, expiresAt } = key
  return { kind, class: keyClass, id, prefix, createdAt, expiresAt, rotation }
}

function missingKey(id: string): Finding {
  return { ...listIncomplete(), kind: 'known-missing', class: 'known', id }
}
