import type { Inputs } from '../../src/runner/inputs.ts'
import type { AccountOptions, StoredKey } from '../support/account.ts'
import { GATES, type Gate } from '../support/gate.ts'
import { GRID_STEP_US, GRIDS, READABLE_SPELLINGS, UNREADABLE_SPELLINGS } from '../support/instants.ts'
import { LIST_FORMS, NEXT_FORMS } from '../support/list-forms.ts'
import { addHardship, type Hardship } from './hardships.ts'
import { addOddity, type Oddity, surroundOddity } from './oddities.ts'
import type { Rng } from './rng.ts'

export const API_URL = 'https://api.example'
export const START = Date.parse('2027-03-01T12:00:00.250Z')
export const MINUTE_MS = 60_000
const DAY_MS = 1440 * MINUTE_MS

/** Something that lasts for a while, from the start of main or of post on. Milliseconds from then. */
export interface Spell {
  since: 'main' | 'post'
  from: number
  to: number
}

export type Server = Omit<
  AccountOptions,
  'now' | 'random' | 'gate' | 'createAnswer' | 'listAge' | 'unreadable'
>

/** Everything about one job and its surroundings that is settled before it starts. */
export interface World {
  server: Server
  inputs: Omit<Inputs, 'apiKey'>
  /** Whether `api-key` is a key of the account, with a row in the list, or a JWT, without one. */
  credential: 'key' | 'jwt'
  /** How far the runner's clock is ahead, in ms, while main and while post runs. */
  clockError: number
  clockErrorInPost: number
  /** The command file that cannot be written, by the call that writes it; empty for none. */
  failing: '' | 'saveState' | 'setOutput' | 'exportVariable' | 'writeSummary'
  /** A key of another job that is close to ours. */
  twin: 'same before' | 'same after' | 'same by chance' | 'near' | 'earlier' | null
  /** How many of the requests meet a fault, in [0, 1]. */
  faultRate: number
  /**
   * Whether a revocation may be claimed and not done, or a 401 may be the API's and mean nothing, or both: the 401s
   * follow once the API has accepted the key for so long that the claim is exposed.
   */
  liesAbout: 'revocation' | 'credentials' | 'both in turn'
  outage: Spell | null
  gate: (Spell & { kind: Gate }) | null
  /** Every success is unreadable. */
  unreadable: boolean
  postRuns: 0 | 1 | 2
  /** How long after main post runs, in ms. */
  postAfter: number
  /** For how much of that the machine was suspended, in ms: its time since it was started does not count it. */
  suspendedMs: number
  oddity: Oddity | null
  /** The longest that the server takes before it carries out a create request, in ms; 0 if it does so at once. */
  slowCreateMs: number
  /** An entry of the record is damaged before post reads it. */
  damagedRecord: boolean
  /** Whose requests get 429 until so many ms after the start of post, and in main after the start of that. */
  limited: { credential: 'key' | 'api-key' | 'both'; ms: number; mainMs?: number } | null
  /** When the runner sends post its first signal, in ms after its start; Infinity for never. */
  postStoppedAfter: number
  /** What answers every request until so many ms after the start of post; after that, the API gives 401 for a while. */
  stub: { kind: Stub; until: number; rejectedUntil: number } | null
  hardship: Hardship | null
  /** The network settings of each step. */
  settings: Record<'main' | 'post', Record<string, string>>
  /** What cannot be read of one row of the list, another run's. */
  unreadableRow: NonNullable<StoredKey['unreadable']> | null
}

/** What a deployment may put in place of the API. With the wrong certificate, nothing is sent. */
const STUBS = ['no content', 'forbidden', 'wrong certificate'] as const
type Stub = (typeof STUBS)[number]

const LIES = ['credentials', 'credentials', 'revocation', 'both in turn'] as const

type Count = (kind: string) => void

