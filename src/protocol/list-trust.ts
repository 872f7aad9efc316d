import type { KeyApi, KeyList, ListedKey } from '../api/key-api.ts'
import { retry } from '../retry/budget.ts'
import type { KeyToRevoke, RevocationContext, RevocationProgress } from './revoke-and-verify.ts'

/** Why this list cannot show that a key is absent, or null. `gone`: IDs of revoked keys. */
export function doubtAbout(list: KeyList, credential: string, gone: ReadonlySet<string>): string | null {
  if (list.doubt !== null) return list.doubt
  // A JWT is no key, so no list shows it.
  const isJwt = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential)
  if (!isJwt && ownRows(list, credential).length !== 1) return 'it does not show the key that it was read with'
  if (list.keys.some(({ id }) => gone.has(id))) return 'it still shows a key that was revoked'
  return null
}

/** The rows that may be that of `credential`. */
export function ownRows({ keys }: KeyList, credential: string): ListedKey[] {
  return keys.filter(({ prefix }) => prefix !== '' && credential.startsWith(prefix))
}

/** A replica may lack a younger key. */
const MAX_REPLICA_LAG_MS = 15_000

export interface ListContext extends Pick<RevocationContext, 'clock' | 'random' | 'skew'> {
  api: KeyApi
  /** What to read the list with, or null if nothing may be sent. */
  credential: string | null
  gone: ReadonlySet<string>
}

/** See `RevocationContext.isMissing`. */
export function missingCheck(context: ListContext): NonNullable<RevocationContext['isMissing']> {
  const { api, clock, random, skew, credential, gone } = context
  return async ({ id, createdAt }: KeyToRevoke, { startedAt, granted, budget }: RevocationProgress) => {
    const now = clock.now()
    const age = Math.max(now - startedAt, createdAt === null || skew === null ? 0 : now + skew - createdAt)
    if (credential === null || (age < MAX_REPLICA_LAG_MS && !granted)) return false
    // Keys move from page to page while several are read.
    for (let pages = 2; pages > 0; pages--) {
      const result = await retry(budget, random, (limits) => api.list(credential, limits))
      if (!result.ok || result.value.keys.some((key) => key.id === id)) return false
      if (doubtAbout(result.value, credential, gone) !== null) return false
      if (result.value.pages === 1) break
    }
    return true
  }
}
