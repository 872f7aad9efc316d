import { describe, expect, test } from '@jest/globals'
import type { AccountKey, ReadKey } from '../../src/audit/classify.ts'
import { findFindings } from '../../src/audit/findings.ts'
import { dueAt, keysToRetire, taggedExpiry } from '../../src/rotate/decisions.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const DAY_MS = 86_400_000
const LIMITS = { now: NOW, maxAge: 90 * DAY_MS, warnBefore: 14 * DAY_MS }
const ROTATION = { secret: 'S', tag: 1 }

type More = Partial<Omit<AccountKey, 'key'>> & { created?: number; expires?: number | null; id?: string }
const entry = ({
  created = NOW - DAY_MS,
  expires = NOW + 60 * DAY_MS,
  id = 'a',
  ...more
}: More): AccountKey => ({
  key: { id, prefix: 'p', createdAt: created, expiresAt: expires, unreadable: null },
  class: 'in-use',
  rotation: null,
  known: null,
  ...more,
})
const kindsOf = (...keys: AccountKey[]) =>
  findFindings(
    keys,
    keys.flatMap(({ known }) => known ?? []),
    LIMITS,
  ).map(({ kind }) => kind)
const known = (until: number | null = null) => ({ id: 'a', until })

describe('expires-soon', () => {
  test.each([
    [14 * DAY_MS, ['expires-soon']],
    [14 * DAY_MS + 1, []],
    [-1, ['expires-soon']],
  ])('for the key in use that expires in %i ms: %j', (left, kinds) => {
    expect(kindsOf(entry({ created: NOW - 30 * DAY_MS, expires: NOW + left }))).toEqual(kinds)
  })

  test('not for a key in use that was made to live for a short time', () => {
    expect(kindsOf(entry({ created: NOW, expires: NOW + DAY_MS }))).toEqual([])
  })

  test('not for keys that are not in use here', () => {
    const soon = { created: NOW - 30 * DAY_MS, expires: NOW + DAY_MS }
    expect(kindsOf(entry({ class: 'unexpected', ...soon }))).toEqual(['unexpected'])
  })

  test('for a known key in use too: accepting a key does not make it last', () => {
    expect(kindsOf(entry({ created: NOW - 30 * DAY_MS, expires: NOW + DAY_MS, known: known() }))).toEqual([
      'expires-soon',
    ])
  })

  test('for a key of a rotation, although a newer one exists, which may be in no secret', () => {
    const rotated = { class: 'rotated' as const, rotation: ROTATION }
    const inSecret = entry({ ...rotated, created: NOW - 55 * DAY_MS, expires: NOW + 4 * DAY_MS, id: 'old' })
    const orphan = entry({ ...rotated, created: NOW - DAY_MS, expires: NOW + 58 * DAY_MS, id: 'orphan' })
    const found = findFindings([inSecret, orphan], [], LIMITS)
    expect(found.map(({ kind, id }) => [kind, id])).toEqual([['expires-soon', 'old']])
  })

  const days = (rotateAfter: number, overlap: number, expiresIn: number) => ({
    rotateAfter: rotateAfter * DAY_MS,
    overlap: overlap * DAY_MS,
    expiresIn: expiresIn * DAY_MS,
  })
  test.each([days(30, 7, 60), days(40, 35, 90), days(10, 1, 30)])(
    'never for a rotation that runs once a day, with the warn-before of docs/audit.md: %j',
    ({ rotateAfter, overlap, expiresIn }) => {
      const { tag } = ROTATION
      const warnBefore = expiresIn - rotateAfter - overlap - 4 * DAY_MS
      const create = (now: number): ReadKey => ({
        id: String(now),
        prefix: 'p',
        createdAt: now,
        expiresAt: taggedExpiry(now + expiresIn, tag),
        unreadable: null,
      })
      let keys = [create(NOW)]
      for (let day = 1; day < 200; day++) {
        const now = NOW + day * DAY_MS + ((day * 5) % 3) * 3_600_000
        const entries = keys.map(
          (key): AccountKey => ({ key, class: 'rotated', rotation: ROTATION, known: null }),
        )
        expect(findFindings(entries, [], { now, maxAge: 365 * DAY_MS, warnBefore })).toEqual([])
        const current = keys.at(-1) as ReadKey
        const facts = { keys, current, tag, overlap, now, initialKeyId: '', updates: [current.createdAt] }
        const retired = keysToRetire(facts)
        keys = keys.filter((key) => !retired.includes(key))
        // Two runs at once: only the later one is in the secret.
        if (dueAt(current, { rotateAfter, overlap, expiresIn }) <= now)
          keys.push(create(now), create(now + 1))
      }
      expect(keys.length).toBeLessThan(6)
    },
  )
})

describe('never-expires and too-old', () => {
  const old = { created: NOW - 91 * DAY_MS, expires: null }

  test.each(['in-use', 'rotated'] as const)('for a key of class %s', (name) => {
    expect(kindsOf(entry({ class: name, ...old }))).toEqual(['never-expires', 'too-old'])
  })

  test('beside unexpected', () => {
    expect(kindsOf(entry({ class: 'unexpected', ...old }))).toEqual([
      'unexpected',
      'never-expires',
      'too-old',
    ])
  })

  test('not for a known key, until its date has passed', () => {
    expect(kindsOf(entry({ class: 'known', known: known(), ...old }))).toEqual([])
    expect(kindsOf(entry({ class: 'known', known: known(NOW + 1), ...old }))).toEqual([])
    expect(kindsOf(entry({ class: 'known', known: known(NOW), ...old }))).toEqual([
      'known-overdue',
      'never-expires',
      'too-old',
    ])
  })

  test('not too-old for a short-lived key that is used for the audit', () => {
    const created = NOW - 2 * DAY_MS
    const [found] = findFindings([entry({ created, expires: created + 5 * DAY_MS })], [], {
      ...LIMITS,
      maxAge: DAY_MS,
    })
    expect(found).toBeUndefined()
  })

  test('too-old only beyond max-age', () => {
    const age = (created: number) => kindsOf(entry({ created }))
    expect(age(NOW - 90 * DAY_MS)).toEqual([])
    expect(age(NOW - 90 * DAY_MS - 1)).toEqual(['too-old'])
  })

  test('never for a short-lived key, however low max-age is', () => {
    const key = entry({ class: 'short-lived', created: NOW - 4 * DAY_MS, expires: NOW + DAY_MS })
    expect(findFindings([key], [], { ...LIMITS, maxAge: DAY_MS })).toEqual([])
  })
})

describe('known-missing', () => {
  const missing = (until: number | null) =>
    findFindings([entry({ id: 'b' })], [{ id: 'a', until }], LIMITS).map(({ kind, id }) => [kind, id])

  test('for an id that no key has', () => {
    expect(missing(null)).toEqual([['known-missing', 'a']])
    expect(missing(NOW + 1)).toEqual([['known-missing', 'a']])
  })

  test('not after its until date: it was meant to be gone', () => {
    expect(missing(NOW)).toEqual([])
  })
})

test('findings come the most urgent first', () => {
  const keys = [
    entry({ id: '1', class: 'unexpected', created: NOW - 91 * DAY_MS, expires: null }),
    entry({ id: '2', created: NOW - 30 * DAY_MS, expires: NOW + DAY_MS }),
  ]
  const found = findFindings(keys, [{ id: '3', until: null }], LIMITS)
  expect(found.map(({ kind }) => kind)).toEqual([
    'expires-soon',
    'unexpected',
    'known-missing',
    'never-expires',
    'too-old',
  ])
})
