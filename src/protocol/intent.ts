/**
 * What one create request asks for, saved before it is sent so that its key can be identified if the response is lost.
 * The API lets a client choose nothing but `expiry`, so the expiry itself is the marker. Times are milliseconds since
 * 1970, with microseconds as a fraction.
 */
export interface Intent {
  /** The expiry asked for, by the server's clock. */
  expiry: number
  /** When the request was sent and when waiting for its response ends, by this machine's clock. */
  sentAt: number
  deadline: number
  /** The response came and its key is known, but so late that a gateway may have sent the request twice. */
  answered: boolean
}

/** How finely the expiry is asked for, in microseconds: the server may refuse more digits than it keeps. */
export const PRECISIONS_US = [1, 1000, 1_000_000] as const
export type Precision = (typeof PRECISIONS_US)[number]

/** How long after the deadline of an unanswered request a slow server may still carry it out. */
export const LATE_WRITE_GRACE_MS = 15_000

/** Offsets of time zones are multiples of a quarter of an hour, up to 14 hours. */
const ZONE_STEP_MS = 15 * 60_000
const MAX_ZONE_MS = 14 * 3_600_000

/** At most this part of the lifetime is given up to make the expiry one that no other run is likely to ask for. */
const MAX_SHORTENING = 0.05

export interface IntentOptions {
  /** This machine's clock, and what to add to it to get the server's, in milliseconds. */
  now: number
  skew: number
  /** In milliseconds; the key never lives longer. */
  lifetime: number
  /** How long the response is waited for, in milliseconds. */
  timeout: number
  precision: Precision
  /** In [0, 1). */
  random: number
}

/** Chooses the expiry of one create request: `lifetime` from now by the server's clock, less a random part of up to 5%. */
export function createIntent({ now, skew, lifetime, timeout, precision, random }: IntentOptions): Intent {
  const latest = (now + skew + lifetime - random * lifetime * MAX_SHORTENING) * 1000
  const kept = Math.floor(latest / precision) * precision
  // Never on the next coarser grid by chance: on a server that keeps less, that would look like keys of other runs.
  const isCoarse = precision < 1_000_000 && kept % (precision * 1000) === 0
  return {
    expiry: (isCoarse ? kept - precision : kept) / 1000,
    sentAt: now,
    deadline: now + timeout,
    answered: false,
  }
}

/** Grids on which servers keep an expiry, in microseconds. 10 ms stands for SQL Server's 1/300 s as well. */
const GRIDS_US = [1000, 10_000, 1_000_000, 60_000_000]
/** The coarsest grid: what has to be assumed until a response shows a finer one. */
export const UNKNOWN_GRID_US = 60_000_000

/** By how many microseconds `stored` is less than `asked`. */
function microsLost(asked: number, stored: number): number {
  return Math.round(asked * 1000) - Math.round(stored * 1000)
}

/** The finest grid (microseconds) on which a server would have turned `asked` into `stored`, or null if on none. */
export function gridBetween(asked: number, stored: number): number | null {
  const lost = microsLost(asked, stored)
  return lost === 0 ? 1 : (GRIDS_US.find((grid) => fits(stored, lost, grid)) ?? null)
}

/**
 * The coarsest grid (microseconds) that one answered request allows for: an expiry can lie on a coarse grid by chance,
 * so a near miss up to this far may still be ours.
 */
export function coarsestGrid(asked: number, stored: number): number {
  const lost = microsLost(asked, stored)
  return GRIDS_US.findLast((grid) => fits(stored, lost, grid)) ?? (lost === 0 ? 1 : UNKNOWN_GRID_US)
}

/** Whether a server that rounds down, or to the nearest, would store this on `grid`. */
function fits(stored: number, lost: number, grid: number): boolean {
  if (lost >= grid || lost < -grid / 2) return false
  return grid === 10_000 ? isOnCoarseGrid(stored) : Math.round(stored * 1000) % grid === 0
}

/** Whether a server that keeps 10 ms, 1/300 s (written with a last digit of 0, 3 or 7) or less may have stored this. */
export function isOnCoarseGrid(stored: number): boolean {
  return [0, 3000, 7000].includes(Math.round(stored * 1000) % 10_000)
}

/**
 * How well a stored expiry fits the one that was asked for, on a server whose grid is at most `grid` microseconds.
 * `exact` proves that the request of this intent made the key (docs/design.md gives the odds), `near` does not.
 */
export function fitOf(intent: Intent, stored: number, grid: number): 'exact' | 'near' | 'none' {
  const needed = gridBetween(intent.expiry, stored)
  if (needed === null || needed > grid) return 'none'
  const isWholeSecond = Math.round(intent.expiry * 1000) % 1_000_000 === 0
  // On a coarse grid, keys of other runs share the few values that there are.
  const mayBeCoarse = needed > 1 && grid > 1000 && isOnCoarseGrid(stored)
  return needed > 1000 || isWholeSecond || mayBeCoarse ? 'near' : 'exact'
}

/** By how many milliseconds a server shifts times that it writes in a zone of its own without an offset; 0 if it does not. */
export function zoneShift(intent: Intent, stored: number | null): number {
  if (stored === null) return 0
  const shift = Math.round((stored - intent.expiry) / ZONE_STEP_MS) * ZONE_STEP_MS
  const isZone = shift !== 0 && Math.abs(shift) <= MAX_ZONE_MS
  return isZone && fitOf(intent, stored - shift, UNKNOWN_GRID_US) === 'exact' ? shift : 0
}

/** How far `created` may lie outside the window of a request: a `Date` header has whole seconds, and takes a while. */
const CLOCK_SLACK_MS = 5_000
/** The same by this machine's clock, which is corrected only beyond a minute. */
const LOCAL_CLOCK_SLACK_MS = 65_000

/**
 * Whether `created` lies between `from` and `to` (this machine's clock) by one of the clocks that may be right: ours, or
 * one that differs by one of `skews` (the server's clock less ours in milliseconds; null for one that is not known).
 */
export function isWithin(
  created: number,
  [from, to]: [from: number, to: number],
  skews: readonly (number | null)[],
): boolean {
  const fits = (skew: number, slack: number) => from + skew - slack <= created && created <= to + skew + slack
  return fits(0, LOCAL_CLOCK_SLACK_MS) || skews.some((skew) => skew !== null && fits(skew, CLOCK_SLACK_MS))
}
