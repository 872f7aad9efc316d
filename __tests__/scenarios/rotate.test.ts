import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import type { RotateState } from '../../src/rotate/saved-state.ts'
import { startGithubEmulator } from '../support/github-emulator.ts'
import { shiftedClock } from '../support/preload.ts'
import { cancel, HAS_SIGNALS, type StepOptions, type StepResult } from '../support/runner.ts'
import { errorOf, WITHOUT_SLEEPS, warningsOf } from './with-job.ts'
import { DAY, HOUR, type Rotation, type RotationOptions, withRotation } from './with-rotation.ts'

const NAME = 'SPHERESCOUT_API_KEY'
const REPOSITORY = '/repos/octo-org/octo-repo/actions/secrets'
/** Windows has no signals. */
const whereSignals = HAS_SIGNALS ? test : test.skip
const REPOSITORY_ID = { env: { GITHUB_REPOSITORY_ID: '4711' } }

/** Both steps, with what the secret holds now. */
async function run(
  { job, inputs }: Rotation,
  further: Record<string, string> = {},
  options: Parameters<Rotation['job']>[0] = {},
  step: StepOptions = {},
): Promise<{ main: StepResult; post: StepResult }> {
  const one = job(options)
  const main = await one.main({ ...inputs(), ...further }, step)
  return { main, post: await one.post() }
}

/** The one error line of a run that fails. */
async function failedRun(
  rotation: Rotation,
  further: Record<string, string> = {},
  options: Parameters<Rotation['job']>[0] = {},
  step: StepOptions = {},
): Promise<string> {
  const { main } = await run(rotation, further, options, step)
  expect(main.exitCode).toBe(1)
  expect(main.stderr).toBe('')
  return errorOf(main)
}

const created = ({ emulator }: Rotation) => emulator.account.keys()
const posts = ({ emulator }: Rotation) => emulator.requests.filter(({ method }) => method === 'POST')
const puts = ({ github }: Rotation) => github.requests.filter((request) => request.startsWith('PUT'))

