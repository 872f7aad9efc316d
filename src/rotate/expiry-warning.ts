import type { ListedKey } from '../api/key-api.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import { holdsOlderKey, isOwn, MIN_GAP_MS, type RetirementFacts } from './decisions.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** How long before the expiry of a key that is not being replaced a run warns, and warns more urgently. */
const SOON_MS = 14 * DAY_MS
const URGENT_MS = 7 * DAY_MS
/** A new key should be the key in hand by then: a run a day, and one that was skipped. */
const NOT_RECEIVED_AFTER_MS = 2 * DAY_MS

/** How urgent it is that a person acts. */
export type ExpiryAlarm = 'none' | 'soon' | 'urgent'

/** What decides whether a run warns. Instants are milliseconds since 1970 by the API's clock. */
export interface ExpiryFacts {
  current: Pick<ListedKey, 'expiresAt'>
  /** Whether the run failed without replacing the key. */
  failed: boolean
  /** Whether earlier runs replaced the key, and this run received it nevertheless. */
  stuck: boolean
  now: number
}

/**
 * Whether the key in hand will expire because rotation does not work. Only a run that fails or is stuck warns: with a
 * short `expires-in`, the key of a rotation that works is also close to its expiry when it is replaced.
 */
export function expiryAlarm({ current: { expiresAt }, failed, stuck, now }: ExpiryFacts): ExpiryAlarm {
  if (expiresAt === null || !(failed || stuck)) return 'none'
  const left = expiresAt - now
  if (left > SOON_MS) return 'none'
  return left > URGENT_MS ? 'soon' : 'urgent'
}

interface StuckFacts extends Pick<RetirementFacts, 'keys' | 'current' | 'tag' | 'now'> {
  /** When the secret that the key in hand should come from was last written; null if unknown. */
  homeUpdatedAt: number | null
}

/**
 * Whether a key of this rotation is newer than the key in hand, and old enough that runs should have received it. A key
 * that only a copy got does not count.
 */
export function isStuck({ keys, current, tag, now, homeUpdatedAt }: StuckFacts): boolean {
  const { createdAt: currentCreatedAt } = current
  if (currentCreatedAt === null) return false
  return keys.some(
    (key) =>
      isOwn(key, tag) &&
      !holdsOlderKey(homeUpdatedAt, key) &&
      key.createdAt !== null &&
      key.createdAt >= currentCreatedAt + MIN_GAP_MS &&
      key.createdAt <= now - NOT_RECEIVED_AFTER_MS,
  )
}

/** What a person should know and do, in a line; null if there is no alarm. */
export function expiryWarning(current: ListedKey, facts: ExpiryFacts): string | null {
  const alarm = expiryAlarm(facts)
  const { expiresAt } = current
  if (alarm === 'none' || expiresAt === null) return null
  const days = Math.max(0, Math.floor((expiresAt - facts.now) / DAY_MS))
  const left = days === 1 ? '1 day' : `${days} days`
  const why = facts.failed
    ? 'was not replaced. Fix what this run reports'
    : 'was replaced by earlier runs, but is still passed as api-key. Check that api-key comes from the secret that this action writes'
  if (alarm === 'soon')
    return `The key ${keyLabel(current)} expires at ${formatUtc(expiresAt)} (in ${left}) and ${why}, and run the workflow again.`
  return (
    `URGENT: the key ${keyLabel(current)} expires at ${formatUtc(expiresAt)} (in ${left}), and jobs that use it fail from then on. ` +
    `It ${why}, and run the workflow again today, or create a key in the dashboard and save it in the secret.`
  )
}
