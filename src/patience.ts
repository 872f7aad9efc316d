import { type Budget, budgetUntil, type Clock } from './budget.ts'

/**
 * A budget until `deadline` that does not count the time for which a throttled server sends us away, as long as that
 * leads no further than `latest`. Both in milliseconds since 1970; `onWait` is told of each such wait, in milliseconds.
 */
export function patientBudget(
  deadline: number,
  latest: number,
  clock: Clock,
  onWait: (wait: number) => void,
): Budget {
  let end = deadline
  const budget = () => budgetUntil(end, clock)
  return {
    left: () => budget().left(),
    limits: () => budget().limits(),
    pause: (duration) => budget().pause(duration),
    bear(wait) {
      if (end + wait > latest) return
      end += wait
      onWait(wait)
    },
  }
}
