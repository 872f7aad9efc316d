import type { StoredKey } from '../support/account.ts'
import { READABLE_SPELLINGS } from '../support/instants.ts'
import { excuseFor, isPointedAt } from './excuses.ts'
import type { Job, MainRun, PostRun } from './job.ts'
import type { StepRecord } from './process.ts'
import { isUninterrupted } from './run-main.ts'
import { isListReadable, MINUTE_MS, START } from './world.ts'

/** A 429 asks for 5 s at most, and the backoff adds 20 s at most. */
const LONGEST_THROTTLED_MS = 25_000
/** By how much a key may outlive `expires-in` by the server's clock, in ms. */
const LIFETIME_SLACK_MS = 5_000
/** By how much `created` may be wrong, in ms, before the key does not seem to be of this moment. */
const CREATED_BOUND_MS = 65_000

/** Checks the main step when it has ended. `valid`: the keys of this run that the API accepts then. */
export function checkMain(job: Job, main: MainRun, valid: readonly StoredKey[]): void {
  const { world, violation, evidence } = job
  const { traces, endedByItself, succeeded, tookMs } = main
  if (endedByItself && tookMs > world.inputs.timeout + 21_000)
    violation(`main took ${tookMs} ms with a timeout of ${world.inputs.timeout} ms`)
  if (traces.unmasked.length > 0) violation(`${traces.unmasked.join()} was handed over before it was masked`)
  checkPrinted(job, traces)
  checkHonesty(job, traces, 'main')
  checkHandedOver(job, main, valid)
  checkLastCause(job, main)
  if (evidence.mostUnreadableInARow > 2)
    violation(`main got ${evidence.mostUnreadableInARow} unreadable successes in a row and went on`)
  const calm = isCalm(job) && endedByItself && !main.signalled
  if (!calm || world.inputs.timeout < 10_000) return
  if (!succeeded) violation(`main failed without cause: ${main.error?.message}`)
  else if (Math.abs(world.clockError) <= 2000 && evidence.requests.length !== 1)
    violation(`main sent ${evidence.requests.length} requests where all was well`)
}

/** What main hands over is a valid key that this run made, with the lifetime that was asked for. */
function checkHandedOver(job: Job, { traces, succeeded }: MainRun, valid: readonly StoredKey[]): void {
  const { account, world, violation } = job
  const handed = traces.outputs.key
  if (handed !== undefined) {
    if (handed === account.longLivedKey || handed === account.jwt) violation('main handed on api-key')
    else if (account.foreign().some(({ token }) => token === handed))
      violation("main handed on another run's key")
  }
  if (!succeeded) return
  const key = valid.find(({ token }) => token === handed)
  // What the response only repeats, no client can doubt.
  const isRepeated = Boolean(world.server.repeatsExpiry && world.server.ignoreExpiry)
  // `created` outranks `Date`, but by what contradicts `Date`, no key is accepted.
  // A clock that is wrong the other way adds to what is not noticed.
  const createdSlack = Math.min(
    Math.abs(world.server.createdErrorMs ?? 0),
    CREATED_BOUND_MS + Math.abs(world.clockError),
  )
  const slack = createdSlack + (world.server.repeatsExpiry === 'in seconds' ? 1000 : 0)
  if (!key) violation('main succeeded with a key that is not valid')
  else if (key.expiry === null) {
    if (!isRepeated) violation('main handed over a key that never expires')
  } else if (key.expiry - key.created > world.inputs.expiresIn + slack + LIFETIME_SLACK_MS)
    violation(`the key is valid for ${key.expiry - key.created} ms instead of ${world.inputs.expiresIn} ms`)
  const longer = valid.filter(({ token, expiry, created }) => {
    const lifetime = expiry === null ? Infinity : expiry - created
    return (
      token !== handed &&
      job.evidence.delivered.has(token) &&
      lifetime > world.inputs.expiresIn + LIFETIME_SLACK_MS
    )
  })
  // Where only the key may revoke itself, no replica that lags lets it do so in time.
  const isRevocable = world.hardship !== 'api-key may not revoke' && !world.server.revocationOfUnknown
  const calm = world.faultRate === 0 && !world.outage && !world.gate && isRevocable
  if (longer.length > 0 && isClockKnown(world) && calm)
    violation('the main step left a key that is valid for longer than requested')
}

/** If `Date` is wrong too, nothing can show that a key by a wrong clock is this run's. */
function isClockKnown({ server, clockError }: Job['world']): boolean {
  return (!server.dateErrorMs && !server.createdErrorMs) || Math.abs(clockError) <= LIFETIME_SLACK_MS
}

