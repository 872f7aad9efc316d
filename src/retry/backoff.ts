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

/** No server means to send a client away for longer than a year. */
const MAX_RETRY_AFTER_MS = 365 * 86_400_000

/**
 * The wait that a Retry-After header asks for, in milliseconds, by RFC 9110: seconds, or an HTTP date seen from `now`
 * (by the server's clock). Takes fractions (rounded up) and the first number of a list (two joined headers) as well.
 * Undefined for anything else.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const [, seconds] = /^\s*(\d+(?:\.\d*)?)\s*(?:,|$)/.exec(header ?? '') ?? []
  const wait = seconds === undefined ? parseHttpDate(header ?? '') - now : Math.ceil(Number(seconds)) * 1000
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), MAX_RETRY_AFTER_MS)
}

/** The three forms of RFC 9110, section 5.6.7. Date.parse alone takes `4s` for a day in 2001. */
const HTTP_DATE =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} [\d:]{8} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})$/

/** An HTTP date in milliseconds since 1970; NaN for any other text. */
export function parseHttpDate(text: string): number {
  const date = text.trim()
  if (!HTTP_DATE.test(date)) return Number.NaN
  // The oldest form has no zone, and means GMT as well.
  return Date.parse(date.endsWith('GMT') ? date : `${date} GMT`)
}
