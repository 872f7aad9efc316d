import { describe, expect, test } from '@jest/globals'
import type { IssuedKey, SavedState } from '../../src/protocol/saved-state.ts'
import type { Account, StoredKey } from '../support/account.ts'
import {
  INPUTS,
  type MockResponse,
  type PostOptions,
  runMain,
  runPost,
  START,
  savedBy,
} from '../support/harness.ts'

const HOUR = 3_600_000
const DASHBOARD = 'Dashboard > Plans > API Keys'
const serve: MockResponse = { kind: 'serve' }
const answer = (status: number, body?: unknown): MockResponse => ({ kind: 'answer', status, body })
const methods = (seen: { method: string }[]) => seen.map(({ method }) => method).join(' ')

/** A key that this run made through the API, `age` ms before post, with `expiry`. */
function make(account: Account, expiry: number): StoredKey {
  const { body } = account.handle({
    method: 'POST',
    path: '/api/user/api-keys',
    headers: { authorization: `Bearer ${account.longLivedKey}` },
    body: JSON.stringify({ expiry: new Date(expiry).toISOString() }),
  })
  const { token } = JSON.parse(body)
  return account.keys().find((key) => key.token === token) as StoredKey
}

const saved = ({ token, id, token_key, created, expiry }: StoredKey, keep = false): IssuedKey => ({
  token,
  id,
  prefix: token_key,
  createdAt: created,
  expiresAt: expiry,
  keep,
})

/** The record of a main step that handed one key over. */
const oneKey =
  (more: Partial<SavedState> = {}, keep = false) =>
  (account: Account): Partial<SavedState> => ({ keys: [saved(make(account, START + HOUR), keep)], ...more })

const MARK = {
  expiry: START + HOUR + 123,
  sentAt: START - 60_000,
  deadline: START - 50_000,
  ambiguous: false,
}
/** The record of a main step that was killed while it waited for its key. */
const oneMark =
  (intent: Partial<typeof MARK> = {}, more: Partial<SavedState> = {}) =>
  (): Partial<SavedState> => ({ intents: [{ ...MARK, ...intent }], ...more })

describe('what main saved', () => {
  test('nothing', async () => {
    const { error, traces, seen } = await runPost({ found: { kind: 'none' } })
    expect(error).toBeNull()
    expect(traces.printed).toEqual(['No key was asked for in this job, so there is none to revoke.'])
    expect(seen).toEqual([])
  })

  test('a record without keys or marks', async () => {
    const { traces, seen } = await runPost({ verificationOff: true })
    expect(traces.printed).toEqual(['The main step left no key behind, so there is none to revoke.'])
    expect(seen).toEqual([])
  })

  test.each(['warn', 'fail'] as const)('something unreadable, under %s', async (policyWithoutRecord) => {
    const found = { kind: 'unreadable', reason: 'it is not JSON' } as const
    const { error, traces, seen } = await runPost({ found, policyWithoutRecord })
    const message =
      'What the main step saved cannot be used (it is not JSON), so nothing was revoked. If it created a key, that key ' +
      `ends at its own expiry; to end it now: ${DASHBOARD}.`
    expect(error?.message).toBe(policyWithoutRecord === 'fail' ? message : undefined)
    expect(traces.warnings).toEqual(policyWithoutRecord === 'fail' ? [] : [message])
    expect(seen).toEqual([])
  })
})

