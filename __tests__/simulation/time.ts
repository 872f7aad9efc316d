import type { Clock } from '../../src/budget.ts'

/** Time that passes only when nothing is left to do: whatever waits longest is reached in no time. Milliseconds. */
export interface VirtualTime {
  now(): number
  /** Calls `act` after `delay`; the answer takes it back. */
  after(delay: number, act: () => void): () => void
  /** Lets time pass until `done` has settled, or nothing is scheduled any more; answers whether it settled. */
  runUntil(done: Promise<unknown>): Promise<boolean>
  /** Lets everything that is scheduled happen. */
  drain(): Promise<void>
}

interface Event {
  at: number
  order: number
  act: () => void
}

/** Virtual time that starts at `start`, milliseconds since 1970. */
export function createTime(start: number): VirtualTime {
  let now = start
  let order = 0
  let events: Event[] = []

  const next = () =>
    events.reduce<Event | undefined>(
      (a, b) => (!a || b.at < a.at || (b.at === a.at && b.order < a.order) ? b : a),
      undefined,
    )
  /** Everything that can go on without time passing does. */
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  const step = (): boolean => {
    const event = next()
    if (!event) return false
    events = events.filter((other) => other !== event)
    now = Math.max(now, event.at)
    event.act()
    return true
  }
  return {
    now: () => now,
    after(duration, act) {
      const delay = Math.ceil(duration)
      const event = { at: now + Math.max(0, delay), order: order++, act }
      events.push(event)
      return () => {
        events = events.filter((other) => other !== event)
      }
    },
    async runUntil(done) {
      let settled = false
      const note = () => {
        settled = true
      }
      done.then(note, note)
      for (;;) {
        await settle()
        if (settled) return true
        if (!step()) return false
      }
    },
    async drain() {
      do await settle()
      while (step())
    },
  }
}

/** A process's clock on that time, wrong by `error` ms, and dead (never waking) once `alive` says so. */
export function clockOn(time: VirtualTime, error: number, alive: () => boolean): Clock {
  return {
    now: () => time.now() + error,
    sleep: (duration, wake) =>
      new Promise((resolve) => {
        const done = () => {
          takeBack()
          if (alive()) resolve()
        }
        const takeBack = time.after(duration, done)
        if (wake?.aborted) done()
        else wake?.addEventListener('abort', done, { once: true })
      }),
  }
}
