// Many jobs on one rate-limited account and a virtual clock: how soon each has its key, and how many are valid at the end.
//   npm run scale                          every size and rate, and other spreads (a quarter of an hour)
//   npm run scale -- --jobs 16,256         some sizes only
//   npm run scale -- --write               also writes the tables and the plot of docs/scale.md
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type CodeUnderTest, loadCodeUnderTest } from '../__tests__/simulation/code-under-test.ts'
import { type Matrix, type MatrixOutcome, runMatrix } from '../__tests__/simulation/matrix.ts'
import { RULE_REMOVALS_AT_SCALE, withoutRule } from '../__tests__/simulation/rule-removals.ts'
import { readOptions } from '../scripts/options.ts'
import { table, withTables } from '../scripts/tables.ts'
import { type Curve, plot } from './plot.ts'

const SIZES = [16, 256, 4096, 65_536]
const RATES = [60, 600, 6000]
const MINUTE = 60_000
/** The longest `timeout` that the action accepts, and its default. */
const LONGEST = 30 * MINUTE
const USUAL = 2 * MINUTE
/** Jobs that are not spread start within this time. */
const AT_ONCE = 5_000
/** Jobs that are spread beforehand start within so many times the ideal time. */
const SPREAD = 1.15

const values = readOptions({
  jobs: { type: 'string' },
  src: { type: 'string' },
  write: { type: 'boolean', default: false },
})
const folder = values.src ? pathToFileURL(`${values.src}/`) : new URL('../src/', import.meta.url)
const subject = await loadCodeUnderTest(folder)
const sizes = values.jobs ? values.jobs.split(',').map(Number) : SIZES
const cases = sizes.flatMap((jobs) => RATES.map((perMinute) => ({ jobs, perMinute })))

type Case = Pick<Matrix, 'jobs' | 'perMinute'> & Partial<Matrix>
const run = (matrix: Case, code: CodeUnderTest = subject) =>
  runMatrix({ timeout: LONGEST, startWithin: AT_ONCE, ends: 'together', seed: 1, ...matrix }, code)
const whole = (count: number) => count.toLocaleString('en')
const duration = (ms: number) =>
  ms < 2 * MINUTE ? `${(ms / 1000).toFixed(0)} s` : `${(ms / MINUTE).toFixed(1)} min`
const requestsPerKey = ({ createRequests, keysAt }: MatrixOutcome) =>
  (createRequests / keysAt.length).toFixed(2)

const obtaining: (string | number)[][] = []
const spreadBefore: (string | number)[][] = []
const ending: (string | number)[][] = []
const curves: Curve[] = []
const takingTurns: Case[] = []

for (const { jobs, perMinute } of cases) {
  // No job can have its key before it starts.
  const ideal = Math.max((jobs / perMinute) * MINUTE, AT_ONCE)
  const reachable = ideal <= LONGEST
  const size = [whole(jobs), whole(perMinute)]
  const together = await run({ jobs, perMinute })
  const usual = await run({ jobs, perMinute, timeout: USUAL })
  const keys = together.keysAt.length
  const last = together.keysAt.at(-1) ?? 0
  // Every job asks once; of those that come before the second minute, all but a minute's worth have to ask again.
  const fewest = (jobs + keys - Math.min(perMinute, keys)) / keys
  const perIdeal = (at: number) => (reachable ? (at / ideal).toFixed(2) : 'beyond `timeout`')
  obtaining.push([
    ...size,
    duration(ideal),
    duration(last),
    perIdeal(last),
    requestsPerKey(together),
    fewest.toFixed(2),
    `${whole(together.gaveUp)}, with \`2m\` ${whole(usual.gaveUp)}`,
  ])
  if (reachable && jobs > perMinute) {
    takingTurns.push({ jobs, perMinute })
    const spread = await run({ jobs, perMinute, startWithin: SPREAD * ideal })
    const lastOfSpread = spread.keysAt.at(-1) ?? 0
    const { gaveUp } = spread
    spreadBefore.push([
      ...size,
      duration(ideal),
      duration(lastOfSpread),
      perIdeal(lastOfSpread),
      requestsPerKey(spread),
      gaveUp,
    ])
    curves.push({
      name: `${whole(jobs)} jobs, ${whole(perMinute)} requests a minute`,
      points: together.keysAt.map((at, index) => ({ x: at / ideal, y: (index + 1) / jobs })),
    })
  }
  const inTurn = await run({ jobs, perMinute, ends: 'in turn' })
  const cancelled = await run({ jobs, perMinute, ends: 'cancelled' })
  const valid = (outcome: MatrixOutcome) => whole(outcome.alive)
  ending.push([
    ...size,
    whole(keys),
    valid(inTurn),
    valid(together),
    duration(together.longestPost),
    valid(cancelled),
  ])
  console.error(`${whole(jobs)} jobs at ${whole(perMinute)} requests a minute: done`)
}

/** The same for other spreads than the one in src, for the cases in which jobs have to take turns. */
async function compareSpreads(): Promise<string[]> {
  const rows = []
  for (const spread of [0, 1, 2, 3]) {
    const { from } = RULE_REMOVALS_AT_SCALE.spread
    const patch = { ...RULE_REMOVALS_AT_SCALE.spread, to: from.replace(/\d+$/, String(spread)) }
    const measured = await withoutRule(patch, async (copy) => {
      const code = await loadCodeUnderTest(pathToFileURL(`${copy}/`))
      const cells = []
      for (const matrix of takingTurns) {
        const outcome = await run(matrix, code)
        const last = outcome.keysAt.at(-1) ?? 0
        const ideal = (matrix.jobs / matrix.perMinute) * MINUTE
        cells.push(`${requestsPerKey(outcome)}, ${(last / ideal).toFixed(2)}`)
      }
      return cells
    })
    rows.push([spread, ...measured])
    console.error(`a spread of ${spread}: done`)
  }
  const sizes = takingTurns.map(({ jobs, perMinute }) => `${whole(jobs)} jobs at ${whole(perMinute)}`)
  return table(['spread, times the longest `Retry-After`', ...sizes], rows)
}

const tables = {
  obtaining: table(
    ['jobs', 'requests a minute', 'ideal', 'last key', '÷ ideal', 'requests per key', 'at least', 'gave up'],
    obtaining,
  ),
  spread: table(
    ['jobs', 'requests a minute', 'ideal', 'last key', '÷ ideal', 'requests per key', 'gave up'],
    spreadBefore,
  ),
  ...(values.jobs ? {} : { spreads: await compareSpreads() }),
  ending: table(
    [
      'jobs',
      'requests a minute',
      'keys',
      'each in its turn',
      'all together',
      'slowest post',
      'all cancelled',
    ],
    ending,
  ),
}
for (const lines of Object.values(tables)) console.log(`${lines.join('\n')}\n`)

if (values.write) {
  const docs = fileURLToPath(new URL('../docs/', import.meta.url))
  writeFileSync(`${docs}scale.md`, withTables(readFileSync(`${docs}scale.md`, 'utf8'), tables))
  writeFileSync(`${docs}scale.svg`, plot(curves))
}
