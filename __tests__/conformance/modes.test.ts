import { describe, expect, test } from '@jest/globals'
import { checkConformance, type RunResult } from '../../conformance/run.ts'
import type { ApiRequest, ApiResponse } from '../support/account.ts'
import { type Emulator, type EmulatorOptions, type Fault, startEmulator } from '../support/emulator.ts'
import { runOnEmulator, type Surroundings, type Through } from './run-on-emulator.ts'

interface Run extends RunResult {
  emulator: Emulator
  printed: string
}

/** A run that begins. */
async function run(
  options: EmulatorOptions = {},
  faults: Fault[] = [],
  surroundings: Surroundings = {},
): Promise<Run> {
  const { result, emulator, printed } = await runOnEmulator(options, faults, surroundings)
  if (result === null) throw new Error(printed)
  return { ...result, emulator, printed }
}

/** What the table says of the fact that begins so: whether it holds, and what was observed. */
function row({ results }: RunResult, beginning: string): [holds: boolean | null, observed: string] {
  const found = results.filter(({ fact }) => fact.fact.startsWith(beginning))
  if (found.length !== 1) throw new Error(`${found.length} facts begin with ${beginning}`)
  return [found[0]?.holds ?? null, found[0]?.observed ?? '']
}

const KEY = '0123456789abcdef'.repeat(4)

const differing = ({ results }: RunResult) =>
  results.filter(({ holds }) => holds === false).map(({ fact }) => fact.fact)

describe('against the emulator as it is', () => {
  test('every fact holds that can be observed, and every key is revoked', async () => {
    const result = await run()
    expect(differing(result)).toEqual([])
    expect(result.results.filter(({ holds }) => holds === null).map(({ fact }) => fact.fact)).toEqual([
      'A rate limit is answered with 429 and Retry-After in seconds.',
      'Without `expiry`, a key never expires.',
      'A limit on keys is answered with 403.',
    ])
    expect(result.exitCode).toBe(0)
    expect(result.printed).toContain('All keys that were made (4) are revoked (verified).')
    expect(result.emulator.account.live()).toEqual([])
  })

  test('every key that is made expires within ten minutes', async () => {
    const { emulator } = await run()
    for (const { created, expiry } of emulator.account.keys()) {
      expect(expiry).not.toBeNull()
      expect((expiry ?? 0) - created).toBeLessThanOrEqual(600_000)
    }
  })

  test('neither key nor token is printed', async () => {
    const { emulator, printed } = await run()
    for (const { token } of emulator.account.keys()) expect(printed).not.toContain(token)
    expect(printed).not.toContain(emulator.account.longLivedKey)
  })

  test('the table fits into 132 columns', async () => {
    const { printed } = await run()
    expect(Math.max(...printed.split('\n').map((line) => line.length))).toBeLessThanOrEqual(132)
  })
})

