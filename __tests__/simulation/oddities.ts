import type { KeysInTurn } from '../support/account-state.ts'
import { STORED_AGE_MS } from '../support/create-answers.ts'
import { GRID_STEP_US, GRIDS } from '../support/instants.ts'
import type { Rng } from './rng.ts'
import { isAgeShown, isListReadable, isListWhole, type Server, type World } from './world.ts'

/** What few servers do, each with the world in which it matters. A world has one of them at most. */
const ODDITIES = [
  'revocations of unknown ids granted',
  'response and list write expiries otherwise',
  'keys of other jobs on a coarse grid',
  'one key per user',
  'wrong created',
  'expiries rounded up',
  'whole minutes of a short life',
  'slow creates at replicas that lag',
  'expiry alone in local time',
  'clock set ahead, and replicas that lag',
] as const
/** The same, with a share of their own, so that the worlds of the others stay as they are. */
const LATER_ODDITIES = [
  'a cache that stores everything',
  'keys of one other client in turn',
  'a gateway that replaces statuses',
  'two nodes, one of them behind',
] as const
/** Two of them matter only together with rare faults. */
const LATER_CHOICES: readonly Oddity[] = [
  ...LATER_ODDITIES,
  'a cache that stores everything',
  'two nodes, one of them behind',
]
export const ALL_ODDITIES: readonly Oddity[] = [...ODDITIES, ...LATER_ODDITIES]
/** One of them has many forms, and matters in few of them. */
const ODDITY_CHOICES: readonly Oddity[] = [
  ...ODDITIES,
  'response and list write expiries otherwise',
  'response and list write expiries otherwise',
]
export type Oddity = (typeof ODDITIES)[number] | (typeof LATER_ODDITIES)[number]

/** How many of the worlds have one. */
const ODD_SHARE = 0.2
const LATER_SHARE = 0.15
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

interface Odds {
  rng: Rng
  clockError: number
  /** A difference of seconds to months, in ms. */
  error: number
}

/** What each changes of the server. */
const CHANGES: Record<Oddity, (server: Server, odds: Odds) => void> = {
  'revocations of unknown ids granted'(server, { rng }) {
    server.revocationOfUnknown = 'granted'
    // Of a list that lags as well, an orphan seems to be gone; design.md lists that.
    lag(server, rng, { freshMs: rng.pick([8_000, 14_500]), listMs: 0 })
  },
  'response and list write expiries otherwise': (server, { rng }) => writeOtherwise(server, rng),
  'keys of other jobs on a coarse grid'(server, { rng }) {
    keepOn(server, { grid: rng.pick(['10 ms', '1/300 s', '1/300 s']), rounding: 'floor' })
    delete server.repeatsExpiry
  },
  'one key per user'(server) {
    server.onlyKeyAgeMs = 0
  },
  'wrong created'(server, { clockError, error }) {
    // By a wrong clock, `created` outranks a `Date` that is right.
    if (!isClockRight(clockError)) return
    server.createdErrorMs = error
    // Of an orphan without the requested expiry, only `created` shows whose it is.
    server.ignoreExpiry = false
    delete server.maxLifetimeMs
    server.dateHeader = true
    delete server.dateErrorMs
  },
  'expiries rounded up': (server, { rng }) =>
    keepOn(server, { grid: rng.pick(['1 s', '1 min']), rounding: 'ceil' }),
  'whole minutes of a short life': (server, { rng }) =>
    keepOn(server, { grid: '1 min', rounding: rng.pick(['floor', 'ceil']) }),
  'slow creates at replicas that lag'(server, { rng }) {
    server.revocationOfUnknown = 'not found'
    // The list shows a key that is made at the last moment before post stops looking.
    lag(server, rng, { freshMs: 14_500, listMs: 13_000 })
    if (rng.chance(0.5)) keepOn(server, { grid: '1 ms', rounding: rng.pick(['floor', 'round']) })
  },
  'expiry alone in local time'(server, { rng }) {
    server.localShiftMs = rng.pick([-5, 2, 9]) * HOUR_MS
    server.localExpiryOnly = true
    lag(server, rng, { freshMs: rng.pick([8_000, 14_500]), listMs: 0 })
  },
  'clock set ahead, and replicas that lag': (server, { rng }) =>
    lag(server, rng, { freshMs: 14_500, listMs: 0 }),
  'a cache that stores everything': () => {},
  'keys of one other client in turn'(server) {
    // By a local time, a key of another zone's hour could be of now.
    delete server.localShiftMs
    // Nothing but `created` could tell a key with the requested expiry from ours.
    delete server.repeatsExpiry
  },
  'a gateway that replaces statuses': () => {},
  'two nodes, one of them behind'(server, { rng }) {
    server.nodeBehindMs = rng.between(2, 10) * MINUTE_MS
    server.dateHeader = true
    delete server.dateErrorMs
    // Of an orphan without the requested expiry, only `created` shows whose it is; design.md lists that.
    server.ignoreExpiry = false
    delete server.maxLifetimeMs
    // Of a list that lags as well, an orphan whose revocation is granted seems to be gone; design.md lists that.
    server.revocationOfUnknown = rng.pick(['granted', 'not found', 'not found'])
    lag(server, rng, { freshMs: 14_500, listMs: server.revocationOfUnknown === 'granted' ? 0 : 13_000 })
  },
}

