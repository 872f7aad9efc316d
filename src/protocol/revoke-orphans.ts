import type { ApiFailure } from '../api/key-api.ts'
import { withCredentials } from '../api/with-credentials.ts'
import type { Budget } from '../retry/budget.ts'
import { keyLabel } from '../runner/report.ts'
import { findMatch, type Intent, type ListedKey } from './intent.ts'
import { type Deps, revokeById } from './revoke-and-verify.ts'

/** What came of looking for the key of one lost request. */
export type OrphanResult =
  | { kind: 'revoked'; key: ListedKey }
  /** No such key in the list; a slow server may still make one. */
  | { kind: 'absent' }
  /** Something is there, but it may be another run's: nothing was revoked. */
  | { kind: 'unclear'; candidates: ListedKey[] }
  /** The list could not be read, or the key that was found could not be revoked. */
  | { kind: 'failed'; failure: ApiFailure }

/**
 * Looks once for the keys of lost create requests and revokes those that are certainly this run's.
 * `credentials` are tried in turn where one may not list or revoke; `known` are ids that need no looking for. A
 * key whose text nobody knows cannot prove that it is dead, so the list has to show that it is gone. One answer
 * a mark, in order.
 */
export async function revokeOrphans(
  intents: readonly Intent[],
  credentials: (string | null)[],
  known: ReadonlySet<string>,
  tools: Deps,
  budget: Budget,
): Promise<OrphanResult[]> {
  const listed = await listKeys(credentials, tools, budget)
  if (!listed.ok) return intents.map(() => ({ kind: 'failed', failure: listed.failure }))

  const recoveries: OrphanResult[] = []
  for (const intent of intents) {
    const match = findMatch(intent, listed.value.keys, known, listed.skew)
    if (match.kind !== 'found') recoveries.push(match)
    else recoveries.push(await revokeOrphan(match.key, credentials, tools, budget))
  }
  return recoveries
}

async function revokeOrphan(
  key: ListedKey,
  credentials: (string | null)[],
  tools: Deps,
  budget: Budget,
): Promise<OrphanResult> {
  const answered = await revokeById(key.id, credentials, tools, budget)
  if (typeof answered === 'object') return { kind: 'failed', failure: answered }
  const left = await listKeys(credentials, tools, budget)
  if (!left.ok) return { kind: 'failed', failure: left.failure }
  if (!left.value.keys.some(({ id }) => id === key.id)) return { kind: 'revoked', key }
  const message = `the key ${keyLabel(key)} is still in the list after its revocation`
  return { kind: 'failed', failure: { message, mayHaveActed: true, retryable: true } }
}

function listKeys(credentials: (string | null)[], { api, random }: Deps, budget: Budget) {
  return withCredentials(credentials, budget, random, api.list)
}
