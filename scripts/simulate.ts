// Runs many schedules of main and post on a simulated world, and prints what was injected and what was violated.
//   npm run simulate -- --schedules 1000000      a long run; --workers 2 uses two cores
//   npm run simulate -- --start 5000001          other schedules: seeds from there on
//   npm run simulate -- --seed 4711              one schedule again, with its log
//   npm run simulate -- --exhaustive             every pair of faults at every pair of requests of one job
//   npm run simulate -- --matrix                 how often the jobs of a matrix take each other's keys, per grid
import { pathToFileURL } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { loadCodeUnderTest } from '../__tests__/simulation/code-under-test.ts'
import type { Outcome } from '../__tests__/simulation/job.ts'
import { runSchedule } from '../__tests__/simulation/schedule.ts'
import { createTally, type Tally } from '../__tests__/simulation/tally.ts'
import { readOptions } from './options.ts'

// The simulation creates thousands of errors per second, and no one reads their stack traces.
Error.stackTraceLimit = 0

const values = readOptions({
  schedules: { type: 'string', default: '20000' },
  start: { type: 'string', default: '1' },
  seed: { type: 'string' },
  src: { type: 'string' },
  workers: { type: 'string', default: '1' },
  'stop-at-first': { type: 'boolean', default: false },
  exhaustive: { type: 'boolean', default: false },
  matrix: { type: 'boolean', default: false },
})
const folder = values.src ? pathToFileURL(`${values.src}/`) : new URL('../src/', import.meta.url)
const subject = await loadCodeUnderTest(folder)

interface Share {
  from: number
  to: number
}

/** Runs the schedules of one share, and reports their outcomes. */
async function runShare({ from, to }: Share, note: (name: string, outcome: Outcome) => void): Promise<void> {
  for (let seed = from; seed < to; seed++) {
    const outcome = await runSchedule(seed, subject)
    note(`seed ${seed}`, outcome)
    if (values['stop-at-first'] && outcome.violations.length > 0) return
  }
}

/** The same in a thread of its own, which sends its outcomes in batches. */
async function runInWorker(share: Share, tally: Tally): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2), workerData: share })
  worker.on('message', (part: Parameters<Tally['merge']>[0]) => tally.merge(part))
  await new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve))
}

async function runSchedules(tally: Tally): Promise<void> {
  const first = Number(values.seed ?? values.start)
  const schedules = values.seed ? 1 : Number(values.schedules)
  const workers = Math.min(Number(values.workers), schedules)
  if (workers === 1) {
    await runShare({ from: first, to: first + schedules }, (name, outcome) => {
      if (values.seed) console.log(outcome.printed.join('\n'))
      tally.note(name, outcome)
    })
    return
  }
  const size = Math.ceil(schedules / workers)
  const shares = Array.from({ length: workers }, (_, index) => ({
    from: first + index * size,
    to: Math.min(first + schedules, first + (index + 1) * size),
  }))
  await Promise.all(shares.map((share) => runInWorker(share, tally)))
}

async function run(): Promise<void> {
  if (values.matrix) {
    const { printOdds } = await import('../__tests__/simulation/odds.ts')
    await printOdds(folder, subject)
    return
  }
  const tally = createTally(console.log)
  if (values.exhaustive) {
    const { runExhaustively } = await import('../__tests__/simulation/exhaustive.ts')
    await runExhaustively(subject, tally.note)
  } else await runSchedules(tally)
  tally.print()
  if (tally.violating() > 0 && !values.exhaustive)
    console.log('Replay one with: npm run simulate -- --seed SEED')
  process.exitCode = tally.violating() > 0 ? 1 : 0
}

if (isMainThread) await run()
else {
  const tally = createTally(() => {})
  await runShare(workerData as Share, tally.note)
  parentPort?.postMessage(tally.part())
}