describe('a rotation', () => {
  test('replaces a hand-made key, tests the new one first, and leaves the old one valid', async () => {
    await withRotation({}, async (rotation) => {
      const { emulator, github, key, isValid } = rotation
      const old = key()
      const { main, post } = await run(rotation)
      const [made] = created(rotation)
      expect(main.outcome).toBe('success')
      expect(key()).toBe(made)
      expect(isValid(old)).toBe(true)
      expect(main.outputs).toMatchObject({
        rotated: 'true',
        'key-id': made?.id,
        'key-prefix': made?.token_key,
        'expires-at': new Date(made?.expiry ?? 0).toISOString(),
        retired: '[]',
      })
      expect(emulator.requests.map(({ method }) => method)).toEqual(['GET', 'POST', 'GET'])
      expect(emulator.requests[2]?.credential).toBe(made?.token)
      expect(github.requests.slice(-3)).toEqual(
        ['GET', 'PUT', 'GET'].map((method) => `${method} ${REPOSITORY}/${NAME}`),
      )
      expect(main.summary).toContain('SphereScout key rotation: Rotated')
      expect(main.summary).toContain('If rotation stops, the secret works until')
      expect(main.summary).toContain(`set initial-key-id to ${old?.id}`)
      expect(post.outcome).toBe('success')
    })
  })

  test('rotates only when the key is due, and revokes the previous key after the overlap', async () => {
    await withRotation({ own: true, age: 31 * DAY }, async (rotation) => {
      const first = rotation.key()
      await run(rotation)
      const second = rotation.key()
      rotation.travel(6 * DAY)
      const early = await run(rotation)
      expect(early.main.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
      expect(early.main.summary).toContain('SphereScout key rotation: Not due')
      rotation.travel(2 * DAY)
      const later = await run(rotation)
      expect(later.main.outputs).toMatchObject({ rotated: 'false', retired: JSON.stringify([first?.id]) })
      expect(rotation.isValid(first)).toBe(false)
      rotation.travel(23 * DAY)
      expect((await run(rotation)).main.outputs.rotated).toBe('true')
      expect(rotation.key()).not.toBe(second)
      expect(rotation.isValid(second)).toBe(true)
    })
  })

  test('masks the key, the token and the new key, and prints none of them', async () => {
    await withRotation({}, async (rotation) => {
      const { main, post } = await run(rotation)
      const secrets = [
        rotation.github.token,
        rotation.value(),
        ...created(rotation).map(({ token }) => token),
      ]
      const printed = [main, post].flatMap(({ stdout, stderr }) => (stdout + stderr).split('\n'))
      for (const secret of secrets)
        expect(printed.filter((line) => line.includes(secret) && !line.startsWith('::add-mask::'))).toEqual(
          [],
        )
      for (const secret of secrets) expect(JSON.stringify(main.outputs) + main.summary).not.toContain(secret)
      expect(rotation.github.bodies.join()).not.toContain(rotation.value())
    })
  })

  test('revokes the initial key after the overlap, but only if initial-key-id names it', async () => {
    await withRotation({ age: 5 * 60_000 }, async (rotation) => {
      const initial = rotation.key()
      const named = { 'initial-key-id': initial?.id ?? '' }
      await run(rotation, named)
      rotation.travel(9 * DAY)
      expect((await run(rotation)).main.outputs.retired).toBe('[]')
      expect(rotation.isValid(initial)).toBe(true)
      const { main } = await run(rotation, named)
      expect(main.outputs.retired).toBe(JSON.stringify([initial?.id]))
      expect(rotation.isValid(initial)).toBe(false)
    })
  })

  test('revokes no key that it did not make, even an old one', async () => {
    await withRotation({ own: true, age: 20 * DAY }, async (rotation) => {
      const { account } = rotation.emulator
      account.addKey({ expiry: null, created: Date.now() - 400 * DAY })
      account.addKey({ expiry: Date.now() + 30 * DAY, created: Date.now() - 30 * DAY })
      const own = rotation.addOwnKey(50 * DAY)
      await run(rotation)
      expect(account.touchedForeign()).toEqual([own.id])
    })
  })

  test('rotates when due and revokes no old key if the API drops fractions', async () => {
    await withRotation({ api: { fractions: 'drop' } }, async (rotation) => {
      const { main } = await run(rotation)
      expect(main.summary).toContain('The API changed the expiry of the new key')
      rotation.travel(9 * DAY)
      expect((await run(rotation)).main.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
    })
  })

  test('promises no revocation of the initial key if the API drops fractions', async () => {
    await withRotation({ api: { fractions: 'drop' } }, async (rotation) => {
      const named = { 'initial-key-id': rotation.key()?.id ?? '' }
      const first = (await run(rotation, named)).main.summary
      expect(first).toContain('is still valid, and no later run revokes it')
      rotation.travel(9 * DAY)
      const { summary } = (await run(rotation, named)).main
      expect(summary).toContain('A later run revokes it once it receives a newer key that it recognizes')
      expect(summary).not.toContain('a later run that receives a newer key revokes it')
    })
  })

  test('promises nothing about the initial key after its revocation was refused', async () => {
    await withRotation({ age: HOUR }, async (rotation) => {
      const named = { 'initial-key-id': rotation.key()?.id ?? '' }
      await run(rotation, named)
      rotation.travel(9 * DAY)
      rotation.emulator.fault({ on: 'revoke', kind: 'status', status: 403 })
      const { summary } = (await run(rotation, named)).main
      expect(summary).toContain('Could not confirm that the old key')
      expect(summary).not.toContain('The initial key')
    })
  })

  test('says when the previous key is revoked if that is less than an hour older than the new one', async () => {
    await withRotation({ own: true, age: 20 * 60_000 }, async (rotation) => {
      const { github } = rotation.github
      github.addSecret('dependabot', NAME, { value: 'x', updatedAt: Date.now() - DAY })
      const { summary } = (await run(rotation, { copies: 'dependabot' })).main
      expect(summary).toContain('is less than an hour older than the new one, so it stays valid')
      expect(summary).not.toContain('the first run after')
    })
  })

  test('requests whole seconds if the API refuses fractions', async () => {
    await withRotation({ api: { fractions: 'refuse' } }, async (rotation) => {
      expect((await run(rotation)).main.outcome).toBe('success')
      expect(rotation.key()).toBe(created(rotation)[0])
    })
  })
})

describe('after a crash', () => {
  test('before the create request, the next run rotates', async () => {
    await withRotation({}, async (rotation) => {
      const { github, emulator } = rotation
      github.fault({ on: { path: 'public-key' }, hang: true })
      await rotation.killWhen(() => github.requests.some((request) => request.includes('public-key')))
      expect(posts(rotation)).toEqual([])
      expect((await run(rotation)).main.outputs.rotated).toBe('true')
      expect(emulator.account.live()).toHaveLength(1)
    })
  })

  test('during the create request, a run after the next rotation revokes the orphan', async () => {
    await withRotation({}, async (rotation) => {
      rotation.emulator.fault({ on: 'create', kind: 'hang' })
      const post = await rotation.killWhen(() => posts(rotation).length > 0)
      expect(post && warningsOf(post)).toContain('received no key for its request to create one')
      const [orphan] = created(rotation)
      expect(rotation.isValid(orphan)).toBe(true)
      rotation.travel(DAY)
      expect((await run(rotation)).main.outputs.rotated).toBe('true')
      rotation.travel(8 * DAY)
      expect((await run(rotation)).main.outputs.retired).toBe(JSON.stringify([orphan?.id]))
    })
  })

  test('before the new key was confirmed to work, the post step revokes it', async () => {
    await withRotation({}, async (rotation) => {
      const { emulator } = rotation
      emulator.fault({ on: 'list', kind: 'delay', ms: 0, act: 'before' })
      emulator.fault({ on: 'list', kind: 'hang' })
      const lists = () => emulator.requests.filter(({ method }) => method === 'GET').length
      const post = await rotation.killWhen(() => lists() > 1)
      expect(post?.shown).toContain('which was not written (verified)')
      expect(emulator.account.live()).toEqual([])
      expect(rotation.isValid(rotation.key())).toBe(true)
    })
  })

  test('before the new key was confirmed to work and without a post step, a later run revokes it', async () => {
    await withRotation({ own: true, age: 31 * DAY }, async (rotation) => {
      const { emulator } = rotation
      emulator.fault({ on: 'list', kind: 'delay', ms: 0, act: 'before' })
      emulator.fault({ on: 'list', kind: 'hang' })
      const lists = () => emulator.requests.filter(({ method }) => method === 'GET').length
      await rotation.killWhen(() => lists() > 1, { post: false })
      const [orphan] = created(rotation)
      rotation.travel(DAY)
      await run(rotation)
      rotation.travel(8 * DAY)
      expect((await run(rotation)).main.outputs.retired).toContain(orphan?.id)
    })
  })

  test.each([
    ['not carried out', false],
    ['carried out', true],
  ])(
    'during the write, which was %s, the new key stays valid and the next run continues',
    async (_, acted) => {
      await withRotation({ own: true, age: 31 * DAY }, async (rotation) => {
        const old = rotation.key()
        rotation.github.fault({ on: { method: 'PUT' }, acted, hang: true })
        const post = await rotation.killWhen(() => puts(rotation).length > 0)
        const [made] = created(rotation)
        expect(post && warningsOf(post)).toContain('The secret may hold it, so it stays valid')
        expect(rotation.isValid(made)).toBe(true)
        expect(rotation.key()).toBe(acted ? made : old)
        rotation.travel(DAY)
        expect((await run(rotation)).main.outputs.rotated).toBe(String(!acted))
        rotation.travel(8 * DAY)
        const { main } = await run(rotation)
        expect(JSON.parse(main.outputs.retired ?? '').sort()).toEqual(
          [old?.id, ...(acted ? [] : [made?.id])].sort(),
        )
        expect(rotation.isValid(rotation.key())).toBe(true)
      })
    },
  )

  test('between two places, the home secret keeps the old key and the next run writes both', async () => {
    await withRotation({}, async (rotation) => {
      const { github } = rotation
      const old = rotation.key()
      github.github.addSecret('dependabot', NAME, { value: rotation.value() })
      github.fault({ on: { method: 'PUT', path: '/actions/' }, hang: true })
      await rotation.killWhen(() => puts(rotation).length > 1, { inputs: { copies: 'dependabot' } })
      const [half] = created(rotation)
      expect([rotation.key('dependabot'), rotation.key()]).toEqual([half, old])
      expect([half, old].every(rotation.isValid)).toBe(true)
      rotation.travel(DAY)
      await run(rotation, { copies: 'dependabot' })
      expect(rotation.key('dependabot')).toBe(rotation.key())
      rotation.travel(8 * DAY)
      expect((await run(rotation, { copies: 'dependabot' })).main.outputs.retired).toBe(
        JSON.stringify([half?.id]),
      )
    })
  })

  test('the post step revokes a key that GitHub refused and the main step could not revoke', async () => {
    await withRotation({}, async (rotation) => {
      rotation.github.fault({
        on: { method: 'PUT' },
        status: 403,
        body: '{"message":"Not allowed"}',
        times: 2,
      })
      rotation.emulator.fault({ on: 'revoke', kind: 'status', status: 403, times: 4 })
      const { main, post } = await run(rotation, {}, {}, WITHOUT_SLEEPS)
      expect(errorOf(main)).toContain('so this run did not change the secret')
      expect(warningsOf(main)).toContain('Could not confirm that the new key')
      expect(post.shown).toContain('which was not written (verified)')
      expect(rotation.emulator.account.live()).toEqual([])
    })
  })

  const DAMAGE: [string, (state: RotateState) => object][] = [
    ['a URL of a file', () => ({ apiUrl: 'file:///etc/hostname' })],
    ['an unusable proxy', () => ({ proxy: 'nonsense' })],
    ['a user agent of two lines', () => ({ userAgent: 'a\nb' })],
    ['a key whose ID names another path', ({ key }) => ({ key: { ...key, id: '..' } })],
  ]
  /** A main step that is killed before the new key is confirmed; then a post step with what it saved, changed. */
  const postWith = async ({ emulator, job, inputs }: Rotation, change: (state: RotateState) => object) => {
    emulator.fault({ on: 'list', kind: 'delay', ms: 0, act: 'before' })
    emulator.fault({ on: 'list', kind: 'hang' })
    const one = job()
    const main = one.start(inputs())
    await emulator.arrived((requests) => requests.filter(({ method }) => method === 'GET').length > 1)
    main.signal('SIGKILL')
    const { state } = await main.done
    const saved = JSON.parse(state.rotation ?? '') as RotateState
    const before = emulator.requests.length
    const stepEnv = { STATE_rotation: JSON.stringify({ ...saved, ...change(saved) }) }
    return {
      post: await one.script(`await import(${JSON.stringify(one.entries.post)})`, stepEnv),
      sent: emulator.requests.slice(before),
    }
  }

  test.each(DAMAGE)('the post step warns of a record with %s, and sends nothing', async (_, change) => {
    await withRotation({}, async (rotation) => {
      const { post, sent } = await postWith(rotation, change)
      expect(post.exitCode).toBe(0)
      expect(warningsOf(post)).toContain('Could not read what the main step saved, so nothing was revoked')
      expect(sent).toEqual([])
    })
  })

  test.each<[string, (state: RotateState) => object]>([
    ['the new key has two lines', ({ key }) => ({ key: { ...key, token: 'two\nlines' } })],
    ['api-key has a character that no header takes', () => ({ apiKey: 'caf\u0101' })],
  ])('the post step revokes a key with the other credential if %s', async (_, change) => {
    await withRotation({ api: { selfRevocation: 'allowed' } }, async (rotation) => {
      const { post } = await postWith(rotation, change)
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('which was not written')
      expect(rotation.emulator.account.live()).toEqual([])
    })
  })

  test.each([
    ['carried out', 'cut-after'],
    ['not carried out', 'cut-before'],
  ] as const)(
    'a revocation whose response was lost, %s, is repeated or found in the list',
    async (_, kind) => {
      await withRotation({ own: true, age: 20 * DAY }, async (rotation) => {
        const old = rotation.addOwnKey(50 * DAY)
        rotation.emulator.fault({ on: 'revoke', kind })
        const { main } = await run(rotation)
        expect(main.outputs.retired).toBe(JSON.stringify([old.id]))
        expect(rotation.isValid(old)).toBe(false)
      })
    },
  )

  test('an acknowledged revocation without effect causes a warning, and the run continues', async () => {
    await withRotation({ api: { idleRevocation: true }, own: true, age: 31 * DAY }, async (rotation) => {
      rotation.addOwnKey(50 * DAY)
      const { main } = await run(rotation)
      expect(warningsOf(main)).toContain('Could not confirm that the old key')
      expect(main.outputs).toMatchObject({ rotated: 'true', retired: '[]' })
    })
  })

  test('a run with a stale secret rotates once more, or warns after two days, and the key in the secret stays valid', async () => {
    await withRotation({ own: true, age: 31 * DAY }, async (rotation) => {
      const stale = { 'api-key': rotation.value() }
      await run(rotation)
      const current = rotation.key()
      for (const rotated of ['true', 'false']) {
        rotation.travel(1.5 * DAY)
        const { main } = await run(rotation, stale)
        expect(main.outputs).toMatchObject({ rotated, retired: '[]' })
        expect(warningsOf(main).includes('was replaced by earlier runs')).toBe(rotated === 'false')
        expect([current, rotation.key()].every(rotation.isValid)).toBe(true)
      }
    })
  })

  test('a revoked key in the secret makes the run fail and say what to do', async () => {
    await withRotation({ own: true, age: DAY }, async (rotation) => {
      const key = rotation.key()
      if (key) key.revoked = true
      const message = await failedRun(rotation)
      expect(message).toMatch(
        /The API rejected api-key: .*wrong, revoked or expired.*Create a key in the dashboard/,
      )
      expect(posts(rotation)).toEqual([])
    })
  })

  test('an older key that a person put back into the secret is replaced at once if it never expires', async () => {
    await withRotation({ age: 50 * DAY }, async (rotation) => {
      const byHand = rotation.value()
      await run(rotation)
      rotation.travel(5 * DAY)
      const updatedAt = Date.now() + 5 * DAY - HOUR
      rotation.github.github.addSecret('repository', NAME, { value: byHand, updatedAt })
      const { main } = await run(rotation)
      expect(main.outputs.rotated).toBe('true')
      expect(warningsOf(main)).toBe('')
    })
  })

  test('a key that a person put into the secret is replaced when due and never revoked', async () => {
    await withRotation({ own: true, age: 31 * DAY }, async (rotation) => {
      const byHand = rotation.emulator.account.addKey({ expiry: null, created: Date.now() - DAY })
      rotation.github.github.addSecret('repository', NAME, { value: byHand.token })
      expect((await run(rotation)).main.outputs.rotated).toBe('true')
      rotation.travel(9 * DAY)
      await run(rotation)
      expect(rotation.isValid(byHand)).toBe(true)
    })
  })
})

describe('an emergency', () => {
  const byHand = { eventName: 'workflow_dispatch' }
  const now = { 'revoke-previous': 'now' }

  test('rotates at once and revokes the previous keys', async () => {
    await withRotation({ own: true, age: 3 * DAY }, async (rotation) => {
      const old = [rotation.key(), rotation.addOwnKey(9 * DAY)]
      const { main } = await run(rotation, now, byHand)
      expect(main.summary).toContain('Rotated, and the old keys revoked')
      expect(old.map(rotation.isValid)).toEqual([false, false])
      expect(rotation.isValid(rotation.key())).toBe(true)
    })
  })

  test('fails instead of revoking a key that is less than an hour old', async () => {
    await withRotation({ own: true, age: HOUR / 2 }, async (rotation) => {
      const old = rotation.key()
      expect(await failedRun(rotation, now, byHand)).toContain('Run this again in an hour')
      expect(rotation.isValid(old)).toBe(true)
      expect(rotation.key()).toBe(created(rotation)[0])
    })
  })

  test('that is killed while it revokes names the key in hand in the post step', async () => {
    await withRotation({}, async (rotation) => {
      const leaked = rotation.key()
      const { emulator } = rotation
      emulator.fault({ on: 'revoke', kind: 'hold', until: new Promise(() => {}), act: 'after' })
      const job = rotation.job(byHand)
      const main = job.start({ ...rotation.inputs(), ...now })
      await emulator.arrived((requests) => requests.some(({ method }) => method === 'DELETE'))
      main.signal('SIGKILL')
      await main.done
      expect(rotation.isValid(leaked)).toBe(true)
      expect(rotation.key()).toBe(created(rotation)[0])
      const warning = warningsOf(await job.post())
      expect(warning).toContain('ended while it was revoking the old keys')
      expect(warning).toContain(`(id ${leaked?.id}) in the dashboard`)
    })
  })

  test('does not leave a hand-made key valid without saying so, even if it is repeated as advised', async () => {
    await withRotation({ age: 5 * 60_000 }, async (rotation) => {
      const leaked = rotation.key()
      const message = await failedRun(rotation, now, byHand)
      expect(message).toContain(`(id ${leaked?.id}): it may be less than an hour old`)
      expect(message).toMatch(/No later run recognizes .*: revoke that key in the dashboard\.$/)
      rotation.travel(2 * HOUR)
      const named = { ...now, 'initial-key-id': leaked?.id ?? '' }
      expect((await run(rotation, named, byHand)).main.exitCode).toBe(0)
      expect(rotation.isValid(leaked)).toBe(false)
    })
  })

  test('is refused in a run that was not started by hand', async () => {
    await withRotation({}, async (rotation) => {
      expect(await failedRun(rotation, now)).toContain('started by hand (workflow_dispatch)')
      expect(rotation.emulator.requests).toEqual([])
    })
  })
})

describe('refuses before it creates a key', () => {
  async function refusal(options: RotationOptions, further: Record<string, string> = {}): Promise<string> {
    return withRotation(options, async (rotation) => {
      const message = await failedRun(rotation, further)
      expect(posts(rotation)).toEqual([])
      expect(puts(rotation)).toEqual([])
      return message
    })
  }

  test('a secret that does not exist', async () => {
    const message = await refusal({}, { secret: 'SPHERESCOUT_API_KEYS' })
    expect(message).toContain('There is no secret SPHERESCOUT_API_KEYS in the repository')
  })

  test('an environment that does not exist', async () => {
    expect(await refusal({}, { environment: 'prod' })).toContain('in the environment "prod"')
  })

  test.each([
    ['repository', 'repository', {}, 'Secrets: write'],
    ['environment', 'environment prod', { environment: 'prod' }, 'Secrets: write and Environments: write'],
    [
      'organization',
      'organization octo-org',
      { organization: 'octo-org' },
      'organization permission Secrets: write',
    ],
  ])('a token without the permission for the %s', async (_, place, further, permission) => {
    const message = await refusal({ place, github: { permissions: [] } }, further)
    expect(message).toContain(`github-token needs the permission "${permission}"`)
    expect(message).toContain('GITHUB_TOKEN can never write secrets')
  })

  test.each([
    ['dependabot', 'Dependabot secrets: write'],
    ['codespaces', 'Codespaces secrets: write'],
  ])('a token without the permission for the copy in %s', async (copies, permission) => {
    expect(await refusal({ github: { permissions: ['secrets'] } }, { copies })).toContain(permission)
  })

  test('a token that GitHub does not accept', async () => {
    expect(await refusal({}, { 'github-token': 'ghp_expired' })).toContain(
      'github-token is wrong, revoked or expired',
    )
  })

  test('durations that contradict each other', async () => {
    expect(await refusal({}, { 'rotate-after': '50d' })).toContain('at least rotate-after + overlap + 7 days')
    expect(await refusal({}, { overlap: '30m' })).toContain('overlap')
  })

  test('a JWT access token', async () => {
    expect(await refusal({}, { 'api-key': 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2ln' })).toContain(
      'only an API key can be rotated',
    )
  })
})

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

describe('where the secret is', () => {
  test('a secret of an organization of the same name on another server keeps its key', async () => {
    const place = 'organization octo-org'
    await withRotation({ place, secret: { visibility: 'all' } }, async (rotation) => {
      const { emulator, isValid } = rotation
      const organization = { organization: 'octo-org' }
      let shift = 0
      const other = await startGithubEmulator({ now: () => Date.now() + shift })
      const travel = (duration: number) => {
        shift += duration
        rotation.travel(duration)
      }
      try {
        const byHand = emulator.account.addKey({ expiry: null, created: Date.now() - DAY })
        other.github.addSecret(place, NAME, { value: byHand.token, visibility: 'all' })
        const elsewhere = () => ({
          ...organization,
          'api-key': other.github.secret(place, NAME)?.value ?? '',
          'github-api-url': other.url,
          'github-token': other.token,
        })
        await run(rotation, organization)
        travel(2 * DAY)
        await run(rotation, elsewhere())
        travel(9 * DAY)
        const { main } = await run(rotation, elsewhere())
        expect(main.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
        expect(isValid(rotation.key())).toBe(true)
      } finally {
        await other.close()
      }
    })
  })

  test('the case of its name does not matter', async () => {
    await withRotation({}, async (rotation) => {
      expect((await run(rotation, { secret: 'spherescout_api_key' })).main.outcome).toBe('success')
      expect(puts(rotation)).toEqual([`PUT ${REPOSITORY}/${NAME}`])
      expect(rotation.key()).toBe(created(rotation)[0])
    })
  })

  test.each([
    ['by name', false, '/repos/octo-org/octo-repo'],
    ["by the repository's id, as on older Enterprise Servers", true, '/repositories/4711'],
  ])('an environment whose name needs escaping, addressed %s', async (_, environmentsById, base) => {
    const environment = 'prod/eu #1 ü?'
    await withRotation(
      { place: `environment ${environment}`, github: { environmentsById } },
      async (rotation) => {
        expect((await run(rotation, { environment }, REPOSITORY_ID)).main.outcome).toBe('success')
        expect(puts(rotation)).toEqual([
          `PUT ${base}/environments/${encodeURIComponent(environment)}/secrets/${NAME}`,
        ])
        expect(rotation.key()).toBe(created(rotation)[0])
      },
    )
  })

  test.each([
    ['all', {}],
    ['private', {}],
    ['selected', { selected: Array.from({ length: 120 }, (_, index) => 1000 + index) }],
  ])("an organization's secret keeps its visibility: %s", async (visibility, audience) => {
    await withRotation(
      { place: 'organization octo-org', secret: { visibility, ...audience } },
      async (rotation) => {
        expect((await run(rotation, { organization: 'octo-org' })).main.outcome).toBe('success')
        const stored = rotation.github.github.secret('organization octo-org', NAME)
        expect(stored).toMatchObject({ visibility, ...audience })
        expect(rotation.key()).toBe(created(rotation)[0])
      },
    )
  })

  test.each([
    ['half an hour', 30, 'true'],
    ['four minutes', 4, 'false'],
  ])(
    'a copy that was saved %s before the first run, and listed after it, never holds a revoked key',
    async (_, minutes, rotated) => {
      const age = minutes * 60_000
      await withRotation({ age: age + 60_000 }, async (rotation) => {
        const initial = rotation.key()
        const { github } = rotation.github
        for (const place of ['repository', 'dependabot'])
          github.addSecret(place, NAME, { value: rotation.value(), updatedAt: Date.now() - age })
        const named = { 'initial-key-id': initial?.id ?? '' }
        await run(rotation, named)
        const listed = { ...named, copies: 'dependabot' }
        // The first time, the newest key is less than two days old.
        for (const expected of ['false', rotated]) {
          rotation.travel(DAY + HOUR)
          const { outputs } = (await run(rotation, listed)).main
          expect(outputs).toMatchObject({ rotated: expected, retired: '[]' })
        }
        for (const days of [8, 31, 8]) {
          rotation.travel(days * DAY)
          const { main } = await run(rotation, listed)
          expect(main.outcome).toBe('success')
          expect([rotation.key(), rotation.key('dependabot')].map(rotation.isValid)).toEqual([true, true])
        }
        expect(rotation.isValid(initial)).toBe(false)
      })
    },
  )

  test.each([
    ['the old key', true],
    ['a placeholder', false],
  ])(
    'a copy that was created with %s in order to be listed gets the key, and is never left with a revoked one',
    async (_, isOld) => {
      await withRotation({}, async (rotation) => {
        const initial = rotation.key()
        const named = { 'initial-key-id': initial?.id ?? '' }
        const old = rotation.value()
        await run(rotation, named)
        rotation.travel(HOUR)
        rotation.github.github.addSecret('dependabot', NAME, { value: isOld ? old : 'placeholder' })
        const listed = { ...named, copies: 'dependabot' }
        // The first time, the newest key is less than two days old.
        for (const rotated of ['false', 'true']) {
          rotation.travel(DAY + HOUR)
          const { main } = await run(rotation, listed)
          expect(main.outputs).toMatchObject({ rotated, retired: '[]' })
          expect(warningsOf(main)).toContain(
            'was last updated more than a minute after that in the repository',
          )
        }
        expect(rotation.key('dependabot')).toBe(rotation.key())
        expect(rotation.isValid(initial)).toBe(true)
        rotation.travel(9 * DAY)
        expect(warningsOf((await run(rotation, listed)).main)).toBe('')
        expect(rotation.isValid(initial)).toBe(false)
        expect(rotation.isValid(rotation.key('dependabot'))).toBe(true)
      })
    },
  )

  test.each<[string, Record<string, string>]>([
    ['without copies', {}],
    ['with copies', { copies: 'dependabot' }],
  ])(
    'a tool that puts an old key back every day causes two keys until the newest is due, %s',
    async (_, copies) => {
      await withRotation({ own: true, age: 31 * DAY }, async (rotation) => {
        const old = rotation.value()
        const { github } = rotation.github
        github.addSecret('dependabot', NAME, { value: old, updatedAt: Date.now() - 31 * DAY })
        for (let day = 0; day < 12; day++) {
          const { main } = await run(rotation, copies)
          expect(main.outputs).toMatchObject({ rotated: String(day < 2), retired: '[]' })
          if (day > 2) {
            expect(main.summary).toContain('but is still passed as api-key')
            expect(main.summary.includes('that in the repository, so no old key was revoked.')).toBe(
              'copies' in copies,
            )
          }
          rotation.travel(DAY / 2 + 60_000)
          github.addSecret('repository', NAME, { value: old, updatedAt: rotation.now() })
          rotation.travel(DAY / 2)
        }
        expect(created(rotation)).toHaveLength(2)
      })
    },
  )

  test('a shadow of the secret that is listed as a copy is written, although its key was replaced long ago', async () => {
    await withRotation({ own: true, age: 20 * DAY }, async (rotation) => {
      const { github } = rotation.github
      const shadow = rotation.value()
      github.addSecret('environment production', NAME, { value: shadow, updatedAt: Date.now() - 20 * DAY })
      const { token } = rotation.addOwnKey(9 * DAY)
      github.addSecret('repository', NAME, { value: token, updatedAt: Date.now() - 9 * DAY })
      const { main } = await run(rotation, { 'api-key': shadow, copies: 'environment production' })
      expect(main.outputs).toMatchObject({ rotated: 'true', retired: '[]' })
      expect(rotation.key('environment production')).toBe(created(rotation)[0])
      expect(main.summary).toContain('but is still passed as api-key')
      expect(main.summary).not.toContain('Until then, keys are only created when the newest one is due.')
    })
  })

  test.each([
    ['is killed', { hang: true }],
    ['is refused', { status: 403, body: '{"message":"Not allowed"}' }],
  ])(
    'home that a copy shadows never holds a revoked key if a run %s before it writes home',
    async (_, how) => {
      const age = 30 * 60_000
      await withRotation(
        { place: 'organization octo-org', age, secret: { visibility: 'all' } },
        async (rotation) => {
          const { github } = rotation
          const initial = rotation.key()
          github.github.addSecret('repository', NAME, {
            value: rotation.value(),
            updatedAt: Date.now() - age,
          })
          const listed = {
            organization: 'octo-org',
            copies: 'repository',
            'initial-key-id': initial?.id ?? '',
          }
          github.fault({ on: { method: 'PUT', path: '/orgs/' }, times: 'hang' in how ? 1 : 2, ...how })
          await rotation.killWhen(() => puts(rotation).length > 1 && 'hang' in how, { inputs: listed })
          expect([rotation.key(), rotation.key('repository')]).toEqual([initial, created(rotation)[0]])
          for (const days of [1, 8, 23, 9]) {
            rotation.travel(days * DAY)
            // The repository's secret takes precedence over the organization's.
            const { main } = await run(rotation, { ...listed, 'api-key': rotation.value('repository') })
            expect(main.outcome).toBe('success')
            expect([rotation.key(), rotation.key('repository')].map(rotation.isValid)).toEqual([true, true])
          }
          expect(rotation.key()).toBe(rotation.key('repository'))
          expect(rotation.isValid(initial)).toBe(false)
        },
      )
    },
  )

  test('writes every copy, and the home secret last', async () => {
    await withRotation({}, async (rotation) => {
      const places = ['dependabot', 'codespaces', 'environment staging']
      for (const place of places) rotation.github.github.addSecret(place, NAME, { value: rotation.value() })
      expect((await run(rotation, { copies: places.join('\n') })).main.outcome).toBe('success')
      expect(places.map(rotation.value)).toEqual(places.map(() => rotation.value()))
      expect(puts(rotation)).toHaveLength(4)
      expect(puts(rotation).at(-1)).toContain(REPOSITORY)
    })
  })
})
