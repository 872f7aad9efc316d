import { isHeaderSafe, isRejected } from '../api/call.ts'
import type { ApiFailure, ApiResult, CreatedKey, ListedKey } from '../api/key-api.ts'
import { SLOW_RESPONSE_MS } from '../protocol/journal.ts'
import { missingCheck } from '../protocol/list-trust.ts'
import { revokeAndVerify } from '../protocol/revoke-and-verify.ts'
import { backoff } from '../retry/backoff.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from '../runner/masking.ts'
import { formatSeconds, formatUtc, keyLabel } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import { formatExactly } from '../util/instant.ts'
import {
  expiresEarlier,
  findCurrentKey,
  isOwn,
  judgeCreated,
  PRECISIONS_US,
  type Precision,
  requestedExpiry,
  type Verdict,
  WRITE_WITHIN_MS,
} from './decisions.ts'
import { type KeyDeps, listKeys, type RotateDeps } from './deps.ts'
import { plainLine } from './report.ts'
import { type RotationRecord, saveIfPossible } from './rotation-record.ts'
import type { NewKey, UnusedKey } from './saved-state.ts'

/** Create requests of one run, not counting those refused for their digits (400): one without an answer may leave an orphan. */
const MAX_ATTEMPTS = 3
/** An attempt needs at least this much time, in milliseconds. */
const MIN_ATTEMPT_MS = 500
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
  // A listed key with the tag shows that the API keeps milliseconds: whole seconds could carry none.
  const keepsTag = request.known.some((key) => isOwn(key, request.tag))
  const precisions = keepsTag ? PRECISIONS_US.filter((one) => one < 1_000_000) : PRECISIONS_US
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
      const sent = { ...request, asked, sentAt, mayHaveActed, skews: [reply.skew, request.skew] }
      const key = await accept(reply.value, sent, { ...deps, record })
      return { key, writeUntil: sentAt + WRITE_WITHIN_MS }
    }
    // A gateway may have repeated a request that was refused this late.
    const isRepeated = reply.failure.status !== undefined && clock.now() - sentAt >= SLOW_RESPONSE_MS
    mayHaveActed ||= reply.failure.mayHaveActed || isRepeated
    const failure = { ...reply.failure, mayHaveActed }
    if (!mayHaveActed) saveIfPossible(record.settled)
    const coarser: Precision | undefined = precisions[precisions.indexOf(precision) + 1]
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
  { random, runner, cancellation }: RotateDeps,
): Promise<void> {
  if (failure.retryable && cancellation.requestedAt !== null) return
  const wait = backoff(attempt, random(), failure.retryAfter)
  if (!failure.retryable || attempt === MAX_ATTEMPTS || wait + MIN_ATTEMPT_MS > budget.left())
    throw new Error(refusalMessage(failure))
  runner.info(plainLine(`${failure.message}. Retrying in ${formatSeconds(wait)}.`))
  await budget.pause(wait)
}

function refusalMessage({ message, mayHaveActed }: Pick<ApiFailure, 'message' | 'mayHaveActed'>): string {
  if (!mayHaveActed) return `No new key was created: ${message}. This run did not change the secret.`
  return `No new key was received: ${message}. This run did not change the secret. ${ORPHAN}`
}

/** Of a key that a request may have created. */
export const ORPHAN =
  'If a create request took effect anyway, there is a key whose value no one knows. A later run revokes it, or it expires. ' +
  'If the API changes expiries, neither is certain: look for a key of this time in the dashboard, and revoke it there.'

/** A request that was sent. */
interface Sent extends NewKeyRequest {
  /** The expiry that was requested. */
  asked: number
  sentAt: number
  /** An earlier request of this run may have created another key. */
  mayHaveActed: boolean
  /** The API's clock less this machine's, by the `Date` of the response and of the list; null if unknown. */
  skews: readonly (number | null)[]
}

