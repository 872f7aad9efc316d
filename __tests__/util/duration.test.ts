import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import ms from 'ms'
import { parseDuration } from '../../src/util/duration.ts'
import { SEED } from '../support/seed.ts'

test.each<[string, number | null]>([
  ['90s', 90_000],
  ['15m', 900_000],
  ['1.5h', 5_400_000],
  ['.5 hours', 1_800_000],
  ['2 days', 172_800_000],
  ['-1h', -3_600_000],
  ['10', null],
  ['', null],
  ['h', null],
  ['1.h', null],
  ['1h30m', null],
  ['1 month', null],
  // As a date pattern, M means months.
  ['1M', null],
  ['2 DAYS', null],
  ['1hs', null],
  [' 1h', null],
  ['1h ', null],
])('parseDuration reads %j as %s ms', (text, duration) => {
  expect(parseDuration(text)).toBe(duration)
})

test('parseDuration agrees with the package ms on any number with a unit in lowercase', () => {
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }).map(String),
    fc.constantFrom('1', '007', '.5', '-.5', '1.', '.', '-', '+1', '1..2', '1.2.3'),
  )
  const names = ['millisecond', 'msec', 'ms', 'second', 'sec', 's', 'minute', 'min', 'm', 'hour', 'hr', 'h']
  const more = ['day', 'd', 'week', 'w', 'year', 'yr', 'y', 'month', 'x', 'seconds', 'hours', 'Days', 'YRS']
  const unit = fc.tuple(fc.constantFrom(...names, ...more), fc.constantFrom('', 's', 'S', 'ss'))
  const space = fc.constantFrom('', ' ', '  ', '\t')
  fc.assert(
    fc.property(number, space, unit, space, (number, gap, [name, plural], end) => {
      const text = `${number}${gap}${name}${plural}${end}`
      const isLowercase = text === text.toLowerCase()
      expect(parseDuration(text)).toBe(isLowercase ? (ms(text as ms.StringValue) ?? null) : null)
    }),
    { numRuns: 5_000, seed: SEED },
  )
})
