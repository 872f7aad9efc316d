import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { CreatedKey } from '../../src/api/parse-response.ts'
import { createIntent, type Intent } from '../../src/protocol/intent.ts'
import {
  type AnswerContext,
  isSendable,
  judgeCreated,
  type Verdict,
} from '../../src/protocol/judge-created.ts'

const NOW = Date.parse('2027-03-01T12:00:00.250Z')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const API_KEY = 'long-lived-key'
const HELD = 'held-short-lived-key'

type Change = Partial<CreatedKey> | ((key: CreatedKey, intent: Intent) => Partial<CreatedKey>)

interface Case {
  /** The server's clock less this machine's, in milliseconds. */
  serverAhead?: number
  expiresIn?: number
  random?: number
  /** What is added to this machine's clock to choose the expiry. */
  skew?: number
  /** `Date` less this machine's clock; by default that of a right server. */
  dateSkew?: number | null
  latency?: number
  precision?: 1 | 1000 | 1_000_000
  /** How the server stores an expiry, in microseconds. */
  store?: (micros: number) => number
  /** What else the answer says than a good one would. */
  key?: Change
}

/** The verdict on the answer that a server gives to one request, where it does not give the one described by `key`. */
function judge(situation: Case = {}): Verdict {
  const { serverAhead = 0, expiresIn = HOUR_MS, skew = 0, latency = 100, store = (at) => at } = situation
  const { precision = 1, random = 0.3 } = situation
  const intent = createIntent({ now: NOW, skew, lifetime: expiresIn, timeout: 10_000, precision, random })
  const key: CreatedKey = {
    token: 'fresh-key',
    id: 'fresh',
    prefix: 'fresh',
    createdAt: NOW + serverAhead + latency / 2,
    expiresAt: store(Math.round(intent.expiry * 1000)) / 1000,
    unreadable: null,
  }
  const { key: change = {} } = situation
  const answered = { ...key, ...(typeof change === 'function' ? change(key, intent) : change) }
  const context: AnswerContext = {
    intent,
    receivedAt: NOW + latency,
    expiresIn,
    tokens: [API_KEY, HELD],
    ids: new Set(['held']),
    dateSkew: situation.dateSkew === undefined ? serverAhead : situation.dateSkew,
    skew,
  }
  return judgeCreated(answered, context)
}

const ACCEPTED: Verdict = { kind: 'accept', warning: null }
const floorTo = (grid: number) => (at: number) => Math.floor(at / grid) * grid
const roundTo = (grid: number) => (at: number) => Math.round(at / grid) * grid
/** SQL Server's datetime: 1/300 s, written with three digits. */
const toThreeHundredths = (at: number) =>
  floorTo(1e6)(at) + Math.round((Math.round((at % 1e6) / (1e6 / 300)) * 10) / 3) * 1000

