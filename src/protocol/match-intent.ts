import type { ListedKey } from '../api/parse-list.ts'
import type { KeyInfo } from '../api/parse-response.ts'
import { fitOf, type Intent, isOnCoarseGrid, isWithin, LATE_WRITE_GRACE_MS, zoneShift } from './intent.ts'

export type Match =
  | { kind: 'absent' }
  | { kind: 'found'; key: ListedKey }
  /** Something is there that may be the orphan, but cannot be told from another run's key. */
  | { kind: 'ambiguous'; candidates: ListedKey[] }

export interface ListContext {
  /** Ids that are known: of keys that this run holds or revoked. */
  known: ReadonlySet<string>
  /** What the server's clock may be, less ours, in milliseconds; null for one that is not known. */
  skews: readonly (number | null)[]
  /** The coarsest grid on which the server may keep an expiry, in microseconds. */
  grid: number
}

/**
 * Is one of the listed keys the one that the request of `intent` made? Found only if exactly one key, created in the
 * window of the request, has exactly the expiry asked for. A near miss, a match at another time, or a key without an
 * expiry that was created in the window is ambiguous.
 */
export function matchIntent(intent: Intent, list: readonly ListedKey[], context: ListContext): Match {
  const { known, skews, grid } = context
  const to = intent.deadline + LATE_WRITE_GRACE_MS
  const others = list.filter(({ id }) => !known.has(id))
  const inWindow = ({ createdAt }: KeyInfo) =>
    createdAt !== null && isWithin(createdAt, [intent.sentAt, to], skews)
  // Any expiry in the list that is on no coarse grid shows that the server keeps milliseconds.
  const isFine = list.some(({ expiresAt }) => expiresAt !== null && !isOnCoarseGrid(expiresAt))
  const fitness = ({ expiresAt }: KeyInfo) => {
    if (expiresAt === null) return 'none'
    const isExact = isFine && fitOf(intent, expiresAt, Math.min(grid, 1000)) === 'exact'
    return isExact ? 'exact' : fitOf(intent, expiresAt, grid)
  }

  const exact = others.filter((key) => fitness(key) === 'exact')
  const [only] = exact
  if (only && exact.length === 1 && inWindow(only)) return { kind: 'found', key: only }
  const isNear = (key: ListedKey) => fitness(key) === 'near' && (key.createdAt === null || inWindow(key))
  // A server that ignores or garbles the expiry leaves nothing to identify its key by but the time.
  const isSuspect = (key: ListedKey) => key.expiresAt === null && inWindow(key)
  const near = others.filter((key) => isNear(key) || isSuspect(key) || zoneShift(intent, key.expiresAt) !== 0)
  const candidates = exact.length > 0 ? exact : near
  return candidates.length > 0 ? { kind: 'ambiguous', candidates } : { kind: 'absent' }
}
