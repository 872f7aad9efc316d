import type { CreatedKey, KeyList, ListedKey } from '../api/key-api.ts'
import { formatUtc } from '../runner/report.ts'
import { hasRotationTag, TAG_RANGE } from '../util/rotation-tag.ts'

// What a run of rotate decides, as pure functions. Instants are milliseconds since 1970 by the API's clock.

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

/** A key is written to the secret within this time of its creation, or never. */
export const WRITE_WITHIN_MS = 10 * 60 * 1000
/**
 * A key is only retired if it was created at least this long before the key in hand. Because of WRITE_WITHIN_MS, it was
 * then last written before the key in hand was created, even if GitHub carried a write out 50 minutes late.
 */
export const MIN_GAP_MS = HOUR_MS
/** What the overlap is lengthened by: the time between creation and the end of the last write. */
const OVERLAP_MARGIN_MS = HOUR_MS
/** How long a rotation that fails has at least to recover, before the key in the secret expires. */
const MIN_RECOVERY_MS = 7 * DAY_MS

/** The three durations of a rotation, in milliseconds. */
export interface Limits {
  /** The age at which a key is replaced. */
  rotateAfter: number
  /** The lifetime of a new key. */
  expiresIn: number
  /** How long a replaced key stays valid. */
  overlap: number
}

/** Whether the three durations leave a broken rotation at least 7 days to recover. */
export function areLimitsConsistent({ rotateAfter, expiresIn, overlap }: Limits): boolean {
  return expiresIn >= rotateAfter + overlap + MIN_RECOVERY_MS
}

/** The shortest `expires-in` that goes with the other two, in days. */
export function minLifetimeDays({ rotateAfter, overlap }: Limits): number {
  return Math.ceil((rotateAfter + overlap + MIN_RECOVERY_MS) / DAY_MS)
}

/** The row of the key in hand, the only one whose first characters it has, or the reason why there is no such row. */
export function findCurrentKey({ keys, doubt }: KeyList, apiKey: string): ListedKey | string {
  const rows = keys.filter(({ prefix }) => prefix !== '' && apiKey.startsWith(prefix))
  const [only] = rows
  if (only && rows.length === 1) return only
  if (rows.length > 1) return `the account lists ${rows.length} keys that begin like api-key`
  return `the account's list has no key that begins like api-key${doubt === null ? '' : ` (${doubt})`}`
}

/** Whether this rotation made the key. A key without an expiry was never made by it. */
export function isOwn(key: ListedKey, tag: number): boolean {
  return key.unreadable === null && hasRotationTag(key, tag)
}

/** The most by which `taggedExpiry` is earlier than asked for, in milliseconds. */
export const MAX_EXPIRY_SHIFT_MS = 2 * TAG_RANGE

/** The latest instant up to `latest` that carries the tag and is not a whole second. */
export function taggedExpiry(latest: number, tag: number): number {
  const whole = Math.floor(latest)
  const expiry = whole - ((whole - tag) % TAG_RANGE)
  // An API that drops fractions makes whole seconds of all expiries; those must not look like ours.
  return expiry % 1000 === 0 ? expiry - TAG_RANGE : expiry
}

/**
 * The places in the order in which they are written: the one that the key in hand came from last. A run that dies in
 * between leaves the old key there, so the next run rotates again, and writes every place.
 */
export function writeOrder<T>(home: T, copies: readonly T[]): T[] {
  return [...copies, home]
}

/** What the retirement of old keys rests on. */
export interface RetirementFacts {
  keys: readonly ListedKey[]
  /** The key in hand, which came out of the secret. */
  current: ListedKey
  tag: number
  /** Milliseconds. */
  overlap: number
  now: number
  /** The key that a person made and named; empty for none. */
  initialKeyId: string
}

/** Until when the keys before the one that was created at `createdAt` stay valid. */
export function retirableAt(createdAt: number, { overlap }: Pick<Limits, 'overlap'>): number {
  return createdAt + overlap + OVERLAP_MARGIN_MS
}

