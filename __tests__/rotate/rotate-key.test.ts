import { describe, expect, test } from '@jest/globals'
import { taggedExpiry } from '../../src/rotate/decisions.ts'
import { rowOf } from '../support/rows.ts'
import {
  DAY,
  HOUR,
  type RotateOptions,
  refusedByGithub,
  runProving,
  runRotate,
  SECRET,
  START,
  stateOf,
  TAG,
} from './harness.ts'

const KEYS = '/api/user/api-keys'
const SECRETS = '/repos/octo-org/octo-repo/actions/secrets'
const MINUTE = 60_000
const made = ({ account }: Awaited<ReturnType<typeof runRotate>>) => account.keys()
const whats = ({ seen }: Awaited<ReturnType<typeof runRotate>>) =>
  seen.map(({ what }) => what.replace(/(api-keys)\/\w+/, '$1/ID'))
const secretValue = ({ github }: Awaited<ReturnType<typeof runRotate>>) =>
  github.secret('repository', SECRET)?.value
const young: RotateOptions = { own: true, age: DAY }

describe('a run', () => {
  test('sends its requests in this order, and leaves nothing to the post step', async () => {
    const run = await runRotate()
    expect(run.error).toBe('')
    expect(whats(run)).toEqual([
      `GET ${KEYS}`,
      `GET ${SECRETS}/${SECRET}`,
      `GET ${SECRETS}/public-key`,
      `POST ${KEYS}`,
      `GET ${KEYS}`,
      `GET ${SECRETS}/${SECRET}`,
      `PUT ${SECRETS}/${SECRET}`,
      `GET ${SECRETS}/${SECRET}`,
    ])
    expect(stateOf(run)).toMatchObject({ kind: 'record', state: { phase: 'settled', key: null } })
    expect(secretValue(run)).toBe(made(run)[0]?.token)
    expect(run.traces.printed.join('\n')).toContain('Rotated: the secret now holds the key')
  })

  test('that is not due reads both services and changes nothing', async () => {
    const run = await runRotate(young)
    expect(whats(run)).toEqual([`GET ${KEYS}`, `GET ${SECRETS}/${SECRET}`, `GET ${SECRETS}/public-key`])
    expect(run.traces.outputs).toMatchObject({
      rotated: 'false',
      'key-id': run.current.id,
      'key-prefix': run.current.token_key,
      'due-at': new Date(START + 29 * DAY).toISOString(),
      'expires-at': new Date(run.current.expiry ?? 0).toISOString(),
      retired: '[]',
    })
    expect(stateOf(run)).toEqual({ kind: 'none' })
    expect(run.traces.printed.join('\n')).toContain('Not due: api-key is the key')
  })

  test('rotates as soon as the key is due, and not 5 s earlier', async () => {
    expect(made(await runRotate({ own: true, age: 30 * DAY - 5_000 }))).toEqual([])
    expect(made(await runRotate({ own: true, age: 30 * DAY }))).toHaveLength(1)
  })

  test('rotates in the very millisecond in which the key is due', async () => {
    const api = { dateHeader: false }
    // Three requests of 100 ms come before the decision.
    expect(made(await runRotate({ own: true, age: 30 * DAY - 300, api }))).toHaveLength(1)
    expect(made(await runRotate({ own: true, age: 30 * DAY - 301, api }))).toHaveLength(0)
  })

  test('says in one line what it did and when the next rotation is due', async () => {
    const lines = ({ traces }: Awaited<ReturnType<typeof runRotate>>) =>
      traces.printed.filter((text) => /^(Not due|Rotated):/.test(text))
    const idle = await runRotate(young)
    const label = (key: { token_key: string; id: string } | undefined) =>
      `${key?.token_key}... (id ${key?.id.slice(0, 8)}...)`
    expect(lines(idle)).toEqual([
      `Not due: api-key is the key ${label(idle.current)}. The next rotation is due at 2027-03-30 04:17:00 UTC.`,
    ])
    const rotated = await runRotate({ own: true, age: 31 * DAY })
    expect(lines(rotated)).toEqual([
      `Rotated: the secret now holds the key ${label(made(rotated)[0])}. The next rotation is due at 2027-03-31 04:17:00 UTC.`,
    ])
  })

  test('lists in the summary exactly what a person should know', async () => {
    const run = await runRotate({ own: true, age: 31 * DAY })
    const summary = run.traces.printed.find((text) => text.startsWith('###')) ?? ''
    expect(summary.split('\n').filter((line) => line.startsWith('- '))).toEqual([
      '- Next rotation: due at 2027-03-31 04:17:00 UTC',
      expect.stringMatching(/^- If rotation stops, the secret works until /),
      expect.stringMatching(/^- The previous key .* stays valid during the overlap: .* revokes it\.$/),
    ])
  })

  test("reads the repository's id if the runner does not set it", async () => {
    const run = await runRotate({ ...young, repositoryId: null })
    expect(run.error).toBe('')
    expect(whats(run)[0]).toBe('GET /repos/octo-org/octo-repo')
    const failing = await runRotate({
      repositoryId: null,
      answer: (what) => (what === 'GET /repos/octo-org/octo-repo' ? refusedByGithub(404) : undefined),
    })
    expect(failing.error).toBe(
      "Could not read the repository's id: github.example answered 404 to GET /repos/octo-org/octo-repo: Not so. " +
        'It does not exist, or github-token has no access: check that the token has the permission "Metadata: read".',
    )
    const organization = await runRotate({
      repositoryId: null,
      inputs: { home: { kind: 'organization', name: 'Octo-Org' } },
      prepare: ({ github }) =>
        github.addSecret('organization octo-org', SECRET, { value: 'x', visibility: 'all' }),
    })
    expect(organization.error).toBe('')
    expect(whats(organization)[0]).toBe(`GET ${KEYS}`)
  })

  test('sets its outputs and writes its summary even if it fails', async () => {
    const run = await runRotate({
      answer: (what) => (what.startsWith('POST') ? { status: 403, body: {} } : undefined),
    })
    expect(run.error).toBe(
      'No new key was created: api.example answered 403 to POST /api/user/api-keys. This run did not change the secret.',
    )
    expect(run.traces.outputs).toMatchObject({ rotated: 'false', 'key-id': run.current.id })
    const summary = run.traces.printed.find((text) => text.startsWith('###'))
    expect(summary).toContain('SphereScout key rotation: Failed')
    expect(summary).toContain('No new key was created')
    expect(summary).toContain('Next rotation: now')
    expect(summary).toContain('The key in api-key has no expiry.')
  })

  test('that fails says why even if its outputs cannot be set, in the summary too', async () => {
    const run = await runRotate({
      failing: 'setOutput',
      answer: (what) => (what.startsWith('PUT') ? refusedByGithub(403) : undefined),
    })
    expect(run.error).toMatch(/^The new key was not written, .*answered 403/)
    expect(run.traces.warnings).toEqual([expect.stringContaining('ENOSPC')])
    expect(run.traces.printed.find((text) => text.startsWith('###'))).toContain('answered 403')
  })

  test('fails if its outputs cannot be set, after it wrote the summary', async () => {
    const run = await runRotate({ failing: 'setOutput' })
    expect(run.error).toContain('ENOSPC')
    expect(run.traces.printed.join('\n')).toContain('### SphereScout key rotation: Rotated')
    expect(secretValue(run)).toBe(made(run)[0]?.token)
  })
})

