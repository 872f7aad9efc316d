import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  createIntent,
  fitOf,
  gridBetween,
  type Intent,
  type IntentOptions,
  isCapped,
  isOnCoarseGrid,
  isWithin,
  PRECISIONS_US,
  type Precision,
  withoutZone,
} from '../../src/protocol/intent.ts'
import { gridShownBy } from '../../src/protocol/match-intent.ts'
import { formatExactly, parseTime } from '../../src/util/instant.ts'

const NOW = Date.parse('2027-03-01T12:00:00.250Z')
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const micros = (at: number) => Math.round(at * 1000)

const intentFor = (more: Partial<IntentOptions> = {}) =>
  createIntent({ now: NOW, skew: 0, lifetime: HOUR_MS, timeout: 10_000, precision: 1, random: 0.3, ...more })

const anyPrecision = fc.constantFrom<Precision>(...PRECISIONS_US)
const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const anyOptions = fc.record({
  now: fc.integer({ min: NOW, max: NOW + 10 * HOUR_MS }),
  skew: fc.integer({ min: -24 * HOUR_MS, max: 24 * HOUR_MS }),
  lifetime: fc.integer({ min: MINUTE_MS, max: 5 * 24 * HOUR_MS }),
  timeout: fc.integer({ min: 1, max: 10_000 }),
  precision: anyPrecision,
  random: anyRandom,
})

describe('createIntent', () => {
  test('asks for the lifetime by the server’s clock, less a random part of it', () => {
    expect(intentFor({ random: 0 }).expiry).toBeCloseTo(NOW + HOUR_MS - 0.001, 3)
    expect(intentFor({ random: 0, skew: -90_000 }).expiry).toBeCloseTo(NOW - 90_000 + HOUR_MS - 0.001, 3)
    expect(intentFor({ random: 0.4 }).expiry).toBeCloseTo(NOW + HOUR_MS * 0.98 - 0.001, 3)
    expect(intentFor({ random: 0.999999 }).expiry).toBeCloseTo(NOW + HOUR_MS * 0.95, -3)
  })

  test('records when the request is sent and until when its response is waited for, by this machine’s clock', () => {
    expect(intentFor({ skew: 5_000 })).toMatchObject({
      sentAt: NOW,
      deadline: NOW + 10_000,
      refused: '',
    })
  })

  test('never asks for a longer lifetime than expires-in, nor for one that is more than 5% and a second shorter', () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const { now, skew, lifetime, precision } = options
        const { expiry } = createIntent(options)
        const asked = micros(expiry) - (now + skew) * 1000
        expect(asked).toBeLessThanOrEqual(lifetime * 1000)
        expect(asked).toBeGreaterThanOrEqual(lifetime * 950 - 2 * precision - 1)
      }),
    )
  })

  test('asks for as many digits as the precision says, and never lands on a coarser one by chance', () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const asked = micros(createIntent(options).expiry)
        expect(asked % options.precision).toBe(0)
        if (options.precision === 1) expect(asked % 1000).not.toBe(0)
        if (options.precision === 1000) expect(isOnCoarseGrid(asked / 1000)).toBe(false)
      }),
    )
    // 54,001.8 ms less, and on no coarse grid.
    expect(intentFor({ random: 0.30001, precision: 1000 }).expiry).toBe(NOW + HOUR_MS - 54_002)
    // Without random, now and lifetime are whole milliseconds, and a whole second here.
    expect(micros(intentFor({ random: 0 }).expiry)).toBe((NOW + HOUR_MS) * 1000 - 1)
    expect(intentFor({ random: 0, now: NOW - 250, precision: 1000 }).expiry).toBe(NOW - 250 + HOUR_MS - 1)
    expect(intentFor({ random: 0, precision: 1_000_000 }).expiry).toBe(NOW - 250 + HOUR_MS)
  })

  test('spreads 10,000 requests of one instant evenly over 5% of the lifetime, in microseconds', () => {
    const expiries = Array.from(
      { length: 10_000 },
      (_, index) => intentFor({ random: index / 10_000 }).expiry,
    )
    expect(new Set(expiries.map(micros)).size).toBe(10_000)
    const tenth = (0.05 * HOUR_MS) / 10
    const counts = Array.from({ length: 10 }, () => 0)
    for (const expiry of expiries) {
      const bucket = Math.min(9, Math.floor((NOW + HOUR_MS - expiry) / tenth))
      counts[bucket] = (counts[bucket] ?? 0) + 1
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThanOrEqual(1)
  })

  test('uses every microsecond of a millisecond but the first', () => {
    const draws = Array.from({ length: 20_000 }, (_, index) => (index * 0.6180339887) % 1)
    const used = new Set(draws.map((random) => micros(intentFor({ random }).expiry) % 1000))
    expect(used.size).toBe(999)
    expect(used).not.toContain(0)
  })

  test('uses every millisecond of random, not just its first digits', () => {
    const [one, two] = [intentFor({ random: 0.5 }), intentFor({ random: 0.5 + 1e-7 })]
    expect(one.expiry).not.toBe(two.expiry)
  })
})

