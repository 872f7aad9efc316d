import type { Clock } from '../retry/budget.ts'

/** Milliseconds since the machine started, which no one can set. */
const uptime = () => Number(process.hrtime.bigint() / 1_000_000n)

/** In milliseconds since 1970, by the clock as it is set now. */
export const bootedAt = Date.now() - uptime()

/** The machine's clock, monotonic within this process. */
export const systemClock: Clock = {
  now: () => bootedAt + uptime(),
  sleep: (duration, signal) =>
    process
      .getBuiltinModule('node:timers/promises')
      .setTimeout(duration, undefined, { signal })
      .catch(() => {}),
}
