import * as crypto from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as timers from 'node:timers/promises'
import * as tls from 'node:tls'
import type { Clock } from '../retry/budget.ts'

/** Milliseconds since the machine started: the same for all its processes, and nobody can set it. */
const uptime = () => Number(process.hrtime.bigint() / 1_000_000n)

/** When the machine started, in milliseconds since 1970, by its clock as it is set while this process starts. */
export const bootedAt = Date.now() - uptime()

/** The machine's clock, which for this process is not set any more. */
export const systemClock: Clock = {
  now: () => bootedAt + uptime(),
  sleep: (duration, signal) => timers.setTimeout(duration, undefined, { signal }).catch(() => {}),
}

/**
 * The SHA-256 digest, in hex, of the certificates to which the variable `name` leads by its `value`: a file's, or the
 * system's. Null where they cannot be read.
 */
export function certificateDigest(name: string, value: string): string | null {
  try {
    const certificates =
      name === 'NODE_EXTRA_CA_CERTS' || name === 'SSL_CERT_FILE'
        ? readFileSync(value)
        : tls.getCACertificates('system').join('')
    return crypto.createHash('sha256').update(certificates).digest('hex')
  } catch {
    return null
  }
}
