import { expect, test } from '@jest/globals'
import { openLedger } from '../src/ledger.ts'
import type { IssuedKey, SavedState } from '../src/saved-state.ts'
import { INPUTS } from './support/rehearsal.ts'

const key = (id: string): IssuedKey => ({
  id,
  token: id,
  prefix: id,
  createdAt: 1,
  expiresAt: 2,
  keep: false,
})
const mark = (expiry: number) => ({ expiry, askedAt: 0, deadline: 1, weak: false })

function open() {
  const saved: SavedState[] = []
  const saveState = (name: string, value: unknown) => {
    expect(name).toBe('record')
    saved.push(JSON.parse(String(value)))
  }
  const ledger = openLedger(INPUTS, {
    runner: { saveState },
    userAgent: 'agent',
    proxy: 'proxy',
    settings: { a: 'b' },
    bootedAt: 7,
  })
  const last = () => ({
    keys: saved.at(-1)?.keys.map(({ id, keep }) => [id, keep]),
    marks: saved.at(-1)?.marks,
  })
  return { ledger, saved, last }
}

test('nothing is saved until there is something to save', () => {
  expect(open().saved).toEqual([])
})

test('every entry is saved at once, with all that post needs', () => {
  const { ledger, saved, last } = open()
  const [first, second] = [mark(1), mark(2)]
  ledger.intend(first)
  expect(saved[0]).toEqual({
    version: 1,
    apiUrl: INPUTS.apiUrl,
    apiKey: INPUTS.apiKey,
    userAgent: 'agent',
    proxy: 'proxy',
    settings: { a: 'b' },
    bootedAt: 7,
    revoke: true,
    onRevokeFailure: 'warn',
    keys: [],
    marks: [first],
  })
  ledger.intend(second)
  expect(last()).toEqual({ keys: [], marks: [first, second] })
  ledger.obtain(key('a'), second)
  expect(last()).toEqual({ keys: [['a', false]], marks: [first] })
  ledger.settle(first)
  expect(last()).toEqual({ keys: [['a', false]], marks: [] })
  ledger.obtain(key('b'), first)
  ledger.keep(key('a'), true)
  expect(last().keys).toEqual([
    ['a', true],
    ['b', false],
  ])
  ledger.keep(key('a'), false)
  expect(last().keys).toEqual([
    ['a', false],
    ['b', false],
  ])
  expect(ledger.ids()).toEqual(new Set(['a', 'b']))
  ledger.end(key('a'))
  expect(last().keys).toEqual([['b', false]])
  expect(ledger.keys().map(({ id }) => id)).toEqual(['b'])
  expect(saved).toHaveLength(8)
})

test('an entry that cannot be saved is not lost to main', () => {
  const ledger = openLedger(INPUTS, {
    runner: {
      saveState: () => {
        throw new Error('no space')
      },
    },
    userAgent: '',
    proxy: '',
    settings: {},
    bootedAt: 7,
  })
  expect(() => ledger.obtain(key('a'), mark(1))).toThrow('no space')
  expect(ledger.keys()).toHaveLength(1)
})
