import { type ApiFailure, type CreatedKey, validateCreatedKey } from '../api/key-api.ts'
import { backoff } from '../retry/backoff.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import type { Cancellation } from '../retry/cancellation.ts'
import type { Inputs } from '../runner/inputs.ts'
import { maskedForms } from '../runner/masking.ts'
import { clockNote, issuedLine, keyLabel, type Runner, seconds, writeSummary } from '../runner/report.ts'
import { formatInstant } from '../util/instant.ts'
import { createIntent, type Intent } from './intent.ts'
import { type Journal, openJournal } from './journal.ts'
import { type Deps, revokeAndVerify } from './revoke-and-verify.ts'
import { revokeOrphans } from './revoke-orphans.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What main runs in: the tools, the runner, and what post will need to know of this process. */
export interface MainDeps extends Deps {
  runner: Runner
  cancellation: Cancellation
  userAgent: string
  proxy: string
  settings: SavedState['settings']
  bootedAt: number
}

/** A wrong clock is corrected from this difference on, in milliseconds. */
const CLOCK_TOLERANCE_MS = 60_000
/** No create request is sent with less time than this for its answer, in milliseconds: its reply would likely be lost. */
const MIN_ATTEMPT_MS = 500
/** Over how many times the longest Retry-After throttled jobs spread, so as not to return together (docs/scale.md). */
const THROTTLE_JITTER = 2
/** How long main may take to revoke a key that it cannot hand over, in milliseconds, on top of its `timeout`. */
const CLEANUP_TIMEOUT_MS = 20_000

/**
 * The main step: obtains a key that expires within `expiresIn`, masks it, saves what post needs, hands it over.
 * Throws an Error for the person reading the log; whatever it throws, the keys made on the way were revoked or are
 * in the saved record for post.
 */
export async function issueKey(inputs: Inputs, deps: MainDeps): Promise<void> {
  const { runner, clock, cancellation } = deps
  const journal = openJournal(inputs, deps)
  try {
    const key = await obtainKey(inputs, deps, journal)
    stopIfCancelled(cancellation)
    setOutputs(key, inputs, runner)
    runner.info(issuedLine(key, inputs, clock.now()))
    const fate = inputs.revoke ? 'to be revoked by the post step' : 'left to its expiry'
    writeSummary(runner, 'SphereScout key for this job', 'Afterwards', [{ key, fate }])
    stopIfCancelled(cancellation)
    if (!inputs.revoke) journal.keep(key, true)
  } catch (error) {
    await revokeHeldKeys(journal, deps, inputs.apiKey)
    throw error
  }
}

/** What the attempts to obtain a key share. */
interface Context extends MainDeps {
  inputs: Inputs
  journal: Journal
  budget: Budget
}

/** Asks until there is a key that passes every check, or there is no point in asking again. */
async function obtainKey(inputs: Inputs, deps: MainDeps, journal: Journal): Promise<IssuedKey> {
  const { runner, clock, random, api, cancellation } = deps
  const budget = createBudget(clock.now() + inputs.timeout, clock, cancellation)
  const work = { ...deps, inputs, journal, budget }
  let skew = 0
  let wholeSeconds = false
  let replaced = false
  let refusals = 0
  let longestRetryAfter = 0

  for (let attempt = 1; ; ) {
    stopIfCancelled(cancellation)
    if (budget.left() < MIN_ATTEMPT_MS)
      throw new Error(
        `No key was obtained within the timeout of ${seconds(inputs.timeout)}. Raise input timeout.`,
      )
    const limits = budget.limits()
    const intent = createIntent(clock.now(), skew, inputs.expiresIn, limits.timeout, wholeSeconds, random())
    journal.recordIntent(intent)
    // Whole seconds, where a mark has them, are asked for without the fractions that the server refused.
    const expiry = formatInstant(intent.expiry).replace('.000Z', 'Z')
    const reply = await api.create(inputs.apiKey, expiry, limits)

    const skewSeen = reply.skew ?? skew
    const clockWasWrong = Math.abs(skewSeen - skew) > CLOCK_TOLERANCE_MS
    if (clockWasWrong) {
      skew = skewSeen
      runner.info(clockNote(skew))
    }

    if (reply.ok) {
      const key = await accept(reply.value, intent, work)
      if (!clockWasWrong || replaced) return key
      // Its lifetime was reckoned by a clock that is wrong; by the server's it is another than was asked for.
      replaced = true
      // Without the time to ask again, it is ended like any other key of a main that fails.
      if (budget.left() >= MIN_ATTEMPT_MS) await revokeHeldKeys(journal, deps, inputs.apiKey, budget.left())
      continue
    }

    const { failure } = reply
    if (!failure.mayHaveActed) journal.resolve(intent)
    else await recover(intent, failure.message, work)
    stopIfCancelled(cancellation)

    if (failure.status === 400 && refusals < 2 && (clockWasWrong || !wholeSeconds)) {
      // Nothing was made. The likely causes are an expiry in the past by the server's clock, or fractions of a
      // second.
      refusals += 1
      if (!clockWasWrong) wholeSeconds = true
      continue
    }
    if (!failure.retryable) throw new Error(refusalMessage(failure))
    const { retryAfter = 0 } = failure
    longestRetryAfter = Math.max(longestRetryAfter, retryAfter)
    // Never spread so far that being sent away once more would pass the timeout, nor so far that this attempt would.
    const room = budget.left() - MIN_ATTEMPT_MS - retryAfter
    const spread = Math.min(THROTTLE_JITTER * longestRetryAfter, room - longestRetryAfter)
    const most = retryAfter > 0 ? Math.max(0, room) : Infinity
    const wait = backoff(attempt, retryAfter, random(), spread, most)
    if (wait + MIN_ATTEMPT_MS > budget.left())
      throw new Error(gaveUpMessage(failure, attempt, wait, inputs.timeout))
    runner.info(`${failure.message}. Trying again in ${seconds(wait)}.`)
    await budget.pause(wait)
    attempt += 1
  }
}

