import type { HttpResponse } from '../../src/http/http-client.ts'
import type { Inputs } from '../../src/runner/inputs.ts'
import { createAccount, type StoredKey } from '../support/account.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import { FAULTS, type NetworkOptions, networkFor } from './network.ts'
import { type Process, recordRunner, type StepRecord, startProcess } from './process.ts'
import { createRng, type Rng } from './rng.ts'
import { clockOn, createTime, type VirtualTime } from './time.ts'

/** What one schedule came to. */
export interface Outcome {
  seed: number
  /** Faults by kind, counted as they were injected. */
  faults: Record<string, number>
  violations: string[]
  /** Everything a person would have read, for looking at a violation. */
  printed: string[]
}

const API_URL = 'https://api.example'
const START = Date.parse('2027-03-01T12:00:00.250Z')
const MINUTE = 60_000
/** What post can be asked to bear and still keep its promise: its own budget is 60 s, and what a 429 told it to wait. */
const MOST_FAULTS_IN_POST = 3
/** A 429 asks for 5 s at most, and the backoff adds 20 s at most. */
const LONGEST_THROTTLED = 25_000

/** Runs one job, main and post, on a simulated API, network, clock and runner, all driven by `seed`, and checks it. */
export async function runSchedule(seed: number, subject: CodeUnderTest): Promise<Outcome> {
  const rng = createRng(seed)
  const time = createTime(START)
  const outcome: Outcome = { seed, faults: {}, violations: [], printed: [] }
  const count = (kind: string) => {
    outcome.faults[kind] = (outcome.faults[kind] ?? 0) + 1
  }
  const violation = (text: string) => outcome.violations.push(text)

  const clockError = chooseClockError(rng, count)
  const clockErrorInPost = chooseClockErrorInPost(rng, clockError, count)
  const server = chooseServer(rng, clockError, clockErrorInPost, count)
  const account = createAccount({ ...server, now: time.now, random: rng.roll })
  const inputs = chooseInputs(rng, account.longLivedKey)
  const outage = rng.chance(0.1) ? chooseOutage(rng, time) : null
  const failing = rng.chance(0.15)
    ? rng.pick(['saveState', 'setOutput', 'exportVariable', 'writeSummary'])
    : ''
  if (failing) count(`${failing} fails`)
  // Where nothing can be saved, post cannot learn that our own key is dead already, and would find the twin alone.
  const kinds =
    failing === 'saveState'
      ? (['near', 'earlier'] as const)
      : (['same before', 'same after', 'near', 'earlier'] as const)
  const twins = rng.chance(0.2) ? rng.pick(kinds) : null
  let twinOfOurs = false

  const addTwin = (body: string, offset: number, age: number) => {
    const asked = Date.parse((JSON.parse(body) as { expiry: string }).expiry) + offset
    const kept = server.fractions === 'drop' ? Math.floor(asked / 1000) * 1000 : asked
    const expiry = server.ignoreExpiry ? null : kept
    account.addKey({ expiry, created: time.now() - age })
    count('twin key of another job')
  }
  const aroundCreate = (act: () => HttpResponse, body: string): HttpResponse => {
    const response = act()
    // Somebody else's key with our very mark is never there without our own: alone, nobody could tell it from ours.
    if (response.status > 299) return response
    if (twins === 'same before') addTwin(body, 0, 1)
    if (twins === 'same after') addTwin(body, 0, 0)
    if (twins === 'near') addTwin(body, rng.pick([-1, 1, -350, 350]), 0)
    if (twins === 'earlier') addTwin(body, 0, 10 * MINUTE)
    twinOfOurs ||= twins === 'same before' || twins === 'same after'
    return response
  }
  const rate = rng.pick([0, 0.05, 0.25, 0.5])
  const network = (faultsLeft: () => boolean): NetworkOptions => ({
    apiUrl: API_URL,
    account,
    time,
    rng,
    violation,
    count,
    aroundCreate,
    down: () => outage !== null && outage.from <= time.now() && time.now() < outage.to,
    chooseFault(what) {
      if (!rng.chance(rate) || !faultsLeft()) return 'none'
      const fault = rng.pick(FAULTS)
      return fault === 'revocation claimed, not done' && what !== 'revoke' ? 'none' : fault
    },
  })

  const main = await runMain({
    subject,
    rng,
    time,
    inputs,
    clockError,
    failing,
    network: network(() => true),
    count,
    violation,
  })
  const endOfMain = time.now()
  const keysAtEndOfMain = account.live()
  checkMain(main, inputs, keysAtEndOfMain, clockError, server, violation)

  const postRuns = rng.pick([0, 1, 1, 1, 1, 1, 1, 2])
  if (postRuns === 0) count('post skipped')
  if (postRuns === 2) count('post run twice')
  const late = rng.chance(0.3)
  if (late) count('post late')
  if (late) await pass(time, rng.between(0, 3 * 60 * MINUTE))

  let troubles: string[] = []
  let startOfPost = endOfMain
  for (let run = 0; run < postRuns; run++) {
    startOfPost = time.now()
    let faults = 0
    const before = outcome.faults['429'] ?? 0
    const options = network(() => ++faults <= MOST_FAULTS_IN_POST)
    const post = await runPost({
      subject,
      rng,
      time,
      clockError: clockErrorInPost,
      network: options,
      state: main.traces.state,
    })
    const took = time.now() - startOfPost
    if (!post.settled) violation('post never ended')
    const throttled = ((outcome.faults['429'] ?? 0) - before) * LONGEST_THROTTLED
    if (took > 60_500 + throttled) violation(`post took ${took} ms`)
    troubles = post.troubles
    outcome.printed.push(...post.traces.printed)
    checkPrinted(post.traces, account.keys(), inputs, violation)
    checkHonesty(post.traces, account.live(), violation)
    const calm = rate === 0 && outage === null && main.calm && !twins
    const sanitize =
      server.selfRevocation === 'allowed' && !server.ignoreExpiry && /keep|micro/.test(server.fractions)
    if (calm && sanitize && post.troubles.length > 0)
      violation(`post gave up without cause: ${post.troubles.join(' ')}`)
  }
  const endOfPost = time.now()
  await time.drain()

  outcome.printed.unshift(...main.traces.printed)
  checkPrinted(main.traces, account.keys(), inputs, violation)
  if (account.touchedForeign().length > 0) violation('a key of somebody else was revoked')

  const alive = account
    .keys()
    .filter((key) => !key.revoked && (key.expiry === null || key.expiry > endOfPost))
  const unmarked =
    server.fractions === 'drop' || server.fractions === 'refuse' || server.ignoreExpiry || twinOfOurs
  const outageInPost = outage !== null && outage.from < endOfPost && outage.to > startOfPost
  const excused = troubles.length > 0 && (unmarked || outageInPost)
  for (const key of alive) {
    if (postRuns > 0 && key.token === main.kept) continue
    if (postRuns > 0 && !excused)
      violation(`a key is alive after post (created ${key.created - START} ms into the job)`)
    if (
      postRuns === 0 &&
      key.expiry === null &&
      main.endedByItself &&
      !main.faultAfterKey &&
      !main.lostCreate
    )
      violation('main ended and left a key without an expiry')
  }
  for (const key of account.keys()) {
    const lifetime = key.expiry === null ? 0 : key.expiry - key.created
    const wrongClock = Math.abs(clockError) + 1000
    if (lifetime > inputs.expiresIn + wrongClock) violation(`a key lives ${lifetime} ms`)
  }
  return outcome
}

