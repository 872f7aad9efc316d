import type { ListedKey } from '../api/parse-list.ts'
import type { ServerTime } from '../util/brands.ts'
import {
  fitOf,
  type Intent,
  isCapped,
  isOnCoarseGrid,
  isWithin,
  LATE_WRITE_GRACE_MS,
  LATEST_WRITE_MS,
  nearestZone,
  UNKNOWN_GRID_US,
  withoutZone,
} from './intent.ts'

export type Match =
  | { kind: 'absent' }
  | { kind: 'found'; key: ListedKey }
  /** A near miss, another time, or a key without an expiry: it may be the orphan, or another run's key. */
  | { kind: 'ambiguous'; candidates: ListedKey[] }

export interface ListContext {
  /** Ids that are known: of keys that this run holds or revoked. */
  known: ReadonlySet<string>
  /** By how much our clock was set since the request was sent, in milliseconds: it may have been right before. */
  shift: number
  /** What the server's clock may be, less ours, in milliseconds; null for one that is not known. */
  skews: readonly (number | null)[]
  /** The coarsest grid on which the server may keep an expiry, as this run's keys show it, in microseconds. */
  grid: number
}

/** Found only if exactly one key has exactly the expiry, and was created in the window of the request. */
export function matchIntent(intent: Intent, list: readonly ListedKey[], context: ListContext): Match {
  const { known, shift, skews, grid } = context
  const others = list.filter(({ id }) => !known.has(id))
  const wasThen = (created: ServerTime | null, grace = LATE_WRITE_GRACE_MS) => {
    const [from, to] = [intent.sentAt, intent.deadline + grace]
    return [0, shift].some((moved) => isWithin(created, { from: from - moved, to: to - moved, skews }))
  }
  const inWindow = (key: ListedKey) => wasThen(withoutZone(key, intent).createdAt)
  const shownGrid = Math.min(grid, gridShownBy(list))
  const fitness = (key: ListedKey) => {
    const { expiresAt } = withoutZone(key, intent)
    if (fitOf(intent, expiresAt, shownGrid) === 'exact') return 'exact'
    return fitOf(intent, expiresAt, grid) === 'none' ? 'none' : 'near'
  }

  const exact = others.filter((key) => fitness(key) === 'exact')
  const [only, another] = exact.filter(inWindow)
  if (only && !another) return { kind: 'found', key: only }
  // Without a usable expiry, only the time identifies a key, perhaps in another zone.
  const isSuspect = (key: ListedKey) => {
    const { createdAt, expiresAt } = key
    if (createdAt === null || (expiresAt !== null && !isCapped(key, intent))) return false
    const zones = [0, nearestZone(createdAt, intent.sentAt)]
    return zones.some((zone) => wasThen(createdAt - zone, LATEST_WRITE_MS))
  }
  const near = others.filter((key) => fitness(key) === 'near' || isSuspect(key))
  const candidates = exact.length > 0 ? exact : near
  return candidates.length > 0 ? { kind: 'ambiguous', candidates } : { kind: 'absent' }
}

/** The coarsest grid of a server that stored all of these. */
export function gridShownBy(keys: readonly { expiresAt: ServerTime | null }[]): number {
  const stored = keys.flatMap(({ expiresAt }) => expiresAt ?? [])
  if (stored.some((expiry) => Math.round(expiry * 1000) % 1000 !== 0)) return 1
  return stored.every(isOnCoarseGrid) ? UNKNOWN_GRID_US : 1000
}
