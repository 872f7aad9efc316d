// Apart, so that main does not load it.
import { formatUtc } from './report.ts'

/** One sentence about a key that may still be valid. */
export function expiryAdvice(expiresAt: number | null): string {
  if (expiresAt === null) return 'Its expiry is unknown, so it may never expire; revoke it now.'
  return `It expires at ${formatUtc(expiresAt)}.`
}
