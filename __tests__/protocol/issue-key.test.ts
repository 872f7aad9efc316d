import { describe, expect, test } from '@jest/globals'
import { INPUTS, type MainOptions, type MockResponse, runMain, START, savedBy } from '../support/harness.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const serve: MockResponse = { kind: 'serve' }
const answer = (status: number, body?: unknown): MockResponse => ({ kind: 'answer', status, body })
const methods = (seen: { method: string }[]) => seen.map(({ method }) => method).join(' ')

interface Answered {
  token: string
  api_key: { id: string; token_key: string; created: string | null; expiry: string | null }
}
/** The API acts, but answers something else than it would. */
const answering = (change: (served: Answered) => unknown, headers = {}): MockResponse => ({
  kind: 'answer',
  status: 201,
  headers,
  acted: true,
  body: change,
})
const withField = (change: Partial<Answered['api_key']>) =>
  answering(({ token, api_key }) => ({ token, api_key: { ...api_key, ...change } }))

describe('a good key', () => {
  test('is recorded as an intent, requested, masked, recorded and handed over, in this order', async () => {
    const { error, effects, seen, traces, account } = await runMain({
      inputs: { exportEnv: 'SPHERESCOUT_API_KEY' },
    })
    expect(error).toBeNull()
    expect(effects.filter((effect, index) => effect !== effects[index - 1])).toEqual([
      'saveState',
      'POST',
      'setSecret',
      'saveState',
      'setOutput',
      'exportVariable',
      'info',
      'writeSummary',
    ])
    const [key] = account.live()
    expect(traces.outputs).toEqual({
      key: key?.token,
      'key-id': key?.id,
      'key-prefix': key?.token_key,
      'created-at': new Date(key?.created ?? 0).toISOString(),
      'expires-at': new Date(key?.expiry ?? 0).toISOString(),
      SPHERESCOUT_API_KEY: key?.token,
    })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ path: '/api/user/api-keys', credential: INPUTS.apiKey, timeout: 10_000 })
    expect(traces.unmasked).toEqual([])
  })

  test('is requested in microseconds, and lives for expires-in less a random part of up to 5%', async () => {
    const { seen } = await runMain()
    expect(JSON.parse(seen[0]?.body ?? '').expiry).toBe('2027-03-01T12:58:30.249999Z')
  })

  test('is announced with its lifetime by the server’s clock, whatever ours says', async () => {
    for (const clockError of [0, -50_000, 59_000]) {
      const { traces } = await runMain({ clockError })
      expect(traces.printed[0]).toMatch(
        /^Created the API key \w+\.\.\. \(id \w+\.\.\.\), valid until 2027-03-01 12:5\d:\d\d UTC \(for 5[789] min\)\. The post step revokes it/,
      )
    }
  })

  test('leaves post one record with all that it needs, and with what the answer showed of the server', async () => {
    const run = await runMain()
    const [key] = run.account.live()
    expect(savedBy(run)).toEqual({
      apiUrl: INPUTS.apiUrl,
      apiKey: INPUTS.apiKey,
      settings: { NO_PROXY: 'internal.example' },
      bootedAt: START - 600_000,
      onRevokeFailure: 'warn',
      skew: 0,
      keys: [
        {
          token: key?.token,
          id: key?.id,
          prefix: key?.token_key,
          createdAt: key?.created,
          expiresAt: key?.expiry,
          asked: key?.expiry,
          keep: false,
        },
      ],
      intents: [],
    })
  })

  test('is in the record as an intent before the request, with the exact expiry and the deadline', async () => {
    const { traces } = await runMain({ responses: [{ kind: 'silence' }], signalAt: 50 })
    const { intents } = JSON.parse(traces.state.record ?? '')
    const expiry = Date.parse('2027-03-01T12:58:30.249Z') + 0.999
    expect(intents).toEqual([
      {
        expiry: expect.closeTo(expiry, 3),
        sentAt: START,
        deadline: START + 10_000,
        refused: '',
      },
    ])
  })

  test('that came after 3 s or more leaves its intent for post, as a gateway may have repeated the request', async () => {
    const slow = await runMain({ responses: [{ kind: 'serve', takes: 3_000 }] })
    expect(savedBy(slow)).toMatchObject({
      keys: [{}],
      intents: [{ stored: expect.any(Number), sentAt: START }],
    })
    const quick = await runMain({ responses: [{ kind: 'serve', takes: 2_999 }] })
    expect(savedBy(quick).intents).toEqual([])
  })

  test('is marked as kept, last of all, where revoke is false', async () => {
    const run = await runMain({ inputs: { revoke: false } })
    expect(savedBy(run).keys).toEqual([expect.objectContaining({ keep: true })])
    expect(run.effects.at(-1)).toBe('saveState')
    expect(run.traces.printed.join()).toContain('It stays valid until it expires (`revoke: false`).')
  })

  test.each([
    [true, 'Valid; the post step revokes it'],
    [false, 'Valid until it expires (`revoke: false`)'],
  ])('is in the summary with what will happen to it (revoke: %s)', async (revoke, status) => {
    const { traces, account } = await runMain({ inputs: { revoke } })
    const [key] = account.keys()
    const summary = traces.printed.at(-1) ?? ''
    expect(summary).toMatch(/^### SphereScout key for this job\n\n/)
    expect(summary.split('\n').find((line) => line.includes(key?.token_key ?? '?'))).toContain(
      `| ${status} |`,
    )
    expect(summary).not.toContain(key?.token)
  })

  test('is in the environment only where that was asked for', async () => {
    const names = Object.keys((await runMain()).traces.outputs)
    expect(names).toEqual(['key', 'key-id', 'key-prefix', 'created-at', 'expires-at'])
  })

  test('has no creation time where the API gives none', async () => {
    const { error, traces } = await runMain({ responses: [withField({ created: null })] })
    expect(error).toBeNull()
    expect(traces.outputs['created-at']).toBe('')
  })

  test('is accepted with its times in any spelling', async () => {
    const spelt = (text: string | null) => (text ?? '').replace('T', ' ').replace('Z', '+00')
    const { error, traces } = await runMain({
      responses: [
        answering(({ token, api_key }) => ({
          token,
          api_key: { ...api_key, created: spelt(api_key.created), expiry: spelt(api_key.expiry) },
        })),
      ],
    })
    expect(error).toBeNull()
    expect(traces.outputs['expires-at']).toBe('2027-03-01T12:58:30.249Z')
  })
})

