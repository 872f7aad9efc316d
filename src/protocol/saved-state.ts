import type { Intent } from './intent.ts'

/** A key that main's request made. Instants in milliseconds since 1970, null where the API gave none. */
export interface IssuedKey {
  /** Null where the API's answer held no key that could be sent: it can then only be revoked with `api-key`. */
  token: string | null
  id: string
  prefix: string
  createdAt: number | null
  expiresAt: number | null
  /** Left to its expiry, because the workflow said `revoke: false`. */
  keep: boolean
}

/**
 * All that main leaves for post, in one record: a later step can set `STATE_x` for a name that main never saved, so
 * parts saved under several names could be mixed with a stranger's. That is also why `api-key` is in it: it
 * goes only to the URL that was saved beside it, whatever a later step does to post's inputs.
 */
export interface SavedState {
  version: typeof STATE_VERSION
  apiUrl: string
  apiKey: string
  userAgent: string
  /** The proxy that main used; empty for none. */
  proxy: string
  /** The environment's settings for the network when main ran (see network-settings.ts). */
  settings: Record<string, string>
  /** When the machine started, by its clock as it was set then (see system.ts): milliseconds since 1970. */
  bootedAt: number
  revoke: boolean
  onRevokeFailure: 'warn' | 'fail'
  /** Keys that post has to end. */
  keys: readonly IssuedKey[]
  /** Create requests of which it is not known whether they made a key. */
  intents: readonly Intent[]
}

export const STATE_VERSION = 1
export const STATE_NAME = 'record'
