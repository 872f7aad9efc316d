import { describe, expect, test } from '@jest/globals'
import { createRng } from '../simulation/rng.ts'
import { type AccountOptions, createAccount } from './account.ts'

const KEYS = '/api/user/api-keys'
const START = Date.parse('2027-03-01T12:00:00Z')
const HOUR = 3_600_000

/** An account at a clock that the test moves, and a client of it. */
function setUp(options: Partial<AccountOptions> = {}) {
  const clock = { now: START }
  const account = createAccount({ now: () => clock.now, random: createRng(1).roll, ...options })
  const ask = (method: string, path: string, credential = account.longLivedKey, body = '') => {
    const answer = account.handle({ method, path, headers: { authorization: `Bearer ${credential}` }, body })
    return { ...answer, json: answer.body.startsWith('<') || !answer.body ? null : JSON.parse(answer.body) }
  }
  const create = (body: object) => ask('POST', KEYS, undefined, JSON.stringify(body))
  const in1h = { expiry: new Date(START + HOUR + 123).toISOString() }
  return { clock, account, ask, create, in1h }
}

describe('the emulated account', () => {
  test('makes a key that is accepted and listed, and gives its text once', () => {
    const { ask, create, in1h } = setUp()
    const { status, json } = create(in1h)
    expect(status).toBe(201)
    expect(json.token).toMatch(/^[0-9a-f]{64}$/)
    expect(json.api_key).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{128}$/),
      token_key: json.token.slice(0, 15),
      created: '2027-03-01T12:00:00Z',
      expiry: '2027-03-01T13:00:00.123Z',
    })
    expect(ask('GET', '/api/companies', json.token).status).toBe(200)
    expect(ask('GET', KEYS).json).toEqual([json.api_key])
  })

  test('makes a key that never expires where no expiry is asked for, or none is read', () => {
    expect(setUp().create({}).json.api_key.expiry).toBeNull()
    expect(setUp().create({ expires: '2027-03-01T13:00:00Z' }).json.api_key.expiry).toBeNull()
    const { create, in1h } = setUp({ ignoreExpiry: true })
    expect(create(in1h).json.api_key.expiry).toBeNull()
  })

  test.each([
    ['an expiry in the past', { expiry: '2027-03-01T11:59:59Z' }, 'Expiry must be in the future.'],
    ['something that is no time', { expiry: 'soon' }, 'Datetime has wrong format.'],
  ])('refuses %s', (_, body, reason) => {
    const { status, json } = setUp().create(body)
    expect({ status, json }).toEqual({ status: 400, json: { expiry: [reason] } })
  })

  test('refuses a key after its expiry, and lists it no longer', () => {
    const { clock, ask, create, in1h } = setUp()
    const { token } = create(in1h).json
    clock.now = START + HOUR + 122
    expect(ask('GET', KEYS, token).status).toBe(200)
    clock.now += 1
    expect(ask('GET', KEYS, token).status).toBe(401)
    expect(ask('GET', KEYS).json).toEqual([])
  })

  test('revokes by id, at once and for good', () => {
    const { ask, create, in1h, account } = setUp()
    const { token, api_key } = create(in1h).json
    const path = `${KEYS}/${api_key.id}`
    expect(ask('DELETE', path, token)).toMatchObject({ status: 204, body: '' })
    expect(ask('GET', '/api/companies', token).status).toBe(401)
    expect(ask('DELETE', path, token).status).toBe(401)
    expect(ask('DELETE', path).status).toBe(404)
    expect(account.live()).toEqual([])
  })

  test('takes a JWT access token like a key, and nothing else', () => {
    const { ask, account } = setUp()
    expect(ask('GET', KEYS, account.jwt).status).toBe(200)
    expect(ask('GET', KEYS, 'another').status).toBe(401)
    expect(account.handle({ method: 'GET', path: KEYS, headers: {}, body: '' }).status).toBe(401)
  })

  test('holds a key to its limit', () => {
    const { create, in1h } = setUp({ keyLimit: 1 })
    expect(create(in1h).status).toBe(201)
    expect(create(in1h)).toMatchObject({
      status: 403,
      json: { detail: 'Maximum amount of tokens allowed per user exceeded.' },
    })
  })

  test('throttles in a sliding window over all credentials; what it refuses does not count', () => {
    const { clock, ask, create, in1h } = setUp({ throttle: { requests: 2, windowMs: 60_000 } })
    const { token } = create(in1h).json
    clock.now += 20_000
    expect(ask('GET', KEYS, token).status).toBe(200)
    for (let refusal = 0; refusal < 5; refusal++)
      expect(ask('GET', KEYS)).toMatchObject({ status: 429, headers: { 'Retry-After': '40' } })
    expect(ask('GET', KEYS, 'wrong').status).toBe(401)
    clock.now += 40_000
    expect(ask('GET', KEYS).status).toBe(200)
    expect(ask('GET', KEYS)).toMatchObject({ status: 429, headers: { 'Retry-After': '20' } })
  })

  test('lists in pages whose next address names a host of its own', () => {
    const { ask, create, in1h } = setUp({ listForm: 'paginated', pageSize: 2 })
    for (let made = 0; made < 3; made++) create(in1h)
    const first = ask('GET', KEYS).json
    expect(first).toMatchObject({ count: 3, next: `http://internal.example${KEYS}?page=2` })
    expect(first.results).toHaveLength(2)
    expect(ask('GET', `${KEYS}?page=2`).json).toMatchObject({ next: null, results: [{}] })
  })

  test.each<[Partial<AccountOptions>, string]>([
    [{ fractions: 'keep' }, '2027-03-01T13:00:00.123Z'],
    [{ fractions: 'microseconds' }, '2027-03-01T13:00:00.123000Z'],
    [{ fractions: 'drop' }, '2027-03-01T13:00:00Z'],
    [{ timeForm: 'offset' }, '2027-03-01T14:00:00.123+01:00'],
  ])('writes times as %j asks', (options, expiry) => {
    const { create, in1h } = setUp(options)
    expect(create(in1h).json.api_key.expiry).toBe(expiry)
  })

  test.each(['forbidden', 'unauthorized'] as const)('may have its keys not revoke themselves: %s', (how) => {
    const { ask, create, in1h, account } = setUp({ selfRevocation: how })
    const { token, api_key } = create(in1h).json
    expect(ask('DELETE', `${KEYS}/${api_key.id}`, token).status).toBe(how === 'forbidden' ? 403 : 401)
    expect(account.live()).toHaveLength(1)
    expect(ask('DELETE', `${KEYS}/${api_key.id}`).status).toBe(204)
  })

  test('keeps keys of others apart, and knows when one was revoked', () => {
    const { account, ask } = setUp()
    const { id } = account.addKey({ expiry: null })
    expect(account.keys()).toEqual([])
    expect(ask('GET', KEYS).json).toHaveLength(1)
    ask('DELETE', `${KEYS}/${id}`)
    expect(account.touchedForeign()).toEqual([id])
  })

  test('answers a path with a trailing slash, and others that there are not, with an HTML 404', () => {
    const { ask } = setUp()
    for (const path of [`${KEYS}/`, '/api/user/api-key', '/'])
      expect(ask('GET', path)).toMatchObject({ status: 404, body: '<h1>Not Found</h1>' })
  })
})
