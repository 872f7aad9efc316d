import { expect, test } from '@jest/globals'
import { createRng, type Rng } from '../simulation/rng.ts'
import { type Emulator, type Fault, startEmulator } from '../support/emulator.ts'
import { whilePostLooks } from '../support/late.ts'
import { SKIP_SLEEPS } from '../support/preload.ts'
import { createJob, type Job, type RunningStep, type StepResult } from '../support/runner.ts'
import { SEED } from '../support/seed.ts'
import { createSlots } from '../support/slots.ts'

const RUNS = Number(process.env.RUNS ?? 300)
/** Processes at a time, main and post steps alike. */
const SLOTS = 8
/** In one of so many jobs the server keeps its response until the main step is gone, so that the kill cannot be late. */
const HELD_EVERY = 3
/** A machine ten times slower needs less than this for a job. */
const LIMIT_PER_JOB_MS = 5_000

/**
 * The committed bundles as real processes against a real server, with the main step killed at a random moment and
 * random faults in both steps. Only their sleeps are skipped, so that post does not wait for slow servers in real time.
 */
test(
  `no key outlives ${RUNS} jobs whose main step was killed at a random moment`,
  async () => {
    const slots = createSlots(SLOTS)
    const indexes = Array.from({ length: RUNS }, (_, index) => index)
    const outcomes = await Promise.all(indexes.map((index) => slots.use(() => runJob(index))))

    const leaks = outcomes.flatMap(({ problems }, index) =>
      problems.length > 0 ? [{ SEED, index, problems }] : [],
    )
    expect(leaks).toEqual([])
    // The test would prove nothing if every kill came too early or too late. These jobs do not depend on the machine.
    const held = outcomes.filter((_, index) => isHeld(index))
    expect(held.filter(({ mainWasKilled, keysMade }) => !mainWasKilled || keysMade === 0)).toEqual([])
  },
  60_000 + RUNS * LIMIT_PER_JOB_MS,
)

interface JobOutcome {
  problems: string[]
  mainWasKilled: boolean
  keysMade: number
}

const isHeld = (index: number) => index % HELD_EVERY === 0

async function runJob(index: number): Promise<JobOutcome> {
  const rng = createRng(Math.imul(SEED, 1_000_003) + index)
  const emulator = await startEmulator({
    listForm: rng.pick(['array', 'paginated']),
    selfRevocation: rng.pick(['allowed', 'allowed', 'forbidden']),
  })
  const job = createJob()
  try {
    const foreign = emulator.account.addKey({ expiry: Date.now() + 3_600_000 })
    const main = await (isHeld(index) ? killWhileHeld : killAtRandom)(rng, job, emulator)
    for (const fault of chooseFaults(rng, emulator, ['revoke', 'list'])) emulator.fault(fault)
    const post = await job.post(undefined, { nodeArgs: SKIP_SLEEPS })

    const problems = problemsOf(job, post, emulator)
    if (foreign.revoked) problems.push('a key of another run was revoked')
    return {
      problems,
      mainWasKilled: main.signal !== null || main.exitCode !== 0,
      keysMade: emulator.account.keys().length,
    }
  } finally {
    await job.cleanUp()
    await emulator.close()
  }
}

/** All that post may warn of here: a request that the server has not carried out may still be carried out much later. */
const NOTHING_YET = /^No key of an unresolved create request has appeared so far;/

function problemsOf(job: Job, post: StepResult, { account }: Emulator): string[] {
  const problems = post.annotations.map(({ message }) => message).filter((text) => !NOTHING_YET.test(text))
  if (post.exitCode !== 0) problems.push(`post ended with ${post.exitCode}`)
  if (account.live().length > 0) problems.push(`${account.live().length} key(s) valid after post`)
  const secrets = [account.longLivedKey, ...account.keys().map(({ token }) => token)]
  if (secrets.some((secret) => job.log().includes(secret))) problems.push('a key was printed')
  return problems
}

function start(job: Job, { account, url }: Emulator): RunningStep {
  const inputs = { 'api-key': account.longLivedKey, 'api-url': url, 'expires-in': '10m', timeout: '4s' }
  return job.start(inputs)
}

/** The server has created the key, and its response never arrives: the main step is killed while it waits. */
async function killWhileHeld(rng: Rng, job: Job, emulator: Emulator): Promise<StepResult> {
  emulator.fault({ on: 'create', kind: 'hang' })
  for (const fault of chooseFaults(rng, emulator, ['list'])) emulator.fault(fault)
  const main = start(job, emulator)
  await emulator.arrived((requests) => requests.length > 0)
  main.signal('SIGKILL')
  return main.done
}

/**
 * Sends the main step a signal at some moment: soon after it was started, or soon after its first, second or third
 * request came in.
 */
async function killAtRandom(rng: Rng, job: Job, emulator: Emulator): Promise<StepResult> {
  for (const fault of chooseFaults(rng, emulator, ['create', 'create', 'list'])) emulator.fault(fault)
  const awaited = rng.pick([0, 1, 1, 1, 2, 3])
  const delay = rng.chance(0.5) ? rng.between(0, 15) : rng.between(0, 300)
  const signal = rng.pick(['SIGINT', 'SIGTERM', 'SIGKILL', 'SIGKILL'] as const)
  const main = start(job, emulator)
  await Promise.race([main.done, emulator.arrived((requests) => requests.length >= awaited)])
  await Promise.race([main.done, new Promise((resolve) => setTimeout(resolve, delay))])
  main.signal(signal)
  return main.done
}

function chooseFaults(rng: Rng, emulator: Emulator, targets: ('create' | 'list' | 'revoke')[]): Fault[] {
  return targets.flatMap((on): Fault[] => {
    if (rng.chance(0.4)) return []
    const ms = rng.between(0, 800)
    return [
      rng.pick<() => Fault>([
        () => ({ on, kind: 'cut-before' }),
        () => ({ on, kind: 'cut-after' }),
        () => ({ on, kind: 'truncate' }),
        () => ({ on, kind: 'garbage' }),
        () => ({ on, kind: 'delay', ms, act: 'before' }),
        () =>
          on === 'create'
            ? {
                on,
                kind: 'hold',
                until: whilePostLooks(emulator, Math.ceil(rng.between(0, 3))),
                act: 'after',
              }
            : { on, kind: 'delay', ms, act: 'after' },
        () => ({ on, kind: 'status', status: 503, acted: true }),
        () => ({ on, kind: 'status', status: 502 }),
        () => ({ on, kind: 'status', status: 429, headers: { 'Retry-After': '1' } }),
      ])(),
    ]
  })
}
