// Used by the post step alone; a file of its own keeps it out of what the main step loads.
import { type Budget, type Clock, createBudget } from './budget.ts'

/**
 * A budget until `deadline` that does not count the waits that a rate limit asks for, as long as they lead no further
 * than `latest`. Both in milliseconds since 1970; `onWait` is told of each such wait, in milliseconds.
 */
export function throttleBudget(
  deadline: number,
  latest: number,
  clock: Clock,
  onWait: (wait: number) => void,
): Budget {
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
