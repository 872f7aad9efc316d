import { expect, test } from '@jest/globals'
import { loadRotationCode } from './code-under-test.ts'
import { runHistory } from './history.ts'

/** A little of the simulation in this very process, for a quick look. */
test.each([100, 200, 300])('30 histories from seed %i have no violation', async (first) => {
  const code = await loadRotationCode(new URL('../../src/', import.meta.url))
  for (let seed = first; seed < first + 30; seed++) {
    const { violations } = await runHistory(seed, code)
    expect({ seed, violations }).toEqual({ seed, violations: [] })
  }
})
