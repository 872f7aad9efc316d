// Loaded into a step's process before the step itself: its sleeps end at once, and its clock moves by as much. Whatever
// it does between two sleeps takes real time, so that a slow machine gives it no less of what it waits for.
// SLEEP_OVERSHOOT_MS makes each sleep end so much too late, as on a machine that stalls.
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'

const overshoot = Number(process.env.SLEEP_OVERSHOOT_MS ?? 0)
const uptime = process.hrtime.bigint
let skipped = 0n

process.hrtime.bigint = () => uptime() + skipped
timers.setTimeout = async (duration, value, { signal } = {}) => {
  signal?.throwIfAborted()
  skipped += BigInt(Math.round((duration + overshoot) * 1e6))
  await timers.setImmediate()
  return value
}
syncBuiltinESMExports()
