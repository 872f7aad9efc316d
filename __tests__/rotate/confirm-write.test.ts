import { describe, expect, test } from '@jest/globals'
import { createBudget } from '../../src/retry/budget.ts'
import { readSecret, waitUntilShown } from '../../src/rotate/confirm-write.ts'
import type { RotateDeps } from '../../src/rotate/deps.ts'
import type { SecretInfo } from '../../src/rotate/github-secrets.ts'
import {
  type Answer,
  DAY,
  HOUR,
  type RotateOptions,
  type RotateRun,
  refusedByGithub,
  runRotate,
  SECRET,
  START,
  stateOf,
} from './harness.ts'

const SECRETS = '/repos/octo-org/octo-repo/actions/secrets'
const READ = `GET ${SECRETS}/${SECRET}`
const WRITE = `PUT ${SECRETS}/${SECRET}`
const MINUTE = 60_000
const COPY: RotateOptions['inputs'] = { copies: [{ kind: 'dependabot', name: '' }] }
const addCopy: RotateOptions['prepare'] = ({ github }) =>
  github.addSecret('dependabot', SECRET, { value: 'old' })

const times = ({ seen }: RotateRun, what: string) =>
  seen.filter((request) => request.what === what).map(({ at }) => at)
const value = ({ github }: RotateRun, place = 'repository') => github.secret(place, SECRET)?.value
const newKey = ({ account }: RotateRun) => account.keys()[0]
const summaryOf = ({ traces }: RotateRun) => traces.printed.find((text) => text.startsWith('###')) ?? ''

function expectUnclear(run: RotateRun, reason: string): void {
  expect(run.error).toContain(`failed: ${reason}. It and the old key both stay valid`)
  expect(newKey(run)?.revoked).toBe(false)
  expect(run.traces.outputs.rotated).toBe('false')
  expect(stateOf(run)).toMatchObject({ state: { phase: 'writing' } })
}
const NOT_MOVED = 'GitHub acknowledged it, but updated_at of the secret did not change'