describe('an error after the key was created', () => {
  test.each<[string, MainOptions]>([
    ['the first output', { failing: 'setOutput' }],
    ['the last output', { failing: 'setOutput', failingFrom: 5 }],
    ['the variable', { failing: 'exportVariable', inputs: { exportEnv: 'KEY' } }],
    ['saving the id', { failing: 'saveState', failingFrom: 2 }],
    ['saving that it is kept', { failing: 'saveState', failingFrom: 3, inputs: { revoke: false } }],
  ])('has the key revoked and verified, and is reported: %s', async (_, options) => {
    const { error, seen, account, traces } = await runMain(options)
    expect(error?.message).toContain('ENOSPC')
    expect(methods(seen)).toBe('POST DELETE GET')
    expect(account.keys()).toHaveLength(1)
    expect(account.live()).toEqual([])
    expect(traces.printed.join()).toMatch(/Revoked the key .* \(verified\)\./)
  })

  test('comes before any request if the intent cannot be saved', async () => {
    const { error, seen } = await runMain({ failing: 'saveState' })
    expect(error?.message).toContain('ENOSPC')
    expect(seen).toEqual([])
  })

  test('leaves a key that cannot be revoked to post, whatever revoke says, with a warning', async () => {
    const run = await runMain({
      failing: 'setOutput',
      inputs: { revoke: false },
      intercept: ({ method }) => (method === 'DELETE' ? answer(403, { detail: 'No.' }) : undefined),
    })
    expect(savedBy(run).keys).toEqual([expect.objectContaining({ keep: false })])
    expect(run.traces.warnings).toEqual([
      expect.stringMatching(
        /^Could not confirm that the key .* was revoked: api\.example answered 403 .*No; the API still accepts it\. The post step will try again\.$/,
      ),
    ])
  })

  /** By a wrong clock, a second key replaces the first, which is held for as long as it cannot be revoked. */
  const twoKeys: MainOptions = { clockError: 600_000 }

  test('is the one that is reported, and both held keys are revoked, where the record cannot be saved any more', async () => {
    const run = await runMain({
      ...twoKeys,
      ...{ signalAt: 1_500, failing: 'saveState', failingFrom: 6 },
      intercept: ({ method, path }, { keys }) => {
        const [first, second] = keys()
        if (method === 'DELETE' && second === undefined) return answer(403)
        if (method === 'POST' && first !== undefined) return { kind: 'serve', takes: 2_000 }
        return { kind: 'serve', takes: path.endsWith(first?.id ?? '?') ? 1_000 : 100 }
      },
    })
    expect(run.account.keys()).toHaveLength(2)
    expect(run.account.live()).toEqual([])
    expect(run.error?.message).toMatch(/^The job was cancelled /)
  })

  test('while that is marked as kept leaves it to post, even where another key is revoked meanwhile', async () => {
    const run = await runMain({
      ...twoKeys,
      inputs: { revoke: false },
      ...{ failing: 'saveState', failingFrom: 6, failingTimes: 1 },
      intercept: ({ method, path }, { keys }) =>
        method === 'DELETE' && path.endsWith(keys().at(-1)?.id ?? '') ? answer(403) : undefined,
    })
    const [, second] = run.account.keys()
    expect(run.error?.message).toContain('ENOSPC')
    expect(run.account.live()).toEqual([second])
    expect(savedBy(run).keys).toEqual([expect.objectContaining({ id: second?.id, keep: false })])
  })

  test('leaves no revoked key in the record', async () => {
    expect(savedBy(await runMain({ failing: 'setOutput' })).keys).toEqual([])
  })

  test.each([400, 2_000])(
    'is not said to have been cleaned up by a 401 to a key that is not accepted for its first %i ms',
    async (lag) => {
      const run = await runMain({
        failing: 'setOutput',
        intercept: ({ credential, at }, account) => {
          const [key] = account.keys()
          return credential === key?.token && at < lag ? answer(401, { detail: 'Invalid token.' }) : undefined
        },
      })
      expect(run.account.live()).toEqual([])
      expect(run.seen.filter(({ method }) => method === 'DELETE').at(-1)?.credential).toBe(INPUTS.apiKey)
    },
  )
})

