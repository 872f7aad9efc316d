import type { Runner } from '../runner/runner.ts'
import {
  type Phase,
  ROTATE_STATE_NAME,
  ROTATE_STATE_VERSION,
  type RotateStart,
  type RotateState,
  type UnusedKey,
} from './saved-state.ts'

/** What the post step will find. Each method saves it, and throws what `saveState` throws. */
export interface RotationRecord {
  /** A create request with this expiry is about to be sent. */
  creating(expiry: number): void
  /** The key is known, and nothing has been written. */
  created(key: UnusedKey): void
  /** A write is about to be sent. */
  writing(): void
  /** Every place holds the key, and an emergency is about to revoke old ones. */
  revoking(): void
  /** Nothing is left to do for the post step. */
  settled(): void
}

/** Saves nothing before the first call. */
export function openRecord(runner: Pick<Runner, 'saveState'>, start: RotateStart): RotationRecord {
  let expiry = 0
  let key: UnusedKey | null = null
  const save = (phase: Phase) => {
    const state: RotateState = { version: ROTATE_STATE_VERSION, ...start, phase, expiry, key }
    runner.saveState(ROTATE_STATE_NAME, JSON.stringify(state))
  }
  return {
    creating(asked) {
      expiry = asked
      key = null
      save('creating')
    },
    created(made) {
      key = made
      save('created')
    },
    writing: () => save('writing'),
    revoking() {
      key = null
      save('revoking')
    },
    settled() {
      key = null
      save('settled')
    },
  }
}

/** A state file that cannot be written must not stop what is more urgent. */
export function saveIfPossible(save: () => void): void {
  try {
    save()
  } catch {
    // The post step then finds an older record: it leaves the key alone, or revokes a revoked key. Both are harmless.
  }
}
