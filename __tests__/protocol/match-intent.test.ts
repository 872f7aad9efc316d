import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ListedKey } from '../../src/api/key-api.ts'
import { createIntent, type Intent, PRECISIONS_US } from '../../src/protocol/intent.ts'
import { type ListContext, matchIntent } from '../../src/protocol/match-intent.ts'
import { type Grid, quantize } from '../support/instants.ts'
import { rowOf } from '../support/scripted-api.ts'

const NOW = Date.parse('2027-03-01T12:00:00.250Z')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** 12:59:37.654321: on no grid coarser than 1 us. */
const EXPIRY = NOW + HOUR_MS - 22_596 + 0.321
const intent: Intent = { expiry: EXPIRY, sentAt: NOW, deadline: NOW + 10_000, refused: '' }
const down = (ms: number) => Math.floor(EXPIRY / ms) * ms
const near = (ms: number) => Math.round(EXPIRY / ms) * ms

const ours = (more: Partial<ListedKey> = {}) =>
  rowOf('ours', { createdAt: NOW + 100, expiresAt: EXPIRY, ...more })
const match = (list: ListedKey[], more: Partial<ListContext> = {}, asked: Partial<Intent> = {}) =>
  matchIntent({ ...intent, ...asked }, list, {
    known: new Set(),
    shift: 0,
    dateSkew: 0,
    skew: null,
    grid: Infinity,
    ...more,
  })
const kindOf = (...args: Parameters<typeof match>) => {
  const { key, candidates } = match(...args)
  return key ? 'found' : candidates.length > 0 ? 'ambiguous' : 'absent'
}

test('a whole millisecond beside ours is not ours, where the list shows that the server keeps microseconds', () => {
  const neighbor = rowOf('neighbor', { createdAt: NOW + 100, expiresAt: near(1) })
  expect(match([ours(), neighbor])).toMatchObject({ key: { id: 'ours' } })
})

describe('a clock that was set after the request', () => {
  const asked = { sentAt: NOW + HOUR_MS, deadline: NOW + HOUR_MS + 10_000 }
  const clocks = { shift: HOUR_MS, dateSkew: null, skew: 2 * HOUR_MS }

  test.each([0, 50_000, -50_000])(
    'was right to %i ms before, or the machine was suspended: found',
    (error) => {
      const created = { createdAt: NOW + 100 + error }
      expect(kindOf([ours(created)], clocks, asked)).toBe('found')
    },
  )

  test('is right now: found', () => {
    expect(kindOf([ours({ createdAt: NOW + HOUR_MS })], clocks, asked)).toBe('found')
  })

  test('is not corrected twice: a key of an hour before the request is another run’s', () => {
    const learned = { shift: HOUR_MS, dateSkew: null, skew: -HOUR_MS }
    expect(kindOf([ours({ createdAt: NOW + 1_600 })], learned, asked)).toBe('found')
    expect(kindOf([ours({ createdAt: NOW - HOUR_MS })], learned, asked)).toBe('ambiguous')
  })

  test('is no reason to take another zone than that of a local time: it never expires, and is ambiguous', () => {
    const created = { createdAt: NOW + 2 * HOUR_MS + 100, expiresAt: null }
    const slept = { shift: 33 * MINUTE_MS, dateSkew: 12 * MINUTE_MS, skew: null }
    const moved = { sentAt: NOW + 21 * MINUTE_MS, deadline: NOW + 21 * MINUTE_MS + 10_000 }
    expect(kindOf([ours(created)], slept, moved)).toBe('ambiguous')
  })

  test.each([30 * MINUTE_MS, -2 * MINUTE_MS])(
    'does not make a key of another time ours: created %i ms after the request',
    (age) => {
      expect(kindOf([ours({ createdAt: NOW + age })], clocks, asked)).toBe('ambiguous')
    },
  )
})

