import { type Budget, persist } from './budget.ts'
import { type CallLimits, isUsable, type Reply } from './key-api.ts'

/**
 * Makes a call that may be repeated with the first of `credentials` that may (null: one that must not be sent; what
 * cannot be sent is passed over too). After a 401, 403 or 404 it is the next one's turn, unless that was `enough`.
 */
export async function withCredentials<T>(
  credentials: (string | null)[],
  budget: Budget,
  random: () => number,
  call: (credential: string, limits: CallLimits) => Promise<Reply<T>>,
  enough?: (reply: Reply<T>) => Promise<boolean>,
): Promise<Reply<T>> {
  const message = 'there was no credential left to ask with'
  let reply: Reply<T> = { ok: false, skew: null, problem: { message, mayHaveActed: false, passing: false } }
  for (const credential of credentials) {
    if (credential === null || !isUsable(credential)) continue
    reply = await persist(budget, random, (limits) => call(credential, limits))
    if (reply.ok || ![401, 403, 404].includes(reply.problem.status ?? 0) || (await enough?.(reply))) break
  }
  return reply
}
