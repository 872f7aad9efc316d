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
  const read = readings.map((reading) => readList(reading, apiKey))
  const incomplete = read.find(({ kind }) => kind === 'incomplete')
  if (incomplete) return incomplete
  const rows = read.flatMap((list) => (list.kind === 'complete' ? list.keys : []))
  const keys = [...new Map(rows.map((key) => [key.id, key])).values()]
  return { kind: 'complete', keys, inUse: keysInUse(keys, apiKey) }
}

function keysInUse(keys: readonly ReadKey[], apiKey: string): ReadKey[] {
  return keys.filter(({ prefix }) => prefix !== '' && apiKey.startsWith(prefix))
}

/** Whether a list shows every key with its times, also the one that it was read with (a JWT is in no list). */
function readList({ keys, doubt }: KeyList, apiKey: string): ReadableList {
  const incomplete = (reason: string): ReadableList => ({ kind: 'incomplete', reason })
  const read: ReadKey[] = []
  const ids = new Set<string>()
  for (const key of keys) {
    const { id, createdAt, unreadable } = key
    if (unreadable !== null) return incomplete(`cannot read ${unreadable} of the key ${keyLabel(key)}`)
    if (createdAt === null) return incomplete(`the list does not say when the key ${keyLabel(key)} was created`)
    if (ids.has(id)) return incomplete(`the key ${keyLabel(key)} is listed twice`)
    ids.add(id)
    read.push({ ...key, createdAt })
  }
  if (doubt !== null) return incomplete(doubt)
  const inUse = keysInUse(read, apiKey)
  if (inUse.length === 0 && !JWT.test(apiKey)) return incomplete('the key in api-key is not in it')
  return { kind: 'complete', keys: read, inUse }
}

/** The keys that can be used: some APIs list expired ones. The key in use was just accepted, whatever the clocks say. */
export function usableKeys({ keys, inUse }: { keys: readonly ReadKey[]; inUse: readonly ReadKey[] }, now: number) {
  return keys.filter((key) => key.expiresAt === null || key.expiresAt > now || inUse.includes(key))
}

/** Sorts keys into classes. `known` outranks markers, because these can be imitated. */
export function classify(
  { keys, inUse }: { keys: readonly ReadKey[]; inUse: readonly ReadKey[] },
  known: readonly KnownKey[],
  rotations: readonly TaggedRotation[],
): AccountKey[] {
  const knownById = new Map(known.map((entry) => [entry.id, entry]))
  const [only] = inUse
  return keys.map((key) => {
    const entry = knownById.get(key.id) ?? null
    const rotation = rotations.find(({ tag }) => hasRotationTag(key, tag)) ?? null
    return { key, class: classOf(), rotation, known: entry }

    function classOf(): KeyClass {
      if (inUse.length === 1 && key === only) return 'in-use'
      if (entry !== null) return 'known'
      if (rotation !== null) return 'rotated'
      return isShortLived(key) ? 'short-lived' : 'unexpected'
    }
  })
}

/** Whether a key lives no longer than keys of the main action. */
export function isShortLived({ createdAt, expiresAt }: ReadKey): boolean {
  return expiresAt !== null && expiresAt - createdAt <= MAX_EPHEMERAL_LIFETIME_MS + LIFETIME_SLACK_MS
}
