import type { ApiFailure, ApiResult, CallLimits } from '../api/key-api.ts'
import type { Clock } from '../util/system.ts'
import { backoff } from './backoff.ts'
import { CANCEL, type Cancellation } from './cancellation.ts'

export const MAX_ATTEMPT_MS = 10_000
const LAST_ATTEMPT_MS = 1_000
const MIN_LEFT_MS = 250

export type Budget = ReturnType<typeof createBudget>

interface BudgetOptions {
  /** Milliseconds since 1970, by `clock`. */
  deadline: number
  clock: Clock
  cancellation?: Cancellation
  /** Waits for rate limits extend the budget up to `latest`; `onWait` is told of each (in milliseconds). */
  throttle?: { latest: number; onWait(wait: number): void }
}

/** How long (ms) work may go on: to `deadline`, or less after a cancellation (CANCEL). */
export function createBudget({ deadline, clock, cancellation, throttle }: BudgetOptions) {
  let end = deadline
  let waitsUntil = 0
  const left = () => {
    const cancelledAt = cancellation?.requestedAt ?? Infinity
    return Math.max(0, Math.min(end, cancelledAt + CANCEL.LAST_REQUEST_MS) - clock.now())
  }
  // A signal that already came must not end every later wait.
  const signalToCome = () => (cancellation?.requestedAt === null ? cancellation.signal : undefined)
  return {
    left,
    limits(): CallLimits {
      const cancel = signalToCome()
      const timeout = Math.max(1, Math.min(MAX_ATTEMPT_MS, left()))
      return cancel ? { timeout, cancel, grace: CANCEL.RESPONSE_GRACE_MS } : { timeout }
    },
    /** Waits, but no longer than is left; a cancellation ends the wait. */
    pause: (duration: number): Promise<void> => clock.sleep(Math.min(duration, left()), signalToCome()),
    /** For a wait that the API asked for (429). */
    extend(wait: number): void {
      // Waits at the same time count once.
      const more = wait - Math.max(0, waitsUntil - clock.now())
      if (throttle === undefined || more <= 0 || end + more > throttle.latest) return
      end += more
      waitsUntil = clock.now() + wait
      throttle.onWait(wait)
    },
  }
}

export interface RetryOptions {
  budget: Budget
  /** In [0, 1). */
  random: () => number
  shouldRetry?(failure: ApiFailure): boolean
  /** Returns at once if the budget ends before the wait does. */
  isImpatient?: boolean
}

/** Retries until the budget is spent, at last even before Retry-After. */
export async function retry<T>(
  attempt: (limits: CallLimits) => Promise<ApiResult<T>>,
  { budget, random, shouldRetry = ({ retryable }) => retryable, isImpatient = false }: RetryOptions,
): Promise<ApiResult<T>> {
  for (let failures = 1; ; failures++) {
    const result = await attempt(budget.limits())
    if (result.ok || !shouldRetry(result.failure)) return result
    const wait = backoff(failures, random(), result.failure.retryAfter)
    if (result.failure.status === 429) budget.extend(wait)
    if (budget.left() <= (isImpatient ? wait : 0) + LAST_ATTEMPT_MS) return result
    await budget.pause(Math.min(wait, budget.left() - LAST_ATTEMPT_MS))
    // After a stall, another request would only hide this answer.
    if (budget.left() < MIN_LEFT_MS) return result
  }
}
