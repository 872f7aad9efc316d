import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ApiFailure } from '../../src/api/key-api.ts'
import {
  type AttemptContext,
  FIRST_ATTEMPT,
  MIN_ATTEMPT_MS,
  type NextAttempt,
  nextAttempt,
  type Progress,
} from '../../src/protocol/next-attempt.ts'

const TIMEOUT_MS = 120_000
const failure = (status: number | undefined, more: Partial<ApiFailure> = {}): ApiFailure => ({
  message: `api.example answered ${status}`,
  mayHaveActed: false,
  retryable: false,
  ...(status !== undefined && { status }),
  ...more,
})
const refusedConnection = failure(undefined, { message: 'api.example: refused', retryable: true })
const unavailable = failure(503, { retryable: true, mayHaveActed: true })
const unusable = failure(200, { retryable: true, mayHaveActed: true, unusable: true })
const rateLimited = (retryAfter?: number) =>
  failure(429, { retryable: true, ...(retryAfter !== undefined && { retryAfter }) })

const decide = (
  given: ApiFailure,
  progress: Partial<Progress> = {},
  { random = 0.5, ...context }: Partial<Omit<AttemptContext, 'random'> & { random: number }> = {},
) =>
  nextAttempt(
    given,
    { ...FIRST_ATTEMPT, ...progress },
    { left: TIMEOUT_MS, timeout: TIMEOUT_MS, random: () => random, clockCorrected: false, ...context },
  )
/** The wait before the next attempt in milliseconds; throws where none follows. */
function waitOf(next: NextAttempt): number {
  if (next.kind === 'stop') throw new Error(`it stops: ${next.message}`)
  return next.afterMs
}
function messageOf(next: NextAttempt): string {
  if (next.kind === 'retry') throw new Error('it retries')
  return next.message
}

describe('a refusal is final at the first attempt', () => {
  const HINT =
    ' Something in front of the API answered, so api-key was not checked. Check api-url, or run the job again later.'
  const REJECTED =
    'The API rejected api-key: api.example answered 401. The key may be wrong, revoked or expired; check the secret that api-key is set from.'

  test.each<[string, ApiFailure, string]>([
    ['401 of the API', failure(401), REJECTED],
    [
      '401 with the API’s reason',
      failure(401, { message: 'api.example answered 401: User inactive' }),
      REJECTED.replace('401.', '401: User inactive.'),
    ],
    [
      '401 of a gate',
      failure(401, { notFromApi: true, retryable: true }),
      `No key was obtained: api.example answered 401.${HINT}`,
    ],
    ['403', failure(403), 'No key was obtained: api.example answered 403.'],
    [
      '403 of a firewall',
      failure(403, { notFromApi: true, retryable: true }),
      `No key was obtained: api.example answered 403.${HINT}`,
    ],
    [
      '404 of something else',
      failure(404, { notFromApi: true, retryable: true }),
      `No key was obtained: api.example answered 404.${HINT}`,
    ],
    ['a redirect', failure(302, { mayHaveActed: true }), 'No key was obtained: api.example answered 302.'],
    ['405', failure(405), 'No key was obtained: api.example answered 405.'],
    [
      'a certificate',
      failure(undefined, { message: 'api.example: certificate' }),
      'No key was obtained: api.example: certificate.',
    ],
  ])('%s', (_, given, message) => {
    expect(decide(given)).toEqual({ kind: 'stop', message })
  })

  test('a 401 that is not the API’s never blames the secret', () => {
    const message = messageOf(decide(failure(401, { notFromApi: true, retryable: true })))
    expect(message).not.toMatch(/secret|wrong|revoked|expired/)
  })
})

