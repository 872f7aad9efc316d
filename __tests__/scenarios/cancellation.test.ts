import { describe, expect, test } from '@jest/globals'
import { HAS_SIGNALS } from '../support/runner.ts'
import { errorOf, type Stage, withJob } from './with-job.ts'

/** Resolves once a create request has come in. */
async function untilAsked({ emulator }: Stage): Promise<void> {
  while (emulator.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** For tests of what main does about a signal: skipped where there are none. */
const whereSignals = HAS_SIGNALS ? test : test.skip
/** The runner sends SIGTERM after 7.5 s; main ends by itself at 6.9, and a loaded machine may see it late. */
const BEFORE_SIGTERM = 7_500

describe('a job that is cancelled while main waits for the API', () => {
  whereSignals.each(['SIGINT', 'SIGTERM'] as const)(
    '%s: a reply that comes in time is waited for, and its key revoked',
    (signal) =>
      withJob({}, async (stage) => {
        const { emulator, job, inputs } = stage
        emulator.fault({ on: 'create', kind: 'delay', ms: 800, act: 'before' })
        const running = job.start(inputs)
        await untilAsked(stage)
        running.signal(signal)
        running.signal(signal)
        const main = await running.done
        expect(main.exitCode).toBe(1)
        expect(errorOf(main)).toContain('The job was cancelled')
        expect(main.shown).toContain('was revoked (verified)')
        expect(main.outputs).toEqual({})
        expect(emulator.account.keys()).toHaveLength(1)
        expect(emulator.account.live()).toEqual([])
        expect((await job.post()).exitCode).toBe(0)
      }),
  )

  whereSignals(
    'a reply that does not come: main ends within 7 s, and has found the key and revoked it',
    () =>
      withJob({}, async (stage) => {
        const { emulator, job, inputs } = stage
        emulator.fault({ on: 'create', kind: 'hang' })
        const running = job.start(inputs)
        await untilAsked(stage)
        const signalledAt = Date.now()
        running.signal('SIGINT')
        const main = await running.done
        expect(Date.now() - signalledAt).toBeLessThan(BEFORE_SIGTERM)
        expect(main.exitCode).toBe(1)
        expect(main.shown).toContain('Found it, by its expiry, and revoked it')
        expect(emulator.account.live()).toEqual([])
      }),
    20_000,
  )

  whereSignals(
    'an API that answers nothing at all: main ends within 7 s, and post finds the key later',
    () =>
      withJob({}, async (stage) => {
        const { emulator, job, inputs } = stage
        emulator.fault({ on: 'any', kind: 'hang', times: 2 })
        const running = job.start(inputs)
        await untilAsked(stage)
        const signalledAt = Date.now()
        running.signal('SIGTERM')
        const main = await running.done
        expect(Date.now() - signalledAt).toBeLessThan(BEFORE_SIGTERM)
        expect(main.exitCode).toBe(1)
        expect(emulator.account.live()).toHaveLength(1)
        const post = await job.post()
        expect(post.shown).toContain('Found a key of this job that was never handed over')
        expect(emulator.account.live()).toEqual([])
      }),
    30_000,
  )

  test(
    'SIGKILL: post finds the key by what main had saved beforehand',
    () =>
      withJob({}, async (stage) => {
        const { emulator, job, inputs } = stage
        emulator.fault({ on: 'create', kind: 'delay', ms: 500, act: 'after' })
        const running = job.start(inputs)
        await untilAsked(stage)
        running.signal('SIGKILL')
        expect((await running.done).signal).toBe('SIGKILL')
        expect(emulator.account.keys()).toEqual([])
        const post = await job.post()
        expect(post.exitCode).toBe(0)
        expect(post.shown).toContain('Found a key of this job that was never handed over')
        expect(emulator.account.keys()).toHaveLength(1)
        expect(emulator.account.live()).toEqual([])
      }),
    20_000,
  )
})
