import type { CreatedKey, KeyList, ListedKey } from '../api/key-api.ts'
import { formatUtc } from '../runner/report.ts'
import { hasRotationTag, MAX_EPHEMERAL_LIFETIME_MS, TAG_RANGE } from './rotation-tag.ts'

// What a run of rotate decides, as pure functions. Instants are milliseconds since 1970 by the API's clock.

const HOUR_MS = 60 * 60 * 1000
export const DAY_MS = 24 * HOUR_MS

/** A key is written to the secret within this time of its creation, or never. */
export const WRITE_WITHIN_MS = 10 * 60 * 1000
/**
 * A key is only retired if it was created at least this long before the key in hand. Because of WRITE_WITHIN_MS, it was
 * then last written before the key in hand was created, even if GitHub carried a write out 50 minutes late.
 */
export const MIN_GAP_MS = HOUR_MS
/** Added to the overlap: the longest time between creation and the end of the last write. */
const OVERLAP_MARGIN_MS = HOUR_MS
/** The least time to fix a failing rotation before the key in the secret expires. */
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

/** Whether the three durations leave at least 7 days to fix a failing rotation. */
export function areLimitsConsistent({ rotateAfter, expiresIn, overlap }: Limits): boolean {
  return expiresIn >= rotateAfter + overlap + MIN_RECOVERY_MS
}

/** What the rule of keysToRetire adds to the overlap, and an hour for the time at which a daily run starts. */
const RETIRE_MARGIN_MS = 2 * HOUR_MS

/**
 * Whether a key gets old enough, before it is replaced, for the keys that it replaced to be retired. Otherwise none ever
 * would be, and each would stay valid until it expires.
 */
export function canRetire({ rotateAfter, overlap }: Pick<Limits, 'rotateAfter' | 'overlap'>): boolean {
  return rotateAfter >= overlap + RETIRE_MARGIN_MS
}

/** The shortest consistent `expires-in`, in days. */
export function minLifetimeDays({ rotateAfter, overlap }: Limits): number {
  return Math.ceil((rotateAfter + overlap + MIN_RECOVERY_MS) / DAY_MS)
}

/** The only row of the list whose prefix `token` begins with, or the reason why there is no such row. */
export function findCurrentKey({ keys, doubt }: KeyList, token: string): ListedKey | string {
  const rows = keys.filter(({ prefix }) => prefix !== '' && token.startsWith(prefix))
  const [only] = rows
  if (only && rows.length === 1) return only
  if (rows.length > 1) return `its first characters match ${rows.length} keys in the list`
  return `no key in the list matches its first characters${doubt === null ? '' : ` (${doubt})`}`
}

/** Whether this rotation made the key. A key without an expiry was never made by it. */
export function isOwn(key: ListedKey, tag: number): boolean {
  return key.unreadable === null && hasRotationTag(key, tag)
}

/** Whether a key lives no longer than those of the main action. */
export function isEphemeral({ createdAt, expiresAt }: Pick<ListedKey, 'createdAt' | 'expiresAt'>): boolean {
  return createdAt !== null && expiresAt !== null && expiresAt - createdAt <= MAX_EPHEMERAL_LIFETIME_MS
}

/** Whether a key has expired: some APIs list such keys. */
export function isExpired({ expiresAt }: Pick<ListedKey, 'expiresAt'>, now: number): boolean {
  return expiresAt !== null && expiresAt <= now
}

/** By how much `taggedExpiry` is at most earlier than requested, in milliseconds. */
export const MAX_EXPIRY_SHIFT_MS = 2 * TAG_RANGE

/** The latest instant up to `latest` that carries the tag and is not a whole second. */
export function taggedExpiry(latest: number, tag: number): number {
  const whole = Math.floor(latest)
  const expiry = whole - ((whole - tag) % TAG_RANGE)
  // An API that drops fractions stores only whole seconds; those must not look like ours.
  return expiry % 1000 === 0 ? expiry - TAG_RANGE : expiry
}