/** The error that ends main names how the last create request ended. */
function checkLastCause({ evidence, world, violation }: Job, { error }: MainRun): void {
  const { lastFailure } = evidence
  if (error === null || world.failing || lastFailure === null) return
  const { message } = error
  if (!lastFailure.some((words) => message.includes(words)))
    violation(`the error hides the last cause (${lastFailure[0]}): ${message}`)
  if (world.gate?.kind !== 'authentication down' && !lastFailure.includes('401')) return
  if (world.gate?.kind === 'basic' && /Check the secret/.test(message))
    violation('the error blames api-key for what a gate answered')
}

/** Checks one run of the post step when it has ended. */
export function checkPost(job: Job, main: MainRun, post: PostRun): void {
  const { violation, world, evidence } = job
  const { traces, settled, tookMs, faults, troubles, requests } = post
  if (!settled) violation('post never ended')
  const throttled = faults.filter((fault) => fault === '429').length * LONGEST_THROTTLED_MS
  const limited =
    world.limited && world.limited.ms < 30 * MINUTE_MS ? world.limited.ms + LONGEST_THROTTLED_MS : 0
  if (tookMs > 60_500 + throttled + limited) violation(`post took ${tookMs} ms`)
  checkPrinted(job, traces)
  checkHonesty(job, traces, 'post')
  const keysToRevoke = [...post.record.matchAll(/"keep":(true|false)/g)].filter(
    ([, keep]) => keep === 'false',
  )
  checkStopped(job, main, post)
  checkSent(job, main, post)
  if (keysToRevoke.length > 0 && requests[0] !== 'revoke')
    violation('the first request of post was not the revocation of a key that it knows')
  if (!isCalm(job) || !main.endedByItself) return
  if (troubles.length > 0) violation(`the post step gave up without cause: ${troubles.join(' ')}`)
  const ordinary = main.succeeded && Math.abs(world.clockError) <= 2000 && world.inputs.revoke
  if (ordinary && evidence.requests.length !== 3 && world.postRuns === 1 && world.postAfter === 0)
    violation(`post sent ${requests.length} requests where all was well`)
}

/** Under changed certificate settings, only keys that are to be revoked are sent. */
function checkSent({ account, world, violation }: Job, { kept }: MainRun, { sent }: PostRun): void {
  if (world.hardship !== 'trusted certificates changed') return
  if (sent.has(account.longLivedKey) || sent.has(account.jwt))
    violation('api-key was sent under changed certificate settings')
  if (kept !== null && sent.has(kept))
    violation('the key that the workflow keeps was sent under changed certificate settings')
}

/** A post step that the runner kills has named what it leaves: keys that it knows, and requests that have keys. */
function checkStopped(job: Job, main: MainRun, { validWhenKilled, traces, record }: PostRun): void {
  const { violation, evidence } = job
  for (const key of validWhenKilled ?? []) {
    if (key.token === main.kept || evidence.unsigned.has(key.token)) continue
    if (!isPointedAt(key, job, { record, texts: traces.warnings }))
      violation('post was killed and did not name a key, or its request')
  }
}

/** Nothing went wrong, and the server behaves as documented. */
function isCalm({ world, interruption }: Job): boolean {
  const { server, failing, faultRate, outage, gate, twin, unreadable, damagedRecord, oddity } = world
  const { limited, postStoppedAfter, stub, hardship } = world
  if (limited || postStoppedAfter !== Infinity || stub || hardship) return false
  const { grid, maxDigits, timeForm, localShiftMs, dateErrorMs, rowsWithout, idForm } = server
  const spelt = READABLE_SPELLINGS.some((spelling) => spelling === timeForm)
  const quiet =
    faultRate === 0 && !outage && !gate && !twin && !oddity && !unreadable && !damagedRecord && !failing
  const listed = isListReadable(server) && !rowsWithout && idForm !== 'renamed'
  const usual = !grid && maxDigits === undefined && !localShiftMs && !dateErrorMs && !server.replicas
  const able = server.selfRevocation === 'allowed' && !server.ignoreExpiry
  // A JWT has no row in the list, so a second run of post cannot show that the first one revoked the key.
  if (world.credential === 'jwt' && world.postRuns === 2) return false
  return isUninterrupted(interruption) && spelt && quiet && listed && usual && able
}

/** Checks what is left in the end. `valid`: the keys of this run that outlived the post step. */
export function checkEnd(
  job: Job,
  main: MainRun,
  posts: readonly PostRun[],
  valid: readonly StoredKey[],
): void {
  const { account, violation, outcome } = job
  const touched = account.touchedForeign()
  const taken = account.foreign().filter(({ id }) => touched.includes(id))
  if (touched.length > taken.length || taken.some((key) => !isTakenByOdds(key, job, posts)))
    violation("another run's key was revoked")
  if (account.keys().some(({ token, revoked }) => token === main.kept && revoked))
    violation('the key that the workflow keeps was revoked')
  for (const key of valid) {
    if (posts.length === 0 || key.token === main.kept) continue
    const excuse = excuseFor(key, job, posts)
    if (excuse !== null) outcome.excuses[excuse] = (outcome.excuses[excuse] ?? 0) + 1
    else violation(`a key is valid after post (created ${key.created - START} ms into the job)`)
  }
  if (posts.length === 0) checkWithoutPost(job, main, valid)
  checkLifetimes(job)
}