/** Gives the server an oddity or none, and says which. */
export function addOddity(
  server: Server,
  { rng, clockError, chooseError }: Pick<Odds, 'rng' | 'clockError'> & { chooseError(rng: Rng): number },
): Oddity | null {
  const isEarlier = rng.chance(ODD_SHARE)
  // Of a list of an unknown kind, little is believed anyway.
  const isLater = !isEarlier && isListReadable(server) && rng.chance(LATER_SHARE)
  if (!isEarlier && !isLater) return null
  const oddity = rng.pick(isEarlier ? ODDITY_CHOICES : LATER_CHOICES)
  CHANGES[oddity](server, { rng, clockError, error: chooseError(rng) })
  return oddity
}

/** Puts the server behind replicas that are behind by just so much, or not at all. */
export function lag(
  server: Server,
  rng: Rng,
  { freshMs, listMs }: { freshMs: number; listMs: number },
): void {
  const revokedMs = rng.pick([0, 500])
  server.replicas = { freshMs, revokedMs, listMs: server.listMoves ? 0 : listMs, isSteady: true }
}

type Keeping = Pick<Server, 'grid' | 'rounding'>

function keepOn(server: Server, keeping: Keeping): void {
  delete server.maxLifetimeMs
  delete server.driftMs
  // The response would not show a key that lives longer than requested.
  if (keeping.rounding === 'ceil') delete server.repeatsExpiry
  Object.assign(server, keeping)
}

/** The list shows what is stored, which the requested expiry explains; the response what was asked for, with all digits or fewer. */
function writeOtherwise(server: Server, rng: Rng): void {
  server.repeatsExpiry = rng.pick(['whole', 'in milliseconds', 'in milliseconds', 'in seconds'])
  if (rng.chance(0.5)) server.listsOtherIds = server.idForm !== 'renamed'
  const kept = rng.pick(['grid', 'grid', 'grid', 'limit', 'none'] as const)
  delete server.grid
  delete server.maxLifetimeMs
  delete server.driftMs
  if (kept === 'grid') {
    const grid = rng.pick(['1 us', '1 us', '1 us', ...GRIDS] as const)
    // The response would not show a key that lives much longer than requested.
    keepOn(server, {
      grid,
      rounding: GRID_STEP_US[grid] > 1_000_000 ? 'floor' : rng.pick(['floor', 'round']),
    })
  }
  if (kept === 'limit') server.maxLifetimeMs = rng.pick([2, 10, 30]) * MINUTE_MS
  if (kept === 'none') server.ignoreExpiry = true
}

/** Whether `Date` confirms the clock. */
function isClockRight(error: number): boolean {
  return Math.abs(error) < 50_000
}

