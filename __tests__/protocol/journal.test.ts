import { expect, test } from '@jest/globals'
import { openJournal } from '../../src/protocol/journal.ts'
import type { IssuedKey, SavedState } from '../../src/protocol/saved-state.ts'
import { INPUTS } from '../support/harness.ts'

const key = (id: string): IssuedKey => ({
  id,
  token: id,
  prefix: id,
  createdAt: 1,
  expiresAt: 2,
  keep: false,
})
const intent = (expiry: number) => ({ expiry, sentAt: 0, deadline: 1, ambiguous: false })

function open() {
  const saved: SavedState[] = []
  const saveState = (name: string, value: unknown) => {
    expect(name).toBe('record')
    saved.push(JSON.parse(String(value)))
  }
  const journal = openJournal(INPUTS, {
    runner: { saveState },
    userAgent: 'agent',
    proxy: 'proxy',
    settings: { a: 'b' },
    bootedAt: 7,
  })
  const last = () => ({
    keys: saved.at(-1)?.keys.map(({ id, keep }) => [id, keep]),
    intents: saved.at(-1)?.intents,
  })
  return { journal, saved, last }
}

test('nothing is saved until there is something to save', () => {
  expect(open().saved).toEqual([])
})

test('every entry is saved at once, with all that post needs', () => {
  const { journal, saved, last } = open()
  const [first, second] = [intent(1), intent(2)]
  journal.recordIntent(first)
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
    intents: [first],
  })
  journal.recordIntent(second)
  expect(last()).toEqual({ keys: [], intents: [first, second] })
  journal.recordKey(key('a'), second)
  expect(last()).toEqual({ keys: [['a', false]], intents: [first] })
  journal.resolve(first)
  expect(last()).toEqual({ keys: [['a', false]], intents: [] })
  journal.recordKey(key('b'), first)
  journal.keep(key('a'), true)
  expect(last().keys).toEqual([
    ['a', true],
    ['b', false],
  ])
  journal.keep(key('a'), false)
  expect(last().keys).toEqual([
    ['a', false],
    ['b', false],
  ])
  expect(journal.ids()).toEqual(new Set(['a', 'b']))
  journal.removeKey(key('a'))
  expect(last().keys).toEqual([['b', false]])
  expect(journal.keys().map(({ id }) => id)).toEqual(['b'])
  expect(saved).toHaveLength(8)
})

test('an entry that cannot be saved is not lost to main', () => {
  const journal = openJournal(INPUTS, {
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
  expect(() => journal.recordKey(key('a'), intent(1))).toThrow('no space')
  expect(journal.keys()).toHaveLength(1)
})
