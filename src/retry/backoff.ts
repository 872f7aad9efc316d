interface BackoffOptions {
  /** What the server asked for, in milliseconds; the rest comes on top. */
  retryAfter?: number | undefined
  /** Replaces a shorter exponential wait. Neither exceeds `most`. */
  spread?: number
  most?: number
}

const INITIAL_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 20_000

/** In milliseconds, with full jitter. `failures` is 1 or more, `random` in [0, 1). */
export function backoff(
  failures: number,
  random: number,
  { retryAfter = 0, spread = 0, most = Infinity }: BackoffOptions = {},
): number {
  const exponential = Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** (failures - 1))
  return Math.ceil(retryAfter + random * Math.min(Math.max(exponential, spread), most))
}

/** RFC 9110, 5.6.7, but for C's asctime. Date.parse alone takes `4s` for a day in 2001. */
const HTTP_DATE = /^\s*[A-Z][a-z]+, \d\d[ -][A-Z][a-z]{2}[ -](\d{4}|\d\d) [\d:]{8} GMT\s*$/

/** Milliseconds since 1970; NaN for any other text. */
export function parseHttpDate(text: string): number {
  return HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
}

/** Milliseconds; undefined if the header is unreadable. `now` is by the server's clock. */
export function parseRetryAfter(header = '', now: number): number | undefined {
  const [, seconds] = /^\s*(\d+(?:\.\d*)?)\s*(?:,|$)/.exec(header) ?? []
  const wait = seconds === undefined ? parseHttpDate(header) - now : Math.ceil(Number(seconds)) * 1000
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}
