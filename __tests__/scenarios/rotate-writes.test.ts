import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { shiftedClock } from '../support/preload.ts'
import { cancel, HAS_SIGNALS, type StepOptions } from '../support/runner.ts'
import { errorOf, WITHOUT_SLEEPS, warningsOf } from './with-job.ts'
import {
  created,
  DAY,
  failedRun,
  puts,
  type Rotation,
  type RotationOptions,
  run,
  withRotation,
} from './with-rotation.ts'

const NAME = 'SPHERESCOUT_API_KEY'
/** Windows has no signals. */
const whereSignals = HAS_SIGNALS ? test : test.skip

describe('a response of GitHub to a write', () => {
  const RETRIED: [string, Parameters<Rotation['github']['fault']>[0]][] = [
    ['409', { on: { method: 'PUT' }, status: 409 }],
    ['429', { on: { method: 'PUT' }, status: 429, headers: { 'Retry-After': '1' } }],
    ['a secondary rate limit', { on: { method: 'PUT' }, status: 403, headers: { 'Retry-After': '1' } }],
    [
      'an exhausted rate limit',
      {
        on: { method: 'PUT' },
        status: 403,
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.floor(Date.now() / 1000)) },
      },
    ],
    ['a 5xx before the effect', { on: { method: 'PUT' }, status: 503 }],
    ['a 5xx after the effect', { on: { method: 'PUT' }, status: 502, acted: true }],
    ['a cut connection before the effect', { on: { method: 'PUT' } }],
    ['a cut connection after the effect', { on: { method: 'PUT' }, acted: true }],
  ]
  test.each(RETRIED)('%s makes it write the same value again', async (_, fault) => {
    await withRotation({}, async (rotation) => {
      rotation.github.fault(fault)
      const { main } = await run(rotation)
      expect(main.outcome).toBe('success')
      expect(puts(rotation)).toHaveLength(2)
      expect(rotation.key()).toBe(created(rotation)[0])
      expect(created(rotation)).toHaveLength(1)
    })
  })

  test('422 after GitHub replaced its public key makes it read the key and encrypt again', async () => {
    await withRotation({}, async (rotation) => {
      const { github } = rotation
      github.fault({ on: { path: 'public-key' }, served: github.replaceKeyPair })
      expect((await run(rotation)).main.outcome).toBe('success')
      expect(puts(rotation)).toHaveLength(2)
      expect(rotation.key()).toBe(created(rotation)[0])
    })
  })

  test.each([422, 403, 404])('%i makes it revoke the new key and keep the old one', async (status) => {
    await withRotation({}, async (rotation) => {
      const old = rotation.key()
      rotation.github.fault({ on: { method: 'PUT' }, status, body: '{"message":"No."}', times: 2 })
      expect(await failedRun(rotation, {}, {}, WITHOUT_SLEEPS)).toContain(
        'The new key was not written, so this run did not change the secret',
      )
      expect(created(rotation).filter(rotation.isValid)).toEqual([])
      expect(rotation.key()).toBe(old)
    })
  })

  test('a refusal is reported, in the summary too, even if the outputs cannot be written', async () => {
    await withRotation({}, async (rotation) => {
      rotation.github.fault({ on: { method: 'PUT' }, status: 404, body: '{"message":"Not Found"}', times: 2 })
      const broken: StepOptions = { ...WITHOUT_SLEEPS, brokenFiles: ['output'] }
      const { main } = await run(rotation, {}, {}, broken)
      const reason = /answered 404 to PUT .*: check that the token has the permission "Secrets: write"/
      expect(main.shown).toMatch(new RegExp(`^Error: The new key was not written.*${reason.source}`, 'm'))
      expect(main.summary).toMatch(reason)
      expect(warningsOf(main)).toContain('Could not write the file GITHUB_OUTPUT')
    })
  })

  test('a success fails the run if the outputs cannot be written, but has its summary', async () => {
    await withRotation({}, async (rotation) => {
      const { main } = await run(rotation, {}, {}, { brokenFiles: ['output'] })
      expect(main.exitCode).toBe(1)
      expect(main.shown).toMatch(/^Error: Could not write the file GITHUB_OUTPUT/m)
      expect(main.summary).toContain('SphereScout key rotation: Rotated')
    })
  })

  test('a refusal after an unanswered write leaves the new key valid', async () => {
    await withRotation({}, async (rotation) => {
      rotation.github.fault({ on: { method: 'PUT' }, status: 502, acted: true })
      rotation.github.fault({ on: { method: 'PUT' }, status: 403, body: '{"message":"No."}' })
      const message = await failedRun(rotation)
      expect(message).toContain('was written to every place')
      expect(rotation.isValid(rotation.key())).toBe(true)
    })
  })
})

