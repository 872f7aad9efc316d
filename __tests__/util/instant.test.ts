import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatInstant, parseInstant } from '../../src/util/instant.ts'

const AT = Date.parse('2027-01-01T00:00:00.123Z')

describe('one instant in many spellings', () => {
  test.each([
    '2027-01-01T00:00:00.123Z',
    '2027-01-01T00:00:00.123000Z',
    '2027-01-01T01:00:00.123+01:00',
    '2026-12-31T18:30:00.123000-0530',
    '2027-01-01 00:00:00.123',
    '2027-01-01T00:00:00.123000000Z',
  ])('%s', (text) => {
    expect(parseInstant(text)).toBe(AT)
  })

  test('and those that are another one', () => {
    expect(parseInstant('2027-01-01T00:00:00.123456Z')).toBeCloseTo(AT + 0.456, 3)
    expect(parseInstant('2027-01-01T00:00:00.123456Z')).not.toBe(AT)
    expect(parseInstant('2027-01-01T00:00:00Z')).toBe(AT - 123)
  })

  test.each([
    null,
    undefined,
    7,
    '',
    'never',
    '2027-01-01',
    '2027-13-01T00:00:00Z',
    '2027-01-01T00:00Z',
    'x2027-01-01T00:00:00Z',
    '2027-01-01T00:00:00Zx',
  ])('none: %j', (text) => {
    expect(parseInstant(text)).toBeNull()
  })
})

test('written and read again', () => {
  const valid = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  fc.assert(
    fc.property(valid, (date) => expect(parseInstant(formatInstant(date.getTime()))).toBe(date.getTime())),
  )
})
