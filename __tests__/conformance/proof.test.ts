import { describe, expect, test } from '@jest/globals'
import type { RunResult } from '../../conformance/run.ts'
import { createRng } from '../simulation/rng.ts'
import type { ApiRequest, ApiResponse } from '../support/account.ts'
import { type EmulatorRun, runOnEmulator, type Through } from './run-on-emulator.ts'

const json = (status: number, body: unknown, headers = {}): ApiResponse => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

/** The API, but create gives no token, every revocation is refused, and `list` makes another answer of the rows. */
function withoutTokens(list: (rows: unknown[], page: string | null) => ApiResponse): Through {
  return (request, api) => {
    if (request.method === 'DELETE') return json(403, { detail: 'No.' })
    const { pathname, searchParams } = new URL(request.path, 'http://server.example')
    const answer = api({ ...request, path: pathname })
    if (answer.status > 299 || pathname !== '/api/user/api-keys') return answer
    const body = JSON.parse(answer.body)
    if (request.method === 'POST') return { ...answer, body: JSON.stringify({ api_key: body.api_key }) }
    const { headers, ...rest } = list(body, searchParams.get('page'))
    return { ...rest, headers: { ...answer.headers, ...headers } }
  }
}

/** The end names every key that is valid, and the exit code says that there are some. */
function expectNamed({ emulator, printed, result }: EmulatorRun): void {
  const valid = emulator.account.live()
  expect(valid.length).toBeGreaterThan(0)
  expect(printed).not.toContain('All keys that were made')
  expect(result?.exitCode).toBe(1)
  for (const { id } of valid) expect(printed).toContain(`id ${id}`)
}

const observed = (result: RunResult | null, beginning: string) => {
  const row = result?.results.find(({ fact }) => fact.fact.startsWith(beginning))
  return [row?.holds, row?.observed]
}

describe('keys that cannot be revoked or tried are named, although the list does not show them:', () => {
  const lists: Record<string, Parameters<typeof withoutTokens>[0]> = {
    'as it ends with has_more': (rows) => json(200, { results: rows.slice(0, 1), has_more: rows.length > 1 }),
    'as its next page has a name that leads nowhere': (rows) =>
      json(200, { results: rows.slice(0, 1), next: rows.length > 1 ? 'b2Zmc2V0' : null }),
    'as it comes from a cache': (rows) => json(200, rows.slice(0, 1), { Age: '30' }),
    'as it is empty': () => json(200, []),
    'although it seems to be complete': (rows) => json(200, rows.slice(0, 1)),
  }
  test.each(Object.entries(lists))('%s', async (_, list) => {
    expectNamed(await runOnEmulator({}, [], { through: withoutTokens(list) }))
  })

  test('a next page that is a bare query is read, as the actions do', async () => {
    const through = withoutTokens((rows, page) =>
      page === '2'
        ? json(200, { results: rows.slice(1), next: null })
        : json(200, { results: rows.slice(0, 1), next: rows.length > 1 ? 'page=2' : null }),
    )
    const run = await runOnEmulator({}, [], { through })
    expectNamed(run)
    expect(observed(run.result, 'The list is complete')[0]).toBe(true)
    expect(observed(run.result, 'The list shows a new key')[0]).toBe(true)
    for (const fact of ['A new key is accepted', 'A key can revoke itself', 'A revoked key gets 401'])
      expect(observed(run.result, fact)).toEqual([null, 'not observed'])
  })
})

test('a list whose next page has an address that cannot be read is incomplete, and every key is revoked', async () => {
  const through: Through = (request, api) => {
    const answer = api(request)
    if (request.method !== 'GET' || answer.status !== 200) return answer
    const rows = JSON.parse(answer.body)
    if (!Array.isArray(rows)) return answer
    const next = rows.length > 2 ? 'http://[internal]/api/user/api-keys?page=2' : null
    return { ...answer, body: JSON.stringify({ results: rows.slice(0, 2), next }) }
  }
  const { emulator, printed, result } = await runOnEmulator({}, [], { through })
  expect(observed(result, 'The list is complete')).toEqual([
    false,
    '1 of 2 readings: 1 page(s), 2 key(s), but its pages repeat',
  ])
  expect(printed).toContain('All keys that were made (4) are revoked (verified).')
  expect(emulator.account.live()).toEqual([])
})

test('keys are named even if something goes wrong with each of them', async () => {
  const atSleep = () => {
    throw new Error('No sleep.')
  }
  expectNamed(await runOnEmulator({ idleRevocation: true }, [], { atSleep }))
})