describe('a write that GitHub acknowledges', () => {
  test('without carrying it out is repeated', async () => {
    await withRotation({ github: { idleWrites: 1 } }, async (rotation) => {
      const { main } = await run(rotation, {}, {}, WITHOUT_SLEEPS)
      expect(main.outputs.rotated).toBe('true')
      expect(puts(rotation)).toHaveLength(2)
      expect(rotation.key()).toBe(created(rotation)[0])
    })
  })

  test('again and again without carrying it out leaves both keys valid, and the next run rotates', async () => {
    await withRotation({ github: { idleWrites: 2 } }, async (rotation) => {
      const old = rotation.key()
      const message = await failedRun(rotation, {}, {}, WITHOUT_SLEEPS)
      expect(message).toContain('GitHub acknowledged it, but updated_at of the secret did not change')
      expect([old, created(rotation)[0]].map(rotation.isValid)).toEqual([true, true])
      expect(rotation.key()).toBe(old)
      rotation.travel(DAY)
      expect((await run(rotation)).main.outputs.rotated).toBe('true')
    })
  })

  test('at a copy without carrying it out keeps the home secret, so that the copy is not forgotten', async () => {
    await withRotation({ github: { idleWrites: 2 } }, async (rotation) => {
      const { github } = rotation.github
      github.addSecret('dependabot', NAME, { value: rotation.value() })
      const old = rotation.key()
      const copies = { copies: 'dependabot' }
      expect(await failedRun(rotation, copies, {}, WITHOUT_SLEEPS)).toContain('Dependabot secrets failed')
      expect(rotation.key()).toBe(old)
      rotation.travel(DAY)
      await run(rotation, copies)
      expect(rotation.key('dependabot')).toBe(rotation.key())
      expect(rotation.key()).toBe(created(rotation)[1])
    })
  })

  test('counts without another write if a replica shows it a moment later', async () => {
    await withRotation({ github: { lag: 1_500 } }, async (rotation) => {
      expect((await run(rotation)).main.outputs.rotated).toBe('true')
      expect(puts(rotation)).toHaveLength(1)
    })
  })

  whereSignals('and does not show before the job is cancelled names the cancellation', async () => {
    await withRotation({ github: { idleWrites: 1 } }, async (rotation) => {
      const { github } = rotation
      const main = rotation.job().start(rotation.inputs())
      const reads = () => github.requests.filter((request) => request.endsWith(`/secrets/${NAME}`)).length
      while (puts(rotation).length === 0 || reads() < 4) await sleep(10)
      const step = await cancel(main)
      expect(errorOf(step)).toContain('failed: the job was cancelled before GitHub showed the write.')
      expect(step.summary).toContain('the job was cancelled before GitHub showed the write')
      expect(created(rotation).map(rotation.isValid)).toEqual([true])
    })
  })

  test('counts without updated_at, but then an emergency revokes no old key', async () => {
    await withRotation({ own: true, age: 3 * DAY, github: { updatedAt: 'absent' } }, async (rotation) => {
      const old = rotation.key()
      const message = await failedRun(
        rotation,
        { 'revoke-previous': 'now' },
        { eventName: 'workflow_dispatch' },
      )
      expect(message).toContain('does not say when the secret was updated')
      expect(rotation.key()).toBe(created(rotation)[0])
      expect(rotation.isValid(old)).toBe(true)
    })
  })

  test('although it answers with a refusal or a redirect leaves the new key valid', async () => {
    const json = { headers: { 'Content-Type': 'application/json' }, body: '{"message":"Forbidden"}' }
    for (const answer of [
      { status: 403, ...json },
      { status: 307, headers: { Location: '/login' } },
    ])
      await withRotation({}, async (rotation) => {
        rotation.github.fault({ on: { method: 'PUT' }, acted: true, ...answer })
        const message = await failedRun(rotation, {}, {}, WITHOUT_SLEEPS)
        expect(message).toContain('It and the old key both stay valid')
        expect(rotation.key()).toBe(created(rotation)[0])
        expect(rotation.isValid(rotation.key())).toBe(true)
      })
  })

  test('with a page of a proxy is no success, and a page with 403 is no refusal', async () => {
    for (const [status, acted] of [
      [200, false],
      [403, true],
    ] as const)
      await withRotation({}, async (rotation) => {
        const page = { headers: { 'Content-Type': 'text/html' }, body: '<html>Sign in</html>' }
        rotation.github.fault({ on: { method: 'PUT' }, status, acted, ...page })
        expect((await run(rotation)).main.outputs.rotated).toBe('true')
        expect(puts(rotation)).toHaveLength(2)
        expect(rotation.key()).toBe(created(rotation)[0])
        expect(rotation.isValid(rotation.key())).toBe(true)
      })
  })
})

