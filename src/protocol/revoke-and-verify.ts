import type { ApiFailure } from '../api/api-failure.ts'
import { type ApiResult, type IssuingApi, isRejected } from '../api/call.ts'
import { backoff } from '../retry/backoff.ts'
import { type Budget, retry } from '../retry/budget.ts'
import type { LocalTime, Secret } from '../util/brands.ts'
import type { Clock } from '../util/system.ts'
import type { IssuedKey } from './saved-state.ts'

/** What both steps need of the world. `random` is in [0, 1). */
export interface Deps {
  api: IssuingApi
  clock: Clock
  random: () => number
}

export type RevocationResult =
  /** `verified` is false only for a key whose value is not known; `granted` if the API said that it did it. */
  { revoked: true; verified: boolean; granted: boolean } | { revoked: false; reason: string }

export interface RevocationContext extends Deps {
  budget: Budget
  /** The long-lived key, for keys that may not revoke themselves and for the list; null if it must not be sent. */
  credential: Secret | null
  /** The server's clock less ours, in milliseconds, if the API's own times showed it. */
  skew: number | null
  /** Whether a list that can be believed no longer shows the key. The main step does not read the list. */
  isMissing?(key: KeyToRevoke, revocation: Revocation): Promise<boolean>
}

export type KeyToRevoke = Omit<IssuedKey, 'asked' | 'keep'>

/**
 * What is known about the end of one key. A 401 alone is not proof: a lagging replica or an authentication service
 * that is down gives it to valid keys. Nor is a grant, or a list that may be stale.
 */
export interface Evidence {
  /** A revocation of its id was granted. */
  granted: boolean
  /** The API itself answered 401 to the key, after whatever was granted. */
  rejected: boolean
  /** A list that can be believed no longer shows it. */
  missing: boolean
  /** Its expiry has passed by every clock that may be right. */
  expired: boolean
}

/** Whether the key is certainly revoked or expired. */
export function isVerifiedRevoked({ granted, rejected, missing, expired }: Evidence): boolean {
  return rejected && (granted || missing || expired)
}

/** One that is under way. Each round adds to its evidence. */
export interface Revocation extends RevocationContext, Evidence {
  /** By this machine's clock. */
  startedAt: LocalTime
  /** How many were granted before the key was seen rejected: after one, `api-key` is asked first; after two, alone. */
  idle: number
  /** `api-key` was granted a revocation, maybe by a replica that does not know the key. */
  claimed: boolean
  /** The refusal may pass: one of the credentials may still be granted a revocation. */
  mayPass?: boolean
}

export const MAX_REPLICA_LAG_MS = 15_000

/** Whether every replica knows the key. */
export function isOldEnough({ createdAt }: KeyToRevoke, { startedAt, clock, skew }: Revocation): boolean {
  const now = clock.now()
  const age = createdAt === null || skew === null ? 0 : now + skew - createdAt
  return Math.max(now - startedAt, age) >= MAX_REPLICA_LAG_MS
}

const VERIFY_FOR_MS = 10_000
const PROBE_INTERVAL_MS = 500
const EXPIRY_MARGIN_MS = 1_000
/** Kept free, however long the waits are. */
const LAST_ROUND_MS = 750

/** Revokes `key` with itself, or with `credential` where that does not end it, until verified or hopeless. */
export async function revokeAndVerify(key: KeyToRevoke, context: RevocationContext): Promise<RevocationResult> {
  const { clock, random, budget } = context
  const nothing = { granted: false, rejected: false, missing: false, expired: false, idle: 0, claimed: false }
  const revocation: Revocation = { ...context, ...nothing, startedAt: clock.now() }
  const { token } = key
  let wasGranted = false
  let refusals = 0
  for (let round = 1; ; round++) {
    const refusal = await requestRevocation(key, revocation)
    const probed =
      token === null || isVerifiedRevoked(revocation) ? null : await probeUntilRejected(token, refusal, revocation)
    if (!isVerifiedRevoked(revocation) && (token === null || revocation.rejected))
      revocation.missing = (await context.isMissing?.(key, revocation)) ?? false
    wasGranted ||= refusal === null
    const verified = isVerifiedRevoked(revocation)
    if (verified || revocation.missing) return { revoked: true, verified, granted: wasGranted }
    // A later 401 is not the effect of this grant.
    if (probed?.ok) revocation.granted = revocation.claimed = false
    if (refusal === null && !revocation.rejected) revocation.idle++

    // A refusal may pass: it is final the second time, if the API itself still accepts the key.
    if (refusal !== null && probed?.ok !== false && !revocation.mayPass) refusals++
    // Of a key without a value, only a list can show more.
    const lacksList = token === null && refusal === null && !context.isMissing
    const spare = refusals < 2 && !lacksList ? budget.left() - LAST_ROUND_MS : 0
    if (spare > 0) await budget.pause(Math.min(backoff(round, random()), spare))
    if (spare <= 0 || budget.left() <= PROBE_INTERVAL_MS)
      return { revoked: false, reason: reasonOf(refusal, probed, { ...revocation, granted: wasGranted }) }
  }
}

