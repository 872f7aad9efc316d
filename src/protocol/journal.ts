import type { Inputs } from '../runner/inputs.ts'
import type { Runner } from '../runner/runner.ts'
import type { LocalTime } from '../util/brands.ts'
import type { Intent } from './intent.ts'
import { type IssuedKey, type SavedState, STATE_NAME } from './saved-state.ts'

/** Post gets it in an environment variable: on Windows, at most 32,767 characters. */
const MAX_RECORD_BYTES = 30 * 1024
/** For the keys in it. */
const RESERVED_BYTES = 10 * 1024
/** A gateway may have repeated a request that took longer. */
export const SLOW_RESPONSE_MS = 3_000

export type Journal = ReturnType<typeof openJournal>

/** Main's write-ahead journal, for post. Each method throws what `saveState` throws. */
export function openJournal(
  { apiUrl, apiKey, onRevokeFailure }: Inputs,
  { runner, settings, bootedAt }: Pick<SavedState, 'settings' | 'bootedAt'> & { runner: Pick<Runner, 'saveState'> },
) {
  let state: SavedState = { apiUrl, apiKey, onRevokeFailure, settings, bootedAt, skew: null, keys: [], intents: [] }
  const save = (change: Partial<SavedState>, maxBytes = MAX_RECORD_BYTES) => {
    const record = JSON.stringify({ ...state, ...change })
    if (Buffer.byteLength(record) > maxBytes)
      throw new Error(
        `The record for the post step would exceed ${maxBytes / 1024} KiB. Lower timeout, or shorten the proxy variables.`,
      )
    state = { ...state, ...change }
    runner.saveState(STATE_NAME, record)
  }
  const made: IssuedKey[] = []
  const others = (intent: Intent) => state.intents.filter((item) => item !== intent)
  return {
    recordIntent: (intent: Intent) => save({ intents: [...state.intents, intent] }, MAX_RECORD_BYTES - RESERVED_BYTES),
    /** The request was answered; post looks for the key of what is `left` of it. */
    settle: (intent: Intent, ...left: Intent[]) => save({ intents: [...others(intent), ...left] }),
    /** The request created this key. */
    recordKey(key: IssuedKey, intent: Intent, receivedAt: LocalTime) {
      made.push(key)
      // A gateway may repeat a slow request: post looks for a twin.
      const twins = receivedAt - intent.sentAt < SLOW_RESPONSE_MS ? [] : [{ ...intent, stored: key.expiresAt }]
      // The least that it may be: no key is taken for older than it is.
      const skew = key.createdAt === null ? state.skew : Math.min(state.skew ?? Infinity, key.createdAt - receivedAt)
      save({ keys: [...state.keys, key], intents: [...others(intent), ...twins], skew })
    },
    /** Whether the key is left to expire, or revoked by post. */
    keep: (key: IssuedKey, keep: boolean) =>
      save({ keys: state.keys.map((held) => (held === key ? { ...held, keep } : held)) }),
    removeKey: (key: IssuedKey) => save({ keys: state.keys.filter((held) => held !== key) }),
    keys: () => state.keys,
    /** Removed ones too: a gateway may replay a response. */
    made: () => made,
    skew: () => state.skew,
  }
}
