import type { HttpClient } from '../../src/http/http-client.ts'
import type { Inputs } from '../../src/runner/inputs.ts'
import type { Runner } from '../../src/runner/report.ts'
import { createAccount } from '../support/account.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import { networkFor } from './network.ts'
import { startProcess } from './process.ts'
import { createRng } from './rng.ts'
import { clockOn, createTime } from './time.ts'

/** Many jobs of one account, which answers so many requests in any minute. Times in milliseconds. */
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

/** Runs the main and the post step of every job of `matrix` on one virtual clock and one throttled account. */
export async function runMatrix(matrix: Matrix, subject: CodeUnderTest): Promise<MatrixOutcome> {
  const { jobs, perMinute, timeout, startWithin, ends } = matrix
  const rng = createRng(matrix.seed)
  const time = createTime(START)
  const account = createAccount({
    now: time.now,
    random: rng.roll,
    throttle: { requests: perMinute, windowMs: MINUTE },
  })
  const inputs: Inputs = {
    apiKey: account.longLivedKey,
    apiUrl: API_URL,
    expiresIn: 24 * 60 * MINUTE,
    exportEnv: '',
    revoke: true,
    onRevokeFailure: 'warn',
    timeout,
  }
  const keysAt: number[] = []
  const outcome = { keysAt, gaveUp: 0, createRequests: 0, postRequests: 0, longestPost: 0 }
  const startProcessOfJob = (count: () => void) => {
    const process = startProcess(Infinity, () => {})
    const send = networkFor(process, subject, {
      apiUrl: API_URL,
      account,
      time,
      rng,
      control: { createAnswer: 'own', listAgeMs: 0 },
      listLagMs: 0,
      chooseFault: () => 'none',
      down: () => false,
      aroundCreate: (act) => act(),
      violation: (text) => {
        throw new Error(text)
      },
      count: () => {},
    })
    const counting: HttpClient = (request) => {
      count()
      return send(request)
    }
    const clock = clockOn(time, 0, () => process.alive)
    const connect = () => subject.createKeyApi(counting, API_URL, 'simulation', clock.now)
    return { process, clock, connect }
  }
  const after = (delay: number) => new Promise<void>((resolve) => time.after(delay, resolve))

  let undecided = jobs
  let endTogether = () => {}
  const together = new Promise<void>((resolve) => {
    endTogether = resolve
  })

  async function runJob(): Promise<void> {
    await after(rng.between(0, startWithin))
    const main = startProcessOfJob(() => outcome.createRequests++)
    const { runner, state } = recordState()
    const common = { random: rng.roll, runner, settings: {}, bootedAt: START }
    try {
      await subject.issueKey(inputs, {
        ...common,
        api: main.connect(),
        clock: main.clock,
        cancellation: subject.createCancellation(main.clock.now),
        userAgent: 'simulation',
        proxy: '',
      })
      keysAt.push(time.now() - START)
    } catch {
      outcome.gaveUp += 1
    }
    undecided -= 1
    if (undecided === 0) time.after(MINUTE, endTogether)
    await (ends === 'in turn' ? after(rng.between(MINUTE, 10 * MINUTE)) : together)

    const post = startProcessOfJob(() => outcome.postRequests++)
    const startedAt = time.now()
    if (ends === 'cancelled') time.after(LEFT_TO_POSTS, post.process.kill)
    const run = subject.revokeKeys(subject.parseState(state()), {
      ...common,
      clock: post.clock,
      verificationOff: false,
      connect: post.connect,
      policyWithoutRecord: () => 'warn',
    })
    await Promise.race([run, post.process.died])
    outcome.longestPost = Math.max(outcome.longestPost, time.now() - startedAt)
  }

  const all = Promise.all(Array.from({ length: jobs }, runJob))
  if (!(await time.runUntil(all))) throw new Error('a job never ended')
  await all
  return { ...outcome, alive: account.live().length }
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
