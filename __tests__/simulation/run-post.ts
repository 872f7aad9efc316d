import type { HttpClient } from '../../src/http/http-client.ts'
import type { StoredKey } from '../support/account.ts'
import type { Evidence } from './evidence.ts'
import type { Fault, Purpose } from './faults.ts'
import type { Job } from './job.ts'
import { networkFor } from './network.ts'
import { type Process, recordRunner, type StepRecord, startProcess } from './process.ts'
import { clockOn } from './time.ts'
import { START } from './world.ts'

export interface PostRun {
  traces: StepRecord
  settled: boolean
  /** The record that it was given. */
  record: string
  startedAt: number
  tookMs: number
  /** Its requests in order, and the faults that they met. */
  requests: Purpose[]
  faults: Fault[]
  /** The credentials that it sent. */
  sent: Set<string>
  /** Whether `api-key` was answered 401, in the API's own words. */
  apiKeyRefused: boolean
  /** What it could not settle, as it told the person who has to. */
  troubles: string[]
  /** The keys of this run that were valid when the runner killed it; null if it ended by itself. */
  validWhenKilled: StoredKey[] | null
}

/** From the runner's first signal to the kill (actions/runner, ProcessInvoker). */
const KILL_AFTER_MS = 10_000

/** Runs the post step on what main saved. */
export async function runPost(job: Job, record: string): Promise<PostRun> {
  const { time, world, evidence, subject } = job
  const startedAt = time.now()
  job.startOfPost = startedAt
  evidence.recent = []
  evidence.sent = new Set()
  const earlier = evidence.requests.length
  const process = startProcess(Infinity, () => {})
  const clock = clockOn(time, world.clockErrorInPost, () => process.alive)
  const { runner, traces } = recordRunner(process, '', 0)
  const troubles: string[] = []
  const client = networkFor(process, subject, job.network('post'))
  const stop = stopsOf(job, process)
  const run = revoke(job, record, { clock, client, runner, stopping: stop.signal }).catch((error: Error) => {
    traces.printed.push(error.message)
    troubles.push(error.message)
  })
  const settled = await time.runUntil(Promise.race([run, process.died]))
  stop.isOver = true
  const validWhenKilled = process.alive ? null : job.account.live()
  process.kill()
  return {
    traces,
    settled,
    record,
    startedAt,
    tookMs: time.now() - startedAt,
    requests: evidence.requests.slice(earlier),
    sent: evidence.sent,
    ...seenOf(evidence),
    troubles: [...troubles, ...traces.warnings],
    validWhenKilled,
  }
}

type Means = Pick<Parameters<Job['subject']['revokeKeys']>[1], 'clock' | 'runner' | 'stopping'>

function revoke(
  { subject, world, rng }: Job,
  record: string,
  { client, ...means }: Means & { client: HttpClient },
): Promise<void> {
  const connect = ({ apiUrl }: { apiUrl: string }) =>
    subject.createKeyApi({ client, apiUrl, userAgent: 'simulation', now: means.clock.now })
  return subject.revokeKeys(subject.parseState(record), {
    ...means,
    random: rng.roll,
    settings: world.settings.post,
    bootedAt: START + world.clockErrorInPost + world.suspendedMs,
    connect,
    policyWithoutRecord: () => 'warn',
  })
}

/** Stops post as the runner does, unless it `isOver` by then. */
function stopsOf({ world, time, count }: Job, process: Process) {
  const stopping = new AbortController()
  const stop = { signal: stopping.signal, isOver: false }
  if (world.postStoppedAfter !== Infinity)
    time.after(world.postStoppedAfter, () => {
      if (stop.isOver) return
      count('post stopped')
      stopping.abort()
      time.after(KILL_AFTER_MS, () => !stop.isOver && process.kill())
    })
  return stop
}

function seenOf({ recent }: Evidence): Pick<PostRun, 'faults' | 'apiKeyRefused'> {
  return {
    faults: recent.map(({ fault }) => fault),
    apiKeyRefused: recent.some(({ fault, withApiKey }) => fault === '401 like the API' && withApiKey),
  }
}
