import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatExactly, parseTime } from '../../src/util/instant.ts'

const AT = Date.parse('2027-01-01T00:00:00.123Z')
const SECOND = Date.parse('2027-01-01T00:00:00Z')
const MINUTE_MS = 60_000

describe('one instant in many spellings', () => {
  test.each<[unknown, number]>([
    // RFC 3339 and extended ISO 8601.
    ['2027-01-01T00:00:00.123Z', AT],
    ['2027-01-01T00:00:00.123000Z', AT],
    ['2027-01-01T00:00:00.123000000Z', AT],
    ['2027-01-01t00:00:00.123z', AT],
    ['2027-01-01 00:00:00.123Z', AT],
    ['2027-01-01T00:00:00,123Z', AT],
    ['2027-01-01T00:00:00Z', SECOND],
    ['2027-01-01T00:00Z', SECOND],
    ['2027-01-01T00Z', SECOND],
    ['2027-01-01', SECOND],
    ['  2027-01-01T00:00:00Z\n', SECOND],
    // Offsets: with and without colon, hours alone, as PostgreSQL prints them, with a true minus sign.
    ['2027-01-01T01:00:00.123+01:00', AT],
    ['2027-01-01T05:30:00.123+05:30', AT],
    ['2026-12-31T20:30:00.123-03:30', AT],
    ['2026-12-31T18:30:00.123000-0530', AT],
    ['2027-01-01T02:00:00.123+0200', AT],
    ['2027-01-01 00:00:00.123+00', AT],
    ['2027-01-01 00:00:00.123 +00:00', AT],
    ['2026-12-31T23:00:00.123\u221201:00', AT],
    // Names of UTC, as Rails prints it.
    ['2027-01-01 00:00:00.123 UTC', AT],
    ['2027-01-01 00:00:00 gmt', SECOND],
    // No offset is UTC.
    ['2027-01-01 00:00:00.123', AT],
    ['2027-01-01T00:00:00', SECOND],
    // Basic ISO 8601.
    ['20270101T000000Z', SECOND],
    ['20270101T000000.123Z', AT],
    ['20270101T010000+0100', SECOND],
    ['20270101', SECOND],
    // Week and ordinal dates: 2027-01-01 is the Friday of the last week of 2026.
    ['2026-W53-5T00:00:00Z', SECOND],
    ['2026W535T000000Z', SECOND],
    ['2027-001T00:00:00Z', SECOND],
    ['2027001T000000Z', SECOND],
    ['2028-366T00:00:00Z', Date.parse('2028-12-31T00:00:00Z')],
    // A decimal fraction of the smallest unit that is there.
    ['2027-01-01T00:00.5Z', SECOND + 30_000],
    ['2027-01-01T00,25Z', SECOND + 15 * MINUTE_MS],
    // The end of a day, and a leap second.
    ['2026-12-31T24:00:00Z', SECOND],
    ['2026-12-31T23:59:60Z', SECOND],
    // Seconds and milliseconds since 1970, as numbers and as texts.
    [SECOND / 1000, SECOND],
    [AT / 1000, AT],
    [AT, AT],
    [String(SECOND / 1000), SECOND],
    [String(AT), AT],
  ])('reads %j', (text, at) => {
    expect(parseTime(text)).toEqual({ at, unreadable: null })
  })

  test('keeps microseconds as a fraction of a millisecond', () => {
    const at = (text: string) => parseTime(text).at
    expect(at('2027-01-01T00:00:00.123456Z')).toBeCloseTo(AT + 0.456, 3)
    expect(at('2027-01-01T00:00:00.123456Z')).not.toBe(AT)
    expect(at('2027-01-01T01:00:00,123456+01')).toBe(at('2027-01-01T00:00:00.123456Z'))
    expect(at(String(AT / 1000 + 0.000456))).toBeCloseTo(AT + 0.456, 2)
  })
})