describe('a key', () => {
  test('is revoked with itself and proved dead', async () => {
    const { error, seen, account, traces } = await runPost({ state: oneKey() })
    const [key] = account.keys()
    expect(error).toBeNull()
    expect(seen.map(({ method, path, credential }) => ({ method, path, credential }))).toEqual([
      { method: 'DELETE', path: `/api/user/api-keys/${key?.id}`, credential: key?.token },
      { method: 'GET', path: '/api/user/api-keys', credential: key?.token },
    ])
    expect(traces.printed[0]).toBe(
      `Revoked (verified): the API key ${key?.token_key}... (id ${key?.id.slice(0, 8)}...) is refused with 401.`,
    )
    expect(traces.printed[1]).toContain('**Revoked (verified)**, 2027-03-01 12:00:00 UTC |')
    expect(traces.warnings).toEqual([])
  })

  test('that is dead already counts as done', async () => {
    const { error, seen, traces } = await runPost({
      state: (account) => {
        const key = make(account, START + HOUR)
        key.revoked = true
        return { keys: [saved(key)] }
      },
    })
    expect(error).toBeNull()
    expect(methods(seen)).toBe('DELETE GET')
    expect(seen.some(({ credential }) => credential === INPUTS.apiKey)).toBe(false)
    expect(traces.printed[0]).toMatch(
      /^Already revoked or expired \(verified\): the API key .* is refused with 401\.$/,
    )
    expect(traces.warnings).toEqual([])
  })

  test('is left alone where main was told to keep it', async () => {
    const { error, seen, traces } = await runPost({ state: oneKey({}, true) })
    expect(error).toBeNull()
    expect(seen).toEqual([])
    expect(traces.printed[0]).toMatch(
      /is left to its expiry at 2027-03-01 13:00:00 UTC, as revoke is false\.$/,
    )
    expect(traces.printed[1]).toContain('**Left to its expiry**, as revoke is false |')
    expect(traces.printed[1]).toMatch(/^### SphereScout key after this job\n\n.* \| Status \|\n/)
  })

  test('without a text is revoked with api-key, and the 204 has to do', async () => {
    const { error, seen, traces, account } = await runPost({
      state: (account) => ({ keys: [{ ...saved(make(account, START + HOUR)), token: null }] }),
    })
    expect(error).toBeNull()
    expect(methods(seen)).toBe('DELETE')
    expect(account.live()).toEqual([])
    expect(traces.printed[0]).toMatch(/^Revoked: the API key .*\)\.$/)
  })

  test('without a text, and with an id that the API does not know, cannot be shown to be dead', async () => {
    const { traces } = await runPost({
      state: (account) => ({
        keys: [{ ...saved(make(account, START + HOUR)), token: null, id: 'unknown', expiresAt: null }],
      }),
    })
    expect(traces.warnings[0]).toMatch(
      /could not be shown to be dead: the API does not know its id\. It expires by itself never;/,
    )
  })

  test.each<[string, MockResponse[], string]>([
    ['cut, though done', [{ kind: 'cut', acted: true }], 'Already revoked or expired (verified)'],
    ['cut', [{ kind: 'cut' }], 'Revoked (verified)'],
    ['refused', [{ kind: 'refused' }], 'Revoked (verified)'],
    ['503', [answer(503)], 'Revoked (verified)'],
  ])('whose revocation is %s is revoked again', async (_, cues, says) => {
    const { error, account, traces } = await runPost({ state: oneKey(), cues })
    expect(error).toBeNull()
    expect(traces.printed.join()).toContain(says)
    expect(traces.warnings).toEqual([])
    expect(account.live()).toEqual([])
  })

  test('that is still accepted after 10 s is revoked again', async () => {
    const { error, account, took, seen } = await runPost({ state: oneKey(), cues: [answer(204)] })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(took).toBeGreaterThanOrEqual(10_000)
    expect(took).toBeLessThan(12_000)
    expect(seen.filter(({ method }) => method === 'GET').length).toBeGreaterThan(8)
  })

  test('that is accepted whatever the API says is reported after 60 s', async () => {
    const { traces, took } = await runPost({ state: oneKey(), api: { idleRevocation: true } })
    expect(traces.warnings[0]).toMatch(
      /^The API key \w+\.\.\. \(id [0-9a-f]{128}\) could not be shown to be dead: the API answered as if it were revoked, but then: the API still accepts it\. It expires by itself at 2027-03-01 13:00:00 UTC; to end it now: Dashboard > Plans > API Keys\.$/,
    )
    expect(took).toBeGreaterThanOrEqual(59_000)
    expect(took).toBeLessThan(60_500)
    expect(traces.printed.join()).toContain('**Not shown to be dead**')
  })

  test('is verified as soon as the API catches up', async () => {
    const { traces, took } = await runPost({
      state: oneKey(),
      cues: [answer(204)],
      at: [[5_000, (account) => Object.assign(account.keys()[0] ?? {}, { revoked: true })]],
    })
    expect(traces.printed[0]).toMatch(/^Revoked \(verified\)/)
    expect(took).toBeLessThan(6_200)
  })

  test('that nobody may revoke is not asked about for long', async () => {
    const refusal = answer(403, { detail: 'Not today.' })
    const { traces, took, seen } = await runPost({ state: oneKey(), cues: [refusal, refusal] })
    expect(methods(seen)).toBe('DELETE DELETE GET')
    expect(took).toBe(300)
    expect(traces.warnings[0]).toContain('answered 403')
    expect(traces.warnings[0]).toContain('Not today. It expires')
  })

  test('fails the step under on-revoke-failure: fail', async () => {
    const refusal = answer(400)
    const { error, traces } = await runPost({
      state: oneKey({ onRevokeFailure: 'fail' }),
      cues: [refusal],
    })
    expect(error?.message).toContain('could not be shown to be dead')
    expect(traces.warnings).toEqual([])
  })

  test('of an API that is away: tried for 60 s, and no longer', async () => {
    const { took, traces } = await runPost({
      state: oneKey(),
      cues: Array(200).fill({ kind: 'silence' }),
    })
    expect(took).toBeGreaterThan(55_000)
    expect(took).toBeLessThan(60_010)
    expect(traces.warnings[0]).toContain('timeout on cue')
  })

  test('of an API that is throttled: post waits until its turn has come, and says so', async () => {
    const throttled: MockResponse = { kind: 'answer', status: 429, headers: { 'retry-after': '59' } }
    const { took, traces, account, error } = await runPost({
      state: oneKey({ onRevokeFailure: 'fail' }),
      cues: Array(8).fill(throttled),
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(took).toBeGreaterThan(8 * 59_000)
    expect(traces.printed[0]).toBe('The API has too many requests (429). Trying again in 59.3 s.')
    expect(traces.printed.at(-2)).toContain('Revoked (verified)')
  })

  test('of an API that is throttled for ever: post waits for 30 min beyond its own, and no longer', async () => {
    const throttled: MockResponse = { kind: 'answer', status: 429, headers: { 'retry-after': '59' } }
    const { took, traces } = await runPost({ state: oneKey(), cues: Array(200).fill(throttled) })
    expect(took).toBeGreaterThan(30 * 60_000)
    expect(took).toBeLessThanOrEqual(31 * 60_000 + 10)
    expect(traces.warnings[0]).toContain('could not be shown to be dead: api.example answered 429')
  })

  test('whose watch was prolonged by a throttled API keeps its own 25 s', async () => {
    const throttled: MockResponse = { kind: 'answer', status: 429, headers: { 'retry-after': '60' } }
    const { account, traces } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneMark()() }),
      cues: [throttled, throttled, { kind: 'serve' }, { kind: 'refused' }],
    })
    expect(account.live()).toEqual([])
    expect(traces.warnings).toEqual([])
  })

  test('that expires while a throttled API makes it wait is proved dead by its 401', async () => {
    const { took, error, traces } = await runPost({
      state: (account) => ({ keys: [saved(make(account, START + 5 * 60_000))], onRevokeFailure: 'fail' }),
      whenever: (_, account) =>
        account.live().length > 0
          ? { kind: 'answer', status: 429, headers: { 'retry-after': '59' } }
          : undefined,
    })
    expect(error).toBeNull()
    expect(traces.printed.at(-2)).toMatch(/^Already revoked or expired \(verified\)/)
    expect(took).toBeLessThan(6 * 60_000 + 1_000)
  })

  test('that says 503 once and when to come back is not waited for that long', async () => {
    const away: MockResponse = { kind: 'answer', status: 503, headers: { 'retry-after': '120' } }
    const { took, account } = await runPost({ state: oneKey(), cues: [away] })
    expect(account.live()).toEqual([])
    expect(took).toBeLessThan(2_000)
  })

  test.each([408, 421, 423, 425])('whose revocation is answered %i once is revoked again', async (status) => {
    const { error, account } = await runPost({
      state: oneKey({ onRevokeFailure: 'fail' }),
      cues: [answer(status)],
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
  })

  test('beside one that takes all the time has its own', async () => {
    const { account, traces } = await runPost({
      state: (account) => ({
        keys: [saved(make(account, START + HOUR)), saved(make(account, START + 2 * HOUR))],
      }),
      whenever: ({ path }, account) =>
        path.endsWith(account.keys()[0]?.id ?? '')
          ? { kind: 'answer', status: 503, takes: 3_000 }
          : undefined,
    })
    expect(account.live()).toEqual([account.keys()[0]])
    expect(traces.warnings).toHaveLength(1)
  })

  test('beside another one: both are ended, and one trouble does not hide the other', async () => {
    const { account, traces } = await runPost({
      state: (account) => ({
        keys: [saved(make(account, START + HOUR)), saved(make(account, START + 2 * HOUR))],
      }),
      cues: [answer(400)],
    })
    expect(account.live()).toHaveLength(1)
    expect(traces.warnings).toHaveLength(1)
    expect(traces.printed.join()).toContain('Revoked (verified)')
  })
})