describe('an answer with a key that this request did not make', () => {
  const OTHER = 'another-runs-key'
  const api_key = {
    id: 'other',
    token_key: 'another-runs',
    created: '2027-03-01T11:40:00Z',
    expiry: '2027-03-01T12:40:00.5Z',
  }
  const own = { id: 'own', token_key: INPUTS.apiKey.slice(0, 10), created: '2027-01-30T00:00:00Z' }

  test.each<[string, object, string, string]>([
    [
      'api-key itself, without an expiry',
      { token: INPUTS.apiKey, api_key: { ...own, expiry: null } },
      'it returned a key that existed before',
      '',
    ],
    [
      'api-key itself, with an expiry in 40 min',
      { token: INPUTS.apiKey, api_key: { ...own, expiry: api_key.expiry } },
      'it returned a key that existed before',
      '',
    ],
    [
      'another run’s key of 20 min ago',
      { token: OTHER, api_key },
      'it returned a key that was created 2027-03-01T11:40:00Z',
      'another-... (id other)',
    ],
    [
      'another run’s fresh key',
      { token: OTHER, api_key: { ...api_key, created: '2027-03-01T12:00:00Z' } },
      'it returned a key that expires',
      'another-... (id other)',
    ],
  ])(
    'neither hands it on nor revokes it, and keeps the intent for post: %s',
    async (_, body, reason, refused) => {
      const run = await runMain({ responses: [answer(200, body), answer(200, body)] })
      expect(run.error?.message).toContain(
        `No key was obtained: api.example answered the create request, but ${reason}`,
      )
      expect(run.error?.message).toMatch(/: [\w-]+\.\.\. \(id (own|other)\)\.$/)
      expect(methods(run.seen)).toBe('POST POST')
      expect(run.traces.outputs).toEqual({})
      expect(savedBy(run)).toMatchObject({
        keys: [],
        // What is known to be another key is not described to the person who looks for the missing one.
        intents: [{ sentAt: START, refused }, {}],
      })
    },
  )

  test('is named even where that cannot be saved', async () => {
    const body = { token: OTHER, api_key: { ...api_key, created: '2027-03-01T12:00:00Z' } }
    const run = await runMain({ responses: [answer(200, body)], failing: 'saveState', failingFrom: 2 })
    expect(run.error?.message).toMatch(/it returned a key that expires .*\(id other\)\. Error: ENOSPC/)
  })

  test('is still masked', async () => {
    const { traces } = await runMain({ responses: [answer(200, { token: OTHER, api_key })] })
    expect(traces.masks).toContain(OTHER)
  })

  test('is requested again once, and a good key is then handed over', async () => {
    const run = await runMain({ responses: [answer(200, { token: OTHER, api_key })] })
    expect(run.error).toBeNull()
    expect(run.traces.outputs.key).toBe(run.account.live()[0]?.token)
    expect(savedBy(run).intents).toHaveLength(1)
  })
})

test('a key that this run has revoked already is known by its id where the answer holds no value', async () => {
  let first: Answered | undefined
  const noting = answering(
    (served) => {
      first = served
      return served
    },
    { date: new Date(START).toUTCString() },
  )
  const replayed: MockResponse = { kind: 'answer', status: 201, body: () => ({ api_key: first?.api_key }) }
  const run = await runMain({ clockError: 200_000, responses: [noting, serve, serve, replayed] })
  expect(run.error).toBeNull()
  expect(methods(run.seen)).toBe('POST DELETE GET POST POST')
})

