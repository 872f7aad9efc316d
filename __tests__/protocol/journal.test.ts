import { describe, expect, test } from '@jest/globals'
import { openJournal } from '../../src/protocol/journal.ts'
import { parseState } from '../../src/protocol/parse-state.ts'
import type { IssuedKey, SavedState } from '../../src/protocol/saved-state.ts'
import { INPUTS } from '../support/harness.ts'

const START = Date.parse('2027-03-01T12:00:00.250Z')
const KIB = 1024

const keyOf = (id: string, more: Partial<IssuedKey> = {}): IssuedKey => ({
  ...{ id, token: id, prefix: id, createdAt: null, expiresAt: null, asked: 0, keep: false },
  ...more,
})
const intentOf = (expiry: number) => ({
  expiry,
  sentAt: START,
  deadline: START + 10_000,
  refused: '',
})

/** A journal, and the records that it saved; saving fails from the `failsFrom`-th time on. */
function open({ failsFrom = Infinity, settings = { a: 'b' } as Record<string, string> } = {}) {
  const saved: SavedState[] = []
  const texts: string[] = []
  const saveState = (name: string, value: unknown) => {
    expect(name).toBe('record')
    if (texts.length + 1 >= failsFrom) throw new Error('no space left')
    texts.push(String(value))
    saved.push(JSON.parse(String(value)))
  }
  const journal = openJournal(INPUTS, {
    runner: { saveState },
    settings,
    bootedAt: 7,
  })
  const last = () => ({
    keys: saved.at(-1)?.keys.map(({ id, keep }) => [id, keep]),
    intents: saved.at(-1)?.intents,
  })
  return { journal, saved, texts, last }
}

describe('the journal', () => {
  test('saves nothing until there is something to save', () => {
    expect(open().saved).toEqual([])
  })

  test('saves all that the post step needs with the first intent, in a form that it can read', () => {
    const { journal, saved, texts } = open()
    journal.recordIntent(intentOf(1))
    const expected: SavedState = {
      apiUrl: INPUTS.apiUrl,
      apiKey: INPUTS.apiKey,
      settings: { a: 'b' },
      bootedAt: 7,
      onRevokeFailure: 'warn',
      skew: null,
      keys: [],
      intents: [intentOf(1)],
    }
    expect(saved).toEqual([expected])
    expect(parseState(texts[0] ?? '')).toEqual({ state: expected, damage: '' })
  })

  test('saves every entry at once', () => {
    const { journal, saved, last } = open()
    const held = (id: string) => journal.keys().find((key) => key.id === id) ?? keyOf(id)
    const [first, second] = [intentOf(1), intentOf(2)]
    journal.recordIntent(first)
    journal.recordIntent(second)
    expect(last()).toEqual({ keys: [], intents: [first, second] })
    const [a, b] = [keyOf('a'), keyOf('b')]
    journal.recordKey(a, second, START)
    expect(last()).toEqual({ keys: [['a', false]], intents: [first] })
    journal.settle(first)
    expect(last()).toEqual({ keys: [['a', false]], intents: [] })
    journal.recordKey(b, first, START)
    journal.keep(a, true)
    expect(last().keys).toEqual([
      ['a', true],
      ['b', false],
    ])
    journal.keep(held('a'), false)
    expect(last().keys).toEqual([
      ['a', false],
      ['b', false],
    ])
    expect(journal.keys().map(({ id }) => id)).toEqual(['a', 'b'])
    journal.removeKey(held('a'))
    expect(last().keys).toEqual([['b', false]])
    expect(journal.keys().map(({ id }) => id)).toEqual(['b'])
    expect(saved).toHaveLength(8)
  })

  test('keeps the intent of a request that a gateway may have sent twice, with the expiry of its key', () => {
    const { journal, last } = open()
    const intent = intentOf(1)
    journal.recordIntent(intent)
    journal.recordKey({ ...keyOf('a'), expiresAt: 7 }, intent, START + 3_000)
    expect(last()).toEqual({ keys: [['a', false]], intents: [{ ...intent, stored: 7 }] })
  })

  test('still holds a key for the main step if it cannot be saved', () => {
    const { journal } = open({ failsFrom: 1 })
    expect(() => journal.recordKey(keyOf('a'), intentOf(1), START)).toThrow('no space left')
    expect(journal.keys()).toHaveLength(1)
  })
})

describe('the journal learns from answered requests', () => {
  const learnedFrom = (...keys: Partial<IssuedKey>[]) => {
    const { journal, saved } = open()
    for (const [index, key] of keys.entries()) {
      const intent = intentOf(START)
      journal.recordIntent(intent)
      journal.recordKey(keyOf(String(index), key), intent, START + 400)
    }
    expect(journal.skew()).toBe(saved.at(-1)?.skew)
    return { skew: journal.skew() }
  }

  test('the least that the server’s clock may show, from created, of which the last one counts', () => {
    expect(learnedFrom({ createdAt: START + 600_000 }).skew).toBe(599_600)
    expect(learnedFrom({ createdAt: START + 600_000 }, { createdAt: null }).skew).toBe(599_600)
    expect(learnedFrom({ createdAt: START + 600_000 }, { createdAt: START - 5 }).skew).toBe(-405)
    // The key of a server that is right does not make that of one that is behind older.
    expect(learnedFrom({ createdAt: START - 600_000 }, { createdAt: START }).skew).toBe(-600_400)
    expect(learnedFrom({ createdAt: null }).skew).toBeNull()
  })
})

describe('the size of the record', () => {
  test('is bounded by refusing another intent, before a request is sent, with room for its key', () => {
    const { journal, texts } = open()
    let count = 0
    expect(() => {
      for (; count < 10_000; count++) journal.recordIntent(intentOf(START + count + 0.123))
    }).toThrow('The record for the post step would exceed 20 KiB. Lower timeout')
    expect(count).toBeGreaterThan(180)
    expect(texts.at(-1)?.length).toBeLessThanOrEqual(20 * KIB)
    const longest = keyOf('i'.repeat(256), { token: 't'.repeat(4_096), prefix: 'p'.repeat(20) })
    journal.recordKey(longest, intentOf(1), START + 3_000)
    expect(texts.at(-1)?.length).toBeLessThanOrEqual(30 * KIB)
  })

  test('is counted in bytes', () => {
    const { journal, texts } = open({ settings: { NO_PROXY: '\u7db2'.repeat(6_000) } })
    expect(() => journal.recordIntent(intentOf(START))).not.toThrow()
    expect(Buffer.byteLength(texts.at(-1) ?? '')).toBeGreaterThan(17_900)
    const { journal: full } = open({ settings: { NO_PROXY: '\u7db2'.repeat(7_000) } })
    expect(() => full.recordIntent(intentOf(START))).toThrow('20 KiB')
  })

  test('does not change what was recorded when it is refused', () => {
    const { journal, texts } = open()
    const recordAll = () => {
      for (;;) journal.recordIntent(intentOf(START))
    }
    expect(recordAll).toThrow('20 KiB')
    const before = texts.length
    journal.settle(intentOf(-1))
    expect(texts).toHaveLength(before + 1)
    expect(JSON.parse(texts.at(-1) ?? '')).toEqual(JSON.parse(texts.at(-2) ?? ''))
  })
})