/** Masks the key before any other use, and accepts it only if this run certainly created it and can use it. */
async function accept(
  answer: CreatedKey,
  { known, apiKey, mayHaveActed, ...sent }: Sent,
  deps: RotateDeps & { record: RotationRecord },
): Promise<NewKey> {
  const { runner, clock } = deps
  const { token, id, prefix, createdAt, expiresAt } = answer
  for (const form of maskedForms(token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
  const knownIds = new Set(known.map((key) => key.id))
  const verdict = judgeCreated(answer, { ...sent, apiKey, answeredAt: clock.now(), knownIds })
  if (verdict.kind === 'ours' && token !== null && id !== null && createdAt !== null && expiresAt !== null)
    return { token, id, prefix, createdAt, expiresAt }
  if (verdict.kind === 'unusable' && id !== null)
    throw await giveBack({ token, id, prefix, createdAt, expiresAt }, { ...verdict, apiKey, mayHaveActed }, deps)
  saveIfPossible(deps.record.settled)
  throw new Error(refusedKey(answer, verdict, { apiKey, known, mayHaveActed }))
}

/** Revokes a key that this run created but cannot use. Returns what to say. */
async function giveBack(
  key: UnusedKey,
  { apiKey, mayHaveActed, reason }: Pick<Sent, 'apiKey' | 'mayHaveActed'> & { reason: string },
  { record, ...deps }: RotateDeps & { record: RotationRecord },
): Promise<Error> {
  saveIfPossible(() => record.created(key))
  const isRevoked = await discardKey(key, apiKey, deps)
  if (isRevoked) saveIfPossible(record.settled)
  return new Error(
    `The new key ${keyLabel(key)} cannot be used: ${reason}. It was not written, so this run did not change the secret` +
      `${isRevoked ? '' : '. It could not be revoked: revoke it in the dashboard'}.${mayHaveActed ? ` ${EARLIER}` : ''}`,
  )
}

const EARLIER = `An earlier create request may have created another key. ${ORPHAN}`

function refusedKey(
  answer: CreatedKey,
  verdict: Verdict,
  existing: Pick<Sent, 'apiKey' | 'known' | 'mayHaveActed'>,
): string {
  const { id, prefix } = answer
  const { reason, orphan } = verdict.kind === 'refused' ? verdict : { reason: 'it is incomplete', orphan: true }
  const found = id === null ? '' : `; check the key ${keyLabel({ prefix, id })} in the dashboard`
  const created = mayLiveForever(answer, existing) ? foreverAdvice(answer) : ORPHAN
  const unused = `Revoke it there if no one uses it: no later run does.${existing.mayHaveActed ? ` ${EARLIER}` : ''}`
  const advice = orphan ? created : unused
  return `The API's response does not describe a key that this run created: ${reason}. It was neither written nor revoked${found}. ${advice}`
}

/** Whether the response describes a key without an id and without an expiry that did not exist before. */
function mayLiveForever(
  { token, id, prefix, expiresAt }: CreatedKey,
  { apiKey, known }: Pick<NewKeyRequest, 'apiKey' | 'known'>,
): boolean {
  const existed = token === apiKey || known.some((key) => prefix !== '' && key.prefix === prefix)
  return id === null && expiresAt === null && !existed
}

function foreverAdvice({ prefix }: CreatedKey): string {
  const which = prefix === '' ? 'a key of this time' : `the key ${prefix}...`
  return `It may never expire, and no later run revokes it: look for ${which} in the dashboard, and revoke it there unless someone uses it.`
}

/**
 * Waits until the API accepts the key and lists it (replicas may lag). Returns its row, by which the next run will find
 * it. Throws an Error if that does not happen in time, if the row lacks a time that later runs need, or if it expires
 * earlier than the response says. A later expiry does no harm: some APIs extend a key when it is used.
 */
export async function proveKey(key: NewKey, deps: KeyDeps, budget: Budget): Promise<ListedKey> {
  for (;;) {
    const reply = isSendable(key.token) ? await listKeys(key.token, deps, budget) : UNSENDABLE
    const row = reply.ok ? findCurrentKey(reply.value, key.token) : null
    if (row !== null && typeof row === 'object' && whyUnproven(row, key) === null) return row
    const mayLag = reply.ok ? typeof row === 'string' : isRejected(reply)
    // A last request without the time for an answer would only hide this reason.
    if (!mayLag || budget.left() <= PROVE_INTERVAL_MS + MIN_ATTEMPT_MS)
      throw new Error(
        `Could not confirm that the new key ${keyLabel(key)} works: ${reply.ok ? row && whyUnproven(row, key) : reply.failure.message}. ` +
          'It was not written, so this run did not change the secret.',
      )
    await budget.pause(PROVE_INTERVAL_MS)
  }
}

/** Why the row does not show that the key works as the response described it, or null. */
function whyUnproven(row: ListedKey | string, key: NewKey): string | null {
  if (typeof row === 'string') return row
  if (row.id !== key.id) return 'the list shows its first characters at another id'
  if (row.expiresAt === null) return 'the list shows no expiry for it'
  if (row.createdAt === null) return 'the list does not show when it was created'
  if (!expiresEarlier(row.expiresAt, key.expiresAt)) return null
  return `the list shows that it expires at ${formatUtc(row.expiresAt)}, not at ${formatUtc(key.expiresAt)}`
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
  key: UnusedKey,
  apiKey: string | null,
  { runner, ...deps }: KeyDeps & { runner: Runner },
): Promise<boolean> {
  const credential = sendable(apiKey)
  const budget = createBudget({ deadline: deps.clock.now() + DISCARD_TIMEOUT_MS, clock: deps.clock })
  const context = { ...deps, skew: null, credential, gone: new Set<string>() }
  const result = await revokeAndVerify(
    { ...key, token: sendable(key.token) },
    { ...context, budget, isMissing: missingCheck(context) },
  )
  if (result.revoked)
    runner.info(`Revoked the new key ${keyLabel(key)}, which was not written${result.verified ? ' (verified)' : ''}.`)
  else
    runner.warning(
      plainLine(
        `Could not confirm that the new key ${keyLabel(key)}, which was not written, was revoked: ` +
          `${result.reason}. ${validity(key)}`,
      ),
    )
  return result.revoked
}

/** Null for what Node refuses to send: an API may return anything, and a record may be damaged. */
function sendable(secret: string | null): string | null {
  return secret !== null && isHeaderSafe(secret) ? secret : null
}

function validity({ expiresAt }: UnusedKey): string {
  if (expiresAt === null) return 'It may never expire: revoke it in the dashboard.'
  return `It expires at ${formatUtc(expiresAt)}, unless a later run revokes it before.`
}