/**
 * Masks the key before anything else is done with it, saves it for post, and only then looks at whether it is
 * what was asked for. Throws where it is not; it is then in the ledger, to be revoked.
 */
async function accept(answer: CreatedKey, intent: Intent, work: Context): Promise<IssuedKey> {
  const { token, id, prefix, createdAt, expiresAt } = answer
  if (token !== null) for (const form of maskedForms(token)) work.runner.setSecret(form)
  const fault = validateCreatedKey(answer, intent.expiry)

  if (id === null) {
    await recover(intent, fault ?? '', work)
    throw new Error(
      `The API's answer cannot be used: ${fault}. The post step looks for any key that it made.`,
    )
  }

  const key = { token, id, prefix, createdAt, expiresAt, keep: false }
  work.journal.recordKey(key, intent)
  if (fault !== null)
    throw new Error(`The API's answer cannot be used: ${fault}. That key is revoked at once.`)
  return key
}

/** Looks for the key that a lost reply may have carried, and tells `why`. What stays unknown stays in the ledger. */
async function recover(intent: Intent, why: string, work: Context): Promise<void> {
  const { runner, inputs, journal, budget } = work
  runner.info(`${why}. A key may have been made all the same; looking for it.`)
  const [recovery] = await revokeOrphans([intent], [inputs.apiKey], journal.ids(), work, budget)
  switch (recovery?.kind) {
    case 'revoked':
      journal.resolve(intent)
      runner.info(`Found it, by its expiry, and revoked it: ${keyLabel(recovery.key)}.`)
      break
    case 'absent':
      runner.info('No such key so far. The post step will look again, as a slow server may still make it.')
      break
    case 'unclear':
      runner.warning(
        `A create request was lost, and the account holds ${recovery.candidates.length} key(s) that may be its own or another run's. ` +
          `None was revoked; such a key expires by itself at ${formatInstant(intent.expiry)}.`,
      )
      break
    case 'failed':
      runner.info(
        `The account's keys could not be looked through (${recovery.failure.message}). The post step will try again.`,
      )
      break
  }
}

function setOutputs(key: IssuedKey, inputs: Inputs, runner: Runner): void {
  const token = key.token ?? ''
  runner.setOutput('key', token)
  runner.setOutput('key-id', key.id)
  runner.setOutput('key-prefix', key.prefix)
  const instant = (known: number | null) => (known === null ? '' : formatInstant(known))
  runner.setOutput('created-at', instant(key.createdAt))
  runner.setOutput('expires-at', instant(key.expiresAt))
  if (inputs.exportEnv !== '') runner.exportVariable(inputs.exportEnv, token)
}

/** Compensation: every key that main holds and will not hand over is ended now. What cannot be is left to post. */
async function revokeHeldKeys(
  journal: Journal,
  deps: MainDeps,
  apiKey: string,
  time = CLEANUP_TIMEOUT_MS,
): Promise<void> {
  const { runner, clock, cancellation } = deps
  const budget = createBudget(clock.now() + Math.min(time, CLEANUP_TIMEOUT_MS), clock, cancellation)
  const end = async (key: IssuedKey) => {
    const ending = await revokeAndVerify(key, apiKey, deps, budget)
    if (ending.dead)
      runner.info(`The key ${keyLabel(key)} was revoked${ending.verified ? ' (verified)' : ''}.`)
    else
      runner.warning(
        `The key ${keyLabel(key)} could not be revoked: ${ending.reason}. The post step will try again.`,
      )
    try {
      if (ending.dead) journal.removeKey(key)
      else journal.keep(key, false)
    } catch {
      // A state file that cannot be written may be why main is failing; the other keys still have to be ended.
    }
  }
  await Promise.all(journal.keys().map(end))
}

function stopIfCancelled(cancellation: Cancellation): void {
  if (cancellation.requestedAt !== null)
    throw new Error('The job was cancelled before a key could be handed over.')
}

function refusalMessage({ status, message }: ApiFailure): string {
  if (status === 401)
    return `The API did not accept api-key: it is wrong, revoked or expired (${message}). Check the secret that api-key is given.`
  return `No key was obtained: ${message}.`
}

function gaveUpMessage({ message }: ApiFailure, attempts: number, wait: number, timeout: number): string {
  return (
    `No key was obtained: ${message}. Gave up after ${attempts} attempt(s), as the next one, in ${seconds(wait)}, ` +
    `would pass the timeout of ${seconds(timeout)}. Raise input timeout, or run the job again later.`
  )
}