test('near misses are no candidates beside a key with the exact expiry, even one of another time', () => {
  const old = rowOf('old', { createdAt: NOW - HOUR_MS, expiresAt: EXPIRY })
  const rounded = rowOf('rounded', { createdAt: NOW + 100, expiresAt: near(1_000) })
  expect(match([old, rounded])).toEqual({ key: null, candidates: [old] })
})

describe('one listed key', () => {
  test.each<[string, Partial<ListedKey>, number, 'found' | 'ambiguous' | 'absent']>([
    ['with the exact expiry', {}, Infinity, 'found'],
    ['with the exact expiry, on a grid of 1 us', {}, 1, 'found'],
    ['on a grid of 1 ms', { expiresAt: down(1) }, 1_000, 'found'],
    ['on a grid that is unknown, and may be of 1 ms', { expiresAt: down(1) }, Infinity, 'found'],
    ['a microsecond off', { expiresAt: EXPIRY + 0.001 }, Infinity, 'ambiguous'],
    [
      'a microsecond off on a server that stores what is asked for',
      { expiresAt: EXPIRY + 0.001 },
      1,
      'absent',
    ],
    ['a millisecond off', { expiresAt: down(1) + 1 }, 1_000, 'absent'],
    ['rounded to 10 ms', { expiresAt: near(10) }, Infinity, 'ambiguous'],
    ['rounded down to 10 ms', { expiresAt: down(10) }, 10_000, 'ambiguous'],
    ['rounded to 1/300 s', { expiresAt: down(10) + 3 }, Infinity, 'ambiguous'],
    ['rounded to 1 s', { expiresAt: near(1_000) }, Infinity, 'ambiguous'],
    ['rounded down to 1 s', { expiresAt: down(1_000) }, 1_000_000, 'ambiguous'],
    ['rounded to 1 min', { expiresAt: near(MINUTE_MS) }, Infinity, 'ambiguous'],
    ['rounded down to 1 min', { expiresAt: down(MINUTE_MS) }, 60_000_000, 'ambiguous'],
    [
      'with the expiry in local time',
      { expiresAt: EXPIRY - 5 * HOUR_MS, createdAt: NOW - 5 * HOUR_MS },
      Infinity,
      'found',
    ],
    ['that never expires', { expiresAt: null }, Infinity, 'ambiguous'],
    ['whose expiry cannot be read', { expiresAt: null, unreadable: 'expiry "soon"' }, Infinity, 'ambiguous'],
    [
      'that never expires, with created in local time',
      { expiresAt: null, createdAt: NOW - 5 * HOUR_MS },
      Infinity,
      'ambiguous',
    ],
    [
      'that never expires, created minutes after the deadline by a very slow server',
      { expiresAt: null, createdAt: NOW + 5 * MINUTE_MS },
      Infinity,
      'ambiguous',
    ],
    [
      'that never expires and was created a day ago',
      { expiresAt: null, createdAt: NOW - DAY_MS },
      Infinity,
      'absent',
    ],
    ['with another expiry', { expiresAt: EXPIRY + 2 * MINUTE_MS }, Infinity, 'absent'],
    ['with the exact expiry, created a day ago', { createdAt: NOW - DAY_MS }, Infinity, 'ambiguous'],
    [
      'rounded to 1 s, created a day ago',
      { createdAt: NOW - DAY_MS, expiresAt: near(1_000) },
      Infinity,
      'ambiguous',
    ],
    ['with the exact expiry, in a list without created', { createdAt: null }, Infinity, 'ambiguous'],
    [
      'rounded to 1 s, in a list without created',
      { createdAt: null, expiresAt: near(1_000) },
      Infinity,
      'ambiguous',
    ],
    [
      'with another expiry, in a list without created',
      { createdAt: null, expiresAt: EXPIRY + DAY_MS },
      Infinity,
      'absent',
    ],
    [
      'that never expires, in a list without created',
      { createdAt: null, expiresAt: null },
      Infinity,
      'absent',
    ],
  ])('%s', (_, key, grid, kind) => {
    expect(kindOf([ours(key)], { grid })).toBe(kind)
  })

  test.each([
    ['1 ms', '1 us', down(1), 1],
    ['10 ms', '1 ms', down(10), 1_000],
    ['1 s', '1 ms', down(1_000), 1_000],
  ])(
    'rounded to %s, where create returned %s, is absent only from a list as fine',
    (_, __, expiresAt, grid) => {
      const fine = rowOf('fine', { createdAt: 0, expiresAt: NOW + 1 + (grid === 1 ? 0.001 : 0) })
      expect(kindOf([ours({ expiresAt })], { grid })).toBe('ambiguous')
      expect(kindOf([ours({ expiresAt }), fine], { grid })).toBe('absent')
    },
  )

  test('whose lifetime the API capped is ambiguous rather than absent: judgeCreated would accept it', () => {
    expect(kindOf([ours({ expiresAt: NOW + 100 + 10 * MINUTE_MS })])).toBe('ambiguous')
  })

  test('in local time on a grid of 1 s is ambiguous rather than absent', () => {
    const local = { expiresAt: down(1_000) - 5 * HOUR_MS, createdAt: NOW - 5 * HOUR_MS }
    expect(kindOf([ours(local)], { grid: 1_000_000 })).toBe('ambiguous')
  })

  test('with a millisecond that 1/300 s has as well is found only where the list shows a finer grid', () => {
    const asked = { expiry: NOW + HOUR_MS + 3.4 }
    const key = ours({ expiresAt: NOW + HOUR_MS + 3 })
    const fine = rowOf('fine', { createdAt: 0, expiresAt: NOW + 1 })
    expect(kindOf([key], {}, asked)).toBe('ambiguous')
    expect(kindOf([key, { ...fine, createdAt: 1, expiresAt: NOW + 3 }], {}, asked)).toBe('ambiguous')
    expect(kindOf([key, fine], {}, asked)).toBe('found')
    expect(kindOf([key], { grid: 1_000 }, asked)).toBe('found')
  })

  test('asked for in whole seconds is never found, only ambiguous', () => {
    expect(kindOf([ours({ expiresAt: down(1_000) })], { grid: 1 }, { expiry: down(1_000) })).toBe('ambiguous')
  })
})