describe('the account’s list', () => {
  const listed = (answer: RotateOptions['answer']) =>
    runRotate({ answer: (what, ...rest) => (what === `GET ${KEYS}` ? answer?.(what, ...rest) : undefined) })

  test('a 401 of the API is reported as a rejected key, other refusals as they are', async () => {
    expect((await listed(() => ({ status: 401 }))).error).toMatch(
      /^The API rejected api-key: .*401.* so rotation cannot continue\. Create a key in the dashboard and save it in the secret\.$/,
    )
    expect((await listed(() => ({ status: 403 }))).error).toBe(
      'Could not list the keys of the account: api.example answered 403 to GET /api/user/api-keys.',
    )
  })

  test.each([
    ['an HTML page', { status: 401, headers: { 'content-type': 'text/html' } }],
    ['a challenge for another scheme', { status: 401, headers: { 'www-authenticate': 'Basic' } }],
  ])('a 401 that is %s says nothing about the key', async (_, answer) => {
    const passing = await listed((_what, count) => (count === 1 ? answer : undefined))
    expect(passing.error).toBe('')
    expect((await listed(() => answer)).error).toMatch(
      /^Could not list the keys of the account: .* Something in front of the API answered, so api-key was not checked\. Check api-url, or run the job again later\.$/,
    )
  })

  test('without the key in hand makes the run fail before it changes anything', async () => {
    const run = await listed(() => ({ status: 200, body: [] }))
    expect(run.error).toMatch(
      /^Could not find api-key in the account's list of keys: no key in the list matches .* Nothing was changed/,
    )
    expect(run.seen).toHaveLength(1)
    expect(run.traces.outputs).toEqual({
      rotated: 'false',
      'key-id': '',
      'key-prefix': '',
      'expires-at': '',
      'due-at': '',
      retired: '[]',
    })
  })

  test('is retried until the timeout, and no longer', async () => {
    const run = await listed(() => ({ silence: true }))
    expect(run.error).toContain('Could not list the keys')
    expect(run.took).toBeLessThanOrEqual(120_000)
    expect(run.took).toBeGreaterThan(100_000)
  })

  test('may take as long as the timeout if it has many pages', async () => {
    const api = { listForm: 'paginated', pageSize: 2 } as const
    const addKeys: RotateOptions['prepare'] = ({ account }) => {
      for (let count = 0; count < 80; count++) account.addKey({ expiry: START + DAY })
    }
    const slow = (timeout: number) =>
      runRotate({
        own: true,
        age: 31 * DAY,
        api,
        prepare: addKeys,
        inputs: { timeout },
        answer: (what) => (what.startsWith(`GET ${KEYS}`) ? { takes: 300 } : undefined),
      })
    // 41 pages of 0.3 s, read twice.
    expect((await slow(45_000)).error).toBe('')
    expect((await slow(20_000)).error).toMatch(/^Could not list the keys of the account: /)
  })

  test('may show a row twice, as a list does whose pages move', async () => {
    const run = await runRotate({
      ...young,
      answer: (what, _count, { account }) => {
        if (what !== `GET ${KEYS}`) return undefined
        const [key] = account.foreign()
        const row = { id: key?.id, token_key: key?.token_key, created: key && new Date(key.created) }
        const full = { ...row, expiry: key && new Date(Number(key.expiry)) }
        return { status: 200, body: { count: 1, next: null, results: [full, full] } }
      },
    })
    expect(run.error).toBe('')
    expect(run.traces.outputs['key-id']).toBe(run.current.id)
  })
})

