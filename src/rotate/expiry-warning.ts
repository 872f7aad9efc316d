import type { ListedKey } from '../api/key-api.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import { DAY_MS, holdsOlderKey, isOwn, MIN_GAP_MS, type RetirementFacts } from './decisions.ts'

/** How long before the expiry of a key that is not being replaced a run warns, and warns more urgently. */
const SOON_MS = 14 * DAY_MS
const URGENT_MS = 7 * DAY_MS
/** A new key should be the key in hand by then: a run a day, and one that was skipped. */
const NOT_RECEIVED_AFTER_MS = 2 * DAY_MS

/** Why a person has to act, and how urgently. */
export type ExpiryAlarm = 'none' | 'stuck' | 'soon' | 'urgent'

/** What decides whether a run warns. Instants are milliseconds since 1970 by the API's clock. */
export interface ExpiryFacts {
  current: Pick<ListedKey, 'expiresAt'>
  /** Whether the run failed without replacing the key. */
  failed: boolean
  /** Whether earlier runs replaced the key, and this run received it nevertheless. */
  stuck: boolean
  /** Whether the run replaced the key nevertheless. */
  rotated: boolean
  now: number
}

/**
 * Whether a person has to act because rotation does not work. A run that is stuck always warns; one that fails, if the
 * key in hand expires soon. With a short `expires-in`, the key of a rotation that works is also close to its expiry when
 * it is replaced.
 */
export function expiryAlarm({ current: { expiresAt }, failed, stuck, now }: Omit<ExpiryFacts, 'rotated'>): ExpiryAlarm {
  const left = expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt - now
  if (!failed && !stuck) return 'none'
  if (left > SOON_MS) return stuck ? 'stuck' : 'none'
  return left > URGENT_MS ? 'soon' : 'urgent'
}

interface StuckFacts extends Pick<RetirementFacts, 'keys' | 'current' | 'tag' | 'now'> {
  /** When the secret that the key in hand should come from was last written; null if unknown. */
  homeUpdatedAt: number | null
}

/**
 * The newest key of this rotation, if one that is newer than the key in hand is so old that runs should have received it;
 * else null. A key that only a copy got does not count. If someone else wrote the secret after the newest key, the key in
 * hand came from there: then it is replaced, but only once. A tool that writes it again every day needs a warning, not a
 * key every day.
 */
export function keyNotReceived({ keys, current, tag, now, homeUpdatedAt }: StuckFacts): ListedKey | null {
  const { createdAt: currentCreatedAt } = current
  if (currentCreatedAt === null) return null
  const newer = keys.filter(
    (key) => isOwn(key, tag) && !holdsOlderKey(homeUpdatedAt, key) && creationOf(key) >= currentCreatedAt + MIN_GAP_MS,
  )
  if (!newer.some((key) => creationOf(key) <= now - NOT_RECEIVED_AFTER_MS)) return null
  const newest = newer.reduce((latest, key) => (creationOf(key) > creationOf(latest) ? key : latest))
  return wasWrittenByOthers(homeUpdatedAt, newest) && !wasReplacedBefore(newer, newest) ? null : newest
}

/** A rotation writes its key within ten minutes of its creation; the rest is for clocks that differ. */
const OWN_WRITE_WITHIN_MS = 60 * 60 * 1000

/** Whether someone else wrote a place after the rotation that created this key. */
export function wasWrittenByOthers(updatedAt: number | null, newest: ListedKey): boolean {
  return updatedAt !== null && updatedAt > creationOf(newest) + OWN_WRITE_WITHIN_MS
}

/** Two keys that replaced the key in hand within this time mean that it is put back repeatedly. */
const REPEATED_WITHIN_MS = 7 * DAY_MS

/** Whether the key in hand was already replaced shortly before the newest key; keys of the same hour are one attempt. */
function wasReplacedBefore(newer: readonly ListedKey[], newest: ListedKey): boolean {
  return newer.some((key) => {
    const earlier = creationOf(newest) - creationOf(key)
    return earlier >= MIN_GAP_MS && earlier <= REPEATED_WITHIN_MS
  })
}

function creationOf({ createdAt }: ListedKey): number {
  return createdAt ?? Number.NEGATIVE_INFINITY
}

/** What a person should know and do, in a line; null if there is no alarm. */
export function expiryWarning(current: ListedKey, facts: ExpiryFacts): string | null {
  const alarm = expiryAlarm(facts)
  const { expiresAt } = current
  if (alarm === 'none') return null
  if (alarm === 'stuck' || expiresAt === null)
    return `The key ${keyLabel(current)} ${STUCK}, and run the workflow again.${facts.rotated ? '' : UNTIL_DUE}`
  const days = Math.max(0, Math.floor((expiresAt - facts.now) / DAY_MS))
  const left = days === 1 ? '1 day' : `${days} days`
  const why = facts.failed ? 'was not replaced. Fix what this run reports' : STUCK
  if (alarm === 'soon')
    return `The key ${keyLabel(current)} expires at ${formatUtc(expiresAt)} (in ${left}) and ${why}, and run the workflow again.`
  return (
    `URGENT: the key ${keyLabel(current)} expires at ${formatUtc(expiresAt)} (in ${left}), and jobs that use it fail from then on. ` +
    `It ${why}, and run the workflow again today, or create a key in the dashboard and save it in the secret.`
  )
}

const UNTIL_DUE = ' Until then, keys are only created when the newest one is due.'

const STUCK =
  'was replaced by earlier runs, but is still passed as api-key. Check that api-key comes from the secret that this action writes'