/** How servers store what they are asked for, and the grid that each should be seen to have, in microseconds. */
const GRIDS = [
  { name: '1 us', grid: 1, store: (asked: number) => asked },
  { name: '1 ms, rounded down', grid: 1000, store: (asked: number) => Math.floor(asked / 1000) * 1000 },
  { name: '1 ms, rounded', grid: 1000, store: (asked: number) => Math.round(asked / 1000) * 1000 },
  {
    name: '10 ms, rounded down',
    grid: 10_000,
    store: (asked: number) => Math.floor(asked / 10_000) * 10_000,
  },
  { name: '10 ms, rounded', grid: 10_000, store: (asked: number) => Math.round(asked / 10_000) * 10_000 },
  { name: '1/300 s, written with three digits', grid: 10_000, store: toThreeHundredths },
  { name: '1 s, rounded down', grid: 1_000_000, store: (asked: number) => Math.floor(asked / 1e6) * 1e6 },
  { name: '1 s, rounded', grid: 1_000_000, store: (asked: number) => Math.round(asked / 1e6) * 1e6 },
  { name: '1 min, rounded down', grid: 60_000_000, store: (asked: number) => Math.floor(asked / 6e7) * 6e7 },
  { name: '1 min, rounded', grid: 60_000_000, store: (asked: number) => Math.round(asked / 6e7) * 6e7 },
]

/** SQL Server's datetime, which counts 1/300 s and is written as .000, .003 and .007. */
function toThreeHundredths(asked: number): number {
  const tick = Math.round((asked % 1e6) / (1e6 / 300))
  return Math.floor(asked / 1e6) * 1e6 + Math.round((tick * 10) / 3) * 1000
}

/** An expiry in microseconds that createIntent chose. */
const anyAsked = anyOptions.map((options) => micros(createIntent({ ...options, precision: 1 }).expiry))

describe.each(GRIDS)('a server that keeps $name', ({ grid, store }) => {
  test('turns what it is asked into something that fits its grid', () => {
    fc.assert(
      fc.property(anyAsked, (asked) => {
        const seen = gridBetween(asked / 1000, store(asked) / 1000)
        expect(seen).not.toBeNull()
        expect(seen).toBeLessThanOrEqual(grid)
      }),
    )
  })

  test('is never thought to keep more than it does', () => {
    fc.assert(
      fc.property(fc.array(anyAsked), (asked) => {
        const keys = asked.map((expiry) => ({ expiresAt: store(expiry) / 1000 }))
        expect(gridShownBy(keys)).toBeGreaterThanOrEqual(grid)
      }),
    )
  })

  test('is recognized within 200 answers if it keeps milliseconds or more; else it may do anything', () => {
    const keys = Array.from({ length: 200 }, (_, index) => {
      const asked = micros(intentFor({ random: (index * 0.6180339887) % 1 }).expiry)
      return { expiresAt: store(asked) / 1000 }
    })
    expect(gridShownBy([...keys, { expiresAt: null }])).toBe(grid > 1000 ? Infinity : grid)
  })
})

const ASKED = 1_803_902_400_005.718
test.each<[string, { expiresAt: number | null; asked?: number }[], number]>([
  ['no key may do anything', [], Infinity],
  ['no expiry may keep minutes', [{ expiresAt: null }], 60_000_000],
  ['what was asked may only repeat it, and keep minutes', [{ expiresAt: 5.718, asked: 5.718 }], 60_000_000],
  [
    'one computed anew, beside one of fewer digits, computes it anew',
    [
      { expiresAt: 5, asked: 5.718 },
      { expiresAt: 5.719, asked: 5.718 },
    ],
    Infinity,
  ],
  ['fewer digits than were asked keeps these', [{ expiresAt: 5, asked: 5.718 }], 1_000],
  ['a microsecond more than was asked computes it anew', [{ expiresAt: 5.719, asked: 5.718 }], Infinity],
  [
    'what was asked in local time may only repeat it',
    [{ expiresAt: ASKED + 7_200_000, asked: ASKED }],
    60_000_000,
  ],
  ['such digits in local time keeps these too', [{ expiresAt: 7_200_006, asked: 5.718 }], 1_000],
  ['microseconds in a list keeps them', [{ expiresAt: 5.718 }], 1],
])('a server that shows %s', (_, keys, grid) => {
  expect(gridShownBy(keys)).toBe(grid)
})