describe('a lost create request', () => {
  test('beside a key whose text cannot be sent: found with api-key, and both are ended', async () => {
    const { error, account } = await runPost({
      state: (account) => {
        const held = { ...saved(make(account, START + HOUR)), token: 'one\ntwo' }
        make(account, MARK.expiry)
        return { keys: [held], intents: [{ ...MARK, sentAt: START, deadline: START - 15_000 }] }
      },
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
  })

  test('that a throttled API lets nobody look for does not cost the known key its turn', async () => {
    const { account, traces } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneMark()() }),
      whenever: ({ method }, account) =>
        method === 'GET' && account.live().length > 0
          ? { kind: 'answer', status: 429, headers: { 'retry-after': '59' } }
          : undefined,
      cues: [answer(429), answer(429)],
    })
    expect(account.live()).toEqual([])
    expect(traces.warnings).toHaveLength(1)
    expect(traces.warnings[0]).toContain('It could not be seen whether a lost create request made a key')
  })

  test.each([6_000, -31_000, 600_000, -600_000])(
    'of a runner whose clock was wrong by %i ms then, and is right now: found',
    async (clockError) => {
      const main = await runMain({ clockError, cues: [{ kind: 'silence' }], signalAt: 50 })
      const record = savedBy(main)
      const { account, error } = await runPost({
        state: (account) => {
          make(account, record.intents[0]?.expiry ?? 0)
          return record
        },
      })
      expect(error).toBeNull()
      expect(account.keys()).toHaveLength(1)
      expect(account.live()).toEqual([])
    },
  )

  test('is not found in a key that main knows: that one is ended as what it is', async () => {
    const { traces, seen } = await runPost({
      state: (account) => {
        const key = make(account, MARK.expiry)
        return { keys: [saved(key)], intents: [{ ...MARK, sentAt: START, deadline: START - 15_000 }] }
      },
    })
    expect(methods(seen)).toBe('GET DELETE GET')
    expect(traces.printed.join()).not.toContain('Found a key of this job')
    expect(traces.printed.join()).toContain('Revoked (verified)')
  })

  test('whose key was found: nobody says that no other was made', async () => {
    const { traces } = await runPost({
      state: (account) => {
        make(account, MARK.expiry)
        return oneMark({ sentAt: START, deadline: START - 15_000 })()
      },
    })
    expect(traces.printed.join()).toContain('Found a key of this job')
    expect(traces.printed.join()).not.toContain('No other key was made')
  })

  test('that a slow API leaves no time to watch for: said, and not that no other key was made', async () => {
    const { traces } = await runPost({
      state: (account) => ({
        ...oneKey()(account),
        ...oneMark({ sentAt: START - 1_000, deadline: START + 9_000 })(),
      }),
      whenever: ({ method }, account) =>
        method === 'GET' && account.live().length > 0 ? { kind: 'serve', takes: 9_900 } : undefined,
    })
    expect(traces.warnings[0]).toMatch(
      /^A create request was lost, and there was no time to wait for a slow server\. If there is such a key/,
    )
    expect(traces.printed.join()).not.toContain('No other key was made')
  })

  test('beside one that is unclear: nobody says that no other key was made', async () => {
    const { traces } = await runPost({
      state: (account) => {
        make(account, MARK.expiry)
        account.addKey({ expiry: MARK.expiry })
        const intent = { ...MARK, sentAt: START, deadline: START - 15_000 }
        return { intents: [intent, { ...intent, expiry: MARK.expiry + 5 }] }
      },
    })
    expect(traces.warnings).toHaveLength(1)
    expect(traces.printed.join()).not.toContain('No other key was made')
  })

  test('whose key is there: found by its expiry, revoked with api-key, and gone from the list', async () => {
    const { error, seen, account, traces } = await runPost({
      state: (account) => {
        make(account, MARK.expiry)
        return oneMark({ sentAt: START - 20, deadline: START + 9_980 })()
      },
    })
    expect(error).toBeNull()
    expect(methods(seen)).toBe('GET DELETE GET')
    expect(seen.every(({ credential }) => credential === INPUTS.apiKey)).toBe(true)
    expect(account.live()).toEqual([])
    expect(traces.printed[0]).toBe('Looking for the keys of 1 create request(s) whose reply was lost.')
    expect(traces.printed[1]).toMatch(/^Found a key of this job that was never handed over, and revoked it: /)
  })

  test('is looked for with the short-lived key, before that is revoked', async () => {
    const { seen, account } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneMark()() }),
    })
    const [key] = account.keys()
    expect(methods(seen)).toBe('GET DELETE GET')
    expect(seen.every(({ credential }) => credential === key?.token)).toBe(true)
    expect(account.live()).toEqual([])
  })

  test.each([401, 403])(
    'is looked for with api-key where the short-lived key may not list (%i)',
    async (status) => {
      const { seen, error, traces } = await runPost({
        state: (account) => ({ ...oneKey()(account), ...oneMark()() }),
        cues: [answer(status)],
      })
      expect(error).toBeNull()
      expect(seen.slice(0, 2).map(({ credential }) => credential === INPUTS.apiKey)).toEqual([false, true])
      expect(traces.printed).toContain('No other key was made by such a request.')
    },
  )

  test('long past is looked for once', async () => {
    const { seen, took, traces } = await runPost({ state: oneMark() })
    expect(methods(seen)).toBe('GET')
    expect(took).toBe(100)
    expect(traces.printed.at(-1)).toBe('No other key was made by such a request.')
  })

  test('just now is watched until 15 s after its deadline, every 2 s', async () => {
    const { seen, took } = await runPost({
      state: oneMark({ sentAt: START - 2_000, deadline: START + 1_000 }),
    })
    expect(took).toBe(16_100)
    expect(seen.map(({ at }) => at)).toEqual([0, 2_100, 4_200, 6_300, 8_400, 10_500, 12_600, 14_700, 16_000])
  })

  test('is not watched for longer than any request can take', async () => {
    const { took } = await runPost({ state: oneMark({ sentAt: START + HOUR, deadline: START + HOUR }) })
    expect(took).toBe(25_100)
  })

  test('whose key is made late is found, and a key nearby is not touched', async () => {
    const { account, error, took } = await runPost({
      state: oneMark({ sentAt: START - 2_000, deadline: START + 1_000 }),
      at: [
        [9_000, (account) => void make(account, MARK.expiry)],
        [9_000, (account) => void account.addKey({ expiry: MARK.expiry + 1 })],
      ],
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(account.touchedForeign()).toEqual([])
    expect(took).toBeLessThan(11_000)
  })

  test('with a twin: none is revoked, and the person is told what to look for', async () => {
    const { account, traces } = await runPost({
      state: (account) => {
        make(account, MARK.expiry)
        account.addKey({ expiry: MARK.expiry })
        return oneMark({ sentAt: START, deadline: START - 15_000 })()
      },
    })
    expect(account.live()).toHaveLength(1)
    expect(account.touchedForeign()).toEqual([])
    expect(traces.warnings).toEqual([
      "A create request was lost, and 2 key(s) may be its own or another run's, so none was revoked. If there is such a " +
        'key, it was created about 2027-03-01 12:00:00 UTC with expiry 2027-03-01T13:00:00.373Z, when it ends by ' +
        `itself; to end it now: ${DASHBOARD}.`,
    ])
  })

  test('with a weak mark is never acted on', async () => {
    const expiry = Math.floor((START + HOUR) / 1000) * 1000
    const { account, traces } = await runPost({
      state: (account) => {
        make(account, expiry)
        return oneMark({ expiry, sentAt: START, deadline: START - 15_000, ambiguous: true })()
      },
    })
    expect(account.live()).toHaveLength(1)
    expect(traces.warnings[0]).toContain("1 key(s) may be its own or another run's")
  })

  test('that cannot be looked for is reported', async () => {
    const { traces, took } = await runPost({ state: oneMark(), cues: [answer(403, { detail: 'No.' })] })
    expect(took).toBe(100)
    expect(traces.warnings[0]).toMatch(
      /^It could not be seen whether a lost create request made a key: api\.example answered 403 .*: No\. If there is such a key, it was created about 2027-03-01 11:59:00 UTC/,
    )
  })

  test('whose key cannot be revoked is reported', async () => {
    const { traces } = await runPost({
      state: (account) => {
        make(account, MARK.expiry)
        return oneMark({ sentAt: START, deadline: START })()
      },
      cues: [serve, answer(403)],
    })
    expect(traces.warnings[0]).toContain('It could not be seen whether')
  })

  test('that cannot be looked for to the end is reported with the reason, not with want of time', async () => {
    const { took, traces } = await runPost({
      state: oneMark(),
      whenever: () => ({ kind: 'answer', status: 503 }),
    })
    expect(took).toBeLessThanOrEqual(60_000)
    expect(traces.warnings[0]).toContain('made a key: api.example answered 503')
  })

  test.each([
    ['is watched for', 5_000],
    ['is watched for no longer', -15_000],
  ])('whose key stays in the list after a 204 is revoked again, where it %s', async (_, deadline) => {
    const { account, error, seen } = await runPost({
      state: (account) => {
        make(account, MARK.expiry)
        return oneMark({ sentAt: START, deadline: START + deadline })()
      },
      cues: [serve, answer(204)],
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(methods(seen)).toBe('GET DELETE GET GET DELETE GET')
  })

  test('does not cost the known key its time: an API that is away for 50 s', async () => {
    const { account, traces } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneMark()() }),
      cues: Array(4).fill({ kind: 'silence' }),
    })
    expect(account.live()).toEqual([])
    expect(traces.warnings).toHaveLength(1)
    expect(traces.warnings[0]).toContain('It could not be seen whether')
  })

  test('among several: each is settled by itself', async () => {
    const { account, error, seen } = await runPost({
      state: (account) => {
        make(account, MARK.expiry)
        make(account, MARK.expiry + 5)
        const intent = { ...MARK, sentAt: START, deadline: START - 15_000 }
        return {
          intents: [intent, { ...intent, expiry: MARK.expiry + 5 }, { ...intent, expiry: MARK.expiry + 9 }],
        }
      },
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(methods(seen)).toBe('GET DELETE GET DELETE GET')
  })
})

