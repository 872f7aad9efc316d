// A file of its own, to keep this out of what the main step loads.
import { type Budget, type Clock, createBudget } from './budget.ts'

interface ThrottleOptions {
  /** Milliseconds since 1970, by `clock`; rate limits extend the budget up to `latest`. */
  deadline: number
  latest: number
  clock: Clock
  /** Is told of each wait (in milliseconds) that extended the budget. */
  onWait: (wait: number) => void
}

/** Waits for rate limits extend this budget. */
export function throttleBudget({ deadline, latest, clock, onWait }: ThrottleOptions): Budget {
  let end = deadline
  const budget = () => createBudget(end, clock)
  return {
    left: () => budget().left(),
    limits: () => budget().limits(),
    pause: (duration) => budget().pause(duration),
    extend(wait) {
      if (end + wait > latest) return
      end += wait
      onWait(wait)
    },
  }
}