test('an expiry that the server only repeats shows no grid, however its digits are rounded in binary', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_400_000_000 }), (micros) => {
      const asked = NOW + micros / 1000
      for (const text of [formatExactly(asked), (asked / 1000).toFixed(6)]) {
        expect(gridShownBy([{ asked, expiresAt: parseTime(text).at }])).toBe(60_000_000)
      }
    }),
  )
})

describe('fitOf', () => {
  const intent: Intent = {
    expiry: NOW + HOUR_MS + 1.123,
    sentAt: NOW,
    deadline: NOW + 10_000,
    refused: '',
  }
  const at = (text: string) => Date.parse(text)
  /** Down to the millisecond; no coarse grid has a last digit of 1. */
  const EXPIRY = NOW + HOUR_MS + 1

  test.each<[string, number, number, 'exact' | 'near' | 'none']>([
    ['the same microsecond', EXPIRY + 0.123, 1, 'exact'],
    ['one microsecond more, on a server that may compute it anew', EXPIRY + 0.124, Infinity, 'near'],
    ['one microsecond less, on such a server', EXPIRY + 0.122, Infinity, 'near'],
    ['one microsecond more, on a grid of 1 ms', EXPIRY + 0.124, 1000, 'none'],
    ['almost 50 ms more', EXPIRY + 50.122, Infinity, 'near'],
    ['50 ms more', EXPIRY + 50.124, Infinity, 'none'],
    ['the millisecond, on an unknown grid', EXPIRY, Infinity, 'exact'],
    ['the millisecond, on a grid of 1 ms', EXPIRY, 1000, 'exact'],
    ['the millisecond, on a grid of 1 us', EXPIRY, 1, 'none'],
    ['the next millisecond', EXPIRY + 1, Infinity, 'near'],
    ['the millisecond before', EXPIRY - 1, 1000, 'none'],
    ['the second, on an unknown grid', at('2027-03-01T13:00:00Z'), Infinity, 'near'],
    ['the second, on a grid of 1 s', at('2027-03-01T13:00:00Z'), 1_000_000, 'near'],
    ['the second, on a grid of 10 ms', at('2027-03-01T13:00:00Z'), 10_000, 'none'],
    ['the next second, to which some servers round up', at('2027-03-01T13:00:01Z'), Infinity, 'near'],
    ['the second after the next', at('2027-03-01T13:00:02Z'), Infinity, 'none'],
    ['another hour', EXPIRY + HOUR_MS, Infinity, 'none'],
  ])('judges %s', (_, stored, grid, fit) => {
    expect(fitOf(intent, stored, grid)).toBe(fit)
  })

  test('rounds half of a grid up, and never down by the whole of it', () => {
    expect(gridBetween(NOW - 0.5, NOW)).toBe(1_000)
    expect(gridBetween(NOW + 1, NOW)).toBe(10_000)
  })

  test('rounds to the nearest 10 ms, second and minute', () => {
    const late = { ...intent, expiry: at('2027-03-01T13:00:40.996Z') + 0.5 }
    expect(fitOf(late, at('2027-03-01T13:00:41.000Z'), 10_000)).toBe('near')
    expect(fitOf(late, at('2027-03-01T13:00:41Z'), 1_000_000)).toBe('near')
    expect(fitOf(late, at('2027-03-01T13:01:00Z'), 60_000_000)).toBe('near')
    expect(fitOf(late, at('2027-03-01T13:00:00Z'), 60_000_000)).toBe('near')
    expect(fitOf(late, at('2027-03-01T13:02:00Z'), 60_000_000)).toBe('none')
  })

  test('never calls a whole second exact, as every run that asks without fractions asks for those', () => {
    const coarse = { ...intent, expiry: at('2027-03-01T13:00:00Z') }
    for (const grid of [1, 1000, Infinity]) expect(fitOf(coarse, coarse.expiry, grid)).toBe('near')
  })

  test('does not call a millisecond exact that a coarser server would store as well, unless the grid is known', () => {
    const coarse = { ...intent, expiry: at('2027-03-01T13:00:00.253Z') + 0.4 }
    for (const [grid, fit] of [
      [Infinity, 'near'],
      [10_000, 'near'],
      [1_000, 'exact'],
      [1, 'none'],
    ] as const)
      expect(fitOf(coarse, at('2027-03-01T13:00:00.253Z'), grid)).toBe(fit)
  })

  test('is exact for what a server that keeps up to 1 ms stores, unless a coarser one might, and for nothing else', () => {
    const nearby = anyAsked.chain((asked) =>
      fc.tuple(
        fc.constant(asked),
        fc.oneof(
          fc.constantFrom(asked, Math.floor(asked / 1_000) * 1_000, Math.round(asked / 1_000) * 1_000),
          fc.integer({ min: asked - 2_000, max: asked + 2_000 }),
        ),
      ),
    )
    fc.assert(
      fc.property(nearby, ([asked, stored]) => {
        const lost = asked - stored
        const isMillisecond = stored % 1_000 === 0 && lost < 1_000 && lost >= -500
        const isCoarse = [0, 3_000, 7_000].includes(stored % 10_000)
        const fit = fitOf({ ...intent, expiry: asked / 1_000 }, stored / 1_000, Infinity)
        expect(fit === 'exact').toBe(stored === asked || (isMillisecond && !isCoarse))
      }),
      { numRuns: 500 },
    )
  })
})

