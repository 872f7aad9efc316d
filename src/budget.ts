import { backoff } from './backoff.ts'
import { CANCEL, type Cancellation } from './cancellation.ts'
import type { CallLimits, Problem, Reply } from './key-api.ts'

/** Time, as it is passed in. Milliseconds. */
export interface Clock {
  now(): number
  /** Resolves after `duration`, or as soon as `wake` is aborted. */
  sleep(duration: number, wake?: AbortSignal): Promise<void>
}

/** The longest that one attempt may take, in milliseconds. */
export const ATTEMPT = 10_000
/** What is kept back for a last attempt, in milliseconds. */
const LAST_ATTEMPT = 1_000

/** How long a piece of work may still go on, in milliseconds. A cancelled job shortens it (see CANCEL). */
export interface Budget {
  left(): number
  /** Limits for one request: 10 s, or what is left. */
  limits(): CallLimits
  /** Waits, but no longer than is left; a cancellation ends the wait. */
  pause(duration: number): Promise<void>
  /** The server is throttled, and is asked again after `wait`: where this is there, it may make the budget longer. */
  bear?(wait: number): void
}

/** A budget that ends at `deadline` by `clock`. */
export function budgetUntil(deadline: number, clock: Clock, cancellation?: Cancellation): Budget {
  const left = () => {
    const requestedAt = cancellation?.requestedAt ?? null
    const end = requestedAt === null ? deadline : Math.min(deadline, requestedAt + CANCEL.lastRequest)
    return Math.max(0, end - clock.now())
  }
  // A signal that has already come shortens `left`; it must not cut short every wait that follows.
  const signalToCome = () => (cancellation?.requestedAt === null ? cancellation.signal : undefined)
  return {
    left,
    limits() {
      const cancel = signalToCome()
      const timeout = Math.max(1, Math.min(ATTEMPT, left()))
      return cancel ? { timeout, cancel, grace: CANCEL.lastReply } : { timeout }
    },
    pause: (duration) => clock.sleep(Math.min(duration, left()), signalToCome()),
  }
}

/**
 * Repeats a call that may be repeated (list, revoke, probe) until it succeeds, fails for good (or in a way that is not
 * `worthwhile` to try again), or the budget is spent. The last attempt is made even if the server asked for a longer
 * wait: a key that lives on is worse than a 429.
 */
export async function persist<T>(
  budget: Budget,
  random: () => number,
  attempt: (limits: CallLimits) => Promise<Reply<T>>,
  worthwhile = (problem: Problem) => problem.passing,
): Promise<Reply<T>> {
  for (let failures = 1; ; failures++) {
    const reply = await attempt(budget.limits())
    if (reply.ok || !worthwhile(reply.problem)) return reply
    const wait = backoff(failures, reply.problem.retryAfter, random())
    if (reply.problem.status === 429) budget.bear?.(wait)
    if (budget.left() <= LAST_ATTEMPT) return reply
    await budget.pause(Math.min(wait, budget.left() - LAST_ATTEMPT))
  }
}
