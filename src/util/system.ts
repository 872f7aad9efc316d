import type { LocalTime } from './brands.ts'

/** Milliseconds since the machine started, which no one can set. */
const uptime = () => Number(process.hrtime.bigint() / 1_000_000n)

/** In milliseconds since 1970, by the clock as it is set now. */
export const bootedAt = Date.now() - uptime()

/** The machine's clock in ms, monotonic within this process. */
export const systemClock = {
  now: (): LocalTime => bootedAt + uptime(),
  /** Resolves after `duration`, or as soon as `wake` is aborted. */
  async sleep(duration: number, wake?: AbortSignal): Promise<void> {
    const { setTimeout } = process.getBuiltinModule('node:timers/promises')
    await setTimeout(duration, undefined, { signal: wake }).catch(() => {})
  },
}

/** Time, as it is passed in. */
export type Clock = typeof systemClock
