/**
 * What a cancelled job leaves main, in milliseconds since the first signal. The runner sends SIGTERM 7.5 s
 * after SIGINT and kills 2.5 s later, so main has ended by 7 s.
 */
export const CANCEL = {
  /** The longest that a reply already on its way is waited for. */
  lastReply: 5_000,
  /** No request goes on after this. */
  lastRequest: 6_500,
  /** By now main ends, whatever it waits for. */
  end: 6_900,
}

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