describe('retiring old keys', () => {
  const old: RotateOptions = {
    own: true,
    age: 9 * DAY,
    prepare: ({ addOwnKey }) => {
      addOwnKey(40 * DAY)
      addOwnKey(41 * DAY)
    },
  }

  test('revokes each with the key in hand and lists the keys afterwards', async () => {
    const run = await runRotate(old)
    expect(whats(run).slice(3)).toEqual([`DELETE ${KEYS}/ID`, `DELETE ${KEYS}/ID`, `GET ${KEYS}`])
    expect(run.seen[3]?.credential).toBe(run.current.token)
    const ids = run.account
      .foreign()
      .filter(({ revoked }) => revoked)
      .map(({ id }) => id)
    expect(ids).toHaveLength(2)
    expect(JSON.parse(run.traces.outputs.retired ?? '').sort()).toEqual(ids.sort())
    expect(run.traces.printed.join('\n')).toMatch(/Revoked the old key .* \(no longer listed\)/)
  })

  test('warns of a refusal and goes on', async () => {
    const run = await runRotate({
      ...old,
      age: 31 * DAY,
      answer: (what) => (what.startsWith('DELETE') ? { status: 403 } : undefined),
    })
    expect(run.error).toBe('')
    expect(run.traces.warnings).toHaveLength(2)
    for (const warning of run.traces.warnings) {
      expect(warning).toMatch(
        /^Could not confirm that the old key .* was revoked: .*403.* A later run tries again\.$/,
      )
      expect(run.traces.printed.join('\n')).toContain(
        `- ${warning.replace(' A later run tries again.', '')}\n`,
      )
    }
    expect(made(run)).toHaveLength(1)
  })

  test('counts a key with a 404 as revoked only if the list no longer shows it', async () => {
    const gone = await runRotate({
      ...old,
      answer: (what) => (what.startsWith('DELETE') ? { status: 404, acted: true } : undefined),
    })
    expect(JSON.parse(gone.traces.outputs.retired ?? '')).toHaveLength(2)
    const there = await runRotate({
      ...old,
      answer: (what) => (what.startsWith('DELETE') ? { status: 404 } : undefined),
    })
    expect(there.traces.warnings[0]).toContain('it is still in the list')
    expect(there.took).toBeGreaterThanOrEqual(10_000)
    expect(there.took).toBeLessThan(15_000)
  })

  test.each([
    ['cannot be read', { status: 403 }, '403'],
    [
      'may be incomplete',
      { status: 200, body: { count: 99, next: null, results: [] } },
      'may be incomplete (it shows 0 of 99',
    ],
    [
      'does not have the key in hand',
      { status: 200, body: [] },
      'the list does not show the key that it was read with',
    ],
  ])('counts no key as revoked by a list that %s', async (_, answer, reason) => {
    const run = await runRotate({
      ...old,
      answer: (what, count) => (what === `GET ${KEYS}` && count > 1 ? answer : undefined),
    })
    expect(run.traces.outputs.retired).toBe('[]')
    expect(run.traces.warnings[0]).toContain(reason)
  })

  test('counts no key as revoked that a list with moving pages skips', async () => {
    let asked = false
    let moved = false
    const run = await runRotate({
      ...old,
      api: { listForm: 'paginated', pageSize: 2, idleRevocation: true },
      prepare: ({ account, addOwnKey }) => {
        addOwnKey(40 * DAY)
        account.addKey({ expiry: START + DAY, created: START - 42 * DAY })
      },
      answer: (what, _count, { account }) => {
        asked ||= what.startsWith('DELETE')
        if (!asked || moved || what !== `GET ${KEYS}?page=2`) return undefined
        // A key of the first page expires, so the old key moves there from the second.
        moved = true
        const oldest = account.foreign().find(({ created }) => created === START - 42 * DAY)
        if (oldest) oldest.expiry = START
        return undefined
      },
    })
    expect(moved).toBe(true)
    expect(run.traces.outputs.retired).toBe('[]')
    expect(run.traces.warnings[0]).toContain('it is still in the list')
  })

  test("does not happen if the API's time is unknown", async () => {
    const run = await runRotate({ ...old, api: { dateHeader: false } })
    expect(whats(run).filter((what) => what.startsWith('DELETE'))).toEqual([])
    expect(run.traces.printed.join('\n')).toContain(
      "- The API's time is unknown (no Date header), so no old key was revoked.",
    )
  })

  test.each([400 * DAY, -400 * DAY, 25 * HOUR, -25 * HOUR])(
    'and rotating do not happen if the clock is off by %i ms: the run fails and creates no key',
    async (clockError) => {
      const run = await runRotate({ ...old, age: 50 * DAY, clockError })
      const here = new Date(START + clockError).toISOString().slice(0, 10)
      expect(run.error).toMatch(
        new RegExp(`^The clocks of this machine \\(${here} .*and of the API \\(2027-03-01 04:17`),
      )
      expect(run.error).toMatch(
        /apart, so ages cannot be calculated\. Nothing was changed\. Check the clock of the runner\.$/,
      )
      expect(whats(run)).toEqual([`GET ${KEYS}`])
      expect(run.traces.warnings).toEqual([])
    },
  )

  test('does not happen if the list may be incomplete', async () => {
    const run = await runRotate({
      ...old,
      answer: (what, count, { account }) => {
        if (what !== `GET ${KEYS}` || count > 1) return undefined
        const headers = { authorization: `Bearer ${account.longLivedKey}` }
        const results = JSON.parse(account.handle({ method: 'GET', path: KEYS, headers, body: '' }).body)
        const body = { count: results.length + 1, next: null, results }
        return { status: 200, headers: { date: new Date(START).toUTCString() }, body }
      },
    })
    expect(whats(run).filter((what) => what.startsWith('DELETE'))).toEqual([])
    expect(run.traces.printed.join('\n')).toMatch(
      /The account's list may be incomplete \(.*\), so no old key was revoked/,
    )
  })

  test("calculates ages by the API's clock and by the machine's, because either may be wrong", async () => {
    const retired = async (age: number, clockError: number) =>
      JSON.parse((await runRotate({ ...old, age, clockError })).traces.outputs.retired ?? '')
    expect(await retired(7 * DAY, 20 * HOUR)).toHaveLength(0)
    expect(await retired(7 * DAY + 2 * HOUR, 20 * HOUR)).toHaveLength(2)
    expect(await retired(7 * DAY + 2 * HOUR, -20 * HOUR)).toHaveLength(0)
    expect(await retired(7 * DAY + 22 * HOUR, -20 * HOUR)).toHaveLength(2)
  })

  test('does not happen early if the machine sleeps between sending the request and its answer', async () => {
    const run = await runRotate({
      ...old,
      age: 6 * DAY,
      answer: (what, count) => (what === `GET ${KEYS}` && count === 1 ? { sleeps: 20 * HOUR } : undefined),
    })
    expect(run.error).toBe('')
    expect(run.traces.outputs.retired).toBe('[]')
    expect(whats(run).filter((what) => what.startsWith('DELETE'))).toEqual([])
  })

  test('says that the initial key is still valid', async () => {
    const initialKeyId = 'initial'
    const run = await runRotate({
      own: true,
      age: DAY,
      prepare: ({ account }) => {
        account.addKey({ expiry: null, created: START - 50 * DAY }).id = initialKeyId
      },
      inputs: { initialKeyId },
    })
    expect(run.traces.printed.join('\n')).toMatch(
      /^- The initial key .*\(id initial\) is still valid; a later run that receives a newer key revokes it\.$/m,
    )
    const without = (await runRotate(young)).traces.printed.join('\n')
    expect(without).not.toContain('The initial key')
    expect(without).not.toContain('initial-key-id')
  })

  test('skips expired keys, which some APIs list', async () => {
    const listed = (emergency: boolean, headers = { date: new Date(START).toUTCString() } as object) =>
      runRotate({
        own: true,
        age: 20 * DAY,
        inputs: emergency ? { revokePrevious: 'now' } : {},
        answer: (what, _count, { account }) => {
          if (what !== `GET ${KEYS}`) return undefined
          const [current, expired] = account.foreign()
          const rows = [current, expired, ...account.keys()].flatMap((key) =>
            key && !key.revoked ? [rowOf(key, {})] : [],
          )
          return { status: 200, headers: { ...headers }, body: rows }
        },
        prepare: ({ addOwnKey }) => void addOwnKey(70 * DAY),
        inputsOf: ({ account }) => ({ initialKeyId: account.foreign()[1]?.id ?? '' }),
      })
    for (const emergency of [false, true]) {
      const run = await listed(emergency)
      expect(run.error).toBe('')
      expect(run.traces.warnings).toEqual([])
      expect(whats(run).filter((what) => what.startsWith('DELETE'))).toHaveLength(emergency ? 1 : 0)
      expect(run.traces.printed.join('\n')).not.toContain('initial')
    }
    // Without the API's time, it is not known that the key has expired.
    expect((await listed(true, {})).error).toContain('it is still in the list')
  })

  test('says that initial-key-id names no key', async () => {
    const wrong = { ...young, inputs: { initialKeyId: 'ID-OF-THE-KEY-CREATED-BY-HAND' } }
    const note =
      '- No key of the account has the ID in initial-key-id. If that key was revoked, remove the input; otherwise correct it.'
    expect((await runRotate(wrong)).traces.printed.join('\n')).toContain(note)
    const named = await runRotate({
      ...young,
      inputsOf: ({ account }) => ({ initialKeyId: account.foreign()[0]?.id ?? '' }),
    })
    expect(named.traces.printed.join('\n')).not.toContain('No key of the account')
  })
})

