import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseState } from '../../src/protocol/parse-state.ts'
import type { SavedState } from '../../src/protocol/saved-state.ts'
import { RECORD } from '../support/harness.ts'

const keyOf = (id: string) => ({
  token: `t-${id}`,
  id,
  prefix: 'p',
  createdAt: 1,
  expiresAt: 2,
  asked: 8,
  keep: false,
})
const intentOf = (expiry: number) => ({ expiry, sentAt: 2, deadline: 3, refused: '' })
const FULL: SavedState = {
  ...RECORD,
  settings: { HTTPS_PROXY: 'x' },
  skew: -250.5,
  keys: [keyOf('a'), keyOf('b'), keyOf('c')],
  intents: [intentOf(1.001), intentOf(2), intentOf(3)],
}
const parse = (value: unknown) => parseState(JSON.stringify(value))
describe('what main saved', () => {
  test('is none if it is empty', () => {
    expect(parseState('')).toEqual({ state: null, damage: '' })
  })

  test('is read exactly as it was saved', () => {
    expect(parse(FULL)).toEqual({ state: FULL, damage: '' })
    const bare: SavedState = {
      ...FULL,
      keys: [{ ...keyOf('a'), token: null, createdAt: null, expiresAt: null, keep: true }],
      intents: [
        { ...intentOf(1), stored: 1 },
        { ...intentOf(2), stored: null },
      ],
      skew: null,
      onRevokeFailure: 'fail',
    }
    expect(parse(bare)).toEqual({ state: bare, damage: '' })
  })

  test.each(['.a', '..a', 'a.', 'a..', '...'])('holds the id %s, which is no path to elsewhere', (id) => {
    const state = { ...FULL, keys: [keyOf(id)] }
    expect(parse(state)).toEqual({ state, damage: '' })
  })

  test('holds no instant that would be no Date once post has corrected its clock', () => {
    const state = { ...FULL, skew: 1e15 }
    expect(parse(state)).toEqual({ state, damage: '' })
    expect(parse({ ...FULL, bootedAt: -8.64e15 })).toMatchObject({ damage: 'bootedAt' })
  })

  test.each([
    ['{', 'it is not JSON'],
    [JSON.stringify(FULL).slice(0, -1), 'it is not JSON'],
    ['null', 'it is not a record'],
    ['7', 'it is not a record'],
    ['[]', 'it is not a record'],
    ['{}', 'it holds no API URL'],
    ['{"apiUrl":"no url"}', 'it holds no API URL'],
    ['{"apiUrl":7}', 'it holds no API URL'],
    ['{"apiUrl":"mailto:x"}', 'it holds no API URL'],
  ])('cannot be used if it is %s', (text, reason) => {
    expect(parseState(text)).toEqual({ state: null, damage: reason })
  })
})