/**
 * The keys that can be revoked now, because no run can still need them. An own key X that was created an hour or more
 * before the key in hand was last written before the key in hand was: the secret holds the key in hand or a later one,
 * even if the key in hand is stale. And whoever was given X was queued longer ago than the overlap.
 */
export function keysToRetire(facts: RetirementFacts): ListedKey[] {
  const { keys, current, tag, overlap, now, initialKeyId } = facts
  if (current.createdAt === null || !isOwn(current, tag)) return []
  if (now <= retirableAt(current.createdAt, { overlap })) return []
  const { createdAt: currentCreatedAt } = current
  return keys.filter((key) => {
    if (key.id === current.id || key.createdAt === null) return false
    if (isOwn(key, tag)) return key.createdAt <= currentCreatedAt - MIN_GAP_MS
    return key.id === initialKeyId && key.createdAt < currentCreatedAt
  })
}

/**
 * The keys that an emergency ends at once, after every place holds `created`: the key in hand and own keys, if they
 * were created so long before that no late write can bring them back.
 */
export function keysToRevokeNow(
  keys: readonly ListedKey[],
  current: ListedKey,
  createdAt: number,
  tag: number,
): ListedKey[] {
  return keys.filter(
    (key) =>
      (key.id === current.id || isOwn(key, tag)) && key.createdAt !== null && key.createdAt <= createdAt - MIN_GAP_MS,
  )
}

/**
 * When the key has to be replaced: at the age of `rotateAfter`, or while enough is left of its lifetime to recover from
 * failures, whichever is earlier. A key that never expires, or whose creation cannot be read, is due at once (0). This
 * does not rest on the tag, so that an API that rounds expiries does not make it rotate every day.
 */
export function dueAt({ createdAt, expiresAt, unreadable }: ListedKey, { rotateAfter, expiresIn }: Limits): number {
  if (createdAt === null || (expiresAt === null && unreadable !== 'expiry')) return 0
  const byAge = createdAt + rotateAfter
  if (expiresAt === null) return byAge
  // Its own keys expire up to MAX_EXPIRY_SHIFT_MS early; for them, the age decides.
  return Math.min(byAge, expiresAt - (expiresIn - rotateAfter) + MAX_EXPIRY_SHIFT_MS)
}

/** What is known of the create request whose answer is looked at. */
export interface CreateFacts {
  /** The expiry that was asked for. */
  asked: number
  /** When it was sent and answered. */
  sentAt: number
  answeredAt: number
  /** How far the two may be off, in milliseconds. */
  slack: number
  apiKey: string
  /** The ids of the keys that there were before. */
  knownIds: ReadonlySet<string>
}

/** A server may round an expiry to its own grid; more than this is another lifetime. */
const ROUNDING_MS = 5_000

/**
 * Why the answer to a create request does not show a new key of this run, or null. An API may answer with a key that
 * was there before, or with another request's answer: such a key is somebody's.
 */
export function whyNotOurs({ token, id, createdAt, expiresAt }: CreatedKey, facts: CreateFacts): string | null {
  if (token === null || id === null) return 'the answer holds no key, or no id'
  if (token === facts.apiKey) return 'it is the key that was used to ask for a new one'
  if (facts.knownIds.has(id)) return 'it was there before'
  if (createdAt === null || createdAt < facts.sentAt - facts.slack || createdAt > facts.answeredAt + facts.slack)
    return `it was created at ${createdAt === null ? 'an unknown time' : formatUtc(createdAt)}, which is not now`
  if (expiresAt === null) return 'it never expires, though an expiry was asked for'
  if (Math.abs(expiresAt - facts.asked) > ROUNDING_MS)
    return `it expires at ${formatUtc(expiresAt)}, and ${formatUtc(facts.asked)} was asked for`
  return null
}
