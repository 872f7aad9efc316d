import { GATES } from '../support/gate.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import { FAULTS, type Fault, type Purpose } from './faults.ts'
import { type Outcome, runJob } from './job.ts'
import { createRng } from './rng.ts'
import { UNINTERRUPTED } from './run-main.ts'
import { API_URL, MINUTE_MS, UNDISTURBED, type World } from './world.ts'

/** Something that begins with a request: a fault of that request alone, or a state of the world that lasts from then on. */
type Trouble =
  | { kind: 'fault'; fault: Fault }
  | { kind: 'gate'; gate: (typeof GATES)[number] }
  | { kind: 'down' | 'unreadable' | 'kill' }

interface Placed {
  /** The number of the request in the whole job, counted from 0. */
  at: number
  trouble: Trouble
}

type Note = (name: string, outcome: Outcome) => void

/**
 * Runs one job with every pair of troubles at every pair of its requests, in each of a few worlds. The first trouble
 * meets each request that a job without any sends; the second meets each later request of the job that the first one
 * left, up to MOST_REQUESTS.
 */
export async function runExhaustively(subject: CodeUnderTest, note: Note): Promise<void> {
  for (const [name, world] of Object.entries(worlds())) {
    const run = async (...placed: Placed[]) => {
      const outcome = await runPlaced(subject, world, placed)
      const where = placed.map(({ at, trouble }) => `${labelOf(trouble)} at request ${at + 1}`)
      note(`${name}: ${where.join(', then ') || 'nothing'}`, outcome)
      return outcome
    }
    const undisturbed = await run()
    for (const first of placings(undisturbed, 0)) {
      const disturbed = await run(first)
      for (const second of placings(disturbed, first.at + 1)) await run(first, second)
    }
  }
}

/** A job that looks for a key of an unanswered request watches for 25 s, with a look each 2 s; the later ones are alike. */
const MOST_REQUESTS = 9

/** Every trouble at every request from number `from` on. */
function placings({ requests, requestsOfMain }: Outcome, from: number): Placed[] {
  const later = requests.map((what, at) => ({ what, at })).slice(from, MOST_REQUESTS)
  return later.flatMap(({ what, at }) =>
    troublesOf(what, at < requestsOfMain).map((trouble) => ({ at, trouble })),
  )
}

function troublesOf(what: Purpose, inMain: boolean): Trouble[] {
  const faults = [...new Set(FAULTS[what])].filter(
    (fault) => fault !== 'none' && fault !== 'POST repeated without a sign',
  )
  return [
    ...faults.map((fault) => ({ kind: 'fault' as const, fault })),
    ...GATES.map((gate) => ({ kind: 'gate' as const, gate })),
    { kind: 'down' },
    { kind: 'unreadable' },
    ...(inMain ? [{ kind: 'kill' as const }] : []),
  ]
}

function labelOf(trouble: Trouble): string {
  if (trouble.kind === 'fault') return trouble.fault
  if (trouble.kind === 'kill') return 'main killed'
  return trouble.kind === 'gate' ? `${trouble.gate} from here on` : `${trouble.kind} from here on`
}

/** The usual job, and others whose requests or answers differ. */
function worlds(): Record<string, World> {
  const usual: World = {
    server: { fractions: 'microseconds', listForm: 'array' },
    inputs: {
      apiUrl: API_URL,
      expiresIn: 60 * MINUTE_MS,
      exportEnv: '',
      revoke: true,
      onRevokeFailure: 'warn',
      timeout: 2 * MINUTE_MS,
    },
    credential: 'key',
    clockError: 0,
    clockErrorInPost: 0,
    failing: '',
    twin: null,
    faultRate: 1,
    liesAbout: 'revocation',
    outage: null,
    gate: null,
    unreadable: false,
    postRuns: 1,
    postAfter: 0,
    suspendedMs: 0,
    oddity: null,
    slowCreateMs: 0,
    damagedRecord: false,
    ...UNDISTURBED,
  }
  return {
    usual,
    'wrong clock': { ...usual, clockError: 20 * MINUTE_MS, clockErrorInPost: 20 * MINUTE_MS },
    'key may not revoke itself': { ...usual, server: { ...usual.server, selfRevocation: 'forbidden' } },
  }
}

async function runPlaced(subject: CodeUnderTest, world: World, placed: readonly Placed[]): Promise<Outcome> {
  const lying = placed.some(({ trouble }) => labelOf(trouble) === 'revocation claimed, not done')
  const job: World = { ...world, liesAbout: lying ? 'revocation' : 'credentials' }
  let sent = 0
  return runJob({
    world: job,
    rng: createRng(1),
    subject,
    interruption: UNINTERRUPTED,
    chooseFault(_what, _step, kill) {
      const here = placed.find(({ at }) => at === sent)?.trouble
      sent += 1
      if (here === undefined) return 'none'
      if (here.kind === 'fault') return isBlind(here.fault, placed) ? 'none' : here.fault
      if (here.kind === 'gate' && !(lying && here.gate === 'authentication down'))
        job.gate = { since: 'main', from: -Infinity, to: Infinity, kind: here.gate }
      if (here.kind === 'down') {
        job.outage = { since: 'main', from: -Infinity, to: Infinity }
        return 'refused'
      }
      if (here.kind === 'unreadable') job.unreadable = true
      if (here.kind === 'kill') kill()
      return 'none'
    },
  })
}

/** A revocation that is claimed and not done, and a 401 that means nothing: no client could detect the two together. */
function isBlind(fault: Fault, placed: readonly Placed[]): boolean {
  const has = (other: Fault) =>
    placed.some(({ trouble }) => trouble.kind === 'fault' && trouble.fault === other)
  return fault === '401 like the API' && has('revocation claimed, not done')
}
