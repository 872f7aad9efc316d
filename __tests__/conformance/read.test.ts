import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { gridOf, microsecondsOf } from '../../conformance/read.ts'
import { wrap } from '../../conformance/table.ts'

const BASE = Date.parse('2027-03-01T12:00:00Z') * 1000
const text = (micros: number) =>
  `${new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19)}.${String(micros % 1e6).padStart(6, '0')}Z`
/** As in observe.ts: every rounding to 10 ms moves the first by more than a step of 1/300 s. */
const ASKED = [125_457, 501_803, 987_651].map((micros) => BASE + micros)
const pairs = (server: (micros: number) => number) =>
  ASKED.map((micros) => [text(micros), text(server(micros))] as const)

describe('the grid of a server is found', () => {
  test.each<[string, (micros: number) => number]>([
    ['1 us', (at) => at],
    ['1 ms', (at) => Math.floor(at / 1000) * 1000],
    ['1 ms', (at) => Math.ceil(at / 1000) * 1000],
    ['1/300 s', (at) => Math.round((Math.round((at * 300) / 1e6) * 1000) / 300) * 1000],
    ['10 ms', (at) => Math.round(at / 10_000) * 10_000],
    ['1 s', (at) => Math.floor(at / 1e6) * 1e6],
    ['1 s', (at) => Math.ceil(at / 1e6) * 1e6],
    ['1 min', (at) => Math.ceil(at / 60e6) * 60e6],
  ])('%s: %s', (grid, server) => {
    expect(gridOf(pairs(server))).toBe(grid)
  })

  test('never where an expiry is more than a minute off, or there is none', () => {
    expect(gridOf(pairs((at) => at + 3_600e6))).toBeNull()
    expect(gridOf([])).toBeNull()
    expect(gridOf([['soon', 'later']])).toBeNull()
  })
})

test('microseconds are read from every spelling of an instant', () => {
  const at = BASE + 123_457
  for (const spelling of [
    '2027-03-01T12:00:00.123457Z',
    '2027-03-01T13:00:00.123457+01:00',
    '2027-03-01T12:00:00,123457Z',
    '2027-03-01T12:00:00.1234570Z',
  ])
    expect(microsecondsOf(spelling)).toBe(at)
  expect(microsecondsOf('2027-03-01T12:00:00Z')).toBe(BASE)
  for (const nothing of [null, '', 'soon']) expect(microsecondsOf(nothing)).toBeNull()
})

test('wrapped text keeps all its words, in lines that fit', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^\w{1,9}$/)), fc.integer({ min: 9, max: 40 }), (words, width) => {
      const lines = wrap(words.join(' '), width)
      expect(lines.join(' ')).toBe(words.join(' '))
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
    }),
  )
  expect(wrap('x'.repeat(25), 10)).toEqual(['x'.repeat(10), 'x'.repeat(10), 'xxxxx'])
})
