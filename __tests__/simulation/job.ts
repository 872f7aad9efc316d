import type { HttpRequest } from '../../src/http/http-client.ts'
import { createAccount, type StoredKey } from '../support/account.ts'
import type { Gate } from '../support/gate.ts'
import { checkEnd, checkMain, checkPost } from './checks.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import { addChanceTwin, noEvidence, type Scene, witnessCreate, witnessResult } from './evidence.ts'
import { type Fault, NOT_CARRIED_OUT, type Purpose } from './faults.ts'
import type { NetworkOptions } from './network.ts'
import type { Rng } from './rng.ts'
import { type Interruption, type MainRun, runMain } from './run-main.ts'
import { type PostRun, runPost } from './run-post.ts'
import { createTime, type VirtualTime } from './time.ts'
import { API_URL, type Spell, START, type World } from './world.ts'

/** The result of one job. */
export interface Outcome {
  /** Faults by kind, counted as they were injected. */
  faults: Record<string, number>
  violations: string[]
  /** Limits that excuse a key that is still valid, each counted. */
  excuses: Record<string, number>
  /** What each request was for, in order, main's and then those of all runs of post. */
  requests: Purpose[]
  requestsOfMain: number
  /** Everything a person would have read, for looking at a violation. */
  printed: string[]
}

export type Step = 'main' | 'post'

/** What post can be asked to bear and still keep its promise: its own budget is 60 s, and what a 429 told it to wait. */
const MOST_FAULTS_IN_POST = 3

export interface JobOptions {
  world: World
  rng: Rng
  subject: CodeUnderTest
  /** The fault that the next request of this step meets; `kill` ends main as it is sent. */
  chooseFault(what: Purpose, step: Step, kill: () => void): Fault
  interruption: Interruption
  /** Starts with what was counted while the world was chosen. */
  faults?: Record<string, number>
}

/** A job between its steps. */
export interface Job extends Scene {
  subject: CodeUnderTest
  interruption: Interruption
  outcome: Outcome
  network(step: Step): NetworkOptions
  startOfPost: number | null
  killMain: () => void
}

/** Runs one job, main and post, on a simulated API, network, clock and runner, and checks it. */
export async function runJob(options: JobOptions): Promise<Outcome> {
  const job = openJob(options)
  const { world, time, outcome, account } = job
  const main = await runMain(job)
  const validAfterMain = account.live()
  checkMain(job, main, validAfterMain)
  outcome.printed.push(...main.traces.printed)
  outcome.requestsOfMain = job.evidence.requests.length
  if (world.postAfter > 0) await pass(time, world.postAfter)
  if (world.hardship === 'api-key has ended') account.endApiKey()
  const posts: PostRun[] = []
  for (let run = 0; run < world.postRuns; run++) {
    const post = await runPost(job, damaged(main.traces.state.record ?? '', world))
    outcome.printed.push(...post.traces.printed)
    checkPost(job, main, post)
    posts.push(post)
  }
  const endedAt = time.now()
  const validAfterPost = (): StoredKey[] =>
    account.keys().filter((key) => !key.revoked && (key.expiry === null || key.expiry > endedAt))
  await time.drain()
  outcome.requests.push(...job.evidence.requests)
  checkEnd(job, main, posts, validAfterPost())
  return outcome
}

function openJob({ world, rng, subject, chooseFault, interruption, faults = {} }: JobOptions): Job {
  const time = createTime(START)
  const outcome: Outcome = {
    faults,
    violations: [],
    excuses: {},
    requests: [],
    requestsOfMain: 0,
    printed: [],
  }
  const control = { createAnswer: 'own' as const, listAgeMs: 0 }
  const active = (spell: Spell | null) => spell !== null && isActive(spell, time.now(), job.startOfPost)
  const account = createAccount({
    ...world.server,
    now: time.now,
    random: rng.roll,
    gate: () => (world.gate && active(world.gate) ? world.gate.kind : stubOf(job)),
    createAnswer: () => control.createAnswer,
    listAge: () => control.listAgeMs,
    unreadable: () => world.unreadable,
  })
  const job: Job = {
    world,
    account,
    control,
    time,
    rng,
    subject,
    interruption,
    outcome,
    startOfPost: null,
    killMain: () => {},
    evidence: noEvidence(),
    count: (kind) => countIn(outcome.faults, kind),
    violation: (text) => void outcome.violations.push(text),
    network: (step) => networkOf(job, step, chooseFault, () => active(world.outage)),
  }
  addOlderKeys(job)
  return job
}

function countIn(counts: Record<string, number>, kind: string): void {
  counts[kind] = (counts[kind] ?? 0) + 1
}

const DAY_MS = 86_400_000