interface Server {
  createStatus: 200 | 201
  idForm: 'hex' | 'integer'
  listForm: 'array' | 'paginated'
  pageSize: number
  fractions: 'keep' | 'microseconds' | 'drop' | 'refuse'
  timeForm: 'Z' | 'offset'
  errorShape: 'detail' | 'error' | 'html' | 'empty' | 'codes'
  selfRevocation: 'allowed' | 'forbidden' | 'unauthorized'
  ignoreExpiry: boolean
  dateHeader: boolean
}

function chooseServer(
  rng: Rng,
  clockError: number,
  clockErrorInPost: number,
  count: (kind: string) => void,
): Server {
  const server: Server = {
    createStatus: rng.pick([200, 201]),
    idForm: rng.pick(['hex', 'integer']),
    listForm: rng.pick(['array', 'array', 'paginated']),
    pageSize: rng.pick([1, 2, 50]),
    fractions: rng.pick([
      'keep',
      'keep',
      'keep',
      'microseconds',
      'microseconds',
      'microseconds',
      'drop',
      'refuse',
    ]),
    timeForm: rng.pick(['Z', 'offset']),
    errorShape: rng.pick(['detail', 'error', 'html', 'empty', 'codes']),
    selfRevocation: rng.pick(['allowed', 'allowed', 'allowed', 'forbidden', 'unauthorized']),
    ignoreExpiry: rng.chance(0.04),
    // With a wrong clock and a server that never says the time, nothing could tell which keys are new.
    dateHeader: Math.max(Math.abs(clockError), Math.abs(clockErrorInPost)) > MINUTE || rng.chance(0.9),
  }
  if (server.listForm === 'paginated') count('paginated list')
  if (server.fractions === 'drop') count('rounded expiries')
  if (server.fractions === 'refuse') count('fractions refused')
  if (server.ignoreExpiry) count('expiry ignored')
  if (server.selfRevocation !== 'allowed') count('key may not revoke itself')
  return server
}

