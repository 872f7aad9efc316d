import { describe, expect, test } from '@jest/globals'
import { readPage } from '../../src/api/key-api.ts'
import { type CreatedKey, readAccepted, readCreated, readRevoked } from '../../src/api/parse-response.ts'

const response = (body: string) => ({ status: 200, headers: {}, body })
const created = (answer: unknown): CreatedKey => readCreated(response(JSON.stringify(answer)))
const AT = Date.parse('2027-01-01T00:00:00.123Z')
const KEY = {
  id: '1',
  token_key: 'to',
  created: '2027-01-01T00:00:00.123Z',
  expiry: '2027-01-01T01:00:00.123456Z',
}

describe('a created key', () => {
  test('is read with its times to the microsecond', () => {
    const { expiresAt, ...rest } = created({ token: 'token', api_key: KEY })
    expect(rest).toEqual({ token: 'token', id: '1', prefix: 'to', createdAt: AT, unreadable: null })
    expect(expiresAt).toBeCloseTo(AT + 3_600_000 + 0.456, 3)
  })

  test('shows at most half of itself as its prefix, and 8 characters where it is not known', () => {
    const token = 'abcdefghijklmnopqrs='
    expect(created({ token, api_key: { ...KEY, token_key: token } }).prefix).toBe('abcdefghij')
    expect(created({ token: null, api_key: { ...KEY, token_key: token } }).prefix).toBe('abcdefgh')
  })

  test.each<[string, unknown, string | null]>([
    ['a number', 7, '7'],
    ['a text', 'abc', 'abc'],
    ['a text of 256 characters', 'a'.repeat(256), 'a'.repeat(256)],
    ['a text of 257 characters', 'a'.repeat(257), null],
    ['the largest exact number', Number.MAX_SAFE_INTEGER, '9007199254740991'],
    ['an empty text', '', null],
    ['a dot', '.', null],
    ['two dots', '..', null],
    ['half a surrogate pair', '\ud800', null],
    ['null', null, null],
    ['an object', {}, null],
    ['a fraction', 1.5, null],
    ['a boolean', true, null],
  ])('has an id if that is %s', (_, id, read) => {
    expect(created({ token: 'tok', api_key: { ...KEY, id } }).id).toBe(read)
  })

  test.each([
    '9007199254740993',
    '1152921504606846977',
    '18446744073709551615',
    '123456789012345678901234567890',
  ])('keeps all digits of the id %s', (id) => {
    const text = JSON.stringify({ token: 'tok', api_key: { ...KEY, id: 'ID' } }).replace('"ID"', id)
    expect(readCreated(response(text)).id).toBe(id)
  })

  test.each(['abcd****', 'abcd...', 'abcd\u2026'])(
    'whose prefix is masked as %j shows what is left of it',
    (prefix) => {
      expect(created({ token: 'abcdefgh', api_key: { ...KEY, token_key: prefix } }).prefix).toBe('abcd')
    },
  )

  test('whose prefix is the whole key shows 20 characters of it', () => {
    const token = '0123456789abcdef'.repeat(4)
    expect(created({ token, api_key: { ...KEY, token_key: token } }).prefix).toBe('0123456789abcdef0123')
  })

  test.each<[string, Record<string, unknown>, string | null]>([
    ['never expires if its expiry is null', { expiry: null }, null],
    ['has an unreadable expiry if that is a text', { expiry: 'next week' }, 'expiry "next week"'],
    ['has an unreadable expiry if there is none', { expiry: undefined }, 'expiry (missing)'],
    ['has an unreadable created if that is a text', { created: 'today', expiry: null }, 'created "today"'],
  ])('%s, and the two are told apart', (_, change, unreadable) => {
    expect(created({ token: 'tok', api_key: { ...KEY, ...change } })).toMatchObject({
      expiresAt: null,
      unreadable,
    })
  })

  test('is one without a value, or without a description', () => {
    expect(created({ api_key: KEY })).toMatchObject({ token: null, id: '1' })
    expect(created({ token: 'tok' })).toMatchObject({ token: 'tok', id: null, expiresAt: null })
  })

  test.each([
    '',
    '{',
    '[]',
    '{}',
    '7',
    'null',
    '"text"',
    '{"token":"","api_key":{}}',
    '{"token":7}',
    '<html>',
    '{"detail":"no"}',
  ])('is not in %j', (body) => {
    expect(() => readCreated(response(body))).toThrow()
  })
})

describe('a page of the list', () => {
  test('keeps all digits of large ids', () => {
    const body = '[{"id":1152921504606846977,"token_key":"t","created":null,"expiry":null}]'
    expect(readPage(response(body)).keys.map(({ id }) => id)).toEqual(['1152921504606846977'])
  })

  test('keeps the rows that can be read beside those that cannot', () => {
    const { keys, doubt } = readPage(response(JSON.stringify([KEY, { ...KEY, id: null }, null])))
    expect(keys.map(({ id }) => id)).toEqual(['1'])
    expect(doubt).toBe('2 of its rows cannot be read')
  })

  test('keeps the rows that can be read beside one whose time is an object', () => {
    const { keys } = readPage(response(JSON.stringify([KEY, { ...KEY, id: '2', created: { toString: 1 } }])))
    expect(keys.map(({ id }) => id)).toContain('1')
  })

  test.each(['', '{', '7', 'null', '{}', '{"results":{}}', '<html>', '\u001f\ufffd'])(
    'is not in %j',
    (body) => {
      expect(() => readPage(response(body))).toThrow()
    },
  )
})

describe('a revocation', () => {
  test.each(['', '  \n'])('is granted without content: %j', (body) => {
    expect(readRevoked(response(body))).toBeNull()
  })

  test.each([
    '<html>',
    '\u001f\ufffd',
    '{"success":false}',
    '{"error":"locked"}',
    '{',
    '{}',
    '[]',
    '{"deleted":0}',
  ])('is not granted by %j', (body) => {
    expect(() => readRevoked(response(body))).toThrow()
  })
})

test('an answer of a cache is about another request, whatever it says', () => {
  const stored = (body: string) => ({ ...response(body), headers: { age: '7' } })
  const created = '{"token":"a-key-of-another","api_key":{"id":"k1"}}'
  expect(() => readCreated(response(created))).not.toThrow()
  expect(() => readCreated(stored(created))).toThrow('from a cache')
  expect(() => readRevoked(stored(''))).toThrow('from a cache')
  expect(() => readAccepted(stored('[]'))).toThrow('from a cache')
})

test('a probe is accepted with a list, and with nothing else', () => {
  for (const body of ['[]', '{"results":[]}', '[{}]'])
    expect(() => readAccepted(response(body))).not.toThrow()
  for (const body of ['', '<html>', '{', '{}', '{"status":"maintenance"}', '7', '"ok"'])
    expect(() => readAccepted(response(body))).toThrow()
})
