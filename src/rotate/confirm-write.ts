import type { ApiResult } from '../api/key-api.ts'
import { backoff } from '../retry/backoff.ts'
import type { Budget } from '../retry/budget.ts'
import { type WriteVisibility, writeVisibility } from './decisions.ts'
import type { RotateDeps } from './deps.ts'
import type { SecretInfo } from './github-secrets.ts'
import { permissionFor, placeLabel } from './places.ts'
import type { Target } from './write-places.ts'

/** How long GitHub may take to show a write, in milliseconds: replicas may lag. */
const SHOWN_WITHIN_MS = 15_000
const READ_INTERVAL_MS = 1_000

/** Reads what GitHub says about the secret in one place, once. A description of another secret is a failure. */
export async function readSecret(
  { place, path, secret }: Pick<Target, 'place' | 'path' | 'secret'>,
  { secrets }: Pick<RotateDeps, 'secrets'>,
  budget: Budget,
): Promise<ApiResult<SecretInfo>> {
  const reply = await secrets.secret({ path, name: secret, permission: permissionFor(place) }, budget.limits())
  if (!reply.ok || reply.value.name.toUpperCase() === secret) return reply
  const message = `GitHub returned another secret instead of ${secret} in ${placeLabel(place)}`
  return { ok: false, skew: null, failure: { message, mayHaveActed: false, retryable: false } }
}

/** The last `updated_at` that was read before the first write of a key, from which GitHub must move on. */
export interface BeforeWrite {
  target: Target
  updatedAt: number | null
}

/** What GitHub shows after a write. `unchanged`: for the whole time in which it must show a write, it showed none. */
export interface Shown {
  visibility: WriteVisibility
  reason: string
  unchanged: boolean
}

/**
 * Waits until GitHub shows that the secret was written. Neither its acknowledgment nor its refusal is proof of what
 * happened to this secret, in this place. Returns the reason if no write is shown in time.
 */
export async function waitUntilShown(
  { target, updatedAt }: BeforeWrite,
  deps: RotateDeps,
  budget: Budget,
): Promise<Shown> {
  if (updatedAt === null) return { visibility: 'unknown', reason: '', unchanged: false }
  let end = deps.clock.now() + SHOWN_WITHIN_MS
  for (let reads = 1; ; reads++) {
    // What a machine that slept was told before it slept shows nothing of the time after that.
    const askedAt = deps.clock.now()
    const reply = await readSecret(target, deps, budget)
    if (reply.ok && writeVisibility(updatedAt, reply.value.updatedAt) === 'shown')
      return { visibility: 'shown', reason: '', unchanged: false }
    const pause = reply.ok ? 0 : backoff(reads, deps.random(), reply.failure.retryAfter)
    const wait = READ_INTERVAL_MS + pause
    if (!reply.ok) end += reply.failure.retryAfter ?? 0
    const isOver = askedAt + wait > end
    if (isOver || budget.left() <= wait) {
      const unchanged = isOver && reply.ok && reply.value.updatedAt === updatedAt
      const shown = reply.ok ? NOT_MOVED : reply.failure.message
      const reason = !isOver && deps.cancellation.requestedAt !== null ? CANCELLED : shown
      return { visibility: 'not shown', reason, unchanged }
    }
    await budget.pause(wait)
  }
}

const CANCELLED = 'the job was cancelled before GitHub showed the write'
const NOT_MOVED = 'GitHub acknowledged it, but updated_at of the secret did not change'
