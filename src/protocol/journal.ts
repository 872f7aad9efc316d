import type { Inputs } from '../runner/inputs.ts'
import type { Runner } from '../runner/report.ts'
import type { Intent } from './intent.ts'
import { type IssuedKey, type SavedState, STATE_NAME, STATE_VERSION } from './saved-state.ts'

/**
 * Main's account of what may be alive: create requests whose outcome is not known, and keys that it holds.
 * Every entry is saved for post before the step that it describes can go wrong; each method throws what
 * `saveState` throws.
 */
export interface Journal {
  /** A create request is about to be sent. */
  recordIntent(intent: Intent): void
  /** The request made no key, or the key that it made is dead. */
  resolve(intent: Intent): void
  /** The request made this key. */
  recordKey(key: IssuedKey, intent: Intent): void
  /** Whether the key is left to its expiry, as the workflow asked, or ended by post. */
  keep(key: IssuedKey, keep: boolean): void
  /** The key is dead. */
  removeKey(key: IssuedKey): void
  keys(): readonly IssuedKey[]
  ids(): ReadonlySet<string>
}

/** An empty ledger. Nothing is saved until there is something to save. */
export function openJournal(
  { apiUrl, apiKey, revoke, onRevokeFailure }: Inputs,
  deps: { runner: Pick<Runner, 'saveState'> } & Pick<
    SavedState,
    'userAgent' | 'proxy' | 'settings' | 'bootedAt'
  >,
): Journal {
  const { runner, userAgent, proxy, settings, bootedAt } = deps
  const network = { apiUrl, apiKey, userAgent, proxy, settings, bootedAt }
  let keys: readonly IssuedKey[] = []
  let intents: readonly Intent[] = []
  const save = () => {
    const state: SavedState = { version: STATE_VERSION, ...network, revoke, onRevokeFailure, keys, intents }
    runner.saveState(STATE_NAME, JSON.stringify(state))
  }
  const without = <T>(items: readonly T[], gone: T) => items.filter((item) => item !== gone)
  return {
    recordIntent(intent) {
      intents = [...intents, intent]
      save()
    },
    resolve(intent) {
      intents = without(intents, intent)
      save()
    },
    recordKey(key, intent) {
      keys = [...keys, key]
      intents = without(intents, intent)
      save()
    },
    keep(key, keep) {
      keys = keys.map((held) => (held.id === key.id ? { ...held, keep } : held))
      save()
    },
    removeKey(key) {
      keys = keys.filter(({ id }) => id !== key.id)
      save()
    },
    keys: () => keys,
    ids: () => new Set(keys.map(({ id }) => id)),
  }
}