describe('an answer that cannot be used', () => {
  test('without a key has that revoked by its id with api-key, and left to post to verify', async () => {
    const run = await runMain({ responses: [answering(({ api_key }) => ({ api_key }))] })
    expect(run.error?.message).toBe("The API's response cannot be used: the response holds no key.")
    expect(run.seen[1]).toMatchObject({ method: 'DELETE', credential: INPUTS.apiKey })
    expect(run.account.live()).toEqual([])
    expect(savedBy(run).keys).toEqual([expect.objectContaining({ token: null, keep: false })])
  })

  test('without an id leaves the intent to post, and is not asked for a third time', async () => {
    const nameless = answering(({ token, api_key: { expiry, created } }) => ({
      token,
      api_key: { expiry, created },
    }))
    const run = await runMain({ responses: [nameless, nameless] })
    expect(run.error?.message).toMatch(
      /^No key was obtained: .* but the response holds no usable id: \.\.\. \(id unknown\)\.$/,
    )
    expect(methods(run.seen)).toBe('POST POST')
    expect(savedBy(run)).toMatchObject({ keys: [], intents: [{}, {}] })
  })

  test('with an id beyond 2^53 keeps every digit of it', async () => {
    const huge: MockResponse = answering(({ token, api_key }) =>
      JSON.stringify({ token, api_key: { ...api_key, id: 'ID' } }).replace('"ID"', '1152921504606846977'),
    )
    const run = await runMain({ responses: [huge] })
    expect(run.error).toBeNull()
    expect(run.traces.outputs['key-id']).toBe('1152921504606846977')
  })

  test('with a key that cannot be sent masks it line by line, and revokes it with api-key', async () => {
    const token = 'one-line-and\nanother-line'
    const run = await runMain({
      responses: [answering(({ api_key }) => ({ token, api_key: { ...api_key, token_key: 'one-line' } }))],
    })
    expect(run.error?.message).toContain('the key is not one of 8 to 4096 visible ASCII characters')
    expect(run.traces.masks).toEqual(expect.arrayContaining(['one-line-and', 'another-line']))
    expect(run.seen[1]?.credential).toBe(INPUTS.apiKey)
    expect(run.account.live()).toEqual([])
  })

  test('without a value of the key has it revoked once, and the proof left to post', async () => {
    const run = await runMain({ responses: [answering(({ api_key }) => ({ api_key }))] })
    expect(run.error?.message).toContain('the response holds no key')
    expect(methods(run.seen)).toBe('POST DELETE')
    expect(run.took).toBeLessThan(1_000)
    expect(savedBy(run).keys).toMatchObject([{ token: null }])
    expect(run.account.live()).toEqual([])
  })

  test('with a key of 140 kB does not put it into the record', async () => {
    const token = 'x'.repeat(140_000)
    const run = await runMain({
      responses: [answering(({ api_key }) => ({ token, api_key: { ...api_key, token_key: 'xxxxxxxx' } }))],
    })
    expect(run.error?.message).toContain('8 to 4096')
    expect(run.traces.state.record?.length).toBeLessThan(30 * 1024)
    expect(run.account.live()).toEqual([])
  })

  test('from a server that ignores the expiry has the key revoked', async () => {
    const { error, account, seen } = await runMain({ api: { ignoreExpiry: true } })
    expect(error?.message).toBe(
      "The API's response cannot be used: the key never expires, although an expiry was requested.",
    )
    expect(methods(seen)).toBe('POST DELETE GET')
    expect(account.live()).toEqual([])
  })

  test('whose expiry cannot be read says what it was, and is not called one without an expiry', async () => {
    const { error, account } = await runMain({ responses: [withField({ expiry: 'next week' })] })
    expect(error?.message).toBe('The API\'s response cannot be used: its expiry "next week" cannot be read.')
    expect(account.live()).toEqual([])
  })

  test('in local time is named as such, and its key is revoked', async () => {
    const west = (text: string | null) =>
      new Date(Date.parse(text ?? '') - 5 * HOUR_MS).toISOString().replace('Z', '')
    const local = answering(({ token, api_key }) => ({
      token,
      api_key: { ...api_key, created: west(api_key.created), expiry: west(api_key.expiry) },
    }))
    const { error, account } = await runMain({ responses: [local] })
    expect(error?.message).toContain(
      'its times are off by -5 h: the API writes local times without an offset',
    )
    expect(account.live()).toEqual([])
  })

  test.each<[string, MockResponse]>([
    ['that is cut short', { kind: 'answer', status: 201, acted: true, body: '{"tok' }],
    ['that is gzip', { kind: 'answer', status: 201, acted: true, body: '\u001f\ufffd\b\u0000' }],
    ['that is HTML', { kind: 'answer', status: 200, body: '<html>Maintenance</html>' }],
    ['that is another thing', { kind: 'answer', status: 200, body: '[]' }],
  ])('is not asked for a third time: %s', async (_, response) => {
    const { error, seen, took } = await runMain({ responses: [response, response, response] })
    expect(methods(seen)).toBe('POST POST')
    expect(took).toBeLessThan(2_000)
    expect(error?.message).toMatch(/^No key was obtained: api\.example answered 20\d to POST/)
  })

  test('shows the API’s own reason in a 2xx', async () => {
    const full = answer(200, { success: false, error: 'API key limit reached for your plan (5 of 5).' })
    const { error } = await runMain({ responses: [full, full] })
    expect(error?.message).toContain('API key limit reached for your plan (5 of 5)')
  })
})

