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