/** How finely an expiry is requested, in microseconds: a server may refuse more digits than it keeps. */
export const PRECISIONS_US = [1, 1000, 1_000_000] as const
export type Precision = (typeof PRECISIONS_US)[number]

/** Below half a millisecond, so that a server that rounds to milliseconds stores the tagged one. */
const MAX_NONCE_US = 499

/**
 * The expiry to request. Two runs at once have the same tagged millisecond, so microseconds tell their keys apart: a
 * gateway may answer one run with the key of the other. `random` is in [0, 1).
 */
export function requestedExpiry(latest: number, tag: number, { precision, random }: RequestOptions): number {
  if (precision === 1_000_000) return Math.floor(latest / 1000) * 1000
  const nonce = precision === 1 ? 1 + Math.floor(random * MAX_NONCE_US) : 0
  return (taggedExpiry(latest - 1, tag) * 1000 + nonce) / 1000
}

interface RequestOptions {
  precision: Precision
  random: number
}

/**
 * The order in which places are written: `home`, where the key in hand came from, is last. A run that is killed in
 * between leaves the old key there, so the next run rotates again and writes every place.
 */
export function writeOrder<T>(home: T, copies: readonly T[]): T[] {
  return [...copies, home]
}

/** The facts by which old keys are retired (revoked after the overlap). */
export interface RetirementFacts {
  keys: readonly ListedKey[]
  /** The key in hand, which came out of the secret. */
  current: ListedKey
  tag: number
  /** Milliseconds. */
  overlap: number
  now: number
  /** The id in `initial-key-id`; empty for none. */
  initialKeyId: string
  /** When each place was last written, by GitHub's clock, in the order of writeOrder; null if unknown. */
  updates: readonly (number | null)[]
}

/** When the keys that a key created at `createdAt` replaced can be retired. */
export function retirableAt(createdAt: number, { overlap }: Pick<Limits, 'overlap'>): number {
  return createdAt + overlap + OVERLAP_MARGIN_MS
}

/**
 * The keys that can be revoked now, because no run can still need them. An own key X that was created an hour or more
 * before the key in hand was last written before the key in hand was: the secret holds the key in hand or a later one,
 * even if the key in hand is stale. And whoever was given X was queued longer ago than the overlap.
 */
export function keysToRetire(facts: RetirementFacts): ListedKey[] {
  return isAnyPlaceInDoubt(facts) ? [] : retirableKeys(facts)
}

/** The keys that could be revoked now if no place might hold an older key than the key in hand. */
export function keysInDoubt(facts: RetirementFacts): ListedKey[] {
  return isAnyPlaceInDoubt(facts) ? retirableKeys(facts) : []
}

/** Whether some place may hold an older key than the key in hand. */
export function isAnyPlaceInDoubt(facts: Pick<RetirementFacts, 'updates' | 'current'>): boolean {
  return facts.updates.some((_, index) => mayHoldOlderKey(index, facts))
}

function retirableKeys(facts: RetirementFacts): ListedKey[] {
  const { keys, current, tag, overlap, now, initialKeyId, updates } = facts
  if (current.createdAt === null || !isOwn(current, tag)) return []
  if (now <= retirableAt(current.createdAt, { overlap })) return []
  // Until it was last written, a copy may have held a key older than the key in hand: a stale run knows fewer copies.
  if (updates.some((at) => at !== null && now <= retirableAt(at, { overlap }))) return []
  const { createdAt: currentCreatedAt } = current
  return keys.filter((key) => {
    if (key.id === current.id || key.createdAt === null || isExpired(key, now)) return false
    if (isOwn(key, tag)) return key.createdAt <= currentCreatedAt - MIN_GAP_MS
    return key.id === initialKeyId && key.createdAt < currentCreatedAt
  })
}

/** The facts by which an emergency revokes old keys, after every place holds the key `created`. */
export interface EmergencyFacts extends Pick<RetirementFacts, 'keys' | 'current' | 'tag' | 'now' | 'initialKeyId'> {
  created: { id: string; createdAt: number }
}

