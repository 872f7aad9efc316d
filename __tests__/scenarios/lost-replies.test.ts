import { describe, expect, test } from '@jest/globals'
import type { Fault } from '../support/emulator.ts'
import { errorOf, requestsOf, warningsOf, withJob } from './with-job.ts'

const KEYS = '/api/user/api-keys'
/** One attempt then takes a second at most, and post waits 16 s at most for a slow server. */
const SHORT = { timeout: '1s' }

describe('a reply that is lost after the key was made', () => {
  test.each<Fault>([
    { on: 'create', kind: 'cut-after' },
    { on: 'create', kind: 'truncate' },
    { on: 'create', kind: 'garbage' },
    { on: 'create', kind: 'huge' },
    { on: 'create', kind: 'status', status: 503, acted: true },
    { on: 'create', kind: 'status', status: 500, acted: true, body: '<h1>Server Error</h1>' },
  ])('%j: the key is found by its expiry and revoked, and another one made', (fault) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      emulator.fault(fault)
      const main = await job.main(inputs)
      expect(main.exitCode).toBe(0)
      expect(requestsOf(emulator)).toEqual([
        `POST ${KEYS}`,
        `GET ${KEYS}`,
        `DELETE ${KEYS}/ID`,
        `GET ${KEYS}`,
        `POST ${KEYS}`,
      ])
      expect(main.shown).toContain('Found it, by its expiry, and revoked it')
      expect(emulator.account.live().map(({ token }) => token)).toEqual([main.outputs.key])
      expect(JSON.parse(main.state.record ?? '').intents).toEqual([])
      const [first, second] = emulator.account.keys().map(({ expiry }) => expiry)
      expect(first).not.toBe(second)
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }),
  )

  test('a paginated list is read to its end', () =>
    withJob({ api: { listForm: 'paginated', pageSize: 1 } }, async ({ emulator, job, inputs }) => {
      for (const age of [1, 2, 3])
        emulator.account.addKey({ expiry: null, created: Date.now() - age * 60_000 })
      emulator.fault({ on: 'create', kind: 'cut-after' })
      const main = await job.main(inputs)
      expect(main.shown).toContain('Found it')
      expect(emulator.account.live()).toHaveLength(1)
      expect(emulator.account.touchedForeign()).toEqual([])
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }))

  test(
    'a key of another run with the same expiry leaves both alone, with a warning',
    () =>
      withJob({}, async ({ emulator, job, inputs }) => {
        emulator.fault({ on: 'create', kind: 'hang' })
        const running = job.start({ ...inputs, ...SHORT })
        while (emulator.account.keys().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        const twin = emulator.account.addKey({ expiry: emulator.account.keys()[0]?.expiry ?? 0 })
        expect((await running.done).exitCode).toBe(1)
        const post = await job.post()
        expect(warningsOf(post)).toContain("2 key(s) may be its own or another run's, so none was revoked")
        expect(emulator.account.live()).toHaveLength(1)
        expect(twin.revoked).toBe(false)
      }),
    40_000,
  )
})

describe('a reply that is lost, with or without a key', () => {
  test('is settled by post: it waits for a slow server, and finds what it made', async () => {
    const faults: Fault[] = [
      { on: 'create', kind: 'cut-before', times: 99 },
      { on: 'create', kind: 'hang', times: 99 },
      { on: 'create', kind: 'delay', ms: 9_000, act: 'after', times: 99 },
      { on: 'create', kind: 'status', status: 504, times: 99 },
    ]
    const ends = faults.map((fault) =>
      withJob({}, async ({ emulator, job, inputs }) => {
        const foreign = emulator.account.addKey({ expiry: Date.now() + 3_600_000 })
        emulator.fault(fault)
        // A list that cannot be read keeps main from finding it; post can.
        emulator.fault({ on: 'list', kind: 'hang', times: 1 })
        const main = await job.main({ ...inputs, ...SHORT })
        expect(main.exitCode).toBe(1)
        expect(errorOf(main)).toContain('No key was obtained')
        const post = await job.post()
        expect(post.exitCode).toBe(0)
        expect(warningsOf(post)).toBe('')
        expect(emulator.account.live()).toEqual([])
        expect(foreign.revoked).toBe(false)
        return post.shown
      }),
    )
    const [cut, hung, slow, gateway] = await Promise.all(ends)
    expect(cut).toContain('No other key was made')
    expect(hung).toContain('Found a key of this job that was never handed over')
    expect(slow).toContain('Found a key of this job that was never handed over')
    expect(gateway).toContain('No other key was made')
  }, 60_000)
})

describe('a server with ideas of its own about time', () => {
  test('that refuses fractions is asked again in whole seconds', () =>
    withJob({ api: { fractions: 'refuse' } }, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs)
      expect(main.exitCode).toBe(0)
      expect(emulator.requests.map(({ body }) => /\.\d/.test(body))).toEqual([true, false])
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }))

  test('that drops fractions: a lost key cannot be told from others, so it is left to its expiry', () =>
    withJob({ api: { fractions: 'drop' } }, async ({ emulator, job, inputs }) => {
      emulator.fault({ on: 'create', kind: 'cut-after' })
      const main = await job.main(inputs)
      expect(main.exitCode).toBe(0)
      expect(warningsOf(main)).toContain('None was revoked; such a key expires by itself')
      expect(emulator.account.live()).toHaveLength(2)
    }))

  test.each(['keep', 'microseconds'] as const)(
    'that spells instants in other ways (%s, +01:00)',
    (fractions) =>
      withJob(
        { api: { fractions, timeForm: 'offset', idForm: 'integer', createStatus: 200 } },
        async ({ emulator, job, inputs }) => {
          emulator.fault({ on: 'create', kind: 'cut-after' })
          const main = await job.main(inputs)
          expect(main.shown).toContain('Found it')
          expect(main.outputs['expires-at']).toBe(
            new Date(emulator.account.live()[0]?.expiry ?? 0).toISOString(),
          )
          await job.post()
          expect(emulator.account.live()).toEqual([])
        },
      ),
  )

  test('whose clock says that this runner’s is wrong: the key is replaced by one with the right lifetime', () =>
    withJob({ api: { now: () => Date.now() - 10 * 60_000 } }, async ({ emulator, job, inputs }) => {
      const main = await job.main({ ...inputs, 'expires-in': '30m' })
      expect(main.exitCode).toBe(0)
      expect(main.shown).toContain("clock is 10.0 min ahead of the API's")
      const [key, ...others] = emulator.account.live()
      expect(others).toEqual([])
      expect((key?.expiry ?? 0) - (key?.created ?? 0)).toBeLessThanOrEqual(30 * 60_000 + 1500)
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }))

  test('for which the expiry is past: asked again by its clock', () =>
    withJob({ api: { now: () => Date.now() + 120 * 60_000 } }, async ({ emulator, job, inputs }) => {
      const main = await job.main({ ...inputs, 'expires-in': '5m' })
      expect(main.exitCode).toBe(0)
      expect(main.shown).toContain("clock is 120.0 min behind the API's")
      const [key] = emulator.account.live()
      expect((key?.expiry ?? 0) - (key?.created ?? 0)).toBeGreaterThan(4.6 * 60_000)
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }))
})
