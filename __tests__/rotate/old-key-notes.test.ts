import { describe, expect, test } from '@jest/globals'
import type { ListedKey } from '../../src/api/key-api.ts'
import { taggedExpiry } from '../../src/rotate/decisions.ts'
import { type InitialKeyFacts, initialKeyNote } from '../../src/rotate/old-key-notes.ts'
import { DAY, START, TAG } from './harness.ts'

const own = (id: string, age: number): ListedKey => {
  const createdAt = START - age
  return { id, prefix: id, createdAt, expiresAt: taggedExpiry(createdAt + 60 * DAY, TAG), unreadable: null }
}

describe('the note about the initial key', () => {
  const initial: ListedKey = { ...own('initial', 100 * DAY), expiresAt: null }
  const current = own('current', 40 * DAY)
  const old = own('old', 50 * DAY)
  const note = (change: Partial<InitialKeyFacts> = {}) =>
    initialKeyNote({
      initialKeyId: 'initial',
      keys: [initial, old, current],
      current,
      created: null,
      retired: [],
      kept: [],
      tag: TAG,
      isInDoubt: false,
      now: START,
      ...change,
    })
  const PROMISE =
    'The initial key initial... (id initial) is still valid; a later run that receives a newer key revokes it.'

  test('does not say that it was revoked if other keys were', () => {
    expect(note({ retired: [old] })).toBe(PROMISE)
    expect(note({ retired: [old, initial] })).toBe(
      'The initial key initial... (id initial) was revoked. Now remove initial-key-id.',
    )
  })

  test('is left to the one about the previous key only if it was that', () => {
    const created = own('created', 0)
    expect(note({ created })).toBe(PROMISE)
    expect(note({ created, current: initial })).toBeNull()
    expect(note({ current: initial })).toBe(PROMISE)
  })

  test('is left to the warning only if that names it', () => {
    const doubt = expect.stringContaining('it is not revoked while GitHub does not show')
    expect(note({ isInDoubt: true, kept: [old] })).toEqual(doubt)
    expect(note({ isInDoubt: true, kept: [initial] })).toBeNull()
    const expiring = { ...initial, expiresAt: START + DAY }
    expect(note({ isInDoubt: true, kept: [expiring], keys: [expiring] })).toEqual(doubt)
  })
})