describe('creating the new key', () => {
  const onCreate = (answer: RotateOptions['answer'], further: RotateOptions = {}) =>
    runRotate({
      ...further,
      answer: (what, ...rest) => (what.startsWith('POST') ? answer?.(what, ...rest) : undefined),
    })
  const posts = (run: Awaited<ReturnType<typeof runRotate>>) =>
    run.seen.filter(({ what }) => what.startsWith('POST'))

  test('is tried three times if the responses are lost', async () => {
    const run = await onCreate(() => ({ cut: true, acted: true }))
    expect(posts(run)).toHaveLength(3)
    expect(run.error).toMatch(
      /^No new key was received: .* This run did not change the secret\. If a create request took effect anyway, there is a key/,
    )
    expect(stateOf(run)).toMatchObject({ state: { phase: 'creating', key: null } })
  })

  test('leaves nothing to the post step if no key can have been created', async () => {
    const run = await onCreate(() => ({ refused: true }))
    expect(posts(run)).toHaveLength(3)
    expect(run.error).toMatch(/^No new key was created: .* This run did not change the secret\.$/)
    expect(stateOf(run)).toMatchObject({ state: { phase: 'settled' } })
  })

  test('a refusal after a lost response still says that there may be an orphan', async () => {
    const run = await onCreate((_, count) => (count === 1 ? { cut: true, acted: true } : { status: 403 }))
    expect(posts(run)).toHaveLength(2)
    expect(run.error).toMatch(/^No new key was received: .*403.*If a create request took effect anyway/)
    expect(stateOf(run)).toMatchObject({ state: { phase: 'creating', key: null } })
  })

  test('waits as long as a rate limit asks, unless that exceeds the timeout', async () => {
    const limited = (seconds: string) => (_: string, count: number) =>
      count === 1 ? { status: 429, headers: { 'retry-after': seconds } } : undefined
    const short = await onCreate(limited('30'))
    expect(short.error).toBe('')
    const [first, second] = posts(short)
    expect(Number(second?.at) - Number(first?.at)).toBeGreaterThanOrEqual(30_000)
    expect(short.traces.printed.join('\n')).toContain('Retrying in 30.')
    expect((await onCreate(limited('121'))).error).toMatch(/^No new key was created: .*too many requests/)
  })

  test('requests whole milliseconds after a 400 of the API, and whole seconds after another, but no more', async () => {
    const expiries = async (refusals: number) => {
      const run = await onCreate((_, count) => (count <= refusals ? { status: 400 } : undefined))
      expect(run.error === '').toBe(refusals < 3)
      return posts(run).map(({ body }) => /\d\d(\.\d+)?Z$/.exec(JSON.parse(body).expiry)?.[1]?.length ?? 0)
    }
    expect(await expiries(1)).toEqual([7, 4])
    expect(await expiries(2)).toEqual([7, 4, 0])
    expect(await expiries(9)).toEqual([7, 4, 0])
  })

  test('never requests whole seconds where a listed key shows that the API keeps milliseconds', async () => {
    const refused = (_: string, count: number) => (count <= 2 ? { status: 400 } : undefined)
    const run = await onCreate(refused, { own: true, age: 31 * DAY })
    expect(posts(run).map(({ body }) => /\d\d(\.\d+)?Z$/.exec(JSON.parse(body).expiry)?.[1]?.length)).toEqual(
      [7, 4],
    )
    expect(run.error).toMatch(/^No new key was received: .*400/)
  })

  test('repeats the same request after a 400 that is not from the API', async () => {
    const page = { status: 400, headers: { 'content-type': 'text/html' } }
    const run = await onCreate((_, count) => (count === 1 ? page : undefined))
    expect(JSON.parse(posts(run)[1]?.body ?? '').expiry).toMatch(/\.\d{6}Z$/)
    expect(run.error).toBe('')
  })

  test("calculates the expiry by the API's clock", async () => {
    const run = await runRotate({ clockError: 20 * HOUR })
    const [key] = made(run)
    expect(Number(key?.expiry) - START).toBeLessThanOrEqual(60 * DAY + MINUTE)
    expect(Number(key?.expiry) - START).toBeGreaterThan(58 * DAY)
  })

  test('masks every key, and neither writes nor revokes a key that existed before', async () => {
    const run = await onCreate((_, __, { account }) => {
      const [other] = [account.addKey({ expiry: null, created: START - DAY })]
      return {
        status: 201,
        body: {
          token: other.token,
          api_key: {
            id: other.id,
            token_key: other.token_key,
            created: '2027-02-28T04:17:00Z',
            expiry: null,
          },
        },
      }
    })
    expect(run.error).toMatch(
      /does not describe a key that this run created: it was created at .* neither written nor revoked; check the key .* in the dashboard\. Revoke it there if no one uses it: no later run does\.$/,
    )
    expect(whats(run).filter((what) => /DELETE|PUT/.test(what))).toEqual([])
    expect(run.traces.masks).toHaveLength(4)
    expect(stateOf(run)).toMatchObject({ state: { phase: 'settled' } })
  })

  test('does not begin in a cancelled job', async () => {
    const run = await runRotate({ signalAt: 250 })
    expect(run.error).toBe(
      'No new key was created: the job was cancelled. This run did not change the secret.',
    )
    expect(made(run)).toEqual([])
  })

  test('says after the timeout that no key was created, unless an earlier request may have created one', async () => {
    const run = await onCreate(() => undefined, { inputs: { timeout: 400 } })
    expect(run.error).toBe(
      'No new key was created: the timeout of 0.4 s is over; raise input timeout. This run did not change the secret.',
    )
    const lost = await onCreate(
      (_, count) => (count === 1 ? { cut: true, acted: true } : { status: 400, takes: 1_400 }),
      { inputs: { timeout: 2_000 } },
    )
    expect(posts(lost)).toHaveLength(2)
    expect(lost.error).toMatch(
      /^No new key was received: the timeout of 2\.0 s is over.*If a create request took effect anyway, there is a key whose value no one knows/,
    )
    expect(made(lost)).toHaveLength(1)
    expect(stateOf(lost)).toMatchObject({ state: { phase: 'creating' } })
  })

  test('announces no retry to a job that was cancelled meanwhile', async () => {
    const run = await onCreate(() => ({ silence: true, acted: true }), { signalAt: 450 })
    expect(posts(run)).toHaveLength(1)
    expect(run.error).toMatch(/^No new key was received: the job was cancelled\. /)
    expect(run.traces.printed.join('\n')).not.toContain('Retrying')
  })

  test('says after a cancellation that an earlier request may have created a key', async () => {
    const run = await onCreate(() => ({ cut: true, acted: true }), { signalAt: 500 })
    expect(posts(run)).toHaveLength(1)
    expect(run.error).toMatch(
      /^No new key was received: the job was cancelled\. .*If a create request took effect/,
    )
  })
})