/**
 * Whether an unanswered request asked for the same millisecond, on a server that keeps no more. The twin of one request
 * may be next to another request as well.
 */
function isTakenByOdds({ expiry }: StoredKey, { world }: Job, posts: readonly PostRun[]): boolean {
  if (world.server.grid !== '1 ms') return false
  const unanswered = posts.flatMap(({ record }) => [
    ...record.matchAll(/"expiry":([\d.]+),"sentAt":[\d.]+,"deadline":[\d.]+,"refused":""}/g),
  ])
  return unanswered.some(([, asked]) => Math.abs(Number(asked) - Number(expiry)) < 1)
}

/** If the post step never ran, only the main step's own cleanup can revoke keys. */
function checkWithoutPost(
  { world, evidence, violation }: Job,
  main: MainRun,
  valid: readonly StoredKey[],
): void {
  if (!main.endedByItself || world.faultRate > 0 || world.outage || world.gate) return
  // A response that repeats the requested expiry shows no such key, and at replicas that lag, it takes longer than main.
  const isSlow = world.server.revocationOfUnknown || world.hardship === 'api-key may not revoke'
  if (world.server.repeatsExpiry || isSlow) return
  const left = valid.filter(({ token, expiry }) => expiry === null && evidence.delivered.has(token))
  // Without an expiry, only `created` could show whose a key is; where it cannot, main names the key.
  const said = [...main.traces.printed, main.error?.message ?? ''].join('\n')
  const isNamed = ({ id }: StoredKey) => said.includes(`(id ${id.slice(0, 8)}`)
  const { localShiftMs, dateErrorMs, createdErrorMs, nodeBehindMs, timeForm } = world.server
  const isTimeKnown =
    !localShiftMs &&
    !dateErrorMs &&
    !createdErrorMs &&
    !nodeBehindMs &&
    READABLE_SPELLINGS.some((spelling) => spelling === timeForm)
  const unproven = isTimeKnown ? left : left.filter((key) => !isNamed(key))
  if (unproven.length > 0 && world.server.idForm !== 'renamed')
    violation('the main step left a key without an expiry')
}

/** How far a clock that cannot be checked may move an expiry, in ms: `Date` is believed for no more than a day. */
const DATE_BOUND_MS = 1440 * MINUTE_MS

/** Not even an orphan is valid for much longer than requested. */
function checkLifetimes({ account, world, outcome, violation }: Job): void {
  const { inputs, clockError, server } = world
  const wrongDate = server.dateErrorMs || server.localShiftMs || outcome.faults['503 with a wrong date']
  const slack =
    Math.abs(clockError) +
    (wrongDate ? DATE_BOUND_MS : 0) +
    (server.createdErrorMs ? CREATED_BOUND_MS : 0) +
    (server.grid === '1 min' ? MINUTE_MS : 0)
  for (const { expiry, created } of account.keys()) {
    const lifetime = expiry === null ? 0 : expiry - created
    if (lifetime > inputs.expiresIn + slack + LIFETIME_SLACK_MS)
      violation(`a key is valid for ${lifetime} ms`)
  }
}

/** No line shows a secret, not even another run's. */
function checkPrinted({ account, violation }: Job, { printed }: StepRecord): void {
  const text = printed.join('\n')
  if (text.includes(account.longLivedKey) || text.includes(account.jwt))
    violation('the long-lived key was printed')
  if ([...account.keys(), ...account.foreign()].some(({ token }) => text.includes(token)))
    violation('a key was printed')
}

/** Only a key that is revoked or has expired is called verified, and only an orphan that is gone is called revoked. */
function checkHonesty({ account, violation }: Job, { printed }: StepRecord, step: string): void {
  const lines = printed.flatMap((text) => text.split('\n'))
  const isClaim = (text: string) =>
    /^(Found and )?revoked\b|^No longer valid|verified/i.test(text) &&
    !/not verified|could not|cannot/i.test(text)
  for (const line of lines.filter(isClaim)) {
    // Of a key whose value was not shown, less is printed.
    const lie = account.live().find(({ token_key }) => line.includes(token_key.slice(0, 8)))
    if (lie) violation(`${step} calls a key ${/verified/i.test(line) ? 'verified' : 'revoked'} that is valid`)
  }
}