describe('the window in which a key may have been created', () => {
  const GRACE_MS = 15_000

  test.each<[string, number, [number | null, number | null], boolean]>([
    ['65 s before the request, by a runner that is off by up to a minute', -65_000, [null, null], true],
    ['more than that', -65_001, [null, null], false],
    ['15 s after the deadline, by a slow server', 10_000 + GRACE_MS, [null, null], true],
    ['that and 65 s', 10_000 + GRACE_MS + 65_000, [null, null], true],
    ['more than that', 10_000 + GRACE_MS + 65_001, [null, null], false],
    ['by a server whose Date is 10 min ahead', 10 * MINUTE_MS, [10 * MINUTE_MS, null], true],
    ['by a server whose own times are 10 min behind', -10 * MINUTE_MS, [0, -10 * MINUTE_MS], true],
    ['by a server 10 min behind, 6 s too early', -10 * MINUTE_MS - 5_001, [-10 * MINUTE_MS, null], false],
  ])('contains a creation time or not: %s', (_, offset, [dateSkew, skew], counts) => {
    expect(kindOf([ours({ createdAt: NOW + offset })], { dateSkew, skew })).toBe(
      counts ? 'found' : 'ambiguous',
    )
    const rounded = ours({ createdAt: NOW + offset, expiresAt: down(1_000) })
    expect(kindOf([rounded], { dateSkew, skew })).toBe('ambiguous')
  })
})