describe('what names no instant', () => {
  // Year 1 is Go's and .NET's word for no time.
  test.each([null, undefined, '', '0001-01-01T00:00:00Z', '0001-01-01', '9999-12-31T23:59:59Z'])(
    'calls %j absent',
    (value) => {
      expect(parseTime(value)).toEqual({ at: null, unreadable: null })
    },
  )

  test.each([
    'never',
    'Fri, 01 Jan 2027 00:00:00 GMT',
    '01/01/2027',
    '2027-13-01T00:00:00Z',
    '2027-02-30T00:00:00Z',
    '2027-02-29',
    '2027-00-10T00:00:00Z',
    '2027-01-01T25:00:00Z',
    '2027-01-01T24:00:01Z',
    '2027-01-01T00:60:00Z',
    '2027-01-01T00:00:61Z',
    'x2027-01-01T00:00:00Z',
    '2027-01-01T00:00:00Zx',
    '2027-01-01T00:00:00.Z',
    '2027',
    true,
    7,
    -1,
    {},
    '0000-01-01',
    '1969-12-31T23:59:59Z',
  ])('calls %j unreadable rather than absent, and says what it was', (value) => {
    expect(parseTime(value)).toEqual({
      at: null,
      unreadable: typeof value === 'object' ? 'an object' : String(value).slice(0, 40),
    })
  })

  test('shows at most 40 characters of what it could not read', () => {
    const words = 'not a time '.repeat(10)
    expect(parseTime(words)).toEqual({ at: null, unreadable: words.slice(0, 40) })
  })

  test('is never most of a key', () => {
    expect(parseTime(`key ${'a1'.repeat(32)}`)).toEqual({ at: null, unreadable: 'key ***' })
  })
})

describe('writing an instant', () => {
  test('uses as many digits as it needs: none, three or six', () => {
    expect(formatExactly(SECOND)).toBe('2027-01-01T00:00:00Z')
    expect(formatExactly(AT)).toBe('2027-01-01T00:00:00.123Z')
    expect(formatExactly(AT + 0.4)).toBe('2027-01-01T00:00:00.123400Z')
    expect(formatExactly(SECOND + 0.001)).toBe('2027-01-01T00:00:00.000001Z')
    expect(formatExactly(SECOND - 0.001)).toBe('2026-12-31T23:59:59.999999Z')
  })

  const FROM = Date.parse('2000-01-01T00:00:00Z')
  const micros = fc
    .integer({ min: 0, max: 100 * 365 * 86_400 })
    .chain((second) =>
      fc.integer({ min: 0, max: 999_999 }).map((micro) => FROM + second * 1000 + micro / 1000),
    )

  test('comes back to the microsecond when it is read', () => {
    fc.assert(
      fc.property(micros, (at) => {
        const read = parseTime(formatExactly(at)).at ?? Number.NaN
        expect(Math.round(read * 1000)).toBe(Math.round(at * 1000))
      }),
    )
  })

  test('comes back in every offset, with a T or a space, a point or a comma', () => {
    const spelling = fc.record({
      at: micros,
      quarters: fc.integer({ min: -48, max: 56 }),
      gap: fc.constantFrom('T', 't', ' '),
      mark: fc.constantFrom('.', ','),
      colon: fc.constantFrom(':', ''),
    })
    fc.assert(
      fc.property(spelling, ({ at, quarters, gap, mark, colon }) => {
        const minutes = Math.abs(quarters) * 15
        const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
        const offset = `${quarters < 0 ? '-' : '+'}${two(minutes / 60)}${colon}${two(minutes % 60)}`
        const local = formatExactly(at + quarters * 15 * MINUTE_MS)
        const text = local.replace('T', gap).replace('.', mark).replace('Z', offset)
        expect(parseTime(text).at).toBeCloseTo(at, 2)
      }),
    )
  })

  test('never throws, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map((text) => JSON.parse(text)),
        ),
        (value) => void parseTime(value),
      ),
    )
  })
})
