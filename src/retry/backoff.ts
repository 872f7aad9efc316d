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

/** The three forms of RFC 9110, section 5.6.7; the last one has no zone. Date.parse alone takes `4s` for a day in 2001. */
const HTTP_DATE =
  /^\s*([A-Z][a-z]+, \d\d[ -][A-Z][a-z]{2}[ -](\d{4}|\d\d) [\d:]{8} GMT|([A-Z][a-z]{2} ){2}[ \d]\d [\d:]{8} \d{4})\s*$/
/** A year: no server means more. */
const MAX_RETRY_AFTER_MS = 365 * 86_400_000

/**
 * The wait that a Retry-After header asks for, in milliseconds: seconds, or an HTTP date seen from `now` (by the
 * server's clock); undefined if it is neither. Fractions are rounded up, and of a list (two headers), the first counts.
 */
export function parseRetryAfter(header = '', now: number): number | undefined {
  const [, seconds] = /^\s*(\d+(?:\.\d*)?)\s*(?:,|$)/.exec(header) ?? []
  const date = HTTP_DATE.test(header) ? Date.parse(header.replace(/(\d{4})\s*$/, '$1 GMT')) : Number.NaN
  const wait = seconds === undefined ? date - now : Math.ceil(Number(seconds)) * 1000
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), MAX_RETRY_AFTER_MS)
}
