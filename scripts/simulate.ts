// Runs many schedules of main and post on a simulated world, and prints what was injected and what was violated.
//   npm run simulate -- --schedules 1000000      a long run
//   npm run simulate -- --seed 4711              one schedule again, with its log
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { loadCodeUnderTest } from '../__tests__/simulation/code-under-test.ts'
import { runSchedule } from '../__tests__/simulation/schedule.ts'

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    src: { type: 'string' },
    'stop-at-first': { type: 'boolean', default: false },
  },
})
const folder = values.src ? pathToFileURL(`${values.src}/`) : new URL('../src/', import.meta.url)
const subject = await loadCodeUnderTest(folder)
const first = Number(values.seed ?? values.from)
const schedules = values.seed ? 1 : Number(values.schedules)
const MOST_SHOWN = 10

const faults = new Map<string, number>()
let violating = 0
let run = 0
for (let seed = first; seed < first + schedules; seed++) {
  const outcome = await runSchedule(seed, subject)
  run += 1
  for (const [kind, times] of Object.entries(outcome.faults))
    faults.set(kind, (faults.get(kind) ?? 0) + times)
  if (values.seed) console.log(outcome.printed.join('\n'))
  if (outcome.violations.length === 0) continue
  violating += 1
  if (violating <= MOST_SHOWN) console.log(`violation, seed ${seed}: ${outcome.violations.join('; ')}`)
  if (values['stop-at-first']) break
}

console.log(`schedules run: ${run}`)
console.log('faults injected:')
for (const [kind, times] of [...faults].sort(([, a], [, b]) => b - a))
  console.log(`  ${String(times).padStart(8)}  ${kind}`)
console.log(`schedules with violations: ${violating}`)
if (violating > 0) console.log('Replay one with: npm run simulate -- --seed SEED')
process.exitCode = violating > 0 ? 1 : 0
