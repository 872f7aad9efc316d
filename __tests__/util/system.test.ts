import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { bootedAt, systemClock } from '../../src/util/system.ts'

const MODULE = new URL('../../src/util/system.ts', import.meta.url)
/**
 * The real clock is the subject here. Lower bounds are exact, but for the rounding of Node's timers; upper bounds only
 * tell a clock that works from one that does not, and hold on a machine that stalls for seconds.
 */
const ROUNDING_MS = 2
const STALL_MS = 30_000

describe('the system clock', () => {
  afterEach(() => {
    jest.restoreAllMocks()
  })

  test('sleeps at least as long as asked', async () => {
    const startedAt = systemClock.now()
    await systemClock.sleep(20)
    expect(systemClock.now() - startedAt).toBeGreaterThanOrEqual(20 - ROUNDING_MS)
  })

  test('ends a sleep when the signal is aborted, and every later one at once', async () => {
    const startedAt = performance.now()
    const controller = new AbortController()
    const sleeping = systemClock.sleep(10 * STALL_MS, controller.signal)
    controller.abort()
    await sleeping
    await systemClock.sleep(10 * STALL_MS, controller.signal)
    expect(performance.now() - startedAt).toBeLessThan(STALL_MS)
  })

  test('is close to the time of the machine', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(STALL_MS)
  })

  test('does not change when the time of the machine is set', () => {
    const before = systemClock.now()
    jest.spyOn(Date, 'now').mockReturnValue(0)
    expect(systemClock.now()).toBeGreaterThanOrEqual(before)
    expect(systemClock.now() - before).toBeLessThan(STALL_MS)
  })

  test('starts at the same instant for every process of the machine', () => {
    const source = `import { bootedAt } from '${MODULE}'; console.log(bootedAt)`
    const other = execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
      encoding: 'utf8',
    })
    // Not the time at which each of them was started, some 1,700,000,000,000 ms apart from a clock that begins with it.
    expect(Math.abs(Number(other) - bootedAt)).toBeLessThan(STALL_MS)
  })
})
