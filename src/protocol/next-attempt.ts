import type { ApiFailure } from '../api/key-api.ts'
import { backoff } from '../retry/backoff.ts'
import { formatSeconds } from '../runner/report.ts'
import { PRECISIONS_US, type Precision } from './intent.ts'

/** With less time, the response would likely be lost. */
export const MIN_ATTEMPT_MS = 500
/** Rate-limited jobs spread over this many Retry-Afters (docs/scale.md). */
const THROTTLE_JITTER = 2

/** How far main is with obtaining a key. */
export interface Progress {
  /** How many attempts were made, the current one included. */
  attempt: number
  /** How finely the expiry is asked for, in microseconds. */
  precision: Precision
  /** How often the clock was corrected. */
  corrections: number
  /** In milliseconds. */
  longestRetryAfter: number
  /** The last response was a 2xx that could not be used. */
  wasUnusable: boolean
}

export const FIRST_ATTEMPT: Progress = {
  attempt: 1,
  precision: 1,
  corrections: 0,
  longestRetryAfter: 0,
  wasUnusable: false,
}
const MAX_CORRECTIONS = 2

export interface AttemptContext {
  /** Time left, and the input `timeout`, in milliseconds. */
  left: number
  timeout: number
  /** In [0, 1); called only if there is a wait. */
  random: () => number
  /** The failed response showed that this runner's clock was wrong, and it is corrected now. */
  clockCorrected: boolean
}

export type NextAttempt =
  /** `afterMs` is 0 where the same would not be asked again. */
  { kind: 'retry'; afterMs: number; progress: Progress } | { kind: 'stop'; message: string }

/** What follows a failed create request. */
export function nextAttempt(failure: ApiFailure, progress: Progress, context: AttemptContext): NextAttempt {
  const { status, retryAfter = 0, unusable = false } = failure
  const isTimeLeft = context.left >= MIN_ATTEMPT_MS
  const corrections = progress.corrections + 1
  if (isTimeLeft && context.clockCorrected && corrections <= MAX_CORRECTIONS)
    return { kind: 'retry', afterMs: 0, progress: { ...progress, corrections } }
  // A 400 is likely about too many digits.
  const coarser = PRECISIONS_US[PRECISIONS_US.indexOf(progress.precision) + 1]
  if (isTimeLeft && status === 400 && coarser)
    return { kind: 'retry', afterMs: 0, progress: { ...progress, precision: coarser } }
  // These do not pass soon, whoever gave them.
  const isRefusal = [401, 403, 404].includes(status ?? 0)
  const isFinal = !failure.retryable || isRefusal || (unusable && progress.wasUnusable)
  if (isFinal) return { kind: 'stop', message: refusalMessage(failure) }

  const longestRetryAfter = Math.max(progress.longestRetryAfter, retryAfter)
  const afterMs = waitFor({ ...progress, longestRetryAfter }, retryAfter, context)
  if (afterMs + MIN_ATTEMPT_MS > context.left)
    return {
      kind: 'stop',
      message: stoppedMessage(failure, { attempts: progress.attempt, timeout: context.timeout, wait: afterMs }),
    }
  const next = { attempt: progress.attempt + 1, longestRetryAfter, wasUnusable: unusable }
  return { kind: 'retry', afterMs, progress: { ...progress, ...next } }
}

function waitFor(
  { attempt, longestRetryAfter: longest }: Progress,
  retryAfter: number,
  { left, random }: AttemptContext,
): number {
  // Leave time for this attempt, and for one more 429 after it.
  const room = left - MIN_ATTEMPT_MS - retryAfter
  const spread = Math.min(THROTTLE_JITTER * longest, room - longest)
  return backoff(attempt, random(), { retryAfter, spread, most: retryAfter > 0 ? Math.max(0, room) : Infinity })
}

function refusalMessage({ status, notFromApi, message }: ApiFailure): string {
  if (status === 401 && !notFromApi)
    return `The API rejected api-key: ${message}. The key may be wrong, revoked or expired; check the secret that api-key is set from.`
  const hint = notFromApi
    ? ' Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.'
    : ''
  return `No key was obtained: ${message}.${hint}`
}

/** For a step that ran out of time. `wait`, `timeout` in milliseconds. */
export function stoppedMessage(
  { message }: ApiFailure,
  { attempts, timeout, wait }: { attempts: number; timeout: number; wait: number },
): string {
  return (
    `No key was obtained: ${message}. Stopped after attempt ${attempts}: the next retry ` +
    `(in ${formatSeconds(wait)}) would exceed timeout (${formatSeconds(timeout)}). Raise the input timeout, or run the job again later.`
  )
}
