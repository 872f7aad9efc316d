import type { Outcome } from './job.ts'

/** Counts over many jobs. */
export interface Tally {
  note(name: string, outcome: Pick<Outcome, 'faults' | 'excuses' | 'violations'>): void
  violating(): number
  print(): void
  /** All of it as data, for another thread, … */
  part(): Part
  /** … which adds it to its own. */
  merge(part: Part): void
}

interface Part {
  run: number
  faults: Record<string, number>
  excuses: Record<string, number>
  /** Jobs by the kind of violation. */
  kinds: Record<string, number>
  violating: { name: string; violations: string[] }[]
}

const MOST_SHOWN = 100

/** An empty tally, which tells the first violations at once. */
export function createTally(say: (line: string) => void): Tally {
  const all: Part = { run: 0, faults: {}, excuses: {}, kinds: {}, violating: [] }
  const add = (to: Record<string, number>, from: Record<string, number>) => {
    for (const [kind, times] of Object.entries(from)) to[kind] = (to[kind] ?? 0) + times
  }
  const noteViolations = (name: string, violations: string[]) => {
    all.violating.push({ name, violations })
    if (all.violating.length <= MOST_SHOWN) say(`violation, ${name}: ${violations.join('; ')}`)
  }
  return {
    note(name, { faults, excuses, violations }) {
      all.run += 1
      add(all.faults, faults)
      add(all.excuses, excuses)
      if (violations.length === 0) return
      add(all.kinds, Object.fromEntries(violations.map((violation) => [kindOf(violation), 1])))
      noteViolations(name, violations)
    },
    violating: () => all.violating.length,
    part: () => all,
    merge(part) {
      all.run += part.run
      add(all.faults, part.faults)
      add(all.excuses, part.excuses)
      add(all.kinds, part.kinds)
      for (const { name, violations } of part.violating) noteViolations(name, violations)
    },
    print() {
      say(`schedules run: ${all.run}`)
      printCounts(say, 'faults injected:', all.faults)
      printCounts(say, 'keys that a documented limit excuses:', all.excuses)
      if (all.violating.length > 0) printCounts(say, 'violations by kind:', all.kinds)
      say(`schedules with violations: ${all.violating.length}`)
    },
  }
}

/** A violation without its numbers and what follows them. */
function kindOf(violation: string): string {
  return violation.replace(/:.*/s, '').replace(/\d+/g, 'N').slice(0, 80)
}

function printCounts(say: (line: string) => void, title: string, counts: Record<string, number>): void {
  say(title)
  for (const [kind, times] of Object.entries(counts).sort(([, a], [, b]) => b - a))
    say(`  ${String(times).padStart(8)}  ${kind}`)
}
