import { createHash } from 'node:crypto'
import { rotationTag, TAG_RANGE } from '../../src/rotate/rotation-tag.ts'
import type { Account, StoredKey } from './account.ts'

export const DAY_MS = 24 * 3_600_000
/** The repository whose rotation the tests recognize. */
export const REPOSITORY_ID = '42'

const sha256 = (text: string) => createHash('sha256').update(text).digest()

/** The latest expiry up to `latest` (ms) by which rotate marks a key of the repository's secret. */
export function rotatedExpiry(
  latest: number,
  apiUrl: string,
  { secret = 'SPHERESCOUT_API_KEY', server = 'github.com', environment = '' } = {},
): number {
  const scope = `repo:${REPOSITORY_ID}`
  const tag = rotationTag({ apiUrl, server, scope, environment, secret }, sha256)
  const expiry = latest - ((((latest - tag) % TAG_RANGE) + TAG_RANGE) % TAG_RANGE)
  return expiry % 1000 === 0 ? expiry - TAG_RANGE : expiry
}

/** The keys of one class each; the key in use is the account's long-lived one. */
export interface EveryClass {
  rotated: StoredKey
  shortLived: StoredKey[]
  known: StoredKey
  unexpected: StoredKey
}

/** Adds a healthy key of every class to an account, except a key in use. */
export function addEveryClass(account: Account, apiUrl: string, now: number): EveryClass {
  const created = now - 10 * DAY_MS
  return {
    rotated: account.addKey({ created, expiry: rotatedExpiry(created + 60 * DAY_MS, apiUrl) }),
    shortLived: [1, 2, 3].map((hours) =>
      account.addKey({ created: now - 3_600_000, expiry: now + hours * 3_600_000 + 123 }),
    ),
    known: account.addKey({ created: now - 200 * DAY_MS, expiry: null }),
    unexpected: account.addKey({ created: now - 3 * DAY_MS, expiry: now + 27 * DAY_MS }),
  }
}