describe('several listed keys', () => {
  const other = (more: Partial<ListedKey> = {}) => ({ ...ours(more), id: 'other' })

  test('two with the exact expiry are ambiguous, and both are named', () => {
    expect(match([ours(), other()])).toEqual({ key: null, candidates: [ours(), other()] })
  })

  test('the exact one is found among near misses and keys that never expire', () => {
    const list = [other({ expiresAt: down(1_000) }), ours(), { ...other({ expiresAt: null }), id: 'third' }]
    expect(match(list)).toEqual({ key: ours(), candidates: [] })
  })

  test('the exact one created in the window is found beside one of another time', () => {
    const earlier = other({ createdAt: NOW - DAY_MS })
    expect(match([earlier, ours()])).toEqual({ key: ours(), candidates: [] })
    expect(match([earlier])).toEqual({ key: null, candidates: [earlier] })
  })

  test('only near misses are all named', () => {
    const list = [ours({ expiresAt: down(1_000) }), other({ expiresAt: near(MINUTE_MS) })]
    expect(match(list)).toEqual({ key: null, candidates: list })
  })

  test('known ones do not count', () => {
    const known = new Set(['other'])
    expect(match([other()], { known })).toEqual({ key: null, candidates: [] })
    expect(match([other(), ours()], { known })).toEqual({ key: ours(), candidates: [] })
  })

  test('an empty list has no match', () => {
    expect(match([])).toEqual({ key: null, candidates: [] })
  })
})

test('only a key that is exact, alone and created in the window is ever found, whatever the list holds', () => {
  const anyKey = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    prefix: fc.constant('p'),
    createdAt: fc.option(fc.integer({ min: NOW - 2 * HOUR_MS, max: NOW + 2 * HOUR_MS })),
    expiresAt: fc.option(
      fc.constantFrom(EXPIRY, down(1), near(1_000), EXPIRY + 1, EXPIRY + HOUR_MS + 1234.5, EXPIRY - 0.001),
    ),
    unreadable: fc.constant(null),
  })
  const anyContext = fc.record({
    known: fc.subarray(['a', 'b']).map((ids) => new Set(ids)),
    dateSkew: fc.option(fc.integer({ min: -HOUR_MS, max: HOUR_MS })),
    skew: fc.option(fc.integer({ min: -HOUR_MS, max: HOUR_MS })),
    grid: fc.constantFrom(1, 1_000, 10_000, 1_000_000, Infinity),
  })
  fc.assert(
    fc.property(fc.array(anyKey, { maxLength: 5 }), anyContext, (list, context) => {
      const result = match(list, context)
      if (result.key === null) return
      // A list with microseconds shows that the server keeps them.
      const isFine = list.some(({ expiresAt }) => Math.round((expiresAt ?? 0) * 1_000) % 1_000 !== 0)
      const isExact = ({ id, expiresAt }: ListedKey) =>
        !context.known.has(id) &&
        (expiresAt === EXPIRY || (expiresAt === down(1) && context.grid >= 1_000 && !isFine))
      const isInWindow = ({ createdAt }: ListedKey) => {
        const offs = [0, ...[context.dateSkew, context.skew].filter((skew) => skew !== null)].map((skew) => {
          const from = NOW + skew
          const slack = skew === 0 ? 65_000 : 5_000
          return createdAt !== null && createdAt >= from - slack && createdAt <= from + 25_000 + slack
        })
        return offs.includes(true)
      }
      expect(list.filter((key) => isExact(key) && isInWindow(key))).toEqual([result.key])
    }),
    { numRuns: 500 },
  )
})

test('another run’s key on a grid of 10 ms or coarser is never found, whatever was asked for', () => {
  const situation = fc.record({
    grid: fc.constantFrom<Grid>('10 ms', '1/300 s', '1 s', '1 min'),
    rounding: fc.constantFrom('floor', 'round' as const),
    precision: fc.constantFrom(...PRECISIONS_US),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    apart: fc.integer({ min: -20, max: 20 }),
  })
  fc.assert(
    fc.property(situation, ({ grid, rounding, precision, random, apart }) => {
      const sent = { now: NOW, skew: 0, lifetime: HOUR_MS, timeout: 10_000, precision, random }
      const asked = createIntent(sent)
      const stored = quantize(asked.expiry + apart, grid, rounding)
      expect(kindOf([ours({ expiresAt: stored })], {}, asked)).not.toBe('found')
    }),
    { numRuns: 2_000 },
  )
})
