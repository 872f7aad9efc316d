import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { CreatedKey, ListedKey } from '../../src/api/key-api.ts'
import {
  areLimitsConsistent,
  canRetire,
  dueAt,
  findCurrentKey,
  holdsOlderKey,
  isOwn,
  judgeCreated,
  keysInDoubt,
  keysToRetire,
  keysToRevokeNow,
  MAX_EXPIRY_SHIFT_MS,
  minLifetimeDays,
  requestedExpiry,
  rotatedLately,
  taggedExpiry,
  writeOrder,
  writeVisibility,
  writtenApart,
} from '../../src/rotate/decisions.ts'
import { TAG_RANGE } from '../../src/rotate/rotation-tag.ts'

const MINUTE = 60_000
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
  test('leave at least 7 days to fix a failing rotation', () => {
    expect(areLimitsConsistent({ ...LIMITS, expiresIn: 44 * DAY })).toBe(true)
    expect(areLimitsConsistent({ ...LIMITS, expiresIn: 44 * DAY - 1 })).toBe(false)
    expect(minLifetimeDays({ ...LIMITS, overlap: 7 * DAY + 1 })).toBe(45)
  })

  test('let a key get old enough for the keys before it to be revoked', () => {
    expect(canRetire({ rotateAfter: 7 * DAY + 2 * HOUR, overlap: 7 * DAY })).toBe(true)
    expect(canRetire({ rotateAfter: 7 * DAY + 2 * HOUR - 1, overlap: 7 * DAY })).toBe(false)
  })
})

