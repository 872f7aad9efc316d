import type { ApiResult, KeyApi, KeyList, ListedKey } from '../api/key-api.ts'
import { type RetryOptions, retry } from '../retry/budget.ts'
import type { Secret } from '../util/brands.ts'
import { isOldEnough, type KeyToRevoke, type Revocation } from './revoke-and-verify.ts'

/** Why this list cannot show that a key is absent, or null. `gone`: IDs of revoked keys. */
export function doubtAbout(list: KeyList, credential: string, gone: ReadonlySet<string>): string | null {
  // A JWT is no key, so no list shows it.
  const isJwt = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential)
  const doubts = [
    list.doubt,
    !isJwt && ownRows(list, credential).length !== 1 && 'it does not show the key that it was read with',
    list.keys.some(({ id }) => gone.has(id)) && 'it still shows a key that was revoked',
  ]
  const doubt = doubts.find(Boolean)
  return doubt ? `the list of keys cannot be relied on, because ${doubt}` : null
}

/** The rows that may be that of `credential`. */
export function ownRows({ keys }: KeyList, credential: string): ListedKey[] {
  return keys.filter(({ prefix }) => prefix !== '' && credential.startsWith(prefix))
}

/** Some APIs write IDs in another form in the list. */
export function isRowOf({ id, prefix, expiresAt }: Omit<KeyToRevoke, 'token'>, row: ListedKey): boolean {
  return row.id === id || (prefix !== '' && row.prefix.startsWith(prefix) && row.expiresAt === expiresAt)
}

/** See `RevocationContext.isMissing`. */
export function missingCheck({ api, gone }: { api: KeyApi; gone: ReadonlySet<string> }) {
  return async (key: KeyToRevoke, revocation: Revocation): Promise<boolean> => {
    const { credential, granted } = revocation
    if (credential === null || !(granted || isOldEnough(key, revocation))) return false
    const read = await readList(credential, { ...revocation, api })
    if (!read.ok || doubtAbout(read.value, credential, gone) !== null) return false
    const own = ownRows(read.value, credential)
    const others = ownRows(read.value, key.token ?? '').filter((row) => !own.includes(row))
    return others.length === 0 && !read.value.keys.some((row) => isRowOf(key, row))
  }
}

/** Several pages are read twice: a key that disappears moves others past the page that is read next. */
export async function readList(
  credential: Secret,
  context: RetryOptions & { api: KeyApi },
): Promise<ApiResult<KeyList>> {
  const read = () => retry(context.api.list(credential), context)
  const first = await read()
  const second = first.ok && first.value.pages > 1 ? await read() : first
  if (!first.ok || !second.ok) return second
  const byId = new Map([...first.value.keys, ...second.value.keys].map((key) => [key.id, key]))
  return {
    ...second,
    value: { ...second.value, keys: [...byId.values()], doubt: first.value.doubt ?? second.value.doubt },
  }
}
