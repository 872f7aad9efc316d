import type { KeyApi } from '../api/key-api.ts'
import { AUTHORITIES } from '../http/network-settings.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import type { KeyDeps } from './deps.ts'
import { discardKey, ORPHAN } from './new-key.ts'
import type { FoundRotateState, RotateState } from './saved-state.ts'

/** What the post step runs in. The API is made from the saved record. */
export interface CleanUpDeps extends Omit<KeyDeps, 'api'> {
  runner: Runner
  connect(state: RotateState): KeyApi
  /** The environment's settings for the network now. */
  settings: Record<string, string>
}

/**
 * The post step: revokes a key that was created and certainly never written. Leaves every other key alone, because the
 * secret may hold it. Never throws for what it finds: a rotation that worked must not fail here.
 */
export async function cleanUp(found: FoundRotateState, deps: CleanUpDeps): Promise<void> {
  const { runner } = deps
  if (found.kind === 'unreadable')
    runner.warning(
      'Could not read what the main step saved, so nothing was revoked. If it created a key, a later run revokes it, or it expires.',
    )
  if (found.kind !== 'record') return
  const { state } = found
  const { phase, key, leaked } = state
  if (phase === 'creating')
    runner.warning(
      `The main step received no key for its request to create one that expires at ${formatUtc(state.expiry)}. ${ORPHAN}`,
    )
  if (phase === 'writing' && key) {
    const advice = leaked && ` No old key was revoked: when a new run works, revoke ${leaked} in the dashboard.`
    runner.warning(
      `The main step ended while it was writing the key ${keyLabel(key)}. The secret may hold it, so it stays valid; the next run continues from there.${advice}`,
    )
  }
  if (phase === 'revoking')
    runner.warning(
      `The main step ended while it was revoking the old keys. Revoke ${leaked} in the dashboard if it is still there, and run this again in an hour for the others.`,
    )
  if (phase === 'created' && key) {
    const { clock, random, connect, settings } = deps
    // If a later step changed which certificate authorities are trusted, send only the key that is being revoked.
    const trusted = AUTHORITIES.every((name) => state.settings[name] === settings[name])
    await discardKey(key, trusted ? state.apiKey : null, { api: connect(state), clock, random, runner })
  }
}