describe('the table says what each mode does:', () => {
  const cases: [EmulatorOptions, string, boolean | null, RegExp][] = [
    [{ createStatus: 200 }, 'Create answers', true, /^200$/],
    [{ idForm: 'integer' }, 'Create answers', true, /^201$/],
    [{ listForm: 'paginated', pageSize: 1 }, 'The list is complete', true, /^1 page\(s\), 1 key\(s\)$/],
    [{ fractions: 'microseconds' }, 'Expiries keep', true, /^kept to 1 us$/],
    [{ grid: '1 us' }, 'Expiries keep', true, /^kept to 1 us$/],
    [{ grid: '1 ms', rounding: 'round' }, 'Expiries keep', true, /^kept to 1 ms$/],
    [{ grid: '10 ms' }, 'Expiries keep', false, /^kept to 10 ms$/],
    [{ grid: '1/300 s' }, 'Expiries keep', false, /^kept to 1\/300 s$/],
    [{ grid: '1 s', rounding: 'round' }, 'Expiries keep', false, /^kept to 1 s$/],
    [{ grid: '1 min' }, 'Expiries keep', false, /^kept to 1 min$/],
    [{ maxDigits: 3 }, 'Expiries keep', true, /^kept to 1 ms; more than 3 digits are refused with 400$/],
    [{ maxDigits: 3, grid: '1/300 s' }, 'Expiries keep', false, /^kept to 1\/300 s; more than 3 digits/],
    [{ timeForm: 'epoch milliseconds' }, 'A key expires', true, /early|exactly/],
    [{ listForm: 'paginated', pageSize: 1, nextForm: 'own path' }, 'The list is complete', true, /^1 page/],
    [{ dateErrorMs: 7_200_000 }, "The server's clock", false, /^7200\.\d s ahead$/],
    [{ idForm: 'big' }, 'Create answers', true, /^201$/],
    [{ createAnswer: () => 'own twin' }, 'Create answers', true, /^201$/],
    [{ listAge: () => 5_000 }, 'The list does not come', false, /^shown by age, x-cache$/],
    [{ fractions: 'drop' }, 'Expiries keep', false, /^kept to 1 s$/],
    [{ fractions: 'refuse' }, 'Expiries keep', false, /^fractions are refused with 400$/],
    [{ timeForm: 'offset' }, 'The list gives the expiry', true, /^the same instant$/],
    [{ errorShape: 'html' }, 'A wrong key', true, /^401, JSON$/],
    [{ errorShape: 'empty' }, 'A wrong key', true, /^401, empty$/],
    [{ errorShape: 'codes' }, 'A wrong key', true, /^401, JSON$/],
    [{ errorShape: 'error' }, 'A wrong key', true, /^401, JSON$/],
    [{ ignoreExpiry: true }, 'A key expires', false, /^the key never expires$/],
    [{ selfRevocation: 'forbidden' }, 'A key can revoke itself', false, /^403$/],
    [{ selfRevocation: 'unauthorized' }, 'A key can revoke itself', false, /^401$/],
    [
      { throttle: { requests: 5, windowMs: 10_000 } },
      'A rate limit',
      true,
      /^429, Retry-After \d+; headers: retry/,
    ],
    [{ dateHeader: false }, 'Each response has a Date', false, /^no Date header$/],
  ]
  test.each(cases)('%j', async (mode, fact, holds, observed) => {
    const result = await run(mode)
    expect(row(result, fact)).toEqual([holds, expect.stringMatching(observed)])
    expect(result.emulator.account.live()).toEqual([])
    expect(result.printed).toMatch(/^All keys that were made \(\d\) are revoked \(verified\)\.$/m)
  })

  const headed =
    (add: (request: ApiRequest, answer: ApiResponse) => Record<string, string>): Through =>
    (request, api) => {
      const answer = api(request)
      return { ...answer, headers: { ...answer.headers, ...add(request, answer) } }
    }

  test.each([
    ['Basic realm="gate"', false],
    ['Token', false],
    ['Token realm="Bearer"', false],
    ['Bearer', true],
    ['Basic, Bearer realm="api"', true],
  ])('a wrong key that gets a 401 with WWW-Authenticate: %s', async (scheme, holds) => {
    const through = headed((request, { status }): Record<string, string> => {
      const isWrong = request.headers.authorization?.includes('not-a-key-of-any-account')
      return status === 401 && isWrong ? { 'WWW-Authenticate': scheme } : {}
    })
    const result = await run({}, [], { through })
    expect(row(result, 'A wrong key')).toEqual([holds, `401, JSON, ${scheme}`])
  })

  test.each<[string, string, boolean]>([
    ['CF-Cache-Status', 'HIT', false],
    ['CF-Cache-Status', 'DYNAMIC', true],
    ['X-Cache-Hits', '0, 1', false],
    ['Warning', '110 - "Response is Stale"', false],
    ['Age', '0', true],
    ['Cache-Control', 'max-age=0, stale-if-error=60', true],
  ])('a list with %s: %s', async (name, value, holds) => {
    const through = headed(({ method }) => (method === 'GET' ? { [name]: value } : {}))
    const result = await run({}, [], { through })
    const observed = holds ? 'no sign of one' : `shown by ${name.toLowerCase()}`
    expect(row(result, 'The list does not come')).toEqual([holds, observed])
    expect(row(result, 'The list is complete')[0]).toBe(true)
  })

  test('a cache of other answers than lists is no cache of the list', async () => {
    const through = headed(
      ({ path }): Record<string, string> => (path === '/api/user/api-keys' ? {} : { Age: '30' }),
    )
    const result = await run({}, [], { through })
    expect(row(result, 'The list does not come')[0]).toBe(true)
    expect(row(result, 'No other response comes')).toEqual([false, 'shown by age'])
  })

  test('a list that is read with a JWT, which is in no list', async () => {
    const result = await run({}, [], { apiKey: ({ jwt }) => jwt })
    expect(row(result, 'The list shows the key that it is read with')).toEqual([null, 'not observed'])
    expect(result.printed).toContain('All keys that were made (4) are revoked (verified).')
  })

  test('a limit on keys that is reached', async () => {
    const result = await run({ keyLimit: 0 })
    expect(row(result, 'A limit on keys')).toEqual([true, '403 to create'])
    expect(result.printed).toMatch(/^No key was made\.$/m)
  })

  test.each(['error', 'api-key'] as const)('no new key, as create answers with %s', async (which) => {
    const result = await run({ createAnswer: () => which })
    for (const fact of ['A key expires when', 'Expiries keep', 'Each response has a Date', '`token_key` is'])
      expect(row(result, fact)).toEqual([null, 'not observed'])
    expect(result.printed).toMatch(/^No key is known to have been made\.$/m)
    expect(result.printed).not.toContain('0 of the keys')
  })

  test('a list that cannot be read after the first key was made', async () => {
    const failed = { status: 500, headers: { 'Content-Type': 'application/json' }, body: '{}' }
    let created = false
    const through: Through = (request, api) => {
      created ||= request.method === 'POST'
      const isList = request.method === 'GET' && request.path === '/api/user/api-keys'
      const answer = api(request)
      return created && isList && answer.status === 200 ? failed : answer
    }
    const result = await run({}, [], { through })
    expect(row(result, 'The path of the endpoint')).toEqual([true, 'with a slash: 404'])
    for (const fact of ['The list shows a new key', 'A new key is accepted'])
      expect(row(result, fact)).toEqual([null, 'not observed'])
    expect(row(result, 'The list is complete')).toEqual([
      false,
      '10 of 11 readings: a page of it cannot be read (500)',
    ])
  })

  test('one of ten readings of the list that is incomplete', async () => {
    let readings = 0
    const through: Through = (request, api) => {
      const answer = api(request)
      const isList = request.method === 'GET' && request.path === '/api/user/api-keys'
      const isOwn = request.headers.authorization === `Bearer ${KEY}`
      if (!isList || !isOwn || answer.status !== 200) return answer
      readings += 1
      const [first] = JSON.parse(answer.body)
      // The first is at the start, and the second asks for compression.
      return { ...answer, body: JSON.stringify(readings === 5 ? { results: [first], more: true } : [first]) }
    }
    const result = await run({ longLivedKey: KEY }, [], { through })
    expect(row(result, 'The list is complete')).toEqual([
      false,
      '1 of 11 readings: 1 page(s), 1 key(s), but it may have pages that cannot be found',
    ])
  })

  test('an expiry that is an object', async () => {
    const body = { api_key: { expiry: { toString: 1 } } }
    const result = await run({}, [{ on: 'create', kind: 'replace', body, times: 9 }])
    expect(row(result, 'A key expires when')).toEqual([false, 'unreadable: an object'])
    expect(result.printed).toContain(
      'Not everything was observed: the response to create describes no new key.',
    )
  })

  test('a firewall that answers 403 to create is no limit on keys', async () => {
    const page = { status: 403, headers: { 'Content-Type': 'text/html' }, body: '<html>Blocked</html>' }
    const through: Through = (request, api) => (request.method === 'POST' ? page : api(request))
    expect(row(await run({}, [], { through }), 'A limit on keys')).toEqual([null, 'not tested'])
  })

  test.each(['has_more', 'count', 'link header'] as const)(
    'a list in the form %s is incomplete',
    async (listForm) => {
      const emulated = { listForm, pageSize: 1 }
      const result = await run(emulated, [])
      expect(row(result, 'The list shows a new key')).toEqual([false, 'not in ten readings'])
      expect(row(result, 'The list is complete')[0]).toBe(false)
      expect(result.emulator.account.live()).toEqual([])
    },
  )

  test('times that cannot be read: the key is named, and not revoked, as it may be of others', async () => {
    const result = await run({ timeForm: 'RFC 1123' })
    expect(row(result, 'A key expires')).toEqual([false, expect.stringMatching(/^unreadable: /)])
    expect(result.printed).toContain('Not revoked, because they may be keys of others:')
    for (const { id } of result.emulator.account.live()) expect(result.printed).toContain(`id ${id}`)
    expect(result.exitCode).toBe(1)
  })

  const older =
    /: the response to create describes a key that was created at 20\d\d-.+ UTC, before this run, unless /m
  test.each([
    ['replayed', older],
    ['old key', older],
    ['api-key', older],
    ['api-key with expiry', older],
    ["another job's, none made", /: the response to create describes no new key\.$/m],
  ] as const)(
    'create answers with %s: no key of others is revoked, and none is made after the first',
    async (which, fault) => {
      const result = await run({ createAnswer: () => which })
      expect(result.emulator.account.touchedForeign()).toEqual([])
      expect(result.printed).toMatch(fault)
      expect(result.emulator.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
      expect(result.exitCode).toBe(1)
    },
  )

  test('revocations that are granted and not done are told apart, and the keys that are left are named', async () => {
    const result = await run({ idleRevocation: true })
    expect(row(result, 'A revoked key gets 401')).toEqual([false, '401 to 0 of 10 probes'])
    expect(result.exitCode).toBe(1)
    expect(result.printed).toContain('0 of the keys that were made are revoked (verified).')
    for (const { id } of result.emulator.account.live()) expect(result.printed).toContain(`id ${id}`)
  })

  test('a clock that is an hour off', async () => {
    const result = await run({ now: () => Date.parse('2027-03-01T13:00:00.250Z') })
    expect(row(result, "The server's clock")).toEqual([false, expect.stringMatching(/^3600\.\d s ahead$/)])
    expect(row(result, 'A key expires')[0]).toBe(true)
  })
})

describe('a run that cannot go on', () => {
  test('ends before it creates anything if api-key is refused', async () => {
    const refused = run({}, [{ kind: 'status', status: 401, times: 9 }])
    await expect(refused).rejects.toThrow(
      / answered 401 .* Check SPHERESCOUT_API_KEY and --api-url\. Nothing was created\.$/m,
    )
  })

  test('says that an API which is down may be up later', async () => {
    const refused = run({}, [{ kind: 'status', status: 503, times: 9 }])
    await expect(refused).rejects.toThrow(/ answered 503 .*\. Run it again later\. Nothing was created\.$/)
  })

  test('says that a new key is not accepted if all of twenty probes get 401', async () => {
    const isNew = ({ headers: { authorization = '' } }: ApiRequest) => authorization !== `Bearer ${KEY}`
    const body = JSON.stringify({ detail: 'Invalid token.' })
    const rejected = { status: 401, headers: { 'Content-Type': 'application/json' }, body }
    const through: Through = (request, api) => (isNew(request) ? rejected : api(request))
    const result = await run({ longLivedKey: KEY }, [], { through })
    expect(row(result, 'A new key is accepted')).toEqual([false, 'not in twenty probes'])
  })

  test.each([
    ['page', 'answered 200 to GET /api/user/api-keys with an HTML page, not the JSON of this API'],
    ['basic', 'answered 401 to GET /api/user/api-keys'],
  ] as const)('does not blame the key for the answer of a gate (%s)', async (gate, reason) => {
    const refused = run({ gate: () => gate })
    await expect(refused).rejects.toThrow(reason)
    await expect(refused).rejects.toThrow(/\. Check --api-url\. Nothing was created\.$/)
    await expect(refused).rejects.not.toThrow('SPHERESCOUT_API_KEY')
  })

  test('makes no second key where the first never expires, and exits with 1', async () => {
    const result = await run({ ignoreExpiry: true })
    expect(result.emulator.account.keys()).toHaveLength(1)
    expect(result.printed).toContain('Not everything was observed: the API created a key that never expires')
    expect(result.exitCode).toBe(1)
  })

  test('finds and revokes a key whose create response was lost', async () => {
    const result = await run({}, [{ on: 'create', kind: 'cut-after' }])
    expect(result.emulator.account.keys()).toHaveLength(1)
    expect(result.emulator.account.live()).toEqual([])
    expect(result.printed).toContain('All keys that were made (1) are revoked (verified).')
  })

  test('finds and revokes a key whose creation time is missing', async () => {
    const result = await run({}, [{ on: 'create', kind: 'replace', body: { api_key: { created: null } } }])
    expect(result.emulator.account.keys()).toHaveLength(1)
    expect(result.printed).toContain('All keys that were made (1) are revoked (verified).')
  })

  test('says which key to look for when it cannot identify a lost one', async () => {
    const result = await run({ fractions: 'drop' }, [{ on: 'create', kind: 'cut-after' }])
    expect(result.printed).toMatch(
      /^A create request at 2027-03-01 12:00:\d\d UTC got no usable answer; look for a key that expires at 2027-/m,
    )
    expect(result.exitCode).toBe(1)
  })

  test.each(['listed', 'not listed'])(
    'never revokes an older key that create answers with, %s at the start',
    async (where) => {
      const clock = { now: Date.now() }
      const emulator = await startEmulator({ now: () => clock.now })
      const other = emulator.account.addKey({ expiry: null })
      const described = {
        id: other.id,
        token_key: other.token_key,
        created: '2020-01-01T00:00:00Z',
        expiry: '2099-01-01T00:00:00Z',
      }
      emulator.fault({
        on: 'create',
        kind: 'replace',
        body: { token: other.token, api_key: described },
        times: 9,
        acted: false,
      })
      if (where === 'not listed') emulator.fault({ on: 'list', kind: 'replace', body: [] })
      const result = await checkConformance({
        apiUrl: emulator.url,
        apiKey: emulator.account.longLivedKey,
        fetch: globalThis.fetch,
        now: () => clock.now,
        sleep: async (ms) => {
          clock.now += ms
        },
        stop: new AbortController().signal,
        print: () => {},
      }).finally(() => emulator.close())
      expect(emulator.account.touchedForeign()).toEqual([])
      expect(emulator.requests.some(({ method }) => method === 'DELETE')).toBe(false)
      expect(result.exitCode).toBe(1)
    },
  )
})