describe('a create request that was carried out and refused by something else', () => {
  const PAGE = { status: 403, headers: { 'Content-Type': 'text/html' }, body: '<html>Blocked</html>' }
  const BASIC = json(401, { detail: 'No.' }, { 'WWW-Authenticate': 'Basic realm="gate"' })
  test.each([
    ['403 in HTML', PAGE],
    ['401 that asks for Basic', BASIC],
    ['408', json(408, { detail: 'Timeout' })],
    ['404 without a body', { status: 404, headers: {}, body: '' }],
  ])('may have made a key, after %s', async (_, refusal) => {
    let creates = 0
    const through: Through = (request, api) => {
      const answer = api(request)
      if (request.method === 'POST') creates += 1
      return request.method === 'POST' && creates === 4 ? refusal : answer
    }
    const { emulator, printed, result } = await runOnEmulator({ grid: '1 s' }, [], { through })
    const [key, ...more] = emulator.account.live()
    expect(more).toEqual([])
    const second = new Date(key?.expiry ?? 0).toISOString().slice(0, 19)
    expect(printed).toContain(`got no usable answer; look for a key that expires at ${second}.`)
    expect(printed).toContain('3 of the keys that were made are revoked (verified).')
    expect(result?.exitCode).toBe(1)
  })
})

describe('a request for an expiry in the past', () => {
  const PAGE = { status: 400, headers: { 'Content-Type': 'text/html' }, body: '<h1>Bad Request</h1>' }
  const PAST = 5
  const answered =
    (refusal: ApiResponse, atPast: (api: Parameters<Through>[1], request: ApiRequest) => void): Through =>
    (request, api) => {
      if (request.method !== 'POST') return api(request)
      creates += 1
      if (creates !== PAST) return api(request)
      atPast(api, request)
      return refusal
    }
  let creates = 0

  test.each([
    ['400 in HTML', PAGE],
    ['500', json(500, { detail: 'Server error' })],
  ])('that is answered %s made no key if the list shows none', async (_, refusal) => {
    creates = 0
    const { printed, result } = await runOnEmulator({}, [], { through: answered(refusal, () => {}) })
    expect(printed).toContain('All keys that were made (4) are revoked (verified).')
    expect(printed).not.toContain('look for a key')
    expect(observed(result, 'An expiry in the past')[1]).toBe(String(refusal.status))
    expect(result?.exitCode).toBe(0)
  })

  test('that made a key all the same has that key named, as the list shows it', async () => {
    creates = 0
    const through = answered(PAGE, (api, request) => api({ ...request, body: '{}' }))
    const { emulator, printed, result } = await runOnEmulator({}, [], { through })
    const [key, ...more] = emulator.account.live()
    expect(more).toEqual([])
    expect(printed).toContain('it asked for an expiry in the past, and may have made:')
    expect(printed).toMatch(
      new RegExp(`^  ${key?.token_key}\\.\\.\\. created 2027-03-01 12:00:.. UTC, id ${key?.id}$`, 'm'),
    )
    expect(printed).not.toContain('look for a key that expires')
    expect(result?.exitCode).toBe(1)
  })
})

test('a 401 of something else does not prove that a key is revoked', async () => {
  const through: Through = (request, api) => {
    const answer = api(request)
    const isOwn = request.headers.authorization === `Bearer ${key}`
    if (request.method !== 'GET' || isOwn || answer.status !== 200) return answer
    return json(401, { detail: 'No.' }, { 'WWW-Authenticate': 'Basic realm="gate"' })
  }
  const key = '0123456789abcdef'.repeat(4)
  expectNamed(await runOnEmulator({ idleRevocation: true, longLivedKey: key }, [], { through }))
})

test('replicas that lag do not prove that a key is revoked: they reject it and do not list it', async () => {
  let last = ''
  const through: Through = (request, api) => {
    if (request.method === 'DELETE' && request.path.endsWith(`/${last}`)) return json(503, {})
    const answer = api(request)
    if (request.method === 'POST' && answer.status === 201) last = JSON.parse(answer.body).api_key.id
    return answer
  }
  const options = { replicas: { freshMs: 5_000, listMs: 5_000 }, random: createRng(1).roll }
  const run = await runOnEmulator(options, [], { through })
  expect(run.printed).toContain('3 of the keys that were made are revoked (verified).')
  expectNamed(run)
})
