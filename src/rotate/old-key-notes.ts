import type { ListedKey } from '../api/key-api.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import { isExpired, isKnownLater, isOwn, type Limits, retirableAt } from './decisions.ts'
import { fullLabel } from './emergency.ts'

// What a run says about the old keys, as pure functions: a promise only where it is kept.

/** A place that may hold an older key than the one in use: its label, and when it was last updated; null if unknown. */
export interface DoubtfulPlace {
  label: string
  updatedAt: number | null
}

/** Says that old keys are kept because of such a place. */
export function doubtNote({ label, updatedAt }: DoubtfulPlace, kept: readonly ListedKey[]): string {
  const why =
    updatedAt === null ? 'GitHub does not say when it was updated' : 'it was last updated just before that was created'
  const next = kept.some(isForever)
    ? 'The next rotation writes every place.'
    : 'A run after the next rotation revokes them, or they expire.'
  return `The secret in ${label} may hold an older key than the one in use (${why}), so no old key was revoked. ${next}`
}

/** Warns of the kept keys that nothing ends, unless a person does. */
export function foreverWarnings(kept: readonly ListedKey[]): string[] {
  return kept
    .filter(isForever)
    .map(
      (key) =>
        `The old key ${fullLabel(key)} never expires, and no run revokes it while a place may hold an older key than the ` +
        'one in use. Check that every place holds a newer key, then revoke it in the dashboard.',
    )
}

function isForever({ expiresAt }: ListedKey): boolean {
  return expiresAt === null
}

/** What is known about the initial key at the end of a run. */
export interface InitialKeyFacts {
  /** The id in `initial-key-id`; empty for none. */
  initialKeyId: string
  /** The account's keys at the start, and the one in hand. */
  keys: readonly ListedKey[]
  current: ListedKey
  /** The new key, if there is one. */
  created: ListedKey | null
  retired: readonly ListedKey[]
  /** The keys that this run did not revoke because some place may hold an older key than the key in hand. */
  kept: readonly ListedKey[]
  tag: number
  /** Whether there is such a place. */
  isInDoubt: boolean
  now: number
}

/** What is left to do about `initial-key-id`; null for nothing. */
export function initialKeyNote(facts: InitialKeyFacts): string | null {
  const { initialKeyId, keys, current, created, retired, kept, tag, isInDoubt, now } = facts
  if (initialKeyId === '') return null
  const initial = keys.find(({ id }) => id === initialKeyId)
  if (!initial) return NO_INITIAL_KEY
  const what = `The initial key ${keyLabel(initial)}`
  if (retired.some(({ id }) => id === initialKeyId)) return `${what} was revoked. Now remove initial-key-id.`
  if (isExpired(initial, now)) return null
  if (created && !isOwn(created, tag))
    return `${what} is still valid, and no later run revokes it. Revoke it in the dashboard when no run uses it.`
  // The note about the previous key says when it is revoked.
  if (created && current.id === initialKeyId) return null
  // A warning says what to do about it.
  if (kept.some(({ id }) => id === initialKeyId) && isForever(initial)) return null
  if (isInDoubt)
    return `${what} is still valid; it is not revoked while GitHub does not show that every place holds a newer key.`
  return `${what} is still valid; a later run that receives a newer key revokes it.`
}

const NO_INITIAL_KEY =
  'No key of the account has the ID in initial-key-id. If that key was revoked, remove the input; otherwise correct it.'

/** What is known about the key that was replaced. */
export interface PreviousKeyFacts {
  current: ListedKey
  tag: number
  initialKeyId: string
  limits: Limits
  /** When the new key was created. */
  createdAt: number
  hasCopies: boolean
}

/** What happens to the key that was replaced. */
export function previousKeyNote(facts: PreviousKeyFacts): string {
  const { current, limits, createdAt, hasCopies } = facts
  const what = `The previous key ${keyLabel(current)}`
  if (!isKnownLater(current, facts))
    return `${what} was not created by rotate, so it stays valid. To have it revoked after the overlap, set initial-key-id to ${current.id}`
  const condition = hasCopies ? ', if GitHub shows then that every place holds a newer key' : ''
  const at = formatUtc(retirableAt(createdAt, limits))
  return `${what} stays valid during the overlap: the first run after ${at} that receives the new key revokes it${condition}.`
}
