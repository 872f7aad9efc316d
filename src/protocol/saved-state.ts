import type { ListedKey } from '../api/key-api.ts'
import type { LocalTime, Secret, ServerTime } from '../util/brands.ts'
import type { Intent } from './intent.ts'

/** A key that main's request created. Instants in milliseconds since 1970, null if the API gave none. */
export interface IssuedKey extends Omit<ListedKey, 'unreadable'> {
  /** Null if the response held no value that can be sent: the key can then only be revoked with `api-key`. */
  token: Secret | null
  /** The expiry that was asked for: beside the one that was stored, it shows what the server makes of it. */
  asked: ServerTime
  /** Left valid until it expires, because the workflow said `revoke: false`. */
  keep: boolean
}

/**
 * All that main leaves for post, in one record: a later step can set `STATE_x` for a name that main never saved, so
 * parts saved under several names could be mixed with someone else's. That is also why `api-key` is in it: it is sent
 * only to the URL that was saved beside it, whatever a later step does to post's inputs.
 */
export interface SavedState {
  apiUrl: string
  /** Null only if the record was damaged. */
  apiKey: Secret | null
  /** The environment's settings for the network when main ran, proxies included (see network-settings.ts). */
  settings: Record<string, string>
  /** When the machine started, by its clock as it was set then (see system.ts): milliseconds since 1970. */
  bootedAt: LocalTime | null
  onRevokeFailure: 'warn' | 'fail'
  /** The least that the server's clock may be less main's, in milliseconds, if `created` in a response showed it. */
  skew: number | null
  keys: readonly IssuedKey[]
  /** Create requests that may have made a key that is not known. */
  intents: readonly Intent[]
}

export const STATE_NAME = 'record'
