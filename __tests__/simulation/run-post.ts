import type { Evidence } from './evidence.ts'
import type { Fault, Purpose } from './faults.ts'
import type { Job } from './job.ts'
import { networkFor } from './network.ts'
import { recordRunner, type StepRecord, startProcess } from './process.ts'
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
  /** Whether `api-key` was answered 401, in the API's own words. */
  apiKeyRefused: boolean
  /** What it could not settle, as it told the person who has to. */
  troubles: string[]
}

/** Runs the post step on what main saved. */
export async function runPost(job: Job, record: string): Promise<PostRun> {
  const { time, world, evidence, subject } = job
  const startedAt = time.now()
  job.startOfPost = startedAt
  evidence.recent = []
  const earlier = evidence.requests.length
  const process = startProcess(Infinity, () => {})
  const clock = clockOn(time, world.clockErrorInPost, () => process.alive)
  const { runner, traces } = recordRunner(process, '', 0)
  const troubles: string[] = []
  const client = networkFor(process, subject, job.network('post'))
  const run = subject
    .revokeKeys(subject.parseState(record), {
      clock,
      random: job.rng.roll,
      runner,
      settings: {},
      bootedAt: START + world.clockErrorInPost + world.suspendedMs,
      connect: ({ apiUrl }) =>
        subject.createKeyApi({ client, apiUrl, userAgent: 'simulation', now: clock.now }),
      stopping: new AbortController().signal,
      policyWithoutRecord: () => 'warn',
    })
    .catch((error: Error) => {
      traces.printed.push(error.message)
      troubles.push(error.message)
    })
  const settled = await time.runUntil(run)
  process.kill()
  return {
    traces,
    settled,
    record,
    startedAt,
    tookMs: time.now() - startedAt,
    requests: evidence.requests.slice(earlier),
    ...seenOf(evidence),
    troubles: [...troubles, ...traces.warnings],
  }
}

function seenOf({ recent }: Evidence): Pick<PostRun, 'faults' | 'apiKeyRefused'> {
  return {
    faults: recent.map(({ fault }) => fault),
    apiKeyRefused: recent.some(({ fault, withApiKey }) => fault === '401 like the API' && withApiKey),
  }
}
