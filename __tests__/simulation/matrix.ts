import type { Inputs } from '../../src/runner/inputs.ts'
import type { Runner } from '../../src/runner/runner.ts'
import { type Account, createAccount } from '../support/account.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import { networkFor } from './network.ts'
import { startProcess } from './process.ts'
import { createRng, type Rng } from './rng.ts'
import { clockOn, createTime, type VirtualTime } from './time.ts'

/** Many jobs of one account, which accepts `perMinute` requests in any minute. Times in milliseconds. */
export interface Matrix {
  jobs: number
  perMinute: number
  /** The input `timeout` of every job. */
  timeout: number
  /** Each job starts at random within this time. */
  startWithin: number
  /**
   * When post runs: a while after the job got its key (`in turn`), or in all jobs at the same moment (`together`), and
   * then perhaps killed, as a runner does 285 s after a job was cancelled (`cancelled`).
   */
  ends: 'in turn' | 'together' | 'cancelled'
  seed: number
}

/** What became of the jobs of a matrix. Times in milliseconds from the start of the first job. */
export interface MatrixOutcome {
  /** When each key was handed over, in order. */
  keysAt: number[]
  gaveUp: number
  createRequests: number
  /** Requests of all posts, and how long the slowest of them took. */
  postRequests: number
  longestPost: number
  /** Keys that no post had revoked when the last one had ended. */
  alive: number
}

const API_URL = 'https://api.example'
const START = Date.parse('2027-03-01T12:00:00.250Z')
const MINUTE = 60_000
const LEFT_TO_POSTS = 285_000

/** Runs the main and the post step of every job of `matrix` on one virtual clock and one rate-limited account. */
export async function runMatrix(matrix: Matrix, subject: CodeUnderTest): Promise<MatrixOutcome> {
  const { jobs, perMinute } = matrix
  const rng = createRng(matrix.seed)
  const time = createTime(START)
  const throttle = { requests: perMinute, windowMs: MINUTE }
  const account = createAccount({ now: time.now, random: rng.roll, throttle })
  const outcome = { keysAt: [], gaveUp: 0, createRequests: 0, postRequests: 0, longestPost: 0 }
  let endTogether = () => {}
  const together = new Promise<void>((resolve) => {
    endTogether = resolve
  })
  let undecided = jobs
  const decided = () => {
    undecided -= 1
    if (undecided === 0) time.after(MINUTE, endTogether)
  }
  const shared: Shared = { matrix, subject, rng, time, account, outcome, decided, together }
  const all = Promise.all(Array.from({ length: jobs }, () => runJob(shared)))
  if (!(await time.runUntil(all))) throw new Error('a job never ended')
  await all
  return { ...outcome, alive: account.live().length }
}

interface Shared {
  matrix: Matrix
  subject: CodeUnderTest
  rng: Rng
  time: VirtualTime
  account: Account
  outcome: Omit<MatrixOutcome, 'alive'>
  /** To be called when a main step has ended. */
  decided(): void
  /** A while after all main steps have ended. */
  together: Promise<void>
}

async function runJob(shared: Shared): Promise<void> {
  const { matrix, rng, time, decided, together } = shared
  const pass = (delay: number) => new Promise<void>((resolve) => time.after(delay, resolve))
  await pass(rng.between(0, matrix.startWithin))
  const record = await runMainOf(shared)
  decided()
  await (matrix.ends === 'in turn' ? pass(rng.between(MINUTE, 10 * MINUTE)) : together)
  await runPostOf(shared, record)
}

/** Returns what it saved for the post step. */
async function runMainOf(shared: Shared): Promise<string> {
  const { matrix, subject, rng, time, account, outcome } = shared
  const { clock, connect } = startStep(shared, () => {
    outcome.createRequests += 1
  })
  const { runner, state } = recordState()
  const inputs: Inputs = {
    apiKey: account.longLivedKey,
    apiUrl: API_URL,
    expiresIn: 24 * 60 * MINUTE,
    exportEnv: '',
    revoke: true,
    onRevokeFailure: 'warn',
    timeout: matrix.timeout,
  }
  try {
    await subject.issueKey(inputs, {
      ...{ clock, runner, random: rng.roll, settings: {}, bootedAt: START },
      api: connect(),
      cancellation: subject.createCancellation(clock.now),
    })
    outcome.keysAt.push(time.now() - START)
  } catch {
    outcome.gaveUp += 1
  }
  return state()
}

async function runPostOf(shared: Shared, record: string): Promise<void> {
  const { matrix, subject, rng, time, outcome } = shared
  const { process, clock, connect } = startStep(shared, () => {
    outcome.postRequests += 1
  })
  const startedAt = time.now()
  if (matrix.ends === 'cancelled') time.after(LEFT_TO_POSTS, process.kill)
  const run = subject.revokeKeys(subject.parseState(record), {
    ...{ clock, connect, random: rng.roll, runner: recordState().runner, settings: {}, bootedAt: START },
    stopping: new AbortController().signal,
    policyWithoutRecord: () => 'warn',
  })
  await Promise.race([run, process.died])
  outcome.longestPost = Math.max(outcome.longestPost, time.now() - startedAt)
}

/** A process of its own, which calls `count` at each request. */
function startStep({ subject, account, time, rng }: Shared, count: () => void) {
  const process = startProcess(Infinity, () => {})
  const client = networkFor(process, subject, {
    ...{ apiUrl: API_URL, account, time, rng, listLagMs: 0, onRequest: count, count: () => {} },
    control: { createAnswer: 'own', listAgeMs: 0 },
    chooseFault: () => 'none',
    down: () => false,
    aroundCreate: (act) => act(),
    violation: (text) => {
      throw new Error(text)
    },
  })
  const clock = clockOn(time, 0, () => process.alive)
  const options = { client, apiUrl: API_URL, userAgent: 'simulation', now: clock.now }
  return { process, clock, connect: () => subject.createKeyApi(options) }
}

/** A runner that keeps nothing but the state for post. */
function recordState(): { runner: Runner; state: () => string } {
  let state = ''
  const ignore = () => {}
  const runner: Runner = {
    info: ignore,
    warning: ignore,
    setSecret: ignore,
    setOutput: ignore,
    exportVariable: ignore,
    writeSummary: ignore,
    saveState(_, value) {
      state = String(value)
    },
  }
  return { runner, state: () => state }
}
