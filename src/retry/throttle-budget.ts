// A file of its own, to keep this out of what the main step loads.
import { type Budget, type Clock, createBudget } from './budget.ts'

/** Waits for rate limits extend the budget, up to `latest` (milliseconds since 1970); `onWait` is told of each. */
export function throttleBudget(deadline: number, latest: number, clock: Clock, onWait: (wait: number) => void): Budget {
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
