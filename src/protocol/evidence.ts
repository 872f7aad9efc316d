import type { KeyList } from '../api/key-api.ts'

/** What is known about the end of one key so far. */
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

/**
 * Is this key revoked, or expired, beyond doubt? A 401 alone proves nothing: a replica that lags or an authentication
 * service that is down gives it to a valid key as well. So does a grant alone, or a list that may be stale.
 */
export function isVerifiedRevoked({ granted, rejected, missing, expired }: Evidence): boolean {
  return rejected && (granted || missing || expired)
}

/**
 * Can this list show that a key is absent? Returns why not, or null. `credential` is what it was read with: "every key"
 * (the API's documentation) includes that one. `gone` are ids of keys that were verified as revoked.
 */
export function doubtAbout(list: KeyList, credential: string, gone: ReadonlySet<string>): string | null {
  if (list.doubt !== null) return list.doubt
  if (!list.keys.some(({ prefix }) => prefix !== '' && credential.startsWith(prefix)))
    return 'it does not show the key that it was read with'
  if (list.keys.some(({ id }) => gone.has(id))) return 'it still shows a key that was revoked'
  return null
}
