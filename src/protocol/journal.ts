import type { Inputs } from '../runner/inputs.ts'
import type { Runner } from '../runner/report.ts'
import { coarsestGrid, type Intent, UNKNOWN_GRID_US } from './intent.ts'
import { type IssuedKey, type SavedState, STATE_NAME, STATE_VERSION } from './saved-state.ts'

/**
 * Main's write-ahead journal: the create requests whose outcome is not known, and the keys that it holds. Every entry is
 * saved for post before the step that it describes can go wrong; each method throws what `saveState` throws.
 */
export interface Journal {
  recordIntent(intent: Intent): void
  /** The request created no key, or the key that it created is revoked. */
  resolve(intent: Intent): void
  /** The response described a key that nothing shows to be this run's. */
  refuse(intent: Intent, described: string): void
  /** The request created this key. `isRepeated` if a gateway may have sent the request twice: post looks for a twin. */
  recordKey(key: IssuedKey, intent: Intent, isRepeated: boolean): void
  /** Whether the key is left to expire, as the workflow asked, or revoked by post. */
  keep(key: IssuedKey, keep: boolean): void
  removeKey(key: IssuedKey): void
  keys(): readonly IssuedKey[]
  ids(): ReadonlySet<string>
  /** What the server's responses showed so far (see SavedState). */
  learned(): Pick<SavedState, 'grid' | 'skew'>
}

/** Post gets the record as an environment variable: at most 128 KiB on Linux (MAX_ARG_STRLEN). */
const MAX_RECORD_LENGTH = 64 * 1024
/** For the keys of the recorded requests. */
const RESERVED_LENGTH = 16 * 1024

/** Saves nothing until there is something to save. */
export function openJournal(
  { apiUrl, apiKey, onRevokeFailure }: Inputs,
  deps: { runner: Pick<Runner, 'saveState'> } & Pick<SavedState, 'userAgent' | 'proxy' | 'settings' | 'bootedAt'>,
): Journal {
  const { runner, userAgent, proxy, settings, bootedAt } = deps
  let state: SavedState = {
    version: STATE_VERSION,
    ...{ apiUrl, apiKey, userAgent, proxy, settings, bootedAt, onRevokeFailure },
    grid: UNKNOWN_GRID_US,
    skew: null,
    keys: [],
    intents: [],
  }
  const save = (change: Partial<SavedState>, maxLength = MAX_RECORD_LENGTH) => {
    const record = JSON.stringify({ ...state, ...change })
    if (record.length > maxLength) throw new Error(`The record for the post step would exceed ${maxLength / 1024} KiB.`)
    state = { ...state, ...change }
    runner.saveState(STATE_NAME, record)
  }
  const others = (intent: Intent) => state.intents.filter((item) => item !== intent)
  return {
    recordIntent: (intent) => save({ intents: [...state.intents, intent] }, MAX_RECORD_LENGTH - RESERVED_LENGTH),
    resolve: (intent) => save({ intents: others(intent) }),
    refuse: (intent, described) => save({ intents: [...others(intent), { ...intent, refused: described }] }),
    recordKey(key, intent, isRepeated) {
      const intents = [...others(intent), ...(isRepeated ? [{ ...intent, answered: true }] : [])]
      save({ keys: [...state.keys, key], intents, ...learn(state, key, intent) })
    },
    keep: (key, keep) => save({ keys: state.keys.map((held) => (held.id === key.id ? { ...held, keep } : held)) }),
    removeKey: (key) => save({ keys: state.keys.filter(({ id }) => id !== key.id) }),
    keys: () => state.keys,
    ids: () => new Set(state.keys.map(({ id }) => id)),
    learned: () => state,
  }
}

function learn({ grid, skew }: SavedState, key: IssuedKey, intent: Intent): Pick<SavedState, 'grid' | 'skew'> {
  const shown = key.expiresAt === null ? UNKNOWN_GRID_US : coarsestGrid(intent.expiry, key.expiresAt)
  return { grid: Math.min(grid, shown), skew: key.createdAt === null ? skew : key.createdAt - intent.sentAt }
}
