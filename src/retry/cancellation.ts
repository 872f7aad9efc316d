/** Milliseconds since the first signal. The runner kills after 10 s (actions/runner, ProcessInvoker). */
export const CANCEL = {
  RESPONSE_GRACE_MS: 5_000,
  LAST_REQUEST_MS: 6_500,
  EXIT_MS: 6_900,
} as const

/** Whether and when (by this machine's clock, milliseconds) the job was cancelled. */
export type Cancellation = ReturnType<typeof createCancellation>

/** Only the first call of `request` counts. */
export function createCancellation(now: () => number) {
  const controller = new AbortController()
  const { signal } = controller
  return {
    signal,
    get requestedAt(): number | null {
      return signal.aborted ? signal.reason : null
    },
    request: () => controller.abort(now()),
  }
}