describe('a key that was made as asked is accepted', () => {
  test.each<[string, Case]>([
    ['at the exact expiry', {}],
    ['without created', { key: { createdAt: null } }],
    ['without created and Date', { key: { createdAt: null }, dateSkew: null }],
    ['without a prefix', { key: { prefix: '' } }],
    ['after 10 s', { latency: 10_000 }],
    [
      'with created that cannot be read, as the expiry proves it',
      { key: { createdAt: null, unreadable: 'created "today"' } },
    ],
    ['by a clock that is 50 s ahead', { serverAhead: 50_000, expiresIn: DAY_MS, random: 0.9 }],
    ['by a clock that is 50 s behind', { serverAhead: -50_000, random: 0.9 }],
    ['1 ms, rounded down', { store: floorTo(1e3) }],
    ['1 ms, rounded', { store: roundTo(1e3) }],
    ['10 ms, rounded down', { store: floorTo(1e4) }],
    ['10 ms, rounded', { store: roundTo(1e4) }],
    ['1/300 s', { store: toThreeHundredths }],
    ['1 s, rounded down', { store: floorTo(1e6) }],
    ['1 s, rounded', { store: roundTo(1e6) }],
    ['1 min, rounded', { store: roundTo(6e7) }],
    ['1 min, rounded down', { store: floorTo(6e7) }],
    ['1 s, rounded up', { store: (us) => Math.ceil(us / 1e6) * 1e6 }],
    ['with the id of a revoked key, and another value', { key: { id: 'held' } }],
    ['whole seconds, asked for after a 400', { precision: 1_000_000 }],
    ['whose expiry the server computed anew, 100 us later', { store: (us) => us + 100 }],
    ['whose expiry the server rounded up to 1 ms', { store: (us) => Math.ceil(us / 1000) * 1000 }],
    [
      'with created 20 s ago on a grid of 1 s, where no Date confirms our clock',
      { dateSkew: null, store: floorTo(1e6), key: { createdAt: NOW - 20_000 } },
    ],
    [
      'by the corrected clock, on a grid of 1 s, without Date',
      { serverAhead: 20 * MINUTE_MS, skew: 20 * MINUTE_MS, dateSkew: null, store: floorTo(1e6) },
    ],
    [
      'by the corrected clock, without created and Date',
      { skew: 2 * MINUTE_MS, dateSkew: null, key: { createdAt: null } },
    ],
    [
      'without created, with a Date that is 50 s behind our clock',
      { dateSkew: -50_000, random: 0.01, key: { createdAt: null } },
    ],
    [
      'without created, with a Date that is 50 s behind the corrected clock',
      { skew: 70_000, dateSkew: 20_000, random: 0.01, key: { createdAt: null } },
    ],
  ])('%s', (_, situation) => {
    expect(judge(situation)).toEqual(ACCEPTED)
  })

  test('on every grid up to a second, by every clock within half a minute, without a warning', () => {
    const situation = fc.record({
      serverAhead: fc.integer({ min: -4_000, max: 29_000 }),
      expiresIn: fc.integer({ min: 15 * MINUTE_MS, max: 5 * DAY_MS }),
      random: fc.double({ min: 0.05, max: 1, maxExcluded: true, noNaN: true }),
      latency: fc.integer({ min: 1, max: 10_000 }),
      store: fc.constantFrom(
        floorTo(1),
        floorTo(1e3),
        roundTo(1e3),
        floorTo(1e4),
        toThreeHundredths,
        floorTo(1e6),
      ),
    })
    fc.assert(fc.property(situation, (options) => expect(judge(options)).toEqual(ACCEPTED)))
  })
})