describe('a key that expires while rotation fails', () => {
  const warned = (age: number, further: RotationOptions = {}) =>
    withRotation({ own: true, age, ...further }, async (rotation) => {
      rotation.github.fault({
        on: { path: 'public-key' },
        status: 401,
        body: '{"message":"Bad credentials"}',
      })
      const { main } = await run(rotation)
      expect(main.exitCode).toBe(1)
      return { warnings: warningsOf(main), summary: main.summary, errors: errorOf(main) }
    })

  test('causes a warning in the log and in the summary from 14 days before, with the date', async () => {
    const { warnings, summary, errors } = await warned(48 * DAY)
    expect(warnings).toMatch(
      /The key .* expires at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in \d+ days\) and was not replaced\./,
    )
    expect(summary).toContain(`- ${warnings.trim()}`)
    expect(errors).toContain('github-token is wrong, revoked or expired')
  })

  test('causes a more urgent one from 7 days before', async () => {
    const { warnings, summary } = await warned(56 * DAY)
    expect(warnings).toMatch(
      /URGENT: the key .* or create a key in the dashboard and save it in the secret\./,
    )
    expect(summary).toContain('- URGENT: the key')
  })

  test('causes none earlier, and none while rotation works', async () => {
    expect((await warned(40 * DAY)).warnings).toBe('')
    await withRotation({ own: true, age: 56 * DAY }, async (rotation) => {
      const { main } = await run(rotation)
      expect(main.outputs.rotated).toBe('true')
      expect(warningsOf(main)).toBe('')
    })
  })

  test('causes one if an environment shadows the secret, in every run, and no key each day', async () => {
    await withRotation({ age: 50 * DAY }, async (rotation) => {
      const shadow = { 'api-key': rotation.value() }
      const warnings: boolean[] = []
      for (let day = 0; day < 6; day++) {
        const { main } = await run(rotation, shadow)
        warnings.push(warningsOf(main).includes('but is still passed as api-key'))
        rotation.travel(DAY + 60_000)
      }
      expect(warnings).toEqual([false, false, true, true, true, true])
      expect(created(rotation)).toHaveLength(2)
      rotation.travel(30 * DAY)
      expect((await run(rotation, shadow)).main.outputs.rotated).toBe('true')
    })
  })

  test('causes one if runs keep receiving a key that was replaced', async () => {
    await withRotation({ own: true, age: 50 * DAY }, async (rotation) => {
      const value = rotation.addOwnKey(3 * DAY).token
      // As a job that names the wrong secret: the one that this action writes holds the new key.
      const stale = rotation.inputs()['api-key']
      const updatedAt = Date.now() - 3 * DAY
      rotation.github.github.addSecret('repository', 'SPHERESCOUT_API_KEY', { value, updatedAt })
      const { main } = await run(rotation, { 'api-key': stale ?? '' })
      expect(warningsOf(main)).toContain('was replaced by earlier runs, but is still passed as api-key')
    })
  })
})

