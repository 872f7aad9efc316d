import { describe, expect, test } from '@jest/globals'
import { whilePostLooks } from '../support/late.ts'
import { NOTE_SIGNALS } from '../support/preload.ts'
import { HAS_SIGNALS } from '../support/runner.ts'
import { errorOf, requested, WITHOUT_SLEEPS, withJob } from './with-job.ts'

/** For tests of what the main step does about a signal: skipped where there are none. */
const whereSignals = HAS_SIGNALS ? test : test.skip

describe('a job that is cancelled while the main step waits for the API', () => {
  whereSignals.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'revokes the key of a response that arrives after %s',
    (signal) =>
      withJob({}, async ({ emulator, job, inputs }) => {
        const response = Promise.withResolvers<void>()
        emulator.fault({ on: 'create', kind: 'hold', until: response.promise, act: 'before' })
        const running = job.start(inputs, { nodeArgs: NOTE_SIGNALS })
        await requested(emulator, 'POST')
        running.signal(signal)
        running.signal(signal)
        await running.printed(`got ${signal}`)
        response.resolve()
        const main = await running.done
        expect(main.exitCode).toBe(1)
        expect(errorOf(main)).toContain('The job was cancelled')
        expect(main.shown).toMatch(/Revoked the key .* \(verified\)/)
        expect(main.outputs).toEqual({})
        expect(emulator.account.keys()).toHaveLength(1)
        expect(emulator.account.live()).toEqual([])
        expect((await job.post()).exitCode).toBe(0)
      }),
  )

  // Real time is the subject here: without the signal, the main step would go on for the two minutes of its timeout.
  // That it ends within 7 s is shown in virtual time (protocol/issue-key.test.ts); a slow machine may need more.
  whereSignals('ends long before its timeout when the API never answers, and post revokes the key', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      emulator.fault({ on: 'any', kind: 'hang', times: 99 })
      const running = job.start(inputs)
      await requested(emulator, 'POST')
      const signalledAt = performance.now()
      running.signal('SIGINT')
      const main = await running.done
      expect(performance.now() - signalledAt).toBeLessThan(60_000)
      expect(main).toMatchObject({ exitCode: 1, signal: null })
      expect(emulator.account.live()).toHaveLength(1)
      emulator.clearFaults()
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(post.shown).toContain('Found and revoked the orphaned key')
      expect(emulator.account.live()).toEqual([])
    }),
  )

  test('leaves to post what it had saved before SIGKILL, and post finds the key by it', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      emulator.fault({ on: 'create', kind: 'hold', until: whilePostLooks(emulator, 2), act: 'after' })
      const running = job.start(inputs)
      await requested(emulator, 'POST')
      running.signal('SIGKILL')
      expect((await running.done).signal).toBe('SIGKILL')
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('Found and revoked the orphaned key')
      expect(emulator.account.keys()).toHaveLength(1)
      expect(emulator.account.live()).toEqual([])
    }))
})
