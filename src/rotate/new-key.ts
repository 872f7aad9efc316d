import { isHeaderSafe, isRejected } from '../api/call.ts'
import type { ApiFailure, ApiResult, CreatedKey, ListedKey } from '../api/key-api.ts'
import { missingCheck } from '../protocol/list-trust.ts'
import { revokeAndVerify } from '../protocol/revoke-and-verify.ts'
import { backoff } from '../retry/backoff.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from '../runner/masking.ts'
import { formatSeconds, formatUtc, keyLabel, type Runner } from '../runner/report.ts'
import { formatExactly } from '../util/instant.ts'
import {
  findCurrentKey,
  PRECISIONS_US,
  type Precision,
  requestedExpiry,
  WRITE_WITHIN_MS,
  whyNotOurs,
} from './decisions.ts'
import { type KeyDeps, listKeys, type RotateDeps } from './deps.ts'
import { plainLine } from './report.ts'
import type { RotationRecord } from './rotation-record.ts'
import type { NewKey } from './saved-state.ts'

/** How often a run sends a create request: an unanswered one may leave an orphan. */
const MAX_ATTEMPTS = 3
/** An attempt needs at least this much time, in milliseconds. */
const MIN_ATTEMPT_MS = 500
/** By how much times may differ, in milliseconds: `Date` has whole seconds; without it, clocks may differ too. */
const SLACK_MS = { known: 5_000, unknown: 65_000 }
const PROVE_INTERVAL_MS = 1_000
/** How long revoking an unused key may take, in milliseconds: long enough for a list to count as proof. */
const DISCARD_TIMEOUT_MS = 20_000

/** What is needed to create a key. */
export interface NewKeyRequest {
  apiKey: string
  /** Milliseconds. */
  lifetime: number
  timeout: number
  tag: number
  /** The API's clock less this machine's, in milliseconds; null if unknown. */
  skew: number | null
  /** The keys that existed before. */
  known: readonly ListedKey[]
}

/** A key that this run certainly created, and when (by this machine's clock) it must no longer be written. */
export interface FreshKey {
  key: NewKey
  writeUntil: number
}

/**
 * Creates a key that carries the tag, and masks it. Throws an Error if there is no usable key. An orphan is left to a
 * later run: two runs at once may request the same expiry, so it may be the other run's key, which the secret may hold.
 */
export async function createKey(request: NewKeyRequest, record: RotationRecord, deps: RotateDeps): Promise<FreshKey> {
  const { clock, api } = deps
  const budget = createBudget({ deadline: clock.now() + request.timeout, clock, cancellation: deps.cancellation })
  let precision: Precision = 1
  // Of any attempt: a clear refusal says nothing about an earlier request that was not answered.
  let mayHaveActed = false
  for (let attempt = 1; ; ) {
    const reason = whyNoFurtherRequest(request, budget, deps)
    if (reason !== null) throw new Error(refusalMessage({ message: reason, mayHaveActed }))
    const sentAt = clock.now()
    const latest = sentAt + (request.skew ?? 0) + request.lifetime
    const asked = requestedExpiry(latest, request.tag, { precision, random: deps.random() })
    record.creating(asked)
    const reply = await api.create(request.apiKey, formatExactly(asked), budget.limits())
    if (reply.ok) {
      const sent = { ...request, asked, sentAt, skew: reply.skew ?? request.skew }
      const key = accept(reply.value, sent, { ...deps, record })
      return { key, writeUntil: sentAt + WRITE_WITHIN_MS }
    }
    mayHaveActed ||= reply.failure.mayHaveActed
    const failure = { ...reply.failure, mayHaveActed }
    if (!mayHaveActed) record.settled()
    const coarser: Precision | undefined = PRECISIONS_US[PRECISIONS_US.indexOf(precision) + 1]
    if (failure.status === 400 && !failure.notFromApi && coarser) {
      // The likely cause is a server that refuses so many digits.
      precision = coarser
      continue
    }
    await waitOrGiveUp({ failure, attempt }, budget, deps)
    attempt += 1
  }
}

/** Why another create request must not be sent, or null. An earlier one may have been carried out. */
function whyNoFurtherRequest({ timeout }: NewKeyRequest, budget: Budget, { cancellation }: RotateDeps): string | null {
  if (cancellation.requestedAt !== null) return 'the job was cancelled'
  if (budget.left() >= MIN_ATTEMPT_MS) return null
  return `the timeout of ${formatSeconds(timeout)} is over; raise input timeout`
}

/** Waits before the next create request. Throws an Error if there is no time or no use for one. */
async function waitOrGiveUp(
  { failure, attempt }: { failure: ApiFailure; attempt: number },
  budget: Budget,
  { random, runner }: RotateDeps,
): Promise<void> {
  const wait = backoff(attempt, random(), { retryAfter: failure.retryAfter })
  if (!failure.retryable || attempt === MAX_ATTEMPTS || wait + MIN_ATTEMPT_MS > budget.left())
    throw new Error(refusalMessage(failure))
  runner.info(plainLine(`${failure.message}. Retrying in ${formatSeconds(wait)}.`))
  await budget.pause(wait)
}