describe('an unanswered request', () => {
  test.each<[string, MockResponse]>([
    ['cut', { kind: 'cut', acted: true }],
    ['timed out', { kind: 'silence', acted: true }],
    ['500', { kind: 'answer', status: 500, acted: true, body: 'oops' }],
    ['503', { kind: 'answer', status: 503, acted: true, body: 'oops' }],
    ['408', { kind: 'answer', status: 408, acted: true, body: '' }],
    ['a proxy’s 502', { kind: 'answer', status: 502, body: '<html>Bad Gateway</html>' }],
  ])('stays in the record for post, and is repeated with another expiry: %s', async (_, response) => {
    let rolls = 0
    const run = await runMain({
      responses: [response],
      random: () => [0.5, 0.25, 0.75, 0.125][rolls++ % 4] ?? 0,
    })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST POST')
    expect(run.seen[0]?.body).not.toBe(run.seen[1]?.body)
    expect(savedBy(run)).toMatchObject({
      keys: [{ keep: false }],
      intents: [{ sentAt: START, refused: '' }],
    })
    expect(run.traces.printed.join('\n')).toMatch(/Retrying in \d\.\d s\./)
  })

  test.each([302, 303])(
    '%i, which may mean "done, look there", is final and stays in the record',
    async (status) => {
      const run = await runMain({ responses: [{ kind: 'answer', status, acted: true, body: '' }] })
      expect(run.error?.message).toMatch(/^No key was obtained: .*redirects are never followed/)
      expect(savedBy(run).intents).toHaveLength(1)
    },
  )

  test('whose failure holds the key does not print it', async () => {
    const run = await runMain({ responses: [{ kind: 'answer', status: 500, acted: true, body: {} }] })
    expect(run.traces.printed.join()).toContain('answered 500')
    expect(run.traces.printed.join()).not.toContain(run.account.keys()[0]?.token)
  })

  test.each<[string, MockResponse]>([
    ['a refused connection', { kind: 'refused' }],
    ['429', answer(429)],
  ])('is none where nothing can have been made: %s', async (_, response) => {
    const run = await runMain({ responses: [response] })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST POST')
    expect(savedBy(run).intents).toEqual([])
  })

  test('may be behind a refusal that took 3 s: a gateway may have sent the request before', async () => {
    const slow: MockResponse = { kind: 'answer', status: 403, body: {}, takes: 3_000 }
    expect(savedBy(await runMain({ responses: [slow] })).intents).toHaveLength(1)
    expect(savedBy(await runMain({ responses: [{ ...slow, takes: 2_999 }] })).intents).toEqual([])
  })

  test('is none where the request was never sent, however long it took to find out', async () => {
    const run = await runMain({ responses: [{ kind: 'refused', takes: 9_000 }] })
    expect(run.error).toBeNull()
    expect(savedBy(run).intents).toEqual([])
  })

  test('adds no more entries to the record than it may have, however long the timeout', async () => {
    const run = await runMain({
      inputs: { timeout: 30 * MINUTE_MS },
      random: () => 0,
      responses: Array(5_000).fill(answer(502)),
    })
    expect(run.traces.state.record?.length).toBeLessThan(30 * 1024)
    expect(run.error?.message).toMatch(/20 KiB|502/)
  })
})

describe('a refusal', () => {
  test.each<[string, MockResponse, RegExp]>([
    [
      '401',
      answer(401, { detail: 'User inactive or deleted.' }),
      /^The API rejected api-key: api\.example answered 401 to POST \/base\/api\/user\/api-keys: User inactive or deleted\. The key may be wrong, revoked or expired/,
    ],
    [
      '403',
      answer(403, { detail: 'Limit reached.' }),
      /^No key was obtained: api\.example answered 403 .*: Limit reached\.$/,
    ],
    ['404', answer(404, { detail: 'Not found.' }), /^No key was obtained: .*Not found/],
  ])('is final at once, and leaves nothing in the record: %s', async (_, response, says) => {
    const run = await runMain({ responses: [response] })
    expect(run.error?.message).toMatch(says)
    expect(run.seen).toHaveLength(1)
    expect(savedBy(run)).toMatchObject({ keys: [], intents: [] })
  })

  test('that is a redirect is final at once; post looks, as it may mean that a key was made', async () => {
    const run = await runMain({ responses: [answer(301, '')] })
    expect(run.error?.message).toMatch(/^No key was obtained: .*redirect/)
    expect(run.seen).toHaveLength(1)
    expect(savedBy(run)).toMatchObject({ keys: [], intents: [{}] })
  })

  test.each<[string, MockResponse, RegExp]>([
    [
      '401 of a gate',
      {
        kind: 'answer',
        status: 401,
        body: '<html>',
        headers: { 'www-authenticate': 'Basic realm="maintenance"' },
      },
      /^No key was obtained: .*Something in front of the API answered/,
    ],
    [
      '403 of a firewall',
      { kind: 'answer', status: 403, body: '<html>', headers: { 'cf-mitigated': 'challenge' } },
      /with an HTML page, not the JSON of this API\. Something in front/,
    ],
    ['403 with HTML', answer(403, '<html>'), /^No key was obtained: .*HTML page/],
    ['404 with HTML', answer(404, '<html>'), /^No key was obtained: .*HTML page.*Check api-url/],
  ])(
    'of something in front of the API leaves the request to post, as it may hide a response of the API: %s',
    async (_, response, says) => {
      const run = await runMain({ responses: [response] })
      expect(run.error?.message).toMatch(says)
      expect(run.seen).toHaveLength(1)
      expect(savedBy(run)).toMatchObject({ keys: [], intents: [{ refused: '' }] })
    },
  )

  test('that is followed at once by another request is not said to be retried in 0.0 s', async () => {
    const { traces } = await runMain({ api: { fractions: 'refuse' } })
    expect(traces.printed.join()).not.toContain('Retrying')
  })

  test('of the digits is followed by fewer of them: milliseconds, then whole seconds', async () => {
    const run = await runMain({ api: { fractions: 'refuse' } })
    expect(run.error).toBeNull()
    expect(run.seen.map(({ body }) => JSON.parse(body).expiry)).toEqual([
      '2027-03-01T12:58:30.249999Z',
      expect.stringMatching(/^2027-03-01T12:58:30\.\d{3}Z$/),
      '2027-03-01T12:58:30Z',
    ])
  })

  test('of the expiry is reported with the API’s reason, after all precisions were tried', async () => {
    const bad = answer(400, { expiry: ['Too far away.'] })
    const { error, seen, took } = await runMain({ responses: Array(4).fill(bad) })
    expect(error?.message).toBe(
      'No key was obtained: api.example answered 400 to POST /base/api/user/api-keys: expiry: Too far away.',
    )
    expect(seen).toHaveLength(3)
    expect(took).toBe(300)
  })
})

