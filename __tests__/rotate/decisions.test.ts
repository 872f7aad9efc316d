import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ListedKey } from '../../src/api/key-api.ts'
import {
  areLimitsConsistent,
  dueAt,
  findCurrentKey,
  isOwn,
  keysToRetire,
  keysToRevokeNow,
  MAX_EXPIRY_SHIFT_MS,
  minLifetimeDays,
  taggedExpiry,
  whyNotOurs,
  writeOrder,
} from '../../src/rotate/decisions.ts'
import { TAG_RANGE } from '../../src/util/rotation-tag.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.parse('2027-03-01T12:00:00Z')
const TAG = 12_345_678
const LIMITS = { rotateAfter: 30 * DAY, expiresIn: 60 * DAY, overlap: 7 * DAY }

const key = (id: string, createdAt: number | null, expiresAt: number | null): ListedKey => ({
  id,
  prefix: `prefix-${id}`,
  createdAt,
  expiresAt,
  unreadable: null,
})
const own = (id: string, createdAt: number) => key(id, createdAt, taggedExpiry(createdAt + 60 * DAY, TAG))

describe('the limits', () => {
  test('leave a broken rotation exactly 7 days or more', () => {
    expect(areLimitsConsistent({ ...LIMITS, expiresIn: 44 * DAY })).toBe(true)
    expect(areLimitsConsistent({ ...LIMITS, expiresIn: 44 * DAY - 1 })).toBe(false)
    expect(minLifetimeDays({ ...LIMITS, overlap: 7 * DAY + 1 })).toBe(45)
  })
})

describe('the tagged expiry', () => {
  test('is recognized, is no whole second, and is at most 37.3 h early', () => {
    const tag = fc.integer({ min: 0, max: TAG_RANGE - 1 })
    const latest = fc.double({ min: NOW, max: NOW + 1000 * DAY, noNaN: true })
    fc.assert(
      fc.property(tag, latest, (wanted, until) => {
        const expiry = taggedExpiry(until, wanted)
        expect(expiry).toBeLessThanOrEqual(until)
        expect(until - expiry).toBeLessThan(MAX_EXPIRY_SHIFT_MS)
        expect(isOwn(key('a', expiry - 6 * DAY, expiry), wanted)).toBe(true)
      }),
    )
  })

  test('is the latest one that there is', () => {
    const expiry = taggedExpiry(NOW, TAG)
    expect(taggedExpiry(expiry, TAG)).toBe(expiry)
    expect(taggedExpiry(expiry - 1, TAG)).toBe(expiry - TAG_RANGE)
    const whole = Math.ceil(NOW / 1000) * 1000
    expect(taggedExpiry(whole, whole % TAG_RANGE)).toBe(whole - TAG_RANGE)
  })
})

describe('an own key', () => {
  test('has a readable expiry with the tag, and lives longer than 5 days', () => {
    const good = own('a', NOW)
    expect(isOwn(good, TAG)).toBe(true)
    expect(isOwn(good, TAG + 1)).toBe(false)
    expect(isOwn({ ...good, unreadable: 'created' }, TAG)).toBe(false)
    expect(isOwn({ ...good, expiresAt: null }, TAG)).toBe(false)
    expect(isOwn({ ...good, createdAt: Number(good.expiresAt) - 5 * DAY }, TAG)).toBe(false)
  })
})

describe('the key in hand', () => {
  const list = (keys: ListedKey[], doubt: string | null = null) => ({ keys, doubt, pages: 1 })

  test('is the only one that it begins like', () => {
    const [a, b] = [key('a', NOW, null), key('b', NOW, null)]
    expect(findCurrentKey(list([a, b]), 'prefix-b and more')).toBe(b)
    expect(findCurrentKey(list([a, { ...b, prefix: '' }]), 'prefix-b and more')).toMatch(
      /no key that begins like/,
    )
    expect(findCurrentKey(list([a, { ...a, prefix: 'prefix' }]), 'prefix-a')).toBe(
      'the account lists 2 keys that begin like api-key',
    )
    expect(findCurrentKey(list([], 'page 2 was empty'), 'prefix-a')).toContain('(page 2 was empty)')
  })
})