describe('a write that GitHub acknowledges', () => {
  test('counts at once if updated_at moved', async () => {
    const run = await runRotate()
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(1)
    expect(times(run, READ)).toHaveLength(3)
    expect(run.took).toBeLessThan(1_000)
  })

  test('counts as soon as a replica that lags shows it, without another write', async () => {
    const run = await runRotate({ github: { lag: 5_000 } })
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(1)
    const [, , ...reads] = times(run, READ)
    expect(reads.length).toBeGreaterThan(3)
    expect(reads.length).toBeLessThan(7)
    expect(Number(reads[1]) - Number(reads[0])).toBeGreaterThanOrEqual(1_000)
  })

  test('is repeated with the same key if a replica lags for longer than 15 s', async () => {
    const run = await runRotate({ github: { lag: 20_000 } })
    expect(run.error).toBe('')
    const [first, second, ...more] = times(run, WRITE)
    expect(more).toEqual([])
    expect(Number(second) - Number(first)).toBeGreaterThan(14_000)
    expect(Number(second) - Number(first)).toBeLessThan(17_000)
    expect(run.account.keys()).toHaveLength(1)
    expect(value(run)).toBe(newKey(run)?.token)
  })

  test('is repeated if it was not carried out', async () => {
    const run = await runRotate({ github: { idleWrites: 1 } })
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(2)
    expect(value(run)).toBe(newKey(run)?.token)
    expect(run.traces.outputs.rotated).toBe('true')
  })

  test('twice without being carried out leaves both keys valid and fails the run', async () => {
    const run = await runRotate({ github: { idleWrites: 2 } })
    expectUnclear(run, NOT_MOVED)
    expect(times(run, WRITE)).toHaveLength(2)
    expect(value(run)).toBe(run.current.token)
    expect(run.current.revoked).toBe(false)
    // Two readings before, and one every 1.1 s for 15 s after each write.
    expect(times(run, READ)).toHaveLength(2 + 2 * 14)
  })

  test('at a copy without being carried out keeps the home secret as it is, so that the next run rotates', async () => {
    const run = await runRotate({
      inputs: COPY,
      prepare: addCopy,
      answer: (what) =>
        what.startsWith('PUT') && what.includes('/dependabot/') ? { status: 204 } : undefined,
    })
    expectUnclear(run, NOT_MOVED)
    expect(run.error).toContain("writing the secret in the repository's Dependabot secrets failed")
    expect(value(run)).toBe(run.current.token)
    expect(times(run, WRITE)).toEqual([])
  })

  test('within the second of an earlier write is repeated, and counts then', async () => {
    const run = await runRotate({
      prepare: ({ github }) => {
        const value = github.secret('repository', SECRET)?.value ?? ''
        github.addSecret('repository', SECRET, { value, updatedAt: START + 200 })
      },
    })
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(2)
  })

  test.each(['utc', 'offset'] as const)('counts with a time in the form %s', async (updatedAt) => {
    const run = await runRotate({ github: { updatedAt } })
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(1)
    expect(summaryOf(run)).not.toContain('only its acknowledgment')
  })

  test('counts without updated_at, as no server could show more, and the summary says so', async () => {
    const run = await runRotate({ github: { updatedAt: 'absent' } })
    expect(run.error).toBe('')
    expect(run.traces.outputs.rotated).toBe('true')
    expect(times(run, READ)).toHaveLength(2)
    expect(summaryOf(run)).toContain(
      '- GitHub does not say when the secret in the repository was updated, so only its acknowledgment shows the write.',
    )
  })

  test('does not count if updated_at disappears', async () => {
    const run = await runRotate({
      answer: (what, count) =>
        what === READ && count > 2 ? { status: 200, body: { name: SECRET } } : undefined,
    })
    expectUnclear(run, NOT_MOVED)
  })

  test('has no effect on an emergency without updated_at: no old key is revoked', async () => {
    const run = await runRotate({
      own: true,
      age: 3 * DAY,
      inputs: { revokePrevious: 'now' },
      github: { updatedAt: 'absent' },
    })
    expect(run.error).toMatch(
      /^GitHub acknowledged the new key .*, but does not say when the secret was updated\. So no old key was revoked\. .* revoke the old key .* in the dashboard\.$/,
    )
    expect(run.current.revoked).toBe(false)
    expect(run.traces.outputs).toMatchObject({ rotated: 'true', retired: '[]' })
    expect(value(run)).toBe(newKey(run)?.token)
  })

  test('does not count if the same updated_at is only sent with more digits', async () => {
    const run = await runRotate({
      github: { idleWrites: 2 },
      answer: (what, count) => {
        const updated_at = `2027-01-02T03:04:26${count > 2 ? '.500' : ''}Z`
        return what === READ ? { status: 200, body: { name: SECRET, updated_at } } : undefined
      },
    })
    expectUnclear(run, NOT_MOVED)
    expect(times(run, WRITE)).toHaveLength(2)
  })

  test('without effect in an emergency revokes no old key', async () => {
    const run = await runRotate({
      own: true,
      age: 3 * DAY,
      inputs: { revokePrevious: 'now' },
      github: { idleWrites: 9 },
    })
    expectUnclear(run, NOT_MOVED)
    expect(run.current.revoked).toBe(false)
  })
})

