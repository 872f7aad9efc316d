const INITIAL_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 20_000

/**
 * How long to wait before the next attempt, in milliseconds: exponential with full jitter, on top of what the server
 * asked for, if it did. `failures` counts the attempts that failed so far (1 or more); `random` is in [0, 1).
 * `spread`, if it is longer, takes the place of the exponential one; neither is more than `most`.
 */
export function backoff(
  failures: number,
  retryAfter: number | undefined,
  random: number,
  spread = 0,
  most = Infinity,
): number {
  const exponential = Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** (failures - 1))
  return Math.ceil((retryAfter ?? 0) + random * Math.min(Math.max(exponential, spread), most))
}

/** The wait that a Retry-After header asks for, in milliseconds: whole seconds, or a date seen from `now`. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
