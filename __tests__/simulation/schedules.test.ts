import { expect, test } from '@jest/globals'
import { loadCodeUnderTest } from './code-under-test.ts'
import { runSchedule } from './schedule.ts'

/**
 * A little of the simulation in this very process, on the modules as Jest loads them: quick enough to be run
 * for every mutant of the protocol. The whole of it has a process of its own (simulation.test.ts).
 */
test.each([1, 2, 3, 4])('300 simulated schedules from seed %i000 on have no violation', async (thousand) => {
  const subject = await loadCodeUnderTest(new URL('../../src/', import.meta.url))
  for (let seed = thousand * 1000; seed < thousand * 1000 + 300; seed++) {
    const { violations } = await runSchedule(seed, subject)
    expect({ seed, violations }).toEqual({ seed, violations: [] })
  }
})