describe('the state before a write', () => {
  const idle: RotateOptions['answer'] = (what) => (what === WRITE ? { status: 204 } : undefined)

  test('is read after the key was created: the write of another run does not count as its own', async () => {
    const run = await runRotate({
      answer: (what, count, { github, account }) => {
        const value = github.secret('repository', SECRET)?.value ?? ''
        if (what === 'POST /api/user/api-keys')
          github.addSecret('repository', SECRET, { value, updatedAt: START + 5_000 })
        return idle(what, count, { github, account })
      },
    })
    expectUnclear(run, NOT_MOVED)
  })

  test('is the later of two readings, as one may come from a replica that lags', async () => {
    const at = (updated_at: string) => ({ status: 200, body: { name: SECRET, updated_at } })
    const newer = '2027-03-01T04:00:00Z'
    const older = '2027-02-01T04:00:00Z'
    for (const [first, second] of [
      [newer, older],
      [older, newer],
    ] as const) {
      const run = await runRotate({
        answer: (what, count, world) => {
          if (what !== READ) return idle(what, count, world)
          return at(count === 1 ? first : count === 2 ? second : newer)
        },
      })
      expectUnclear(run, NOT_MOVED)
    }
  })

  test.each([
    ['first', 1],
    ['second', 2],
  ])('is known if only the %s reading lacks updated_at', async (_, lacking) => {
    const run = await runRotate({
      github: { idleWrites: 9 },
      answer: (what, count) =>
        what === READ && count === lacking ? { status: 200, body: { name: SECRET } } : undefined,
    })
    expectUnclear(run, NOT_MOVED)
  })

  test('that cannot be read is a refusal: nothing is written, and the new key is revoked', async () => {
    const second = (answer: ReturnType<NonNullable<RotateOptions['answer']>>) =>
      runRotate({ answer: (what, count) => (what === READ && count > 1 ? answer : undefined) })
    for (const [answer, reason] of [
      [refusedByGithub(403), 'answered 403 to GET'],
      [
        { status: 404, headers: { 'content-type': 'text/html' } },
        "something that GitHub's API does not send",
      ],
      [
        { status: 200, body: { name: 'OTHER' } },
        `GitHub returned another secret instead of ${SECRET} in the repository`,
      ],
    ] as const) {
      const run = await second(answer)
      expect(run.error).toMatch(/^The new key was not written, so this run did not change the secret: /)
      expect(run.error).toContain(reason)
      expect(times(run, WRITE)).toEqual([])
      expect(newKey(run)?.revoked).toBe(true)
    }
  })

  test('that a cancellation keeps from being read names the cancellation', async () => {
    const silent: Answer = { silence: true }
    const read = await runRotate({
      signalAt: 1_000,
      answer: (what, count) => (what === READ && count === 2 ? silent : undefined),
    })
    expect(read.error).toContain('timeout on cue (the job was cancelled).')
    expect(newKey(read)?.revoked).toBe(true)
    const written = await runRotate({
      signalAt: 1_000,
      answer: (what) => (what === WRITE ? silent : undefined),
    })
    expect(written.error).toContain(
      'timeout on cue (the job was cancelled). It and the old key both stay valid',
    )
  })

  test('is read again after a failure', async () => {
    const run = await runRotate({
      answer: (what, count) => (what === READ && count === 2 ? { status: 503 } : undefined),
    })
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(1)
  })

  test('may be that the secret was deleted: the write creates it again', async () => {
    const run = await runRotate({
      answer: (what, count) => {
        if (what === READ && count === 2) return refusedByGithub(404)
        return what === WRITE ? { status: 201, acted: true } : undefined
      },
    })
    expect(run.error).toBe('')
    expect(summaryOf(run)).toContain('- The secret in the repository had been deleted and was created again.')
  })
})

