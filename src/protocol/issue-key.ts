import type { ApiFailure, ApiResult, CreatedKey } from '../api/key-api.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import type { Cancellation } from '../retry/cancellation.ts'
import { type Inputs, TIMEOUT } from '../runner/inputs.ts'
import { clockNote, issuedLine } from '../runner/issue-report.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from '../runner/masking.ts'
import { formatSeconds, keyLabel, keySummary } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import { formatExactly } from '../util/instant.ts'
import { createIntent } from './intent.ts'
import { type Journal, openJournal, SLOW_RESPONSE_MS } from './journal.ts'
import { type AnswerContext, CLOCK_TOLERANCE_MS, isSendable, judgeCreated, withoutSureZone } from './judge-created.ts'
import { FIRST_ATTEMPT, MIN_ATTEMPT_MS, nextAttempt, type Progress } from './next-attempt.ts'
import { type Deps, revokeAndVerify } from './revoke-and-verify.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What main runs in, and what post will need to know of this process. */
export interface MainDeps extends Deps, Pick<SavedState, 'settings' | 'bootedAt'> {
  runner: Runner
  cancellation: Cancellation
}

/** On top of `timeout`. */
const CLEANUP_TIMEOUT_MS = 20_000

/** The main step. If it throws, its keys are revoked, or saved for post. */
export async function issueKey(inputs: Inputs, deps: MainDeps): Promise<void> {
  const { runner, cancellation } = deps
  const context: Context = { ...deps, inputs, journal: openJournal(inputs, deps) }
  try {
    const key = await obtainKey(context)
    stopIfCancelled(cancellation)
    const instant = (known: number | null) => (known === null ? '' : new Date(known).toISOString())
    runner.setOutput('key', key.token ?? '')
    runner.setOutput('key-id', key.id)
    runner.setOutput('key-prefix', key.prefix)
    runner.setOutput('created-at', instant(key.createdAt))
    runner.setOutput('expires-at', instant(key.expiresAt))
    if (inputs.exportEnv !== '') runner.exportVariable(inputs.exportEnv, key.token ?? '')
    runner.info(issuedLine(key, inputs.revoke))
    const status = inputs.revoke ? 'Valid; the post step revokes it' : 'Valid until it expires (`revoke: false`)'
    runner.writeSummary(keySummary('SphereScout key for this job', [{ key, status }]))
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

async function obtainKey(context: Context): Promise<IssuedKey> {
  const { runner, clock, random, cancellation, inputs } = context
  const { timeout } = inputs
  const budget = createBudget({ deadline: clock.now() + timeout, clock, cancellation })
  for (let progress = FIRST_ATTEMPT; ; ) {
    const result = await requestKey(progress, budget, context)
    if (result.ok) return result.value
    const { failure, skew } = result
    if (skew !== null) {
      runner.info(`${clockNote(skew)}.`)
      // If our clock is behind, the key ends early: another one matters more.
      await revokeHeldKeys(context, budget.left() / (skew > progress.skew ? 2 : 1))
    }
    stopIfCancelled(cancellation, failure)
    const next = nextAttempt(failure, progress, { left: budget.left(), random, skew })
    const isWorthIt = next.afterMs + MIN_ATTEMPT_MS <= budget.left()
    const wait = formatSeconds(next.afterMs)
    if (isWorthIt && next.afterMs > 0) {
      runner.info(`${failure.message}. Retrying in ${wait}.`)
      await budget.pause(next.afterMs)
      stopIfCancelled(cancellation, failure)
    }
    if (!isWorthIt || budget.left() < MIN_ATTEMPT_MS)
      throw new Error(
        `No key was obtained: ${failure.message}. Stopped after attempt ${progress.attempt}: the next retry (in ${wait}) ` +
          `would exceed timeout (${formatSeconds(timeout)}). Run the job again later, or raise timeout (${TIMEOUT.longest} at most).`,
      )
    progress = next
  }
}

/** Its `skew` is null unless the response shows that our clock is wrong. */
async function requestKey(progress: Progress, budget: Budget, context: Context): Promise<ApiResult<IssuedKey>> {
  const { api, clock, random, inputs, journal } = context
  const { skew, precision } = progress
  const limits = budget.limits()
  const now = clock.now()
  const { expiresIn: lifetime, apiKey } = inputs
  const intent = createIntent({ now, skew, precision, lifetime, timeout: limits.timeout, random: random() })
  journal.recordIntent(intent)
  const result = await api.create(apiKey, formatExactly(intent.expiry), limits)
  if (result.ok) return accept(result.value, { intent, skew, dateSkew: result.skew }, context)

  // Otherwise post looks for its key.
  const { failure } = result
  const isRepeated = failure.status && clock.now() - now >= SLOW_RESPONSE_MS
  if (!failure.mayHaveActed && !isRepeated) journal.settle(intent)
  const tolerance = Math.min(CLOCK_TOLERANCE_MS, lifetime / 4)
  const isClockWrong =
    failure.status === 400 && !failure.notFromApi && Math.abs((result.skew ?? skew) - skew) > tolerance
  return { ok: false, failure, skew: isClockWrong ? result.skew : null }
}

/** Masks the key first. Throws if it is ours but unusable. */
function accept(
  answer: CreatedKey,
  request: Pick<AnswerContext, 'intent' | 'skew' | 'dateSkew'>,
  context: Context,
): ApiResult<IssuedKey> {
  const { runner, clock, inputs, journal } = context
  const { intent } = request
  for (const form of maskedForms(answer.token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
  const received = { ...request, receivedAt: clock.now() }
  const verdict = judgeCreated(answer, {
    ...received,
    expiresIn: inputs.expiresIn,
    tokens: [inputs.apiKey, ...journal.made().flatMap(({ token }) => token ?? [])],
    ids: new Set(journal.made().map(({ id }) => id)),
  })
  if (verdict.kind === 'refuse') {
    const described = keyLabel({ prefix: answer.prefix, id: answer.id ?? 'unknown' })
    const message = `${new URL(inputs.apiUrl).host} answered the create request, but ${verdict.reason}: ${described}`
    try {
      journal.settle(intent, { ...intent, refused: verdict.isKnown || !(answer.prefix || answer.id) ? '' : described })
    } catch (error) {
      throw new Error(`${message}. ${error}`)
    }
    return { ok: false, failure: { message, mayHaveActed: true, retryable: true, unusable: true }, skew: null }
  }
  const { unreadable, token, ...rest } = answer
  // Without a value that can be sent, `api-key` revokes the key.
  const sendable = token !== null && isSendable(token) ? token : null
  const { createdAt, expiresAt } = withoutSureZone(answer, intent)
  const known = { ...rest, createdAt, expiresAt, id: answer.id ?? '' }
  const key = { ...known, token: sendable, asked: intent.expiry, keep: false }
  journal.recordKey(key, intent, received.receivedAt)
  if (verdict.kind === 'revoke') throw new Error(`The API's response cannot be used: ${verdict.reason}.`)
  if (verdict.kind === 'replace') {
    const message = `the key got a wrong expiry and could not be replaced. ${clockNote(verdict.skew)}`
    return { ok: false, failure: { message, mayHaveActed: true, retryable: false }, skew: verdict.skew }
  }
  if (verdict.warning !== null) runner.warning(verdict.warning)
  return { ok: true, skew: null, value: key }
}

/** Post revokes what cannot be revoked now. */
async function revokeHeldKeys(context: Context, time: number): Promise<void> {
  const { runner, clock, cancellation, journal, inputs } = context
  const deadline = clock.now() + Math.min(time, CLEANUP_TIMEOUT_MS)
  const budget = createBudget({ deadline, clock, cancellation })
  const revoke = async (key: IssuedKey) => {
    const options = { ...context, budget, credential: inputs.apiKey, skew: journal.skew() }
    const result = await revokeAndVerify(key, options)
    if (result.revoked) runner.info(`Revoked the key ${keyLabel(key)}${result.verified ? ' (verified)' : ''}.`)
    else
      runner.warning(
        `Could not confirm that the key ${keyLabel(key)} was revoked: ${result.reason}. The post step will try again.`,
      )
    try {
      if (result.revoked) journal.removeKey(key)
      else journal.keep(key, false)
    } catch {
      // Perhaps why main fails. Still revoke the other keys.
    }
  }
  await Promise.all(journal.keys().map(revoke))
}

function stopIfCancelled(cancellation: Cancellation, last?: ApiFailure): void {
  const cause = last ? `; the last attempt failed: ${last.message}` : ''
  if (cancellation.requestedAt !== null)
    throw new Error(`The job was cancelled before a key could be handed over${cause}.`)
}
