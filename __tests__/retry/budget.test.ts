import { describe, expect, test } from '@jest/globals'
import type { ApiResult, CallLimits } from '../../src/api/key-api.ts'
import { createBudget, retry } from '../../src/retry/budget.ts'
import { createCancellation } from '../../src/retry/cancellation.ts'
import { clockOn, createTime } from '../simulation/time.ts'

/** Virtual time from 0, its clock, a cancellation, and what `act` came to in it. */
function setUp() {
  const time = createTime(0)
  const clock = clockOn(time, 0, () => true)
  return { time, clock, cancellation: createCancellation(clock.now) }
}

const failing = (more: object = {}): ApiResult<null> => ({
  ok: false,
  skew: null,
  failure: { message: 'no', mayHaveActed: true, retryable: true, ...more },
})

describe('a budget', () => {
  test('gives a request 10 s, or what is left if that is less, and at least 1 ms', async () => {
    const { time, clock } = setUp()
    const budget = createBudget({ deadline: 25_000, clock })
    expect(budget.limits()).toEqual({ timeout: 10_000 })
    await time.runUntil(clock.sleep(18_000))
    expect(budget.left()).toBe(7_000)
    expect(budget.limits()).toEqual({ timeout: 7_000 })
    await time.runUntil(clock.sleep(8_000))
    expect(budget.left()).toBe(0)
    expect(budget.limits()).toEqual({ timeout: 1 })
  })

  test('waits no longer than the time that is left', async () => {
    const { time, clock } = setUp()
    await time.runUntil(createBudget({ deadline: 3_000, clock }).pause(60_000))
    expect(time.now()).toBe(3_000)
    await time.runUntil(createBudget({ deadline: 9_000, clock }).pause(1_000))
    expect(time.now()).toBe(4_000)
  })

  test('ends 6.5 s after a signal, gives a response 5 s, and ends a wait at once', async () => {
    const { time, clock, cancellation } = setUp()
    const budget = createBudget({ deadline: 60_000, clock, cancellation })
    expect(budget.limits()).toEqual({ timeout: 10_000, cancel: cancellation.signal, grace: 5_000 })
    time.after(1_000, cancellation.request)
    await time.runUntil(budget.pause(30_000))
    expect(time.now()).toBe(1_000)
    expect(budget.left()).toBe(6_500)
    expect(budget.limits()).toEqual({ timeout: 6_500 })
    await time.runUntil(budget.pause(2_000))
    expect(time.now()).toBe(3_000)
    expect(budget.left()).toBe(4_500)
  })

  test('is not extended by a signal', async () => {
    const { clock, cancellation } = setUp()
    cancellation.request()
    expect(createBudget({ deadline: 2_000, clock, cancellation }).left()).toBe(2_000)
  })
})

describe('retry', () => {
  async function run(replies: ApiResult<null>[], deadline = 60_000, latest?: number) {
    const { time, clock } = setUp()
    const attempts: [at: number, timeout: number][] = []
    const told: number[] = []
    const throttle =
      latest === undefined ? {} : { throttle: { latest, onWait: (wait: number) => told.push(wait) } }
    const attempt = async ({ timeout }: CallLimits) => {
      attempts.push([time.now(), timeout])
      return replies[Math.min(attempts.length, replies.length) - 1] as ApiResult<null>
    }
    const done = retry(attempt, { budget: createBudget({ deadline, clock, ...throttle }), random: () => 0.5 })
    await time.runUntil(done)
    return { attempts, told, reply: await done }
  }
  const rateLimited = (retryAfter: number) => failing({ status: 429, mayHaveActed: false, retryAfter })

  test('stops at the first success', async () => {
    const { attempts, reply } = await run([failing(), failing(), { ok: true, skew: null, value: null }])
    expect(reply.ok).toBe(true)
    expect(attempts).toEqual([
      [0, 10_000],
      [250, 10_000],
      [750, 10_000],
    ])
  })

  test('stops at a failure that is not retryable', async () => {
    const { attempts } = await run([failing({ retryable: false })])
    expect(attempts).toHaveLength(1)
  })

  test('waits at least as long as Retry-After asks', async () => {
    const { attempts } = await run([failing({ retryAfter: 20_000 }), { ok: true, skew: null, value: null }])
    expect(attempts[1]).toEqual([20_250, 10_000])
  })

  test('makes a last attempt one second before the deadline, even if Retry-After asks for more', async () => {
    const { attempts, reply } = await run([failing({ retryAfter: 3_600_000 })], 5_000)
    expect(reply.ok).toBe(false)
    expect(attempts).toEqual([
      [0, 5_000],
      [4_000, 1_000],
    ])
  })

  test('returns at once, if impatient, where Retry-After asks for more than is left', async () => {
    const { time, clock } = setUp()
    const budget = createBudget({ deadline: 5_000, clock })
    const asking = async (retryAfter: number) => {
      const before = time.now()
      let attempts = 0
      const attempt = async () => (attempts++ === 0 ? failing({ retryAfter }) : failing({ retryable: false }))
      await time.runUntil(retry(attempt, { budget, random: () => 0, isImpatient: true }))
      return { attempts, took: time.now() - before }
    }
    expect(await asking(3_600_000)).toEqual({ attempts: 1, took: 0 })
    expect(await asking(2_000)).toEqual({ attempts: 2, took: 2_000 })
  })

  test('makes no attempt that has no time because the machine stalled: it would only hide the last failure', async () => {
    const { time, clock } = setUp()
    const stalling = { ...clock, sleep: () => clock.sleep(4_800) }
    let attempts = 0
    const done = retry(
      async () => {
        attempts++
        return failing()
      },
      { budget: createBudget({ deadline: 5_000, clock: stalling }), random: () => 0.5 },
    )
    await time.runUntil(done)
    expect(attempts).toBe(1)
  })

  test('goes on past the deadline while the server rate limits it, up to the latest time', async () => {
    const { attempts, told } = await run([rateLimited(30_000)], 20_000, 100_000)
    // Twice it waits as it is told; a third wait would lead too far, so it makes a last attempt.
    expect(told).toEqual([30_250, 30_500])
    expect(attempts.map(([at]) => at)).toEqual([0, 30_250, 60_750, 79_750])
  })

  test('counts waits for 429s at the same time once', async () => {
    const { time, clock } = setUp()
    const waits: number[] = []
    const throttle = { latest: 1_860_000, onWait: (wait: number) => void waits.push(wait) }
    const budget = createBudget({ deadline: 60_000, clock, throttle })
    const once = () => {
      let count = 0
      const limited = failing({ status: 429, retryAfter: 10_000 })
      return async (): Promise<ApiResult<null>> =>
        count++ === 0 ? limited : { ok: true, skew: null, value: null }
    }
    await time.runUntil(
      Promise.all(Array.from({ length: 8 }, () => retry(once(), { budget, random: () => 0 }))),
    )
    expect([time.now(), budget.left(), waits]).toEqual([10_000, 60_000, [10_000]])
    budget.extend(5_000)
    expect(budget.left()).toBe(65_000)
  })

  test('does not go on past the deadline for a 503, even with a throttle budget', async () => {
    const { attempts, told } = await run([failing({ status: 503 })], 2_000, 100_000)
    expect(told).toEqual([])
    expect(attempts.at(-1)?.[0]).toBe(1_000)
  })

  test('does not go on past the deadline for a 429 without a throttle budget', async () => {
    const { attempts } = await run([rateLimited(30_000)], 20_000)
    expect(attempts.map(([at]) => at)).toEqual([0, 19_000])
  })
})
