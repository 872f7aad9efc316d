import { describe, expect, test } from '@jest/globals'
import type { Intent } from '../../src/protocol/intent.ts'
import type { IssuedKey, SavedState } from '../../src/protocol/saved-state.ts'
import type { Account, StoredKey } from '../support/account.ts'
import {
  BOOTED,
  INPUTS,
  type MockResponse,
  type PostOptions,
  runMain,
  runPost,
  START,
  savedBy,
} from '../support/harness.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DASHBOARD = 'Dashboard > Plans > API Keys'
const serve: MockResponse = { kind: 'serve' }
const silence: MockResponse = { kind: 'silence' }
const answer = (status: number, body?: unknown): MockResponse => ({ kind: 'answer', status, body })
const limited = (seconds: number): MockResponse => ({
  kind: 'answer',
  status: 429,
  headers: { 'retry-after': String(seconds) },
})
const gate: MockResponse = {
  kind: 'answer',
  status: 401,
  body: '<html>Maintenance</html>',
  headers: { 'www-authenticate': 'Basic realm="maintenance"', 'content-type': 'text/html' },
}
const methods = (seen: { method: string }[]) => seen.map(({ method }) => method).join(' ')

/** Every revocation gets this answer. */
const refusing = (answered: MockResponse): PostOptions => ({
  intercept: ({ method }) => (method === 'DELETE' ? answered : undefined),
})

/** A key that this run created through the API, with `expiry`. */
function create(account: Account, expiry: number): StoredKey {
  const { body } = account.handle({
    method: 'POST',
    path: '/api/user/api-keys',
    headers: { authorization: `Bearer ${account.longLivedKey}` },
    body: JSON.stringify({ expiry: new Date(expiry).toISOString() }),
  })
  const { token } = JSON.parse(body)
  const key = account.keys().find((made) => made.token === token)
  if (!key) throw new Error(`no key was created: ${body}`)
  return key
}

const saved = ({ token, id, token_key, created, expiry }: StoredKey, keep = false): IssuedKey => ({
  ...{ token, id, prefix: token_key, createdAt: created, expiresAt: expiry, asked: expiry ?? 0, keep },
})

/** The record of a main step that handed one key over. */
const oneKey =
  (more: Partial<SavedState> = {}, key: Partial<IssuedKey> = {}) =>
  (account: Account): Partial<SavedState> => ({
    keys: [{ ...saved(create(account, START + HOUR_MS)), ...key }],
    ...more,
  })

const EXPIRY = START + HOUR_MS + 123
const intentOf = (more: Partial<Intent> = {}): Intent => ({
  ...{ expiry: EXPIRY, sentAt: START - 60_000, deadline: START - 50_000, refused: '' },
  ...more,
})
/** An intent whose key can no longer appear, and which was sent when the step began. */
const PAST = { sentAt: START, deadline: START - 15_000 }
/** The record of a main step that was killed while it waited for its key. */
const oneIntent = (intent: Partial<Intent> = {}) => ({ intents: [intentOf(intent)] })
/** The record of a main step with one unanswered request, whose key is there. */
const oneOrphan =
  (intent: Partial<Intent> = PAST) =>
  (account: Account): Partial<SavedState> => {
    create(account, EXPIRY)
    return oneIntent(intent)
  }

describe('what main saved', () => {
  test('is nothing: no request is sent', async () => {
    const { error, traces, seen } = await runPost({ found: { state: null, damage: '' } })
    expect(error).toBeNull()
    expect(traces.printed).toEqual([
      'The main step saved no key that may be valid, so there is nothing to revoke.',
    ])
    expect(seen).toEqual([])
  })

  test('holds neither keys nor intents: no request is sent, and no setting is warned of', async () => {
    const { traces, seen } = await runPost({ settings: { HTTPS_PROXY: 'x' } })
    expect(traces.printed).toEqual([
      'The main step saved no key that may be valid, so there is nothing to revoke.',
    ])
    expect(seen).toEqual([])
  })

  test.each(['warn', 'fail'] as const)(
    'cannot be used: reported by the policy of the workflow, %s',
    async (policyWithoutRecord) => {
      const found = { state: null, damage: 'it is not JSON' }
      const { error, traces, seen } = await runPost({ found, policyWithoutRecord })
      const message =
        'The record that the main step saved cannot be used (it is not JSON). ' +
        `A key that it described may stay valid until it expires; to revoke it now: ${DASHBOARD}.`
      expect(error?.message).toBe(policyWithoutRecord === 'fail' ? message : undefined)
      expect(traces.warnings).toEqual(policyWithoutRecord === 'fail' ? [] : [message])
      expect(seen).toEqual([])
    },
  )

  test('is damaged in part: the keys that can be read are revoked, and the damage is reported', async () => {
    const run = await runPost({ state: oneKey(), damage: '1 of its keys' })
    expect(run.account.live()).toEqual([])
    expect(run.traces.warnings).toEqual([expect.stringMatching(/^Part of the record .* \(1 of its keys\)\./)])
  })

  test('is damaged in several parts: each is named, with what stays valid, after the failures of keys', async () => {
    const { traces } = await runPost({
      state: oneKey({}, { token: null }),
      damage: 'apiUrl, 1 of its keys',
      intercept: () => answer(403),
    })
    expect(traces.warnings).toEqual([
      expect.stringMatching(
        /^Could not confirm that API key .* Part of .* be used \(apiUrl, 1 of its keys\)\. A key that it described may stay valid until it expires; .*API Keys\.$/,
      ),
    ])
  })

  test('is damaged completely: that is reported', async () => {
    const { traces } = await runPost({ damage: 'keys' })
    expect(traces.warnings).toEqual([expect.stringContaining('(keys)')])
    const nothing = await runPost({ found: { state: null, damage: 'it is not JSON' } })
    expect(nothing.traces.printed).toEqual(nothing.traces.warnings)
  })
})

