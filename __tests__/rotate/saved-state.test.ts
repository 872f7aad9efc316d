import { describe, expect, test } from '@jest/globals'
import { openRecord } from '../../src/rotate/rotation-record.ts'
import { parseRotateState, ROTATE_STATE_NAME } from '../../src/rotate/saved-state.ts'

const CONNECTION = {
  apiUrl: 'https://api.example',
  apiKey: 'old',
  userAgent: 'agent',
  proxy: '',
  settings: { NO_PROXY: 'x' },
  leaked: 'abc... (id k)',
}
const KEY = { token: 'new', id: 'k', prefix: 'n', createdAt: 1, expiresAt: 2 }
const STATE = { version: 1, ...CONNECTION, phase: 'created', expiry: 2, key: KEY }
const parsed = (change: object) => parseRotateState(JSON.stringify({ ...STATE, ...change })).kind

describe('the saved state', () => {
  test('is what the record saves at each step', () => {
    const saved: string[] = []
    const record = openRecord(
      {
        saveState(name, value) {
          expect(name).toBe(ROTATE_STATE_NAME)
          saved.push(String(value))
        },
      },
      CONNECTION,
    )
    record.creating(2)
    record.created(KEY)
    record.writing()
    record.revoking()
    record.settled()
    record.creating(3)
    expect(saved.map((text) => parseRotateState(text))).toEqual(
      [
        { phase: 'creating', expiry: 2, key: null },
        { phase: 'created', expiry: 2, key: KEY },
        { phase: 'writing', expiry: 2, key: KEY },
        { phase: 'revoking', expiry: 2, key: null },
        { phase: 'settled', expiry: 2, key: null },
        { phase: 'creating', expiry: 3, key: null },
      ].map((change) => ({ kind: 'record', state: { ...STATE, ...change } })),
    )
  })

  test('is empty if nothing was saved', () => {
    expect(parseRotateState('')).toEqual({ kind: 'none' })
  })

  test('is unreadable if any field is missing or wrong', () => {
    expect(parsed({})).toBe('record')
    expect(parsed({ userAgent: 'name/1.0 (octo-org/octo-repo; run 1)' })).toBe('record')
    for (const proxy of ['http://proxy.example:3128', 'https://user:p%40ss@proxy.example'])
      expect(parsed({ proxy })).toBe('record')
    for (const apiUrl of ['http://127.0.0.1:1234', 'https://api.example/base'])
      expect(parsed({ apiUrl, proxy: 'http://proxy.example:3128' })).toBe('record')
    expect(parsed({ key: { ...KEY, token: null, createdAt: null, expiresAt: null } })).toBe('record')
    for (const text of ['{', 'null', '[]', '"x"', '17'])
      expect(parseRotateState(text).kind).toBe('unreadable')
    for (const change of [
      { version: 2 },
      { apiUrl: 'nonsense' },
      { apiUrl: 1 },
      { apiUrl: 'file:///etc/hostname' },
      { apiUrl: 'https://' },
      { userAgent: 'two\nlines' },
      { userAgent: 'caf\u00e9' },
      { proxy: 'nonsense' },
      { proxy: 'socks5://proxy.example:1080' },
      { proxy: 'http://' },
      { proxy: ' ' },
      { apiKey: null },
      { userAgent: null },
      { proxy: null },
      { leaked: null },
      { settings: null },
      { settings: 'x' },
      { settings: { NO_PROXY: 1 } },
      { phase: 'done' },
      { phase: null },
      { expiry: '2' },
      { expiry: 8.64e15 + 1 },
      { key: 'k' },
      { key: undefined },
      { key: { ...KEY, token: 1 } },
      { key: { ...KEY, id: 1 } },
      { key: { ...KEY, id: '' } },
      { key: { ...KEY, id: '.' } },
      { key: { ...KEY, id: '..' } },
      { key: { ...KEY, id: '\ud800' } },
      { key: { ...KEY, prefix: null } },
      { key: { ...KEY, createdAt: '1' } },
      { key: { ...KEY, expiresAt: 'x' } },
    ])
      expect({ change, kind: parsed(change) }).toEqual({ change, kind: 'unreadable' })
    for (const phase of ['creating', 'created', 'writing', 'revoking', 'settled'])
      expect(parsed({ phase })).toBe('record')
  })

  test('is unreadable without a key from its creation to the last write, or without the key that an emergency revokes', () => {
    for (const phase of ['created', 'writing']) expect(parsed({ phase, key: null })).toBe('unreadable')
    for (const phase of ['creating', 'revoking', 'settled'])
      expect(parsed({ phase, key: null })).toBe('record')
    for (const phase of ['creating', 'created', 'writing', 'settled'])
      expect(parsed({ phase, leaked: '' })).toBe('record')
    expect(parsed({ phase: 'revoking', leaked: '' })).toBe('unreadable')
  })
})
