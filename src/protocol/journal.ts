import type { Inputs } from '../runner/inputs.ts'
import type { Runner } from '../runner/runner.ts'
import type { LocalTime } from '../util/brands.ts'
import type { Intent } from './intent.ts'
import { type IssuedKey, type SavedState, STATE_NAME } from './saved-state.ts'

/** Post gets the record as an environment variable: at most 128 KiB on Linux (MAX_ARG_STRLEN). */
const MAX_RECORD_LENGTH = 64 * 1024
/** For the keys in it. */
const RESERVED_LENGTH = 16 * 1024
/** A gateway may have repeated a request that took longer. */
export const SLOW_RESPONSE_MS = 3_000

export type Journal = ReturnType<typeof openJournal>

/** Main's write-ahead journal, for post. Each method throws what `saveState` throws. */
export function openJournal(
  { apiUrl, apiKey, onRevokeFailure }: Inputs,
  { runner, settings, bootedAt }: Pick<SavedState, 'settings' | 'bootedAt'> & { runner: Pick<Runner, 'saveState'> },
) {
  let state: SavedState = { apiUrl, apiKey, onRevokeFailure, settings, bootedAt, skew: null, keys: [], intents: [] }
  const save = (change: Partial<SavedState>, maxLength = MAX_RECORD_LENGTH) => {
    const record = JSON.stringify({ ...state, ...change })
    if (record.length > maxLength)
      throw new Error(
        `The record for the post step would exceed ${maxLength / 1024} KiB. Lower timeout, or shorten the proxy variables.`,
      )
    state = { ...state, ...change }
    runner.saveState(STATE_NAME, record)
  }
  const made: IssuedKey[] = []
  const others = (intent: Intent) => state.intents.filter((item) => item !== intent)
  return {
    recordIntent: (intent: Intent) =>
      save({ intents: [...state.intents, intent] }, MAX_RECORD_LENGTH - RESERVED_LENGTH),
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