/** Null once granted, else the last failure. A rate limit may be of one credential alone. */
async function requestRevocation(key: KeyToRevoke, revocation: Revocation): Promise<ApiFailure | null> {
  const { budget, random, clock, credential, idle } = revocation
  const { token } = key
  const order = [
    [token, credential],
    [credential, token],
  ][idle] ?? [credential ?? token]
  type Turn = Pick<ApiFailure, 'status'> & { secret: Secret; dueAt: LocalTime }
  let turns: Turn[] = order.flatMap((secret) => (secret === null ? [] : { secret, dueAt: 0 }))
  let asked = turns
  let failure: ApiFailure = NO_CREDENTIAL
  const ask = async (): Promise<ApiResult<null>> => {
    for (const turn of asked) {
      const { secret } = turn
      const refusal = await requestWith(secret, key, revocation)
      if (refusal === null) return { ok: true, skew: null, value: null }
      const { status, retryAfter = 0 } = refusal
      failure = refusal
      turns = turns.filter((other) => other !== turn)
      if (mayChange(refusal)) turns.push({ secret, status, dueAt: clock.now() + retryAfter })
      if (budget.left() <= PROBE_INTERVAL_MS) break
    }
    revocation.mayPass = turns.length > 0 || (token !== null && !order.includes(token))
    turns.sort((a, b) => a.dueAt - b.dueAt)
    const limited = turns.find(({ status }) => status === 429)
    // Else, the next round retries.
    asked = limited ? turns.slice(0, 1) : []
    const [next] = asked
    if (limited && limited !== next) budget.extend(limited.dueAt - clock.now())
    const wait = next && { status: next.status, retryAfter: Math.max(0, next.dueAt - clock.now()) }
    return { ok: false, skew: null, failure: { ...failure, ...wait } }
  }
  const result = await retry(ask, { budget, random, shouldRetry: () => asked.length > 0 })
  return result.ok ? null : result.failure
}

async function requestWith(credential: Secret, key: KeyToRevoke, revocation: Revocation): Promise<ApiFailure | null> {
  const { api, budget } = revocation
  const result = await api.revoke(credential, key.id, budget.limits())
  if (result.ok) {
    revocation.granted ||= credential === key.token || (await isRealGrant(key, credential, revocation))
    revocation.rejected = false
    return null
  }
  if (credential !== key.token && isUnknownId(result) && revocation.claimed) {
    revocation.granted = true
    // An earlier 401 proves nothing: the key is probed again.
    revocation.rejected = false
  }
  if (!isRejected(result)) return result.failure
  if (credential !== key.token) return { ...result.failure, message: `api-key was rejected: ${result.failure.message}` }
  // Some APIs give 401 to a key that may not revoke itself.
  const probed = await api.probe(credential, budget.limits())
  revocation.rejected = isRejected(probed)
  revocation.expired = hasExpired(key, probed.skew, revocation)
  return result.failure
}

/** An API may grant what a replica does not know; not if it answers 404 to the same request then. */
async function isRealGrant(key: KeyToRevoke, credential: Secret, revocation: Revocation): Promise<boolean> {
  if (key.token === null || (!revocation.rejected && isOldEnough(key, revocation))) return true
  revocation.claimed = true
  return isUnknownId(await revocation.api.revoke(credential, key.id, revocation.budget.limits()))
}

const isUnknownId = (result: ApiResult<null>) =>
  !result.ok && result.failure.status === 404 && !result.failure.notFromApi

const isRateLimited = ({ status }: ApiFailure) => status === 429

/** A replica that does not know the key gives 401 or 404; portals redirect, and gates break TLS, for a while. */
const mayChange = ({ retryable, status = 401 }: ApiFailure) => retryable || [401, 404].includes(status) || status < 400

export const NO_CREDENTIAL: ApiFailure = {
  message: 'there was no credential left that may be sent',
  mayHaveActed: false,
  retryable: false,
}

/** By every clock that may be right. */
function hasExpired({ expiresAt }: KeyToRevoke, dateSkew: number | null, { clock, skew }: Revocation): boolean {
  const serverSkews = [skew, dateSkew].filter((known) => known !== null)
  if (expiresAt === null || serverSkews.length === 0) return false
  return expiresAt + EXPIRY_MARGIN_MS < clock.now() + Math.min(0, ...serverSkews)
}

/** Probes until a 401, or for 10 s; after a refusal, until there is an answer; once if another round follows. */
async function probeUntilRejected(
  token: Secret,
  refusal: ApiFailure | null,
  revocation: Revocation,
): Promise<ApiResult<null>> {
  const { api, clock, random, budget } = revocation
  for (let end = Infinity; ; ) {
    const options = { budget, random, shouldRetry: isRateLimited, isImpatient: true }
    const result = await retry((limits) => api.probe(token, limits), options)
    end = Math.min(end, clock.now() + VERIFY_FOR_MS)
    revocation.rejected = isRejected(result)
    // What gives an empty success to every request granted nothing.
    if (!result.ok && result.failure.unusable && result.failure.status) revocation.granted = revocation.claimed = false
    const isAnswered = revocation.mayPass || result.ok || !result.failure.retryable
    if (
      revocation.rejected ||
      (refusal !== null && isAnswered) ||
      clock.now() >= end ||
      budget.left() <= 3 * PROBE_INTERVAL_MS
    )
      return result
    await budget.pause(PROBE_INTERVAL_MS * (1 + random()))
  }
}

function reasonOf(refusal: ApiFailure | null, probed: ApiResult<null> | null, { granted, rejected }: Evidence): string {
  const now = rejected
    ? 'the API rejects the key, but nothing confirms that it was revoked'
    : probed?.ok
      ? 'the API still accepts it'
      : (probed?.failure.message ?? 'no list confirms that it is gone')
  return `${(!granted && refusal?.message) || 'the revocation was granted'}; ${now}`
}
