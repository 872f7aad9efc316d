import type * as intents from '../../src/protocol/intent.ts'
import type * as matches from '../../src/protocol/match-intent.ts'
import { GRID_STEP_US, GRIDS, type Grid, quantize } from '../support/instants.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import { runContention } from './contention.ts'
import { createRng, type Rng } from './rng.ts'
import { MINUTE_MS, START } from './world.ts'

type Matching = Pick<typeof intents, 'createIntent'> & Pick<typeof matches, 'matchIntent'>

const JOBS = 256
const START_WITHIN_MS = 5_000
/** The part of the lifetime over which expiries are spread. */
const SPREAD = 0.05
const LIFETIMES_MS: Record<string, number> = { '1h': 60 * MINUTE_MS, '15m': 15 * MINUTE_MS, '1m': MINUTE_MS }
const SAMPLES = 400
/** Matrices that are run in full, to hold the estimate against. */
const DIRECT_RUNS = 3

/**
 * Prints how many keys of other jobs a matrix of 256 jobs takes, of which half have a 502 that made nothing: the
 * expected number for each grid, and a count of matrices that were run in full.
 */
export async function printOdds(folder: URL, subject: CodeUnderTest): Promise<void> {
  const modules = ['intent', 'match-intent'].map(
    (name) => import(new URL(`protocol/${name}.ts`, folder).href),
  )
  const matching = Object.assign({}, ...(await Promise.all(modules))) as Matching
  const lifetimes = Object.keys(LIFETIMES_MS)
  const row = (cells: string[]) => console.log(`| ${cells.join(' | ')} |`)
  row(['expiries stored on steps of', ...lifetimes.map((name) => `\`${name}\``), 'counted at `1m`'])
  row(['---', ...lifetimes.map(() => '---'), '---'])
  for (const grid of GRIDS) {
    const expected = lifetimes.map((name) => expectedTakings(matching, grid, LIFETIMES_MS[name] ?? 0))
    let counted = 0
    for (let seed = 1; seed <= DIRECT_RUNS; seed++)
      counted += await runContention(
        { jobs: JOBS, startWithin: START_WITHIN_MS, expiresIn: MINUTE_MS, grid, seed },
        subject,
      )
    row([grid, ...expected.map(short), `${counted} in ${DIRECT_RUNS} matrices`])
  }
}

function short(odds: number): string {
  return odds === 0 ? '0' : odds.toPrecision(2)
}

/**
 * The number of keys of others taken in one matrix: pairs of a lost request and another job's key, times the odds that
 * both expiries are stored as one, times how often the code's own matching then takes the key.
 */
export function expectedTakings(matching: Matching, grid: Grid, lifetime: number): number {
  const pairs = (JOBS / 2) * (JOBS - 1)
  const stepMs = Math.max(GRID_STEP_US[grid] / 1000, resolutionMs(matching, lifetime))
  const together = Math.min(1, stepMs * coincidence(lifetime * SPREAD))
  return pairs * together * acceptance(matching, grid, lifetime)
}

/** Of two expiries, each the sum of a start within 5 s and a part of `spread`: the density of their difference at 0. */
function coincidence(spread: number): number {
  const [narrow, wide] = [spread, START_WITHIN_MS].sort((a, b) => a - b) as [number, number]
  return (1 - narrow / (3 * wide)) / wide
}

/** How finely the code chooses expiries: to the microsecond, or to the millisecond. */
function resolutionMs({ createIntent }: Matching, lifetime: number): number {
  const rng = createRng(1)
  const expiries = Array.from({ length: 50 }, () => createIntent(optionsAt(START, lifetime, rng)).expiry)
  return expiries.every(Number.isInteger) ? 1 : 0.001
}

/** How often the code takes another job's key, as its own, that is stored with the expiry of a lost request. */
function acceptance(matching: Matching, grid: Grid, lifetime: number): number {
  const rng = createRng(2)
  let taken = 0
  for (let sample = 0; sample < SAMPLES; sample++) {
    const lost = intentAt(matching, rng, lifetime)
    const others = Array.from({ length: JOBS - 1 }, (_, index) => {
      const { sentAt, expiry } = intentAt(matching, rng, lifetime)
      const stored = quantize(index === 0 ? lost.expiry : expiry, grid)
      const createdAt = sentAt + rng.between(5, 400)
      return { id: String(index), prefix: '', createdAt, expiresAt: stored, unreadable: null }
    })
    const context = {
      known: new Set<string>(),
      shift: 0,
      dateSkew: 0,
      skew: null,
      grid: Infinity,
    }
    if (matching.matchIntent(lost, others, context).key !== null) taken += 1
  }
  return taken / SAMPLES
}

function intentAt({ createIntent }: Matching, rng: Rng, lifetime: number) {
  return createIntent(optionsAt(START + rng.between(0, START_WITHIN_MS), lifetime, rng))
}

function optionsAt(now: number, lifetime: number, rng: Rng): intents.IntentOptions {
  return { now, skew: 0, lifetime, timeout: 10_000, precision: 1, random: rng.roll() }
}
