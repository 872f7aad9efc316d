import { describe, expect, test } from '@jest/globals'
import type { RotateState } from '../../src/rotate/saved-state.ts'
import { startGithubEmulator } from '../support/github-emulator.ts'
import { errorOf, WITHOUT_SLEEPS, warningsOf } from './with-job.ts'
import {
  created,
  DAY,
  failedRun,
  HOUR,
  posts,
  puts,
  type Rotation,
  type RotationOptions,
  run,
  withRotation,
} from './with-rotation.ts'

const NAME = 'SPHERESCOUT_API_KEY'
const REPOSITORY = '/repos/octo-org/octo-repo/actions/secrets'
const REPOSITORY_ID = { env: { GITHUB_REPOSITORY_ID: '4711' } }

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
