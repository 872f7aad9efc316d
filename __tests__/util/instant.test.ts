import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatExactly, formatInstant, parseTime } from '../../src/util/instant.ts'
import { SEED } from '../support/seed.ts'

const AT = Date.parse('2027-01-01T00:00:00.123Z')

describe('parseTime', () => {
  test.each([
    '2027-01-01T00:00:00.123Z',
    '2027-01-01T00:00:00.123000Z',
    '2027-01-01T01:00:00.123+01:00',
    '2027-01-01T01:00:00.123+01',
    '2026-12-31T18:30:00.123000-0530',
    '2027-01-01 00:00:00.123',
    '2027-01-01t00:00:00,123z',
    '2027-01-01 00:00:00.123 UTC',
    '20270101T000000.123Z',
    '2026-W53-5T00:00:00.123Z',
    '2027-001T00:00:00.123Z',
    '2027-01-01T00:00:00.123000000Z',
    1_798_761_600.123,
    1_798_761_600_123,
    '1798761600123',
  ])('reads %j as one and the same instant', (value) => {
    expect(parseTime(value)).toEqual({ kind: 'instant', at: AT })
  })

  test('keeps microseconds, and a second without a fraction', () => {
    expect(parseTime('2027-01-01T00:00:00.123456Z')).toEqual({
      kind: 'instant',
      at: expect.closeTo(AT + 0.456, 3),
    })
    expect(parseTime('2027-01-01T00:00:00Z')).toEqual({ kind: 'instant', at: AT - 123 })
  })

  test.each([null, undefined, ''])('finds no time in %j', (value) => {
    expect(parseTime(value)).toEqual({ kind: 'absent' })
  })

  test.each([7, 'never', '2027-13-01T00:00:00Z', '2027-02-30T00:00:00Z', 'x2027-01-01T00:00:00Z'])(
    'cannot read %j, and quotes it',
    (value) => {
      expect(parseTime(value)).toEqual({ kind: 'unreadable', text: String(value) })
    },
  )

  test('quotes no more than 40 characters of what it cannot read', () => {
    expect(parseTime('x'.repeat(100))).toEqual({ kind: 'unreadable', text: 'x'.repeat(40) })
  })

  test('reads what formatInstant and formatExactly write', () => {
    const valid = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(valid, (date) => {
        for (const format of [formatInstant, formatExactly])
          expect(parseTime(format(date.getTime()))).toEqual({ kind: 'instant', at: date.getTime() })
      }),
      { seed: SEED },
    )
  })
})

test.each([
  [AT, '2027-01-01T00:00:00.123Z'],
  [AT + 0.456, '2027-01-01T00:00:00.123456Z'],
  [AT - 123, '2027-01-01T00:00:00Z'],
])('formatExactly writes %d with as many digits as it needs', (instant, text) => {
  expect(formatExactly(instant)).toBe(text)
})