describe('the state after a write', () => {
  const afterWrite = (answer: RotateOptions['answer'], further: RotateOptions = {}) =>
    runRotate({
      ...further,
      answer: (what, count, world) => (what === READ && count > 2 ? answer?.(what, count, world) : undefined),
    })

  test.each([
    ['503', { status: 503 }, 'github.example answered 503 to GET'],
    ['404', refusedByGithub(404), 'github.example answered 404 to GET'],
    ['a page', { status: 200, headers: { 'content-type': 'text/html' } }, 'that GitHub'],
    ['another secret', { status: 200, body: { name: 'OTHER' } }, 'GitHub returned another secret'],
  ])('that stays unknown (%s) leaves both keys valid', async (_, answer, reason) => {
    const run = await afterWrite(() => answer)
    expect(run.error).toContain(reason)
    expect(run.error).toContain('It and the old key both stay valid')
    expect(newKey(run)?.revoked).toBe(false)
    expect(times(run, WRITE)).toHaveLength(2)
    expect(run.took).toBeLessThan(2 * MINUTE)
  })

  test('is read again after a failure, later each time', async () => {
    const run = await afterWrite((_, count) => (count < 6 ? { status: 503 } : undefined))
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(1)
    const [, , ...reads] = times(run, READ)
    const waits = reads.slice(1).map((at, index) => at - Number(reads[index]))
    expect(waits).toEqual([1_350, 1_600, 2_100])
  })

  test('is read again after the time that a rate limit asks for', async () => {
    const limited = { status: 429, headers: { 'retry-after': '60' } }
    const run = await afterWrite((_, count) => (count === 3 ? limited : undefined))
    expect(run.error).toBe('')
    expect(times(run, WRITE)).toHaveLength(1)
    const [, , first, second] = times(run, READ)
    expect(Number(second) - Number(first)).toBeGreaterThan(61_000)
    expect(Number(second) - Number(first)).toBeLessThan(63_000)
  })

  test('is not waited for beyond the ten minutes', async () => {
    const limited = { status: 429, headers: { 'retry-after': '601' } }
    const run = await afterWrite(() => limited)
    expect(run.error).toContain('rate limited by GitHub')
    expect(run.took).toBeLessThan(10 * MINUTE)
  })

  test('is read at least once after a cancellation', async () => {
    const run = await afterWrite(() => undefined, { signalAt: 650 })
    expect(times(run, WRITE)).toEqual([600])
    expect(run.error).toBe('')
    expect(value(run)).toBe(newKey(run)?.token)
  })

  test.each<[string, Answer | undefined, RotateOptions['github']]>([
    ['shows no write', undefined, { idleWrites: 1 }],
    ['does not answer', { silence: true }, {}],
  ])(
    'is not waited for after a cancellation, which is the reason if GitHub %s',
    async (_, answer, github) => {
      const run = await afterWrite(() => answer, { signalAt: 1_000, github: github ?? {} })
      expectUnclear(run, 'the job was cancelled before GitHub showed the write')
      expect(run.took).toBeLessThan(11_000)
    },
  )

  test('a refusal of the repeated write does not prove that the first had no effect', async () => {
    const run = await runRotate({
      github: { idleWrites: 1 },
      answer: (what, count) => (what === WRITE && count === 2 ? refusedByGithub(403) : undefined),
    })
    expect(run.error).toContain('was written to every place')
    expect(newKey(run)?.revoked).toBe(false)
  })
})

describe('a refused write', () => {
  const JSON_REFUSALS = [400, 401, 403, 404, 409, 413, 422, 429, 451].map(refusedByGithub)
  const OTHERS = [
    { status: 403, headers: { 'content-type': 'text/plain' }, body: 'Forbidden' },
    { status: 403, body: { error: 'policy' } },
    ...[400, 401, 403, 404, 413, 418, 422, 429, 451].map((status) => ({ status })),
    ...[300, 301, 302, 303, 304, 307, 308, 399].map((status) => ({ status, headers: { location: '/x' } })),
  ]
  const refused = (answer: Answer, further: RotateOptions = {}) =>
    runRotate({ ...further, answer: (what) => (what === WRITE ? answer : undefined) })

  test.each([...JSON_REFUSALS, ...OTHERS])(
    'that was carried out nevertheless leaves both keys valid: %j',
    async (answer) => {
      const run = await refused({ ...answer, acted: true })
      expect(run.error).toContain('It and the old key both stay valid')
      expect(value(run)).toBe(newKey(run)?.token)
      expect(newKey(run)?.revoked).toBe(false)
      expect(stateOf(run)).toMatchObject({ state: { phase: 'writing' } })
    },
  )

  test.each(JSON_REFUSALS)(
    'is proven if GitHub explains it and shows no write for 15 s: %j',
    async (answer) => {
      const run = await refused(answer)
      expect(run.error).toMatch(/^The new key was not written, so this run did not change the secret: /)
      expect(newKey(run)?.revoked).toBe(true)
      expect(run.took).toBeGreaterThanOrEqual(15_000)
    },
  )

  test.each(OTHERS)(
    'is not proven if GitHub does not explain it, even if no write is shown: %j',
    async (answer) => {
      const run = await refused(answer)
      expect(run.error).toContain('It and the old key both stay valid')
      expect(newKey(run)?.revoked).toBe(false)
    },
  )

  test('is not proven where it may have come within the second of another write', async () => {
    const run = await runRotate({
      prepare: ({ github }) => github.addSecret('repository', SECRET, { value: 'another', updatedAt: START }),
      answer: (what) => (what === WRITE ? { ...refusedByGithub(403), acted: true } : undefined),
    })
    expect(run.error).toContain('; nothing shows that the secret is unchanged. It and the old key both')
    expect(newKey(run)?.revoked).toBe(false)
    expect(run.github.secret('repository', SECRET)?.value).toBe(newKey(run)?.token)
  })

  test('is not proven by a server that does not say when the secret was updated', async () => {
    const run = await refused(refusedByGithub(403), { github: { updatedAt: 'absent' } })
    expect(run.error).toContain('; nothing shows that the secret is unchanged. It and the old key both')
    expect(newKey(run)?.revoked).toBe(false)
  })

  test.each<[string, Answer]>([
    ['it cannot be read', { status: 503 }],
    ['it is gone', refusedByGithub(404)],
    ['an older time is shown', { status: 200, body: { name: SECRET, updated_at: '2020-01-01T00:00:00Z' } }],
  ])('is not proven if %s afterwards', async (_, answer) => {
    const run = await runRotate({
      answer: (what, count) => {
        if (what === WRITE) return refusedByGithub(403)
        return what === READ && count > 2 ? answer : undefined
      },
    })
    expect(run.error).toContain(
      '; nothing shows that the secret is unchanged. It and the old key both stay valid',
    )
    expect(newKey(run)?.revoked).toBe(false)
  })

  test('is not proven if the job is cancelled before GitHub must show a write', async () => {
    const run = await refused(refusedByGithub(403), { signalAt: 5_000 })
    expect(run.error).toContain('; nothing shows that the secret is unchanged')
    expect(newKey(run)?.revoked).toBe(false)
  })
})

