import type { CallLimits, KeyList, ListedKey } from '../api/key-api.ts'
import { type Budget, retry } from '../retry/budget.ts'
import { keyLabel } from '../runner/report.ts'
import { findCurrentKey } from './decisions.ts'
import { type KeyDeps, listKeys } from './deps.ts'

/** The keys that were revoked, and a sentence about each of the others. */
export interface RevokeResult {
  revoked: ListedKey[]
  failures: string[]
}

/** Keys, and the key to revoke them with, whose own row shows that a list is from this account. */
export interface RevokeRequest {
  keys: readonly ListedKey[]
  credential: string
}

/** How long to wait until revoked keys are no longer listed, in milliseconds: replicas may lag. */
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
  const failures: string[] = []
  const asked: ListedKey[] = []
  for (const key of keys) {
    const revoke = (limits: CallLimits) => deps.api.revoke(credential, key.id, limits)
    const reply = await retry(revoke, { budget, random: deps.random })
    // A repeated revocation gets 404; the list decides.
    if (reply.ok || reply.failure.status === 404 || reply.failure.mayHaveActed) asked.push(key)
    else failures.push(failureOf(key, reply.failure.message))
  }
  const { left, reason } = await waitUntilGone({ keys: asked, credential }, deps, budget)
  failures.push(...left.map((key) => failureOf(key, reason)))
  return { revoked: asked.filter((key) => !left.includes(key)), failures }
}

function failureOf(key: ListedKey, reason: string): string {
  return `Could not confirm that the old key ${keyLabel(key)} was revoked: ${reason}.`
}

async function waitUntilGone(
  { keys, credential }: RevokeRequest,
  deps: KeyDeps,
  budget: Budget,
): Promise<{ left: readonly ListedKey[]; reason: string }> {
  if (keys.length === 0) return { left: [], reason: '' }
  const end = deps.clock.now() + VERIFY_FOR_MS
  for (;;) {
    const reply = await listKeys(credential, deps, budget)
    if (!reply.ok) return { left: keys, reason: reply.failure.message }
    const reason = whyUntrusted(reply.value, credential)
    const left = reason === null ? keys.filter(({ id }) => reply.value.keys.some((row) => row.id === id)) : keys
    if (left.length === 0) return { left, reason: '' }
    if (deps.clock.now() >= end || budget.left() <= LIST_INTERVAL_MS)
      return { left, reason: reason ?? 'it is still in the list' }
    await budget.pause(LIST_INTERVAL_MS)
  }
}

/** Why a list does not show that a key is absent, or null. */
function whyUntrusted(list: KeyList, credential: string): string | null {
  const current = findCurrentKey(list, credential)
  if (list.doubt !== null) return `the account's list may be incomplete (${list.doubt})`
  return typeof current === 'string' ? `the list does not show the key that it was read with (${current})` : null
}
