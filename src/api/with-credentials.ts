import { type Budget, retry } from '../retry/budget.ts'
import { type ApiResult, type CallLimits, isHeaderSafe } from './key-api.ts'

/**
 * Makes a call that may be repeated with the first of `credentials` that may (null: one that must not be sent; what
 * cannot be sent is passed over too). After a 401, 403 or 404 it is the next one's turn, unless that was `enough`.
 */
export async function withCredentials<T>(
  credentials: (string | null)[],
  budget: Budget,
  random: () => number,
  call: (credential: string, limits: CallLimits) => Promise<ApiResult<T>>,
  enough?: (reply: ApiResult<T>) => Promise<boolean>,
): Promise<ApiResult<T>> {
  const message = 'there was no credential left to ask with'
  let reply: ApiResult<T> = {
    ok: false,
    skew: null,
    failure: { message, mayHaveActed: false, retryable: false },
  }
  for (const credential of credentials) {
    if (credential === null || !isHeaderSafe(credential)) continue
    reply = await retry(budget, random, (limits) => call(credential, limits))
    if (reply.ok || ![401, 403, 404].includes(reply.failure.status ?? 0) || (await enough?.(reply))) break
  }
  return reply
}