/** What else of the world belongs to the oddity. */
export function surroundOddity(world: World, rng: Rng): World {
  const { server, inputs, oddity } = world
  if (oddity === 'one key per user') server.onlyKeyAgeMs = ageOfAnOldKey(world, rng)
  // A 401 after the expiry that the response repeats seems to come from that expiry.
  if (server.repeatsExpiry && server.ignoreExpiry) {
    world.liesAbout = 'revocation'
    if (world.gate?.kind === 'authentication down') world.gate = null
  }
  if (oddity === 'slow creates at replicas that lag') beSlow(world, rng)
  // A key that is kept shows how the list writes it, also when another one is looked for.
  if (oddity === 'response and list write expiries otherwise') {
    inputs.revoke = rng.chance(0.3)
    if (!inputs.revoke) inputs.expiresIn = rng.pick([60 * MINUTE_MS, 5 * DAY_MS])
    if (rng.chance(0.4)) world.slowCreateMs = 10_000
    else if (rng.chance(0.5)) world.postAfter = rng.between(10, 45) * MINUTE_MS
    world.faultRate = Math.max(world.faultRate, 0.05)
    world.inputs.timeout = Math.max(world.inputs.timeout, 10_000)
  }
  if (oddity === 'keys of other jobs on a coarse grid') {
    if (!server.ignoreExpiry && isListWhole(server)) world.twin = 'same by chance'
    inputs.timeout = 120_000
    world.faultRate = 0.5
  }
  if (oddity === 'whole minutes of a short life') inputs.expiresIn = MINUTE_MS
  if (oddity === 'clock set ahead, and replicas that lag' && world.suspendedMs === 0) {
    inputs.expiresIn = rng.pick([MINUTE_MS, 15 * MINUTE_MS])
    world.clockErrorInPost = world.clockError + rng.between(2, 90) * MINUTE_MS
  }
  if (oddity === 'a cache that stores everything') beCached(world, rng)
  if (oddity === 'keys of one other client in turn') server.keysInTurn = keysInTurn(world, rng)
  if (oddity === 'a gateway that replaces statuses') world.faultRate = Math.max(world.faultRate, 0.25)
  if (oddity === 'two nodes, one of them behind') beOnTwoNodes(world, rng)
  return world
}

function beOnTwoNodes(world: World, rng: Rng): void {
  // By the node that is behind, a key of some minutes ago is of now.
  if (world.twin) world.twin = 'near'
  // A longer one is shortened by more than the node is behind.
  world.inputs.expiresIn = 60 * MINUTE_MS
  world.inputs.timeout = 120_000
  world.faultRate = rng.pick([0.05, 0.25, 0.5])
}

function beCached(world: World, rng: Rng): void {
  const { server } = world
  world.faultRate = 0.5
  // A stored 401 matters after a claim alone.
  if (rng.chance(0.5) && world.gate?.kind !== 'authentication down') world.liesAbout = 'revocation'
  world.inputs.timeout = Math.max(world.inputs.timeout, 10_000)
  if (rng.chance(0.2)) {
    // By this clock, the key of a stored response is of now.
    world.clockError = -STORED_AGE_MS
    world.clockErrorInPost = -STORED_AGE_MS
    server.dateHeader = true
    delete server.dateErrorMs
  }
  // By the `Date` of a stored list, this key is of the moment of the request.
  if (rng.chance(0.5) && isAgeShown(server) && !server.repeatsExpiry) world.twin = 'earlier'
}

function keysInTurn(world: World, rng: Rng): KeysInTurn {
  const isDated = rng.chance(0.7)
  const expiry = rng.pick(['never', 'in days', 'as asked for, in another zone'] as const)
  const ageMs = ageOfAnOldKey(world, rng)
  if (expiry !== 'as asked for, in another zone') return { ageMs, expiry, isDated }
  // Zones are quarters of an hour.
  return { ageMs: Math.ceil(ageMs / (15 * MINUTE_MS)) * 15 * MINUTE_MS, expiry, isDated }
}

function beSlow(world: World, rng: Rng): void {
  world.slowCreateMs = 10_000
  // The key is younger than 15 s, but not by more than a wrong clock could make of it.
  world.postAfter = rng.between(3_000, 12_000)
  world.suspendedMs = 0
  // Of many orphans, each of which a list shows until 13 s after its revocation, post has no time for all.
  world.inputs.timeout = 10_000
  world.inputs.revoke = true
  // Beside a key whose slow request may have made two, there may be one of the next millisecond.
  if (world.server.grid === '1 ms' && !world.server.repeatsExpiry) world.twin = 'near'
}

/** An age (ms) that shows that the key is another run's: none of a moment ago, also by a clock that is wrong. */
function ageOfAnOldKey({ server, clockError, clockErrorInPost, suspendedMs }: World, rng: Rng): number {
  const isTimeKnown = isClockRight(clockError) && isClockRight(clockErrorInPost) && !server.dateErrorMs
  const least = isTimeKnown && suspendedMs === 0 ? 4 * MINUTE_MS : 26 * HOUR_MS
  return least * ((30 * DAY_MS) / least) ** rng.roll()
}
