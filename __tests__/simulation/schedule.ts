import type { CodeUnderTest } from './code-under-test.ts'
import { FAULTS, FAULTS_OF, type Fault, type Purpose } from './faults.ts'
import { type Outcome, runJob } from './job.ts'
import { createRng, type Rng } from './rng.ts'
import { chooseInterruption } from './run-main.ts'
import { chooseWorld, type World } from './world.ts'

/** Of the twins that leave no sign, most are left out: they are a limit that is counted, not one that is tested. */
const WITHOUT_A_SIGN = 0.1

/** How many of the faults in a world that has faults of its own are these. */
const ODD_FAULT_SHARE = 0.5

/** Runs one job, main and post, in a world that is chosen by `seed`, as is everything that happens in it. */
export async function runSchedule(seed: number, subject: CodeUnderTest): Promise<Outcome & { seed: number }> {
  const rng = createRng(seed)
  const faults: Record<string, number> = {}
  const world = chooseWorld(rng, (kind) => {
    faults[kind] = (faults[kind] ?? 0) + 1
  })
  const outcome = await runJob({
    world,
    rng,
    subject,
    faults,
    interruption: chooseInterruption(rng),
    chooseFault: (what) => chooseFault(what, world, rng),
  })
  return { ...outcome, seed }
}

function chooseFault(what: Purpose, world: World, rng: Rng): Fault {
  if (!rng.chance(world.faultRate)) return 'none'
  const odd = [world.oddity, world.hardship].flatMap((kind) => (kind && FAULTS_OF[kind]?.[what]) || [])
  const fault = rng.pick(odd.length > 0 && rng.chance(ODD_FAULT_SHARE) ? odd : FAULTS[what])
  return isPossible(fault, world, rng) ? fault : 'none'
}

/**
 * A server that reports a revocation, does not do it, and then answers 401 anyway, as its own or for a fresh key, is
 * the one combination that no client could detect, unless the key was accepted in between.
 */
function isPossible(fault: Fault, world: World, rng: Rng): boolean {
  switch (fault) {
    case '401 like the API':
      return world.liesAbout === 'credentials'
    case 'revocation claimed, not done':
      return canClaim(world)
    // Of two keys with the very same expiry, these may show only another job's.
    case 'stale list':
    case 'an earlier answer replayed':
      return !hasSameExpiry(world)
    case 'POST repeated without a sign':
      return rng.chance(WITHOUT_A_SIGN)
    default:
      return true
  }
}

function hasSameExpiry({ twin }: World): boolean {
  return twin !== null && twin !== 'near'
}

function canClaim({ liesAbout, server, outage, gate, unreadable }: World): boolean {
  if (liesAbout === 'credentials' || server.replicas?.freshMs) return false
  // A list that lags may lack the key too; design.md lists that.
  if (server.replicas?.listMs) return false
  return liesAbout === 'revocation' || (!outage && !gate && !unreadable)
}
