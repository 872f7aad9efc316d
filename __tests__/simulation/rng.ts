/** All the randomness of one schedule, from one seed (mulberry32): the same seed replays the same schedule. */
export interface Rng {
  /** In [0, 1). */
  roll(): number
  /** Whether something of probability `p` happens. */
  chance(p: number): boolean
  /** A number in [from, to). */
  between(from: number, to: number): number
  pick<T>(choices: readonly T[]): T
  /** Another stream, which takes no roll from this one. */
  fork(): Rng
}

export function createRng(seed: number): Rng {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0
  const roll = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    roll,
    chance: (p) => roll() < p,
    between: (from, to) => from + roll() * (to - from),
    pick: (choices) => choices[Math.floor(roll() * choices.length)] as never,
    fork: () => createRng(state),
  }
}