/**
 * The keys that an emergency has to revoke: the key in hand (even if `keys` lacks it), the initial key and every own key
 * but the new one. `young` are those that are not so much older than the new key that no late write can restore them.
 */
export function keysToRevokeNow(facts: EmergencyFacts): { now: ListedKey[]; young: ListedKey[] } {
  const { keys, current, tag, initialKeyId, created } = facts
  const others = keys.filter((key) => key.id !== current.id && key.id !== created.id && !isExpired(key, facts.now))
  const old = [current, ...others.filter((key) => isKnownLater(key, { tag, initialKeyId }))]
  const isYoung = ({ createdAt }: ListedKey) => createdAt === null || createdAt > created.createdAt - MIN_GAP_MS
  return { now: old.filter((key) => !isYoung(key)), young: old.filter(isYoung) }
}

/** Whether a later run, with another key in hand, knows that it may revoke this key. */
export function isKnownLater(
  key: ListedKey,
  { tag, initialKeyId }: Pick<RetirementFacts, 'tag' | 'initialKeyId'>,
): boolean {
  return isOwn(key, tag) || key.id === initialKeyId
}

/**
 * When the key has to be replaced: at the age of `rotateAfter`, or while enough is left of its lifetime to recover from
 * failures, whichever is earlier. A key that never expires, or whose creation cannot be read, is due at once (0). This
 * does not depend on the tag, so an API that rounds expiries does not cause a rotation every day.
 */
export function dueAt({ createdAt, expiresAt, unreadable }: ListedKey, { rotateAfter, expiresIn }: Limits): number {
  if (createdAt === null || (expiresAt === null && unreadable === null)) return 0
  const byAge = createdAt + rotateAfter
  if (expiresAt === null) return byAge
  // Own keys expire up to MAX_EXPIRY_SHIFT_MS early; for them, the age decides.
  return Math.min(byAge, expiresAt - (expiresIn - rotateAfter) + MAX_EXPIRY_SHIFT_MS)
}

/**
 * When the next key is due although `current` is still passed as api-key: with the newest key, which the secret got, or a
 * week before the key in hand expires, as it may be the secret's after all. Otherwise each run would add a key.
 */
export function dueWhileStuck(current: ListedKey, newest: ListedKey, limits: Limits): number {
  return Math.min(dueAt(newest, limits), (current.expiresAt ?? Number.POSITIVE_INFINITY) - MIN_RECOVERY_MS)
}

/** What GitHub's `updated_at` shows about a write; `unknown` if the server sends none that can be read. */
export type WriteVisibility = 'shown' | 'not shown' | 'unknown'

/**
 * Whether a secret changed between two readings of `updated_at` (null: absent or unreadable). Whole seconds count, as
 * one reading may have more digits than the other. So the second of two writes within one second is not shown: writing
 * the same value again is harmless and shows it.
 */
export function writeVisibility(before: number | null, after: number | null): WriteVisibility {
  if (before === null) return 'unknown'
  return after !== null && wholeSecond(after) > wholeSecond(before) ? 'shown' : 'not shown'
}

/** By how much GitHub's clock and the API's may differ, in milliseconds. */
const CLOCKS_DIFFER_MS = HOUR_MS

/**
 * Whether a place was last written before the key in hand was created, and so holds an older key: it was added to
 * `copies` after the last rotation.
 */
export function holdsOlderKey(updatedAt: number | null, { createdAt }: ListedKey): boolean {
  return updatedAt !== null && createdAt !== null && updatedAt < createdAt - CLOCKS_DIFFER_MS
}

/** `updated_at` has whole seconds, and GitHub may carry out the last write a little late. */
const WRITE_MARGIN_MS = 60_000

/**
 * Whether a copy was last written so long before or after home that no finished rotation wrote both: it writes copies
 * first, and home within ten minutes. If a rotation wrote one of them, the other may hold any key. GitHub's clock says
 * both, so this needs no agreement with the API's.
 */
