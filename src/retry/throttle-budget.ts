import { type Budget, type Clock, createBudget } from './budget.ts'

/**
 * A budget until `deadline` that does not count the time for which a throttled server sends us away, as long as that
 * leads no further than `latest`. Both in milliseconds since 1970; `onWait` is told of each such wait, in milliseconds.
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
