import * as crypto from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as timers from 'node:timers/promises'
import type { Clock } from './budget.ts'

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (duration, signal) => timers.setTimeout(duration, undefined, { signal }).catch(() => {}),
}

/** The SHA-256 digest of a file in hex, or null where it cannot be read. */
export function fileDigest(path: string): string | null {
  try {
    return crypto.createHash('sha256').update(readFileSync(path)).digest('hex')
  } catch {
    return null
  }
}
