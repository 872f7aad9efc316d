import type { ApiFailure } from '../api/api-failure.ts'
import { type ApiResult, type IssuingApi, isRejected } from '../api/call.ts'
import type { CallLimits } from '../http/http-client.ts'
import { backoff } from '../retry/backoff.ts'
import { type Budget, retry } from '../retry/budget.ts'
import type { LocalTime, Secret } from '../util/brands.ts'
import type { Clock } from '../util/system.ts'
import { type Evidence, isVerifiedRevoked } from './evidence.ts'
import type { IssuedKey } from './saved-state.ts'

/** What both steps need of the world. `random` is in [0, 1). */
export interface Deps {
  api: IssuingApi
  clock: Clock
  random: () => number
}

export type RevocationResult =
  /** `verified` is false only for a key whose value is not known; `alreadyRevoked` if this call did not do it. */
  { revoked: true; verified: boolean; alreadyRevoked: boolean } | { revoked: false; failure: ApiFailure }

export interface RevocationContext extends Deps {
  budget: Budget
  /** The long-lived key, for keys that may not revoke themselves and for the list; null if it must not be sent. */
  credential: Secret | null
  /** The server's clock less ours, in milliseconds, if the API's own times showed it. */
  skew: number | null
  /** Whether a list that can be believed no longer shows the key. The post step alone reads the list. */
  isMissing?(key: KeyToRevoke, since: RevocationProgress): Promise<boolean>
}

export interface RevocationProgress {
  /** When this revocation was begun, by this machine's clock. */
  startedAt: LocalTime
  granted: boolean
  budget: Budget
}

export type KeyToRevoke = Pick<IssuedKey, 'token' | 'id' | 'prefix' | 'createdAt' | 'expiresAt'> &
  Partial<Pick<IssuedKey, 'asked'>>

/** `evidence` is what the rounds so far have shown; each adds to it. */
interface RoundContext extends RevocationContext {
  startedAt: LocalTime
  evidence: Evidence
  /** A revocation was granted, and the key is accepted all the same. */
  wasIdle: boolean
}

/** A replica may not know a younger key. */
export const MAX_REPLICA_LAG_MS = 15_000

/** Whether every replica knows the key, whose revocation began at `startedAt` (this machine's clock). */
export function isOldEnough(
  { createdAt }: KeyToRevoke,
  startedAt: LocalTime,
  { clock, skew }: Pick<RevocationContext, 'clock' | 'skew'>,
): boolean {
  const now = clock.now()
  const age = createdAt === null || skew === null ? 0 : now + skew - createdAt
  return Math.max(now - startedAt, age) >= MAX_REPLICA_LAG_MS
}

/** Caches and replicas may lag. */
const VERIFY_FOR_MS = 10_000
const PROBE_INTERVAL_MS = 500
const EXPIRY_MARGIN_MS = 1_000

/** Revokes `key` with itself, or with `credential` where that does not end it, until verified or hopeless. */
export async function revokeAndVerify(key: KeyToRevoke, context: RevocationContext): Promise<RevocationResult> {
  const evidence: Evidence = { granted: false, rejected: false, missing: false, expired: false }
  const { token } = key
  const startedAt = context.clock.now()
  let [wasGranted, wasIdle] = [false, false]
  for (let round = 1; ; round++) {
    // Extend the deadline for 429s only in the first round.
    const budget = round === 1 ? context.budget : { ...context.budget, extend: () => {} }
    const now = { ...context, budget, startedAt, evidence, wasIdle }
    const refusal = await requestRevocation(key, now)
    const probed = token === null || isVerifiedRevoked(evidence) ? null : await probeUntilRejected(token, refusal, now)
    if (!isVerifiedRevoked(evidence) && (token === null || evidence.rejected))
      evidence.missing = (await context.isMissing?.(key, { startedAt, granted: evidence.granted, budget })) ?? false
    wasGranted ||= refusal === null
    const verified = isVerifiedRevoked(evidence)
    if (verified || (token === null && evidence.missing))
      return { revoked: true, verified, alreadyRevoked: !wasGranted }
    // A later 401 must not be taken for the effect of this grant.
    if (probed?.ok) evidence.granted = false
    wasIdle ||= refusal === null && probed?.ok === true

    const wait = backoff(round, context.random())
    const isWorthIt = canStillChange(refusal, evidence) && budget.left() > wait + PROBE_INTERVAL_MS
    if (isWorthIt) await budget.pause(wait)
    // See `retry`.
    if (isWorthIt && budget.left() > PROBE_INTERVAL_MS) continue
    const message = reasonOf(refusal, probed, { ...evidence, granted: wasGranted })
    return { revoked: false, failure: { mayHaveActed: true, retryable: refusal?.retryable ?? true, message } }
  }
}

