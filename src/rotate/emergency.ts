import type { ListedKey } from '../api/key-api.ts'
import type { Budget } from '../retry/budget.ts'
import { keyLabel } from '../runner/report.ts'
import { type EmergencyFacts, isKnownLater, keysToRevokeNow } from './decisions.ts'
import type { KeyDeps } from './deps.ts'
import { type LeftKey, readTrustedList, revokeListed } from './revoke-listed.ts'
import type { NewKey } from './saved-state.ts'

/** What an emergency revokes, and with what: the new key, which every place holds. */
export interface Emergency extends EmergencyFacts {
  created: NewKey
  /** Whether the new key carries the tag. If not, the API changes expiries, and old keys do not carry it either. */
  isTagged: boolean
}

/** The keys that were revoked, and what a person has to know and do if some old key may still be valid. */
export interface EmergencyResult {
  revoked: ListedKey[]
  problem: string | null
}

const YOUNG = 'it may be less than an hour old, so another run may still be writing it'
const UNTAGGED = 'there may be more, which cannot be recognized because the API changed the expiry of the new key'

/** Revokes the old keys although running jobs use them. Only a list that can be trusted shows which there are. */
export async function revokeAtOnce(emergency: Emergency, deps: KeyDeps, budget: Budget): Promise<EmergencyResult> {
  const credential = emergency.created.token
  const { listed, reason } = await readTrustedList({ credential, isDone: () => true }, deps, budget)
  const { now, young } = keysToRevokeNow({ ...emergency, keys: listed ?? emergency.keys })
  const { revoked, left } = await revokeListed({ keys: now, credential }, deps, budget)
  left.push(...young.map((key) => ({ key, reason: YOUNG })))
  return { revoked, problem: problemOf(left, listed === null ? reason : null, emergency) }
}

/** Why an emergency did not succeed, or null. `doubt`: why the list does not show every key, or null. */
function problemOf(left: readonly LeftKey[], doubt: string | null, emergency: Emergency): string | null {
  const forgotten = left.filter(({ key }) => !isKnownLater(key, emergency))
  const problems = left.map(({ key, reason }) => `${fullLabel(key)}: ${reason}`)
  const advice: string[] = []
  if (doubt !== null) problems.push(`there may be more, because the list of keys cannot be used (${doubt})`)
  if (doubt !== null || forgotten.length < left.length)
    advice.push('Run this again in an hour, or revoke them in the dashboard.')
  for (const { key } of forgotten)
    advice.push(`No later run recognizes ${keyLabel(key)}: revoke that key in the dashboard.`)
  if (!emergency.isTagged) {
    problems.push(UNTAGGED)
    advice.push('Look in the dashboard for keys that no one needs.')
  }
  if (problems.length === 0) return null
  return `The secret holds a new key, but old keys may still be valid: ${problems.join('; ')}. ${advice.join(' ')}`
}

/** What a run adds whose write may have taken effect, so that the key in hand is no longer in the secret. */
export function notRevokedLine(facts: Pick<EmergencyFacts, 'current' | 'tag' | 'initialKeyId'>): string {
  const { current } = facts
  if (isKnownLater(current, facts)) return 'No old key was revoked: run this again in an hour.'
  return (
    `No old key was revoked. No later run recognizes ${fullLabel(current)} once the secret holds another key: ` +
    'when a new run works, revoke that key in the dashboard.'
  )
}

/** With the whole id, because the dashboard has to be searched for it. */
export function fullLabel({ prefix, id }: Pick<ListedKey, 'prefix' | 'id'>): string {
  return `${prefix}... (id ${id})`
}
