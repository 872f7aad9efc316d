import { describe, expect, test } from '@jest/globals'
import type { ApiResult, KeyList } from '../../src/api/key-api.ts'
import { doubtAbout, missingCheck, readList } from '../../src/protocol/list-trust.ts'
import type { Revocation } from '../../src/protocol/revoke-and-verify.ts'
import { behind, SECRET } from '../api/behind.ts'
import { failed, listOf, ok, rowOf, scriptApi, status } from '../support/scripted-api.ts'

const UNRELIABLE = 'the list of keys cannot be relied on, because '

describe('a list can show that a key is absent', () => {
  const own = rowOf('own', { prefix: 'long-lived-ke' })
  const other = rowOf('other')
  const NOT_SHOWN = 'it does not show the key that it was read with'

  test.each<[string, KeyList, string[], string | null]>([
    ['if it shows the key that it was read with', listOf([own, other]), [], null],
    ['if it shows that key alone', listOf([own]), ['gone'], null],
    [
      'unless it has a doubt of its own',
      listOf([own], { doubt: 'it comes from a cache' }),
      [],
      'it comes from a cache',
    ],
    ['unless it is empty', listOf([]), [], NOT_SHOWN],
    ['unless it lacks the key that it was read with', listOf([other]), [], NOT_SHOWN],
    ['unless that key has no prefix in it', listOf([{ ...own, prefix: '' }]), [], NOT_SHOWN],
    ['unless that prefix continues otherwise', listOf([{ ...own, prefix: 'long-lived-kex' }]), [], NOT_SHOWN],
    [
      'unless it still shows a key that was revoked',
      listOf([own, other]),
      ['other'],
      'it still shows a key that was revoked',
    ],
  ])('%s', (_, list, gone, doubt) => {
    expect(doubtAbout(list, 'long-lived-key', new Set(gone))).toBe(doubt && `${UNRELIABLE}${doubt}`)
  })
})

test.each([
  ['eyJhbGciOiJI.eyJzdWIi.c2ln', null],
  ['key-eyJhbGciOiJI.eyJzdWIi.c2ln', 'it does not show the key that it was read with'],
  ['eyJhbGciOiJI.eyJzdWIi.c2ln~key', 'it does not show the key that it was read with'],
])('a list without the credential %s, which only a JWT may lack: %j', (credential, doubt) => {
  expect(doubtAbout(listOf([rowOf('other')]), credential, new Set())).toBe(doubt && `${UNRELIABLE}${doubt}`)
})

describe('a list of several pages', () => {
  const own = rowOf('own', { prefix: 'api-key' })

  test('is not taken from its first reading if the second one fails for good', async () => {
    const list = [ok(listOf([own], { pages: 2 })), failed({ status: 502, retryable: true })]
    const { api, budgetOf, run } = scriptApi({ list })
    const reading = readList('api-key', { api, random: () => 0.5, budget: budgetOf(5_000) })
    expect((await run(reading)).value).toMatchObject({ ok: false, failure: { status: 502 } })
  })

  test('goes on with the page that failed, in each of its two readings', async () => {
    const [first, second] = ['?page=2', null].map((next) => ({ body: JSON.stringify({ results: [], next }) }))
    const { api, seen } = behind({ ...first }, { status: 502 }, { ...second }, { ...first }, { ...second })
    const { budgetOf, run } = scriptApi({})
    const reading = readList(SECRET, { api, random: () => 0.5, budget: budgetOf(5_000) })
    expect((await run(reading)).value).toMatchObject({ ok: true, value: { pages: 2 } })
    expect(seen.map(({ url }) => url.search)).toEqual(['', '?page=2', '?page=2', '', '?page=2'])
  })
})