describe('what a later step changed', () => {
  const refused = answer(403)
  const withSettings = (before: Record<string, string>, after: Record<string, string>): PostOptions => ({
    state: oneKey({ settings: before }),
    settings: after,
    cues: [refused],
  })

  test.each(['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA'])(
    '%s: named, and api-key is not sent',
    async (name) => {
      for (const [before, after] of [
        [{}, { [name]: 'new' }],
        [{ [name]: 'old' }, {}],
        [{ [name]: 'old' }, { [name]: 'new' }],
      ] as const) {
        const { traces, seen } = await runPost(withSettings(before, after))
        expect(traces.warnings[0]).toBe(
          `A step of this job changed ${name}, and with it which certificates are trusted. ` +
            'Post does not send api-key under these settings.',
        )
        expect(seen.map(({ credential }) => credential)).not.toContain(INPUTS.apiKey)
        expect(traces.warnings[1]).toContain('could not be shown to be dead')
      }
    },
  )

  test('nothing: api-key is sent where it is needed', async () => {
    const { seen, traces } = await runPost(withSettings({ SSL_CERT_FILE: 'same' }, { SSL_CERT_FILE: 'same' }))
    expect(seen[1]?.credential).toBe(INPUTS.apiKey)
    expect(traces.warnings).toEqual([])
  })

  test('a mark cannot be looked for where api-key must not be sent', async () => {
    const { traces, seen } = await runPost({ state: oneMark(), settings: { SSL_CERT_DIR: 'new' } })
    expect(seen).toEqual([])
    expect(traces.warnings[1]).toContain('there was no credential left to ask with')
  })

  test('the proxy: named', async () => {
    const { traces } = await runPost({ state: oneKey(), settings: { HTTPS_PROXY: 'x', no_proxy: 'y' } })
    expect(traces.warnings).toEqual([
      'A step of this job changed the proxy settings (HTTPS_PROXY, no_proxy). Post goes the way that the main step went.',
    ])
  })

  test('verification: named', async () => {
    const { traces } = await runPost({ state: oneKey(), verificationOff: true })
    expect(traces.warnings).toEqual([
      'NODE_TLS_REJECT_UNAUTHORIZED is 0 in this job. Post verifies certificates all the same.',
    ])
  })
})
