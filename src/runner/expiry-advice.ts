// A file of its own, to keep this out of what the main step loads.
import { type Expiry, formatUtc } from './report.ts'

/** One sentence about a key that may still be valid. */
export function expiryAdvice(expiresAt: Expiry): string {
  if (expiresAt === 'never') return 'It has no expiry; revoke it now.'
  if (expiresAt === null) return 'Its expiry is unknown, so it may never expire; revoke it now.'
  return `It expires at ${formatUtc(expiresAt)}.`
}