function refusalMessage({ message, mayHaveActed }: Pick<ApiFailure, 'message' | 'mayHaveActed'>): string {
  if (!mayHaveActed) return `No new key was created: ${message}. This run did not change the secret.`
  return `No new key was received: ${message}. This run did not change the secret. ${ORPHAN}`
}

const ORPHAN =
  'If a create request took effect anyway, there is a key whose value no one knows: a later run revokes it, or it expires. ' +
  'Nothing needs to be done; to revoke it sooner, look for a key of this time in the dashboard.'

/** A request that was sent. */
interface Sent extends NewKeyRequest {
  /** The expiry that was requested. */
  asked: number
  sentAt: number
}

/** Masks the key before any other use, and accepts it only if this run certainly created it. */
function accept(
  answer: CreatedKey,
  { asked, sentAt, skew, apiKey, known }: Sent,
  { runner, clock, record }: RotateDeps & { record: RotationRecord },
): NewKey {
  const { token, id, prefix, createdAt, expiresAt } = answer
  for (const form of maskedForms(token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
  const reason = whyNotOurs(answer, {
    asked,
    sentAt: sentAt + (skew ?? 0),
    answeredAt: clock.now() + (skew ?? 0),
    slack: skew === null ? SLACK_MS.unknown : SLACK_MS.known,
    apiKey,
    knownIds: new Set(known.map((key) => key.id)),
  })
  if (reason !== null || token === null || id === null || createdAt === null || expiresAt === null) {
    record.settled()
    throw new Error(
      `The API's response does not describe a key that this run created: ${reason}. It was neither written nor revoked` +
        `${id === null ? '' : `; check the key ${keyLabel({ prefix, id })} in the dashboard`}. ${ORPHAN}`,
    )
  }
  return { token, id, prefix, createdAt, expiresAt }
}

/**
 * Waits until the API accepts the key and lists it (replicas may lag). Returns its row, by which the next run will find
 * it. Throws an Error if that does not happen in time, or if the row has no expiry.
 */
export async function proveKey(key: NewKey, deps: KeyDeps, budget: Budget): Promise<ListedKey> {
  for (;;) {
    const reply = isSendable(key.token) ? await listKeys(key.token, deps, budget) : UNSENDABLE
    const row = reply.ok ? findCurrentKey(reply.value, key.token) : null
    if (row !== null && typeof row === 'object' && row.id === key.id && row.expiresAt !== null) return row
    const mayLag = reply.ok ? typeof row === 'string' : isRejected(reply)
    if (!mayLag || budget.left() <= PROVE_INTERVAL_MS)
      throw new Error(
        `Could not confirm that the new key ${keyLabel(key)} works: ${reply.ok ? whyUnproven(row, key) : reply.failure.message}. ` +
          'It was not written, so this run did not change the secret.',
      )
    await budget.pause(PROVE_INTERVAL_MS)
  }
}

function whyUnproven(row: ListedKey | string | null, { id }: NewKey): string {
  if (row === null || typeof row === 'string') return String(row)
  return row.id === id ? 'the list shows no expiry for it' : 'the list shows its first characters at another id'
}

function isSendable(token: string): boolean {
  return isHeaderSafe(token) && token.length >= MIN_CREDENTIAL_LENGTH
}

const UNSENDABLE: ApiResult<never> = {
  ok: false,
  skew: null,
  failure: { message: 'its value cannot be sent in a header', mayHaveActed: false, retryable: false },
}

/**
 * Revokes a key that was certainly never written, with the key itself or with `apiKey` (null if that must not be sent).
 * Returns whether it is revoked.
 */
export async function discardKey(
  key: NewKey,
  apiKey: string | null,
  { runner, ...deps }: KeyDeps & { runner: Runner },
): Promise<boolean> {
  const budget = createBudget({ deadline: deps.clock.now() + DISCARD_TIMEOUT_MS, clock: deps.clock })
  const credentials = apiKey === null ? [] : [apiKey]
  const context = { ...deps, skew: null, credential: apiKey, gone: new Set<string>() }
  const result = await revokeAndVerify(key, { ...context, budget, credentials, isMissing: missingCheck(context) })
  if (result.revoked)
    runner.info(`Revoked the new key ${keyLabel(key)}, which was not written${result.verified ? ' (verified)' : ''}.`)
  else
    runner.warning(
      plainLine(
        `Could not confirm that the new key ${keyLabel(key)}, which was not written, was revoked: ` +
          `${result.failure.message}. It expires at ${formatUtc(key.expiresAt)}; a later run revokes it.`,
      ),
    )
  return result.revoked
}
