import type { HttpClient } from '../../src/http/http-client.ts'
import { type Account, createAccount } from '../support/account.ts'
import type { Grid } from '../support/instants.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import { networkFor } from './network.ts'
import { recordRunner, startProcess } from './process.ts'
import { createRng, type Rng } from './rng.ts'
import { clockOn, createTime, type VirtualTime } from './time.ts'
import { API_URL, START } from './world.ts'

/** A matrix whose jobs start together, half of them with a 502 that made nothing. Times in milliseconds. */
export interface Contention {
  jobs: number
  startWithin: number
  expiresIn: number
  grid: Grid
  seed: number
}

/**
 * Posts start when no look-up has to wait for a slow server any more (25 s after its request), so that each look is at
 * all the keys, and before these expire: even a key of `expires-in: 1m` is valid for 57 s.
 */
const POSTS_AFTER_MS = 27_000

/**
 * Runs main in every job and then post in those that got the 502, while the keys of all the others are valid. Answers
 * how many keys a job revoked that another one had made.
 */
export async function runContention(contention: Contention, subject: CodeUnderTest): Promise<number> {
  const { jobs, startWithin, grid, seed } = contention
  const rng = createRng(seed)
  const time = createTime(START)
  const account = createAccount({ now: time.now, random: rng.roll, grid })
  const shared: Shared = { subject, time, rng, account, owners: new Map(), taken: 0 }
  const pass = (delay: number) => new Promise<void>((resolve) => time.after(delay, resolve))
  const runJob = async (job: number) => {
    const unlucky = job % 2 === 0
    await pass(rng.between(0, startWithin))
    const state = await runMainOf(contention, shared, clientOf(job, unlucky ? 1 : 0, shared))
    if (!unlucky) return
    await pass(POSTS_AFTER_MS)
    await runPostOf(shared, state, clientOf(job, 0, shared))
  }
  const all = Promise.all(Array.from({ length: jobs }, (_, job) => runJob(job)))
  if (!(await time.runUntil(all))) throw new Error('a job never ended')
  await all
  return shared.taken
}

interface Shared {
  subject: CodeUnderTest
  time: VirtualTime
  rng: Rng
  account: Account
  /** The job that made each key, by its id. */
  owners: Map<string, number>
  /** Keys that were revoked by a job that had not made them. */
  taken: number
}

/** A process of this job and its client, whose first `misses` create requests are answered 502 and make nothing. */
function clientOf(job: number, misses: number, shared: Shared): Client {
  const { subject, time, rng, account, owners } = shared
  const process = startProcess(Infinity, () => {})
  let left = misses
  const send = networkFor(process, subject, {
    apiUrl: API_URL,
    account,
    control: { createAnswer: 'own', listAgeMs: 0 },
    time,
    rng,
    listLagMs: 0,
    chooseFault: (what) => (what === 'create' && left-- > 0 ? '502 and did not act' : 'none'),
    down: () => false,
    aroundCreate(act) {
      const response = act()
      const made = account.keys().at(-1)
      if (made && !owners.has(made.id)) owners.set(made.id, job)
      return response
    },
    violation: (text) => {
      throw new Error(text)
    },
    count: () => {},
  })
  const watching: HttpClient = async (request) => {
    const response = await send(request)
    const id = decodeURIComponent(request.url.pathname.split('/').at(-1) ?? '')
    if (request.method === 'DELETE' && response.status === 204 && owners.get(id) !== job) shared.taken += 1
    return response
  }
  const clock = clockOn(time, 0, () => process.alive)
  const options = { client: watching, apiUrl: API_URL, userAgent: 'simulation', now: clock.now }
  return { process, clock, api: subject.createKeyApi(options) }
}

interface Client {
  process: ReturnType<typeof startProcess>
  clock: ReturnType<typeof clockOn>
  api: ReturnType<CodeUnderTest['createKeyApi']>
}

/** Runs main, and answers what it saved for post. */
async function runMainOf(
  { expiresIn }: Contention,
  { subject, account, rng }: Shared,
  { process, clock, api }: Client,
): Promise<string> {
  const { runner, traces } = recordRunner(process, '', 0)
  const inputs = {
    apiKey: account.longLivedKey,
    apiUrl: API_URL,
    expiresIn,
    exportEnv: '',
    revoke: true,
    onRevokeFailure: 'warn' as const,
    timeout: 120_000,
  }
  const cancellation = subject.createCancellation(clock.now)
  const surroundings = { settings: {}, bootedAt: START }
  await subject
    .issueKey(inputs, { api, clock, random: rng.roll, runner, cancellation, ...surroundings })
    .catch(() => {})
  return traces.state.record ?? ''
}

async function runPostOf(
  { subject, rng }: Shared,
  state: string,
  { process, clock, api }: Client,
): Promise<void> {
  const { runner } = recordRunner(process, '', 0)
  await subject.revokeKeys(subject.parseState(state), {
    clock,
    random: rng.roll,
    runner,
    settings: {},
    bootedAt: START,
    connect: () => api,
    stopping: new AbortController().signal,
    policyWithoutRecord: () => 'warn',
  })
}