export function writtenApart(updatedAt: number | null, homeUpdatedAt: number | null): 'before' | 'after' | null {
  if (updatedAt === null || homeUpdatedAt === null) return null
  if (updatedAt < homeUpdatedAt - WRITE_WITHIN_MS - WRITE_MARGIN_MS) return 'before'
  return updatedAt > homeUpdatedAt + WRITE_MARGIN_MS ? 'after' : null
}

/** A rotation this long ago at most is not repeated only because home and a copy were written apart. */
const LATELY_MS = 2 * DAY_MS

/**
 * Whether this rotation made a key less than two days ago. If home and a copy were written apart nevertheless, something
 * else may write one of them: another key would not end that, and one in every run would fill the account.
 */
export function rotatedLately({
  keys,
  current,
  tag,
  now,
}: Pick<RetirementFacts, 'keys' | 'current' | 'tag' | 'now'>): boolean {
  return [current, ...keys].some((key) => isOwn(key, tag) && key.createdAt !== null && key.createdAt > now - LATELY_MS)
}

/**
 * By how much the API's clock may be ahead of GitHub's before each place seems to be older than its key. Both clocks are
 * set by time servers, and a key is written seconds after its creation. A copy that a person saved in these seconds, and
 * listed later, would not be noticed.
 */
const CREATED_AHEAD_MS = 10_000

/**
 * Whether the place with this index may hold a key that is older than the key in hand: it was last written more than
 * 10 s before that key was created, or its `updated_at` is missing although others have one. The only place holds the
 * key in hand or a later one, whatever clocks say, because the key in hand came out of it. Beside copies, home may not:
 * one of them may shadow it.
 */
export function mayHoldOlderKey(
  index: number,
  { updates, current }: Pick<RetirementFacts, 'updates' | 'current'>,
): boolean {
  const updatedAt = updates[index] ?? null
  if (updatedAt === null) return updates.some((at) => at !== null)
  if (updates.length === 1 || current.createdAt === null) return false
  return updatedAt < wholeSecond(current.createdAt) - CREATED_AHEAD_MS
}

const wholeSecond = (time: number) => Math.floor(time / 1000) * 1000

/** What is known about a create request and its response. */
export interface CreateFacts {
  /** The expiry that was requested. */
  asked: number
  /** When the request was sent and answered, by this machine's clock. */
  sentAt: number
  answeredAt: number
  /** What the API's clock may be, less this machine's, by the `Date` of this response and of the list; null if unknown. */
  skews: readonly (number | null)[]
  apiKey: string
  /** The ids of the keys that existed before. */
  knownIds: ReadonlySet<string>
}

/** What to do with the key in the response to a create request. */
export type Verdict =
  | { kind: 'ours' }
  /** This run created it, but it cannot be rotated to: it is revoked. */
  | { kind: 'unusable'; reason: string }
  /** It may be in use: it is neither written nor revoked. `orphan`: the request may have created another key. */
  | { kind: 'refused'; reason: string; orphan: boolean }

/** A server may round an expiry to its own grid, up to a minute; more than this is another lifetime. */
const ROUNDING_MS = 60_000

/** Whether two expiries are the same but for rounding; never if one is unknown. */
function isSameLifetime(expiresAt: number | null, other: number): boolean {
  return expiresAt !== null && Math.abs(expiresAt - other) <= ROUNDING_MS
}

/** Whether an expiry is earlier than another, by more than rounding. */
export function expiresEarlier(expiresAt: number, other: number): boolean {
  return expiresAt < other - ROUNDING_MS
}

/**
 * Judges the response to a create request. A gateway may replay or mix up responses, and some APIs return a key that
 * existed before: such a key may be in use. The microseconds of the expiry prove that this run created the key, unless
 * it is old; without them, the time of its creation does.
 */
