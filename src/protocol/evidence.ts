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
