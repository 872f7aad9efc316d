import type { ListedKey } from '../api/key-api.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import {
  isExpired,
  isKnownLater,
  isOwn,
  type Limits,
  MIN_GAP_MS,
  type RetirementFacts,
  retirableAt,
} from './decisions.ts'
import { fullLabel } from './emergency.ts'

// What a run says about the old keys, as pure functions: a promise only where it is kept.

/** A place that may hold an older key than the one in use: its label, and when it was last updated; null if unknown. */
export interface DoubtfulPlace {
  label: string
  updatedAt: number | null
}

/** Where no key can be created: which keys count toward the account's limit although no place should hold them. */
export function unusedKeysNote({
  keys,
  current,
  tag,
  updates,
}: Pick<RetirementFacts, 'keys' | 'current' | 'tag' | 'updates'>): string {
  const newer = keys
    .filter((key) => isOwn(key, tag) && Number(key.createdAt) > Number(current.createdAt))
    .sort((a, b) => Number(a.createdAt) - Number(b.createdAt))
  const lastWrite = Math.max(...updates.map((at) => at ?? Infinity))
  const unwritten = newer.filter(({ createdAt }) => Number(createdAt) - MIN_GAP_MS > lastWrite)
  if (unwritten.length > 0)
    return (
      ` The account holds ${unwritten.map(fullLabel).join(', ')}, made by earlier runs after the secret was last updated: ` +
      "if the API's and GitHub's clocks agree, no place holds them. If the account has reached its limit of keys, revoke " +
      'them in the dashboard.'
    )
  const newest = newer.pop()
  if (newest === undefined || newer.length === 0) return ''
  return (
    ` The account holds ${newer.map(fullLabel).join(', ')}, which a later run replaced by ${keyLabel(newest)}, but none of ` +
    'them is api-key. If it has reached its limit of keys, revoke these in the dashboard, unless a place holds one of them.'
  )
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
  /** The keys whose revocation this run could not confirm. */
  left: readonly ListedKey[]
  /** The keys that this run did not revoke because some place may hold an older key than the key in hand. */
  kept: readonly ListedKey[]
  tag: number
  /** Whether there is such a place. */
  isInDoubt: boolean
  now: number
}

/** What is left to do about `initial-key-id`; null for nothing. */
export function initialKeyNote(facts: InitialKeyFacts): string | null {
  const { initialKeyId, keys, current, created, retired, left, kept, tag, isInDoubt, now } = facts
  if (initialKeyId === '') return null
  const initial = keys.find(({ id }) => id === initialKeyId)
  if (!initial) return NO_INITIAL_KEY
  const isInitial = ({ id }: ListedKey) => id === initialKeyId
  const what = `The initial key ${keyLabel(initial)}`
  if (retired.some(isInitial)) return `${what} was revoked. Now remove initial-key-id.`
  if (isExpired(initial, now)) return null
  if (created && !isOwn(created, tag)) return `${what} ${BY_NO_RUN}`
  // The note about the previous key says when it is revoked.
  if (created && isInitial(current)) return null
  if (initial.createdAt === null) return `${what} ${BY_NO_RUN}`
  // A warning says what to do about it.
  if (left.some(isInitial) || (kept.some(isInitial) && isForever(initial))) return null
  if (isInDoubt)
    return `${what} is still valid; it is not revoked while GitHub does not show that every place holds a newer key.`
  // Whether the API keeps the expiry of a key, by which it is recognized, is only known of a key of this rotation.
  return `${what} ${isOwn(created ?? current, tag) ? BY_LATER_RUN : BY_RUN_THAT_RECOGNIZES}`
}

const BY_NO_RUN = 'is still valid, and no later run revokes it. Revoke it in the dashboard when no run uses it.'
const BY_LATER_RUN = 'is still valid; a later run that receives a newer key revokes it.'
const BY_RUN_THAT_RECOGNIZES =
  'is still valid. A later run revokes it once it receives a newer key that it recognizes as one of this rotation; if ' +
  'none does, revoke it in the dashboard.'

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
  const { current, tag, limits, createdAt, hasCopies } = facts
  const what = `The previous key ${keyLabel(current)}`
  if (!isKnownLater(current, facts))
    return `${what} was not created by rotate, so it stays valid. To have it revoked after the overlap, set initial-key-id to ${current.id}`
  if (current.createdAt === null)
    return `${what} stays valid, because the API does not say when it was created. Revoke it in the dashboard when no run uses it.`
  if (isOwn(current, tag) && current.createdAt > createdAt - MIN_GAP_MS)
    return `${what} is less than an hour older than the new one, so it stays valid: a run after the next rotation revokes it, or it expires at ${formatUtc(current.expiresAt ?? 0)}.`
  const condition = hasCopies ? ', if GitHub shows then that every place holds a newer key' : ''
  const at = formatUtc(retirableAt(createdAt, limits))
  return `${what} stays valid during the overlap: the first run after ${at} that receives the new key revokes it${condition}.`
}