describe('testing the new key', () => {
  test('waits for a lagging replica', async () => {
    const run = await runProving((_, count) =>
      count < 4 ? { status: 401 } : count < 6 ? { status: 200, body: [] } : undefined,
    )
    expect(run.error).toBe('')
    expect(secretValue(run)).toBe(made(run)[0]?.token)
  })

  test.each([
    ['is refused', { status: 403 }, '403', 0],
    ['is not accepted in time', { status: 401 }, '401', 100_000],
    [
      'is not listed in time',
      { status: 200, body: [] },
      'no key in the list matches its first characters',
      100_000,
    ],
  ])('a key that %s is revoked, and the old one stays in the secret', async (_, answer, reason, atLeast) => {
    const run = await runProving(() => answer)
    expect(run.error).toMatch(/^Could not confirm that the new key .* works: /)
    expect(run.error).toContain(reason)
    expect(run.took).toBeGreaterThanOrEqual(atLeast)
    expect(run.took).toBeLessThan(130_000)
    expect(made(run).map(({ revoked }) => revoked)).toEqual([true])
    expect(secretValue(run)).toBe(run.current.token)
    expect(stateOf(run)).toMatchObject({ state: { phase: 'settled', key: null } })
  })

  test('a key that is listed without an expiry is not written', async () => {
    const run = await runProving((_, __, { account }) => {
      const [key] = account.keys()
      return {
        status: 200,
        body: [{ id: key?.id, token_key: key?.token_key, created: '2027-03-01T04:17:00Z', expiry: null }],
      }
    })
    expect(run.error).toContain('the list shows no expiry for it')
    expect(secretValue(run)).toBe(run.current.token)
  })

  test('a key whose first characters match two keys is not written', async () => {
    const run = await runProving((_, __, { account }) => {
      const [key] = account.keys()
      const row = {
        token_key: key?.token_key,
        created: '2027-03-01T04:17:00Z',
        expiry: '2027-04-30T04:17:00Z',
      }
      const body = [
        { ...row, id: key?.id },
        { ...row, id: 'other' },
      ]
      return { status: 200, body }
    })
    expect(run.error).toContain('its first characters match 2 keys in the list')
    expect(secretValue(run)).toBe(run.current.token)
    expect(made(run)[0]?.revoked).toBe(true)
  })

  test('a key that the list shows at another id is not written', async () => {
    const run = await runProving((_, __, { account }) => ({
      status: 200,
      body: [
        {
          id: 'other',
          token_key: account.keys()[0]?.token_key,
          created: '2027-03-01T04:17:00Z',
          expiry: null,
        },
      ],
    }))
    expect(run.error).toContain('the list shows its first characters at another id')
    expect(secretValue(run)).toBe(run.current.token)
  })

  test.each(['short', 'a key with spaces'])(
    'a key that cannot be sent is revoked with the old one: %s',
    async (token) => {
      const expiry = taggedExpiry(START + 60 * DAY, TAG)
      const run = await runRotate({
        answer: (what, _, { account }) => {
          if (!what.startsWith('POST')) return undefined
          const { id } = account.addKey({ expiry })
          const times = { created: new Date(START).toISOString(), expiry: new Date(expiry).toISOString() }
          return { status: 201, body: { token, api_key: { id, token_key: token.slice(0, 3), ...times } } }
        },
      })
      expect(run.error).toContain('its value cannot be sent in a header')
      expect(run.account.foreign().at(-1)?.revoked).toBe(true)
      const deletes = run.seen.filter(({ what }) => what.startsWith('DELETE'))
      expect(deletes.at(-1)?.credential).toBe(run.current.token)
      expect(run.traces.warnings).toEqual([])
      expect(secretValue(run)).toBe(run.current.token)
    },
  )

  test('a key that cannot be saved for the post step is revoked at once', async () => {
    const run = await runRotate({ failing: 'saveState', failingFrom: 2 })
    expect(run.error).toContain('ENOSPC')
    expect(made(run).map(({ revoked }) => revoked)).toEqual([true])
  })

  test('a job that is cancelled meanwhile writes no secret', async () => {
    const run = await runProving(() => ({ status: 401 }), { signalAt: 2_000 })
    expect(run.error).not.toBe('')
    expect(whats(run).some((what) => what.startsWith('PUT'))).toBe(false)
  })
})