/** The world of one schedule. `count` is told of everything in it that makes a job hard. */
export function chooseWorld(rng: Rng, count: Count): World {
  const happens = (probability: number, kind: string) => {
    const does = rng.chance(probability)
    if (does) count(kind)
    return does
  }
  const clockError = chooseClockError(rng, happens)
  const clockErrorInPost = chooseClockErrorInPost(rng, clockError, happens)
  const failing = chooseFailing(rng, count)
  const gate = chooseGate(rng, happens)
  const liesAbout = gate?.kind === 'authentication down' ? 'credentials' : rng.pick(LIES)
  const server = chooseServer(rng, clockError, happens)
  // Drawn from another stream, so that the other worlds stay as they are.
  const odd = rng.fork()
  const oddity = addOddity(server, { rng: odd, clockError, chooseError })
  if (oddity) count(oddity)
  const postRuns = choosePostRuns(rng, count)
  const wait = chooseWait(rng, { isClockSet: clockErrorInPost !== clockError, server }, happens)
  const world: World = {
    server,
    inputs: chooseInputs(rng),
    credential: happens(0.06, 'api-key is a JWT') ? 'jwt' : 'key',
    clockError,
    clockErrorInPost,
    failing,
    twin: chooseTwin(rng, failing, server),
    faultRate: rng.pick([0, 0.05, 0.25, 0.5]),
    liesAbout,
    outage: rng.chance(0.1) ? chooseSpell(rng, 0) : null,
    gate,
    unreadable: happens(0.01, 'every success is unreadable'),
    postRuns,
    ...wait,
    oddity,
    slowCreateMs: 0,
    damagedRecord: happens(0.03, 'a damaged entry in the record'),
    ...UNDISTURBED,
  }
  return disturbPost(surroundOddity(world, odd), odd.fork(), count)
}

function choosePostRuns(rng: Rng, count: Count): World['postRuns'] {
  const postRuns = rng.pick([0, 1, 1, 1, 1, 1, 1, 2] as const)
  if (postRuns !== 1) count(postRuns === 0 ? 'post skipped' : 'post run twice')
  return postRuns
}

/** What most post steps meet. */
export const UNDISTURBED: Pick<
  World,
  'limited' | 'postStoppedAfter' | 'stub' | 'hardship' | 'settings' | 'unreadableRow'
> = {
  limited: null,
  postStoppedAfter: Infinity,
  stub: null,
  hardship: null,
  settings: { main: {}, post: {} },
  unreadableRow: null,
}

/** Drawn from a stream of its own, so that the other worlds stay as they are. */
function disturbPost(world: World, rng: Rng, count: Count): World {
  if (rng.chance(0.04)) world.postStoppedAfter = rng.between(0, 15_000)
  if (rng.chance(0.06)) world.limited = chooseLimited(rng)
  const later = rng.fork()
  const deployed = deployDuringPost(world, later, count)
  return addHardship(deployed, later.fork(), count)
}

function chooseLimited(rng: Rng): World['limited'] {
  const credential = rng.pick(['key', 'api-key'] as const)
  // Post does not wait for so long: api-key revokes the key.
  const isEndless = credential === 'key' && rng.chance(0.5)
  return { credential, ms: isEndless ? 120 * MINUTE_MS : rng.between(10_000, 10 * MINUTE_MS) }
}

/**
 * A stub that gives 204 lasts until the key is asked for once: without that, no client could tell it from a revocation.
 */
function deployDuringPost(world: World, rng: Rng, count: Count): World {
  const { oddity, outage, gate, unreadable, limited } = world
  const until = rng.between(2_000, 9_000)
  const isElse = oddity !== null || outage !== null || gate !== null || unreadable || limited !== null
  if (!rng.chance(0.04) || isElse) return world
  const kind = rng.pick(STUBS)
  // As in `surroundOddity`: a 401 after an expiry that the response only repeats seems to come from it.
  const isRepeated = world.server.repeatsExpiry && world.server.ignoreExpiry
  const isRejected = kind === 'no content' && !isRepeated
  const rejectedUntil = isRejected ? until + rng.between(5_000, 20_000) : until
  count(`a stub in place of the API: ${kind}`)
  return { ...world, faultRate: 0, stub: { kind, until, rejectedUntil } }
}

function chooseGate(rng: Rng, happens: Happens): World['gate'] {
  if (!happens(0.05, 'a gate in front of the API')) return null
  return { ...chooseSpell(rng, 0.3), kind: rng.pick(GATES) }
}

function chooseFailing(rng: Rng, count: Count): World['failing'] {
  if (!rng.chance(0.12)) return ''
  const failing = rng.pick(['saveState', 'setOutput', 'exportVariable', 'writeSummary'] as const)
  count(`${failing} fails`)
  return failing
}

type Happens = (probability: number, kind: string) => boolean

/** Whether `Date` is wrong as the runner's clock is. */
function isAlike(dateErrorMs: number | undefined, clockError: number): boolean {
  return Math.abs(clockError) > MINUTE_MS && Math.abs((dateErrorMs ?? 0) - clockError) < 2 * MINUTE_MS
}

