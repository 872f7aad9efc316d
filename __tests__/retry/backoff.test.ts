import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { backoff, parseRetryAfter } from '../../src/retry/backoff.ts'

describe('the wait before the next attempt', () => {
  test('doubles its spread from half a second to 20 s', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 100].map((failures) => backoff(failures, undefined, 1))
    expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000])
  })

  test('is anywhere in that spread', () => {
    expect(backoff(1, undefined, 0)).toBe(0)
    expect(backoff(3, undefined, 0.25)).toBe(500)
    expect(backoff(1, undefined, 0.0001)).toBe(1)
  })

  test('comes on top of what the server asked for, and never before it', () => {
    expect(backoff(1, 30_000, 0.5)).toBe(30_250)
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.nat(3_600_000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, after, random) => {
          const wait = backoff(n, after, random)
          expect(wait).toBeGreaterThanOrEqual(after)
          expect(wait).toBeLessThanOrEqual(after + 20_000)
        },
      ),
    )
  })
})

test('a longer spread takes the place of the exponential one, a shorter one does not', () => {
  expect(backoff(1, 60_000, 0.5, 120_000)).toBe(120_000)
  expect(backoff(3, 60_000, 0.5, 1_000)).toBe(61_000)
  expect(backoff(3, 60_000, 0.5, -1_000)).toBe(61_000)
})

describe('Retry-After', () => {
  const now = Date.parse('2027-03-01T12:00:00Z')

  test.each([
    ['30', 30_000],
    [' 0 ', 0],
    ['Mon, 01 Mar 2027 12:01:30 GMT', 90_000],
    ['Mon, 01 Mar 2027 11:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j', (header, wait) => {
    expect(parseRetryAfter(header, now)).toBe(wait)
  })
})
