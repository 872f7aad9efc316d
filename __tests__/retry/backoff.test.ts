import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { backoff, parseRetryAfter } from '../../src/retry/backoff.ts'

describe('the wait before the next attempt', () => {
  test('doubles its longest value from half a second to 20 s', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 100].map((failures) => backoff(failures, 1))
    expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000])
  })

  test('is a random part of that value, rounded up', () => {
    expect(backoff(1, 0)).toBe(0)
    expect(backoff(3, 0.25)).toBe(500)
    expect(backoff(1, 0.0001)).toBe(1)
  })

  test('is added to what the server asked for, so it is never shorter', () => {
    expect(backoff(1, 0.5, 30_000)).toBe(30_250)
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.nat(3_600_000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, after, random) => {
          const wait = backoff(n, random, after)
          expect(wait).toBeGreaterThanOrEqual(after)
          expect(wait).toBeLessThanOrEqual(after + 20_000)
        },
      ),
    )
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2027-03-01T12:00:00Z')

  test.each([
    ['30', 30_000],
    [' 0 ', 0],
    ['3.5', 4_000],
    ['3.', 3_000],
    ['0.001', 1_000],
    ['4, 2', 4_000],
    ['4,soon', 4_000],
    ['9'.repeat(320), 1e9],
    ['9'.repeat(20), 1e9],
    ['Mon, 01 Mar 2027 12:01:30 GMT', 90_000],
    ['Monday, 01-Mar-27 12:01:30 GMT', 90_000],
    [' Mon, 01 Mar 2027 12:01:30 GMT ', 90_000],
    ['Mon, 01 Mar 2027 11:00:00 GMT', 0],
    ['Mon, 01 Mar 9999 12:00:00 GMT', 1e9],
  ])('%j is a wait of %i ms', (header, wait) => {
    expect(parseRetryAfter(header, now)).toBe(wait)
  })

  test.each([
    'soon',
    // C's asctime is not read: Node takes it for local time.
    'Mon Mar  1 12:01:30 2027',
    '',
    '4s',
    '-4',
    '+4',
    '1e3',
    '0x10',
    '.5',
    '4 2',
    'soon, 4',
    'Infinity',
    'March 7',
    '2027-03-01T12:01:30Z',
    'Mon, 99 Mar 2027 12:01:30 GMT',
    'Mon, 01 Mar 2027 12:01:30 +0200',
    'Mon, 01 Mar 2027 12:01:30 GMT+0200',
    'after Mon, 01 Mar 2027 12:01:30 GMT',
    'Mon, 01 Mar 2027 99:99:99 GMT',
  ])('%j asks for no wait that can be read', (header) => {
    expect(parseRetryAfter(header, now)).toBeUndefined()
  })

  test('that is missing asks for no wait', () => {
    expect(parseRetryAfter(undefined, now)).toBeUndefined()
  })

  test('never returns a wait that is not a finite number', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789.,e -+sGMT:') }), (header) => {
        const wait = parseRetryAfter(header, now) ?? 0
        expect(Number.isFinite(wait) && wait >= 0).toBe(true)
      }),
    )
  })
})
