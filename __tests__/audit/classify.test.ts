import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ListedKey } from '../../src/api/key-api.ts'
import { classify, type ReadKey, readLists, usableKeys } from '../../src/audit/classify.ts'
import { findFindings } from '../../src/audit/findings.ts'
import { readAuditInputs } from '../../src/audit/inputs.ts'
import { taggedExpiry } from '../../src/rotate/decisions.ts'
import { rotationTag, TAG_RANGE } from '../../src/rotate/rotation-tag.ts'
import { INPUTS, runRotate, SECRET } from '../rotate/harness.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const DAY_MS = 86_400_000
const API_KEY = '0123456789abcdef'.repeat(4)
const IN_USE = API_KEY.slice(0, 15)
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoxfQ.c2lnbmF0dXJl'
const ROTATION = { secret: 'S', tag: 4_711 }

const key = (id: string, more: Partial<ReadKey> = {}): ReadKey => ({
  id,
  prefix: `prefix-of-${id}`,
  createdAt: NOW,
  expiresAt: null,
  unreadable: null,
  ...more,
})
const own = key('own', { prefix: IN_USE })
const read = (keys: ListedKey[], apiKey = API_KEY, doubt: string | null = null) =>
  readLists([{ keys, doubt, pages: 1 }], apiKey)

describe('a list can be judged', () => {
  test('if every row was read and the key in use is in it', () => {
    expect(read([key('a'), own])).toMatchObject({ kind: 'complete', inUse: [{ id: 'own' }] })
  })

  test('without a key in use only for a JWT', () => {
    expect(read([key('a')], JWT)).toMatchObject({ kind: 'complete', inUse: [] })
    expect(read([], JWT)).toMatchObject({ kind: 'complete' })
    for (const other of [API_KEY, 'eyJ', 'eyJ.a', `x${JWT}`])
      expect(read([key('a')], other)).toEqual({
        kind: 'incomplete',
        reason: 'the key in api-key is not in it',
      })
  })

  test.each<[string, () => ReturnType<typeof read>, RegExp]>([
    ['it is in doubt', () => read([own], API_KEY, 'for this reason'), /^for this reason$/],
    [
      'a field is unreadable',
      () => read([own, key('a', { unreadable: 'expiry' })]),
      /cannot read expiry of the key prefix-of-a/,
    ],
    [
      'a creation time is missing',
      () => read([own, { ...key('a'), createdAt: null }]),
      /does not say when the key prefix/,
    ],
    ['a key is listed twice', () => read([own, key('a'), key('a')]), /prefix-of-a.* is listed twice/],
    ['prefixes are empty', () => read([key('a', { prefix: '' })]), /the key in api-key is not in it/],
  ])('not if %s', (_, list, reason) => {
    expect(list()).toEqual({ kind: 'incomplete', reason: expect.stringMatching(reason) })
  })
})

describe('two readings of a list', () => {
  const reading = (keys: ListedKey[], doubt: string | null = null) => ({ keys, doubt, pages: 2 })

  test('show the keys of both, each once', () => {
    const lists = [reading([own, key('a')]), reading([own, key('b')])]
    const { keys, inUse } = readLists(lists, API_KEY) as { keys: ReadKey[]; inUse: ReadKey[] }
    expect(keys.map(({ id }) => id)).toEqual(['own', 'a', 'b'])
    expect(inUse).toEqual([own])
  })

  test.each([0, 1])('cannot be judged if one of them cannot: number %i', (index) => {
    const lists = [reading([own]), reading([own])].with(index, reading([own], 'for this reason'))
    expect(readLists(lists, API_KEY)).toEqual({ kind: 'incomplete', reason: 'for this reason' })
  })
})

test('a key can be used until it expires, and if it was just used', () => {
  const keys = [key('never'), key('later', { expiresAt: NOW + 1 }), key('now', { expiresAt: NOW })]
  const used = { ...own, expiresAt: NOW - 1 }
  const usable = usableKeys({ keys: [...keys, used], inUse: [used] }, NOW)
  expect(usable.map(({ id }) => id)).toEqual(['never', 'later', 'own'])
})

