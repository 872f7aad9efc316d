import type { CallLimits, KeyList, ListedKey } from '../api/key-api.ts'
import { type Budget, retry } from '../retry/budget.ts'
import { findCurrentKey } from './decisions.ts'
import { type KeyDeps, listKeys } from './deps.ts'

/** A key that may still be valid, and why. */
export interface LeftKey {
  key: ListedKey
  reason: string
}

/** The keys that were revoked, and the others. */
export interface RevokeResult {
  revoked: ListedKey[]
  left: LeftKey[]
}

/** Keys, and the key to revoke them with, whose own row shows that a list is from this account. */
export interface RevokeRequest {
  keys: readonly ListedKey[]
  credential: string
}

/** How long to wait for a list that shows what was done, in milliseconds: replicas may lag. */
const VERIFY_FOR_MS = 10_000
const LIST_INTERVAL_MS = 1_000

/**
 * Revokes the keys. An acknowledgment is not proof: a key counts as revoked once a list that can be trusted no longer
 * shows it.
 */
export async function revokeListed(
  { keys, credential }: RevokeRequest,
  deps: KeyDeps,
  budget: Budget,
): Promise<RevokeResult> {
  const refused: LeftKey[] = []
  const asked: ListedKey[] = []
  const answers = new Map<ListedKey, string>()
  for (const key of keys) {
    const revoke = (limits: CallLimits) => deps.api.revoke(credential, key.id, limits)
    const reply = await retry(revoke, { budget, random: deps.random })
    // A repeated revocation gets 404; the list decides.
    if (!reply.ok && reply.failure.status !== 404) answers.set(key, `${reply.failure.message}, and `)
    if (reply.ok || reply.failure.status === 404 || reply.failure.mayHaveActed) asked.push(key)
    else refused.push({ key, reason: reply.failure.message })
  }
  const waited = await waitUntilGone({ keys: asked, credential }, deps, budget)
  const left = [...refused, ...waited.map(({ key, reason }) => ({ key, reason: `${answers.get(key) ?? ''}${reason}` }))]
  return { revoked: asked.filter((key) => !left.some((one) => one.key === key)), left }
}

/** Those of the keys that may still be valid. */
async function waitUntilGone({ keys, credential }: RevokeRequest, deps: KeyDeps, budget: Budget): Promise<LeftKey[]> {
  if (keys.length === 0) return []
  const stillIn = (listed: readonly ListedKey[]) => keys.filter(({ id }) => listed.some((row) => row.id === id))
  const isDone = (listed: readonly ListedKey[]) => stillIn(listed).length === 0
  const { listed, reason } = await readTrustedList({ credential, isDone }, deps, budget)
  if (listed === null) return keys.map((key) => ({ key, reason }))
  return stillIn(listed).map((key) => ({ key, reason: 'it is still in the list' }))
}

/**
 * Reads the list until it can be trusted and `isDone`, for at most 10 s. `listed` is null if no list can be trusted;
 * `reason` says why.
 */
export async function readTrustedList(
  { credential, isDone }: { credential: string; isDone(listed: readonly ListedKey[]): boolean },
  deps: KeyDeps,
  budget: Budget,
): Promise<{ listed: readonly ListedKey[] | null; reason: string }> {
  const end = deps.clock.now() + VERIFY_FOR_MS
  for (;;) {
    const reply = await listKeys(credential, deps, budget)
    if (!reply.ok) return { listed: null, reason: reply.failure.message }
    const reason = whyUntrusted(reply.value, credential)
    const listed = reason === null ? reply.value.keys : null
    const isLast = deps.clock.now() >= end || budget.left() <= LIST_INTERVAL_MS
    if (isLast || (listed !== null && isDone(listed))) return { listed, reason: reason ?? '' }
    await budget.pause(LIST_INTERVAL_MS)
  }
}

/** Why a list does not show that a key is absent, or null. */
function whyUntrusted(list: KeyList, credential: string): string | null {
  const current = findCurrentKey(list, credential)
  if (list.doubt !== null) return `the account's list may be incomplete (${list.doubt})`
  return typeof current === 'string' ? `the list does not show the key that it was read with (${current})` : null
}