describe('writing the new key', () => {
  const onWrite = (answer: RotateOptions['answer'], further: RotateOptions = {}) =>
    runRotate({
      ...further,
      answer: (what, ...rest) => (what.startsWith('PUT') ? answer?.(what, ...rest) : undefined),
    })
  const puts = (run: Awaited<ReturnType<typeof runRotate>>) =>
    run.seen.filter(({ what }) => what.startsWith('PUT'))

  test('is retried until ten minutes after the creation, and the key stays valid', async () => {
    const run = await onWrite(() => ({ status: 503 }))
    const created = run.seen.find(({ what }) => what.startsWith('POST'))?.at ?? 0
    const last = puts(run).at(-1)?.at ?? 0
    expect(last - created).toBeLessThanOrEqual(10 * MINUTE)
    expect(last - created).toBeGreaterThan(9 * MINUTE)
    expect(run.error).toMatch(
      /Could not confirm that the new key .* was written to every place: .*503.*both stay valid/,
    )
    expect(made(run)[0]?.revoked).toBe(false)
    expect(stateOf(run)).toMatchObject({ state: { phase: 'writing', key: { id: made(run)[0]?.id } } })
  })

  test('cuts the last request off when the ten minutes are over', async () => {
    const run = await onWrite(() => ({ silence: true, acted: false }))
    const created = run.seen.find(({ what }) => what.startsWith('POST'))?.at ?? 0
    expect(run.took - created).toBeLessThanOrEqual(10 * MINUTE + 1000)
  })

  test('does not begin on a machine that slept for ten minutes just before it', async () => {
    const run = await runRotate({
      answer: (what, count) =>
        what === `GET ${SECRETS}/${SECRET}` && count === 2 ? { sleeps: 10 * MINUTE } : undefined,
    })
    expect(run.error).toBe(
      'The new key was not written, so this run did not change the secret: writing the secret in the repository ' +
        'failed: more than ten minutes have passed since the key was created, or the job was cancelled.',
    )
    expect(puts(run)).toEqual([])
    expect(made(run)[0]?.revoked).toBe(true)
  })

  test('that leaves a sleeping machine too late is not taken for a rotation', async () => {
    const run = await onWrite(() => ({ sleeps: 2 * HOUR }))
    expect(run.error).toMatch(
      /was written to every place: .*so the write may have come too late\. It and the old/,
    )
    expect(run.traces.outputs.rotated).toBe('false')
    expect([made(run)[0]?.revoked, run.current.revoked]).toEqual([false, false])
  })

  test('does not begin after ten minutes, and the key is revoked', async () => {
    const run = await runRotate({
      inputs: { timeout: 30 * MINUTE },
      answer: (what, count) =>
        what === `GET ${KEYS}` && count > 1 && count < 2000 ? { status: 401 } : undefined,
    })
    expect(puts(run)).toEqual([])
    expect(run.took).toBeLessThan(11 * MINUTE)
    expect(made(run)[0]?.revoked).toBe(true)
  })

  test('a clear refusal of the first write makes it revoke the new key with itself', async () => {
    const run = await onWrite(() => ({
      status: 403,
      body: { message: 'Resource not accessible by integration' },
    }))
    expect(run.error).toMatch(
      /^The new key was not written, so this run did not change the secret: .*needs the permission "Secrets: write"/,
    )
    expect(run.seen.find(({ what }) => what.startsWith('DELETE'))?.credential).toBe(made(run)[0]?.token)
    expect(run.traces.printed.join('\n')).toMatch(
      /Revoked the new key .*, which was not written \(verified\)/,
    )
    expect(stateOf(run)).toMatchObject({ state: { phase: 'settled', key: null } })
  })

  test('the key in hand revokes the new one if that may not revoke itself', async () => {
    const run = await onWrite(() => refusedByGithub(403), { api: { selfRevocation: 'forbidden' } })
    expect(made(run)[0]?.revoked).toBe(true)
  })

  test('leaves a key that could not be revoked to the post step', async () => {
    const run = await runRotate({
      answer: (what) => (/^(PUT|DELETE)/.test(what) ? refusedByGithub(403) : undefined),
    })
    expect(run.traces.warnings[0]).toMatch(/Could not confirm that the new key .* was revoked: .*403/)
    expect(stateOf(run)).toMatchObject({ state: { phase: 'created', key: { id: made(run)[0]?.id } } })
  })

  test('finds in the list that a revocation whose response was lost took effect', async () => {
    const run = await runRotate({
      answer: (what) => {
        if (what.startsWith('PUT')) return refusedByGithub(403)
        return what.startsWith('DELETE') ? { cut: true, acted: true } : undefined
      },
    })
    expect(run.traces.warnings).toEqual([])
    expect(run.traces.printed.join('\n')).toContain('which was not written (verified)')
  })

  test('warns of an acknowledged revocation that had no effect', async () => {
    const run = await onWrite(() => refusedByGithub(403), { api: { idleRevocation: true } })
    expect(run.traces.warnings[0]).toContain('the API still accepts it')
  })

  test('a refusal at the second place leaves the key valid, because the first holds it', async () => {
    const run = await runRotate({
      inputs: { copies: [{ kind: 'dependabot', name: '' }] },
      prepare: ({ github }) => github.addSecret('dependabot', SECRET, { value: 'old' }),
      answer: (what) =>
        what.startsWith('PUT') && what.includes('/actions/') ? refusedByGithub(403) : undefined,
    })
    expect(run.error).toContain('was written to every place')
    expect(made(run)[0]?.revoked).toBe(false)
    expect(run.github.secret('dependabot', SECRET)?.value).toBe(made(run)[0]?.token)
    expect(secretValue(run)).toBe(run.current.token)
  })

  test('does not write the home secret after a failure at a copy', async () => {
    const run = await runRotate({
      inputs: { copies: [{ kind: 'dependabot', name: '' }] },
      prepare: ({ github }) => github.addSecret('dependabot', SECRET, { value: 'old' }),
      answer: (what) =>
        what.startsWith('PUT') && what.includes('/dependabot/') ? refusedByGithub(422) : undefined,
    })
    expect(puts(run).every(({ what }) => what.includes('/dependabot/'))).toBe(true)
    expect(made(run)[0]?.revoked).toBe(true)
  })

  test('encrypts again after 422 only if GitHub has a new public key', async () => {
    const replaced = await runRotate({
      answer: (what, count) =>
        what.endsWith('public-key') && count === 1
          ? { status: 200, body: { key_id: 'old', key: 'k0' } }
          : undefined,
    })
    expect(replaced.error).toBe('')
    expect(puts(replaced).map(({ body }) => JSON.parse(body).key_id)).toEqual(['old', '1'])
    expect(secretValue(replaced)).toBe(made(replaced)[0]?.token)
    const same = await onWrite(() => ({ status: 422, body: { message: 'Invalid request.' } }))
    expect(puts(same)).toHaveLength(2)
    expect(same.error).toContain('Invalid request')
    const publicKeys = ({ seen }: Awaited<ReturnType<typeof runRotate>>) =>
      seen.filter(({ what }) => what.endsWith('public-key'))
    expect(publicKeys(same)).toHaveLength(3)
    expect(publicKeys(await onWrite(() => refusedByGithub(403)))).toHaveLength(1)
  })

  test('an unusable public key makes it revoke the new key', async () => {
    const run = await runRotate({ github: { publicKey: { id: '1', key: 'unusable' } } })
    expect(run.error).toContain('GitHub sent an unusable public key')
    expect(puts(run)).toEqual([])
    expect(made(run)[0]?.revoked).toBe(true)
  })

  test('does not report a deletion because of a 201 alone, as GitHub showed the secret just before', async () => {
    const run = await onWrite(() => ({ status: 201, acted: true }))
    expect(run.error).toBe('')
    expect(run.traces.printed.join('\n')).not.toContain('deleted')
  })

  test('writes no secret if the state cannot be saved', async () => {
    const run = await runRotate({ failing: 'saveState', failingFrom: 3 })
    expect(puts(run)).toEqual([])
    expect(made(run)[0]?.revoked).toBe(true)
  })

  test('succeeds even if the end cannot be saved for the post step', async () => {
    const run = await runRotate({ failing: 'saveState', failingFrom: 4 })
    expect(run.error).toBe('')
    expect(run.traces.outputs.rotated).toBe('true')
    expect(stateOf(run)).toMatchObject({ state: { phase: 'writing' } })
  })

  test('says when the old key will be revoked, or how to have a hand-made one revoked', async () => {
    const own = (await runRotate({ own: true, age: 31 * DAY })).traces.printed.join('\n')
    expect(own).toMatch(
      /The previous key .* stays valid during the overlap: the first run after 2027-03-08 05:17:00 UTC that receives the new key revokes it/,
    )
    const byHand = await runRotate()
    expect(byHand.traces.printed.join('\n')).toContain(`set initial-key-id to ${byHand.current.id}`)
    const named = await runRotate({ inputs: { initialKeyId: byHand.current.id } })
    expect(named.current.id).toBe(byHand.current.id)
    const text = named.traces.printed.join('\n')
    expect(text).toContain(
      'the first run after 2027-03-08 05:17:00 UTC that receives the new key revokes it.',
    )
    expect(text).not.toContain('The initial key')
  })

  test('says with copies that they have to hold a newer key before the old key is revoked', async () => {
    const run = await runRotate({
      own: true,
      age: 31 * DAY,
      inputs: { copies: [{ kind: 'dependabot', name: '' }] },
      prepare: ({ github }) => github.addSecret('dependabot', SECRET, { value: 'x' }),
    })
    expect(run.traces.printed.join('\n')).toMatch(
      /The previous key .*: the first run after 2027-03-08 05:17:00 UTC that receives the new key revokes it, if GitHub shows then that every place holds a newer key\.$/m,
    )
  })

  test('says that the initial key is still valid if it was not replaced, or no later run recognizes the new key', async () => {
    const initialKeyId = (await runRotate()).current.id
    const failed = await runRotate({
      inputs: { initialKeyId },
      answer: (what) => (what.startsWith('POST') ? { status: 503 } : undefined),
    })
    expect(failed.error).not.toBe('')
    expect(failed.traces.printed.join('\n')).toMatch(
      /- The initial key .* is still valid\. A later run revokes it once it receives/,
    )
    const changed = await runRotate({ api: { fractions: 'drop' }, inputs: { initialKeyId } })
    expect(changed.traces.outputs.rotated).toBe('true')
    expect(changed.traces.printed.join('\n')).toMatch(
      /- The initial key .* is still valid, and no later run revokes it\. Revoke it in the dashboard when no run uses it\.$/m,
    )
  })

  test('says that initial-key-id can be removed once that key is revoked, in an emergency as well', async () => {
    const initial: RotateOptions = {
      own: true,
      age: 9 * DAY,
      prepare: ({ account }) => void account.addKey({ expiry: null, created: START - 50 * DAY }),
      inputsOf: ({ account }) => ({ initialKeyId: account.foreign()[1]?.id ?? '' }),
    }
    for (const revokePrevious of ['after-overlap', 'now'] as const) {
      const run = await runRotate({ ...initial, inputs: { revokePrevious } })
      expect(run.error).toBe('')
      expect(run.traces.printed.join('\n')).toMatch(
        /^- The initial key .* was revoked\. Now remove initial-key-id\.$/m,
      )
    }
  })
})