describe('a key is missing', () => {
  const START = 10_000_000
  const own = rowOf('own', { prefix: 'api-key' })
  const without = ok(listOf([own]))

  /** Asks whether the key `id` is missing, `after` ms since its revocation began, with the lists in turn. */
  async function isMissing(
    lists: ApiResult<KeyList>[],
    more: {
      createdAt?: number | null
      skew?: number | null
      granted?: boolean
      after?: number
      credential?: string | null
      gone?: string[]
      token?: string
    } = {},
  ) {
    const { createdAt = null, skew = 0, granted = true, after = 0, credential = 'api-key', gone = [] } = more
    const { api, clock, calls, budgetOf, run } = scriptApi({ list: lists }, START)
    const check = missingCheck({ api, gone: new Set(gone) })
    const key = { token: more.token ?? 'secret', id: 'id', prefix: 'prefix', createdAt, expiresAt: START }
    const revocation: Revocation = {
      ...{ api, clock, random: () => 0.5, skew, credential, budget: budgetOf(5_000) },
      ...{ granted, rejected: true, missing: false, expired: false, idle: 0, claimed: false },
      startedAt: START - after,
    }
    const { value } = await run(check(key, revocation))
    return { value, calls }
  }

  test.each<[string, ApiResult<KeyList>[], boolean]>([
    ['where the list no longer shows it', [without], true],
    ['not where the list shows it', [ok(listOf([own, rowOf('id')]))], false],
    [
      'not where the list shows its prefix and expiry under another form of its id',
      [ok(listOf([own, rowOf('key-id', { prefix: 'prefix', expiresAt: START })]))],
      false,
    ],
    [
      'not where the list shows more of its first characters, as only half of a short key is saved',
      [ok(listOf([own, rowOf('key-id', { prefix: 'prefix-of-it', expiresAt: START })]))],
      false,
    ],
    [
      'where the list shows another key with its prefix',
      [ok(listOf([own, rowOf('other', { prefix: 'prefix', expiresAt: START + 1 })]))],
      true,
    ],
    ['not where the list comes from a cache', [ok(listOf([own], { doubt: 'it comes from a cache' }))], false],
    ['not where the list does not show api-key', [ok(listOf([]))], false],
    ['not where the list may not be read', [status(403)], false],
    [
      'where the list can be read at the second attempt',
      [failed({ status: 503, retryable: true }), without],
      true,
    ],
  ])('%s', async (_, lists, missing) => {
    expect((await isMissing(lists)).value).toBe(missing)
  })

  test('not where a row begins like the key, whatever its id and expiry are, unless that is api-key', async () => {
    const row = rowOf('x', { prefix: 'secret-o', expiresAt: 7 })
    const other = rowOf('y', { prefix: 'another', expiresAt: 7 })
    expect((await isMissing([ok(listOf([own, row, other]))], { token: 'secret-of-a-key' })).value).toBe(false)
    expect((await isMissing([ok(listOf([own, other]))], { token: 'secret-of-a-key' })).value).toBe(true)
    const alike = ok(listOf([{ ...own, prefix: 'a' }]))
    expect((await isMissing([alike], { token: 'a-key' })).value).toBe(true)
  })

  test('not where the list shows another key that was revoked: it is older than that', async () => {
    expect((await isMissing([ok(listOf([own, rowOf('old')]))], { gone: ['old'] })).value).toBe(false)
  })

  test('not where there is nothing to read the list with, and nothing is asked', async () => {
    expect(await isMissing([without], { credential: null })).toEqual({ value: false, calls: [] })
  })

  test.each<[string, Parameters<typeof isMissing>[1], boolean]>([
    ['it was revoked', {}, true],
    ['it is of unknown age', { granted: false }, false],
    ['it was created 14.999 s ago', { granted: false, createdAt: START - 14_999 }, false],
    ['it was created 15 s ago', { granted: false, createdAt: START - 15_000 }, true],
    [
      'it was created 15 s ago by a server that is 10 s behind',
      { granted: false, createdAt: START - 25_000, skew: -10_000 },
      true,
    ],
    [
      'it was created 10 s ago by a server that is 10 s behind',
      { granted: false, createdAt: START - 20_000, skew: -10_000 },
      false,
    ],
    [
      'it was created at a time that the unknown clock of the server says is 15 s ago',
      { granted: false, createdAt: START - 15_000, skew: null },
      false,
    ],
    ['its revocation began 15 s ago', { granted: false, after: 15_000 }, true],
    ['its revocation began 14.999 s ago', { granted: false, after: 14_999 }, false],
  ])('only if replicas had time to know it: %s', async (_, more, missing) => {
    expect((await isMissing([without], more)).value).toBe(missing)
  })
})