describe('a key is classified', () => {
  const classesOf = (keys: ReadKey[], known: string[] = []) =>
    classify(
      { keys, inUse: keys.filter(({ prefix }) => prefix === IN_USE) },
      known.map((id) => ({ id, until: null })),
      [ROTATION],
    ).map((entry) => entry.class)
  const rotated = { expiresAt: Math.ceil((NOW + 60 * DAY_MS) / TAG_RANGE) * TAG_RANGE + ROTATION.tag }

  test('as in use, before anything else', () => {
    expect(classesOf([own, { ...own, ...rotated }].slice(0, 1), ['own'])).toEqual(['in-use'])
    expect(classesOf([{ ...own, ...rotated }])).toEqual(['in-use'])
  })

  test('as known, whatever its expiry looks like', () => {
    expect(classesOf([key('a', rotated), key('b', { expiresAt: NOW + DAY_MS })], ['a', 'b'])).toEqual([
      'known',
      'known',
    ])
  })

  test('as made by rotate if its expiry is a taggedExpiry of rotate', () => {
    const expiresAt = taggedExpiry(NOW + 60 * DAY_MS, ROTATION.tag)
    expect(classesOf([key('a', { expiresAt })])).toEqual(['rotated'])
  })

  test('as made by rotate if a run of rotate created it for a secret in rotated-secrets', async () => {
    const { account } = await runRotate()
    const [made] = account.keys()
    const given: Record<string, string> = { 'api-key': API_KEY, 'api-url': 'https://api.example' }
    const { rotations } = readAuditInputs((name) => given[name] ?? '', {
      GITHUB_REPOSITORY_ID: '4711',
      GITHUB_API_URL: INPUTS.githubApiUrl,
    })
    const sha256 = (text: string) => createHash('sha256').update(text).digest()
    const tags = rotations.map((rotation) => ({
      secret: rotation.secret,
      tag: rotationTag(rotation, sha256),
    }))
    const created = key('a', { createdAt: Number(made?.created), expiresAt: Number(made?.expiry) })
    const [entry] = classify({ keys: [created], inUse: [] }, [], tags)
    expect(entry).toMatchObject({ class: 'rotated', rotation: { secret: SECRET } })
    const now = created.createdAt + 50 * DAY_MS
    const limits = { now, maxAge: 90 * DAY_MS, warnBefore: 14 * DAY_MS }
    expect(findFindings(entry ? [entry] : [], [], limits).map(({ kind }) => kind)).toEqual(['expires-soon'])
  })

  test('as made by rotate, by its tag', () => {
    expect(classesOf([key('a', rotated), key('b', { expiresAt: rotated.expiresAt + 1 })])).toEqual([
      'rotated',
      'unexpected',
    ])
  })

  test.each([
    [5 * DAY_MS, 'short-lived'],
    [5 * DAY_MS + 300_000, 'short-lived'],
    [5 * DAY_MS + 300_001, 'unexpected'],
  ])('by a lifetime of %i ms as %s', (lifetime, expected) => {
    expect(classesOf([key('a', { expiresAt: NOW + lifetime })])).toEqual([expected])
  })

  test('as unexpected if it never expires', () => {
    expect(classesOf([key('a')])).toEqual(['unexpected'])
  })

  test('never as in use where two keys fit', () => {
    expect(classesOf([own, { ...own, id: 'other' }])).toEqual(['unexpected', 'unexpected'])
  })

  test('exactly once, in the order of the list', () => {
    const anyKey = fc.record({
      prefix: fc.constantFrom(IN_USE, 'other'),
      createdAt: fc.integer({ min: NOW - 400 * DAY_MS, max: NOW }),
      expiresAt: fc.option(fc.integer({ min: NOW, max: NOW + 400 * DAY_MS })),
    })
    fc.assert(
      fc.property(fc.array(anyKey), (rows) => {
        const keys = rows.map((row, index) => key(String(index), row))
        const classes = classesOf(keys)
        expect(classes).toHaveLength(keys.length)
        expect(classes.filter((name) => name === 'in-use').length).toBeLessThanOrEqual(1)
      }),
    )
  })
})