function chooseInputs(rng: Rng, apiKey: string): Inputs {
  return {
    apiKey,
    apiUrl: API_URL,
    expiresIn: rng.pick([MINUTE, 15 * MINUTE, 60 * MINUTE, 5 * 24 * 60 * MINUTE]),
    exportEnv: rng.pick(['', 'SPHERESCOUT_API_KEY']),
    revoke: rng.chance(0.85),
    onRevokeFailure: rng.pick(['warn', 'fail']),
    timeout: rng.pick([1000, 10_000, 120_000]),
  }
}

function chooseClockError(rng: Rng, count: (kind: string) => void): number {
  if (!rng.chance(0.12)) return rng.between(-2000, 2000)
  count('wrong clock')
  return rng.pick([-1, 1]) * rng.between(2 * MINUTE, 90 * MINUTE)
}

/** A wrong clock may be set right before post, and a right one wrong. */
function chooseClockErrorInPost(rng: Rng, before: number, count: (kind: string) => void): number {
  if (!rng.chance(Math.abs(before) > MINUTE ? 0.5 : 0.02)) return before
  count('clock set before post')
  return Math.abs(before) > MINUTE ? rng.between(-2000, 2000) : rng.between(-90 * MINUTE, 90 * MINUTE)
}

function chooseOutage(rng: Rng, time: VirtualTime): { from: number; to: number } {
  const from = time.now() + rng.between(-1000, 20_000)
  return { from, to: from + rng.between(100, 60_000) }
}

async function pass(time: VirtualTime, duration: number): Promise<void> {
  await time.runUntil(new Promise<void>((resolve) => time.after(duration, resolve)))
}

interface MainRun {
  traces: StepRecord
  /** Not killed: it came to an end of its own, well or badly. */
  endedByItself: boolean
  succeeded: boolean
  /** The key that the workflow asked to keep, once it was handed over and the record says so. */
  kept: string | null
  /** Whether anything went wrong on the network after a reply that held a key. */
  faultAfterKey: boolean
  /** Whether a create request went without its reply. */
  lostCreate: boolean
  /** Nothing happened that could excuse a post that gives up. */
  calm: boolean
}

interface Stage {
  subject: CodeUnderTest
  rng: Rng
  time: VirtualTime
  clockError: number
  network: NetworkOptions
}

async function runMain(
  stage: Stage & {
    inputs: Inputs
    failing: string
    count: (kind: string) => void
    violation: (text: string) => void
  },
): Promise<MainRun> {
  const { subject, rng, time, inputs, clockError, failing, network, count, violation } = stage
  const killAt = rng.chance(0.3) ? 1 + Math.floor(rng.between(0, 16)) : Infinity
  const killAfter = rng.chance(0.1) ? rng.between(0, 15_000) : Infinity
  const signalAt = rng.chance(0.15) ? 1 + Math.floor(rng.between(0, 16)) : Infinity
  const signalAfter = rng.chance(0.1) ? rng.between(0, 15_000) : Infinity
  const process: Process = startProcess(killAt, (effects) => effects === signalAt && signal())
  const clock = clockOn(time, clockError, () => process.alive)
  const cancellation = subject.createCancellation(clock.now)
  const { runner, traces } = recordRunner(process, failing, 1 + Math.floor(rng.between(0, 5)))
  let signalledAt: number | null = null
  let settled = false
  function signal() {
    if (signalledAt !== null || settled) return
    count('signal')
    signalledAt = time.now()
    cancellation.request()
    time.after(subject.CANCEL.EXIT_MS, () => {
      if (!settled && process.alive) violation('main had not ended 7 s after the signal')
      process.kill()
    })
  }
  if (signalAfter !== Infinity) time.after(signalAfter, signal)
  if (killAfter !== Infinity) time.after(killAfter, () => !settled && process.kill())

  let faultAfterKey = false
  let lostCreate = false
  let keyDelivered = false
  const watched: NetworkOptions = {
    ...network,
    chooseFault(what) {
      const fault = network.chooseFault(what)
      if (keyDelivered && fault !== 'none') faultAfterKey = true
      if (what === 'create' && fault !== 'none') lostCreate = true
      return fault
    },
    down() {
      const down = network.down()
      if (down && keyDelivered) faultAfterKey = true
      return down
    },
    aroundCreate(act, body) {
      const response = network.aroundCreate(act, body)
      keyDelivered = true
      return response
    },
  }
  const api = subject.createKeyApi(networkFor(process, subject, watched), API_URL, 'simulation', clock.now)
  const startedAt = time.now()
  let error: Error | null = null
  const run = subject
    .issueKey(inputs, {
      api,
      clock,
      random: rng.roll,
      runner,
      cancellation,
      userAgent: 'simulation',
      proxy: '',
      settings: {},
      bootedAt: START + clockError,
    })
    .catch((reason: Error) => {
      error = reason
    })
    .then(() => {
      settled = true
    })
  const ended = await time.runUntil(Promise.race([run, process.died]))
  const endedByItself = settled && process.alive
  if (!process.alive) count('main killed')
  if (!ended) violation('main never ended')
  if (endedByItself && time.now() - startedAt > inputs.timeout + 21_000)
    violation(`main took ${time.now() - startedAt} ms with a timeout of ${inputs.timeout} ms`)
  if (endedByItself && error !== null) traces.printed.push((error as Error).message)
  const succeeded = endedByItself && error === null
  if (succeeded && signalledAt !== null && signalledAt < time.now())
    violation('main was cancelled and succeeded')
  process.kill()
  settled = true
  return {
    traces,
    endedByItself,
    succeeded,
    kept:
      inputs.revoke || !traces.state.record?.includes('"keep":true') ? null : (traces.outputs.key ?? null),
    faultAfterKey,
    lostCreate,
    calm: failing === '' && killAt === Infinity && killAfter === Infinity,
  }
}