describe('withoutZone', () => {
  const { expiry, ...rest } = intentFor()
  const intent = { expiry, ...rest }
  const zoneOf = (expiresAt: number | null) => withoutZone({ createdAt: NOW, expiresAt }, intent).zone

  test.each([1, -5, 5.5, 5.75, -12, 14])('recognizes local times %s h from UTC', (hours) => {
    expect(zoneOf(expiry + hours * HOUR_MS)).toBe(hours * HOUR_MS)
    expect(zoneOf(Math.floor(expiry) + hours * HOUR_MS)).toBe(hours * HOUR_MS)
  })

  test.each([
    ['no shift', 0],
    ['ten minutes', 10 * MINUTE_MS],
    ['more than any zone', 14.25 * HOUR_MS],
    ['an hour and 200 ms', HOUR_MS + 200],
  ])('sees none in %s', (_, offset) => {
    expect(zoneOf(expiry + offset)).toBe(0)
  })

  test('sees none where there is no expiry', () => {
    expect(zoneOf(null)).toBe(0)
  })
})

describe('isWithin', () => {
  const window = { from: NOW, to: NOW + 10_000 }

  test.each<[string, number, (number | null)[], boolean]>([
    ['65 s early by our clock', NOW - 65_000, [null], true],
    ['more than 65 s early by our clock', NOW - 65_001, [null], false],
    ['65 s late by our clock', NOW + 75_000, [], true],
    ['more than 65 s late by our clock', NOW + 75_001, [], false],
    ['5 s early by a server’s clock', NOW + 600_000 - 5_000, [null, 600_000], true],
    ['more than 5 s early by a server’s clock', NOW + 600_000 - 5_001, [600_000, null], false],
    ['5 s late by a server’s clock', NOW + 600_000 + 15_000, [600_000], true],
    ['more than 5 s late by a server’s clock', NOW + 600_000 + 15_001, [600_000], false],
    ['right by the second of two clocks', NOW - 3 * HOUR_MS, [600_000, -3 * HOUR_MS], true],
  ])('%s', (_, created, skews, within) => {
    expect(isWithin(created, { ...window, skews })).toBe(within)
  })
})

test('a creation that is not known is within no window', () => {
  expect(isWithin(null, { from: 0, to: 0, skews: [0] })).toBe(false)
})

test.each([
  ['a local time 2 h ahead', NOW + 2 * HOUR_MS + 5_000, true],
  ['a local time 14 h behind', NOW - 14 * HOUR_MS + 5_000, true],
  ['no time zone', NOW + 14.25 * HOUR_MS + 5_000, false],
  ['an hour and ten minutes ahead, which no time zone is', NOW + HOUR_MS + 10 * MINUTE_MS, false],
])('in any zone, a window contains %s: %s', (_, created, within) => {
  const window = { from: NOW, to: NOW + 10_000, skews: [] }
  expect(isWithin(created, { ...window, inAnyZone: true })).toBe(within)
  expect(isWithin(created, window)).toBe(false)
})

describe('isCapped', () => {
  const intent = intentFor()
  const created = NOW + 50
  const minutes = (count: number) => count * MINUTE_MS
  const longest = Math.floor((intent.expiry - created) / MINUTE_MS)

  test.each<[string, number | null, number | null, boolean]>([
    ['a whole number of minutes is a limit', created, created + minutes(10), true],
    ['one minute is a limit', created, created + minutes(1), true],
    ['50 ms off is still one', created, created + minutes(10) - 50, true],
    ['more than 50 ms off is none', created, created + minutes(10) - 50.001, false],
    ['a lifetime that ends after the expiry asked for is none', created, created + minutes(60), false],
    [
      'a limit by a clock that is 20 min behind ours is one',
      created - minutes(20),
      created + minutes(longest),
      true,
    ],
    ['a limit in local time is one', created + minutes(540), created + minutes(550), true],
    ['a lifetime from an unknown creation is none', null, minutes(10), false],
    ['a key without an expiry has none, even from before 1970', -minutes(10), null, false],
  ])('%s', (_, createdAt, expiresAt, capped) => {
    expect(isCapped({ createdAt, expiresAt }, intent)).toBe(capped)
  })
})