export function judgeCreated(key: CreatedKey, facts: CreateFacts): Verdict {
  const { createdAt, expiresAt } = key
  const { asked } = facts
  const other = whyAnother(key, facts)
  if (other !== null) return { kind: 'refused', reason: other, orphan: true }
  const isExact = expiresAt !== null && hasMicroseconds(expiresAt) && toMicros(expiresAt) === toMicros(asked)
  // Without a Date, the clock of this machine may be wrong by years.
  const isOld = facts.skews.some((skew) => skew !== null) && createdAt !== null && !isCreatedLately(createdAt, facts)
  if (!(isExact && !isOld) && !isCreatedNow(createdAt, facts)) {
    const created = createdAt === null ? 'an unknown time' : formatUtc(createdAt)
    return { kind: 'refused', reason: `it was created at ${created}, not now`, orphan: false }
  }
  const unusable = whyUnusable(key, facts)
  if (unusable !== null) return { kind: 'unusable', reason: unusable }
  const expiry = `it expires at ${formatUtc(expiresAt ?? 0)}, not at ${formatUtc(asked)} as requested`
  if (isSameLifetime(expiresAt, asked)) return { kind: 'ours' }
  if (isCapped(key, asked))
    return { kind: 'unusable', reason: `${expiry}: the API shortens lifetimes. Lower expires-in` }
  return { kind: 'refused', reason: expiry, orphan: false }
}

const toMicros = (time: number) => Math.round(time * 1000)
const hasMicroseconds = (time: number) => toMicros(time) % 1000 !== 0

/** Why the key is certainly not the one that this request created, or null. */
function whyAnother({ token, id, expiresAt }: CreatedKey, { asked, apiKey, knownIds }: CreateFacts): string | null {
  if (id === null) return 'the response has no id'
  if (token === apiKey) return 'it is api-key itself'
  if (knownIds.has(id)) return 'it existed before'
  if (expiresAt !== null && hasMicroseconds(expiresAt) && toMicros(expiresAt) !== toMicros(asked))
    return 'another run requested it (its expiry has other microseconds)'
  return null
}

/** By how much times may differ, in milliseconds: `Date` has whole seconds; without it, clocks may differ too. */
const SLACK_MS = { known: 5_000, unknown: 65_000 }

/** By either clock: `Date` may be wrong as well. */
function isCreatedNow(createdAt: number | null, { sentAt, answeredAt, skews }: CreateFacts): boolean {
  if (createdAt === null) return false
  const known = skews.filter((skew) => skew !== null)
  const slack = known.length > 0 ? SLACK_MS.known : SLACK_MS.unknown
  return [0, ...known].some((skew) => sentAt + skew - slack <= createdAt && createdAt <= answeredAt + skew + slack)
}

const MINUTE_MS = 60_000

/** Limits of an API are whole minutes, expiries of other runs are not. */
function isCapped({ createdAt, expiresAt }: CreatedKey, asked: number): boolean {
  const lifetime = Number(expiresAt) - Number(createdAt)
  return Number(expiresAt) < asked && Math.abs(lifetime - Math.round(lifetime / MINUTE_MS) * MINUTE_MS) <= 1
}

function whyUnusable({ token, createdAt, expiresAt, unreadable }: CreatedKey, facts: CreateFacts): string | null {
  if (token === null) return 'the response has no key'
  if (createdAt === null) return 'the API does not say when it was created'
  if (expiresAt === null && unreadable !== null) return 'its expiry cannot be read'
  if (expiresAt === null) return 'it never expires, although an expiry was requested'
  if (isCreatedLately(createdAt, facts)) return null
  return `it was created at ${formatUtc(createdAt)}, but the time here is ${formatUtc(facts.answeredAt)}. Check the clock of the runner`
}

/** By any clock that may be right, give or take an hour. */
function isCreatedLately(createdAt: number, { answeredAt, skews }: CreateFacts): boolean {
  return [0, ...skews].some((skew) => skew !== null && Math.abs(createdAt - answeredAt - skew) <= HOUR_MS)
}
