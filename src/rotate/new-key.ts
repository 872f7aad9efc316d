import type { ApiFailure, CreatedKey, ListedKey } from '../api/key-api.ts'
import { revokeAndVerify } from '../protocol/revoke-and-verify.ts'
import { backoff } from '../retry/backoff.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from '../runner/masking.ts'
import { formatSeconds, keyLabel, type Runner } from '../runner/report.ts'
import { formatInstant } from '../util/instant.ts'
import { taggedExpiry, WRITE_WITHIN_MS, whyNotOurs } from './decisions.ts'
import { type KeyDeps, listKeys, type RotateDeps, stopIfCancelled } from './deps.ts'
import { plainLine } from './report.ts'
import type { RotationRecord } from './rotation-record.ts'
import type { NewKey } from './saved-state.ts'

/** How often a run sends a create request: each that is not answered may leave a key whose value no one knows. */
const MAX_ATTEMPTS = 3
/** Less time than this is not enough for an attempt, in milliseconds. */
const MIN_ATTEMPT_MS = 500
/** How far clocks may be off, in milliseconds: the Date header has whole seconds; without it, up to a minute. */
const SLACK_MS = { known: 5_000, unknown: 65_000 }
const PROVE_INTERVAL_MS = 1_000
/** How long the revocation of a key that is not used may take, in milliseconds. */
const DISCARD_TIMEOUT_MS = 20_000

/** What a new key is asked for with. */
export interface NewKeyRequest {
  apiKey: string
  /** Milliseconds. */
  lifetime: number
  timeout: number
  tag: number
  /** The API's clock less this machine's, in milliseconds; null if unknown. */
  skew: number | null
  /** The account's keys before. */
  known: readonly ListedKey[]
}

/** A key that is certainly this run's, and the instant (by this machine's clock) after which it must not be written. */
export interface FreshKey {
  key: NewKey
  writeUntil: number
}

/**
 * Creates a key that carries the tag, and masks it. Throws an Error where there is none that can be used. A key that was perhaps created without an answer is left to a later run, which retires it: two runs at
 * once may ask for the same expiry, so it cannot be told from another run's key, which may be in the secret.
 */
export async function createKey(request: NewKeyRequest, record: RotationRecord, deps: RotateDeps): Promise<FreshKey> {
  const { clock, api } = deps
  const budget = createBudget(clock.now() + request.timeout, clock, deps.cancellation)
  let wholeSeconds = false
  for (let attempt = 1; ; ) {
    stopIfCancelled(deps)
    if (budget.left() < MIN_ATTEMPT_MS)
      throw new Error(
        `No key was created within the timeout of ${formatSeconds(request.timeout)}. Raise input timeout.`,
      )
    const sentAt = clock.now()
    const asked = expiryOf(request, sentAt, wholeSeconds)
    record.creating(asked)
    const expiry = formatInstant(asked).replace('.000Z', 'Z')
    const reply = await api.create(request.apiKey, expiry, budget.limits())
    if (reply.ok) {
      const skew = reply.skew ?? request.skew
      const key = accept(reply.value, { asked, sentAt, skew }, request, record, deps)
      return { key, writeUntil: sentAt + WRITE_WITHIN_MS }
    }
    const { failure } = reply
    if (!failure.mayHaveActed) record.settled()
    if (failure.status === 400 && !wholeSeconds) {
      // The likely cause is a server that refuses fractions of a second.
      wholeSeconds = true
      continue
    }
    await waitOrGiveUp(failure, attempt, budget, deps)
    attempt += 1
  }
}

/** The expiry to ask for: tagged, but where the server refuses fractions of a second. */
function expiryOf({ skew, lifetime, tag }: NewKeyRequest, now: number, wholeSeconds: boolean): number {
  const latest = now + (skew ?? 0) + lifetime
  return wholeSeconds ? Math.floor(latest / 1000) * 1000 : taggedExpiry(latest, tag)
}

/** Waits before the next create request. Throws an Error where there is to be none. */
async function waitOrGiveUp(
  failure: ApiFailure,
  attempt: number,
  budget: Budget,
  { random, runner }: RotateDeps,
): Promise<void> {
  const wait = backoff(attempt, random(), { retryAfter: failure.retryAfter })
  if (!failure.retryable || attempt === MAX_ATTEMPTS || wait + MIN_ATTEMPT_MS > budget.left())
    throw new Error(refusalMessage(failure))
  runner.info(plainLine(`${failure.message}. Retrying in ${formatSeconds(wait)}.`))
  await budget.pause(wait)
}

function refusalMessage({ message, mayHaveActed }: ApiFailure): string {
  const orphan = mayHaveActed
    ? ' If the request created a key, no one knows its value: a later run retires it, or it expires.'
    : ''
  return `The new key was not created: ${message}. The secret still holds the old key.${orphan}`
}

interface Sent {
  asked: number
  sentAt: number
  skew: number | null
}

/** Masks the key before anything else is done with it, and takes it only if it is certainly new. */
function accept(
  answer: CreatedKey,
  { asked, sentAt, skew }: Sent,
  { apiKey, known }: NewKeyRequest,
  record: RotationRecord,
  { runner, clock }: RotateDeps,
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
      `The API's answer does not show a new key of this run: ${reason}. It was neither written nor revoked` +
        `${id === null ? '' : `; look at the key ${keyLabel({ prefix, id })} in the dashboard`}.`,
    )
  }
  return { token, id, prefix, createdAt, expiresAt }
}

/**
 * Waits until the API accepts the key and lists it: replicas may lag. Returns its row. Throws an Error where that does
 * not happen in time, or where the row has no expiry.
 */
export async function proveKey(key: NewKey, deps: KeyDeps, budget: Budget): Promise<ListedKey> {
  for (;;) {
    const reply = await listKeys(key.token, deps, budget)
    const row = reply.ok ? reply.value.keys.find(({ id }) => id === key.id) : undefined
    if (row && row.expiresAt !== null) return row
    const mayLag = reply.ok ? row === undefined : reply.failure.status === 401
    if (!mayLag || budget.left() <= PROVE_INTERVAL_MS) {
      const reason = !reply.ok
        ? reply.failure.message
        : `the list ${row === undefined ? 'does not have it' : 'has it without an expiry'}`
      throw new Error(
        `Could not prove that the new key ${keyLabel(key)} works: ${reason}. It was not written; the secret still holds the old key.`,
      )
    }
    await budget.pause(PROVE_INTERVAL_MS)
  }
}

/**
 * Revokes a key that was certainly never written, with the key itself or with `apiKey` (null where that must not be
 * sent). Returns whether the API refuses it now.
 */
export async function discardKey(
  key: NewKey,
  apiKey: string | null,
  { runner, ...deps }: KeyDeps & { runner: Runner },
  budget = createBudget(deps.clock.now() + DISCARD_TIMEOUT_MS, deps.clock),
): Promise<boolean> {
  const credentials = apiKey === null ? [] : [apiKey]
  const result = await revokeAndVerify(key, { ...deps, budget, credentials, skew: null })
  const verified = result.revoked && result.verified
  if (verified) runner.info(`Revoked the new key ${keyLabel(key)}, which was not written (verified).`)
  else
    runner.warning(
      `Could not confirm that the new key ${keyLabel(key)}, which was not written, was revoked: ` +
        `${result.revoked ? 'its value is not known' : result.failure.message}. ` +
        `It expires at ${formatInstant(key.expiresAt)}; a later run retires it.`,
    )
  return verified
}
