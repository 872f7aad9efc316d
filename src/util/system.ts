import type { Clock } from '../retry/budget.ts'

/** Milliseconds since the machine started: the same for all its processes, and nobody can set it. */
const uptime = () => Number(process.hrtime.bigint() / 1_000_000n)

/** When the machine started, in milliseconds since 1970, by its clock as it is set while this process starts. */
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