describe('an emergency', () => {
  const now: RotateOptions = { ...young, inputs: { revokePrevious: 'now' } }

  test('rotates a key that is not due, and revokes the old keys with the new one', async () => {
    const run = await runRotate({ ...now, prepare: ({ addOwnKey }) => void addOwnKey(2 * DAY) })
    expect(run.error).toBe('')
    const deletes = run.seen.filter(({ what }) => what.startsWith('DELETE'))
    expect(deletes).toHaveLength(2)
    expect(deletes.map(({ credential }) => credential)).toEqual(deletes.map(() => made(run)[0]?.token))
    expect(whats(run).slice(-5)).toEqual([
      `GET ${SECRETS}/${SECRET}`,
      `GET ${KEYS}`,
      `DELETE ${KEYS}/ID`,
      `DELETE ${KEYS}/ID`,
      `GET ${KEYS}`,
    ])
    expect(run.traces.printed.join('\n')).not.toContain('The previous key')
    expect(JSON.parse(run.traces.outputs.retired ?? '')).toHaveLength(2)
    expect(run.traces.outputs.rotated).toBe('true')
    expect(run.traces.printed.join('\n')).toContain('Rotated, and the old keys revoked')
    expect(run.traces.printed.join('\n')).toContain(
      '- Only the key in hand and the older keys of this rotation were revoked. If another key leaked, revoke it in the dashboard.',
    )
    expect(run.traces.printed.join('\n')).toMatch(/\| Revoked \|/)
  })

  test('revokes no key twice', async () => {
    const run = await runRotate({
      ...now,
      age: 9 * DAY,
      prepare: ({ addOwnKey }) => void addOwnKey(40 * DAY),
    })
    const deletes = run.seen.filter(({ what }) => what.startsWith('DELETE')).map(({ what }) => what)
    expect(deletes).toHaveLength(2)
    expect(new Set(deletes).size).toBe(2)
  })

  /** A run that fails after it wrote the secret. */
  async function failed(options: RotateOptions) {
    const run = await runRotate({ ...now, ...options })
    expect(secretValue(run)).toBe(made(run)[0]?.token)
    expect(run.traces.outputs.rotated).toBe('true')
    const summary = run.traces.printed.find((text) => text.startsWith('###'))
    expect(summary).toContain('key rotation: Rotated; old keys may be valid')
    const [begin, ...problems] = run.error.split(/: (?=\w+\.\.\. \(id|there may)|; /)
    expect(begin).toBe('The secret holds a new key, but old keys may still be valid')
    return { run, error: run.error, problems, summary }
  }

  test('fails if any old key was not revoked, says why, and names it with its whole id', async () => {
    let older = ''
    const { run, error, problems } = await failed({
      prepare: ({ account, addOwnKey }) => {
        addOwnKey(9 * DAY).id = older = 'an-id-of-more-than-sixteen-characters'
        account.addKey({ expiry: null, created: START - 9 * DAY })
      },
      answer: (what) => (what === `DELETE ${KEYS}/${older}` ? { status: 403 } : undefined),
    })
    expect(problems).toHaveLength(1)
    expect(error).toContain(`(id ${older}): api.example answered 403 to DELETE`)
    expect(error).toMatch(/ Run this again in an hour, or revoke them in the dashboard\.$/)
    expect(run.traces.outputs.retired).toBe(JSON.stringify([run.current.id]))
    expect(run.traces.warnings).toEqual([])
  })

  test('fails if an own key is less than an hour old, even if it is not the key in hand', async () => {
    let young = ''
    const { error, run } = await failed({
      prepare: ({ addOwnKey }) => {
        young = addOwnKey(HOUR - 10_000).id
      },
    })
    expect(error).toContain(
      `(id ${young}): it may be less than an hour old, so another run may still be writing it.`,
    )
    expect(error).not.toContain(run.current.id)
    expect((await failed({ age: HOUR - 10_000 })).error).toContain('less than an hour old')
  })

  test.each([
    ['less than an hour old', { age: HOUR - 10_000 }],
    ['refused', { answer: (what: string) => (what.startsWith('DELETE') ? { status: 403 } : undefined) }],
  ])('says that no later run recognizes a hand-made key whose revocation is %s', async (_, options) => {
    const { run, error } = await failed({ own: false, age: 50 * DAY, ...options })
    expect(error).toContain(`(id ${run.current.id}): `)
    expect(error).toMatch(/No later run recognizes .*: revoke that key in the dashboard\.$/)
    expect(error).not.toContain('Run this again')
    const both = await failed({
      own: false,
      age: 50 * DAY,
      ...options,
      prepare: ({ addOwnKey }) => void addOwnKey(HOUR / 2),
    })
    expect(both.error).toMatch(
      /^The secret holds a new key, but old keys may still be valid: \w+\.\.\. \(id \w+\): [^;]*; \w+\.\.\. \(id \w+\): [^;]*\. Run this again in an hour, or revoke them in the dashboard\. No later run recognizes \w+\.\.\. \(id \w+\.\.\.\): revoke that key in the dashboard\.$/,
    )
    const named = await failed({
      own: false,
      age: 50 * DAY,
      ...options,
      inputsOf: ({ account }) => ({ initialKeyId: account.foreign()[0]?.id ?? '' }),
    })
    expect(named.error).toMatch(/ Run this again in an hour, or revoke them in the dashboard\.$/)
  })

  test('that is killed while it revokes leaves the name of the key in hand to the post step', async () => {
    // As if it were killed: the last of five records cannot be saved.
    const killed = await runRotate({ ...now, failing: 'saveState', failingFrom: 5 })
    const leaked = `${killed.current.token_key}... (id ${killed.current.id})`
    expect(stateOf(killed)).toMatchObject({ state: { phase: 'revoking', key: null, leaked } })
    expect(stateOf(await runRotate(now))).toMatchObject({ state: { phase: 'settled' } })
    const failing = await runRotate({ ...now, age: HOUR / 2 })
    expect(stateOf(failing)).toMatchObject({ state: { phase: 'settled' } })
    const unshown = await runRotate({ ...now, github: { updatedAt: 'absent' } })
    expect(stateOf(unshown)).toMatchObject({ state: { phase: 'settled' } })
    expect(stateOf(await runRotate({ own: true, age: 31 * DAY }))).toMatchObject({ state: { leaked: '' } })
  })

  test('revokes the initial key as well, which an earlier emergency may have left', async () => {
    const run = await runRotate({
      ...now,
      prepare: ({ account }) => void account.addKey({ expiry: null, created: START - 2 * HOUR }),
      inputsOf: ({ account }) => ({ initialKeyId: account.foreign()[1]?.id ?? '' }),
    })
    expect(run.error).toBe('')
    const ids = run.account.foreign().map(({ id }) => id)
    expect(JSON.parse(run.traces.outputs.retired ?? '')).toEqual(ids)
  })

  test('revokes old keys that the list of its start lacked', async () => {
    const run = await runRotate({
      ...now,
      prepare: ({ addOwnKey }) => void addOwnKey(9 * DAY),
      answer: (what, count, { account }) => {
        if (what !== `GET ${KEYS}` || count > 1) return undefined
        const headers = { authorization: `Bearer ${account.longLivedKey}` }
        const rows = JSON.parse(account.handle({ method: 'GET', path: KEYS, headers, body: '' }).body)
        const [current] = account.foreign()
        return {
          status: 200,
          headers: { age: '60' },
          body: rows.filter(({ id }: { id: string }) => id === current?.id),
        }
      },
    })
    expect(run.error).toBe('')
    expect(JSON.parse(run.traces.outputs.retired ?? '')).toHaveLength(2)
    expect(run.traces.printed.join('\n')).not.toContain('no old key was revoked')
  })

  const isWritten = ({
    account,
    github,
  }: Pick<Awaited<ReturnType<typeof runRotate>>, 'account' | 'github'>) =>
    github.secret('repository', SECRET)?.value === account.keys()[0]?.token

  test('revokes what it knows and fails if no list can be trusted after the write', async () => {
    const { run, error } = await failed({
      answer: (what, _count, { account, github }) =>
        what === `GET ${KEYS}` && isWritten({ account, github }) ? { status: 403 } : undefined,
    })
    expect(error).toMatch(
      /there may be more, because the list of keys cannot be used \(api\.example answered 403/,
    )
    expect(whats(run).filter((what) => what.startsWith('DELETE'))).toHaveLength(1)
    expect(run.account.foreign()[0]?.revoked).toBe(true)
  })

  test('fails if it could not read a list, even if it revoked every key that it knows', async () => {
    let late = 0
    const { error } = await failed({
      answer: (what, _count, world) => {
        if (what !== `GET ${KEYS}` || !isWritten(world)) return undefined
        late += 1
        return late === 1 ? { status: 403 } : undefined
      },
    })
    expect(error).toMatch(
      /may still be valid: there may be more, because .*\)\. Run this again in an hour, or revoke them in the dashboard\.$/,
    )
  })

  test('fails if the API changes expiries, because old keys then cannot be recognized', async () => {
    const { run, error } = await failed({ age: 9 * DAY, api: { fractions: 'drop' } })
    expect(error).toContain('there may be more, which cannot be recognized')
    expect(error).toMatch(/Look in the dashboard for keys that no one needs\.$/)
    expect(run.account.foreign()[0]?.revoked).toBe(true)
  })

  test('names the old key if it is not clear whether the secret was written', async () => {
    const lost = (options: RotateOptions) =>
      runRotate({
        ...now,
        ...options,
        answer: (what) => (what.startsWith('PUT') ? { status: 204 } : undefined),
      })
    const byHand = await lost({ own: false, age: 50 * DAY })
    expect(byHand.error).toContain('Could not confirm that the new key')
    expect(byHand.error).toMatch(
      new RegExp(
        `No later run recognizes .*\\(id ${byHand.current.id}\\) .* revoke that key in the dashboard\\.$`,
      ),
    )
    expect((await lost({})).error).toMatch(/No old key was revoked: run this again in an hour\.$/)
    const refused = await runRotate({
      ...now,
      answer: (what) => (what.startsWith('PUT') ? { status: 403, body: { message: 'no' } } : undefined),
    })
    expect(refused.error).toContain('The new key was not written')
    expect(refused.error).not.toContain('No old key was revoked')
    const daily = await lost({ age: 31 * DAY, inputs: {} })
    expect(daily.error).toContain('Could not confirm that the new key')
    expect(daily.error).not.toContain('No old key was revoked')
  })

  test('names the old key if GitHub does not show the write', async () => {
    const run = await runRotate({ ...now, github: { updatedAt: 'absent' } })
    expect(run.error).toContain(`(id ${run.current.id}) in the dashboard`)
    expect(whats(run).filter((what) => what.startsWith('DELETE'))).toEqual([])
  })
})
