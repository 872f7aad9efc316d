import type { ListedKey } from '../api/parse-list.ts'
import type { KeyInfo } from '../api/parse-response.ts'
import type { ServerTime } from '../util/brands.ts'
import {
  fitOf,
  gridShownBy,
  type Intent,
  isCapped,
  isWithin,
  LATE_WRITE_GRACE_MS,
  LATEST_WRITE_MS,
  nearestZone,
  zoneShift,
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
  const wasThen = (created: ServerTime, grace = LATE_WRITE_GRACE_MS) => {
    const [from, to] = [intent.sentAt, intent.deadline + grace]
    return (
      isWithin(created, { from, to, skews }) || isWithin(created, { from: from - shift, to: to - shift, skews: [] })
    )
  }
  // A server that writes local times without an offset shifts both of them.
  const shiftOf = ({ expiresAt }: KeyInfo) => zoneShift(intent, expiresAt)
  const inWindow = (key: KeyInfo) => key.createdAt !== null && wasThen(key.createdAt - shiftOf(key))
  const shownGrid = Math.min(grid, gridShownBy(list))
  const fitness = (key: KeyInfo) => {
    if (key.expiresAt === null) return 'none'
    const expiry = key.expiresAt - shiftOf(key)
    return fitOf(intent, expiry, shownGrid) === 'exact' ? 'exact' : fitOf(intent, expiry, grid)
  }

  const exact = others.filter((key) => fitness(key) === 'exact')
  const [only, another] = exact.filter(inWindow)
  if (only && !another) return { kind: 'found', key: only }
  // Without a usable expiry, only the time identifies a key, perhaps in another zone.
  const isSuspect = (key: KeyInfo) => {
    const { createdAt, expiresAt } = key
    if (createdAt === null || (expiresAt !== null && !isCapped(key, intent))) return false
    const zone = nearestZone(createdAt, intent.sentAt)
    return wasThen(createdAt, LATEST_WRITE_MS) || wasThen(createdAt - zone, LATEST_WRITE_MS)
  }
  const near = others.filter((key) => fitness(key) === 'near' || isSuspect(key))
  const candidates = exact.length > 0 ? exact : near
  return candidates.length > 0 ? { kind: 'ambiguous', candidates } : { kind: 'absent' }
}