describe('a 400', () => {
  const bad = failure(400, { message: 'api.example answered 400: expiry: Too far away' })

  test('is followed at once by a request in milliseconds, then in whole seconds, and is then final with its reason', () => {
    const [first, second, third] = [
      decide(bad),
      decide(bad, { precision: 1_000 }),
      decide(bad, { precision: 1_000_000 }),
    ]
    expect(first).toEqual({ kind: 'retry', afterMs: 0, progress: { ...FIRST_ATTEMPT, precision: 1_000 } })
    expect(second).toEqual({
      kind: 'retry',
      afterMs: 0,
      progress: { ...FIRST_ATTEMPT, precision: 1_000_000 },
    })
    expect(third).toEqual({
      kind: 'stop',
      message: 'No key was obtained: api.example answered 400: expiry: Too far away.',
    })
  })

  test('that corrected the clock is followed at once by a request with the same precision', () => {
    for (const precision of [1, 1_000, 1_000_000] as const)
      expect(decide(bad, { precision }, { clockCorrected: true })).toEqual({
        kind: 'retry',
        afterMs: 0,
        progress: { ...FIRST_ATTEMPT, precision, corrections: 1 },
      })
  })

  test('is final with less time left than an attempt needs', () => {
    expect(decide(bad, {}, { left: MIN_ATTEMPT_MS - 1 }).kind).toBe('stop')
  })

  test('corrects the clock at most twice, even if two gateways whose clocks differ take turns', () => {
    let next = decide(bad, {}, { clockCorrected: true })
    for (let times = 0; times < 20 && next.kind === 'retry'; times++)
      next = decide(bad, next.progress, { clockCorrected: true })
    expect(next.kind).toBe('stop')
  })
})

describe('a 2xx response that cannot be used', () => {
  test('is retried once, and two in a row are final', () => {
    const first = decide(unusable)
    expect(first).toMatchObject({ kind: 'retry', progress: { attempt: 2, wasUnusable: true } })
    expect(decide(unusable, { attempt: 2, wasUnusable: true })).toEqual({
      kind: 'stop',
      message: 'No key was obtained: api.example answered 200.',
    })
  })

  test('is retried if something else came in between', () => {
    const between = decide(unavailable, { attempt: 2, wasUnusable: true })
    expect(between).toMatchObject({ kind: 'retry', progress: { attempt: 3, wasUnusable: false } })
  })
})

describe('a failure that may be temporary is retried', () => {
  test.each([
    ['a refused connection', refusedConnection],
    ['a 503', unavailable],
    ['a 429', rateLimited()],
    ['an unanswered request', failure(undefined, { mayHaveActed: true, retryable: true })],
  ])('%s', (_, given) => {
    expect(decide(given)).toEqual({
      kind: 'retry',
      afterMs: 250,
      progress: { ...FIRST_ATTEMPT, attempt: 2 },
    })
  })

  test('with a wait that doubles with each attempt, up to 20 s, times random', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) =>
      waitOf(decide(unavailable, { attempt }, { random: 0.999 })),
    )
    expect(waits).toEqual([500, 999, 1_998, 3_996, 7_992, 15_984, 19_980, 19_980])
    expect(waitOf(decide(unavailable, { attempt: 9 }, { random: 0 }))).toBe(0)
  })
})