describe('what GitHub says about a secret', () => {
  const target = {
    place: { kind: 'repository', name: '' },
    path: SECRETS,
    secret: SECRET,
    publicKey: { id: '1', key: 'k' },
  } as const
  const withSecret = (info: Partial<SecretInfo>) => {
    const value = { name: SECRET, visibility: null, updatedAt: START, ...info }
    const secrets = { secret: async () => ({ ok: true, skew: null, value }) }
    let now = START
    const clock = {
      now: () => now,
      sleep: async (duration: number) => {
        now += duration
      },
    }
    const deps = { secrets, clock, random: () => 0.5 } as unknown as RotateDeps
    return {
      deps,
      clock,
      budget: createBudget({ deadline: START + MINUTE, clock }),
      elapsed: () => now - START,
    }
  }
  const wait = async (updatedAt: number | null, info: Partial<SecretInfo> = {}) => {
    const { deps, budget, elapsed } = withSecret(info)
    const before = { target: { ...target, updatedAt, audience: {} }, updatedAt }
    return { ...(await waitUntilShown(before, deps, budget)), elapsed: elapsed() }
  }

  test('shows a write, does not show it for exactly 15 s, or cannot show it', async () => {
    expect(await wait(START - 1_000)).toEqual({
      visibility: 'shown',
      reason: '',
      unchanged: false,
      elapsed: 0,
    })
    expect(await wait(START)).toEqual({
      visibility: 'not shown',
      reason: NOT_MOVED,
      unchanged: true,
      elapsed: 15_000,
    })
    expect(await wait(null)).toEqual({ visibility: 'unknown', reason: '', unchanged: false, elapsed: 0 })
    // With other digits, it neither shows a write nor proves that there was none.
    expect(await wait(START, { updatedAt: START + 500 })).toMatchObject({
      visibility: 'not shown',
      unchanged: false,
    })
  })

  test('is asked again if the machine slept after it was asked', async () => {
    const told = (sleeps: number, later: number) => {
      const { deps, budget, clock } = withSecret({})
      let reads = 0
      const secret = async () => {
        // Read just before the write is shown, and received long after that.
        if (reads++ === 0) await clock.sleep(sleeps)
        const value = { name: SECRET, visibility: null, updatedAt: reads === 1 ? START : later }
        return { ok: true, skew: null, value }
      }
      const before = { target: { ...target, updatedAt: START, audience: {} }, updatedAt: START }
      const further = { secrets: { secret }, cancellation: { requestedAt: null } }
      return waitUntilShown(before, { ...deps, ...further } as unknown as RotateDeps, budget)
    }
    expect(await told(20_000, START + 1_000)).toMatchObject({ visibility: 'shown' })
    expect(await told(20_000, START)).toMatchObject({ visibility: 'not shown', unchanged: true })
    expect(await told(HOUR, START)).toMatchObject({ visibility: 'not shown', unchanged: false })
  })

  test('is not asked again if it describes another secret, in any case of its name', async () => {
    const { deps, budget } = withSecret({ name: 'OTHER' })
    expect(await readSecret(target, deps, budget)).toEqual({
      ok: false,
      skew: null,
      failure: {
        message: `GitHub returned another secret instead of ${SECRET} in the repository`,
        mayHaveActed: false,
        retryable: false,
      },
    })
    const lower = withSecret({ name: SECRET.toLowerCase() })
    expect(await readSecret(target, lower.deps, lower.budget)).toMatchObject({ ok: true })
  })
})

