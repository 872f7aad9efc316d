const FIRST_WAIT = 500
const LONGEST_WAIT = 20_000

/**
 * How long to wait before the next attempt, in milliseconds: exponential with full jitter, after what the
 * server asked for, if it did. The jitter comes on top of Retry-After, so that jobs told the same moment do not
 * return together. `failures` counts the attempts that failed so far (1 or more); `random` is in [0, 1).
 */
export function backoff(failures: number, retryAfter: number | undefined, random: number): number {
  const spread = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (failures - 1))
  return Math.ceil((retryAfter ?? 0) + random * spread)
}

/** The wait that a Retry-After header asks for, in milliseconds: whole seconds, or a date seen from `now`. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
