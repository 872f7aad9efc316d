/** Milliseconds since the first signal. The runner kills after 10 s (actions/runner, ProcessInvoker). */
export const CANCEL = {
  RESPONSE_GRACE_MS: 5_000,
  LAST_REQUEST_MS: 6_500,
  EXIT_MS: 6_900,
} as const

/** Whether and when (by this machine's clock, milliseconds) the job was cancelled. */
export interface Cancellation {
  readonly signal: AbortSignal
  readonly requestedAt: number | null
}

/** Only the first call of `request` counts. */
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
