import { expect, test } from '@jest/globals'
import { createRng, type Rng } from '../simulation/rng.ts'
import { type Emulator, type Fault, startEmulator } from '../support/emulator.ts'
import { createJob, type RunningStep, type StepResult } from '../support/runner.ts'

const RUNS = 300
/** Mains at a time: more would start so slowly that every kill came before the first line of code. */
const MAINS_AT_ONCE = 4

/**
 * The committed bundles as real processes against a real server, with main killed at a random moment and random
 * faults in both steps. Post may have to wait for a slow server, up to 16 s, so many jobs wait side by side.
 */
test(
  `no key outlives ${RUNS} jobs whose main was killed at a random moment`,
  async () => {
    const seed = Date.now() % 1_000_000
    const slots = createSlots(MAINS_AT_ONCE)
    const jobs = Array.from({ length: RUNS }, (_, index) => runJob(createRng(seed * RUNS + index), slots))
    const outcomes = await Promise.all(jobs)

    const leaks = outcomes.flatMap(({ faults }, index) =>
      faults.length > 0 ? [{ seed, index, faults }] : [],
    )
    expect(leaks).toEqual([])
    // The test would prove nothing if the kills always came too early or too late.
    const killed = outcomes.filter(({ mainWasKilled }) => mainWasKilled)
    expect(killed.length).toBeGreaterThan(RUNS / 4)
    expect(killed.filter(({ keysMade }) => keysMade > 0).length).toBeGreaterThan(RUNS / 20)
    expect(outcomes.filter(({ keysMade }) => keysMade > 0).length).toBeGreaterThan(RUNS / 4)
  },
  4 * 60_000,
)

interface JobOutcome {
  faults: string[]
  mainWasKilled: boolean
  keysMade: number
}

async function runJob(rng: Rng, slots: Slots): Promise<JobOutcome> {
  const emulator = await startEmulator({
    listForm: rng.pick(['array', 'paginated']),
    fractions: rng.pick(['keep', 'microseconds']),
    selfRevocation: rng.pick(['allowed', 'allowed', 'forbidden']),
  })
  const { account } = emulator
  const job = createJob()
  const faults: string[] = []
  try {
    const foreign = account.addKey({ expiry: Date.now() + 3_600_000 })
    for (const fault of chooseFaults(rng, ['create', 'create', 'list'])) emulator.fault(fault)
    const inputs = {
      'api-key': account.longLivedKey,
      'api-url': emulator.url,
      'expires-in': '10m',
      timeout: '1s',
    }
    const main = await slots.use(() => runAndKill(rng, job.start(inputs), emulator))
    for (const fault of chooseFaults(rng, ['revoke', 'list'])) emulator.fault(fault)
    const post = await job.post()

    if (post.exitCode !== 0) faults.push(`post ended with ${post.exitCode}`)
    if (post.annotations.length > 0) faults.push(...post.annotations.map(({ message }) => message))
    if (account.live().length > 0) faults.push(`${account.live().length} key(s) alive after post`)
    if (foreign.revoked) faults.push('a key of somebody else was revoked')
    const secrets = [account.longLivedKey, ...account.keys().map(({ token }) => token)]
    if (secrets.some((secret) => job.log().includes(secret))) faults.push('a key was printed')
    return {
      faults,
      mainWasKilled: main.signal !== null || main.exitCode !== 0,
      keysMade: account.keys().length,
    }
  } finally {
    await job.cleanUp()
    await emulator.close()
  }
}

/**
 * Sends main a signal at some moment: soon after it was started, or soon after its first, second or third
 * request came in. The requests make the choice as good on a slow machine as on a fast one.
 */
async function runAndKill(rng: Rng, main: RunningStep, { requests }: Emulator): Promise<StepResult> {
  const awaited = rng.pick([0, 1, 1, 1, 2, 3])
  const delay = rng.chance(0.5) ? rng.between(0, 15) : rng.between(0, 300)
  const signal = rng.pick(['SIGINT', 'SIGTERM', 'SIGKILL', 'SIGKILL'] as const)
  const over = main.done.then(() => true)
  const rest = (ms: number) => new Promise<false>((resolve) => setTimeout(() => resolve(false), ms))
  while (requests.length < awaited && !(await Promise.race([over, rest(2)])));
  await Promise.race([over, rest(delay)])
  main.signal(signal)
  return main.done
}

function chooseFaults(rng: Rng, targets: ('create' | 'list' | 'revoke')[]): Fault[] {
  return targets.flatMap((on): Fault[] => {
    if (rng.chance(0.4)) return []
    const ms = rng.between(0, 800)
    return [
      rng.pick<Fault>([
        { on, kind: 'cut-before' },
        { on, kind: 'cut-after' },
        { on, kind: 'truncate' },
        { on, kind: 'garbage' },
        { on, kind: 'delay', ms, act: 'before' },
        { on, kind: 'delay', ms, act: 'after' },
        { on, kind: 'status', status: 503, acted: true },
        { on, kind: 'status', status: 502 },
        { on, kind: 'status', status: 429, headers: { 'Retry-After': '1' } },
      ]),
    ]
  })
}

interface Slots {
  use<T>(work: () => Promise<T>): Promise<T>
}

/** Lets so many pieces of work go on at a time, and the others wait. */
function createSlots(free: number): Slots {
  const waiting: (() => void)[] = []
  return {
    async use(work) {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else free += 1
      }
    },
  }
}
