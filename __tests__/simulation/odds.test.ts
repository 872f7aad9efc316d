import { describe, expect, test } from '@jest/globals'
import { createIntent } from '../../src/protocol/intent.ts'
import { matchIntent } from '../../src/protocol/match-intent.ts'
import { loadCodeUnderTest } from './code-under-test.ts'
import { runContention } from './contention.ts'
import { expectedTakings } from './odds.ts'

const MINUTE_MS = 60_000

describe('256 jobs within 5 s, half of them with a 502 that made nothing, on a server that keeps microseconds', () => {
  test.each([
    ['1h', 60 * MINUTE_MS, 0.001],
    ['1m', MINUTE_MS, 0.01],
  ])('are expected to take almost no key of others with `expires-in: %s`', (_, lifetime, most) => {
    expect(expectedTakings({ createIntent, matchIntent }, '1 us', lifetime)).toBeLessThanOrEqual(most)
  })

  test('take none in a matrix that is run in full, but do on a server that keeps milliseconds', async () => {
    const subject = await loadCodeUnderTest(new URL('../../src/', import.meta.url))
    const matrix = { jobs: 256, startWithin: 5_000, expiresIn: MINUTE_MS, grid: '1 us', seed: 1 } as const
    expect(await runContention(matrix, subject)).toBe(0)
    // Without this, a matrix whose keys have all expired would pass.
    expect(await runContention({ ...matrix, grid: '1 ms' }, subject)).toBeGreaterThan(0)
  })
})