describe('a damaged part', () => {
  const DEFAULTS: Partial<SavedState> = {
    apiKey: null,
    settings: {},
    onRevokeFailure: 'warn',
    skew: null,
    keys: [],
    intents: [],
  }

  test.each<[keyof SavedState, unknown[]]>([
    ['apiKey', [undefined, null, 7, '', 'a b', 'a\nb', '\u00e4']],
    ['settings', [undefined, null, 7, [], { a: 7 }, { a: null }, { a: 'x', b: 7 }]],
    ['settings', [{ HTTPS_PROXY: 'socks5://h' }, { ALL_PROXY: 'http://' }, { https_proxy: 'http://a:b#@h' }]],
    ['onRevokeFailure', [undefined, 'ignore', null]],
    ['skew', [undefined, '1', 8.65e15]],
    ['keys', [undefined, null, {}, 'a']],
    ['intents', [undefined, null, {}, 7]],
  ])('%s is named and replaced, and nothing else is lost', (name, values) => {
    for (const value of values) {
      const state = { ...FULL, [name]: DEFAULTS[name] }
      expect(parse({ ...FULL, [name]: value })).toEqual({ state, damage: name })
    }
  })

  test('bootedAt does not make it seem that the clock was set: intents would be moved by decades', () => {
    const { state } = parse({ ...FULL, bootedAt: 'x' })
    expect(state?.bootedAt).toBeNull()
  })

  test.each<[string, unknown]>([
    ['nothing', null],
    ['a number', 7],
    ['a list', []],
    ['a key without a value', { ...keyOf('b'), token: '' }],
    ['a key whose value is no text', { ...keyOf('b'), token: 7 }],
    ['a key whose value has a line break', { ...keyOf('b'), token: 'a\n' }],
    ['a key whose value is not ASCII', { ...keyOf('b'), token: '\u00e4' }],
    ['a key without an id', { ...keyOf('b'), id: '' }],
    ['a key whose id is null', { ...keyOf('b'), id: null }],
    ['a key whose id is the path .', { ...keyOf('b'), id: '.' }],
    ['a key whose id is the path ..', { ...keyOf('b'), id: '..' }],
    ['a key whose prefix is no text', { ...keyOf('b'), prefix: 7 }],
    ['a key created at a text', { ...keyOf('b'), createdAt: 'x' }],
    ['a key that expires after the end of time', { ...keyOf('b'), expiresAt: 8.65e15 }],
    ['a key that is neither kept nor not', { ...keyOf('b'), keep: 0 }],
  ])('of the keys does not lose the others: %s', (_, entry) => {
    const { state, damage } = parse({ ...FULL, keys: [keyOf('a'), entry, keyOf('c')] })
    expect(state).toEqual({ ...FULL, keys: [keyOf('a'), keyOf('c')] })
    expect(damage).toBe('1 of its keys')
  })

  test.each<[string, unknown]>([
    ['nothing', null],
    ['no expiry', { ...intentOf(2), expiry: null }],
    ['sent at a text', { ...intentOf(2), sentAt: '1' }],
    ['a deadline before the beginning of time', { ...intentOf(2), deadline: -8.65e15 }],
    ['stored at a text', { ...intentOf(2), stored: '1' }],
    ['refused as a number', { ...intentOf(2), refused: 7 }],
  ])('of the intents does not lose the others: %s', (_, entry) => {
    const { state, damage } = parse({ ...FULL, intents: [entry, intentOf(2), entry] })
    expect(state).toEqual({ ...FULL, intents: [intentOf(2)] })
    expect(damage).toBe('2 of its intents')
  })

  test('never loses another part or entry, whatever the damage is', () => {
    const paths = fc.constantFrom<[part: 'keys' | 'intents', index: number, field: string | null]>(
      ['keys', 0, null],
      ['keys', 1, 'token'],
      ['keys', 1, 'id'],
      ['keys', 2, 'createdAt'],
      ['keys', 0, 'keep'],
      ['intents', 0, null],
      ['intents', 1, 'expiry'],
      ['intents', 2, 'deadline'],
      ['intents', 1, 'answered'],
    )
    const damage = fc.oneof(
      fc.constant(undefined),
      fc.json().map((text) => JSON.parse(text) as unknown),
    )
    fc.assert(
      fc.property(paths, damage, ([part, index, field], value) => {
        const entries = FULL[part].map((entry, at) =>
          at !== index ? entry : field === null ? value : { ...entry, [field]: value },
        )
        const { state } = parse({ ...FULL, [part]: entries })
        const rest = part === 'keys' ? 'intents' : 'keys'
        expect({ ...state, [part]: [] }).toEqual({ ...FULL, [part]: [] })
        expect(state?.[rest]).toEqual(FULL[rest])
        const others = FULL[part].filter((_, at) => at !== index)
        expect(state?.[part]).toEqual(expect.arrayContaining([...others]))
      }),
      { numRuns: 300 },
    )
  })
})

describe('anything at all', () => {
  const UNUSABLE = { state: null, damage: expect.stringMatching(/^it /) }

  test('never makes it throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseState(text)))
    fc.assert(fc.property(fc.json(), (text) => expect(parseState(text)).toEqual(UNUSABLE)))
  })

  test('is no record if it was cut anywhere', () => {
    const text = JSON.stringify(FULL)
    for (let length = 1; length < text.length; length++)
      expect(parseState(text.slice(0, length))).toEqual(UNUSABLE)
  })
})
