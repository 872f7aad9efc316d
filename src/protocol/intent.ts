import type { KeyInfo } from '../api/parse-response.ts'
import type { LocalTime, ServerTime } from '../util/brands.ts'

/**
 * What one create request asks for, saved before it is sent so that its key can be identified if the response is lost.
 * The API lets a client choose nothing but `expiry`, so the expiry itself is the marker. Times are milliseconds since
 * 1970, with microseconds as a fraction.
 */
export interface Intent {
  /** The expiry asked for, by the server's clock. */
  expiry: ServerTime
  /** When the request was sent and when waiting for its response ends, by this machine's clock. */
  sentAt: LocalTime
  deadline: LocalTime
  /** The expiry in a response that came so late that a gateway may have sent the request twice. */
  stored?: ServerTime | null
  /** The key that the response described (for a person), if nothing showed that this run made it; else empty. */
  refused: string
}

type KeyTimes = Pick<KeyInfo, 'createdAt' | 'expiresAt'>

export const PRECISIONS_US = [1, 1000, 1_000_000] as const
/** How finely an expiry is requested, in microseconds: a server may refuse more digits than it keeps. */
export type Precision = (typeof PRECISIONS_US)[number]

/** Time zones are multiples of 15 minutes, up to 14 hours. */
const ZONE_STEP_MS = 15 * 60_000
const MAX_ZONE_MS = 14 * 3_600_000

/** For an expiry that no other run is likely to request. */
const MAX_SHORTENING = 0.05

export interface IntentOptions {
  /** This machine's clock, and what to add to it to get the server's, in milliseconds. */
  now: LocalTime
  skew: number
  /** In milliseconds; the key never lives longer. */
  lifetime: number
  /** How long the response is waited for, in milliseconds. */
  timeout: number
  precision: Precision
  /** In [0, 1). */
  random: number
}

/** Up to 5% before the end of `lifetime`, by the server's clock. */
export function createIntent({ now, skew, lifetime, timeout, precision, random }: IntentOptions): Intent {
  const latest = (now + skew + lifetime - random * lifetime * MAX_SHORTENING) * 1000
  const kept = Math.floor(latest / precision) * precision
  // On the next coarser grid, it would look like other runs' keys.
  const isCoarse = precision === 1 ? kept % 1000 === 0 : precision === 1000 && isOnCoarseGrid(kept / 1000)
  const expiry = (isCoarse ? kept - precision : kept) / 1000
  return { expiry, sentAt: now, deadline: now + timeout, refused: '' }
}

/** Servers keep an expiry on one of these; 10 ms is also SQL Server's 1/300 s. */
const GRIDS_US = [1000, 10_000, 1_000_000, 60_000_000]

/** The finest grid on which a server turns `asked` into `stored`, or null. */
export function gridBetween(asked: ServerTime, stored: ServerTime): number | null {
  const micros = Math.round(stored * 1000)
  const lost = Math.round(asked * 1000) - micros
  if (lost === 0) return 1
  const fits = (grid: number) => {
    // By rounding to the nearest, down or (but for 1 ms, where a match proves more) up.
    const isRounded = lost < grid && lost >= (grid > 1000 ? 1 - grid : -grid / 2)
    return isRounded && (grid === 10_000 ? isOnCoarseGrid(stored) : micros % grid === 0)
  }
  return GRIDS_US.find(fits) ?? null
}

/** Some servers compute it anew, or round up. */
const MAX_DRIFT_MS = 50

/** 1/300 s is written with a last digit of 0, 3 or 7. */
export function isOnCoarseGrid(stored: ServerTime): boolean {
  return [0, 3000, 7000].includes(Math.round(stored * 1000) % 10_000)
}

/** `exact` proves that this request made the key (odds: docs/design.md), `near` does not. */
export function fitOf(intent: Intent, stored: ServerTime | null, grid = Infinity): 'exact' | 'near' | 'none' {
  if (stored === null) return 'none'
  const drifted = Math.abs(stored - intent.expiry) < MAX_DRIFT_MS ? Infinity : NaN
  const needed = gridBetween(intent.expiry, stored) ?? drifted
  if (!(needed <= grid)) return 'none'
  const isWholeSecond = Math.round(intent.expiry * 1000) % 1_000_000 === 0
  // On a coarse grid, other runs' keys share the few values.
  const mayBeCoarse = needed > 1 && grid > 1000 && isOnCoarseGrid(stored)
  return needed > 1000 || isWholeSecond || mayBeCoarse ? 'near' : 'exact'
}

/** The zone (ms) that brings `local` nearest to `instant`, or 0. */
export function nearestZone(local: number, instant: number): number {
  const shift = Math.round((local - instant) / ZONE_STEP_MS) * ZONE_STEP_MS
  return Math.abs(shift) <= MAX_ZONE_MS ? shift : 0
}

/** The key's times without the offset (`zone`, in ms) of a server that writes local times. */
export function withoutZone({ createdAt, expiresAt }: KeyTimes, intent: Intent): KeyTimes & { zone: number } {
  const nearest = expiresAt === null ? 0 : nearestZone(expiresAt, intent.expiry)
  const moved = (time: ServerTime | null, zone: number) => (time === null ? null : time - zone)
  const zone = fitOf(intent, moved(expiresAt, nearest)) === 'none' ? 0 : nearest
  return { createdAt: moved(createdAt, zone), expiresAt: moved(expiresAt, zone), zone }
}

/** `Date` has whole seconds, and takes a while to arrive. */
const CLOCK_SLACK_MS = 5_000
/** Our own clock is corrected only beyond a minute. */
const LOCAL_CLOCK_SLACK_MS = 65_000

interface Window {
  from: LocalTime
  to: LocalTime
  /** What the server's clock may be, less ours, in milliseconds; null for one that is not known. */
  skews: readonly (number | null)[]
  /** Ours is as right as the server's. */
  isStrict?: boolean
  /** `created` may be a local time of any zone. The window must be shorter than 15 minutes. */
  inAnyZone?: boolean
}

/** By our clock, or by one that differs by one of `skews`. */
export function isWithin(created: ServerTime | null, { from, to, skews, isStrict, inAnyZone }: Window): boolean {
  if (created === null) return false
  const fits = (skew: number, slack: number) => {
    const late = created - (from + skew - slack)
    const zone = inAnyZone ? Math.floor(late / ZONE_STEP_MS) * ZONE_STEP_MS : 0
    return Math.abs(zone) <= MAX_ZONE_MS && zone <= late && late <= to - from + 2 * slack + zone
  }
  const isNow = fits(0, isStrict ? CLOCK_SLACK_MS : LOCAL_CLOCK_SLACK_MS)
  return isNow || skews.some((skew) => skew !== null && fits(skew, CLOCK_SLACK_MS))
}

/** Limits of an API are about whole minutes, expiries of other runs are not. */
export function isCapped({ createdAt, expiresAt }: KeyTimes, intent: Intent): boolean {
  if (createdAt === null || expiresAt === null) return false
  if (expiresAt - Math.max(0, nearestZone(createdAt, intent.sentAt)) >= intent.expiry) return false
  const lifetime = expiresAt - createdAt
  return lifetime >= 60_000 && Math.abs(lifetime - Math.round(lifetime / 60_000) * 60_000) <= 50
}
