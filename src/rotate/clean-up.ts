import type { KeyApi } from '../api/key-api.ts'
import { changedSettings } from '../http/changed-settings.ts'
import { formatUtc, keyLabel, type Runner } from '../runner/report.ts'
import type { KeyDeps } from './deps.ts'
import { discardKey } from './new-key.ts'
import type { FoundRotateState, RotateState } from './saved-state.ts'

/** What the post step runs in. The API is made from the saved record. */
export interface CleanUpDeps extends Omit<KeyDeps, 'api'> {
  runner: Runner
  connect(state: RotateState): KeyApi
  /** The environment's settings for the network now. */
  settings: Record<string, string>
}

/**
 * The post step: revokes a key that was created and certainly never written. Any other key is left alone, as the secret
 * may hold it. Never throws for what it finds: a rotation that worked must not fail here.
 */
export async function cleanUp(found: FoundRotateState, deps: CleanUpDeps): Promise<void> {
  const { runner } = deps
  if (found.kind === 'unreadable')
    runner.warning(
      'What the main step of the rotation saved cannot be read, so nothing was revoked. A key that it created is retired by a later run, or expires.',
    )
  if (found.kind !== 'record') return
  const { state } = found
  const { phase, key } = state
  if (phase === 'creating')
    runner.warning(
      `The rotation ended before a create request was answered. If it created a key, that key expires at ${formatUtc(state.expiry)}; a later run retires it.`,
    )
  if (phase === 'writing' && key)
    runner.warning(
      `The rotation ended while the key ${keyLabel(key)} was being written. The secret may hold it, so it stays valid; the next run goes on from there.`,
    )
  if (phase === 'created' && key) {
    const { clock, random, connect, settings } = deps
    // Where a later step changed which certificate authorities are trusted, only the key that dies by it is sent.
    const trusted = changedSettings(state.settings, settings).authorities.length === 0
    await discardKey(key, trusted ? state.apiKey : null, { api: connect(state), clock, random, runner })
  }
}
