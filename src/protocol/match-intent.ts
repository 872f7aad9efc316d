import type { ListedKey } from '../api/key-api.ts'
import type { ServerTime } from '../util/brands.ts'
import {
  fitOf,
  gridBetween,
  type Intent,
  isCapped,
  isOnCoarseGrid,
  isWithin,
  nearestZone,
  withoutZone,
} from './intent.ts'

/** After this, even a slow server has carried out a request. */
export const LATE_WRITE_GRACE_MS = 15_000
/** No server carries a request out this long after its deadline. */
export const LATEST_WRITE_MS = 10 * 60_000

export interface Match {
  /** The orphan, if one key is certainly it. */
  key: ListedKey | null
  /** Else a near miss, another time, or a key without an expiry: each may be the orphan, or another run's key. */
  candidates: ListedKey[]
}

export interface ListContext {
  /** Ids that are known: of keys that this run holds or revoked. */
  known: ReadonlySet<string>
  /** By how much our clock was set since the request was sent, in milliseconds: it may have been right before. */
  shift: number
  /** The server's clock less ours as it is now, in milliseconds: by `Date`, and by what main learned; null if unknown. */
  dateSkew: number | null
  skew: number | null
  /** The coarsest grid on which the server may keep an expiry, as this run's keys show it, in microseconds. */
  grid: number
}

/** Found only if a single key has exactly the expiry, and was created in the window. */
export function matchIntent(intent: Intent, list: readonly ListedKey[], context: ListContext): Match {
  const { known, shift, dateSkew, skew, grid } = context
  const rows = list.filter(({ id }) => !known.has(id)).map((key) => ({ key, ...withoutZone(key, intent) }))
  const wasThen = (created: ServerTime | null, inAnyZone = false) => {
    const end = intent.deadline + (inAnyZone ? LATEST_WRITE_MS : LATE_WRITE_GRACE_MS)
    return [0, shift].some((moved) => {
      const skews = [dateSkew, skew === null ? null : skew + moved]
      return isWithin(created, { from: intent.sentAt - moved, to: end - moved, skews, inAnyZone })
    })
  }
  const listGrid = gridShownBy(list)
  const [finest, coarsest] = [Math.min(grid, listGrid), Math.max(grid, listGrid)]
  const exact = rows.filter(
    ({ expiresAt }) => !isRoundedOtherwise(intent, expiresAt) && fitOf(intent, expiresAt, finest) === 'exact',
  )
  const [only, another] = exact.filter(({ createdAt }) => wasThen(createdAt))
  if (only && !another) return { key: only.key, candidates: [] }
  const near = rows.filter(({ key, expiresAt }) => {
    // Without a usable expiry, only the time identifies a key, in any zone.
    const isSuspect = (key.expiresAt === null || isCapped(key, intent)) && wasThen(key.createdAt, true)
    return isSuspect || fitOf(intent, expiresAt, coarsest) !== 'none'
  })
  return { key: null, candidates: (exact.length > 0 ? exact : near).map(({ key }) => key) }
}

/** Twins expire alike where the response and the list round alike. */
function isRoundedOtherwise({ expiry, stored }: Intent, expiresAt: ServerTime | null): boolean {
  if (!stored || !expiresAt || gridBetween(stored, expiresAt) === 1) return false
  return gridBetween(expiry, stored) !== 1 && gridBetween(expiry, expiresAt) !== 1
}

const COARSEST_GRID_US = 60_000_000

/** The coarsest grid of a server that stored these; Infinity if it may compute expiries anew. */
export function gridShownBy(keys: readonly { expiresAt: ServerTime | null; asked?: ServerTime }[]): number {
  const shown = keys.map(({ expiresAt, asked }) => {
    if (!asked || !expiresAt) return { expiry: expiresAt, grid: 0 }
    const expiry = expiresAt - nearestZone(expiresAt, asked)
    return { expiry, grid: gridBetween(asked, expiry) }
  })
  if (keys.length === 0 || shown.some(({ grid }) => grid === null)) return Infinity
  // What the server only repeats may be stored on any grid.
  const stored = shown.flatMap(({ expiry, grid }) => (grid === 1 ? [] : (expiry ?? [])))
  if (stored.some((expiry) => Math.round(expiry * 1000) % 1000 !== 0)) return 1
  if (!stored.every(isOnCoarseGrid)) return 1000
  return stored.length > 0 ? Infinity : COARSEST_GRID_US
}
