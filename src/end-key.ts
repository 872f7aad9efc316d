import { type Budget, type Clock, persist } from './budget.ts'
import { isUsable, type KeyApi, type Problem } from './key-api.ts'
import type { IssuedKey } from './saved-state.ts'

/** What both steps need of the world. `random` is in [0, 1). */
export interface Tools {
  api: KeyApi
  clock: Clock
  random: () => number
}

/** How it ended: `verified` says that the key itself was refused afterwards. */
export type Ending = { dead: true; verified: boolean; already: boolean } | { dead: false; reason: string }

/** How long an answer other than 401 is asked again, in milliseconds: caches and replicas may lag. */
const PROOF = 10_000
const PROBE_EVERY = 500

/**
 * Revokes `key` by id and proves it. The key revokes itself, so that `apiKey` need not travel again; where it may not
 * (401, 403, 404), `apiKey` does, unless it is null because it must not be sent. A 204 or a 404 is not proof;
 * a 401 to the key itself is.
 */
export async function endKey(
  key: Pick<IssuedKey, 'token' | 'id'>,
  apiKey: string | null,
  tools: Tools,
  budget: Budget,
): Promise<Ending> {
  const token = key.token !== null && isUsable(key.token) ? key.token : null
  const answered = await revokeById(key.id, [token, apiKey], tools, budget)
  if (token !== null) return prove(token, answered, tools, budget)
  if (answered === 'revoked') return { dead: true, verified: false, already: false }
  return { dead: false, reason: answered === 'gone' ? 'the API no longer knows its id' : answered.message }
}

/**
 * Revokes by id with the first of `credentials` that may. Answers 'revoked', 'gone' (404, which proves nothing), or
 * the problem that remained.
 */
export async function revokeById(
  id: string,
  credentials: (string | null)[],
  { api, random }: Tools,
  budget: Budget,
): Promise<'revoked' | 'gone' | Problem> {
  const message = 'there was no credential left to revoke it with'
  let outcome: 'gone' | Problem = { message, mayHaveActed: false, passing: false }
  for (const credential of credentials) {
    if (credential === null) continue
    const reply = await persist(budget, random, (limits) => api.revoke(credential, id, limits))
    if (reply.ok) return 'revoked'
    outcome = reply.problem.status === 404 ? 'gone' : reply.problem
    if (![401, 403, 404].includes(reply.problem.status ?? 0)) break
  }
  return outcome
}

async function prove(
  token: string,
  answered: 'revoked' | 'gone' | Problem,
  { api, clock, random }: Tools,
  budget: Budget,
): Promise<Ending> {
  const refused = typeof answered === 'object' && !answered.passing
  const proofEnds = clock.now() + PROOF
  for (;;) {
    const reply = await api.probe(token, budget.limits())
    if (!reply.ok && reply.problem.status === 401) {
      return { dead: true, verified: true, already: answered !== 'revoked' }
    }
    if (refused || clock.now() >= proofEnds || budget.left() <= PROBE_EVERY) {
      if (typeof answered === 'object') return { dead: false, reason: answered.message }
      const still = reply.ok ? 'the API still accepts it' : reply.problem.message
      return { dead: false, reason: `the API answered as if it were revoked, but then: ${still}` }
    }
    await budget.pause(PROBE_EVERY * (1 + random()))
  }
}