describe('a key that the request did not make is refused, neither handed on nor revoked', () => {
  test.each<[string, Change, string]>([
    [
      'api-key itself, without an expiry',
      { token: API_KEY, expiresAt: null, createdAt: NOW - 30 * DAY_MS },
      'existed before',
    ],
    ['api-key itself, described as if it were new', { token: API_KEY }, 'existed before'],
    [
      'api-key itself, with an expiry in 40 min',
      { token: API_KEY, expiresAt: NOW + 40 * MINUTE_MS },
      'existed before',
    ],
    ['a key without a usable id, which post has to find in the list', { id: null }, 'no usable id'],
    ['a key that this run holds', { token: HELD }, 'existed before'],
    ['the id of a key that this run made, without a value', { id: 'held', token: null }, 'existed before'],
    ['the description of api-key beside another key', { prefix: 'long-lived' }, 'existed before'],
    ['the description of a held key beside another key', { prefix: 'held-short' }, 'existed before'],
    ['a description that is not the start of the key', { prefix: 'masked-****' }, 'existed before'],
    [
      'the description of api-key without a value, with the expiry that was asked for',
      { token: null, prefix: 'long-lived' },
      'existed before',
    ],
    [
      'the description of a held key without a value, with the expiry that was asked for',
      { token: null, prefix: 'held-short' },
      'existed before',
    ],
    [
      'a key of a month ago that got the expiry that was asked for',
      { createdAt: NOW - 30 * DAY_MS },
      'created 2027-01-30',
    ],
    [
      'a key of 97 min ago that got the expiry that was asked for',
      { createdAt: NOW - 97 * MINUTE_MS },
      'created 2027-03-01T10:23:00.250Z',
    ],
    [
      'a key of 20 s ago without an expiry',
      { createdAt: NOW - 20_000, expiresAt: null },
      'created 2027-03-01T11:59:40.250Z',
    ],
    [
      'a key of 20 s ago whose expiry rounds to ours',
      (_, intent) => ({ createdAt: NOW - 20_000, expiresAt: floorTo(1e6)(intent.expiry * 1000) / 1000 }),
      'created 2027-03-01T11:59:40.250Z',
    ],
    [
      'another run’s key of 20 min ago',
      { createdAt: NOW - 20 * MINUTE_MS, expiresAt: NOW + 40 * MINUTE_MS + 123.456 },
      'created 2027-03-01T11:40:00.250Z',
    ],
    [
      'a key of a month ago without an expiry',
      { createdAt: NOW - 30 * DAY_MS, expiresAt: null },
      'created 2027-01-30',
    ],
    [
      'another run’s fresh key',
      (_, intent) => ({ expiresAt: intent.expiry - 2_345.678 }),
      'not 2027-03-01T12:59:06.249999Z as requested',
    ],
    [
      'a fresh key that expires later than asked',
      (_, intent) => ({ expiresAt: intent.expiry + 7_001 }),
      'as requested',
    ],
    [
      'the answer to an earlier request of this run',
      (_, intent) => ({ createdAt: NOW - 900, expiresAt: intent.expiry - 31_234.567 }),
      'as requested',
    ],
    [
      'a key of another month whose expiry rounds to ours',
      (_, intent) => ({ createdAt: NOW - 30 * DAY_MS, expiresAt: floorTo(1e6)(intent.expiry * 1000) / 1000 }),
      'created 2027-01-30',
    ],
    [
      'a key without expiry and created',
      { createdAt: null, expiresAt: null },
      'whose origin cannot be verified',
    ],
    [
      'a key whose times cannot be read',
      { createdAt: null, expiresAt: null, unreadable: 'expiry "tomorrow"' },
      'whose expiry "tomorrow" cannot be verified',
    ],
    [
      'a key of unknown age with another expiry',
      (_, intent) => ({ createdAt: null, expiresAt: intent.expiry - 60_001 }),
      'as requested',
    ],
    [
      'an expiry in 2020',
      { createdAt: null, expiresAt: Date.parse('2020-01-01T00:00:00Z') },
      'expires 2020-01-01',
    ],
  ])('%s', (_, key, says) => {
    const verdict = judge({ key })
    expect(verdict).toMatchObject({ kind: 'refuse', reason: expect.stringContaining(says) })
  })

  test('the row of api-key without a value is never revoked, whatever its times are', () => {
    const times = fc.record({
      createdAt: fc.option(fc.integer({ min: NOW - DAY_MS, max: NOW + DAY_MS })),
      expires: fc.constantFrom('exactly', 'soon', 'never'),
      prefix: fc.constantFrom(API_KEY.slice(0, 8), API_KEY.slice(0, 4), API_KEY),
    })
    fc.assert(
      fc.property(times, ({ createdAt, expires, prefix }) => {
        const { kind } = judge({
          key: (_, { expiry }) => {
            const expiresAt = expires === 'never' ? null : expires === 'soon' ? NOW + MINUTE_MS : expiry
            return { token: null, prefix, createdAt, expiresAt }
          },
        })
        expect(kind).toBe('refuse')
      }),
    )
  })

  test('a known token is refused whatever else the answer says', () => {
    const anything = fc.record({
      token: fc.constantFrom(API_KEY, HELD),
      id: fc.option(fc.string()),
      prefix: fc.constantFrom('', 'fresh', 'long'),
      createdAt: fc.option(fc.integer({ min: NOW - DAY_MS, max: NOW + DAY_MS })),
      unreadable: fc.option(fc.string()),
    })
    fc.assert(
      fc.property(anything, fc.boolean(), (key, expires) => {
        const verdict = judge({ key: { ...key, ...(!expires && { expiresAt: null }) } })
        expect(verdict.kind).toBe('refuse')
      }),
    )
  })

  test('a key that is neither ours by its expiry nor fresh is never accepted and never revoked', () => {
    const foreign = fc.record({
      age: fc.integer({ min: 71_000, max: 400 * DAY_MS }),
      left: fc.option(fc.integer({ min: 1, max: 400 * DAY_MS })),
    })
    fc.assert(
      fc.property(foreign, ({ age, left }) => {
        const verdict = judge({
          key: (_, intent) => {
            // Not one of the few instants that only our own request could have led to.
            const expiresAt = left === null ? null : intent.expiry + left + 0.5
            return { createdAt: NOW - age, expiresAt }
          },
        })
        expect(verdict.kind).toBe('refuse')
      }),
    )
  })
})