/** How long main and post are apart. */
function chooseWait(
  rng: Rng,
  { isClockSet, server }: { isClockSet: boolean; server: Server },
  happens: Happens,
): Pick<World, 'postAfter' | 'suspendedMs'> {
  // Soon after the main step, the post step warns of every unanswered request, whatever the list shows.
  const postAfter = happens(server.listMoves ? 0.8 : 0.3, 'post late')
    ? rng.between(0, 3 * 60 * MINUTE_MS)
    : 0
  // Of a machine that slept and whose clock was set, nothing could tell how long it slept.
  const isSuspended = postAfter > 0 && !isClockSet && happens(0.2, 'machine suspended')
  return { postAfter, suspendedMs: isSuspended ? rng.between(0, postAfter) : 0 }
}

function chooseSpell(rng: Rng, forGood: number): Spell {
  const since = rng.pick(['main', 'main', 'post'] as const)
  const from = since === 'main' ? rng.between(-1000, 20_000) : rng.between(-1000, 1000)
  return { since, from, to: rng.chance(forGood) ? Infinity : from + rng.between(100, 60_000) }
}

function chooseTwin(rng: Rng, failing: World['failing'], server: Server): World['twin'] {
  const isOfMilliseconds = server.grid === '1 ms'
  if (!rng.chance(isOfMilliseconds ? 0.8 : 0.2)) return null
  // Nothing shows how the server rounds then: the next millisecond may be ours, and a coarse grid seems to be of 1 ms.
  if (server.repeatsExpiry && (isOfMilliseconds || server.repeatsExpiry === 'in milliseconds')) return null
  // By a wrong clock, a key of ten minutes ago could be of this moment; in part of a list, one of two could be alone.
  if (!isAgeShown(server)) return 'near'
  if (isOfMilliseconds && rng.chance(0.8)) return 'near'
  // Where expiries have few values, another job's key may have ours by chance, and ours may not exist.
  const isCoarse = GRID_STEP_US[server.grid ?? '1 us'] > 1000 || server.maxDigits === 0
  if (isCoarse && rng.chance(0.9)) return 'same by chance'
  // Where nothing can be saved, post cannot learn that our own key is revoked already, and would find the twin alone.
  if (failing === 'saveState') return rng.pick(['near', 'earlier'] as const)
  return rng.pick(['same before', 'same after', 'near', 'earlier'] as const)
}

/** Whether the list shows of all keys that an expiry fits which of them was made when. */
export function isAgeShown(server: Server): boolean {
  return !(server.dateErrorMs || server.createdErrorMs || server.maxLifetimeMs) && isListWhole(server)
}

/** Whether the list is an array, or in pages of the documented kind. */
export function isListReadable({ listForm }: Server): boolean {
  return listForm === 'array' || listForm === 'paginated'
}

/** Whether the list shows all keys as they are now. */
export function isListWhole({ listForm, listMoves, replicas }: Server): boolean {
  return !replicas?.listMs && (listForm === 'array' || (listForm === 'paginated' && !listMoves))
}

function chooseInputs(rng: Rng): World['inputs'] {
  return {
    apiUrl: API_URL,
    expiresIn: rng.pick([MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS, 5 * DAY_MS]),
    exportEnv: rng.pick(['', 'SPHERESCOUT_API_KEY']),
    revoke: rng.chance(0.85),
    onRevokeFailure: rng.pick(['warn', 'fail']),
    timeout: rng.pick([1000, 10_000, 120_000]),
  }
}

function chooseClockError(rng: Rng, happens: Happens): number {
  if (happens(0.05, 'clock some seconds wrong')) return rng.pick([-1, 1]) * rng.between(2_000, MINUTE_MS)
  if (!happens(0.1, 'wrong clock')) return rng.between(-2000, 2000)
  return rng.pick([-1, 1]) * rng.between(2 * MINUTE_MS, 90 * MINUTE_MS)
}

/** A wrong clock may be set right before post, and a right one wrong. */
function chooseClockErrorInPost(rng: Rng, before: number, happens: Happens): number {
  const wrong = Math.abs(before) > MINUTE_MS
  if (!happens(wrong ? 0.5 : 0.02, 'clock set before post')) return before
  return wrong ? rng.between(-2000, 2000) : rng.between(-90 * MINUTE_MS, 90 * MINUTE_MS)
}

