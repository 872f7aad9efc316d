// Runs many histories of rotations on a simulated world, and prints what happened and what was violated.
//   npm run simulate:rotation -- --histories 100000    a long run
//   npm run simulate:rotation -- --seed 4711           one history again, with its log
import { pathToFileURL } from 'node:url'
import { loadRotationCode } from '../__tests__/rotate/code-under-test.ts'
import { runHistory } from '../__tests__/rotate/history.ts'
import { readOptions } from './options.ts'

const values = readOptions({
  histories: { type: 'string', default: '2000' },
  from: { type: 'string', default: '1' },
  seed: { type: 'string' },
  src: { type: 'string' },
  'stop-at-first': { type: 'boolean', default: false },
  // GitHub's server sends no `updated_at`.
  'without-updated-at': { type: 'boolean', default: false },
})
const folder = values.src ? pathToFileURL(`${values.src}/`) : new URL('../src/', import.meta.url)
const code = await loadRotationCode(folder)
const first = Number(values.seed ?? values.from)
const histories = values.seed ? 1 : Number(values.histories)
const MOST_SHOWN = 10

const events = new Map<string, number>()
let violating = 0
let run = 0
for (let seed = first; seed < first + histories; seed++) {
  const outcome = await runHistory(seed, code, {
    verbose: values.seed !== undefined,
    withoutUpdatedAt: values['without-updated-at'],
  })
  run += 1
  for (const [kind, times] of outcome.events) events.set(kind, (events.get(kind) ?? 0) + times)
  if (values.seed) console.log(outcome.log.join('\n'))
  if (outcome.violations.length === 0) continue
  violating += 1
  if (violating <= MOST_SHOWN) console.log(`violation, seed ${seed}: ${outcome.violations.join('; ')}`)
  if (values['stop-at-first']) break
}

console.log(`histories run: ${run}`)
console.log('what happened in them:')
for (const [kind, times] of [...events].sort(([, a], [, b]) => b - a))
  console.log(`  ${String(times).padStart(9)}  ${kind}`)
console.log(`histories with violations: ${violating}`)
if (violating > 0) console.log('Replay one with: npm run simulate:rotation -- --seed SEED')
process.exitCode = violating > 0 ? 1 : 0
