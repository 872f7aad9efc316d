/**
 * What a cancelled job leaves main, in milliseconds since the first signal. The runner sends SIGTERM 7.5 s after SIGINT
 * and kills 2.5 s later (actions/runner, ProcessInvoker), so main has ended by 7 s.
 */
export const CANCEL = {
  /** The longest that a response is waited for whose request was already sent. */
  RESPONSE_GRACE_MS: 5_000,
  /** No request goes on after this. */
  LAST_REQUEST_MS: 6_500,
  /** Main ends, whatever it waits for. */
  EXIT_MS: 6_900,
} as const

/** Whether and when (by this machine's clock, milliseconds) the job was cancelled. */
export interface Cancellation {
  readonly signal: AbortSignal
  readonly requestedAt: number | null
}

/** A cancellation that is requested by calling `request`; only the first call counts. */
export function createCancellation(now: () => number): Cancellation & { request(): void } {
  const controller = new AbortController()
  let requestedAt: number | null = null
  return {
    signal: controller.signal,
    get requestedAt() {
      return requestedAt
    },
    request() {
      requestedAt ??= now()
      controller.abort()
    },
  }
}
