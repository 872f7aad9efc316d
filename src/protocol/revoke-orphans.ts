import type { ApiResult, KeyApi, KeyList, ListedKey } from '../api/key-api.ts'
import type { Intent } from './intent.ts'
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
  const read = await readAll(context)
  if (!read.ok) {
    const { message: reason, retryable } = read.failure
    return intents.map(() => ({ kind: 'failed', reason, retryable, key: null }))
  }
  const list = read.value
  const credential = context.credential ?? ''
  const doubt = doubtAbout(list, credential, context.gone)
  // What is left of a key that was revoked is its twin.
  const held = context.held.filter(({ id }) => !context.gone.has(id)).flatMap((key) => heldRows(key, list))
  const others = [...ownRows(list, credential), ...held].map(({ id }) => id)
  const looked = { ...context, known: new Set([...context.gone, ...others]), dateSkew: read.skew }
  const results = intents.map((intent) => {
    const match = matchIntent(intent, list.keys, looked)
    return match.kind === 'found' ? revokeOrphan(match.key, doubt, context) : { doubt, ...match }
  })
  return Promise.all(results)
}

/** Also if the list writes id and expiry otherwise: no other key has our prefix. */
function heldRows(key: IssuedKey, list: KeyList): ListedKey[] {
  const byPrefix = key.token === null ? [] : ownRows(list, key.token)
  return list.keys.filter((row) => isRowOf(key, row) || (byPrefix.length === 1 && byPrefix[0] === row))
}

async function revokeOrphan(key: ListedKey, doubt: string | null, context: LookupContext): Promise<OrphanResult> {
  const result = await revokeAndVerify({ ...key, token: null }, context)
  if (result.revoked) return { kind: 'revoked', key, doubt }
  const { message: reason, retryable } = result.failure
  return { kind: 'failed', reason, retryable, key }
}

async function readAll(context: LookupContext): Promise<ApiResult<KeyList>> {
  if (context.credential === null) return { ok: false, skew: null, failure: NO_CREDENTIAL }
  const read = await readList(context.credential, context)
  // An authentication service that is down gives 401, too.
  return read.ok || read.failure.status !== 401 ? read : { ...read, failure: { ...read.failure, retryable: true } }
}
