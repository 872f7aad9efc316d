import type { ApiResult, KeyApi, KeyList, ListedKey } from '../api/key-api.ts'
import { gridBetween, type Intent, withoutZone } from './intent.ts'
import { doubtAbout, isRowOf, ownRows, readList } from './list-trust.ts'
import { type ListContext, matchIntent } from './match-intent.ts'
import { NO_CREDENTIAL, type RevocationContext, revokeAndVerify } from './revoke-and-verify.ts'
import type { IssuedKey } from './saved-state.ts'

/** What came of looking for the key of one unanswered request. */
export type OrphanResult =
  /** `doubt`: why the list may lack a second key, or null. */
  | { kind: 'revoked'; key: ListedKey; doubt: string | null }
  /** No such key in the list; `doubt` says why that proves nothing, if it does not. */
  | { kind: 'absent'; doubt: string | null }
  /** Something is there that may be another run's: nothing was revoked. */
  | { kind: 'ambiguous'; candidates: ListedKey[]; doubt: string | null }
  /** The list could not be read, or the revocation of `key` could not be confirmed. */
  | { kind: 'failed'; reason: string; retryable: boolean; key: ListedKey | null }

export interface LookupContext extends RevocationContext, Omit<ListContext, 'dateSkew' | 'known'> {
  api: KeyApi
  /** The keys that main holds. */
  held: readonly IssuedKey[]
  /** Ids of keys that were verified as revoked. */
  gone: ReadonlySet<string>
}

/** Looks once, and revokes keys that this run certainly made. One result per intent, in order. */
export async function revokeOrphans(intents: readonly Intent[], context: LookupContext): Promise<OrphanResult[]> {
  const read = await readWithAny(context)
  if (!read.ok) {
    const { message: reason, retryable } = read.failure
    return intents.map(() => ({ kind: 'failed', reason, retryable, key: null }))
  }
  const { list, credential } = read.value
  const doubt = doubtAbout(list, credential, context.gone)
  const own = ownRows(list, credential)
  const results: OrphanResult[] = []
  for (const intent of intents) {
    const isKnown = (row: ListedKey) => context.held.some((key) => isRowOf(key, row)) || !mayBeTwin(row, intent)
    const others = [...own, ...list.keys.filter(isKnown)]
    const known = new Set([...context.gone, ...others.map(({ id }) => id)])
    const match = matchIntent(intent, list.keys, { ...context, known, dateSkew: read.skew })
    if (match.kind === 'found') results.push(await revokeOrphan(match.key, doubt, context))
    else results.push({ doubt, ...match })
  }
  return results
}

/** Where a server only rounds, twins expire alike. A response may only repeat `expiry`, or be coarser than the list. */
function mayBeTwin(row: ListedKey, intent: Intent): boolean {
  const { expiry, stored } = intent
  const shown = stored ? gridBetween(expiry, stored) : null
  if (shown === null) return true
  const expiresAt = withoutZone(row, intent).expiresAt ?? 0
  const needed = gridBetween(expiry, expiresAt) ?? 0
  return expiresAt === stored || needed === 1 || (shown <= 1000 && needed > shown)
}

async function revokeOrphan(key: ListedKey, doubt: string | null, context: LookupContext): Promise<OrphanResult> {
  const result = await revokeAndVerify({ ...key, token: null }, context)
  if (result.revoked) return { kind: 'revoked', key, doubt }
  const { message: reason, retryable } = result.failure
  return { kind: 'failed', reason, retryable, key }
}

/** With the first credential that is accepted. */
async function readWithAny(context: LookupContext): Promise<ApiResult<{ list: KeyList; credential: string }>> {
  let failure = NO_CREDENTIAL
  for (const credential of context.credentials) {
    const result = await readList(credential, context)
    if (result.ok) return { ...result, value: { list: result.value, credential } }
    // An authentication service that is down gives 401, too.
    failure = result.failure.status === 401 ? { ...result.failure, retryable: true } : result.failure
    if (failure.status !== 401 && failure.status !== 403) break
  }
  return { ok: false, skew: null, failure }
}