describe('what the API answers to a create request', () => {
  test.each([
    ['created long ago', { api_key: { created: '2020-01-01T00:00:00Z' } }, ', not now'],
    ['with another expiry', { api_key: { expiry: '2040-01-01T00:00:00Z' } }, 'as requested'],
  ])('a key %s is neither written nor revoked', async (_, body, reason) => {
    await withRotation({}, async (rotation) => {
      rotation.emulator.fault({ on: 'create', kind: 'replace', body })
      expect(await failedRun(rotation)).toContain(reason)
      expect(puts(rotation)).toEqual([])
      expect(rotation.emulator.requests.filter(({ method }) => method === 'DELETE')).toEqual([])
    })
  })

  test.each<[string, RotationOptions['api'], string]>([
    ['never expires', { ignoreExpiry: true }, 'it never expires, although an expiry was requested'],
    ['expires earlier', { maxLifetimeMs: 30 * DAY }, 'the API shortens lifetimes. Lower expires-in'],
    ['has no creation time', { rowsWithout: 'created' }, 'does not show when it was created'],
  ])('a new key that %s is revoked, and the run fails with the cause', async (_, api, reason) => {
    await withRotation({ own: true, age: 31 * DAY, api: { ...api } }, async (rotation) => {
      expect(await failedRun(rotation)).toContain(reason)
      expect(created(rotation).map(rotation.isValid)).toEqual([false])
    })
  })

  test.each(['caf\u00e9-caf\u00e9-caf\u00e9', 'a key\nof two lines'])(
    'a new key that cannot be sent in a header (%j) is revoked with api-key',
    async (token) => {
      await withRotation({}, async (rotation) => {
        rotation.emulator.fault({ on: 'create', kind: 'replace', body: { token } })
        expect(await failedRun(rotation)).toContain('its value cannot be sent in a header')
        expect(created(rotation).map(rotation.isValid)).toEqual([false])
      })
    },
  )

  test('a new key that never expires and has no id is named, so that a person can revoke it', async () => {
    await withRotation({ api: { ignoreExpiry: true } }, async (rotation) => {
      rotation.emulator.fault({ on: 'create', kind: 'replace', body: { api_key: { id: null } } })
      const message = await failedRun(rotation)
      expect(message).toContain('It may never expire, and no later run revokes it')
      expect(message).toContain(`look for the key ${created(rotation)[0]?.token_key}... in the dashboard`)
      expect(message).not.toContain('Nothing needs to be done')
    })
  })

  test.each([10_000, -10_000, 120_000])(
    'a Date header that is %i ms off does no harm',
    async (dateErrorMs) => {
      await withRotation({ own: true, age: 31 * DAY, api: { dateErrorMs } }, async (rotation) => {
        expect((await run(rotation)).main.outputs.rotated).toBe('true')
      })
    },
  )

  test('a machine whose clock is a year ahead creates no key', async () => {
    await withRotation({ own: true, age: 31 * DAY }, async (rotation) => {
      const message = await failedRun(rotation, {}, { env: shiftedClock(400 * DAY) })
      expect(message).toMatch(/^The clocks of this machine .* are more than a day apart/)
      expect(created(rotation)).toEqual([])
    })
  })

  test('api-key itself is not accepted as a new key', async () => {
    await withRotation({}, async (rotation) => {
      rotation.emulator.fault({ on: 'create', kind: 'replace', body: { token: rotation.value() } })
      expect(await failedRun(rotation)).toContain('it is api-key itself')
      expect(rotation.isValid(rotation.key())).toBe(true)
    })
  })
})
