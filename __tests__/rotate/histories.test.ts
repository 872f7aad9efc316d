import { expect, test } from '@jest/globals'
import { loadRotationCode } from './code-under-test.ts'
import { runHistory } from './history.ts'

/** A little of the simulation in this very process, quick enough to be run for every mutant. */
test.each([1, 2, 3])('100 histories from seed %i00 have no violation', async (hundred) => {
  const code = await loadRotationCode(new URL('../../src/', import.meta.url))
  for (let seed = hundred * 100; seed < hundred * 100 + 30; seed++) {
    const { violations } = await runHistory(seed, code)
    expect({ seed, violations }).toEqual({ seed, violations: [] })
  }
})