/** Keys that are there before: in a list of several pages, one of them may expire while it is read. */
function addOlderKeys({ world, account, rng, time }: Job): void {
  const older = world.server.listMoves ? 1 : Math.floor(rng.between(0, 2))
  for (let key = 0; key < older; key++)
    account.addKey({ expiry: null, created: time.now() - rng.between(1, 90) * DAY_MS })
  if (world.unreadableRow === null) return
  const key = account.addKey({ expiry: null, created: time.now() - 30 * DAY_MS })
  key.unreadable = world.unreadableRow
}

function networkOf(
  job: Job,
  step: Step,
  chooseFault: JobOptions['chooseFault'],
  down: () => boolean,
): NetworkOptions {
  const { account, control, time, rng, world, evidence, violation, count } = job
  return {
    apiUrl: API_URL,
    account,
    control,
    time,
    rng,
    listLagMs: world.server.replicas?.listMs ?? 0,
    slowCreateMs: world.slowCreateMs,
    violation,
    count,
    down,
    limitedFor: (request) => limitOf(job, request),
    hasWrongCertificate: () => hasWrongCertificate(job),
    aroundCreate: (act, created) => witnessCreate(job, act, created),
    onResult: (what, result) => witnessResult(job, what, result),
    chooseFault: faultChooser(job, step, chooseFault),
    onRequest: (what, request) => {
      evidence.requests.push(what)
      evidence.sent.add(credentialOf(request))
    },
  }
}

function faultChooser(
  job: Job,
  step: Step,
  chooseFault: JobOptions['chooseFault'],
): NetworkOptions['chooseFault'] {
  const { rng, world, evidence } = job
  let faults = 0
  const claim = { path: '', isExposed: false }
  return (what, request) => {
    // The API accepted the key until this second revocation of it.
    if (what === 'revoke' && request.url.pathname === claim.path) claim.isExposed = true
    const fault =
      step === 'post' && faults >= MOST_FAULTS_IN_POST
        ? 'none'
        : (faultAfterClaim(what, claim, rng) ?? chooseFault(what, step, () => job.killMain()))
    if (fault === 'revocation claimed, not done' && world.liesAbout === 'both in turn')
      claim.path = request.url.pathname
    if (fault !== 'none') faults += 1
    if (what === 'create' && NOT_CARRIED_OUT.has(fault)) addChanceTwin(job, request.body ?? '')
    evidence.recent.push({ fault, withApiKey: usesApiKey(job, request) })
    return fault
  }
}

function hasWrongCertificate({ world, time, startOfPost }: Job): boolean {
  const { kind, until = 0 } = world.stub ?? {}
  return kind === 'wrong certificate' && startOfPost !== null && time.now() < startOfPost + until
}

function stubOf({ world, time, startOfPost }: Job): Gate | null {
  if (world.stub === null || startOfPost === null) return null
  const at = time.now() - startOfPost
  // Before that, no request arrives.
  if (at < world.stub.until) return world.stub.kind === 'wrong certificate' ? null : world.stub.kind
  return at < world.stub.rejectedUntil ? 'authentication down' : null
}

/** For how long this request is still limited, in ms. */
function limitOf(job: Job, request: HttpRequest): number {
  const { time, count, startOfPost, world } = job
  if (world.limited === null) return 0
  const { credential, ms, mainMs = 0 } = world.limited
  const until = startOfPost === null ? START + mainMs : startOfPost + ms
  const isMeant = credential === 'both' || usesApiKey(job, request) === (credential === 'api-key')
  const left = isMeant ? Math.max(0, until - time.now()) : 0
  if (left > 0 && credential !== 'both') count('a limit of one credential')
  return left
}

function usesApiKey({ account }: Job, request: HttpRequest): boolean {
  return [account.longLivedKey, account.jwt].includes(credentialOf(request))
}

function credentialOf({ headers }: HttpRequest): string {
  return headers.Authorization?.slice(7) ?? ''
}

/** Once a claim is exposed, 401s that mean nothing may follow; until then, nothing hides the truth. */
function faultAfterClaim(what: Purpose, claim: { path: string; isExposed: boolean }, rng: Rng): Fault | null {
  if (claim.path === '' || what === 'create') return null
  return claim.isExposed && rng.chance(0.7) ? '401 like the API' : 'none'
}

function isActive({ since, from, to }: Spell, now: number, startOfPost: number | null): boolean {
  const start = since === 'main' ? START : startOfPost
  return start !== null && start + from <= now && now < start + to
}

/** The record with one entry more, which cannot be read, where the world says so. */
function damaged(record: string, { damagedRecord }: World): string {
  if (!damagedRecord || record === '') return record
  const state = JSON.parse(record) as { keys?: unknown[]; intents?: unknown[] }
  return JSON.stringify({ ...state, keys: [{ id: 7, token: null }, ...(state.keys ?? [])] })
}

async function pass(time: VirtualTime, duration: number): Promise<void> {
  await time.runUntil(new Promise<void>((resolve) => time.after(duration, resolve)))
}

export type { MainRun, PostRun }
