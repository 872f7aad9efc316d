import type { Clock } from '../../src/util/system.ts'

/** Time that passes only when nothing is left to do: whatever waits longest is reached in no time. Milliseconds. */
export interface VirtualTime {
  now(): number
  /** Calls `act` after `delay`, unless the function that it returns is called before. */
  after(delay: number, act: () => void): () => void
  /** Lets time pass until `done` has settled, or nothing is scheduled any more; returns whether it settled. */
  runUntil(done: Promise<unknown>): Promise<boolean>
  /** Lets everything that is scheduled happen. */
  drain(): Promise<void>
}

interface Event {
  at: number
  order: number
  act: () => void
  isCanceled: boolean
}

/** Virtual time that starts at `start`, milliseconds since 1970. */
export function createTime(start: number): VirtualTime {
  let now = start
  let order = 0
  const events = createQueue()

  const step = (): boolean => {
    let event = events.takeFirst()
    while (event?.isCanceled) event = events.takeFirst()
    if (!event) return false
    now = Math.max(now, event.at)
    event.act()
    return true
  }
  return {
    now: () => now,
    after(duration, act) {
      const delay = Math.ceil(duration)
      const event = { at: now + Math.max(0, delay), order: order++, act, isCanceled: false }
      events.add(event)
      return () => {
        event.isCanceled = true
      }
    },
    runUntil: (done) => runUntil(done, step),
    async drain() {
      do await settle()
      while (step())
    },
  }
}

/** Lets everything happen that needs no time to pass. */
function settle(): Promise<unknown> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function runUntil(done: Promise<unknown>, step: () => boolean): Promise<boolean> {
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
}

/** Events in order of time, and of their making within one millisecond: a binary heap, as there may be 65,536. */
function createQueue() {
  const heap: Event[] = []
  const before = (a: number, b: number) => {
    const [first, second] = [heap[a], heap[b]]
    if (!first || !second) return first !== undefined
    return first.at === second.at ? first.order < second.order : first.at < second.at
  }
  const swap = (a: number, b: number) => {
    ;[heap[a], heap[b]] = [heap[b] as Event, heap[a] as Event]
  }
  return {
    add(event: Event) {
      let at = heap.push(event) - 1
      for (let parent = (at - 1) >> 1; at > 0 && before(at, parent); parent = (at - 1) >> 1) {
        swap(at, parent)
        at = parent
      }
    },
    takeFirst(): Event | undefined {
      const [first] = heap
      const last = heap.pop()
      if (!last || heap.length === 0) return last
      heap[0] = last
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        const least = before(right, left) ? right : left
        if (!before(least, at)) return first
        swap(at, least)
        at = least
      }
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
          cancel()
          wake?.removeEventListener('abort', done)
          if (alive()) resolve()
        }
        const cancel = time.after(duration, done)
        if (wake?.aborted) done()
        else wake?.addEventListener('abort', done, { once: true })
      }),
  }
}