function canStillChange(refusal: ApiFailure | null, { rejected }: Evidence): boolean {
  return refusal === null || refusal.retryable || rejected || refusal.status === 401 || refusal.status === 404
}

/** Returns null once granted, else the last failure. */
async function requestRevocation(key: KeyToRevoke, context: RoundContext): Promise<ApiFailure | null> {
  const { api, budget, random, evidence, wasIdle } = context
  const { token } = key
  const own = wasIdle && context.credential !== null ? null : token
  let failure: ApiFailure = NO_CREDENTIAL
  for (const credential of [own, context.credential]) {
    if (credential === null) continue
    const revoke = (limits: CallLimits) => api.revoke(credential, key.id, limits)
    const result = await retry(revoke, { budget, random, shouldRetry: isRateLimited })
    if (result.ok) {
      const granted = credential === token || (await isRealGrant(key, credential, context))
      Object.assign(evidence, { granted, rejected: false })
      return null
    }
    failure = { ...result.failure, retryable: result.failure.retryable || failure.retryable }
    if (credential === token && isRejected(result)) {
      // Some APIs answer 401 to a key that may not revoke itself.
      const probed = await api.probe(token, budget.limits())
      evidence.rejected = isRejected(probed)
      evidence.expired = hasExpired(key, probed.skew, context)
    } else if (isRejected(result))
      failure = { ...failure, message: `the credential that should revoke it was rejected: ${failure.message}` }
    if (budget.left() <= PROBE_INTERVAL_MS) return failure
  }
  return failure
}

/** An API may grant what a replica does not know; not if it answers 404 to the same request then. */
async function isRealGrant(key: KeyToRevoke, credential: Secret, context: RoundContext): Promise<boolean> {
  const { api, budget, evidence, startedAt } = context
  if (key.token === null || (!evidence.rejected && isOldEnough(key, startedAt, context))) return true
  const again = await api.revoke(credential, key.id, budget.limits())
  return !again.ok && again.failure.status === 404 && !again.failure.notFromApi
}

/** Otherwise, the next credential or round is the retry. */
const isRateLimited = ({ status }: ApiFailure) => status === 429

export const NO_CREDENTIAL: ApiFailure = {
  message: 'there was no credential left that may be sent',
  mayHaveActed: false,
  retryable: false,
}

/** By every clock that may be right. The API may write times of another zone. */
function hasExpired(
  { expiresAt, asked = 0 }: KeyToRevoke,
  dateSkew: number | null,
  { clock, skew }: RevocationContext,
): boolean {
  const serverSkews = [skew, dateSkew].filter((known) => known !== null)
  if (expiresAt === null || serverSkews.length === 0) return false
  return Math.max(expiresAt, asked) + EXPIRY_MARGIN_MS < clock.now() + Math.min(0, ...serverSkews)
}

/** Probes until a 401, or for 10 s; after a refusal, until there is an answer; once if another round follows. */
async function probeUntilRejected(
  token: Secret,
  refusal: ApiFailure | null,
  { api, clock, random, budget, evidence }: RoundContext,
): Promise<ApiResult<null>> {
  for (let end = Infinity; ; ) {
    const result = await retry((limits) => api.probe(token, limits), { budget, random, shouldRetry: isRateLimited })
    end = Math.min(end, clock.now() + VERIFY_FOR_MS)
    evidence.rejected = isRejected(result)
    const isEnough =
      evidence.rejected || (refusal !== null && (refusal.retryable || result.ok || !result.failure.retryable))
    if (isEnough || clock.now() >= end || budget.left() <= PROBE_INTERVAL_MS) return result
    await budget.pause(PROBE_INTERVAL_MS * (1 + random()))
  }
}

/** Why the revocation is not verified. */
function reasonOf(refusal: ApiFailure | null, probed: ApiResult<null> | null, { granted, rejected }: Evidence): string {
  const now = rejected
    ? 'the API rejects the key, but nothing confirms that it was revoked'
    : probed?.ok
      ? 'the API still accepts it'
      : (probed?.failure.message ?? 'no list confirms that it is gone')
  return `${(!granted && refusal?.message) || 'the revocation was granted'}; ${now}`
}