describe('keys are retired', () => {
  const current = own('current', NOW - 8 * DAY)
  const facts = { current, tag: TAG, overlap: 7 * DAY, now: NOW, initialKeyId: '' }
  const retired = (keys: ListedKey[], change: Partial<typeof facts> = {}) =>
    keysToRetire({ ...facts, ...change, keys: [current, ...keys] }).map(({ id }) => id)
  const old = own('old', NOW - 40 * DAY)

  test('if they are own, and an hour or more older than the key in hand', () => {
    const at = (age: number) => own('x', Number(current.createdAt) - age)
    expect(retired([old])).toEqual(['old'])
    expect(retired([at(HOUR)])).toEqual(['x'])
    expect(retired([at(HOUR - 1)])).toEqual([])
    expect(retired([at(-HOUR)])).toEqual([])
    expect(retired([{ ...old, createdAt: null }])).toEqual([])
  })

  test('if the key in hand is older than the overlap by more than an hour', () => {
    const after = Number(current.createdAt) + 7 * DAY + HOUR
    expect(retired([old], { now: after + 1 })).toEqual(['old'])
    expect(retired([old], { now: after })).toEqual([])
  })

  test('never, if the key in hand is not own, or if they are not', () => {
    const byHand = key('current', NOW - 8 * DAY, null)
    expect(retired([old], { current: byHand })).toEqual([])
    expect(retired([old], { current: { ...current, createdAt: null } })).toEqual([])
    expect(retired([key('other', NOW - 400 * DAY, null)])).toEqual([])
  })

  test('if a person named them and they are older than the key in hand; an own key has to obey the rule', () => {
    const initial = key('initial', Number(current.createdAt) - 1, null)
    expect(retired([initial], { initialKeyId: 'initial' })).toEqual(['initial'])
    expect(retired([{ ...initial, createdAt: current.createdAt }], { initialKeyId: 'initial' })).toEqual([])
    const young = own('initial', Number(current.createdAt) - HOUR + 1)
    expect(retired([young], { initialKeyId: 'initial' })).toEqual([])
    expect(retired([], { initialKeyId: 'current' })).toEqual([])
  })
})

test('an emergency ends the key in hand and own keys, if they are an hour older than the new one', () => {
  const current = key('current', NOW - HOUR, null)
  const young = own('young', NOW - HOUR + 1)
  const keys = [current, young, own('old', NOW - 9 * DAY), key('other', NOW - 9 * DAY, null)]
  expect(keysToRevokeNow(keys, current, NOW, TAG).map(({ id }) => id)).toEqual(['current', 'old'])
  expect(keysToRevokeNow([young], young, NOW, TAG)).toEqual([])
  expect(keysToRevokeNow([{ ...current, createdAt: null }], current, NOW, TAG)).toEqual([])
})

describe('a key is due', () => {
  test('by its age, if rotate made it', () => {
    expect(dueAt(own('a', NOW), LIMITS)).toBe(NOW + 30 * DAY)
  })

  test('at once, if it never expires or its creation is unknown', () => {
    expect(dueAt(key('a', NOW, null), LIMITS)).toBe(0)
    expect(dueAt(key('a', null, NOW + DAY), LIMITS)).toBe(0)
    expect(dueAt({ ...key('a', NOW, null), unreadable: 'expiry' }, LIMITS)).toBe(NOW + 30 * DAY)
  })

  test('earlier, if it expires too soon to recover from failures', () => {
    expect(dueAt(key('a', NOW, NOW + 40 * DAY), LIMITS)).toBe(NOW + 10 * DAY + MAX_EXPIRY_SHIFT_MS)
  })
})

describe('the answer to a create request', () => {
  const answer = {
    token: 'new',
    id: 'k',
    prefix: 'new',
    createdAt: NOW,
    expiresAt: NOW + 60 * DAY + 1,
    unreadable: null,
  }
  const facts = {
    asked: NOW + 60 * DAY + 1,
    sentAt: NOW - 100,
    answeredAt: NOW + 100,
    slack: 5_000,
    apiKey: 'old',
    knownIds: new Set(['known']),
  }

  test('is a new key of this run, within the slack of clocks and roundings', () => {
    expect(whyNotOurs(answer, facts)).toBeNull()
    for (const createdAt of [NOW - 5_100, NOW + 5_100])
      expect(whyNotOurs({ ...answer, createdAt }, facts)).toBeNull()
    for (const shift of [-5_000, 5_000])
      expect(whyNotOurs({ ...answer, expiresAt: answer.expiresAt + shift }, facts)).toBeNull()
  })

  test.each([
    [{ token: null }, 'holds no key'],
    [{ id: null }, 'holds no key'],
    [{ token: 'old' }, 'was used to ask'],
    [{ id: 'known' }, 'was there before'],
    [{ createdAt: NOW - 5_101 }, 'created at 2027-03-01 11:59:54 UTC, which is not now'],
    [{ createdAt: NOW + 5_101 }, 'not now'],
    [{ createdAt: null }, 'an unknown time'],
    [{ expiresAt: null }, 'never expires'],
    [{ expiresAt: answer.expiresAt + 5_001 }, '2027-04-30 12:00:00 UTC was asked for'],
    [{ expiresAt: answer.expiresAt - 5_001 }, 'it expires at 2027-04-30 11:59:55 UTC'],
  ])('is somebody else’s with %j', (change, reason) => {
    expect(whyNotOurs({ ...answer, ...change }, facts)).toContain(reason)
  })
})

test('the home secret is written last', () => {
  expect(writeOrder('home', ['a', 'b'])).toEqual(['a', 'b', 'home'])
})