describe('a key of ours that cannot be used is revoked', () => {
  test.each<[string, Change, string]>([
    ['without a value', { token: null }, 'the response holds no key'],
    ['without a value and a prefix', { token: null, prefix: '' }, 'the response holds no key'],
    ['with white space in it', { token: 'fresh key' }, 'not one of 8 to 4096 visible ASCII characters'],
    ['with a line break in it', { token: 'fresh-key\n' }, 'not one of 8 to 4096 visible ASCII characters'],
    [
      'beyond ASCII',
      { token: 'sch\u00fcssel', prefix: 'sch' },
      'not one of 8 to 4096 visible ASCII characters',
    ],
    [
      'of more than 4096 characters',
      { token: 'x'.repeat(4_097), prefix: 'x' },
      'not one of 8 to 4096 visible ASCII characters',
    ],
    ['that never expires', { expiresAt: null }, 'the key never expires, although an expiry was requested'],
    [
      'whose expiry cannot be read',
      { expiresAt: null, unreadable: 'expiry "soon"' },
      'its expiry "soon" cannot be read',
    ],
    [
      'in local time, 5 h west of UTC',
      ({ expiresAt, createdAt }) => shifted(expiresAt, createdAt, -5 * HOUR_MS),
      'off by -5 h',
    ],
    [
      'in local time, 5.5 h east of UTC',
      ({ expiresAt, createdAt }) => shifted(expiresAt, createdAt, 5.5 * HOUR_MS),
      'off by 5.5 h',
    ],
  ])('%s', (_, key, says) => {
    expect(judge({ key })).toMatchObject({ kind: 'revoke', reason: expect.stringContaining(says) })
  })

  test.each([0, 10_000])(
    'that outlives expires-in by more than 5 s, where our clock is corrected by %i ms',
    (skew) => {
      const expiresIn = HOUR_MS + 40_000 - skew
      const verdict = judge({ serverAhead: skew, skew, expiresIn, random: 0, store: roundTo(6e7) })
      expect(verdict).toEqual({ kind: 'revoke', reason: 'the key lives longer than asked' })
    },
  )

  test('in local time on a grid of 1 s', () => {
    const verdict = judge({
      store: floorTo(1e6),
      key: ({ expiresAt, createdAt }) => shifted(expiresAt, createdAt, -5 * HOUR_MS),
    })
    expect(verdict).toMatchObject({ kind: 'revoke', reason: expect.stringContaining('off by -5 h') })
  })

  test('a value of 8 to 4096 characters can be sent, one of fewer, more or other characters cannot', () => {
    for (const length of [8, 4_096]) expect(isSendable('x'.repeat(length))).toBe(true)
    for (const token of [
      '',
      '1234567',
      'x'.repeat(4_097),
      'a b'.repeat(3),
      '\u00e4'.repeat(9),
      'a\u0000'.repeat(9),
    ])
      expect(isSendable(token)).toBe(false)
  })
})

function shifted(expiresAt: number | null, createdAt: number | null, by: number): Partial<CreatedKey> {
  return { expiresAt: (expiresAt ?? 0) + by, createdAt: (createdAt ?? 0) + by }
}

describe('a key made by a wrong clock is replaced', () => {
  test.each<[string, Case, number | null]>([
    ['the runner is 2 min ahead', { serverAhead: -2 * MINUTE_MS }, -2 * MINUTE_MS],
    ['the runner is 2 min behind', { serverAhead: 2 * MINUTE_MS }, 2 * MINUTE_MS],
    [
      'the runner is 10 min behind, and there is no Date',
      { serverAhead: 10 * MINUTE_MS, dateSkew: null },
      10 * MINUTE_MS,
    ],
    [
      'the runner is 10 min behind, and there is no created',
      { serverAhead: 10 * MINUTE_MS, key: { createdAt: null } },
      10 * MINUTE_MS,
    ],
    [
      'the runner is 10 min ahead, and there is no created',
      { serverAhead: -10 * MINUTE_MS, key: { createdAt: null } },
      -10 * MINUTE_MS,
    ],
    ['the runner is 58 s ahead of a key of 1 min', { serverAhead: -58_000, expiresIn: MINUTE_MS }, -58_000],
    ['the runner is 58.5 s behind a key of 1 min', { serverAhead: 58_500, expiresIn: MINUTE_MS }, 58_500],
    [
      'Date is a month ahead, and created shows the runner 5 min behind',
      { serverAhead: 5 * MINUTE_MS, dateSkew: 30 * DAY_MS },
      5 * MINUTE_MS,
    ],
    [
      'created shows the runner 50 s ahead, and Date does not',
      { serverAhead: -50_000, dateSkew: 0, random: 0.01 },
      -50_000,
    ],
    [
      'the clock that was corrected was wrong',
      { skew: 2 * HOUR_MS, serverAhead: 0, dateSkew: 2 * HOUR_MS },
      0,
    ],
  ])('because %s', (_, situation, skew) => {
    const verdict = judge(situation)
    expect(verdict.kind).toBe('replace')
    if (verdict.kind !== 'replace' || skew === null) return
    expect(Math.abs(verdict.skew - skew)).toBeLessThan(1_000)
  })

  test('with the skew of a Date less half a second and half the latency, where there is no created', () => {
    const verdict = judge({ serverAhead: 600_000, latency: 2_000, key: { createdAt: null } })
    expect(verdict).toEqual({ kind: 'replace', skew: 598_500 })
  })

  test('and by the corrected clock, the next one is accepted', () => {
    for (const serverAhead of [-3 * HOUR_MS, -2 * MINUTE_MS, 2 * MINUTE_MS, 23 * HOUR_MS]) {
      for (const createdAt of [undefined, null]) {
        const first = judge({ serverAhead, ...(createdAt === null && { key: { createdAt } }) })
        if (first.kind !== 'replace') throw new Error(`expected a replacement, not ${first.kind}`)
        const next = judge({
          serverAhead,
          skew: first.skew,
          ...(createdAt === null && { key: { createdAt } }),
        })
        expect(next).toEqual(ACCEPTED)
      }
    }
  })
})

