import { type AccountOptions, type AccountState, type StoredKey, wasRevoked } from './account-state.ts'
import { type ApiResponse, refuse } from './api-answers.ts'

/** A time up to `most` ms ago, as the replica that happens to answer knows it. */
export function behind({ random, replicas }: AccountOptions, most = 0): number {
  if (most === 0) return 0
  if (random() < 0.3) return 0
  return replicas?.isSteady ? most : random() * most
}

/** Answers 429 where too much was asked in the window, and counts the request otherwise. */
export function createThrottle(options: AccountOptions): () => ApiResponse | null {
  const { now, throttle } = options
  if (!throttle) return () => null
  const { requests, windowMs } = throttle
  /** When requests were served, in order; those before `windowFrom` are out of the window. */
  const served: number[] = []
  let windowFrom = 0
  return () => {
    const oldest = () => served[windowFrom] ?? Infinity
    while (oldest() <= now() - windowMs) windowFrom += 1
    if (served.length - windowFrom < requests) {
      served.push(now())
      return null
    }
    const wait = Math.max(1, Math.ceil((oldest() + windowMs - now()) / 1000))
    return refuse(options, 429, `Request was throttled. Expected available in ${wait} seconds.`, {
      'Retry-After': String(wait),
    })
  }
}

/** Whether the replica that happens to be asked accepts the credential. */
export function accepts({ options, longLived, byToken }: AccountState, credential: string): boolean {
  const key = byToken.get(credential)
  if (key === undefined) return false
  const { freshMs, revokedMs } = options.replicas ?? {}
  const now = options.now()
  if (key !== longLived && key.created > now - behind(options, freshMs)) return false
  const at = key.revoked && revokedMs ? now - behind(options, revokedMs) : now
  return !wasRevoked(key, at) && (key.expiry === null || key.expiry > now)
}

/** Whether the replica that is asked to revoke `key` does not know it yet. One that accepted it as a credential does. */
export function isUnknown(
  options: AccountOptions,
  { created, token }: StoredKey,
  credential: string,
): boolean {
  return token !== credential && created > options.now() - behind(options, options.replicas?.freshMs)
}
