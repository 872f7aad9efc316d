import {
  type ApiFailure,
  type ApiResult,
  type CallLimits,
  isHeaderSafe,
  type KeyApi,
} from '../api/key-api.ts'
import { withCredentials } from '../api/with-credentials.ts'
import { type Budget, type Clock, retry } from '../retry/budget.ts'
import type { IssuedKey } from './saved-state.ts'

/** What both steps need of the world. `random` is in [0, 1). */
export interface Deps {
  api: KeyApi
  clock: Clock
  random: () => number
}

/** How it ended: `verified` says that the key itself was refused afterwards. */
export type RevocationResult =
  | { dead: true; verified: boolean; already: boolean }
  | { dead: false; reason: string }

/** How long an answer other than 401 is asked again, in milliseconds: caches and replicas may lag. */
const VERIFY_FOR_MS = 10_000
const PROBE_INTERVAL_MS = 500
const UNKNOWN_ID = 'the API does not know its id'

/**
 * Revokes `key` by id and proves it. The key revokes itself, so that `apiKey` need not travel again; where it may not
 * (403, 404, or a 401 though it lives), `apiKey` does, unless it is null because it must not be sent. A 204 or a 404 is
 * not proof; a 401 to the key itself is. A key that is still accepted is revoked again while there is time.
 */
export async function revokeAndVerify(
  key: Pick<IssuedKey, 'token' | 'id'>,
  apiKey: string | null,
  tools: Deps,
  budget: Budget,
): Promise<RevocationResult> {
  const token = key.token !== null && isHeaderSafe(key.token) ? key.token : null
  let time = budget
  let claimed = false
  for (;;) {
    // Refused with 401, it may be dead already; then `apiKey` stays where it is.
    let proved = false
    const isDead = async (reply: ApiResult<null>) => {
      if (token !== null && isRejected(reply))
        proved = isRejected(await tools.api.probe(token, time.limits()))
      return proved
    }
    const answered = await revokeById(key.id, [token, apiKey], tools, time, isDead)
    claimed ||= answered === 'revoked'
    if (proved) return { dead: true, verified: true, already: !claimed }
    if (token === null) {
      if (answered === 'revoked') return { dead: true, verified: false, already: false }
      return { dead: false, reason: answered === 'gone' ? UNKNOWN_ID : answered.message }
    }

    const refused = typeof answered === 'object' && !answered.retryable
    const reply = await probe(token, refused, tools, time)
    if (isRejected(reply)) return { dead: true, verified: true, already: !claimed }
    if (!refused && budget.left() > PROBE_INTERVAL_MS) {
      // A throttled API is borne with until its first word, not where it does not keep it.
      time = { ...budget, extend: () => {} }
      continue
    }
    if (typeof answered === 'object') return { dead: false, reason: answered.message }
    const claim = answered === 'gone' ? UNKNOWN_ID : 'the API answered as if it were revoked'
    return {
      dead: false,
      reason: `${claim}, but then: ${reply.ok ? 'the API still accepts it' : reply.failure.message}`,
    }
  }
}

/**
 * Revokes by id with the first of `credentials` that may. Answers 'revoked', 'gone' (404, which proves nothing), or
 * the problem that remained.
 */
export async function revokeById(
  id: string,
  credentials: (string | null)[],
  { api, random }: Deps,
  budget: Budget,
  enough?: (reply: ApiResult<null>) => Promise<boolean>,
): Promise<'revoked' | 'gone' | ApiFailure> {
  const revoke = (credential: string, limits: CallLimits) => api.revoke(credential, id, limits)
  const reply = await withCredentials(credentials, budget, random, revoke, enough)
  if (reply.ok) return 'revoked'
  return reply.failure.status === 404 ? 'gone' : reply.failure
}

/** Whether the API answered 401. */
function isRejected(reply: ApiResult<null>): boolean {
  return !reply.ok && reply.failure.status === 401
}

/**
 * Asks with the key until the answer is 401, or for 10 s; where its revocation was `refused`, only until there is an
 * answer. Returns the last reply.
 */
async function probe(
  token: string,
  refused: boolean,
  { api, clock, random }: Deps,
  budget: Budget,
): Promise<ApiResult<null>> {
  // Throttled, it says nothing about the key.
  const throttled = (failure: ApiFailure) => failure.status === 429
  for (let ends = Infinity; ; ) {
    const reply = await retry(budget, random, (limits) => api.probe(token, limits), throttled)
    ends = Math.min(ends, clock.now() + VERIFY_FOR_MS)
    const enough = refused && (reply.ok || !reply.failure.retryable)
    if (isRejected(reply) || enough || clock.now() >= ends || budget.left() <= PROBE_INTERVAL_MS) return reply
    await budget.pause(PROBE_INTERVAL_MS * (1 + random()))
  }
}
