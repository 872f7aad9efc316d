import type { Budget } from './budget.ts'
import { withCredentials } from './credentials.ts'
import { revokeById, type Tools } from './end-key.ts'
import type { Problem } from './key-api.ts'
import { type ListedKey, type Mark, sight } from './mark.ts'
import { shortened } from './report.ts'

/** What came of looking for the key of one lost request. */
export type Recovery =
  | { kind: 'revoked'; key: ListedKey }
  /** No such key in the list; a slow server may still make one. */
  | { kind: 'absent' }
  /** Something is there, but it may be another run's: nothing was revoked. */
  | { kind: 'unclear'; candidates: ListedKey[] }
  /** The list could not be read, or the key that was found could not be revoked. */
  | { kind: 'failed'; problem: Problem }

/**
 * Looks once for the keys of lost create requests and revokes those that are certainly this run's.
 * `credentials` are tried in turn where one may not list or revoke; `known` are ids that need no looking for. A
 * key whose text nobody knows cannot prove that it is dead, so the list has to show that it is gone. One answer
 * a mark, in order.
 */
export async function recoverKeys(
  marks: readonly Mark[],
  credentials: (string | null)[],
  known: ReadonlySet<string>,
  tools: Tools,
  budget: Budget,
): Promise<Recovery[]> {
  const listed = await listKeys(credentials, tools, budget)
  if (!listed.ok) return marks.map(() => ({ kind: 'failed', problem: listed.problem }))

  const recoveries: Recovery[] = []
  for (const mark of marks) {
    const sighting = sight(mark, listed.value, known, listed.skew)
    if (sighting.kind !== 'found') recoveries.push(sighting)
    else recoveries.push(await revokeLost(sighting.key, credentials, tools, budget))
  }
  return recoveries
}

async function revokeLost(
  key: ListedKey,
  credentials: (string | null)[],
  tools: Tools,
  budget: Budget,
): Promise<Recovery> {
  const answered = await revokeById(key.id, credentials, tools, budget)
  if (typeof answered === 'object') return { kind: 'failed', problem: answered }
  const left = await listKeys(credentials, tools, budget)
  if (!left.ok) return { kind: 'failed', problem: left.problem }
  if (!left.value.some(({ id }) => id === key.id)) return { kind: 'revoked', key }
  const message = `the key ${shortened(key)} is still in the list after its revocation`
  return { kind: 'failed', problem: { message, mayHaveActed: true, passing: true } }
}

function listKeys(credentials: (string | null)[], { api, random }: Tools, budget: Budget) {
  return withCredentials(credentials, budget, random, api.list)
}
