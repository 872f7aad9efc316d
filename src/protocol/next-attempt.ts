import type { ApiFailure } from '../api/key-api.ts'
import { longestBackoff } from '../retry/backoff.ts'
import { PRECISIONS_US, type Precision } from './intent.ts'

/** With less, the response would likely be lost. */
export const MIN_ATTEMPT_MS = 500
/** Rate-limited jobs spread over this many Retry-Afters (docs/scale.md). */
const THROTTLE_JITTER = 2

/** How far main is with obtaining a key. */
export interface Progress {
  /** Attempts so far, the current one included. */
  attempt: number
  /** The wait before this one, in milliseconds; 0 if it asks something else. */
  afterMs: number
  /** What is added to our clock to get the server's, in milliseconds, and how often that changed. */
  skew: number
  corrections: number
  /** Of the expiry that is asked for, in microseconds. */
  precision: Precision
  /** In milliseconds. */
  longestRetryAfter: number
  /** Of the last failures in a row: 2 for a 2xx that could not be used, 1 for an unknown host. */
  hopeless: number
}

const NOTHING_LEARNED = { skew: 0, corrections: 0, precision: 1, longestRetryAfter: 0, hopeless: 0 } as const
export const FIRST_ATTEMPT: Progress = { attempt: 1, afterMs: 0, ...NOTHING_LEARNED }
const MAX_CORRECTIONS = 2
/** Two unusable successes, or four unknown hosts: a resolver may err. */
const MAX_HOPELESS = 4

interface Means {
  /** The time that is left, in milliseconds. */
  left: number
  /** In [0, 1). */
  random: () => number
  /** The server's clock less ours, in milliseconds, if the failed response showed that ours is wrong. */
  skew: number | null
}

/** What follows a failed create request. Throws an Error if nothing does. */
export function nextAttempt(failure: ApiFailure, progress: Progress, { left, random, skew }: Means): Progress {
  const { status, retryAfter = 0, unusable = false, isUnknownHost } = failure
  const { attempt } = progress
  const hopeless = unusable || isUnknownHost ? progress.hopeless + (unusable ? 2 : 1) : 0
  const isTimeLeft = left >= MIN_ATTEMPT_MS
  const corrections = progress.corrections + 1
  if (isTimeLeft && skew !== null && corrections <= MAX_CORRECTIONS)
    return { ...progress, afterMs: 0, skew, corrections }
  // A 400 is likely about too many digits.
  const coarser = PRECISIONS_US[PRECISIONS_US.indexOf(progress.precision) + 1]
  if (isTimeLeft && status === 400 && coarser) return { ...progress, afterMs: 0, precision: coarser }
  // These do not pass soon, whoever gave them.
  const isRefusal = [401, 403, 404].includes(status ?? 0)
  if (!failure.retryable || isRefusal || hopeless >= MAX_HOPELESS) throw new Error(refusalMessage(failure))

  const longestRetryAfter = Math.max(progress.longestRetryAfter, retryAfter)
  // Leave time for this attempt, and for one more 429 after it.
  const room = left - MIN_ATTEMPT_MS - retryAfter
  const spread = Math.min(THROTTLE_JITTER * longestRetryAfter, room - longestRetryAfter)
  const most = retryAfter > 0 ? Math.max(0, room) : Infinity
  const jitter = random() * Math.min(Math.max(longestBackoff(attempt), spread), most)
  const afterMs = Math.ceil(retryAfter + jitter)
  return { ...progress, attempt: attempt + 1, afterMs, longestRetryAfter, hopeless }
}

function refusalMessage({ status, notFromApi, message }: ApiFailure): string {
  if (status === 401 && !notFromApi)
    return `The API rejected api-key: ${message}. The key may be wrong, revoked or expired; check the secret that api-key is set from.`
  const hint = notFromApi
    ? ' Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.'
    : status === 404
      ? ' Check api-url.'
      : ''
  return `No key was obtained: ${message}.${hint}`
}
