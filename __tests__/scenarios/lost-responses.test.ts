import { describe, expect, test } from '@jest/globals'
import type { Emulator, Fault } from '../support/emulator.ts'
import { whilePostLooks } from '../support/late.ts'
import { errorOf, requested, requestsOf, WITHOUT_SLEEPS, warningsOf, withJob } from './with-job.ts'

const KEYS = '/api/user/api-keys'
const NONE_MADE = 'No key of an unresolved create request has appeared so far'
const FOUND_BY_POST = 'Found and revoked the orphaned key'
/** Real time, as it is the request that times out; time enough for a slow machine to send it. */
const SHORT = { timeout: '4s' }

describe('a response that is lost after the key was created', () => {
  test.each<Fault>([
    { on: 'create', kind: 'cut-after' },
    { on: 'create', kind: 'truncate' },
    { on: 'create', kind: 'garbage' },
    { on: 'create', kind: 'huge' },
    { on: 'create', kind: 'status', status: 503, acted: true },
    { on: 'create', kind: 'status', status: 500, acted: true, body: '<h1>Server Error</h1>' },
  ])('(%j): the job gets another key, and post finds and revokes the orphaned one', (fault) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      emulator.fault(fault)
      const main = await job.main(inputs)
      expect(main.exitCode).toBe(0)
      expect(requestsOf(emulator)).toEqual([`POST ${KEYS}`, `POST ${KEYS}`])
      const [orphan, key] = emulator.account.keys()
      expect(main.outputs.key).toBe(key?.token)
      expect(orphan?.expiry).not.toBe(key?.expiry)
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(post.shown).toContain(FOUND_BY_POST)
      expect(warningsOf(post)).toBe('')
      expect(emulator.account.live()).toEqual([])
    }),
  )

  test('has its key found in a list of several pages, and other keys are not touched', () =>
    withJob({ api: { listForm: 'paginated', pageSize: 1 } }, async ({ emulator, job, inputs }) => {
      for (const age of [1, 2, 3])
        emulator.account.addKey({ expiry: null, created: Date.now() - age * 60_000 })
      emulator.fault({ on: 'create', kind: 'cut-after' })
      await job.main(inputs)
      expect(emulator.account.live()).toHaveLength(2)
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(post.shown).toContain(FOUND_BY_POST)
      expect(emulator.account.live()).toEqual([])
      expect(emulator.account.touchedForeign()).toEqual([])
    }))

  test('revokes none of two keys with the same expiry, and warns of both', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      emulator.fault({ on: 'create', kind: 'hang' })
      const running = job.start({ ...inputs, ...SHORT })
      await requested(emulator, 'POST')
      const [own] = emulator.account.keys()
      const twin = emulator.account.addKey({ expiry: own?.expiry ?? 0 })
      expect((await running.done).exitCode).toBe(1)
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(warningsOf(post)).toContain('matches 2 key(s)')
      expect(emulator.account.live()).toEqual([own])
      expect(twin.revoked).toBe(false)
    }))
})

describe('a create request without a response', () => {
  const faults: [string, (emulator: Emulator) => Fault, string][] = [
    ['cut before the server acts', () => ({ kind: 'cut-before' }), NONE_MADE],
    ['that the server acts on and never answers', () => ({ kind: 'hang' }), FOUND_BY_POST],
    // The server acts only while post is already looking.
    [
      'that the server acts on late',
      (emulator) => ({ kind: 'hold', until: whilePostLooks(emulator, 2), act: 'after' }),
      FOUND_BY_POST,
    ],
    ['that a gateway gives up', () => ({ kind: 'status', status: 504 }), NONE_MADE],
  ]

  test.each(faults)('%s leaves no valid key after post, which says what it found', (_, faultOf, says) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const foreign = emulator.account.addKey({ expiry: Date.now() + 3_600_000 })
      emulator.fault({ on: 'create', times: Infinity, ...faultOf(emulator) })
      const main = await job.main({ ...inputs, ...SHORT }, WITHOUT_SLEEPS)
      expect(main.exitCode).toBe(1)
      expect(errorOf(main)).toContain('No key was obtained')
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain(says)
      expect(emulator.account.live()).toEqual([])
      expect(foreign.revoked).toBe(false)
    }),
  )
})

describe('a server', () => {
  test('that refuses fractions of a second is asked again in whole seconds', () =>
    withJob({ api: { fractions: 'refuse' } }, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs)
      expect(main.exitCode).toBe(0)
      expect(emulator.requests.map(({ body }) => /\.\d/.test(body))).toEqual([true, true, false])
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }))

  test('that drops fractions of a second keeps an orphaned key until its expiry, with a warning', () =>
    withJob({ api: { fractions: 'drop' } }, async ({ emulator, job, inputs }) => {
      emulator.fault({ on: 'create', kind: 'cut-after' })
      const main = await job.main(inputs)
      expect(main.exitCode).toBe(0)
      const [orphan] = emulator.account.keys()
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(warningsOf(post)).toContain('revoked none, because some may belong to other runs')
      expect(emulator.account.live()).toEqual([orphan])
    }))

  test('that writes times another way (+01:00) has an orphaned key found and revoked', () =>
    withJob(
      { api: { timeForm: 'offset', idForm: 'integer', createStatus: 200 } },
      async ({ emulator, job, inputs }) => {
        emulator.fault({ on: 'create', kind: 'cut-after' })
        const main = await job.main(inputs)
        const [, key] = emulator.account.keys()
        expect(main.outputs['expires-at']).toBe(new Date(key?.expiry ?? 0).toISOString())
        const post = await job.post(undefined, WITHOUT_SLEEPS)
        expect(post.shown).toContain(FOUND_BY_POST)
        expect(emulator.account.live()).toEqual([])
      },
    ))

  test('whose clock is 10 min behind gives a key that is replaced by one with the right lifetime', () =>
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

  test('whose clock is 2 h ahead is asked again for an expiry by its own clock', () =>
    withJob({ api: { now: () => Date.now() + 120 * 60_000 } }, async ({ emulator, job, inputs }) => {
      const main = await job.main({ ...inputs, 'expires-in': '5m' })
      expect(main.exitCode).toBe(0)
      expect(main.shown).toContain("clock is 120.0 min behind the API's")
      const [key] = emulator.account.live()
      expect((key?.expiry ?? 0) - (key?.created ?? 0)).toBeGreaterThan(4 * 60_000)
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }))
})
