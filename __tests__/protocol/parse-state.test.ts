import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseState } from '../../src/protocol/parse-state.ts'
import type { SavedState } from '../../src/protocol/saved-state.ts'
import { RECORD } from '../support/harness.ts'

const KEY = { token: 't', id: 'i', prefix: 'p', createdAt: 1, expiresAt: 2, keep: false }
const MARK = { expiry: 1, sentAt: 2, deadline: 3, ambiguous: false }
const FULL: SavedState = { ...RECORD, settings: { HTTPS_PROXY: 'x' }, keys: [KEY], intents: [MARK] }
const parse = (value: unknown) => parseState(JSON.stringify(value))

describe('what post finds', () => {
  test('nothing', () => {
    expect(parseState('')).toEqual({ kind: 'none' })
  })

  test('a record, to the letter', () => {
    expect(parse(FULL)).toEqual({ kind: 'record', state: FULL })
    const bare = {
      ...FULL,
      keys: [{ ...KEY, token: null, createdAt: null, expiresAt: null }],
      onRevokeFailure: 'fail',
    }
    expect(parse(bare)).toEqual({ kind: 'record', state: bare })
  })

  test.each([
    ['{', 'it is not JSON'],
    ['null', 'it is not a record'],
    ['7', 'it is not a record'],
    ['{}', 'it is not of version 1, the one this release writes'],
    ['{"version":2}', 'it is not of version 1, the one this release writes'],
    ['{"version":1}', 'its apiUrl is missing or malformed'],
  ])('%s: %s', (text, reason) => {
    expect(parseState(text)).toEqual({ kind: 'unreadable', reason })
  })

  test.each<[keyof SavedState, unknown[]]>([
    ['apiUrl', [undefined, 7, 'no url']],
    ['apiKey', [undefined, 7, '']],
    ['userAgent', [undefined, 7, '']],
    ['proxy', [undefined, 7]],
    ['settings', [undefined, null, 7, { a: 7 }]],
    ['bootedAt', [undefined, null, '7', Infinity]],
    ['revoke', [undefined, 'true']],
    ['onRevokeFailure', [undefined, 'ignore']],
    [
      'keys',
      [
        undefined,
        {},
        [null],
        [7],
        [{ ...KEY, token: '' }],
        [{ ...KEY, token: 7 }],
        [{ ...KEY, id: '' }],
        [KEY, { ...KEY, prefix: 7 }],
        [{ ...KEY, createdAt: 'x' }],
        [{ ...KEY, expiresAt: 8.65e15 }],
        [{ ...KEY, keep: 0 }],
      ],
    ],
    [
      'intents',
      [
        undefined,
        {},
        [null],
        [{ ...MARK, expiry: null }],
        [{ ...MARK, sentAt: '1' }],
        [{ ...MARK, deadline: -8.65e15 }],
        [MARK, { ...MARK, ambiguous: 1 }],
      ],
    ],
  ])('a record whose %s is not what it should be', (name, values) => {
    for (const value of values)
      expect(parse({ ...FULL, [name]: value })).toEqual({
        kind: 'unreadable',
        reason: `its ${name} is missing or malformed`,
      })
  })

  test('anything at all: never a throw, and never a record that is none', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseState(text)))
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseState(text).kind).toBe('unreadable')
      }),
    )
    const cut = JSON.stringify(FULL)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: cut.length - 1 }), (length) => {
        expect(parseState(cut.slice(0, length)).kind).toBe('unreadable')
      }),
    )
  })
})