describe('a key', () => {
  test('is revoked with itself and verified, in two requests', async () => {
    const { error, seen, account, traces } = await runPost({ state: oneKey() })
    const [key] = account.keys()
    expect(error).toBeNull()
    expect(seen.map(({ method, path, credential }) => ({ method, path, credential }))).toEqual([
      { method: 'DELETE', path: `/api/user/api-keys/${key?.id}`, credential: key?.token },
      { method: 'GET', path: '/api/user/api-keys', credential: key?.token },
    ])
    expect(traces.printed[0]).toBe(
      `Revoked (verified): API key ${key?.token_key}... (id ${key?.id.slice(0, 8)}...); the API rejects it with 401.`,
    )
    expect(traces.printed[1]).toContain('**Revoked (verified)**, 2027-03-01 12:00:00 UTC |')
    expect(traces.warnings).toEqual([])
  })

  test('is in the summary with the time of its revocation by the server’s clock', async () => {
    const { traces } = await runPost({ state: oneKey({ skew: 90_000 }) })
    expect(traces.printed[1]).toContain('**Revoked (verified)**, 2027-03-01 12:01:30 UTC |')
  })

  test('that was revoked before counts as done, by a 401 and the list', async () => {
    const { error, traces, seen } = await runPost({
      state: (account) => {
        const key = create(account, START + HOUR_MS)
        key.revoked = true
        key.created -= MINUTE_MS
        return { keys: [saved(key)] }
      },
    })
    expect(error).toBeNull()
    expect(seen.at(-1)).toMatchObject({ method: 'GET', credential: INPUTS.apiKey })
    expect(traces.printed[0]).toMatch(/^No longer valid \(verified\): API key .* rejects it with 401\.$/)
    expect(traces.warnings).toEqual([])
  })

  test('is left alone where main was told to keep it', async () => {
    const { error, seen, traces } = await runPost({ state: oneKey({}, { keep: true }) })
    expect(error).toBeNull()
    expect(seen).toEqual([])
    expect(traces.printed[0]).toMatch(
      /stays valid until it expires at 2027-03-01 13:00:00 UTC \(`revoke: false`\)\.$/,
    )
    expect(traces.printed[1]).toMatch(/^### SphereScout key after this job\n\n/)
    expect(traces.printed[1]).toContain('| **Kept** until it expires (`revoke: false`) |')
  })

  test('that is kept and whose expiry is unknown is not said to have one', async () => {
    const { traces } = await runPost({ state: oneKey({}, { keep: true, expiresAt: null }) })
    expect(traces.printed[0]).toMatch(/stays valid until it expires \(`revoke: false`\)\.$/)
  })

  test('without a value is revoked with api-key, and a list shows that it is gone', async () => {
    const { error, seen, traces, account } = await runPost({ state: oneKey({}, { token: null }) })
    expect(error).toBeNull()
    expect(methods(seen)).toBe('DELETE GET')
    expect(seen.every(({ credential }) => credential === INPUTS.apiKey)).toBe(true)
    expect(account.live()).toEqual([])
    expect(traces.printed[0]).toMatch(/^Revoked: API key .*\)\.$/)
  })

  test('without a value, whose expiry is unknown and whose revocation is refused, is not said never to expire', async () => {
    const { traces } = await runPost({
      state: oneKey({}, { token: null, expiresAt: null }),
      ...refusing(answer(403, { detail: 'Not today.' })),
    })
    expect(traces.warnings[0]).toMatch(
      /^Could not confirm that API key .* was revoked: .*Not today; no list confirms that it is gone\. /,
    )
    expect(traces.warnings[0]).toContain('Its expiry is unknown, so it may never expire; revoke it now. ')
  })

  test.each<[string, MockResponse[], string]>([
    ['was cut, though done', [{ kind: 'cut', acted: true }], 'No longer valid (verified)'],
    ['was cut', [{ kind: 'cut' }], 'Revoked (verified)'],
    ['was refused a connection', [{ kind: 'refused' }], 'Revoked (verified)'],
    ['got 503', [answer(503)], 'Revoked (verified)'],
    ['got 408', [answer(408)], 'Revoked (verified)'],
    ['got 421', [answer(421)], 'Revoked (verified)'],
    ['got 423', [answer(423)], 'Revoked (verified)'],
    ['got 425', [answer(425)], 'Revoked (verified)'],
    ['got HTML with 200', [answer(200, '<html>')], 'Revoked (verified)'],
    ['got an error with 200', [answer(200, { success: false })], 'Revoked (verified)'],
  ])('whose revocation %s is revoked again', async (_, responses, says) => {
    const { error, account, traces } = await runPost({
      state: oneKey({ onRevokeFailure: 'fail' }),
      responses,
    })
    expect(error).toBeNull()
    expect(traces.printed.join()).toContain(says)
    expect(account.live()).toEqual([])
  })

  test('that is still accepted after 10 s is revoked again', async () => {
    const { error, account, took } = await runPost({
      state: oneKey({ skew: 0 }, { createdAt: START - MINUTE_MS }),
      responses: [answer(204)],
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(took).toBeGreaterThanOrEqual(10_000)
    expect(took).toBeLessThan(12_000)
  })

  test('that is accepted whatever the API says is reported after 60 s, with prefix, id, expiry and what to do', async () => {
    const { traces, took } = await runPost({ state: oneKey(), api: { idleRevocation: true } })
    expect(traces.warnings).toEqual([
      expect.stringMatching(
        /^Could not confirm that API key \w+\.\.\. \(id \w+\.\.\.\) was revoked: .*the API still accepts it\. It expires at 2027-03-01 13:00:00 UTC.*Dashboard > Plans > API Keys\.$/,
      ),
    ])
    expect(took).toBeGreaterThanOrEqual(50_000)
    expect(took).toBeLessThan(60_500)
    expect(traces.printed.join()).toContain('**Revocation not confirmed**')
  })

  test('is verified as soon as the API catches up', async () => {
    const { traces, took } = await runPost({
      state: oneKey(),
      responses: [answer(204)],
      at: [[5_000, (account) => Object.assign(account.keys()[0] ?? {}, { revoked: true })]],
    })
    expect(traces.printed[0]).toMatch(/^Revoked \(verified\)/)
    expect(took).toBeLessThan(6_200)
  })

  test('that no credential may revoke is given up early', async () => {
    const refusal = answer(403, { detail: 'Not today.' })
    const { traces, took, seen } = await runPost({ state: oneKey(), ...refusing(refusal) })
    // Twice: what refused may have ended before the key was accepted.
    expect(methods(seen)).toBe('DELETE DELETE GET DELETE DELETE GET')
    expect(took).toBeLessThan(1_500)
    expect(traces.warnings[0]).toContain('answered 403')
    expect(traces.warnings[0]).toContain('Not today; the API still accepts it. It expires')
  })

  test('that could not be revoked fails the step under on-revoke-failure: fail', async () => {
    const { error, traces } = await runPost({
      state: oneKey({ onRevokeFailure: 'fail' }),
      ...refusing(answer(400)),
    })
    expect(error?.message).toContain('Could not confirm that API key')
    expect(traces.warnings).toEqual([])
  })

  test('of an API that does not answer is given up after 60 s', async () => {
    const { took, traces } = await runPost({ state: oneKey(), responses: Array(200).fill(silence) })
    expect(took).toBeGreaterThan(50_000)
    expect(took).toBeLessThan(60_010)
    expect(traces.warnings[0]).toContain('timeout by the harness')
  })

  test('that is one of several: a slow one takes no time from the others, and one failure does not hide another', async () => {
    const { account, traces } = await runPost({
      state: (account) => ({
        keys: [1, 2, 3].map((hours) => saved(create(account, START + hours * HOUR_MS))),
      }),
      intercept: ({ path }, account) => {
        const index = account.keys().findIndex(({ id }) => path.endsWith(id))
        return [{ kind: 'answer' as const, status: 503, takes: 3_000 }, undefined, answer(400)][index]
      },
    })
    expect(account.live()).toEqual([account.keys()[0], account.keys()[2]])
    expect(traces.warnings).toHaveLength(1)
    expect(traces.warnings[0]?.match(/Could not confirm/g)).toHaveLength(2)
    expect(traces.printed.join()).toContain('Revoked (verified)')
  })
})

describe('a 401 that proves nothing', () => {
  /** Every request with the short-lived key gets 401 while `is` says so. */
  const rejecting =
    (is: (at: number) => boolean): NonNullable<PostOptions['intercept']> =>
    ({ credential, at }) =>
      credential !== INPUTS.apiKey && is(at) ? answer(401, { detail: 'Invalid token.' }) : undefined

  test('of a replica that does not know a fresh key for 2 s: api-key revokes the key', async () => {
    const { account, traces, seen } = await runPost({
      state: oneKey(),
      intercept: rejecting((at) => at < 2_000),
    })
    expect(account.live()).toEqual([])
    expect(seen[2]).toMatchObject({ method: 'DELETE', credential: INPUTS.apiKey })
    expect(traces.printed[0]).toMatch(/^Revoked \(verified\)/)
  })

  test('of replicas that do not know the key by its id, its value or the list: it is revoked once they do', async () => {
    const { account, traces } = await runPost({
      state: oneKey(),
      intercept: ({ method, credential, at }) => {
        if (at > 2_000) return undefined
        if (credential !== INPUTS.apiKey) return answer(401, { detail: 'Invalid token.' })
        const row = {
          id: 'own',
          token_key: INPUTS.apiKey.slice(0, 15),
          created: '2020-01-01T00:00:00Z',
          expiry: null,
        }
        return method === 'DELETE' ? answer(404) : answer(200, [row])
      },
    })
    expect(account.live()).toEqual([])
    expect(traces.warnings).toEqual([])
  })

  test('of a maintenance gate: it is not called revoked, and is reported', async () => {
    const { account, traces } = await runPost({ state: oneKey(), intercept: () => gate })
    expect(account.live()).toHaveLength(1)
    expect(traces.warnings[0]).toMatch(/^Could not confirm that API key .* HTML page/)
    expect(traces.printed.join()).not.toContain('evoked (verified)')
  })

  test('of a gate that goes away after 20 s: the key is revoked', async () => {
    const { account, traces } = await runPost({
      state: oneKey({ onRevokeFailure: 'fail' }),
      intercept: ({ at }) => (at < 20_000 ? gate : undefined),
    })
    expect(account.live()).toEqual([])
    expect(traces.printed.join()).toContain('Revoked (verified)')
  })

  test('of an authentication service that never recovers: nothing is confirmed', async () => {
    const { traces, took } = await runPost({
      state: oneKey(),
      intercept: () => answer(401, { detail: 'Invalid token.' }),
    })
    expect(traces.warnings[0]).toContain('the API rejects the key, but nothing confirms that it was revoked')
    expect(took).toBeLessThanOrEqual(60_500)
  })

  test('of a key that has expired by our clock alone, which may be an hour ahead: nothing is confirmed', async () => {
    const { traces } = await runPost({
      state: (account) => ({
        keys: [saved(account.addKey({ created: START - HOUR_MS, expiry: START - 5 * MINUTE_MS }))],
        skew: null,
      }),
      intercept: ({ credential }) => answer(credential === INPUTS.apiKey ? 403 : 401, { detail: 'No.' }),
    })
    expect(traces.warnings).toEqual([
      expect.stringContaining('the API rejects the key, but nothing confirms that it was revoked'),
    ])
  })

  test('while api-key is not accepted any more: the key revokes itself, which needs no api-key', async () => {
    const { account, traces } = await runPost({
      state: oneKey(),
      intercept: ({ credential }) => (credential === INPUTS.apiKey ? answer(401) : undefined),
    })
    expect(account.live()).toEqual([])
    expect(traces.warnings).toEqual([])
  })
})

describe('a step that the runner is stopping', () => {
  const stopped = (more: Partial<PostOptions> = {}) =>
    runPost({ state: oneKey(), intercept: () => limited(300), stopAt: 5_000, ...more })
  const label = /43210fedcbaa987\.\.\. \(id \w+\.\.\.\)/.source

  test('warns of what is not settled, and goes on', async () => {
    const { traces, took } = await stopped()
    const [first] = traces.warnings
    expect(first).toMatch(
      new RegExp(
        `^The runner is stopping this step; not yet settled: ${label}\\. To revoke them now: ${DASHBOARD}\\.$`,
      ),
    )
    expect(took).toBeGreaterThan(60_000)
  })

  test('names unanswered requests while they are looked for', async () => {
    const { traces } = await stopped({ state: (account) => ({ ...oneKey()(account), ...oneIntent() }) })
    expect(traces.warnings[0]).toMatch(
      new RegExp(
        `settled: ${label}, 1 create request\\(s\\)\\. Sent about 2027-03-01 11:59:00 UTC, ` +
          `for a key that expires 2027-03-01T13:00:00\\.373Z\\. To revoke them now: ${DASHBOARD}\\.$`,
      ),
    )
    const known = await stopped({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      intercept: ({ method }) => (method === 'GET' ? silence : undefined),
    })
    expect(known.traces.warnings[0]).toContain('1 create request(s)')
  })

  test('says when a request was sent by the clock as it is now, after that was set back by an hour', async () => {
    const sentAt = START + HOUR_MS - MINUTE_MS
    const { traces } = await stopped({
      state: () => ({
        ...oneIntent({ sentAt, deadline: sentAt + 10_000 }),
        bootedAt: BOOTED + HOUR_MS,
      }),
    })
    expect(traces.warnings[0]).toMatch(/^The runner is stopping .* Sent about 2027-03-01 11:59:00 UTC, /)
  })

  test('says what a look-up that has ended could not settle', async () => {
    const { traces } = await stopped({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      intercept: ({ method }) => (method === 'GET' ? answer(302) : limited(300)),
    })
    expect(traces.warnings[0]).toMatch(
      /^The runner is stopping .* Could not determine whether .* with a redirect to .*\. Sent about/,
    )
  })

  test('does not name a key that is kept, or that is revoked already', async () => {
    const { traces } = await stopped({
      state: (account) => ({
        keys: [saved(create(account, EXPIRY), true), saved(create(account, EXPIRY + 5))],
        ...oneIntent({ sentAt: START - 1_000, deadline: START + 1_000 }),
      }),
      intercept: () => undefined,
    })
    expect(traces.warnings[0]).toContain('not yet settled: 1 create request(s).')
  })
})

test('a step that has ended has nothing to say when the runner stops it', async () => {
  const { traces, took } = await runPost({ state: oneKey(), stopAt: 5_000 })
  expect(took).toBeLessThan(5_000)
  expect(traces.warnings).toEqual([])
})

describe('a rate-limited API', () => {
  test('is waited for until it is this job’s turn, and that is said', async () => {
    const { took, traces, account, error } = await runPost({
      state: oneKey({ onRevokeFailure: 'fail' }),
      responses: Array(8).fill(limited(59)),
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(took).toBeGreaterThan(4 * 59_000)
    expect(traces.printed[0]).toMatch(
      /^Rate limited by the API \(429\)\. Retrying in 59\.1 s\. Not yet settled: \w+\.\.\. \(id \w+\.\.\.\)\.$/,
    )
    expect(traces.printed.at(-2)).toContain('Revoked (verified)')
  })

  test('that never ends is waited for 30 min more than 60 s, and no longer', async () => {
    const { took, traces } = await runPost({ state: oneKey(), responses: Array(200).fill(limited(59)) })
    expect(took).toBeGreaterThan(30 * MINUTE_MS)
    expect(took).toBeLessThanOrEqual(31 * MINUTE_MS + 10)
    expect(traces.warnings[0]).toContain('answered 429')
  })

  test('until the key expires: its 401 then verifies that', async () => {
    const { took, error, traces } = await runPost({
      state: (account) => ({
        keys: [saved(create(account, START + 5 * MINUTE_MS))],
        onRevokeFailure: 'fail',
        skew: 0,
      }),
      intercept: (_, account) => (account.live().length > 0 ? limited(59) : undefined),
    })
    expect(error).toBeNull()
    expect(traces.printed.at(-2)).toMatch(/^No longer valid \(verified\)/)
    expect(took).toBeLessThan(6 * MINUTE_MS + 1_000)
  })

  test('for look-ups alone does not delay the revocation of the known key', async () => {
    const { account, seen } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      intercept: ({ method, credential }) =>
        method === 'GET' && credential === INPUTS.apiKey ? limited(59) : undefined,
    })
    expect(account.live()).toEqual([])
    expect(seen[0]?.method).toBe('DELETE')
  })
})

test('a rate limit of one key gives no more time to the look-up of a request', async () => {
  const { seen, account } = await runPost({
    state: (account) => ({
      keys: [1, 2].map((hours) => saved(create(account, START + hours * HOUR_MS))),
      ...oneIntent(),
    }),
    intercept: ({ method, path, credential, at }, account) => {
      if (method === 'GET' && credential === INPUTS.apiKey) return answer(403)
      return at < 5 * MINUTE_MS && path.endsWith(account.keys()[0]?.id ?? '') ? limited(300) : undefined
    },
  })
  expect(account.live()).toEqual([])
  expect(seen.at(-1)?.at).toBeGreaterThan(5 * MINUTE_MS)
  const looks = seen.filter(({ method, credential }) => method === 'GET' && credential === INPUTS.apiKey)
  expect(looks.at(-1)?.at).toBeGreaterThan(50_000)
  expect(looks.at(-1)?.at).toBeLessThanOrEqual(60_000)
})

describe('the order of post', () => {
  test.each([401, 403, 502])(
    'the DELETE of a known key comes first, and look-ups with api-key follow (list answered %i)',
    async (status) => {
      const { seen, account } = await runPost({
        state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
        intercept: ({ credential }) => (credential === INPUTS.apiKey ? answer(status) : undefined),
      })
      expect(seen[0]).toMatchObject({ method: 'DELETE', at: 0 })
      expect(account.live()).toEqual([])
    },
  )

  test('a revocation that is not answered does not keep look-ups waiting for more than 3 s', async () => {
    const { seen, account } = await runPost({
      state: (account) => {
        const { keys } = oneKey()(account)
        create(account, EXPIRY)
        return { ...(keys && { keys }), ...oneIntent(PAST) }
      },
      intercept: ({ path }, account) => (path.endsWith(account.keys()[0]?.id ?? '') ? silence : undefined),
    })
    const firstLookup = seen.find(
      ({ method, credential }) => method === 'GET' && credential === INPUTS.apiKey,
    )
    expect(firstLookup?.at).toBeLessThanOrEqual(3_000)
    expect(account.live()).toEqual([account.keys()[0]])
  })

  test('look-ups that are not answered do not delay the known key, and the other way round', async () => {
    const run = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      intercept: ({ credential }) => (credential === INPUTS.apiKey ? silence : undefined),
    })
    expect(run.account.live()).toEqual([])
    expect(run.traces.printed.find((line) => line.startsWith('Revoked (verified)'))).toBeDefined()
    expect(run.traces.warnings).toEqual([
      expect.stringMatching(/^Could not determine whether an unresolved create request/),
    ])
    expect(run.took).toBeLessThanOrEqual(60_500)
  })

  test('where api-key must not be sent, the known key is revoked all the same, and nothing is looked up', async () => {
    const { seen, account, traces } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      settings: { SSL_CERT_FILE: 'new' },
    })
    const [key] = account.keys()
    expect(methods(seen)).toBe('DELETE GET')
    expect(seen.every(({ credential }) => credential === key?.token)).toBe(true)
    expect(account.live()).toEqual([])
    expect(traces.warnings.at(-1)).toContain('there was no credential left that may be sent')
  })

  test.each([
    [1, 60],
    [6, 10],
    [3, 90],
  ])('and is still revoked after %i rate limits of %i s', async (times, seconds) => {
    const { account, error } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      settings: { SSL_CERT_FILE: 'new' },
      responses: Array.from({ length: times }, () => limited(seconds)),
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
  })

  test('and a key that is kept is not sent', async () => {
    const { seen, account } = await runPost({
      state: (account) => ({
        keys: [saved(create(account, START + HOUR_MS), true), saved(create(account, START + HOUR_MS))],
        ...oneIntent(),
      }),
      settings: { SSL_CERT_FILE: 'new' },
    })
    const [kept] = account.keys()
    expect(seen.map(({ credential }) => credential)).not.toContain(kept?.token)
    expect(account.live()).toEqual([kept])
  })

  test('and then 25 s are kept for the known key, even if the list is never answered', async () => {
    const { account, seen, took } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      settings: { SSL_CERT_FILE: 'new' },
      intercept: ({ method }, account) =>
        method === 'GET' && account.live().length > 0 ? silence : undefined,
    })
    expect(account.live()).toEqual([])
    expect(seen.find(({ method }) => method === 'DELETE')?.at).toBeLessThanOrEqual(35_000)
    expect(took).toBeLessThanOrEqual(60_500)
  })

  test('look-ups wait for the revocation of the known key where that is answered within 3 s', async () => {
    const { seen } = await runPost({
      state: (account) => ({ ...oneKey()(account), ...oneIntent() }),
      intercept: ({ method }) => (method === 'DELETE' ? { kind: 'serve', takes: 2_000 } : undefined),
    })
    expect(seen[1]).toMatchObject({ method: 'GET', credential: expect.not.stringMatching(INPUTS.apiKey) })
    expect(seen[2]).toMatchObject({ method: 'GET', credential: INPUTS.apiKey, at: 2_100 })
  })
})

