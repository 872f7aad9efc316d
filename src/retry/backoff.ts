const INITIAL_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 20_000

/** The longest wait, in milliseconds. `failures` is 1 or more. */
export function longestBackoff(failures: number): number {
  return Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** (failures - 1))
}

/** With full jitter, on top of what the server asked for. `random` is in [0, 1). */
export function backoff(failures: number, random: number, retryAfter = 0): number {
  return Math.ceil(retryAfter + random * longestBackoff(failures))
}

/** RFC 9110, 5.6.7, but for C's asctime. Date.parse alone takes `4s` for a day in 2001. */
const HTTP_DATE = /^\s*[A-Z][a-z]+, \d\d[ -][A-Z][a-z]{2}[ -](\d{4}|\d\d) [\d:]{8} GMT\s*$/

/** Milliseconds since 1970; NaN for any other text. */
export function parseHttpDate(text: string): number {
  return HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
}

/** Milliseconds, at most 1e9; undefined if the header is unreadable. `now` is by the server's clock. */
export function parseRetryAfter(header = '', now: number): number | undefined {
  const [, seconds] = /^\s*(\d+(?:\.\d*)?)\s*(?:,|$)/.exec(header) ?? []
  const wait = seconds === undefined ? parseHttpDate(header) - now : Math.ceil(Number(seconds)) * 1000
  return Number.isNaN(wait) ? undefined : Math.max(0, Math.min(wait, 1e9))
}