function checkMain(
  main: MainRun,
  inputs: Inputs,
  live: StoredKey[],
  clockError: number,
  server: Server,
  violation: (text: string) => void,
): void {
  const { traces, succeeded } = main
  if (traces.unmasked.length > 0) violation(`${traces.unmasked.join()} was handed over before it was masked`)
  if (succeeded) {
    const key = live.find(({ token }) => token === traces.outputs.key)
    if (!key) violation('main succeeded with a key that is not alive')
    else if (key.expiry === null) violation('main handed over a key that never expires')
    else if (server.dateHeader && Math.abs(clockError) > MINUTE) {
      const lifetime = key.expiry - key.created
      if (lifetime > inputs.expiresIn + 3000 || lifetime < inputs.expiresIn * 0.95 - 15_000)
        violation(`with a wrong clock, the key lives ${lifetime} ms instead of ${inputs.expiresIn} ms`)
    }
  }
}

interface PostRun {
  traces: StepRecord
  settled: boolean
  /** What post could not settle, as it told the person who has to. */
  troubles: string[]
}

async function runPost(stage: Stage & { state: Record<string, string> }): Promise<PostRun> {
  const { subject, rng, time, clockError, network, state } = stage
  const process = startProcess(Infinity, () => {})
  const clock = clockOn(time, clockError, () => process.alive)
  const { runner, traces } = recordRunner(process, '', 0)
  const troubles: string[] = []
  const run = subject
    .revokeKeys(subject.parseState(state.record ?? ''), {
      clock,
      random: rng.roll,
      runner,
      settings: {},
      bootedAt: START + clockError,
      verificationOff: false,
      connect: ({ apiUrl, userAgent }) =>
        subject.createKeyApi(networkFor(process, subject, network), apiUrl, userAgent, clock.now),
      policyWithoutRecord: () => 'warn',
    })
    .catch((error: Error) => {
      traces.printed.push(error.message)
      troubles.push(error.message)
    })
  const settled = await time.runUntil(run)
  process.kill()
  return { traces, settled, troubles: [...troubles, ...traces.warnings] }
}

function checkPrinted(
  { printed }: StepRecord,
  keys: StoredKey[],
  { apiKey }: Inputs,
  violation: (text: string) => void,
): void {
  const text = printed.join('\n')
  if (text.includes(apiKey)) violation('the long-lived key was printed')
  if (keys.some(({ token }) => text.includes(token))) violation('a key was printed')
}

function checkHonesty({ printed }: StepRecord, live: StoredKey[], violation: (text: string) => void): void {
  for (const line of printed.filter((text) => text.includes('(verified): the API key'))) {
    const lie = live.find(({ token_key }) => line.includes(token_key))
    if (lie) violation('post calls a key verified that is alive')
  }
}