describe('the timeout', () => {
  const limited = (retryAfter: string): MockResponse => ({
    kind: 'answer',
    status: 429,
    headers: { 'retry-after': retryAfter },
  })

  test('that the next retry would exceed ends the step, with the cause and what to do', async () => {
    const run = await runMain({ inputs: { timeout: 20_000 }, responses: [limited('60')] })
    expect(run.error?.message).toBe(
      'No key was obtained: api.example answered 429 to POST /base/api/user/api-keys: too many requests. ' +
        'Stopped after attempt 1: the next retry (in 60.0 s) would exceed timeout (20.0 s). ' +
        'Run the job again later, or raise timeout (30 minutes at most).',
    )
    expect(run.took).toBe(100)
  })

  test('has a wait that leaves half a second for the response of the next attempt, but no less', async () => {
    for (const [timeout, requests] of [
      [60_600, 2],
      [60_599, 1],
    ]) {
      const responses = [limited('60')]
      const { seen } = await runMain({ inputs: { timeout: Number(timeout) }, responses, random: () => 0 })
      expect(seen).toHaveLength(Number(requests))
    }
  })

  test('is kept at a rate limit of 30 s, with room for another one', async () => {
    const { seen, error } = await runMain({
      inputs: { timeout: 100_000 },
      responses: [limited('30')],
      random: () => 0.999,
    })
    expect(error).toBeNull()
    expect(seen[1]?.at).toBeGreaterThan(60_000)
    expect(seen[1]?.at).toBeLessThan(70_000)
  })

  test('bounds every attempt', async () => {
    const { seen } = await runMain({ inputs: { timeout: 3_000 } })
    expect(seen[0]?.timeout).toBe(3_000)
  })

  test('is never exceeded by more than the clean-up, and the error names the last failure', async () => {
    const run = await runMain({
      inputs: { timeout: 30_000 },
      responses: Array(100).fill(answer(503, { detail: 'Down.' })),
    })
    expect(run.took).toBeLessThanOrEqual(30_000)
    expect(run.error?.message).toContain('answered 503 to POST /base/api/user/api-keys: Down')
  })

  test('bounds the revocation of a key of a wrong clock as well, so that only the clean-up comes after it', async () => {
    const run = await runMain({
      clockError: 600_000,
      inputs: { timeout: 10_000 },
      intercept: ({ method }) => (method === 'POST' ? undefined : { kind: 'silence' }),
    })
    expect(run.error?.message).toContain('could not be replaced')
    expect(run.took).toBeLessThanOrEqual(30_010)
  })

  test('leaves no attempt with less than half a second, even after a 400', async () => {
    const run = await runMain({
      inputs: { timeout: 1_000 },
      api: { fractions: 'refuse' },
      responses: [{ kind: 'serve', takes: 880 }],
    })
    expect(run.seen).toHaveLength(1)
  })

  test('a Retry-After date counts by the API’s clock', async () => {
    const date = (ms: number) => new Date(START + ms).toUTCString()
    const headers = { date: date(0), 'retry-after': date(5_000) }
    const { seen, error } = await runMain({
      clockError: -600_000,
      responses: [{ kind: 'answer', status: 429, headers }],
      random: () => 0,
    })
    expect(error).toBeNull()
    expect(seen[1]?.at).toBeLessThan(6_000)
  })
})

