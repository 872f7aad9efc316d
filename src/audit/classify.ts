import type { KeyList, ListedKey } from '../api/key-api.ts'
import { hasRotationTag, MAX_EPHEMERAL_LIFETIME_MS } from '../rotate/rotation-tag.ts'
import { keyLabel } from '../runner/report.ts'
import type { KnownKey } from './inputs.ts'

export type KeyClass = 'in-use' | 'rotated' | 'short-lived' | 'known' | 'unexpected'

/** A key whose times could be read. */
export type ReadKey = ListedKey & { createdAt: number }

/** A key of the account, and what the audit takes it for. */
export interface AccountKey {
  key: ReadKey
  class: KeyClass
  /** The rotation whose tag it carries, whatever its class; null for none. */
  rotation: TaggedRotation | null
  /** Its line in input `known`; null for none. */
  known: KnownKey | null
}

/** A rotation by the name of its secret and the tag of its keys. */
export interface TaggedRotation {
  secret: string
  tag: number
}

/** The keys of a list that can be judged, or why it cannot be. */
export type ReadableList =
  | { kind: 'complete'; keys: ReadKey[]; inUse: ReadKey[] }
  | { kind: 'incomplete'; reason: string }

/** How much longer than asked a key may live where clocks differ. */
const LIFETIME_SLACK_MS = 5 * 60_000
const JWT = /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/

/** What readings of one list show together. A key that one lacks may have moved between its pages. */
export function readLists(readings: readonly KeyList[], apiKey: string): ReadableList {
  for (const reading of readings) {
    const reason = whyIncomplete(reading, apiKey)
    if (reason !== null) return { kind: 'incomplete', reason }
  }
  const rows = readings.flatMap((reading) => reading.keys).filter(hasTimes)
  const keys = [...new Map(rows.map((key) => [key.id, key])).values()]
  return { kind: 'complete', keys, inUse: keysInUse(keys, apiKey) }
}

function hasTimes(key: ListedKey): key is ReadKey {
  return key.createdAt !== null
}

function keysInUse<Key extends ListedKey>(keys: readonly Key[], apiKey: string): Key[] {
  return keys.filter(({ prefix }) => prefix !== '' && apiKey.startsWith(prefix))
}

/** Null if a list shows every key with its times, also the one that it was read with (a JWT is in none). */
function whyIncomplete({ keys, doubt }: KeyList, apiKey: string): string | null {
  const ids = new Set<string>()
  for (const key of keys) {
    if (key.unreadable !== null) return `cannot read ${key.unreadable} of the key ${keyLabel(key)}`
    if (!hasTimes(key)) return `the list does not say when the key ${keyLabel(key)} was created`
    if (ids.has(key.id)) return `the key ${keyLabel(key)} is listed twice`
    ids.add(key.id)
  }
  if (doubt !== null || JWT.test(apiKey)) return doubt
  return keysInUse(keys, apiKey).length > 0 ? null : 'the key in api-key is not in it'
}

/** Some APIs list expired keys; `now` is by the earlier clock. The key in use was just accepted. */
export function usableKeys({ keys, inUse }: { keys: readonly ReadKey[]; inUse: readonly ReadKey[] }, now: number) {
  return keys.filter((key) => key.expiresAt === null || key.expiresAt > now || inUse.includes(key))
}

/** Sorts keys into classes. `known` outranks markers, which can be imitated. */
export function classify(
  { keys, inUse }: { keys: readonly ReadKey[]; inUse: readonly ReadKey[] },
  known: readonly KnownKey[],
  rotations: readonly TaggedRotation[],
): AccountKey[] {
  return keys.map((key) => {
    const entry = known.find(({ id }) => id === key.id) ?? null
    const rotation = rotations.find(({ tag }) => hasRotationTag(key, tag)) ?? null
    const isInUse = inUse.length === 1 && inUse.includes(key)
    const other = isShortLived(key) ? 'short-lived' : 'unexpected'
    const keyClass = isInUse ? 'in-use' : entry ? 'known' : rotation ? 'rotated' : other
    return { key, class: keyClass, rotation, known: entry }
  })
}

/** Whether a key lives no longer than keys of the main action. */
export function isShortLived({ createdAt, expiresAt }: ReadKey): boolean {
  return expiresAt !== null && expiresAt - createdAt <= MAX_EPHEMERAL_LIFETIME_MS + LIFETIME_SLACK_MS
}
