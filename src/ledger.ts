import type { Inputs } from './inputs.ts'
import type { Mark } from './mark.ts'
import type { Runner } from './report.ts'
import { type IssuedKey, type SavedState, STATE_NAME, STATE_VERSION } from './saved-state.ts'

/**
 * Main's account of what may be alive: create requests whose outcome is not known, and keys that it holds.
 * Every entry is saved for post before the step that it describes can go wrong; each method throws what
 * `saveState` throws.
 */
export interface Ledger {
  /** A create request is about to be sent. */
  intend(mark: Mark): void
  /** The request made no key, or the key that it made is dead. */
  settle(mark: Mark): void
  /** The request made this key. */
  obtain(key: IssuedKey, mark: Mark): void
  /** Whether the key is left to its expiry, as the workflow asked, or ended by post. */
  keep(key: IssuedKey, keep: boolean): void
  /** The key is dead. */
  end(key: IssuedKey): void
  keys(): readonly IssuedKey[]
  ids(): ReadonlySet<string>
}

/** An empty ledger. Nothing is saved until there is something to save. */
export function openLedger(
  { apiUrl, apiKey, revoke, onRevokeFailure }: Inputs,
  surroundings: { runner: Pick<Runner, 'saveState'> } & Pick<
    SavedState,
    'userAgent' | 'proxy' | 'settings' | 'bootedAt'
  >,
): Ledger {
  const { runner, userAgent, proxy, settings, bootedAt } = surroundings
  const network = { apiUrl, apiKey, userAgent, proxy, settings, bootedAt }
  let keys: readonly IssuedKey[] = []
  let marks: readonly Mark[] = []
  const save = () => {
    const state: SavedState = { version: STATE_VERSION, ...network, revoke, onRevokeFailure, keys, marks }
    runner.saveState(STATE_NAME, JSON.stringify(state))
  }
  const without = <T>(items: readonly T[], gone: T) => items.filter((item) => item !== gone)
  return {
    intend(mark) {
      marks = [...marks, mark]
      save()
    },
    settle(mark) {
      marks = without(marks, mark)
      save()
    },
    obtain(key, mark) {
      keys = [...keys, key]
      marks = without(marks, mark)
      save()
    },
    keep(key, keep) {
      keys = keys.map((held) => (held.id === key.id ? { ...held, keep } : held))
      save()
    },
    end(key) {
      keys = keys.filter(({ id }) => id !== key.id)
      save()
    },
    keys: () => keys,
    ids: () => new Set(keys.map(({ id }) => id)),
  }
}