function chooseServer(rng: Rng, clockError: number, happens: Happens): Server {
  const server: Server = {
    createStatus: rng.pick([200, 201]),
    idForm: rng.pick(['hex', 'integer']),
    listForm: rng.pick(['array', 'array', 'paginated']),
    nextForm: rng.pick(NEXT_FORMS),
    pageSize: rng.pick([1, 2, 50]),
    fractions: rng.pick(['keep', 'microseconds']),
    timeForm: rng.pick(['Z', 'offset']),
    errorShape: rng.pick(['detail', 'error', 'html', 'empty', 'codes']),
    selfRevocation: rng.pick(['allowed', 'allowed', 'allowed', 'forbidden', 'unauthorized', 'conflict']),
    ignoreExpiry: happens(0.03, 'expiry ignored'),
    // With a wrong clock in main and a server that never says the time, nothing could tell which keys are new.
    dateHeader: Math.abs(clockError) > MINUTE_MS || rng.chance(0.9),
  }
  if (server.listForm === 'paginated') happens(1, 'paginated list')
  if (server.selfRevocation !== 'allowed') happens(1, 'key may not revoke itself')
  chooseTimes(server, rng, happens)
  // If there is no expiry, and our clock and Date are wrong, an orphan looks like any other key.
  if (server.ignoreExpiry && Math.abs(clockError) > MINUTE_MS) delete server.dateErrorMs
  // Then `created` alone is right, and could be a local time of another zone; design.md lists that.
  if (isAlike(server.dateErrorMs, clockError)) delete server.dateErrorMs
  chooseLists(server, rng, happens)
  if (happens(0.08, 'replicas that lag'))
    server.replicas = {
      freshMs: rng.pick([0, 500, 8_000, 45_000]),
      revokedMs: rng.pick([0, 500, 3_000]),
      listMs: rng.pick([0, 500, 8_000]),
    }
  // Pages of different age, while a key ends, may hide a key from two readings; design.md lists that.
  if (server.listMoves && server.replicas) server.replicas.listMs = 0
  return server
}

/** How the server keeps and prints times. */
function chooseTimes(server: Server, rng: Rng, happens: Happens): void {
  if (happens(0.27, 'expiries on a coarser grid')) {
    server.grid = rng.chance(0.5) ? '1 ms' : rng.pick(GRIDS)
    server.rounding = rng.pick(['floor', 'round'])
    if (happens(0.15, 'expiry repeated by the create response'))
      server.repeatsExpiry = rng.pick(['whole', 'in milliseconds'])
    // Such a response does not show a key that lives longer than requested.
    if (server.repeatsExpiry) server.rounding = 'floor'
  }
  if (happens(0.1, 'digits refused')) server.maxDigits = rng.pick([0, 3])
  // On a coarse grid, a limit would not show as whole minutes.
  if (!server.grid && happens(0.03, 'lifetimes limited by the API'))
    server.maxLifetimeMs = rng.pick([2, 10, 30]) * MINUTE_MS
  const isFine = !server.grid || server.grid === '1 ms'
  if (isFine && !server.maxLifetimeMs && !server.repeatsExpiry && happens(0.04, 'expiries computed anew'))
    server.driftMs = rng.between(0.002, 49)
  if (happens(0.15, 'times in another spelling')) server.timeForm = rng.pick(READABLE_SPELLINGS)
  if (happens(0.01, 'times that cannot be read')) server.timeForm = rng.pick(UNREADABLE_SPELLINGS)
  if (server.dateHeader && happens(0.06, 'wrong Date')) server.dateErrorMs = chooseError(rng)
  if (happens(0.02, 'local time without an offset'))
    server.localShiftMs = rng.pick([-5, 2, 9]) * 60 * MINUTE_MS
}

/** A difference of seconds to months, in ms. */
function chooseError(rng: Rng): number {
  return rng.pick([-1, 1]) * 5_000 * 1_500_000 ** rng.roll()
}

/** How the server names and lists its keys. */
function chooseLists(server: Server, rng: Rng, happens: Happens): void {
  if (happens(0.04, 'list in pages of an unknown kind')) {
    server.listForm = rng.pick(LIST_FORMS.slice(2))
    server.pageSize = rng.pick([1, 2])
  }
  if (happens(0.04, 'list that moves')) {
    server.listForm = 'paginated'
    server.pageSize = 2
    server.listMoves = 1
  }
  if (happens(0.03, 'rows without times')) server.rowsWithout = rng.pick(['created', 'expiry', 'times'])
  if (happens(0.04, 'ids beyond 2^53')) server.idForm = 'big'
  if (happens(0.01, 'ids under another name')) server.idForm = 'renamed'
}
