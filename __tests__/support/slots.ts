/** Limits how many tasks run at a time. */
export interface Slots {
  use<T>(work: () => Promise<T>): Promise<T>
}

/** Slots for `free` tasks at a time; the others wait for their turn. */
export function createSlots(free: number): Slots {
  const waiting: (() => void)[] = []
  return {
    async use(work) {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else free += 1
      }
    },
  }
}
