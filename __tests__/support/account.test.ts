import { describe, expect, test } from '@jest/globals'
import { createRng } from '../simulation/rng.ts'
import { type AccountOptions, createAccount } from './account.ts'
import { CREATE_ANSWERS, CREATE_ERROR } from './create-answers.ts'
import { EMULATOR_MODES, optionsOfModes } from './emulator-modes.ts'
import { GATES } from './gate.ts'
import { READABLE_SPELLINGS } from './instants.ts'
import { NEXT_FORMS } from './list-forms.ts'

const KEYS = '/api/user/api-keys'
const START = Date.parse('2027-03-01T12:00:00Z')
const HOUR = 3_600_000

/** An account at a clock that the test moves, and a client of it. */
function setUp(options: Partial<AccountOptions> = {}) {
  const clock = { now: START }
  const account = createAccount({ now: () => clock.now, random: createRng(1).roll, ...options })
  const ask = (method: string, path: string, credential = account.longLivedKey, body = '') => {
    const answer = account.handle({ method, path, headers: { authorization: `Bearer ${credential}` }, body })
    const isJson = /^[[{]/.test(answer.body)
    return { ...answer, json: isJson ? JSON.parse(answer.body) : null }
  }
  const create = (body: object) => ask('POST', KEYS, undefined, JSON.stringify(body))
  const in1h = { expiry: new Date(START + HOUR + 123).toISOString() }
  /** The rows of the list, but for the long-lived key's own. */
  const listed = (credential?: string) =>
    (ask('GET', KEYS, credential).json as { token_key: string }[]).filter(
      ({ token_key }) => token_key !== account.longLivedKey.slice(0, 15),
    )
  return { clock, account, ask, create, listed, in1h }
}

describe('the emulated account', () => {
  test('makes a key that is accepted and listed, and gives its text once', () => {
    const { ask, create, listed, in1h } = setUp()
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
    expect(listed()).toEqual([json.api_key])
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
    const { clock, ask, create, listed, in1h } = setUp()
    const { token } = create(in1h).json
    clock.now = START + HOUR + 122
    expect(ask('GET', KEYS, token).status).toBe(200)
    clock.now += 1
    expect(ask('GET', KEYS, token).status).toBe(401)
    expect(listed()).toEqual([])
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
    expect(first).toMatchObject({ count: 4, next: `http://internal.example${KEYS}?page=2` })
    expect(first.results).toHaveLength(2)
    expect(ask('GET', `${KEYS}?page=2`).json).toMatchObject({ next: null, results: [{}, {}] })
  })

  test.each([
    ['last link', 'Link', `<${KEYS}?page=2>; rel="last"`],
    ['total header', 'Total', '4'],
    ['per-page header', 'Per-Page', '2'],
    ['next-range header', 'Next-Range', 'id 2..; max=2'],
  ] as const)('may tell of further rows by a header alone: %s', (listForm, header, value) => {
    const { ask, create, in1h } = setUp({ listForm, pageSize: 2, nextForm: 'path' })
    for (let made = 0; made < 3; made++) create(in1h)
    const { json, headers } = ask('GET', KEYS)
    expect(json).toHaveLength(2)
    expect(headers).toMatchObject({ [header]: value })
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

  test('lets a key alone revoke itself where told to', () => {
    const { ask, create, in1h, account } = setUp({ revocationByOthers: 'forbidden', errorShape: 'html' })
    const { token, api_key } = create(in1h).json
    const path = `${KEYS}/${api_key.id}`
    expect(ask('DELETE', path)).toMatchObject({ status: 403, json: { detail: 'You may not revoke keys.' } })
    expect(ask('DELETE', `${KEYS}/none`).status).toBe(403)
    expect(account.live()).toHaveLength(1)
    expect(ask('DELETE', path, token).status).toBe(204)
    expect(account.live()).toHaveLength(0)
  })

  test('ends its long-lived credentials when told to, and no key', () => {
    const { ask, create, in1h, account } = setUp()
    const { token } = create(in1h).json
    account.endApiKey()
    expect(ask('GET', KEYS).status).toBe(401)
    expect(ask('GET', KEYS, account.jwt).status).toBe(401)
    expect(ask('GET', KEYS, '').status).toBe(401)
    expect(ask('GET', KEYS, token).json).toHaveLength(1)
    expect(account.touchedForeign()).toEqual([])
  })

  test('gives the one key of a user to everyone who asks, with the expiry that was asked for', () => {
    const { account, create, in1h } = setUp({ onlyKeyAgeMs: HOUR })
    const first = create(in1h).json
    const second = create({ expiry: '2027-03-01T14:00:00Z' }).json
    expect(first.api_key).toMatchObject({
      created: '2027-03-01T11:00:00Z',
      expiry: '2027-03-01T13:00:00.123Z',
    })
    expect(second).toMatchObject({ token: first.token, api_key: { expiry: '2027-03-01T14:00:00Z' } })
    expect(account.keys()).toEqual([])
    expect(account.foreign()).toMatchObject([{ token: first.token, expiry: START + 2 * HOUR }])
  })

  test.each([
    ['whole', '2027-03-01T13:00:00.123456Z'],
    ['in milliseconds', '2027-03-01T13:00:00.123Z'],
    ['in seconds', '2027-03-01T13:00:00Z'],
  ] as const)('may repeat the requested expiry in its response, %s, and list what it stored', (how, said) => {
    const { create, listed } = setUp({ repeatsExpiry: how, grid: '1 s', rounding: 'ceil' })
    expect(create({ expiry: '2027-03-01T13:00:00.123456Z' }).json.api_key.expiry).toBe(said)
    expect(listed()).toMatchObject([{ expiry: '2027-03-01T13:00:01Z' }])
  })

  test('may list ids in another form, which revokes as well', () => {
    const { account, ask, create, listed, in1h } = setUp({ listsOtherIds: true })
    const { api_key } = create(in1h).json
    expect(listed()).toEqual([{ ...api_key, id: `key_${api_key.id}` }])
    expect(ask('DELETE', `${KEYS}/key_${api_key.id}`).status).toBe(204)
    expect(account.live()).toEqual([])
  })

  test('keeps keys of others apart, and knows when one was revoked', () => {
    const { account, ask, listed } = setUp()
    const { id } = account.addKey({ expiry: null })
    expect(account.keys()).toEqual([])
    expect(listed()).toHaveLength(1)
    ask('DELETE', `${KEYS}/${id}`)
    expect(account.touchedForeign()).toEqual([id])
  })

  test('answers a path with a trailing slash, and others that there are not, with an HTML 404', () => {
    const { ask } = setUp()
    for (const path of [`${KEYS}/`, '/api/user/api-key', '/'])
      expect(ask('GET', path)).toMatchObject({ status: 404, body: '<h1>Not Found</h1>' })
  })
})

describe('the list of the emulated account', () => {
  test('has a row for the long-lived key, which never expires, and none for a JWT', () => {
    const { account, ask } = setUp()
    expect(ask('GET', KEYS, account.jwt).json).toEqual([
      {
        id: expect.any(String),
        token_key: account.longLivedKey.slice(0, 15),
        created: '2026-12-01T12:00:00Z',
        expiry: null,
      },
    ])
  })

  test('ends the long-lived key when it is revoked by its id, and says so', () => {
    const { account, ask } = setUp()
    const [{ id }] = ask('GET', KEYS).json
    expect(ask('DELETE', `${KEYS}/${id}`).status).toBe(204)
    expect(ask('GET', KEYS).status).toBe(401)
    expect(account.touchedForeign()).toEqual([id])
  })

  test.each(NEXT_FORMS)('shows every key once over pages whose next is given as: %s', (nextForm) => {
    const { ask, create, in1h } = setUp({ listForm: 'paginated', pageSize: 1, nextForm })
    create(in1h)
    const first = ask('GET', KEYS).json
    const { pathname, search } = new URL(first.next, `http://server.example${KEYS}`)
    expect(ask('GET', pathname + search).json).toMatchObject({
      next: null,
      results: [{ expiry: expect.any(String) }],
    })
  })

  test.each([
    ['link header', { Link: expect.stringContaining('rel="next"') }, undefined],
    ['has_more', {}, { count: 2, has_more: true }],
    ['count', {}, { count: 2 }],
  ] as const)('leaves rows out of its first page as %s does', (listForm, headers, body) => {
    const { ask, create, in1h } = setUp({ listForm, pageSize: 1 })
    create(in1h)
    const answer = ask('GET', KEYS)
    expect(answer.headers).toMatchObject(headers)
    if (body) expect(answer.json).toMatchObject(body)
    expect(Array.isArray(answer.json) ? answer.json : answer.json.results).toHaveLength(1)
  })

  test('misses a key in a list from a cache that is older, which says its age', () => {
    const { clock, ask, create, listed, in1h } = setUp({ listAge: () => 5_500 })
    create(in1h)
    clock.now += 5_000
    expect(listed()).toEqual([])
    expect(ask('GET', KEYS).headers).toMatchObject({ Age: '5' })
    clock.now += 500
    expect(listed()).toHaveLength(1)
  })

  test('loses a key of page 1 while page 2 is read, once', () => {
    const { account, ask } = setUp({ listForm: 'paginated', pageSize: 2, listMoves: 1 })
    for (let key = 0; key < 3; key++) account.addKey({ expiry: null })
    expect(ask('GET', KEYS).json.count).toBe(4)
    expect(ask('GET', `${KEYS}?page=2`).json.results).toHaveLength(1)
    expect(ask('GET', `${KEYS}?page=2`).json.count).toBe(3)
  })

  test('keeps every digit of an id beyond 2^53, which JSON.parse loses', () => {
    const { account, ask } = setUp({ idForm: 'big' })
    const { id } = account.addKey({ expiry: null })
    expect(Number.isSafeInteger(Number(id))).toBe(false)
    expect(ask('GET', KEYS).body).toContain(`"id":${id},`)
    expect(ask('DELETE', `${KEYS}/${id}`).status).toBe(204)
  })

  test.each([
    ['id', null],
    ['created', 'some day'],
    ['expiry', 'some day'],
  ] as const)('can have one row whose %s cannot be read', (unreadable, text) => {
    const { account, listed } = setUp()
    account.addKey({ expiry: START + HOUR }).unreadable = unreadable
    account.addKey({ expiry: START + HOUR })
    expect(listed()).toEqual([
      expect.objectContaining({ [unreadable]: text }),
      expect.not.objectContaining({ [unreadable]: text }),
    ])
  })

  test('gives rows without an id or without times where told to', () => {
    const { ask } = setUp({ idForm: 'renamed', rowsWithout: 'times' })
    expect(Object.keys(ask('GET', KEYS).json[0])).toEqual(['uuid', 'token_key'])
  })
})

describe('the replicas of the emulated account', () => {
  /** How often of 200 times `ask` has this status. */
  const times = (status: number, ask: () => { status: number }) =>
    Array.from({ length: 200 }, ask).filter((answer) => answer.status === status).length

  test('refuse a fresh key now and then, until they have caught up', () => {
    const { clock, ask, create, in1h } = setUp({ replicas: { freshMs: 2_000 } })
    const { token } = create(in1h).json
    clock.now += 500
    const refused = times(401, () => ask('GET', KEYS, token))
    expect(refused).toBeGreaterThan(50)
    expect(refused).toBeLessThan(150)
    clock.now += 1_500
    expect(times(401, () => ask('GET', KEYS, token))).toBe(0)
  })

  test('accept and list a revoked key now and then, until they have caught up', () => {
    const { clock, ask, create, listed, in1h } = setUp({ replicas: { revokedMs: 2_000, listMs: 2_000 } })
    const { token, api_key } = create(in1h).json
    clock.now += 10_000
    ask('DELETE', `${KEYS}/${api_key.id}`)
    clock.now += 500
    expect(times(200, () => ask('GET', KEYS, token))).toBeGreaterThan(50)
    expect(Array.from({ length: 200 }, () => listed().length).filter(Boolean).length).toBeGreaterThan(50)
    clock.now += 1_501
    expect(times(200, () => ask('GET', KEYS, token))).toBe(0)
    expect(listed()).toEqual([])
  })
})

describe('a replica of the emulated account that does not know a key yet', () => {
  test.each([
    ['granted', 204],
    ['not found', 404],
  ] as const)('revokes it without effect: %s', (revocationOfUnknown, status) => {
    const { roll } = createRng(1)
    const { clock, account, ask, create, in1h } = setUp({
      revocationOfUnknown,
      replicas: { freshMs: 2_000, isSteady: true },
      // No request meets a replica that is not behind.
      random: () => 0.3 + 0.7 * roll(),
    })
    const { token, api_key } = create(in1h).json
    clock.now += 1_999
    expect(ask('GET', KEYS, token).status).toBe(401)
    expect(ask('DELETE', `${KEYS}/${api_key.id}`).status).toBe(status)
    expect(account.live()).toHaveLength(1)
    clock.now += 1
    expect(ask('DELETE', `${KEYS}/${api_key.id}`).status).toBe(204)
    expect(account.live()).toEqual([])
    expect(ask('DELETE', `${KEYS}/${api_key.id}`).status).toBe(status)
  })
})

describe('what answers for the emulated account', () => {
  test.each(GATES)('answers everything instead of it, and nothing is done: %s', (gate) => {
    const { account, create, in1h } = setUp({ gate: () => gate })
    expect(create(in1h).status).not.toBe(201)
    expect(account.keys()).toEqual([])
  })

  test('makes every success unreadable, though it was done', () => {
    const { account } = setUp({ unreadable: () => true })
    const { body } = account.handle({
      method: 'POST',
      path: KEYS,
      headers: { authorization: `Bearer ${account.longLivedKey}` },
      body: '{}',
    })
    expect(() => JSON.parse(body)).toThrow()
    expect(account.keys()).toHaveLength(1)
  })

  test.each(CREATE_ANSWERS)('answers a create request with the key it was told to: %s', (which) => {
    const { account, create, in1h } = setUp({ createAnswer: () => which })
    const { token, error } = create(in1h).json
    const made = account.keys().map((key) => key.token)
    expect(made).toHaveLength({ own: 1, 'own twin': 2, "another job's, own made": 1 }[which as string] ?? 0)
    if (which === 'error') expect(error).toBe(CREATE_ERROR)
    else if (which.startsWith('api-key')) expect(token).toBe(account.longLivedKey)
    else if (which.startsWith('own')) expect(made.at(-1)).toBe(token)
    else expect(account.foreign().map((key) => key.token)).toContain(token)
  })

  test('answers create requests with keys of another client in turn, each as old as the one before', () => {
    const { account, create, in1h } = setUp({
      keysInTurn: { ageMs: HOUR, expiry: 'never', isDated: true },
    })
    const [one, other] = [create(in1h).json, create(in1h).json]
    expect(one.token).not.toBe(other.token)
    expect(Date.parse(other.api_key.created)).toBe(START - HOUR)
    expect(account.keys()).toEqual([])
    expect(account.foreign().map(({ token }) => token)).toEqual([one.token, other.token])
  })

  test('writes Date and created by the clock of the node that was reached', () => {
    const { create, in1h } = setUp({ nodeBehindMs: HOUR })
    const seen = Array.from({ length: 20 }, () => {
      const { headers, json } = create(in1h)
      expect(Math.abs(Date.parse(headers.Date ?? '') - Date.parse(json.api_key.created))).toBeLessThan(1_000)
      return Date.parse(json.api_key.created) - START
    })
    expect(new Set(seen)).toEqual(new Set([0, -HOUR]))
  })

  test('replays the answer before', () => {
    const answers = ['own', 'replayed'] as const
    let asked = 0
    const { create, in1h } = setUp({ createAnswer: () => answers[asked++] ?? 'own' })
    expect(create(in1h).json.token).toBe(create(in1h).json.token)
  })
})

describe('the times of the emulated account', () => {
  const expiry = new Date(START + HOUR).toISOString().replace('000Z', '123456Z')

  test.each<[Partial<AccountOptions>, string]>([
    [{}, '2027-03-01T13:00:00.123456Z'],
    [{ grid: '1 ms' }, '2027-03-01T13:00:00.123Z'],
    [{ grid: '10 ms', rounding: 'round' }, '2027-03-01T13:00:00.120Z'],
    [{ grid: '1/300 s' }, '2027-03-01T13:00:00.123Z'],
    [{ grid: '1 s' }, '2027-03-01T13:00:00Z'],
    [{ grid: '1 min' }, '2027-03-01T13:00:00Z'],
  ])('are stored on the grid of %j', (options, stored) => {
    expect(setUp(options).create({ expiry }).json.api_key.expiry).toBe(stored)
  })

  test.each([
    [0, 'Fractions are not accepted.'],
    [3, 'No more than 3 digits of a second are accepted.'],
  ] as const)('are refused with more than %i digits of a second', (maxDigits, reason) => {
    const { create } = setUp({ maxDigits })
    expect(create({ expiry }).json).toEqual({ expiry: [reason] })
  })

  const SPELLINGS: Record<(typeof READABLE_SPELLINGS)[number], string | number> = {
    Z: '2027-03-01T13:00:00.123456Z',
    offset: '2027-03-01T14:00:00.123456+01:00',
    '+00:00': '2027-03-01T13:00:00.123456+00:00',
    '+0000': '2027-03-01T13:00:00.123456+0000',
    '+00': '2027-03-01 13:00:00.123456+00',
    '+05:30': '2027-03-01T18:30:00.123456+05:30',
    'lower case': '2027-03-01t13:00:00.123456z',
    space: '2027-03-01 13:00:00.123456Z',
    short: '2027-03-01T13:00:00.123456Z',
    comma: '2027-03-01T13:00:00,123456Z',
    UTC: '2027-03-01 13:00:00.123456 UTC',
    basic: '20270301T130000.123456Z',
    'epoch seconds': 1803906000.123456,
    'epoch seconds text': '1803906000.123456',
    'epoch milliseconds': 1803906000123.456,
    'epoch milliseconds text': '1803906000123.456',
  }

  test.each(READABLE_SPELLINGS)('name the same instant when they are spelled: %s', (timeForm) => {
    const { api_key } = setUp({ timeForm }).create({ expiry }).json
    expect(api_key.expiry).toBe(SPELLINGS[timeForm])
  })

  test('leave out seconds that are zero where told to', () => {
    expect(setUp({ timeForm: 'short' }).create({ expiry }).json.api_key.created).toBe('2027-03-01T12:00Z')
  })

  test('can be local, without a zone, beside a Date header that is right', () => {
    const { create } = setUp({ localShiftMs: -5 * HOUR })
    const { json, headers } = create({ expiry })
    expect(json.api_key).toMatchObject({
      created: '2027-03-01T07:00:00',
      expiry: '2027-03-01T08:00:00.123456',
    })
    expect(headers.Date).toBe('Mon, 01 Mar 2027 12:00:00 GMT')
  })

  test('can be local for the expiry alone', () => {
    const { create } = setUp({ localShiftMs: -5 * HOUR, localExpiryOnly: true })
    expect(create({ expiry }).json.api_key).toMatchObject({
      created: '2027-03-01T12:00:00Z',
      expiry: '2027-03-01T08:00:00.123456',
    })
  })

  test('can be wrong for `created` alone', () => {
    const { create } = setUp({ createdErrorMs: -HOUR })
    expect(create({ expiry }).json.api_key).toMatchObject({
      created: '2027-03-01T11:00:00Z',
      expiry: '2027-03-01T13:00:00.123456Z',
    })
  })

  test('can be right beside a Date header that is wrong', () => {
    const { create } = setUp({ dateErrorMs: 2 * HOUR })
    expect(create({ expiry })).toMatchObject({
      json: { api_key: { created: '2027-03-01T12:00:00Z' } },
      headers: { Date: 'Mon, 01 Mar 2027 14:00:00 GMT' },
    })
  })
})

describe('the modes of the emulator', () => {
  test('are combined, and an unknown one is refused with the names of all', () => {
    expect(optionsOfModes(['pages', 'seconds'])).toEqual({ listForm: 'paginated', pageSize: 2, grid: '1 s' })
    expect(() => optionsOfModes(['nonsense'])).toThrow(/no mode nonsense.*replicas.*seconds/)
  })

  test.each(Object.keys(EMULATOR_MODES))('change an answer or what is stored: %s', (name) => {
    const seen = (options: Partial<AccountOptions>) => {
      const { clock, account, ask, create } = setUp(options)
      for (let key = 0; key < 2; key++) account.addKey({ expiry: null })
      const created = create({ expiry: '2027-03-01T13:00:33.123456Z' })
      const { id = '', token = '' } = { ...account.keys()[0] }
      clock.now += 1000
      const answers = [ask('GET', KEYS), ask('GET', KEYS, token), ask('DELETE', `${KEYS}/${id}`, token)]
      return JSON.stringify([created, ...answers, ask('GET', KEYS), account.keys()])
    }
    expect(seen(optionsOfModes([name]))).not.toBe(seen({}))
  })
})
