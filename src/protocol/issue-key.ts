import type { ApiFailure, CreatedKey } from '../api/key-api.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import type { Cancellation } from '../retry/cancellation.ts'
import type { Inputs } from '../runner/inputs.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from '../runner/masking.ts'
import {
  clockNote,
  formatSeconds,
  issuedLine,
  keyLabel,
  type Runner,
  summarizeKeys,
} from '../runner/report.ts'
import { formatExactly, formatInstant } from '../util/instant.ts'
import { createIntent, type Intent, type Precision } from './intent.ts'
import { type Journal, openJournal } from './journal.ts'
import { isSendable, judgeCreated } from './judge-created.ts'
import { FIRST_ATTEMPT, MIN_ATTEMPT_MS, nextAttempt } from './next-attempt.ts'
import { type Deps, type RevocationContext, revokeAndVerify } from './revoke-and-verify.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What main runs in, and what post will need to know of this process. */
export interface MainDeps extends Deps {
  runner: Runner
  cancellation: Cancellation
  userAgent: string
  proxy: string
  settings: SavedState['settings']
  bootedAt: number
}

/** A `Date` this far from our clock corrects it after a 400; `created` corrects it by the lifetime that it shows. */
const CLOCK_TOLERANCE_MS = 60_000
/** How often a key that was made by a wrong clock is replaced. */
const MAX_REPLACEMENTS = 2
/** How long main may take to revoke keys that it cannot hand over, on top of its `timeout`. */
const CLEANUP_TIMEOUT_MS = 20_000
/** A response that took this long may be to the second of two requests: gateways repeat what times out. */
const SLOW_RESPONSE_MS = 3_000

/**
 * The main step: obtains a key that expires within `expiresIn`, masks it, saves what post needs, hands it over.
 * Throws an Error for the person reading the log; whatever it throws, the keys created on the way were revoked or are
 * in the saved record for post.
 */
export async function issueKey(inputs: Inputs, deps: MainDeps): Promise<void> {
  const { runner, cancellation } = deps
  const context = { ...deps, inputs, journal: openJournal(inputs, deps) }
  try {
    const key = await obtainKey(context)
    stopIfCancelled(cancellation)
    setOutputs(key, inputs, runner)
    runner.info(issuedLine(key, inputs))
    const status = inputs.revoke
      ? 'Valid; the post step revokes it'
      : 'Valid until it expires (`revoke: false`)'
    summarizeKeys(runner, 'SphereScout key for this job', [{ key, status }])
    stopIfCancelled(cancellation)
    if (!inputs.revoke) context.journal.keep(key, true)
  } catch (error) {
    await revokeHeldKeys(context, CLEANUP_TIMEOUT_MS)
    throw error
  }
}

interface Context extends MainDeps {
  inputs: Inputs
  journal: Journal
}

/** Sends create requests until one brings a key that passes every check, or asking again is pointless. */
async function obtainKey(context: Context): Promise<IssuedKey> {
  const { runner, clock, random, cancellation, inputs } = context
  const { timeout } = inputs
  const budget = createBudget(clock.now() + timeout, clock, cancellation)
  let progress = FIRST_ATTEMPT
  let skew = 0
  for (let replacements = 0; ; ) {
    const attempt = await requestKey(context, budget, skew, progress.precision)
    if (attempt.kind === 'key') return attempt.key
    if (attempt.skew !== null) {
      skew = attempt.skew
      runner.info(clockNote(skew))
    }
    if (attempt.kind === 'replace') {
      await revokeHeldKeys(context, budget.left())
      replacements += 1
      if (replacements > MAX_REPLACEMENTS || budget.left() < MIN_ATTEMPT_MS)
        throw new Error(`No key was created: there was no time to replace it. ${clockNote(skew)}`)
      continue
    }
    stopIfCancelled(cancellation)
    const clockCorrected = attempt.skew !== null
    const left = budget.left()
    const next = nextAttempt(attempt.failure, progress, { left, timeout, random: random(), clockCorrected })
    if (next.kind === 'stop') throw new Error(next.message)
    progress = next.progress
    if (next.afterMs === 0) continue
    runner.info(`${attempt.failure.message}. Retrying in ${formatSeconds(next.afterMs)}.`)
    await budget.pause(next.afterMs)
  }
}

type Attempt =
  | { kind: 'key'; key: IssuedKey }
  /** The key was made by a wrong clock; `skew` is the right one (the server's clock less ours). */
  | { kind: 'replace'; skew: number }
  /** `skew` is null unless the failure shows that our clock is wrong. */
  | { kind: 'failure'; failure: ApiFailure; skew: number | null }

