import { createHash } from 'node:crypto'
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import type { RotateInputs } from '../../src/rotate/inputs.ts'
import type { Place } from '../../src/rotate/places.ts'
import type { Runner } from '../../src/runner/runner.ts'
import { createRng, type Rng } from '../simulation/rng.ts'
import {
  type Account,
  type ApiRequest,
  type ApiResponse,
  createAccount,
  type StoredKey,
} from '../support/account.ts'
import { createGithub, type Github } from '../support/github.ts'
import type { RotationCode } from './code-under-test.ts'
import { createWorld, type SimulatedProcess, type World } from './world.ts'

/** The result of one history. */
export interface HistoryOutcome {
  violations: string[]
  /** How often each kind of fault or event happened. */
  events: Map<string, number>
  /** Empty unless requested. */
  log: string[]
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const START = Date.parse('2027-03-01T04:17:00.250Z')
/** The days of a history, and how many days without faults are at its end. */
const DAYS = 24
const CALM_DAYS = 6
/** After these, the key in hand and the one that it replaced are valid, and no orphan: it was revoked by then. */
const MOST_OWN_KEYS = 2
/**
 * Once a tool puts an old key back or saves the secret again every day, at most one key is made in every two days: it is
 * replaced at that age anyway. Two runs at once, runs with a stale secret and emergencies make more. A key lives 10 days.
 */
const MOST_OWN_KEYS_WITH_TOOL = 9
/** How many histories have a tool that saves the secret of one place every day. */
const TOOL_RATE = 0.12
/** At least every so many days there is a day without faults, so that no key expires before it is replaced. */
const CALM_EVERY = 3
/** Shorter than the defaults, so that a month has a dozen rotations. */
const LIMITS = { rotateAfter: 2 * DAY, expiresIn: 10 * DAY + 2 * HOUR, overlap: DAY + HOUR }
/** How long GitHub and the API may take to carry out a request after its client gave up. */
const LATEST_EFFECT = 45 * MINUTE
const SECRET = 'SPHERESCOUT_API_KEY'
const API_URL = 'https://api.example'
const GITHUB_URL = 'https://github.example/api'
const GITHUB_TOKEN = 'github-token'

/** What can happen to one request. */
export const FAULTS = [
  'connection refused',
  'cut before effect',
  'cut after effect',
  'no answer, late effect',
  'no answer, no effect',
  '5xx before effect',
  '5xx after effect',
  'acknowledged, no effect',
  'page of a proxy after effect',
  'refusal of a gateway after effect',
  "another run's answer",
  'wrong Date header',
  'rate limited',
  'refused',
  'killed before effect',
  'killed after effect',
  'machine sleeps',
  'cancelled',
] as const
type Fault = (typeof FAULTS)[number]

/** One secret in one place. */
interface Watched {
  label: string
  /** Its value, and when it last held each earlier one. */
  value: string
  lastHeld: Map<string, number>
  /** It counts from then on. */
  since: number
  /** When a person saved it in order to list it. */
  savedAt?: number
}

interface History {
  code: RotationCode
  rng: Rng
  world: World
  account: Account
  github: Github
  /** How long GitHub's replicas lag, in milliseconds. */
  lag: number
  home: Place
  /** The last one is listed from `joinsAt` on. */
  copies: Place[]
  joinsAt: number
  places: Watched[]
  /** Where the workflow takes api-key from: home, or a copy that shadows it. */
  source: number
  /** The first process that writes home is killed just before it does. */
  losesHomeWrite: boolean
  /** The keys of this rotation, and those that people created, by id. */
  keys: Map<string, StoredKey>
  tag: number
  rounds: boolean
  /** Whether the API sends a Date header. */
  dates: boolean
  initial: StoredKey
  initialKeyId: string
  /** Keys that this rotation must not touch. */
  strangers: StoredKey[]
  /** The last response to a create request. */
  lastCreated: HttpResponse | null
  /** What that request asked for. */
  lastAsked: string
  /** There are no faults before. */
  faultsFrom: number
  /** When a process whose requests may meet faults sent its last one. */
  lastFaultyRequest: number
  events: Map<string, number>
  violations: string[]
  log: string[]
  verbose: boolean
  withoutUpdatedAt: boolean
}

/** How a history is run. */
export interface HistoryOptions {
  /** Keeps a log. */
  verbose?: boolean
  /**
   * GitHub's server sends no `updated_at`. Then nothing shows that an acknowledged write was not carried out, or that a
   * place was listed late, so neither happens.
   */
  withoutUpdatedAt?: boolean
}

/** Runs one history of rotations. The same seed runs the same history. */
export async function runHistory(
  seed: number,
  code: RotationCode,
  options: HistoryOptions = {},
): Promise<HistoryOutcome> {
  const history = createHistory(seed, code, options)
  const { world, rng } = history
  for (let day = 0; day < DAYS; day++) scheduleDay(history, day)
  world.at(START + DAYS * DAY, () => endWhenCalm(history, DAYS))
  if (rng.chance(0.3)) schedulePerson(history, START + rng.between(3, DAYS - CALM_DAYS - 3) * DAY)
  scheduleTool(history, seed)
  await world.run()
  const { violations, events, log } = history
  return { violations, events, log }
}

/** Ends the history after CALM_DAYS without faults. A run with faults may sleep for days and then go on. */
function endWhenCalm(history: History, day: number): void {
  const { world, lastFaultyRequest } = history
  if (world.now() >= lastFaultyRequest + CALM_DAYS * DAY) checkEnd(history)
  else {
    scheduleDay(history, day)
    world.at(world.now() + DAY, () => endWhenCalm(history, day + 1))
  }
}

function createHistory(
  seed: number,
  code: RotationCode,
  { verbose = false, withoutUpdatedAt = false }: HistoryOptions,
): History {
  const rng = createRng(seed)
  const world = createWorld(START)
  const rounds = rng.chance(0.05)
  const dates = !rng.chance(0.03)
  const account = createAccount({
    now: world.now,
    random: rng.roll,
    longLivedKey: 'no-key-of-this-history',
    fractions: rounds ? 'drop' : 'keep',
    dateHeader: dates,
    selfRevocation: rng.chance(0.1) ? 'forbidden' : 'allowed',
  })
  const lag = rng.chance(0.3) ? rng.between(1, 20) * SECOND : 0
  const github = createGithub({
    now: world.now,
    open: (sealed) => sealed,
    publicKey: { id: '1', key: 'public' },
    token: GITHUB_TOKEN,
    lag,
    updatedAt: withoutUpdatedAt ? 'absent' : 'utc',
  })
  const home: Place = rng.chance(0.5)
    ? { kind: 'repository', name: '' }
    : { kind: 'environment', name: 'prod/eu' }
  const copies: Place[] = []
  if (rng.chance(0.5)) copies.push({ kind: 'dependabot', name: '' })
  if (rng.chance(0.3)) copies.push({ kind: 'environment', name: 'copy' })
  const tag = tagOn(new URL(GITHUB_URL).host, home, code)
  const age = rng.between(0.1, 400) * DAY
  const soon = copies.length > 0 && !withoutUpdatedAt ? listedSoon(seed) : null
  const shadow = copies.length > (soon ? 1 : 0) && !withoutUpdatedAt ? shadowedHome(seed) : null
  const savedAgo = soon?.savedAgo ?? shadow?.savedAgo ?? DAY
  const initial = account.addKey({
    expiry: null,
    created: START - (soon || shadow ? savedAgo + MINUTE : age),
  })
  const joinsAt =
    copies.length > 0 && rng.chance(0.2) && !withoutUpdatedAt
      ? START + rng.between(2, DAYS - CALM_DAYS) * DAY
      : START
  const history: History = {
    code,
    rng,
    world,
    account,
    github,
    lag,
    home,
    copies,
    joinsAt: soon?.joinsAt ?? (shadow && copies.length === 1 ? START : joinsAt),
    places: [],
    source: shadow ? 1 : 0,
    losesHomeWrite: shadow?.losesHomeWrite ?? false,
    keys: new Map([[initial.id, initial]]),
    tag,
    rounds,
    dates,
    initial,
    initialKeyId: rng.chance(0.5) ? initial.id : '',
    strangers: [],
    lastCreated: null,
    lastAsked: '',
    faultsFrom: START,
    lastFaultyRequest: START,
    events: new Map(),
    violations: [],
    log: [],
    verbose,
    withoutUpdatedAt,
  }
  history.places = [home, ...copies].map((place) => {
    const label = place.name === '' ? place.kind : `${place.kind} ${place.name}`
    const joins = place === copies.at(-1) && history.joinsAt > START
    const updatedAt = START - savedAgo
    github.addSecret(label, SECRET, { value: initial.token, updatedAt })
    const watched: Watched = { label, value: initial.token, lastHeld: new Map(), since: history.joinsAt }
    if (!joins) return { ...watched, since: START }
    note(history, soon ? 'a copy is listed soon after the first run' : 'a copy is listed late')
    world.at(history.joinsAt, () => admit(history, watched))
    scheduleCreation(history, watched, seed)
    return watched
  })
  if (shadow) note(history, 'a copy shadows home')
  addStrangers(history)
  return history
}

/**
 * In some histories, a person created the initial key and saved it everywhere within the hour before the first run, and
 * lists a copy soon after that run. Drawn from the seed alone, so that everything else stays as it is in other histories.
 */
function listedSoon(seed: number): { initialAge: number; savedAgo: number; joinsAt: number } | null {
  const rng = createRng(~seed)
  if (!rng.chance(0.15)) return null
  const savedAgo = rng.between(MINUTE, 58 * MINUTE)
  return { initialAge: savedAgo + MINUTE, savedAgo, joinsAt: START + rng.between(5 * MINUTE, 20 * HOUR) }
}

/**
 * In some histories, a copy shadows home: every run receives what that copy holds. A person saved the initial key
 * everywhere within the hour before the first run, and that run may end before it writes home. See listedSoon.
 */
function shadowedHome(seed: number): { savedAgo: number; losesHomeWrite: boolean } | null {
  const rng = createRng(seed ^ 0x5_4ad0)
  if (!rng.chance(0.1)) return null
  const savedAgo = rng.chance(0.7) ? rng.between(MINUTE, 58 * MINUTE) : rng.between(15, 45) * SECOND
  return { savedAgo, losesHomeWrite: rng.chance(0.5) }
}

/**
 * Some copies that are listed late are created just before that, with the initial key or without a key: no one knows
 * the newest one. See listedSoon.
 */
function scheduleCreation(history: History, place: Watched, seed: number): void {
  const rng = createRng(seed ^ 0xc0_9135)
  if (!rng.chance(0.5)) return
  const { world, github, joinsAt, initial } = history
  const value = rng.chance(0.7) ? initial.token : 'placeholder'
  world.at(joinsAt - rng.between(0, 20) * HOUR, () => {
    // Nothing shows that a copy was saved while a rotation wrote the other places: see the limits in docs/rotation.md.
    if (world.now() < lastCreation(history) + HOUR) return
    note(history, 'a copy is created in order to be listed')
    place.value = value
    place.savedAt = world.now()
    github.addSecret(place.label, SECRET, { value, updatedAt: place.savedAt })
  })
}

/** When the newest key was created. */
function lastCreation({ account }: History): number {
  return account.keys().at(-1)?.created ?? START
}

/**
 * A place counts from when it is listed, unless it holds no valid key then: from the next run without faults, or if it was
 * written lately, from when it is written. The end of the history shows that it is.
 */
function admit(history: History, place: Watched): void {
  const key = keyByToken(history, place.value)
  if (key && isValid(history, key)) return
  if (Number(history.github.secret(place.label, SECRET)?.updatedAt) > START) {
    place.since = Number.POSITIVE_INFINITY
    return
  }
  const days = Math.ceil((history.world.now() - START) / (CALM_EVERY * DAY))
  place.since = START + days * CALM_EVERY * DAY + HOUR
}

const digests = new Map<string, Uint8Array>()
function sha256(text: string): Uint8Array {
  const known = digests.get(text) ?? createHash('sha256').update(text).digest()
  digests.set(text, known)
  return known
}

/** The tag of the secret in this place, if it were on this GitHub server. */
function tagOn(server: string, home: Place, code: RotationCode): number {
  const environment = home.kind === 'environment' ? home.name : ''
  return code.rotationTag(
    { apiUrl: API_URL, server, scope: 'repo:4711', environment, secret: SECRET },
    sha256,
  )
}

/** Keys that this rotation must not touch; some of them resemble its own. */
function addStrangers({ account, rng, home, tag, code, strangers }: History): void {
  const tagged = (around: number, wanted: number) => around - (around % code.TAG_RANGE) + wanted
  // A short-lived key of the root action that fits the tag by chance.
  const shortLived = tagged(START + 30 * DAY, tag)
  for (const [expiry, created] of [
    [null, START - 100 * DAY],
    [Math.floor(START + rng.between(50, 90) * DAY), START - 3 * DAY],
    [tagged(START + 80 * DAY, tagOn('ghes.example', home, code)), START - 5 * DAY],
    [START + 60 * DAY, START - 4 * DAY],
    [shortLived, shortLived - 4.9 * DAY],
  ] as const)
    strangers.push(account.addKey({ expiry, created }))
}

function note(history: History, what: string, times = 1): void {
  history.events.set(what, (history.events.get(what) ?? 0) + times)
  if (history.verbose) history.log.push(`${new Date(history.world.now()).toISOString()} ${what}`)
}

function violate(history: History, what: string): void {
  history.violations.push(`${new Date(history.world.now()).toISOString().slice(0, 16)} ${what}`)
  if (history.verbose) history.log.push(`VIOLATION ${what}`)
}

/** The runs of one day: usually one, sometimes none, two at once, one that waited for days, or one by hand. */
function scheduleDay(history: History, day: number): void {
  const { rng, world } = history
  const isCalm = day % CALM_EVERY === 0 || day >= DAYS - CALM_DAYS
  const due = START + day * DAY
  const begin = isCalm ? due : due + (rng.chance(0.2) ? rng.between(0, 3) * HOUR : 0)
  if (isCalm || !rng.chance(0.05)) queue(history, begin, begin, isCalm ? 0 : rng.pick([0, 0.02, 0.1, 0.3]))
  if (day < DAYS - CALM_DAYS) {
    if (rng.chance(0.15)) {
      note(history, 'two runs at once')
      const second = begin + rng.pick([0, rng.between(0, 2 * MINUTE), rng.between(0, 3 * HOUR)])
      queue(history, second, second, rng.pick([0, 0.1]))
    }
    if (rng.chance(0.1)) {
      note(history, 'run with a stale secret')
      const start = begin + rng.pick([rng.between(0, 12 * HOUR), rng.between(0, 9 * DAY)])
      if (start < START + (DAYS - CALM_DAYS) * DAY) queue(history, begin, start, rng.pick([0, 0.1]))
    }
    if (rng.chance(0.03)) {
      note(history, 'emergency run')
      const at = due + rng.between(0, 20) * HOUR
      queue(history, at, at, rng.pick([0, 0.1]), true)
    }
  }
  world.at(due + 12 * HOUR, () => checkSecrets(history))
}

/** A run that reads the secret at `queuedAt` and starts at `startsAt`. */
function queue(
  history: History,
  queuedAt: number,
  startsAt: number,
  faultRate: number,
  emergency = false,
): void {
  const { world } = history
  world.at(queuedAt, () => {
    const queued = { apiKey: placeAt(history, history.source).value, copies: listedCopies(history) }
    world.at(startsAt, () => startRun(history, queued, faultRate, emergency))
  })
}

/** What the workflow lists when a run is queued. */
function listedCopies({ copies, joinsAt, world }: History): Place[] {
  return world.now() >= joinsAt ? copies : copies.slice(0, -1)
}

/** Home is the first. */
function placeAt({ places }: History, index: number): Watched {
  const place = places[index]
  if (!place) throw new Error(`a history has no place ${index}`)
  return place
}

/** A person creates a key in the dashboard and saves it in every place, perhaps later. */
function schedulePerson(history: History, createdAt: number): void {
  const { world, rng, account } = history
  const expiresIn = rng.pick([null, 40 * DAY])
  world.at(createdAt, () => {
    const expiry = expiresIn === null ? null : Math.floor(createdAt + expiresIn) + 7
    const key = account.addKey({ expiry, created: world.now() })
    history.keys.set(key.id, key)
    world.at(createdAt + rng.pick([0, rng.between(0, 2 * DAY)]), () => {
      note(history, 'a person replaced the secret')
      for (const place of history.places) {
        history.github.addSecret(place.label, SECRET, { value: key.token, updatedAt: world.now() })
        hold(history, place, key.token)
      }
    })
  })
}

/**
 * In some histories, a tool saves the secret of home or of a copy every day for some days, twelve hours after the
 * rotation: with the initial key, or with what it holds. There are no faults until it stops. See listedSoon.
 */
function scheduleTool(history: History, seed: number): void {
  const rng = createRng(seed ^ 0x700_1000)
  if (!rng.chance(TOOL_RATE)) return
  const { world, github } = history
  const days = Math.floor(rng.between(4, 14))
  // Without `updated_at`, nothing shows that someone wrote an old key: a limit that docs/rotation.md lists.
  const isOld = rng.chance(0.6) && !history.withoutUpdatedAt
  // Nothing shows that a copy got another key within a minute after home: see the limits in docs/rotation.md.
  const target = placeAt(
    history,
    history.joinsAt === START && rng.chance(0.4) ? history.places.length - 1 : 0,
  )
  history.faultsFrom = START + days * DAY
  for (let day = 0; day < days; day++)
    world.at(START + (day + 0.5) * DAY, () => {
      const value = isOld ? history.initial.token : target.value
      const key = keyByToken(history, value)
      // Whoever revoked the tool's key (in an emergency) also stops the tool.
      if (!key || !isValid(history, key)) return
      note(history, isOld ? 'a tool put an old key back' : 'a tool saved the secret again')
      github.addSecret(target.label, SECRET, { value, updatedAt: world.now() })
      hold(history, target, value)
      const own = ownKeys(history).length
      // Without `updated_at`, nothing shows that the secret got the newest key, so every run rotates (and warns).
      if (!history.withoutUpdatedAt && own > MOST_OWN_KEYS_WITH_TOOL)
        violate(history, `${own} own keys are valid although there was no fault`)
    })
}

/** Changes the value of a place. */
function hold(history: History, place: Watched, value: string): void {
  const { world } = history
  place.lastHeld.set(place.value, world.now())
  place.value = value
  if (place.since === Number.POSITIVE_INFINITY) place.since = world.now()
  const key = keyByToken(history, value)
  if (!key || !isValid(history, key))
    violate(history, `a key that is not valid was written to ${place.label}`)
}

function keyByToken({ keys }: History, token: string): StoredKey | undefined {
  for (const key of keys.values()) if (key.token === token) return key
  return undefined
}

function isValid({ world }: History, { revoked, expiry }: StoredKey): boolean {
  return !revoked && (expiry === null || expiry > world.now())
}

function checkSecrets(history: History): void {
  for (const { label, value, since } of history.places) {
    if (history.world.now() < since) continue
    const key = keyByToken(history, value)
    if (!key || !isValid(history, key)) violate(history, `${label} holds a key that is not valid`)
  }
}

function checkEnd(history: History): void {
  const { account, rounds, dates } = history
  for (const place of history.places) place.since = START
  checkSecrets(history)
  const own = ownKeys(history).length
  if (!rounds && dates && own > MOST_OWN_KEYS) violate(history, `${own} own keys are valid after calm days`)
  for (const { id, expiry } of account.live())
    if (expiry === null) violate(history, `the key ${id.slice(0, 8)} of this rotation never expires`)
  const [touched] = account.touchedForeign().filter((id) => !history.keys.has(id))
  if (touched) violate(history, "another's key was revoked")
}

/** The valid keys of this rotation. */
function ownKeys({ account, code, tag }: History): StoredKey[] {
  const isOwn = ({ expiry, created }: StoredKey) =>
    code.hasRotationTag({ expiresAt: expiry, createdAt: created }, tag)
  return account.live().filter(isOwn)
}

/** Checks that a key could be revoked. */
function checkRevocation(history: History, key: StoredKey, { emergency, unaware }: RunKind): void {
  const { places, world, keys, initial, initialKeyId } = history
  note(history, 'key revoked')
  const stranger = !keys.has(key.id)
  if (stranger) violate(history, "another's key was revoked")
  const byHand = key === initial ? initialKeyId === key.id : !history.account.keys().includes(key)
  if (!stranger && key !== initial && byHand && !emergency) violate(history, "a person's key was revoked")
  if (key === initial && !byHand && !emergency)
    violate(history, 'the initial key was revoked without initial-key-id')
  for (const place of places) {
    const { label, value, lastHeld, since } = place
    if (world.now() < since) continue
    if (unaware && since > START) {
      admit(history, place)
      continue
    }
    if (value === key.token) violate(history, `the key that ${label} holds was revoked`)
    const held = lastHeld.get(key.token)
    if (!emergency && held !== undefined && world.now() < held + LIMITS.overlap)
      violate(
        history,
        `a key was revoked ${((world.now() - held) / HOUR).toFixed(1)} h after ${label} held it`,
      )
  }
}

/** Checks that no key from before an emergency is valid after it reported success. */
function checkEmergency(history: History, inHand: string, startedAt: number): void {
  for (const key of history.keys.values()) {
    const made = history.account.keys().includes(key) && key.created < startedAt
    if ((made || key.token === inHand) && isValid(history, key))
      violate(history, `an emergency succeeded, but the key ${key.id.slice(0, 8)} was not revoked`)
  }
}

async function startRun(
  history: History,
  queued: Pick<RotateInputs, 'apiKey' | 'copies'>,
  faultRate: number,
  emergency: boolean,
): Promise<void> {
  const { world, rng, code } = history
  // Without a Date header, rotation fails if the clock is wrong by minutes.
  const clockError = rng.chance(0.2) ? rng.between(-20, 20) * (history.dates ? MINUTE : SECOND) : 0
  const state: Record<string, string> = {}
  const startedAt = world.now()
  const unaware = queued.copies.length < history.copies.length
  note(history, 'run')
  await world.startProcess(clockError, async (process) => {
    const cancellation = code.createCancellation(process.clock.now)
    const die = () => {
      if (process.killed) return
      process.kill()
      // If the machine is lost, the post step does not run.
      if (rng.chance(0.6)) startPost(history, state, faultRate)
    }
    const send = network(history, process, {
      faultRate,
      emergency,
      unaware,
      cancel: cancellation.request,
      die,
    })
    const watch = code.watchDate(send, process.clock.now)
    try {
      await code.rotateKey(inputsOf(history, queued, emergency), {
        api: code.createKeyApi({
          client: watch.send,
          apiUrl: API_URL,
          userAgent: 'simulation',
          now: process.clock.now,
        }),
        secrets: code.createGithubSecrets(send, {
          apiUrl: GITHUB_URL,
          token: GITHUB_TOKEN,
          userAgent: 'simulation',
          now: process.clock.now,
        }),
        clock: process.clock,
        dateDifference: watch.difference,
        random: rng.roll,
        runner: runnerOf(history, process, state, faultRate),
        cancellation,
        sha256,
        seal: (text) => text,
        repository: { owner: 'octo-org', repo: 'octo-repo', id: '4711' },
        connection: { userAgent: 'simulation', proxy: '', settings: {} },
      })
      if (emergency) checkEmergency(history, queued.apiKey, startedAt)
    } catch (error) {
      if (!process.killed) checkError(history, error, faultRate)
    }
    if (!process.killed) startPost(history, state, faultRate)
  })
}

/** Checks that the error is meant for a person, and that a run without faults only fails for a revoked key in hand. */
function checkError(history: History, error: unknown, faultRate: number): void {
  const message = error instanceof Error ? error.message : String(error)
  note(history, 'run failed')
  if (history.verbose) history.log.push(`  ${message}`)
  if (error instanceof TypeError || /undefined|\[object|is not a function/.test(message))
    violate(history, `an error that is not meant for a person: ${message}`)
  const expected =
    /rejected api-key|answered 401|old keys may still be valid|does not say when the secret was updated/
  if (faultRate === 0 && !expected.test(message)) violate(history, `a run without a fault failed: ${message}`)
}

function startPost(history: History, state: Record<string, string>, faultRate: number): void {
  const { world, rng, code } = history
  world.at(world.now() + rng.between(1, 90) * SECOND, () =>
    world.startProcess(0, async (process) => {
      const send = network(history, process, {
        faultRate,
        emergency: false,
        unaware: false,
        cancel: () => {},
        die: process.kill,
      })
      await code.cleanUp(code.parseRotateState(state[code.ROTATE_STATE_NAME] ?? ''), {
        clock: process.clock,
        random: rng.roll,
        runner: runnerOf(history, process, {}, 0),
        connect: ({ apiUrl, userAgent }) =>
          code.createKeyApi({ client: send, apiUrl, userAgent, now: process.clock.now }),
        settings: {},
      })
    }),
  )
}

function inputsOf(
  { home, initialKeyId }: History,
  queued: Pick<RotateInputs, 'apiKey' | 'copies'>,
  emergency: boolean,
): RotateInputs {
  return {
    ...queued,
    githubToken: GITHUB_TOKEN,
    secret: SECRET,
    home,
    limits: LIMITS,
    initialKeyId,
    revokePrevious: emergency ? 'now' : 'after-overlap',
    apiUrl: API_URL,
    githubApiUrl: GITHUB_URL,
    timeout: 30 * MINUTE,
  }
}

function runnerOf(
  history: History,
  process: SimulatedProcess,
  state: Record<string, string>,
  faultRate: number,
): Runner {
  const say = (text: unknown) => {
    if (history.verbose) history.log.push(`  ${String(text)}`)
  }
  return {
    info: say,
    warning: say,
    setSecret: () => {},
    setOutput: () => {},
    exportVariable: () => {},
    saveState(name, value) {
      if (process.killed) return
      if (faultRate > 0 && history.rng.chance(faultRate / 10)) {
        note(history, 'saveState fails')
        throw new Error('the state file cannot be written')
      }
      state[name] = String(value)
    },
    writeSummary: () => {},
  }
}

/** What GitHub's refusals look like. */
const GITHUB_REFUSAL = '{"message":"Not so."}'
/** A replica that lags for longer shows a write too late to refute the refusal (see the limits in docs/rotation.md). */
const REFUTED_WITHIN = 14 * SECOND

interface RunKind {
  emergency: boolean
  /** It was queued before a late copy was listed, and does not know it (see the limits in docs/rotation.md). */
  unaware: boolean
}

interface NetworkOptions extends RunKind {
  faultRate: number
  cancel: () => void
  die: () => void
}

/** Carries out a request that reaches a service, and updates the history. */
function serve(history: History, request: HttpRequest, run: RunKind): HttpResponse {
  const { account, github } = history
  const { method, url, body = '' } = request
  const toGithub = url.href.startsWith(GITHUB_URL)
  // Nothing else in them is used.
  const headers = { authorization: request.headers.Authorization ?? '' }
  const path = (toGithub ? url.pathname.replace(/^\/api/, '') : url.pathname) + url.search
  const asked: ApiRequest = { method, path, headers, body }
  if (!toGithub && method === 'GET' && isLagging(history, headers.authorization))
    return { status: 401, headers: {}, body: '' }
  const known = method === 'DELETE' ? revocable(history, path) : null
  const answered = toGithub ? github.handle(asked) : account.handle(asked)
  const ok = answered.status < 300
  if (ok && method === 'POST') {
    const key = account.keys().at(-1)
    if (key) history.keys.set(key.id, key)
    // Within these seconds, the clocks may differ: see the limits in docs/rotation.md.
    for (const place of history.places)
      if (Number(place.savedAt) > history.world.now() - 15 * SECOND) place.since = Number.POSITIVE_INFINITY
    history.lastCreated = lowerCase(answered)
    history.lastAsked = body
    note(history, 'key created')
  }
  if (ok && known) checkRevocation(history, known, run)
  if (ok && method === 'PUT') {
    note(history, 'secret written')
    for (const place of history.places) {
      const value = github.secret(place.label, SECRET)?.value
      if (value !== undefined && value !== place.value) hold(history, place, value)
    }
  }
  return lowerCase(answered)
}

function lowerCase({ status, headers, body }: ApiResponse): HttpResponse {
  const date = headers.Date
  return { status, headers: date === undefined ? {} : { date }, body }
}

/** A key may be refused for a moment after its creation. */
function isLagging(history: History, authorization: string): boolean {
  const newest = history.account.keys().at(-1)
  if (!newest || authorization !== `Bearer ${newest.token}`) return false
  return history.world.now() < newest.created + 3 * SECOND && history.rng.chance(0.2)
}

/** The valid key that a DELETE names. */
function revocable(history: History, path: string): StoredKey | null {
  const id = path.split('/').at(-1)
  const all = [...history.keys.values(), ...history.strangers]
  return all.find((key) => key.id === id && isValid(history, key)) ?? null
}

/**
 * A gateway passes a request for GitHub on and refuses it nevertheless: in GitHub's form after it took effect, or in its
 * own, when GitHub may still carry the request out much later.
 */
function refuseAfterEffect(
  { rng, world, lag, withoutUpdatedAt }: History,
  { process, request, soon, act }: Exchange,
): Promise<HttpResponse> {
  if (!request.url.href.startsWith(GITHUB_URL)) return process.wait(soon, () => act(request))
  const inItsForm = rng.chance(0.5) && (lag <= REFUTED_WITHIN || withoutUpdatedAt)
  const status = rng.pick(inItsForm ? [400, 401, 403, 404, 409, 422] : [301, 307, 400, 401, 403, 404, 418])
  const isLate = !inItsForm && rng.chance(0.5)
  if (isLate) world.at(soon + rng.between(0, LATEST_EFFECT), () => void act(request))
  return process.wait(soon, () => {
    if (!isLate) act(request)
    return {
      status,
      headers: {},
      body: inItsForm ? GITHUB_REFUSAL : rng.pick(['', 'Forbidden', '{"error":"policy"}']),
    }
  })
}

interface Exchange {
  process: SimulatedProcess
  request: HttpRequest
  soon: number
  act: (request: HttpRequest) => HttpResponse
}

function isHomeWrite({ copies }: History, { method, url }: HttpRequest): boolean {
  const isCopy = copies.some(({ kind, name }) =>
    url.href.includes(name === '' ? `/${kind}/` : `/environments/${name}/`),
  )
  return method === 'PUT' && !isCopy
}

/** The network between one process and both services. */
function network(history: History, process: SimulatedProcess, options: NetworkOptions): HttpClient {
  const { rng, world, code } = history
  const act = (request: HttpRequest) => serve(history, request, options)
  const fail = (fault: 'refused' | 'cut' | 'timeout', mayHaveActed: boolean) => {
    throw new code.HttpError(`${fault} by the simulation`, mayHaveActed)
  }
  const answer = (status: number, headers: Record<string, string> = {}, body = ''): HttpResponse => ({
    status,
    headers,
    body,
  })
  // A proxy that answers with pages may do so until the process ends.
  let onlyPages = false
  return (request) => {
    if (options.faultRate > 0) history.lastFaultyRequest = world.now()
    const takes = rng.between(50, 2_000)
    const timeout = world.now() + request.timeout
    const soon = Math.min(world.now() + takes, timeout)
    const isFaulty = rng.chance(options.faultRate) && world.now() >= history.faultsFrom
    const chosen: Fault | null = isFaulty ? rng.pick(FAULTS) : null
    if (history.losesHomeWrite && isHomeWrite(history, request)) {
      history.losesHomeWrite = false
      note(history, 'killed before home is written')
      return process.wait(soon, () => {
        options.die()
        return answer(0)
      })
    }
    const fault =
      onlyPages && request.url.href.startsWith(GITHUB_URL) ? 'page of a proxy after effect' : chosen
    if (fault) note(history, fault)
    switch (fault === 'acknowledged, no effect' && history.withoutUpdatedAt ? null : fault) {
      case null:
        return process.wait(soon, () => act(request))
      case 'connection refused':
        return process.wait(soon, () => fail('refused', false))
      case 'cut before effect':
        return process.wait(soon, () => fail('cut', true))
      case 'cut after effect':
        return process.wait(soon, () => {
          act(request)
          return fail('cut', true)
        })
      case 'no answer, late effect':
        world.at(world.now() + rng.between(0, LATEST_EFFECT), () => void act(request))
        return process.wait(timeout, () => fail('timeout', true))
      case 'no answer, no effect':
        return process.wait(timeout, () => fail('timeout', true))
      case '5xx before effect':
        return process.wait(soon, () => answer(503))
      case '5xx after effect':
        return process.wait(soon, () => {
          act(request)
          return answer(502)
        })
      case 'acknowledged, no effect':
        return process.wait(soon, () => answer(request.method === 'GET' ? 200 : 204))
      case 'page of a proxy after effect':
        onlyPages ||= rng.chance(0.5)
        return process.wait(soon, () => {
          act(request)
          return answer(rng.pick([200, 403, 404]), { 'content-type': 'text/html' })
        })
      case 'refusal of a gateway after effect':
        return refuseAfterEffect(history, { process, request, soon, act })
      // Without fractions, or with the same microseconds by chance, nothing tells the keys of two runs at once apart.
      case "another run's answer":
        return process.wait(soon, () => {
          const isCreate = request.method === 'POST' && !history.rounds
          const isOther = isCreate && request.body !== history.lastAsked
          return (isOther ? history.lastCreated : null) ?? act(request)
        })
      case 'wrong Date header':
        return process.wait(soon, () => {
          const answered = act(request)
          const date = new Date(world.now() + rng.between(-23, 23) * HOUR).toUTCString()
          return { ...answered, headers: { ...answered.headers, date } }
        })
      case 'rate limited':
        return process.wait(soon, () => {
          const wait = { 'retry-after': String(Math.round(rng.between(1, 600))) }
          return answer(
            request.url.href.startsWith(GITHUB_URL) ? rng.pick([403, 429]) : 429,
            wait,
            GITHUB_REFUSAL,
          )
        })
      case 'refused':
        return process.wait(soon, () => answer(rng.pick([400, 401, 403, 404, 422]), {}, GITHUB_REFUSAL))
      case 'killed before effect':
        return process.wait(soon, () => {
          options.die()
          return answer(0)
        })
      case 'killed after effect':
        return process.wait(soon, () => {
          act(request)
          options.die()
          return answer(0)
        })
      case 'machine sleeps': {
        let response: HttpResponse | null = null
        const wakes = world.now() + rng.pick([rng.between(0, 2 * HOUR), rng.between(0, 3 * DAY)])
        // The request leaves the machine before it sleeps, or after: see the limits in docs/rotation.md for a write.
        const served = rng.pick([soon, soon, request.method === 'PUT' ? null : wakes, null])
        if (served !== null)
          world.at(served, () => {
            response = act(request)
          })
        return process.wait(Math.max(wakes, soon) + 1, () => response ?? fail('cut', true))
      }
      case 'cancelled':
        world.at(soon, options.cancel)
        world.at(soon + 6_900, options.die)
        return process.wait(soon + 1, () => act(request))
    }
  }
}