describe('an unresolved create request', () => {
  test('whose key is there has it found by its expiry, revoked with api-key, and gone from the list', async () => {
    const { error, seen, account, traces } = await runPost({ state: oneOrphan() })
    expect(error).toBeNull()
    // The last look is for its twin.
    expect(methods(seen)).toBe('GET DELETE GET GET')
    expect(seen[0]?.at).toBe(0)
    expect(seen.every(({ credential }) => credential === INPUTS.apiKey)).toBe(true)
    expect(account.live()).toEqual([])
    expect(traces.printed[0]).toBe(
      'Looking for the keys of 1 create request(s) whose response was lost, unusable or slow.',
    )
    expect(traces.printed[1]).toMatch(/^Found and revoked the orphaned key /)
    expect(traces.warnings).toEqual([])
  })

  test.each([6_000, -31_000, 600_000, -600_000])(
    'of a runner whose clock was wrong by %i ms, and was set since, has its key found',
    async (clockError) => {
      const main = await runMain({ clockError, responses: [silence], signalAt: 50 })
      const record = savedBy(main)
      const { account, error } = await runPost({
        state: (account) => {
          create(account, record.intents[0]?.expiry ?? 0)
          return record
        },
      })
      expect(error).toBeNull()
      expect(account.keys()).toHaveLength(1)
      expect(account.live()).toEqual([])
    },
  )

  test('is not found in a key that main knows', async () => {
    const { traces, account } = await runPost({
      state: (account) => ({ keys: [saved(create(account, EXPIRY))], ...oneIntent(PAST) }),
    })
    expect(traces.printed.join()).not.toContain('Found and revoked')
    expect(traces.printed.join()).toContain('Revoked (verified)')
    expect(account.live()).toEqual([])
  })

  test('whose key is created late has it found, and a key nearby is not touched', async () => {
    const { account, error, took } = await runPost({
      state: () => oneIntent({ sentAt: START - 2_000, deadline: START + 1_000 }),
      at: [
        [9_000, (account) => void create(account, EXPIRY)],
        [9_000, (account) => void account.addKey({ expiry: EXPIRY + 1 })],
      ],
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(account.touchedForeign()).toEqual([])
    expect(took).toBeLessThan(18_100)
  })

  test('whose key is created 32 s after the deadline is not said to have made none', async () => {
    const { traces } = await runPost({
      state: () => oneIntent({ sentAt: START - 2_000, deadline: START + 1_000 }),
    })
    expect(traces.warnings).toEqual([
      expect.stringMatching(
        /^No key of an unresolved create request has appeared so far; if the API still creates one/,
      ),
    ])
    expect(traces.printed.join()).not.toContain('No other key')
  })

  test('that matches two keys has none revoked, and says what to look for', async () => {
    const { account, traces } = await runPost({
      state: (account) => {
        create(account, EXPIRY)
        account.addKey({ expiry: EXPIRY })
        return oneIntent(PAST)
      },
    })
    expect(account.live()).toHaveLength(1)
    expect(account.touchedForeign()).toEqual([])
    expect(traces.warnings).toEqual([
      expect.stringMatching(
        /^An unresolved create request matches 2 key\(s\) \(.*\); revoked none, because some may belong to other runs\. Sent about 2027-03-01 12:00:00 UTC, for a key that expires 2027-03-01T13:00:00\.373Z\. To revoke such a key now: Dashboard > Plans > API Keys\.$/,
      ),
    ])
  })

  test.each<[string, number]>([
    ['10 ms', 10],
    ['1 s', 1_000],
    ['1 min', MINUTE_MS],
  ])(
    'at a server that keeps %s, whose grid is not known, is reported as ambiguous, never as absent',
    async (_, grid) => {
      const expiry = EXPIRY + 20_000
      const { account, traces } = await runPost({
        state: (account) => {
          create(account, Math.floor(expiry / grid) * grid)
          return oneIntent({ ...PAST, expiry })
        },
      })
      expect(account.live()).toHaveLength(1)
      expect(traces.warnings[0]).toContain('matches 1 key(s)')
    },
  )

  test('at a server known to keep milliseconds, is not found in another run’s key on a coarser grid', async () => {
    const { account, traces } = await runPost({
      state: (account) => {
        account.addKey({ expiry: Math.floor(EXPIRY / 1_000) * 1_000 })
        const kept = { ...saved(create(account, EXPIRY + 1), true), asked: EXPIRY + 1.234 }
        return { ...oneIntent(PAST), keys: [kept] }
      },
    })
    expect(account.touchedForeign()).toEqual([])
    expect(traces.warnings.join()).not.toContain('matches')
  })

  test('with another run’s key of the same second leaves both, and a warning says so', async () => {
    const whole = Math.floor(EXPIRY / 1_000) * 1_000
    const { account, traces } = await runPost({
      state: (account) => {
        account.addKey({ expiry: whole })
        return oneIntent({ ...PAST, expiry: whole })
      },
    })
    expect(account.touchedForeign()).toEqual([])
    expect(traces.warnings[0]).toContain('matches 1 key(s)')
  })

  test('that cannot be looked for is reported with the API’s reason', async () => {
    const { traces, took } = await runPost({
      state: () => oneIntent(),
      intercept: ({ method }) => (method === 'GET' ? answer(403, { detail: 'No.' }) : undefined),
    })
    // What refuses may pass.
    expect(took).toBeGreaterThan(55_000)
    expect(traces.warnings[0]).toMatch(
      /^Could not determine whether an unresolved create request created a key: api\.example answered 403 .*: No\. Sent about 2027-03-01 11:59:00 UTC/,
    )
  })

  test('whose key cannot be revoked is reported with its prefix and id', async () => {
    const { traces, account } = await runPost({
      state: oneOrphan(),
      ...refusing(answer(403, { detail: 'No.' })),
    })
    const [key] = account.keys()
    expect(traces.warnings[0]).toMatch(
      new RegExp(
        `^Could not confirm that the orphaned API key ${key?.token_key}\\.\\.\\. \\(id ${key?.id.slice(0, 8)}\\.\\.\\.\\) was revoked: .*No; no list confirms that it is gone\\. `,
      ),
    )
  })

  test('whose key stays in the list after a 204 has it revoked again', async () => {
    const { account, error, seen } = await runPost({ state: oneOrphan(), responses: [serve, answer(204)] })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
    expect(seen.filter(({ method }) => method === 'DELETE')).toHaveLength(2)
  })

  test('that was answered late, by a gateway that may have sent it twice, has its twin revoked', async () => {
    const { account, traces } = await runPost({
      state: (account) => ({
        keys: [saved(create(account, EXPIRY))],
        intents: [intentOf({ ...PAST, stored: 1 })],
      }),
      at: [[0, (account) => void create(account, EXPIRY)]],
    })
    expect(account.keys()).toHaveLength(2)
    expect(account.live()).toEqual([])
    expect(traces.warnings).toEqual([])
  })

  test('among several is settled separately', async () => {
    const { account, error } = await runPost({
      state: (account) => {
        create(account, EXPIRY)
        create(account, EXPIRY + 5)
        return { intents: [0, 5, 9].map((more) => intentOf({ ...PAST, expiry: EXPIRY + more })) }
      },
    })
    expect(error).toBeNull()
    expect(account.live()).toEqual([])
  })
})

describe('a list that cannot show absence', () => {
  const reply = (body: (rows: unknown) => unknown, headers: Record<string, string> = {}): MockResponse => ({
    kind: 'answer',
    status: 200,
    acted: true,
    body,
    headers,
  })

  test.each<[string, MockResponse]>([
    ['has a Link to a next page', reply((rows) => rows, { link: '<https://api.example/next>; rel="next"' })],
    ['has_more', reply((rows) => ({ results: rows, has_more: true }))],
    ['counts more keys than it shows', reply((rows) => ({ results: rows, count: 7 }))],
    ['is 20 s old', reply((rows) => rows, { age: '20' })],
    ['comes from a cache', reply((rows) => rows, { 'x-cache': 'HIT' })],
    ['has rows without an id', reply((rows) => [...(rows as unknown[]), { uuid: 'a', expiry: null }])],
    [
      'has rows with an expiry that cannot be read',
      reply((rows) => [...(rows as unknown[]), { id: 'a', expiry: 'soon' }]),
    ],
    ['does not show api-key', reply(() => [])],
    ['is paged and does not show api-key', reply(() => ({ results: [], next: null }))],
  ])('is not taken for one: it %s', async (_, list) => {
    const { traces } = await runPost({
      state: () => oneIntent(),
      intercept: ({ method }) => (method === 'GET' ? list : undefined),
    })
    expect(traces.warnings).toEqual([
      expect.stringMatching(
        /^Could not determine whether an unresolved create request created a key: the list of keys cannot be relied on/,
      ),
    ])
  })

  test('still shows an orphan: a key with an id beyond 2^53 is revoked by all its digits', async () => {
    const id = '1152921504606846977'
    const { seen } = await runPost({
      state: () => oneIntent(PAST),
      intercept: ({ method }) => {
        if (method === 'DELETE') return answer(204)
        const own = { id: 1, token_key: INPUTS.apiKey, created: '2020-01-01T00:00:00Z', expiry: null }
        const orphan = {
          id: 'ID',
          token_key: 'x',
          created: new Date(START).toISOString(),
          expiry: new Date(EXPIRY).toISOString(),
        }
        return answer(200, JSON.stringify([own, orphan]).replace('"ID"', id))
      },
    })
    expect(seen[1]).toMatchObject({ method: 'DELETE', path: `/api/user/api-keys/${id}` })
  })
})

describe('the warning', () => {
  test('names known keys first, and stays below 4,000 characters for one key and 300 requests', async () => {
    const { traces } = await runPost({
      state: (account) => ({
        ...oneKey()(account),
        intents: Array.from({ length: 300 }, (_, index) => intentOf({ expiry: EXPIRY + index })),
      }),
      intercept: ({ method }) => answer(method === 'GET' ? 403 : 405, { detail: 'No.' }),
    })
    expect(traces.warnings).toHaveLength(1)
    expect(traces.warnings[0]).toMatch(/^Could not confirm that API key /)
    expect(traces.warnings[0]).toContain('(300 requests)')
    expect(traces.warnings[0]?.length).toBeLessThan(4_000)
  })
})

describe('what a later step changed', () => {
  const withSettings = (before: Record<string, string>, after: Record<string, string>): PostOptions => ({
    state: oneKey({ settings: before }),
    settings: after,
    intercept: ({ method, credential }) =>
      method === 'DELETE' && credential !== INPUTS.apiKey ? answer(403) : undefined,
  })

  test.each(['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA'])(
    'is %s: it is named, and api-key is not sent',
    async (name) => {
      for (const [before, after] of [
        [{}, { [name]: 'new' }],
        [{ [name]: 'old' }, {}],
        [{ [name]: 'old' }, { [name]: 'new' }],
      ] as const) {
        const { traces, seen } = await runPost(withSettings(before, after))
        expect(traces.warnings[0]).toContain(
          `changed ${name}, which decides the certificates that are trusted`,
        )
        expect(seen.map(({ credential }) => credential)).not.toContain(INPUTS.apiKey)
        expect(traces.warnings[1]).toContain('Could not confirm')
      }
    },
  )

  test('is two of them: both are named, and that api-key is not sent', async () => {
    const { traces } = await runPost(withSettings({}, { SSL_CERT_FILE: 'new', SSL_CERT_DIR: 'new' }))
    expect(traces.warnings[0]).toMatch(
      /changed SSL_CERT_\w+, SSL_CERT_\w+, which decides .* trusted\. The post step does not send api-key under these settings\.$/,
    )
  })

  test('is nothing: api-key is sent where it is needed', async () => {
    const { seen, traces } = await runPost(withSettings({ SSL_CERT_FILE: 'same' }, { SSL_CERT_FILE: 'same' }))
    expect(seen[1]?.credential).toBe(INPUTS.apiKey)
    expect(traces.warnings).toEqual([])
  })

  test('leaves nothing to look for orphans with', async () => {
    const { traces, seen } = await runPost({ state: () => oneIntent(), settings: { SSL_CERT_DIR: 'new' } })
    expect(seen).toEqual([])
    expect(traces.warnings[1]).toContain('there was no credential left that may be sent')
  })

  test('is the proxy: post uses that of main, and has nothing to say', async () => {
    const { traces } = await runPost({ state: oneKey(), settings: { HTTPS_PROXY: 'x', no_proxy: 'y' } })
    expect(traces.warnings).toEqual([])
  })
})

describe('a clock that was set back by an hour since main, which knew that it was an hour ahead', () => {
  const expired = (skew: number | null) =>
    runPost({
      api: { dateHeader: false },
      state: (account) => ({
        keys: [saved(account.addKey({ created: START - HOUR_MS, expiry: START - 5 * MINUTE_MS }))],
        bootedAt: BOOTED + HOUR_MS,
        skew,
      }),
    })

  test('shows by the server’s clock that a key has expired', async () => {
    const { seen, traces } = await expired(-HOUR_MS)
    expect(methods(seen)).toBe('DELETE GET DELETE')
    expect(traces.printed[0]).toMatch(/^No longer valid \(verified\)/)
  })

  test('shows nothing if the server’s clock was not known', async () => {
    const { seen } = await expired(null)
    expect(methods(seen)).toMatch(/^DELETE GET DELETE/)
  })
})