describe('a wrong clock', () => {
  const lifetimes = ({ account }: Awaited<ReturnType<typeof runMain>>) =>
    account.live().map(({ created, expiry }) => (expiry ?? Infinity) - created)

  test.each([
    [200, 'ahead of', '3.3'],
    [-65, 'behind', '1.1'],
    [600, 'ahead of', '10.0'],
  ])(
    'by %i s has the key revoked, and replaced by one with the right lifetime',
    async (error, direction, minutes) => {
      const run = await runMain({ clockError: error * 1_000 })
      expect(run.error).toBeNull()
      expect(methods(run.seen)).toBe('POST DELETE GET POST')
      const [lifetime, ...others] = lifetimes(run)
      expect(others).toEqual([])
      expect(Math.abs((lifetime ?? 0) - 0.975 * HOUR_MS)).toBeLessThan(2_000)
      expect(run.traces.printed.join()).toContain(
        `This runner's clock is ${minutes} min ${direction} the API's`,
      )
    },
  )

  test('that makes a key expire on its way is corrected, even if the API forgets expired keys', async () => {
    const run = await runMain({
      clockError: -58_300,
      inputs: { expiresIn: MINUTE_MS, timeout: 10_000 },
      intercept: ({ method, credential }) =>
        method === 'DELETE' && credential === INPUTS.apiKey ? answer(404, {}) : undefined,
    })
    expect(run.error).toBeNull()
    // A 401 to a fresh key proves nothing: post revokes both.
    expect(savedBy(run).keys).toHaveLength(2)
  })

  test.each([-55_000, 58_000, 58_500])(
    'by %i ms gives a key of 1 min that lives at most 65 s and is still valid when it arrives',
    async (clockError) => {
      const run = await runMain({ clockError, inputs: { expiresIn: MINUTE_MS } })
      expect(run.error).toBeNull()
      expect(lifetimes(run)).toHaveLength(1)
      for (const lifetime of lifetimes(run)) {
        expect(lifetime).toBeLessThanOrEqual(65_000)
        expect(lifetime).toBeGreaterThan(25_000)
      }
    },
  )

  test('that makes a key of 1 min expire on arrival is corrected after the 400 that says so', async () => {
    const { error } = await runMain({ clockError: -58_500, inputs: { expiresIn: MINUTE_MS } })
    expect(error).toBeNull()
  })

  test('of a gateway does not matter if created is right: Date two hours ahead', async () => {
    const run = await runMain({
      responses: [
        {
          kind: 'answer',
          status: 201,
          acted: true,
          body: {},
          headers: { date: new Date(START + 2 * HOUR_MS).toUTCString() },
        },
      ],
    })
    expect(run.error).toBeNull()
    expect(run.seen).toHaveLength(1)
    expect(lifetimes(run)[0]).toBeLessThanOrEqual(HOUR_MS)
    expect(run.traces.printed.join()).not.toContain('clock')
  })

  test('of a gateway does not make a key that outlives expires-in: a 503 or 400 dated 30 days ahead', async () => {
    for (const status of [503, 400]) {
      const headers = { date: new Date(START + 30 * 24 * HOUR_MS).toUTCString() }
      const run = await runMain({
        inputs: { expiresIn: 10 * MINUTE_MS },
        api: { dateHeader: false },
        responses: [{ kind: 'answer', status, headers }],
      })
      expect(run.error).toBeNull()
      expect(lifetimes(run).every((lifetime) => lifetime <= 10 * MINUTE_MS + 5_000)).toBe(true)
    }
  })

  test('of a gateway does not hurry the next attempt: a 503 dated two hours ahead is waited for', async () => {
    const headers = { date: new Date(START + 2 * HOUR_MS).toUTCString(), 'retry-after': '7' }
    const run = await runMain({ responses: [{ kind: 'answer', status: 503, headers }] })
    expect(run.error).toBeNull()
    expect(run.seen[1]?.at).toBeGreaterThanOrEqual(7_000)
    expect(run.traces.printed.join()).not.toContain('clock')
  })

  test('that makes the expiry one in the past is corrected at once', async () => {
    const run = await runMain({ clockError: -2 * HOUR_MS })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST POST')
    expect(run.seen[1]?.at).toBe(100)
  })

  test('and fractions that are refused are both corrected', async () => {
    const run = await runMain({ clockError: -2 * HOUR_MS, api: { fractions: 'refuse' } })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST POST POST POST')
  })

  test('is not assumed where the API shortens lifetimes: its key is handed over with a warning', async () => {
    const capped = answering(({ token, api_key }) => ({
      token,
      api_key: {
        ...api_key,
        expiry: new Date(Date.parse(api_key.created ?? '') + 10 * MINUTE_MS).toISOString(),
      },
    }))
    const run = await runMain({ responses: [capped], inputs: { expiresIn: 5 * 24 * HOUR_MS } })
    expect(run.error).toBeNull()
    expect(run.traces.warnings).toEqual([
      "The API shortened the key's lifetime to 10 min; expires-in is 7200 min.",
    ])
  })

  test('leaves a key that cannot be revoked to post, beside its replacement', async () => {
    const no = answer(403)
    const run = await runMain({ clockError: 600_000, responses: [serve, no, no, serve, no, no] })
    expect(run.error).toBeNull()
    expect(run.traces.warnings[0]).toMatch(/answered 403 .*\. The post step will try again\./)
    expect(savedBy(run).keys).toHaveLength(2)
  })

  test.each([
    [
      'could not be revoked',
      [403, 403, 200, 403, 403, 200].map((code) => (code === 200 ? serve : answer(code))),
    ],
    ['was revoked', [serve, serve]],
  ])(
    'and an answer with the key that %s: that is neither handed over nor replaced again',
    async (_, revocation) => {
      let first = ''
      const replayed = answering((made) => {
        const { token, api_key } = JSON.parse(first)
        return { token, api_key: { ...made.api_key, id: api_key.id, token_key: api_key.token_key } }
      })
      const date = { date: new Date(START).toUTCString() }
      const run = await runMain({
        clockError: 600_000,
        responses: [
          answering((made) => {
            first = JSON.stringify(made)
            return made
          }, date),
          ...revocation,
          replayed,
          replayed,
        ],
      })
      expect(run.error?.message).toContain('it returned a key that existed before')
      expect(run.traces.outputs).toEqual({})
      // Post must not call it another run's key.
      expect(savedBy(run).intents).toMatchObject([{ refused: '' }, { refused: '' }])
    },
  )

  test('that nothing but created shows, ahead of it, gets no key, and is named as what may be wrong', async () => {
    const behind = answering(({ token, api_key }) => {
      const created = new Date(Date.parse(api_key.created ?? '') - 600_000).toISOString()
      return { token, api_key: { ...api_key, created } }
    })
    const run = await runMain({ responses: [behind, behind] })
    expect(run.error?.message).toMatch(/a key that was created .*Z, or this runner's clock is wrong: /)
    expect(methods(run.seen)).toBe('POST POST')
    const refused = expect.stringContaining('...')
    expect(savedBy(run).intents).toMatchObject([{ refused }, { refused }])
  })

  test('and two keys to revoke: neither waits for the other', async () => {
    const run = await runMain({
      clockError: 600_000,
      failing: 'setOutput',
      intercept: ({ method, path }, account) =>
        method === 'DELETE' && path.endsWith(account.keys()[0]?.id ?? '') ? answer(204) : undefined,
    })
    expect(run.account.keys()).toHaveLength(2)
    expect(run.account.live()).toEqual([run.account.keys()[0]])
    expect(savedBy(run).keys.map(({ id }) => id)).toEqual([run.account.keys()[0]?.id])
  })

  test('with no time left for another key says so, and leaves none valid', async () => {
    for (const takes of [700, 985]) {
      const run = await runMain({
        clockError: 600_000,
        inputs: { timeout: 1_000 },
        responses: [{ kind: 'serve', takes }],
      })
      expect(run.error?.message).toMatch(
        /^No key was obtained: the key got a wrong expiry and could not be replaced\. This runner's clock is 10\.0 min ahead/,
      )
      expect(run.account.live()).toEqual([])
    }
  })
})

describe('a cancelled job', () => {
  const CANCELLED = 'The job was cancelled before a key could be handed over'
  const silence: MockResponse = { kind: 'silence', acted: true }

  test('gets no second request after the first was refused', async () => {
    const { error, seen } = await runMain({ signalAt: 50, responses: [{ kind: 'refused' }] })
    const cause = 'api.example: refused by the harness'
    expect(error?.message).toBe(`${CANCELLED}; the last attempt failed: ${cause}.`)
    expect(seen).toHaveLength(1)
  })

  test('waits for the pending response, and has its key revoked', async () => {
    const run = await runMain({ signalAt: 50, responses: [{ kind: 'serve', takes: 4_900 }] })
    expect(run.error?.message).toBe(`${CANCELLED}.`)
    expect(methods(run.seen)).toBe('POST DELETE GET')
    expect(run.account.live()).toEqual([])
    expect(run.traces.outputs).toEqual({})
    expect(run.took).toBe(5_100)
  })

  test('waits no longer than 5 s for it, and leaves the intent to post', async () => {
    const run = await runMain({ signalAt: 50, responses: [silence, silence, silence] })
    const cause = 'api.example: timeout by the harness'
    expect(run.error?.message).toBe(`${CANCELLED}; the last attempt failed: ${cause}.`)
    expect(run.took).toBe(5_050)
    expect(savedBy(run).intents).toHaveLength(1)
  })

  test('ends by 6.5 s even if the key cannot be revoked', async () => {
    const run = await runMain({
      signalAt: 50,
      responses: [{ kind: 'serve', takes: 4_900 }, silence, silence],
    })
    expect(run.took).toBeLessThanOrEqual(6_600)
    expect(savedBy(run).keys).toHaveLength(1)
  })

  test('does not wait for a retry', async () => {
    const run = await runMain({
      signalAt: 200,
      responses: [{ kind: 'answer', status: 429, headers: { 'retry-after': '60' } }],
    })
    const cause = 'api.example answered 429 to POST /base/api/user/api-keys: too many requests'
    expect(run.error?.message).toBe(`${CANCELLED}; the last attempt failed: ${cause}.`)
    expect(run.took).toBe(200)
    expect(run.seen).toHaveLength(1)
  })
})