describe('a rate limit', () => {
  const wait = (retryAfter: number, random: number, left = 1_800_000, longest = 0) =>
    waitOf(decide(rateLimited(retryAfter), { longestRetryAfter: longest }, { random, left }))

  test('is waited for, plus up to twice that time, so that the jobs of a matrix do not return together', () => {
    expect([0, 0.5, 1].map((random) => wait(30_000, random))).toEqual([30_000, 60_000, 90_000])
  })

  test('keeps the spread of the longest wait so far', () => {
    expect(wait(2_000, 1, 1_800_000, 30_000)).toBe(62_000)
    expect(decide(rateLimited(2_000), { longestRetryAfter: 30_000 })).toMatchObject({
      progress: { longestRetryAfter: 30_000 },
    })
    expect(decide(rateLimited(60_000), { longestRetryAfter: 30_000 })).toMatchObject({
      progress: { longestRetryAfter: 60_000 },
    })
  })

  test('is never spread so far that one more 429 would exceed the timeout', () => {
    // 100 s are left, and another 30 s have to fit in after the attempt.
    expect(wait(30_000, 1, 100_000)).toBe(69_500)
    expect(wait(30_000, 1, 61_500)).toBe(31_000)
    expect(wait(30_000, 1, 31_000)).toBe(30_500)
  })

  test('that leaves no time for an attempt ends it', () => {
    expect(decide(rateLimited(60_000), {}, { left: 60_000 + MIN_ATTEMPT_MS - 1 }).kind).toBe('stop')
    expect(decide(rateLimited(60_000), {}, { left: 60_000 + MIN_ATTEMPT_MS, random: 0.9 }).kind).toBe('retry')
  })

  test('of a 503 is respected as well', () => {
    expect(waitOf(decide({ ...unavailable, retryAfter: 6_000 }, {}, { random: 0 }))).toBe(6_000)
  })
})

describe('a wait beyond the timeout', () => {
  test('stops with the last cause, the number of attempts, the wait and the timeout', () => {
    expect(messageOf(decide(rateLimited(60_000), {}, { left: 20_000, timeout: 20_000 }))).toBe(
      'No key was obtained: api.example answered 429. Stopped after attempt 1: the next retry (in 60.0 s) would exceed ' +
        'timeout (20.0 s). Raise the input timeout, or run the job again later.',
    )
    expect(messageOf(decide(unavailable, { attempt: 4 }, { left: 1_000, timeout: 3_000 }))).toBe(
      'No key was obtained: api.example answered 503. Stopped after attempt 4: the next retry (in 2.0 s) would exceed ' +
        'timeout (3.0 s). Raise the input timeout, or run the job again later.',
    )
  })

  test('leaves at least half a second for the response of the next attempt', () => {
    expect(decide(unavailable, {}, { left: 250 + MIN_ATTEMPT_MS }).kind).toBe('retry')
    expect(decide(unavailable, {}, { left: 250 + MIN_ATTEMPT_MS - 1 }).kind).toBe('stop')
  })
})

test('whatever the failure, it waits no longer than the time left, counts each attempt, and names the cause when it stops', () => {
  const anyFailure = fc.record({
    status: fc.constantFrom(undefined, 200, 302, 400, 401, 403, 404, 408, 429, 500, 503),
    retryable: fc.boolean(),
    notFromApi: fc.boolean(),
    unusable: fc.boolean(),
    retryAfter: fc.option(fc.integer({ min: 0, max: 1e9 }), { nil: undefined }),
  })
  const anyProgress = fc.record({
    attempt: fc.integer({ min: 1, max: 500 }),
    precision: fc.constantFrom(1 as const, 1_000 as const, 1_000_000 as const),
    longestRetryAfter: fc.integer({ min: 0, max: 1e9 }),
    wasUnusable: fc.boolean(),
  })
  const anyContext = fc.record({
    left: fc.integer({ min: 0, max: 1_800_000 }),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    clockCorrected: fc.boolean(),
  })
  fc.assert(
    fc.property(anyFailure, anyProgress, anyContext, (given, progress, context) => {
      const { status, retryAfter, ...rest } = given
      const api = failure(status, {
        ...rest,
        message: 'the cause',
        ...(retryAfter !== undefined && { retryAfter }),
      })
      const next = decide(api, progress, context)
      if (next.kind === 'stop') expect(next.message).toContain('the cause')
      else if (next.afterMs > 0) {
        expect(next.afterMs + MIN_ATTEMPT_MS).toBeLessThanOrEqual(context.left)
        expect(next.afterMs).toBeGreaterThanOrEqual(retryAfter ?? 0)
        expect(next.progress.attempt).toBe(progress.attempt + 1)
      }
    }),
    { numRuns: 500 },
  )
})
