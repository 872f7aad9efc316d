import { jest } from '@jest/globals'

/**
 * The seed of all that a test leaves to chance: Jest's own, which it prints at the end of each run, or that of the
 * variable `SEED`. `npm test -- --seed=N` repeats a run, the order of its tests included.
 */
export const SEED = Number(process.env.SEED ?? jest.getSeed())
