import { describe, expect, test } from '@jest/globals'
import type { ListedKey } from '../../src/api/key-api.ts'
import { taggedExpiry } from '../../src/rotate/decisions.ts'
import {
  type InitialKeyFacts,
  initialKeyNote,
  type PreviousKeyFacts,
  previousKeyNote,
  unusedKeysNote,
} from '../../src/rotate/old-key-notes.ts'
import { formatUtc } from '../../src/runner/report.ts'
import { DAY, HOUR, INPUTS, START, TAG } from './harness.ts'

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
      left: [],
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
    const young = { ...current, createdAt: null }
    expect(note({ created: own('created', 0), current: young })).toBe(PROMISE)
  })

  test('promises a revocation only if this rotation made the newest key that it knows', () => {
    const unsure =
      'The initial key initial... (id initial) is still valid. A later run revokes it once it receives a newer key that ' +
      'it recognizes as one of this rotation; if none does, revoke it in the dashboard.'
    expect(note({ current: initial })).toBe(unsure)
    expect(note({ current: { ...current, expiresAt: Number(current.expiresAt) + 1 } })).toBe(unsure)
    const created = own('created', 0)
    expect(note({ current: { ...current, expiresAt: null }, created })).toBe(PROMISE)
  })

  test('says that no run revokes it if it cannot be told how old it is, or later runs recognize no key', () => {
    const never =
      'The initial key initial... (id initial) is still valid, and no later run revokes it. Revoke it in the dashboard ' +
      'when no run uses it.'
    const unknown = { ...initial, createdAt: null }
    expect(note({ keys: [unknown, current] })).toBe(never)
    expect(note({ keys: [unknown], current: unknown, created: own('created', 0) })).toBeNull()
    expect(note({ created: { ...own('created', 0), expiresAt: START + DAY } })).toBe(never)
  })

  test('is left to the warning about its revocation', () => {
    expect(note({ left: [initial] })).toBeNull()
    expect(note({ left: [old] })).toBe(PROMISE)
  })

  test('is left to the warning only if that names it', () => {
    const doubt = expect.stringContaining('it is not revoked while GitHub does not show')
    expect(note({ isInDoubt: true, kept: [old] })).toEqual(doubt)
    expect(note({ isInDoubt: true, kept: [initial] })).toBeNull()
    const expiring = { ...initial, expiresAt: START + DAY }
    expect(note({ isInDoubt: true, kept: [expiring], keys: [expiring] })).toEqual(doubt)
  })
})

describe('the note about the previous key', () => {
  const note = (current: ListedKey, change: Partial<PreviousKeyFacts> = {}) =>
    previousKeyNote({
      current,
      tag: TAG,
      initialKeyId: 'initial',
      limits: INPUTS.limits,
      createdAt: START,
      hasCopies: false,
      ...change,
    })
  const WHEN = 'the first run after 2027-03-09 05:17:00 UTC that receives the new key revokes it'

  test('says when it is revoked, but not if that is less than an hour older', () => {
    expect(note(own('a', HOUR), { createdAt: START + DAY })).toContain(WHEN)
    const young = own('a', HOUR - 1)
    expect(note(young)).toBe(
      'The previous key a... (id a) is less than an hour older than the new one, so it stays valid: a run after the next ' +
        `rotation revokes it, or it expires at ${formatUtc(Number(young.expiresAt))}.`,
    )
    expect(note(own('a', HOUR))).toContain('revokes it.')
    // The initial key may be younger.
    expect(note({ ...own('initial', HOUR - 1), expiresAt: null }, { createdAt: START + DAY })).toContain(WHEN)
  })

  test('says that no run revokes it if it cannot be told how old it is', () => {
    expect(note({ ...own('initial', 0), createdAt: null })).toBe(
      'The previous key initial... (id initial) stays valid, because the API does not say when it was created. Revoke it ' +
        'in the dashboard when no run uses it.',
    )
  })
})

describe('where no key can be created', () => {
  const current = own('current', 40 * DAY)
  const note = (keys: ListedKey[], updates: (number | null)[]) =>
    unusedKeysNote({ keys: [current, ...keys], current, tag: TAG, updates })
  const written = current.createdAt === null ? 0 : current.createdAt + 1_000

  test('the note names keys that were made after every place was last updated', () => {
    const said = note([own('lost', 9 * DAY)], [written])
    expect(said).toMatch(
      /^ The account holds lost\.\.\. \(id lost\), made by earlier runs after the secret was last updated: if the API's/,
    )
    expect(note([own('lost', 9 * DAY)], [written, START - 9 * DAY])).toBe('')
    expect(note([own('lost', 9 * DAY)], [written, null])).toBe('')
  })

  test('the note names keys that a newer one replaced, but not the newest, which a place may hold', () => {
    const [older, newest] = [own('older', 20 * DAY), own('newest', 9 * DAY)]
    const said = note([older, newest], [START - 9 * DAY])
    expect(said).toMatch(
      /^ The account holds older\.\.\. \(id older\), which a later run replaced by newest\.\.\. /,
    )
    expect(note([newest], [START - 9 * DAY])).toBe('')
    expect(note([], [written])).toBe('')
  })
})