describe('the tagged expiry', () => {
  test('is recognized, not a whole second, and at most 37.3 h early', () => {
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

  test('is requested with microseconds that tell two runs apart, and that no rounding to milliseconds changes', () => {
    const situation = fc.record({
      tag: fc.integer({ min: 0, max: TAG_RANGE - 1 }),
      latest: fc.double({ min: NOW, max: NOW + 1000 * DAY, noNaN: true }),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    })
    fc.assert(
      fc.property(situation, ({ tag: wanted, latest, random }) => {
        const expiry = requestedExpiry(latest, wanted, { precision: 1, random })
        const micros = Math.round(expiry * 1000) % 1000
        expect(micros).toBeGreaterThanOrEqual(1)
        expect(micros).toBeLessThanOrEqual(499)
        expect(expiry).toBeLessThanOrEqual(latest)
        for (const stored of [expiry, Math.floor(expiry), Math.round(expiry)])
          expect(isOwn(key('a', stored - 6 * DAY, stored), wanted)).toBe(true)
        const plain = requestedExpiry(latest, wanted, { precision: 1000, random })
        expect(plain).toBe(Math.floor(expiry))
        expect(requestedExpiry(latest, wanted, { precision: 1_000_000, random })).toBe(
          Math.floor(latest / 1000) * 1000,
        )
      }),
    )
    const at = (random: number) => requestedExpiry(NOW, TAG, { precision: 1, random })
    expect(at(0.2)).not.toBe(at(0.3))
  })

  test('is the latest one up to the instant', () => {
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

  test('is the only one whose prefix it begins with', () => {
    const [a, b] = [key('a', NOW, null), key('b', NOW, null)]
    expect(findCurrentKey(list([a, b]), 'prefix-b and more')).toBe(b)
    expect(findCurrentKey(list([a, { ...b, prefix: '' }]), 'prefix-b and more')).toMatch(
      /^no key in the list matches its first characters$/,
    )
    expect(findCurrentKey(list([a, { ...a, prefix: 'prefix' }]), 'prefix-a')).toBe(
      'its first characters match 2 keys in the list',
    )
    expect(findCurrentKey(list([], 'page 2 was empty'), 'prefix-a')).toContain('(page 2 was empty)')
  })
})

describe('keys are retired', () => {
  const current = own('current', NOW - 8 * DAY)
  const updates: (number | null)[] = [Number(current.createdAt)]
  const facts = { current, tag: TAG, overlap: 7 * DAY, now: NOW, initialKeyId: '', updates }
  const retired = (keys: ListedKey[], change: Partial<typeof facts> = {}) =>
    keysToRetire({ ...facts, ...change, keys: [current, ...keys] }).map(({ id }) => id)
  const old = own('old', NOW - 40 * DAY)

  test('only if they are own keys and at least an hour older than the key in hand', () => {
    const at = (age: number) => own('x', Number(current.createdAt) - age)
    expect(retired([old])).toEqual(['old'])
    expect(retired([at(HOUR)])).toEqual(['x'])
    expect(retired([at(HOUR - 1)])).toEqual([])
    expect(retired([at(-HOUR)])).toEqual([])
    expect(retired([{ ...old, createdAt: null }])).toEqual([])
  })

  test('only if the key in hand is older than the overlap by more than an hour', () => {
    const after = Number(current.createdAt) + 7 * DAY + HOUR
    expect(retired([old], { now: after + 1, updates: [] })).toEqual(['old'])
    expect(retired([old], { now: after, updates: [] })).toEqual([])
  })

  test('only if every place was last written longer ago than the overlap by more than an hour', () => {
    const after = NOW - 7 * DAY - HOUR
    expect(retired([old], { updates: [after - 1, after - 1] })).toEqual(['old'])
    expect(retired([old], { updates: [after] })).toEqual([])
    expect(retired([old], { updates: [after - 1, after - 1, after] })).toEqual([])
    expect(retired([old], { updates: [] })).toEqual(['old'])
  })

  test('only if no copy was last written more than 10 s before the second in which the key in hand was created', () => {
    const at = Number(current.createdAt)
    const inHand = { ...current, createdAt: at + 900 }
    expect(retired([old], { current: inHand, updates: [at, at] })).toEqual(['old'])
    expect(retired([old], { current: inHand, updates: [at - 10_000, at] })).toEqual(['old'])
    expect(retired([old], { current: inHand, updates: [at - 11_000, at] })).toEqual([])
    // Home holds the key in hand or a later one, whatever the two clocks say.
    expect(retired([old], { current: inHand, updates: [at - HOUR] })).toEqual(['old'])
    // Beside copies, home may be another place than the one that the key in hand came from.
    expect(retired([old], { current: inHand, updates: [at, at - 10_000] })).toEqual(['old'])
    expect(retired([old], { current: inHand, updates: [at, at - 11_000] })).toEqual([])
  })

  test('only if GitHub says of every place when it was last written, or of none', () => {
    const at = Number(current.createdAt)
    expect(retired([old], { updates: [null, null] })).toEqual(['old'])
    expect(retired([old], { updates: [at, null, at] })).toEqual([])
    expect(retired([old], { updates: [at, null] })).toEqual([])
  })

  test('and the others are kept for doubt about a place, but only those that could be revoked otherwise', () => {
    const at = Number(current.createdAt)
    const kept = (updates: (number | null)[], now = NOW) =>
      keysInDoubt({ ...facts, keys: [current, old], updates, now })
    expect(kept([at - 11_000, at])).toEqual([old])
    expect(kept([null, at])).toEqual([old])
    expect(kept([at, at])).toEqual([])
    expect(kept([null, null])).toEqual([])
    expect(kept([null, NOW - 7 * DAY])).toEqual([])
    expect(kept([null, at], NOW - 7 * DAY)).toEqual([])
  })

  test('never if rotate did not create the key in hand, or them', () => {
    const byHand = key('current', NOW - 8 * DAY, null)
    expect(retired([old], { current: byHand })).toEqual([])
    expect(retired([old], { current: { ...current, createdAt: null } })).toEqual([])
    expect(retired([key('other', NOW - 400 * DAY, null)])).toEqual([])
  })

  test('only if they have not expired, as some APIs list expired keys', () => {
    const at = Number(old.expiresAt)
    expect(retired([old], { now: at - 1, updates: [] })).toEqual(['old'])
    expect(retired([old], { now: at, updates: [] })).toEqual([])
  })

  test('if initial-key-id names them and they are older than the key in hand, but own keys only by the rule', () => {
    const initial = key('initial', Number(current.createdAt) - 1, null)
    expect(retired([initial], { initialKeyId: 'initial' })).toEqual(['initial'])
    expect(retired([{ ...initial, createdAt: current.createdAt }], { initialKeyId: 'initial' })).toEqual([])
    const young = own('initial', Number(current.createdAt) - HOUR + 1)
    expect(retired([young], { initialKeyId: 'initial' })).toEqual([])
    expect(retired([], { initialKeyId: 'current' })).toEqual([])
  })
})

describe('an emergency', () => {
  const current = key('current', NOW - HOUR, null)
  const facts = { current, tag: TAG, now: NOW, initialKeyId: '', created: { id: 'new', createdAt: NOW } }
  const ids = (keys: ListedKey[], change: Partial<typeof facts> = {}) => {
    const { now, young } = keysToRevokeNow({ ...facts, ...change, keys })
    return [now.map(({ id }) => id), young.map(({ id }) => id)]
  }

  test('revokes the key in hand, the initial key and own keys, but never the new one', () => {
    const keys = [own('new', NOW), own('old', NOW - 9 * DAY), current, key('other', NOW - 9 * DAY, null)]
    expect(ids(keys)).toEqual([['current', 'old'], []])
    expect(ids(keys, { initialKeyId: 'other' })).toEqual([['current', 'old', 'other'], []])
  })

  test('revokes the key in hand even if the list lacks it', () => {
    expect(ids([])).toEqual([['current'], []])
  })

  test('skips keys that have expired, as some APIs list them', () => {
    const old = own('old', NOW - 9 * DAY)
    const at = Number(old.expiresAt)
    expect(ids([old], { now: at - 1 })).toEqual([['current', 'old'], []])
    expect(ids([old], { now: at })).toEqual([['current'], []])
  })

  test('spares keys that are not an hour older than the new one, and names them', () => {
    const young = own('young', NOW - HOUR + 1)
    expect(ids([young, own('newer', NOW + 1)])).toEqual([['current'], ['young', 'newer']])
    expect(ids([], { current: young })).toEqual([[], ['young']])
    expect(ids([], { current: { ...current, createdAt: null } })).toEqual([[], ['current']])
  })
})

describe('a key is due', () => {
  test('by its age if rotate created it', () => {
    expect(dueAt(own('a', NOW), LIMITS)).toBe(NOW + 30 * DAY)
  })

  test('at once if it never expires or its creation time is unknown', () => {
    expect(dueAt(key('a', NOW, null), LIMITS)).toBe(0)
    expect(dueAt(key('a', null, NOW + DAY), LIMITS)).toBe(0)
    expect(dueAt({ ...key('a', NOW, null), unreadable: 'expiry (missing)' }, LIMITS)).toBe(NOW + 30 * DAY)
  })

  test('earlier if it expires too soon to fix a failing rotation', () => {
    expect(dueAt(key('a', NOW, NOW + 40 * DAY), LIMITS)).toBe(NOW + 10 * DAY + MAX_EXPIRY_SHIFT_MS)
  })
})

describe('the response to a create request', () => {
  const ASKED = NOW + 60 * DAY + 1.25
  const answer = {
    token: 'new',
    id: 'k',
    prefix: 'new',
    createdAt: NOW,
    expiresAt: ASKED,
    unreadable: null,
  }
  const facts = {
    asked: ASKED,
    sentAt: NOW - 100,
    answeredAt: NOW + 100,
    skews: [0, 0] as (number | null)[],
    apiKey: 'old',
    knownIds: new Set(['known']),
  }
  const judge = (change: Partial<CreatedKey> = {}, further: Partial<typeof facts> = {}) =>
    judgeCreated({ ...answer, ...change }, { ...facts, ...further })
  /** As stored by a server that keeps no microseconds: only the creation shows whose key it is. */
  const rounded = { expiresAt: Math.floor(ASKED) }

  test('is a key of this run by the microseconds of its expiry, by any clock within an hour', () => {
    const created = (shift: number, skews: (number | null)[]) => judge({ createdAt: NOW + shift }, { skews })
    for (const shift of [0, 10_000, -10_000, 100 - HOUR, 100 + HOUR])
      for (const skews of [
        [0, 0],
        [null, null],
        [null, DAY],
        [-DAY, null],
      ])
        expect(created(shift, skews)).toEqual({ kind: 'ours' })
    for (const shift of [99 - HOUR, 101 + HOUR]) {
      expect(created(shift, [0, null])).toMatchObject({ kind: 'refused', orphan: false })
      expect(created(shift + DAY, [null, DAY])).toMatchObject({ kind: 'refused', orphan: false })
      expect(created(shift, [null, null])).toMatchObject({
        kind: 'unusable',
        reason: expect.stringContaining(
          'but the time here is 2027-03-01 12:00:00 UTC. Check the clock of the runner',
        ),
      })
    }
  })

  test('is a key of this run by its creation, by either clock', () => {
    const created = (shift: number, skews: (number | null)[]) =>
      judge({ ...rounded, createdAt: NOW + shift }, { skews }).kind
    for (const shift of [-5_100, 5_100]) expect(created(shift, [0, 0])).toBe('ours')
    for (const shift of [-5_101, 5_101]) expect(created(shift, [0, 0])).toBe('refused')
    // The gateway's Date is wrong, the runner's clock is right, or the other way round.
    for (const skew of [120_000, -120_000]) {
      expect(created(0, [skew, skew])).toBe('ours')
      expect(created(skew, [skew, null])).toBe('ours')
      expect(created(skew, [null, skew])).toBe('ours')
      expect(created(skew / 2, [skew, skew])).toBe('refused')
    }
    // Without any Date, clocks may differ by a minute.
    for (const shift of [-65_100, 65_100]) expect(created(shift, [null, null])).toBe('ours')
    for (const shift of [-65_101, 65_101]) expect(created(shift, [null, null])).toBe('refused')
  })

  test('may be rounded to a minute', () => {
    const whole = { asked: NOW + 60 * DAY }
    for (const shift of [-60_000, 60_000])
      expect(judge({ expiresAt: whole.asked + shift }, whole)).toEqual({ kind: 'ours' })
  })

  test.each<[Partial<CreatedKey>, string]>([
    [{ token: null }, 'the response has no key'],
    [{ createdAt: null }, 'the API does not say when it was created'],
    [{ expiresAt: null }, 'it never expires, although an expiry was requested'],
    [{ expiresAt: null, unreadable: 'expiry "soon"' }, 'its expiry cannot be read'],
    [
      { expiresAt: NOW + 30 * DAY },
      'it expires at 2027-03-31 12:00:00 UTC, not at 2027-04-30 12:00:00 UTC as requested: the API shortens lifetimes. Lower expires-in',
    ],
  ])('that this run certainly caused is unusable with %j', (change, reason) => {
    expect(judge(change)).toEqual({ kind: 'unusable', reason })
  })

  test.each<[Partial<CreatedKey>, string, boolean]>([
    [{ id: null }, 'the response has no id', true],
    [{ token: 'old' }, 'it is api-key itself', true],
    [{ id: 'known' }, 'it existed before', true],
    [{ expiresAt: ASKED + 0.001 }, 'another run requested it (its expiry has other microseconds)', true],
    [{ expiresAt: ASKED - 0.5 }, 'another run requested it (its expiry has other microseconds)', true],
    [{ ...rounded, createdAt: NOW - DAY }, 'it was created at 2027-02-28 12:00:00 UTC, not now', false],
    [{ ...rounded, createdAt: null }, 'it was created at an unknown time, not now', false],
    [{ expiresAt: null, createdAt: NOW - DAY }, 'it was created at 2027-02-28 12:00:00 UTC, not now', false],
    [
      { expiresAt: Math.floor(ASKED) + 60_002 },
      'it expires at 2027-04-30 12:01:00 UTC, not at 2027-04-30 12:00:00 UTC as requested',
      false,
    ],
    [
      { expiresAt: NOW + 30 * DAY + 1_234 },
      'it expires at 2027-03-31 12:00:01 UTC, not at 2027-04-30 12:00:00 UTC as requested',
      false,
    ],
  ])('is refused with %j: %s', (change, reason, orphan) => {
    expect(judge(change)).toEqual({ kind: 'refused', reason, orphan })
  })
})

describe('a write is shown', () => {
  test('only if updated_at moved on', () => {
    expect(writeVisibility(NOW, NOW + 1000)).toBe('shown')
    expect(writeVisibility(NOW, NOW)).toBe('not shown')
    expect(writeVisibility(NOW, NOW - 1000)).toBe('not shown')
    expect(writeVisibility(NOW, null)).toBe('not shown')
    expect(writeVisibility(null, NOW)).toBe('unknown')
    expect(writeVisibility(null, null)).toBe('unknown')
  })

  test('only if it moved on by whole seconds, as the same instant may have more digits', () => {
    expect(writeVisibility(NOW, NOW + 999)).toBe('not shown')
    expect(writeVisibility(NOW + 999, NOW + 1000)).toBe('shown')
    expect(writeVisibility(NOW + 500, NOW + 1000)).toBe('shown')
  })
})

test('a place holds an older key if it was written more than an hour before the key in hand was created', () => {
  const current = own('current', NOW)
  expect(holdsOlderKey(NOW - HOUR - 1, current)).toBe(true)
  expect(holdsOlderKey(NOW - HOUR, current)).toBe(false)
  expect(holdsOlderKey(NOW + DAY, current)).toBe(false)
  expect(holdsOlderKey(null, current)).toBe(false)
  expect(holdsOlderKey(NOW, { ...current, createdAt: null })).toBe(false)
  expect(holdsOlderKey(-DAY, { ...current, createdAt: null })).toBe(false)
})

test('no rotation wrote a copy more than 11 minutes before home, or more than a minute after it', () => {
  expect(writtenApart(NOW - 11 * MINUTE - 1, NOW)).toBe('before')
  expect(writtenApart(NOW - 11 * MINUTE, NOW)).toBeNull()
  expect(writtenApart(NOW + MINUTE, NOW)).toBeNull()
  expect(writtenApart(NOW + MINUTE + 1, NOW)).toBe('after')
  expect(writtenApart(null, NOW)).toBeNull()
  expect(writtenApart(NOW - DAY, null)).toBeNull()
})

test('a rotation was lately if one of its keys, or the key in hand, is less than two days old', () => {
  const lately = (current: ListedKey, ...keys: ListedKey[]) =>
    rotatedLately({ keys, current, tag: TAG, now: NOW })
  const old = own('old', NOW - 2 * DAY)
  expect(lately(old, old)).toBe(false)
  expect(lately(own('young', NOW - 2 * DAY + 1))).toBe(true)
  expect(lately(old, old, own('young', NOW - 2 * DAY + 1))).toBe(true)
  expect(lately(old, key('by-hand', NOW - DAY, null), { ...own('unknown', NOW), createdAt: null })).toBe(
    false,
  )
})

test('the home secret is written last', () => {
  expect(writeOrder('home', ['a', 'b'])).toEqual(['a', 'b', 'home'])
})
