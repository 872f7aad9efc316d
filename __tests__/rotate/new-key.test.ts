import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { taggedExpiry } from '../../src/rotate/decisions.ts'
import { rotationTag, TAG_RANGE } from '../../src/rotate/rotation-tag.ts'
import { formatUtc } from '../../src/runner/report.ts'
import type { Account, StoredKey } from '../support/account.ts'
import type { Github } from '../support/github.ts'
import {
  DAY,
  GITHUB_HOST,
  HOUR,
  INPUTS,
  type RotateOptions,
  type RotateRun,
  refusedByGithub,
  runCleanUp,
  runProving,
  runRotate,
  SECRET,
  START,
  stateOf,
  TAG,
} from './harness.ts'

const KEYS = '/api/user/api-keys'
const EXPIRY = taggedExpiry(START + 60 * DAY, TAG)
const ORPHAN =
  'If a create request took effect anyway, there is a key whose value no one knows. A later run revokes it, or it ' +
  'expires. If the API changes expiries, neither is certain: look for a key of this time in the dashboard, and revoke it there.'

const posts = ({ seen }: RotateRun) => seen.filter(({ what }) => what.startsWith('POST'))
const writes = ({ seen }: RotateRun) => seen.filter(({ what }) => what.startsWith('PUT'))

/** The response to a create request for a key that the account has, with changes. */
function createdAs(
  account: Account,
  change: Record<string, unknown> = {},
  top: Record<string, unknown> = {},
) {
  const key = account.addKey({ created: START, expiry: EXPIRY })
  const times = { created: new Date(key.created).toISOString(), expiry: new Date(EXPIRY).toISOString() }
  return {
    status: 201,
    body: {
      token: key.token,
      api_key: { id: key.id, token_key: key.token_key, ...times, ...change },
      ...top,
    },
  }
}
const onCreate = (
  answer: (account: Account, count: number) => ReturnType<NonNullable<RotateOptions['answer']>>,
  further: RotateOptions = {},
) =>
  runRotate({
    ...further,
    answer: (what, count, { account }) => (what.startsWith('POST') ? answer(account, count) : undefined),
  })
/** A served response without its Date header. */
const withoutDate: RotateOptions['answer'] = (what, _, { account }) => {
  if (!what.startsWith('POST')) return undefined
  const expiry = new Date(EXPIRY).toISOString()
  const headers = { authorization: `Bearer ${account.longLivedKey}` }
  const { status, body } = account.handle({
    method: 'POST',
    path: KEYS,
    headers,
    body: JSON.stringify({ expiry }),
  })
  return { status, body: JSON.parse(body) }
}

const tagFor = (scope: string, environment: string) =>
  rotationTag({ apiUrl: INPUTS.apiUrl, server: GITHUB_HOST, scope, environment, secret: SECRET }, (text) =>
    createHash('sha256').update(text).digest(),
  )
/** Runs with this answer and a clock that is off by so much. */
const onList = (answer: RotateOptions['answer'], clockError: number) =>
  runRotate({ clockError, ...(answer && { answer }) })