/** Sends one create request; the journal knows of it before it leaves, and of the key before anything is done with it. */
async function requestKey(
  context: Context,
  budget: Budget,
  skew: number,
  precision: Precision,
): Promise<Attempt> {
  const { api, clock, random, cancellation, inputs, journal } = context
  stopIfCancelled(cancellation)
  const limits = budget.limits()
  const now = clock.now()
  const { expiresIn, apiKey } = inputs
  const intent = createIntent({
    ...{ now, skew, precision, lifetime: expiresIn, timeout: limits.timeout, random: random() },
  })
  journal.recordIntent(intent)
  const result = await api.create(apiKey, formatExactly(intent.expiry), limits)
  if (result.ok) return accept(result.value, { intent, skew, dateSkew: result.skew }, context)

  // What may have acted stays in the journal: the post step looks for its key.
  const { failure } = result
  if (!failure.mayHaveActed) journal.resolve(intent)
  const isClockWrong = failure.status === 400 && Math.abs((result.skew ?? skew) - skew) > CLOCK_TOLERANCE_MS
  return { kind: 'failure', failure, skew: isClockWrong ? result.skew : null }
}

/**
 * Masks the key before anything else is done with it, judges whether it is ours, and saves it for post if so. Throws if
 * it is ours but cannot be used; it is then in the journal, to be revoked.
 */
function accept(
  answer: CreatedKey,
  request: { intent: Intent; skew: number; dateSkew: number | null },
  context: Context,
): Attempt {
  const { runner, clock, inputs, journal } = context
  const { intent } = request
  for (const form of maskedForms(answer.token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
  const receivedAt = clock.now()
  const held = journal.keys()
  const verdict = judgeCreated(answer, {
    ...request,
    receivedAt,
    expiresIn: inputs.expiresIn,
    tokens: [inputs.apiKey, ...held.flatMap(({ token }) => token ?? [])],
    ids: journal.ids(),
  })
  if (verdict.kind === 'refuse' || answer.id === null) {
    const reason = verdict.kind === 'refuse' || verdict.kind === 'revoke' ? verdict.reason : ''
    const message = `${new URL(inputs.apiUrl).host} answered the create request, but ${reason}`
    const failure = { message, status: 200, mayHaveActed: true, retryable: true, unusable: true }
    return { kind: 'failure', failure, skew: null }
  }
  const key = toIssuedKey(answer, answer.id)
  journal.recordKey(key, intent, receivedAt - intent.sentAt >= SLOW_RESPONSE_MS)
  if (verdict.kind === 'revoke') throw new Error(`The API's response cannot be used: ${verdict.reason}.`)
  if (verdict.kind === 'replace') return verdict
  if (verdict.warning !== null) runner.warning(verdict.warning)
  return { kind: 'key', key }
}

function toIssuedKey({ token, prefix, createdAt, expiresAt }: CreatedKey, id: string): IssuedKey {
  // A value that cannot be sent is not saved either; the key is then revoked with `api-key`.
  return {
    token: token !== null && isSendable(token) ? token : null,
    id,
    prefix,
    createdAt,
    expiresAt,
    keep: false,
  }
}

function revocationContext(context: Context, budget: Budget): RevocationContext {
  const { api, clock, random, inputs, journal } = context
  const { skew } = journal.learned()
  return { api, clock, random, budget, credentials: [inputs.apiKey], skew }
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

/** Revokes every key that main holds and will not hand over. What cannot be revoked now is left to post. */
async function revokeHeldKeys(context: Context, time: number): Promise<void> {
  const { runner, clock, cancellation, journal } = context
  const budget = createBudget(clock.now() + Math.min(time, CLEANUP_TIMEOUT_MS), clock, cancellation)
  const revoke = async (key: IssuedKey) => {
    const result = await revokeAndVerify(key, revocationContext(context, budget))
    if (result.revoked)
      runner.info(`Revoked the key ${keyLabel(key)}${result.verified ? ' (verified)' : ''}.`)
    else
      runner.warning(
        `Could not confirm that the key ${keyLabel(key)} was revoked: ${result.failure.message}. The post step will try again.`,
      )
    try {
      if (result.revoked) journal.removeKey(key)
      else journal.keep(key, false)
    } catch {
      // A state file that cannot be written may be why main fails; the other keys still have to be revoked.
    }
  }
  await Promise.all(journal.keys().map(revoke))
}

function stopIfCancelled(cancellation: Cancellation): void {
  if (cancellation.requestedAt !== null)
    throw new Error('The job was cancelled before a key could be handed over.')
}
