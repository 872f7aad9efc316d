import type { Clock } from '../../src/util/system.ts'

/**
 * Virtual time for processes that wait for one thing at a time. It passes only when all of them wait, so that weeks
 * take milliseconds. Milliseconds since 1970.
 */
export interface World {
  now(): number
  /** Calls `act` at `at`. */
  at(at: number, act: () => void | Promise<void>): void
  /** Runs everything that is scheduled. */
  run(): Promise<void>
  startProcess(clockError: number, body: (process: SimulatedProcess) => Promise<void>): Promise<void>
}

/** One process of the action. It waits only in `wait`. */
export interface SimulatedProcess {
  clock: Clock
  /** Waits until `at`, then returns what `act` returns. A killed process never continues. */
  wait<T>(at: number, act: () => T): Promise<T>
  /** This process has no further effects. */
  kill(): void
  readonly killed: boolean
}

interface Event {
  at: number
  order: number
  act: () => void | Promise<void>
}

/** A world whose time begins at `start`. */
export function createWorld(start: number): World {
  let now = start
  let order = 0
  // Kept in order; histories schedule a few dozen events, so a sorted insert is enough.
  const events: Event[] = []
  const schedule = (at: number, act: Event['act']) => {
    const event = { at: Math.max(now, at), order: order++, act }
    let index = events.length
    while (index > 0 && isAfter(events[index - 1], event)) index -= 1
    events.splice(index, 0, event)
  }
  return {
    now: () => now,
    at: schedule,
    async run() {
      for (let event = events.shift(); event; event = events.shift()) {
        now = event.at
        await event.act()
      }
    },
    startProcess(clockError, body) {
      return new Promise((parked) => {
        let park = parked
        let killed = false
        const process: SimulatedProcess = {
          get killed() {
            return killed
          },
          kill() {
            killed = true
            park()
          },
          wait: (at, act) =>
            new Promise((resolve, reject) => {
              if (killed) return
              schedule(
                at,
                () =>
                  new Promise((nextPark) => {
                    if (killed) return nextPark()
                    park = nextPark
                    try {
                      resolve(act())
                    } catch (error) {
                      reject(error)
                    }
                    if (killed) nextPark()
                  }),
              )
              park()
            }),
          clock: {
            now: () => now + clockError,
            sleep: (duration) => process.wait(now + Math.ceil(Math.max(0, duration)), () => undefined),
          },
        }
        void body(process).then(() => park())
      })
    },
  }
}

function isAfter(other: Event | undefined, { at, order }: Event): boolean {
  return other !== undefined && (other.at > at || (other.at === at && other.order > order))
}