describe('a created key', () => {
  test("has the tag of its rotation: the place and the secret's name", async () => {
    const tagOf = async (options: RotateOptions) => {
      const run = await runRotate(options)
      expect(run.error).toBe('')
      return Math.floor(Number(run.account.keys()[0]?.expiry)) % TAG_RANGE
    }
    const environment = await tagOf({
      inputs: { home: { kind: 'environment', name: 'prod' } },
      prepare: ({ github }) => github.addSecret('environment prod', SECRET, { value: 'x' }),
    })
    const organization = await tagOf({
      inputs: { home: { kind: 'organization', name: 'Octo-Org' } },
      prepare: ({ github }) =>
        github.addSecret('organization Octo-Org', SECRET, { value: 'x', visibility: 'all' }),
    })
    expect([await tagOf({}), environment, organization]).toEqual([
      TAG,
      tagFor('repo:4711', 'prod'),
      tagFor('org:octo-org', ''),
    ])
  })

  test.each([20 * HOUR, -20 * HOUR])(
    "is told by the API's clock if the machine's is off by %i ms",
    async (clockError) => {
      const run = await runRotate({ clockError })
      expect(run.error).toBe('')
      expect(writes(run)).toHaveLength(1)
    },
  )

  test('is told by the Date of the list if its own response has none', async () => {
    for (const clockError of [10 * 60_000, -10 * 60_000])
      expect((await onList(withoutDate, clockError)).error).toBe('')
  })

  test('is told by the microseconds of its expiry, even if Date or the clock is wrong', async () => {
    for (const dateErrorMs of [10_000, -10_000, 120_000, 20 * HOUR])
      for (const clockError of [0, 20 * 60_000]) {
        const run = await runRotate({ clockError, api: { dateErrorMs } })
        expect(run.error).toBe('')
        expect(writes(run)).toHaveLength(1)
      }
  })

  test('may be a minute off if the API sends no Date and keeps no fractions, and no more', async () => {
    const off = (clockError: number) =>
      runRotate({ clockError, api: { dateHeader: false, fractions: 'drop' } })
    for (const clockError of [60_000, -60_000]) expect((await off(clockError)).error).toBe('')
    for (const clockError of [70_000, -70_000]) expect((await off(clockError)).error).toContain('not now')
  })

  test('may be a few seconds off with a Date if the API keeps no microseconds, and no more', async () => {
    const created = (shift: number) =>
      onCreate((account) => createdAs(account, { created: new Date(START + shift).toISOString() }))
    expect((await created(-4_000)).error).not.toContain('not now')
    expect((await created(7_000)).error).toContain('not now')
    expect((await created(-7_000)).error).toContain('not now')
  })

  test('is not one that the list showed before, even if its times fit', async () => {
    const run = await runRotate({
      prepare: ({ account }) => void account.addKey({ created: START, expiry: EXPIRY }),
      answer: (what, _, { account }) => {
        if (!what.startsWith('POST')) return undefined
        const known = account.foreign().at(-1)
        return createdAs(account, { id: known?.id })
      },
    })
    expect(run.error).toMatch(
      /^The API's response does not describe a key that this run created: it existed before\. It was neither written nor revoked; check the key .* in the dashboard\. If a create/,
    )
    expect(writes(run)).toEqual([])
  })

  test('is not that of another run at the same time, which a gateway answered with: that one is never revoked', async () => {
    for (const shift of [-0.002, 0.002]) {
      const run = await onCreate((account) => {
        const own = new Date(START).toISOString()
        const other = account.addKey({ created: START, expiry: EXPIRY + 0.25 + shift })
        const expiry = `${new Date(EXPIRY).toISOString().slice(0, -1)}${250 + shift * 1000}Z`
        return createdAs(
          account,
          { id: other.id, token_key: other.token_key, created: own, expiry },
          { token: other.token },
        )
      })
      expect(run.error).toContain('another run requested it (its expiry has other microseconds)')
      expect(run.seen.filter(({ what }) => /^(PUT|DELETE)/.test(what))).toEqual([])
    }
  })

  test('without an id cannot be looked up, and the message says what may exist', async () => {
    const run = await onCreate((account) => createdAs(account, { id: null }))
    expect(run.error).toBe(
      `The API's response does not describe a key that this run created: the response has no id. It was ` +
        `neither written nor revoked. ${ORPHAN}`,
    )
    expect(stateOf(run)).toMatchObject({ state: { phase: 'settled' } })
  })

  test('without an id and without an expiry may live forever, so the message says to revoke it', async () => {
    const forever = (change: object, top: object = {}) =>
      onCreate((account) => createdAs(account, { id: null, expiry: null, ...change }, { ...top }))
    const advice = (which: string) =>
      `revoked. It may never expire, and no later run revokes it: look for ${which} in the dashboard, and revoke it ` +
      'there unless someone uses it.'
    const run = await forever({})
    const [prefix] = /(?<=look for the key )\w+(?=\.{3})/.exec(run.error) ?? []
    expect(run.error).toContain(advice(`the key ${prefix}...`))
    expect(prefix).toMatch(/^\w{6,20}$/)
    expect((await forever({ token_key: null })).error).toContain(advice('a key of this time'))
    expect((await forever({ expiry: 'soon' })).error).toContain('It may never expire')
  })

  test('without an id and without an expiry that existed before may be in use, so the message says to leave it', async () => {
    let known: StoredKey | undefined
    const existed = (top: (github: Github) => object, change: () => object) =>
      runRotate({
        prepare: ({ addOwnKey }) => {
          known = addOwnKey(40 * DAY)
        },
        answer: (what, _, { account, github }) =>
          what.startsWith('POST')
            ? createdAs(account, { id: null, expiry: null, ...change() }, { ...top(github) })
            : undefined,
      })
    const apiKey = (github: Github) => ({ token: github.secret('repository', SECRET)?.value })
    expect((await existed(apiKey, () => ({}))).error).toContain(ORPHAN)
    const prefix = () => ({ token_key: known?.token_key })
    expect((await existed(() => ({}), prefix)).error).toContain(ORPHAN)
  })
})