describe('a place that holds an older key than the key in hand', () => {
  const listedLate = (age: number, updatedAt: number): RotateOptions => ({
    own: true,
    age,
    inputs: COPY,
    prepare: ({ github, addOwnKey }) => {
      addOwnKey(40 * DAY)
      github.addSecret('dependabot', SECRET, { value: 'old', updatedAt })
    },
  })

  test('is written at once, and no old key is revoked before', async () => {
    const run = await runRotate(listedLate(9 * DAY, START - 30 * DAY))
    expect(run.error).toBe('')
    expect(run.traces.outputs).toMatchObject({ rotated: 'true', retired: '[]' })
    expect([value(run), value(run, 'dependabot')]).toEqual([newKey(run)?.token, newKey(run)?.token])
    const warning =
      "The secret in the repository's Dependabot secrets was last updated before the key in use was created, so that " +
      'key has to be replaced. If more runs say so, another workflow rotates the same secret, or the clocks of the API ' +
      'and of GitHub differ.'
    expect(run.traces.warnings).toEqual([warning])
    expect(summaryOf(run)).toContain(`- ${warning}`)
  })

  test('is due in the summary and the outputs until a run succeeds', async () => {
    for (const updatedAt of [START - 30 * DAY, START - 8 * DAY]) {
      const run = await runRotate({
        ...listedLate(9 * DAY, updatedAt),
        answer: (what) => (what.startsWith('POST') ? { status: 403, body: { detail: 'No.' } } : undefined),
      })
      expect(run.error).not.toBe('')
      expect(summaryOf(run)).toContain('has to be replaced. If more runs say so')
      expect(summaryOf(run)).toContain('\n- Next rotation: now\n')
      expect(run.traces.outputs['due-at']).toBe('')
    }
  })

  test('is told by its last update, give or take an hour', async () => {
    const before = await runRotate(listedLate(9 * DAY, START - 9 * DAY - HOUR - 1_000))
    expect(before.traces.outputs.rotated).toBe('true')
    expect(before.traces.warnings.join()).toContain('was last updated before the key in use was created')
  })

  test('is told by the last update of the home secret as well, give or take 11 minutes', async () => {
    const before = await runRotate(listedLate(9 * DAY, START - 9 * DAY - 11 * MINUTE - 1_000))
    expect(before.traces.outputs).toMatchObject({ rotated: 'true', retired: '[]' })
    const warning =
      "The secret in the repository's Dependabot secrets was last updated more than ten minutes before that in the " +
      'repository, so the key in use has to be replaced. If more runs say so, a person, a tool or another workflow writes ' +
      'only one of them.'
    expect(before.traces.warnings).toEqual([warning])
    expect(summaryOf(before)).toContain(`- ${warning}`)
  })

  const notYet =
    "The secret in the repository's Dependabot secrets was last updated more than ten minutes before that in the " +
    'repository. The newest key is less than two days old, so it is not replaced again, and no old key was revoked. If ' +
    'more runs say so, a person, a tool or another workflow writes only one of them.'

  test('is told by that, but not written at once, while the newest key is less than two days old', async () => {
    const behindHome = (age: number, ...others: number[]) =>
      runRotate({
        own: true,
        age,
        inputs: { ...COPY, limits: { rotateAfter: 30 * DAY, expiresIn: 60 * DAY, overlap: DAY } },
        prepare: ({ github, addOwnKey }) => {
          addOwnKey(40 * DAY)
          for (const other of others) addOwnKey(other)
          github.addSecret('dependabot', SECRET, { value: 'old', updatedAt: START - age - 12 * MINUTE })
        },
      })
    for (const run of [await behindHome(2 * DAY - MINUTE), await behindHome(9 * DAY, DAY)]) {
      expect(run.error).toBe('')
      expect(run.traces.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
      expect(run.traces.warnings[0]).toBe(notYet)
      expect(summaryOf(run)).toContain(`- ${notYet}`)
    }
    const older = await behindHome(2 * DAY)
    expect(older.traces.outputs.rotated).toBe('true')
  })

  test('may hold any key if it was written after the home secret, more than a minute later', async () => {
    for (const [later, rotated] of [
      [MINUTE, 'false'],
      [MINUTE + 1_000, 'true'],
      [5 * DAY, 'true'],
    ] as const) {
      const run = await runRotate(listedLate(9 * DAY, START - 9 * DAY + later))
      expect(run.error).toBe('')
      expect(run.traces.outputs.rotated).toBe(rotated)
      if (rotated === 'false') continue
      expect(run.traces.outputs.retired).toBe('[]')
      expect(run.traces.warnings).toEqual([
        "The secret in the repository's Dependabot secrets was last updated more than a minute after that in the " +
          'repository, so the key in use has to be replaced. If more runs say so, a person, a tool or another workflow writes ' +
          'only one of them.',
      ])
    }
    const young = await runRotate(listedLate(2 * DAY - MINUTE, START - DAY))
    expect(young.traces.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
    expect(young.traces.warnings[0]).toContain('The newest key is less than two days old')
  })

  test('is written at once in spite of that by a run that rotates anyway, or if its key is certainly older', async () => {
    const emergency = listedLate(DAY, START - DAY - 12 * MINUTE)
    const forced = await runRotate({ ...emergency, inputs: { ...COPY, revokePrevious: 'now' } })
    const older = await runRotate(listedLate(DAY, START - 2 * DAY))
    for (const run of [forced, older]) {
      expect(run.error).toBe('')
      expect(run.traces.outputs.rotated).toBe('true')
      expect(run.traces.warnings).toHaveLength(1)
      expect(run.traces.warnings[0]).toMatch(/key (in use )?has to be replaced/)
    }
  })

  test('is not told by that if a person saved the key in hand, who may take longer', async () => {
    const run = await runRotate({
      inputs: COPY,
      prepare: ({ account, github }) => {
        const { token } = account.addKey({ created: START - 2 * DAY, expiry: START + 58 * DAY })
        github.addSecret('repository', SECRET, { value: token, updatedAt: START - DAY })
        github.addSecret('dependabot', SECRET, { value: token, updatedAt: START - DAY - HOUR })
      },
      inputsOf: ({ github }) => ({ apiKey: github.secret('repository', SECRET)?.value ?? '' }),
    })
    expect(run.error).toBe('')
    expect(run.traces.outputs.rotated).toBe('false')
    expect(run.traces.warnings).toEqual([])
  })

  const note = (why: string) =>
    `- The secret in the repository's Dependabot secrets may hold an older key than the one in use (${why}), so no old ` +
    'key was revoked. A run after the next rotation revokes them, or they expire.'

  test('is in doubt within these 11 minutes: no old key is revoked, and the summary says so', async () => {
    const within = await runRotate(listedLate(9 * DAY, START - 9 * DAY - 10 * MINUTE))
    expect(within.error).toBe('')
    expect(within.traces.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
    expect(within.seen.filter(({ what }) => what.startsWith('DELETE'))).toEqual([])
    expect(summaryOf(within)).toContain(note('it was last updated just before that was created'))
    const noOldKey = await runRotate({
      ...listedLate(9 * DAY, START - 9 * DAY - 10 * MINUTE),
      prepare: ({ github }) =>
        github.addSecret('dependabot', SECRET, { value: 'x', updatedAt: START - 9 * DAY - 10 * MINUTE }),
    })
    expect(summaryOf(noOldKey)).not.toContain('may hold an older key')
    const after = await runRotate(listedLate(9 * DAY, START - 9 * DAY))
    expect(JSON.parse(after.traces.outputs.retired ?? '')).toHaveLength(1)
    expect(summaryOf(after)).not.toContain('may hold an older key')
  })

  test('is in doubt if GitHub says only of other places when they were updated', async () => {
    const run = await runRotate({
      ...listedLate(9 * DAY, START - 9 * DAY),
      answer: (what) =>
        what.startsWith('GET') && what.includes(`dependabot/secrets/${SECRET}`)
          ? { status: 200, body: { name: SECRET } }
          : undefined,
    })
    expect(run.error).toBe('')
    expect(run.traces.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
    expect(summaryOf(run)).toContain(note('GitHub does not say when it was updated'))
    const noneSaid = await runRotate({
      ...listedLate(9 * DAY, START - 30 * DAY),
      github: { updatedAt: 'absent' },
    })
    expect(JSON.parse(noneSaid.traces.outputs.retired ?? '')).toHaveLength(1)
  })

  const initialOf = ({ account }: Pick<RotateRun, 'account'>) =>
    account.foreign().find(({ expiry }) => expiry === null)
  /** A run with an initial key that never expires. */
  const withInitial = (options: RotateOptions) =>
    runRotate({
      ...options,
      inputsOf: (world) => ({ initialKeyId: initialOf(world)?.id ?? '' }),
      prepare: (world) => {
        options.prepare?.(world)
        world.account.addKey({ expiry: null, created: START - 50 * DAY })
      },
    })
  const unknownUpdate: RotateOptions['answer'] = (what) =>
    what.startsWith('GET') && what.includes(`dependabot/secrets/${SECRET}`)
      ? { status: 200, body: { name: SECRET } }
      : undefined
  const STILL_VALID =
    /^- The initial key .*is still valid; it is not revoked while GitHub does not show that every place holds a newer key\.$/m

  test.each([
    ['it was last updated just before', listedLate(9 * DAY, START - 9 * DAY - 12_000)],
    ['its update is unknown', { ...listedLate(9 * DAY, START - 9 * DAY), answer: unknownUpdate }],
  ])('is warned of if a key that never expires is kept because %s', async (_why, options) => {
    const run = await withInitial(options)
    expect(run.error).toBe('')
    expect(run.traces.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
    const initial = initialOf(run)
    const warning =
      `The old key ${initial?.token_key}... (id ${initial?.id}) never expires, and no run revokes it while a place may hold an ` +
      'older key than the one in use. Check that every place holds a newer key, then revoke it in the dashboard.'
    expect(run.traces.warnings).toEqual([warning])
    expect(summaryOf(run)).toContain(`- ${warning}`)
    expect(summaryOf(run)).toContain('so no old key was revoked. The next rotation writes every place.')
    expect(summaryOf(run)).not.toContain('The initial key')
    expect(summaryOf(run)).not.toContain('A run after the next rotation')
  })

  test('is no reason for a promise about the initial key, even before that could be revoked', async () => {
    const young = await withInitial({ ...listedLate(3 * DAY, START - 3 * DAY), answer: unknownUpdate })
    expect(young.traces.warnings).toEqual([])
    expect(summaryOf(young)).toMatch(STILL_VALID)
    const behind = await withInitial(listedLate(DAY, START - DAY - 12 * MINUTE))
    expect(behind.traces.warnings).toEqual([notYet])
    expect(summaryOf(behind)).toMatch(STILL_VALID)
  })

  test('does not count as such if the clocks of the API and of GitHub differ by up to 10 s', async () => {
    const run = await withInitial(listedLate(9 * DAY, START - 9 * DAY - 9_000))
    expect(run.traces.warnings).toEqual([])
    expect(JSON.parse(run.traces.outputs.retired ?? '')).toHaveLength(2)
  })

  test('may have held it until it was last written, so within the overlap after that no old key is revoked', async () => {
    const saved = (updatedAt: number) =>
      runRotate({
        ...listedLate(9 * DAY, updatedAt),
        prepare: ({ github, addOwnKey }) => {
          addOwnKey(40 * DAY)
          for (const place of ['repository', 'dependabot'])
            github.addSecret(place, SECRET, { value: addOwnKey(9 * DAY).token, updatedAt })
        },
        inputsOf: ({ github }) => ({ apiKey: github.secret('repository', SECRET)?.value ?? '' }),
      })
    const run = await saved(START - 7 * DAY)
    expect(run.traces.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
    expect(run.seen.filter(({ what }) => what.startsWith('DELETE'))).toEqual([])
    expect((await saved(START - 7 * DAY - 2 * HOUR)).traces.outputs.retired).not.toBe('[]')
  })
})