describe('an expiry that fits in another time zone by chance', () => {
  const OTHER: Verdict = { kind: 'refuse', isKnown: false, reason: expect.anything() as unknown as string }

  test.each([-5 * HOUR_MS, 0.5 * HOUR_MS])('does not make a key ours: of whole minutes, %i ms off', (off) => {
    const store = floorTo(6e7)
    expect(judge({ store, key: ({ expiresAt, createdAt }) => shifted(expiresAt, createdAt, off) })).toEqual(
      OTHER,
    )
  })

  test('does not make a key ours: of whole seconds, without created', () => {
    const key: Change = ({ expiresAt }) => ({ expiresAt: Number(expiresAt) - 5 * HOUR_MS, createdAt: null })
    expect(judge({ store: floorTo(1e6), key })).toEqual(OTHER)
    expect(judge({ key })).toMatchObject({ kind: 'revoke' })
  })

  test('is no reason to call the times of a capped key local', () => {
    const key: Change = ({ createdAt }) => ({ expiresAt: Number(createdAt) + 30 * MINUTE_MS })
    const verdict = judge({ random: 0, key, store: floorTo(6e7) })
    expect(verdict).toMatchObject({ kind: 'accept', warning: expect.stringContaining('30 min') })
  })
})

test('a key of another time is said to be that, or ours by a wrong clock where no Date confirms it', () => {
  const reasonBeside = (dateSkew: number | null) => {
    const verdict = judge({ dateSkew, key: { createdAt: NOW - 20 * MINUTE_MS } })
    return verdict.kind === 'refuse' ? verdict.reason : verdict.kind
  }
  expect(reasonBeside(0)).toMatch(/created \S+Z$/)
  expect(reasonBeside(null)).toMatch(/created \S+Z, or this runner's clock is wrong$/)
})

describe('created outranks Date', () => {
  test.each([2 * HOUR_MS, -2 * HOUR_MS, 23 * HOUR_MS, MINUTE_MS])(
    'a Date that is %i ms off does not matter if created is right',
    (dateSkew) => {
      expect(judge({ dateSkew })).toEqual(ACCEPTED)
    },
  )

  const OFF = [-30 * DAY_MS, -20 * MINUTE_MS, -11 * MINUTE_MS, -2 * MINUTE_MS, 2 * MINUTE_MS, 67.1 * HOUR_MS]
  const ZONES = [-5, -0.75, -0.25, 5.5, 9].map((hours) => hours * HOUR_MS)

  test.each([...OFF, ...ZONES])(
    'a created that is %i ms off is of another key, if Date and our clock agree',
    (off) => {
      const verdict = judge({ dateSkew: 0, key: { createdAt: NOW + off } })
      expect(verdict).toMatchObject({ kind: 'refuse', isKnown: false })
    },
  )

  test.each(OFF)(
    'a created that is %i ms off, where no Date agrees with our clock, shows a clock if it is later',
    (off) => {
      for (const dateSkew of [null, 5 * MINUTE_MS]) {
        const verdict = judge({ dateSkew, key: { createdAt: NOW + off } })
        expect(verdict.kind).toBe(off < 0 ? 'refuse' : 'replace')
      }
    },
  )

  test('by the server’s clock, no accepted key lives more than 5 s longer than expires-in', () => {
    const situation = fc.record({
      serverAhead: fc.integer({ min: -30 * MINUTE_MS, max: 30 * MINUTE_MS }),
      expiresIn: fc.constantFrom(MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 5 * DAY_MS),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      latency: fc.integer({ min: 1, max: 10_000 }),
      dateSkew: fc.option(fc.integer({ min: MINUTE_MS, max: 2 * DAY_MS })),
      skew: fc.constantFrom(0, -30 * MINUTE_MS, 30 * MINUTE_MS, 12_345),
      store: fc.constantFrom(floorTo(1), floorTo(1e3), roundTo(1e6), roundTo(6e7)),
    })
    fc.assert(
      fc.property(situation, (options) => {
        let left = 0
        const verdict = judge({
          ...options,
          key: ({ createdAt, expiresAt }) => {
            left = (expiresAt ?? 0) - (createdAt ?? 0)
            return {}
          },
        })
        if (verdict.kind === 'accept') expect(left).toBeLessThanOrEqual(options.expiresIn + 5_000)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a server that keeps whole minutes', () => {
  const minutes = { expiresIn: MINUTE_MS, store: floorTo(6e7) }

  test('has a key accepted that lives for seconds, with a warning that does not blame the clock', () => {
    expect(judge({ ...minutes, serverAhead: 45_000, skew: 45_000 })).toEqual({
      kind: 'accept',
      warning: "The API shortened the key's lifetime to 0.2 min; expires-in is 1 min.",
    })
  })

  test('has a key revoked that has already expired', () => {
    expect(judge(minutes)).toEqual({ kind: 'revoke', reason: 'the key had expired when it arrived' })
  })
})

describe('an API that limits lifetimes', () => {
  const cappedAt =
    (minutes: number, more: Partial<CreatedKey> = {}): Change =>
    ({ createdAt }) => ({
      expiresAt: (createdAt ?? 0) + minutes * MINUTE_MS,
      ...more,
    })

  test.each([1, 10, 15, 30])(
    'to %i min has its key accepted, with a warning that says how long it lives',
    (minutes) => {
      expect(judge({ key: cappedAt(minutes) })).toEqual({
        kind: 'accept',
        warning: `The API shortened the key's lifetime to ${minutes} min; expires-in is 60 min.`,
      })
    },
  )

  test.each([10_000, -40_000])(
    'is not taken for a wrong clock where that is %i ms off: another request would change nothing',
    (serverAhead) => {
      expect(judge({ serverAhead, key: cappedAt(10) })).toEqual({
        kind: 'accept',
        warning: "The API shortened the key's lifetime to 10 min; expires-in is 60 min.",
      })
    },
  )

  test('is recognized by the second clock reading that it may take, a millisecond off', () => {
    for (const off of [-1, -0.004, 0.004, 1])
      expect(
        judge({ key: ({ createdAt }) => ({ expiresAt: (createdAt ?? 0) + 10 * MINUTE_MS + off }) }).kind,
      ).toBe('accept')
  })

  test.each<[string, Change]>([
    ['created long ago', cappedAt(10, { createdAt: NOW - 20 * MINUTE_MS })],
    ['of unknown age', (_, intent) => ({ createdAt: null, expiresAt: intent.expiry - 31 * MINUTE_MS })],
    [
      'of a lifetime that is no whole number of minutes',
      ({ createdAt }) => ({ expiresAt: (createdAt ?? 0) + 10 * MINUTE_MS + 1_234 }),
    ],
    ['of a lifetime above the one asked for', cappedAt(120)],
    ['of less than a minute', cappedAt(0)],
  ])('is not assumed for a key %s', (_, key) => {
    expect(judge({ key }).kind).toBe('refuse')
  })
})

describe('a key that had expired when it arrived', () => {
  test('is not accepted, whichever clock is right', () => {
    for (const serverAhead of [59_900, 2 * MINUTE_MS, DAY_MS])
      expect(judge({ serverAhead, expiresIn: MINUTE_MS }).kind).not.toBe('accept')
  })

  test('is not accepted on a grid that rounds its lifetime to zero', () => {
    const verdict = judge({ expiresIn: MINUTE_MS, store: floorTo(6e7), random: 0.99 })
    expect(verdict.kind).not.toBe('accept')
  })
})