describe('a created key that cannot be used', () => {
  const CASES: [string, RotateOptions['api'], string][] = [
    [
      'the API ignores the expiry',
      { ignoreExpiry: true },
      'it never expires, although an expiry was requested',
    ],
    [
      'the API shortens lifetimes',
      { maxLifetimeMs: 30 * DAY },
      'it expires at 2027-03-31 04:17:00 UTC, not at 2027-04-29 17:26:42 UTC as requested: the API shortens lifetimes. Lower expires-in',
    ],
  ]

  test.each(CASES)('is revoked if %s, and the run fails with the cause', async (_, api, reason) => {
    const run = await runRotate({ api: { ...api } })
    const [key] = run.account.keys()
    expect(run.error).toBe(
      `The new key ${key?.token_key}... (id ${key?.id.slice(0, 8)}...) cannot be used: ${reason}. ` +
        'It was not written, so this run did not change the secret.',
    )
    expect(run.account.keys().map(({ revoked }) => revoked)).toEqual([true])
    expect(writes(run)).toEqual([])
    expect(stateOf(run)).toMatchObject({ state: { phase: 'settled', key: null } })
  })

  test('is revoked by the post step if the main step could not', async () => {
    const run = await runRotate({
      api: { ignoreExpiry: true },
      answer: (what) => (what.startsWith('DELETE') ? { status: 403 } : undefined),
    })
    expect(run.error).toMatch(/ It could not be revoked: revoke it in the dashboard\.$/)
    expect(run.traces.warnings).toEqual([
      expect.stringMatching(
        /^Could not confirm that the new key .* It may never expire: revoke it in the dashboard\.$/,
      ),
    ])
    expect(stateOf(run)).toMatchObject({ state: { phase: 'created', key: { expiresAt: null } } })
    await runCleanUp(stateOf(run), run.account)
    expect(run.account.keys()[0]?.revoked).toBe(true)
  })

  test('is revoked with api-key if its own value is missing', async () => {
    const run = await runRotate({
      answer: (what, _, { account }) => {
        if (!what.startsWith('POST')) return undefined
        const { body } = createdAs(account, {}, { token: undefined })
        return { status: 201, body }
      },
    })
    expect(run.error).toContain('cannot be used: the response has no key.')
    expect(run.seen.find(({ what }) => what.startsWith('DELETE'))?.credential).toBe(run.current.token)
    expect(run.account.foreign().at(-1)?.revoked).toBe(true)
  })

  test('is revoked if the list does not show when it was created, as no later run could tell its age', async () => {
    const run = await runRotate({ own: true, age: 31 * DAY, api: { rowsWithout: 'created' } })
    expect(run.error).toContain('works: the list does not show when it was created. It was not written')
    expect(run.account.keys().map(({ revoked }) => revoked)).toEqual([true])
  })
})

describe('no further create request is sent', () => {
  const limited = (seconds: number) => () => ({ status: 429, headers: { 'retry-after': String(seconds) } })

  test('if the wait leaves no time for it', async () => {
    const run = await onCreate(limited(29), { inputs: { timeout: 29_500 } })
    expect(posts(run)).toHaveLength(1)
    expect(run.error).toMatch(
      /^No new key was created: .*too many requests\. This run did not change the secret\.$/,
    )
  })

  test('after three attempts that may each have created a key', async () => {
    const run = await onCreate(() => ({ cut: true, acted: true }))
    expect(posts(run)).toHaveLength(3)
    expect(run.error).toBe(
      `No new key was received: api.example: cut on cue. This run did not change the secret. ${ORPHAN}`,
    )
  })
})

describe('a key that is being confirmed', () => {
  const row = (account: Account, change: Record<string, unknown>) => {
    const [key] = account.keys()
    const times = { created: '2027-03-01T04:17:00Z', expiry: '2027-04-30T04:17:00Z' }
    return { status: 200, body: [{ id: key?.id, token_key: key?.token_key, ...times, ...change }] }
  }

  test('is not written if the list shows another id, no expiry or another one, and that is not waited for', async () => {
    for (const [change, reason] of [
      [{ id: 'other' }, 'the list shows its first characters at another id'],
      [{ expiry: null }, 'the list shows no expiry for it'],
      [{ created: null }, 'the list does not show when it was created'],
      [
        { expiry: '2027-03-01T05:17:00Z' },
        `the list shows that it expires at 2027-03-01 05:17:00 UTC, not at ${formatUtc(EXPIRY)}`,
      ],
    ] as const) {
      const run = await runProving((_, __, { account }) => row(account, change))
      expect(run.error).toMatch(/^Could not confirm that the new key .* works: /)
      expect(run.error).toContain(
        `works: ${reason}. It was not written, so this run did not change the secret.`,
      )
      expect(writes(run)).toEqual([])
      expect(run.took).toBeLessThan(5_000)
      expect(run.traces.printed.join('\n')).toMatch(
        /Revoked the new key .*, which was not written( \(verified\))?\.$/m,
      )
    }
  })

  const at = (change: number) => ({ expiry: new Date(EXPIRY + change).toISOString() })

  test('is not written if the list shows that it expires more than a minute earlier', async () => {
    const early = await runProving((_, __, { account }) => row(account, at(-60_002)))
    expect(early.error).toContain('the list shows that it expires at')
    const rounded = await runProving((_, __, { account }) => row(account, at(-59_998)))
    expect(rounded.error).toBe('')
    expect(writes(rounded)).toHaveLength(1)
  })

  test.each([
    ['rounded', 59_998],
    ['30 days later, as some APIs extend keys that are used', 30 * 24 * 3_600_000],
  ])('is written if the list shows its expiry %s, which is noted', async (_case, change) => {
    const run = await runProving((_, __, { account }) => row(account, at(change)))
    expect(run.error).toBe('')
    expect(writes(run)).toHaveLength(1)
    const text = run.traces.printed.join('\n')
    expect(text).toContain(
      '- The API changed the expiry of the new key, so later runs cannot recognize it: they revoke no old keys, which stay valid until they expire.',
    )
    expect(text).toMatch(
      /^Rotated: the secret now holds the key .*\.\.\. \(id .*\)\. The next rotation is due at /m,
    )
    expect(text).not.toContain('The previous key')
  })

  test('is used if it is exactly as long as a key must be', async () => {
    const expiryOf = { expiry: new Date(EXPIRY).toISOString() }
    for (const [token, isSent] of [
      ['12345678', true],
      ['1234567', false],
    ] as const) {
      const run = await onCreate((account) => createdAs(account, expiryOf, { token }))
      expect(run.error.includes('its value cannot be sent in a header')).toBe(!isSent)
    }
  })

  test('is revoked in a job that was cancelled meanwhile, and nothing is written', async () => {
    const run = await runRotate({ signalAt: 450 })
    expect(run.error).toBe('The job was cancelled before the new key was written.')
    expect(writes(run)).toEqual([])
    expect(run.account.keys().map(({ revoked }) => revoked)).toEqual([true])
  })

  test('is revoked after an error of the program, unless writing had begun', async () => {
    const bug: RotateOptions['answer'] = (what) => {
      if (what.startsWith('PUT')) throw new TypeError('a bug')
      return undefined
    }
    const proving = await runProving((_, count) => {
      if (count === 2) throw new TypeError('a bug')
      return undefined
    })
    expect([proving.error, proving.account.keys()[0]?.revoked]).toEqual(['a bug', true])
    const writing = await runRotate({ answer: bug })
    expect([writing.error, writing.account.keys()[0]?.revoked]).toEqual(['a bug', false])
  })
})

test('the post step sends nothing but the new key if the trusted authorities changed', async () => {
  const run = await runRotate({
    failing: 'writeSummary',
    answer: (what) => (/^(PUT|DELETE)/.test(what) ? refusedByGithub(403) : undefined),
  })
  const { seen } = await runCleanUp(
    stateOf(run),
    run.account,
    { NODE_EXTRA_CA_CERTS: '/other.pem' },
    (what) => (what.startsWith('DELETE') ? { status: 403 } : undefined),
  )
  const [key] = run.account.keys()
  expect(new Set(seen.map(({ credential }) => credential))).toEqual(new Set([key?.token]))
})
