import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ApiFailure } from '../../src/api/key-api.ts'
import { FIRST_ATTEMPT, MIN_ATTEMPT_MS, nextAttempt, type Progress } from '../../src/protocol/next-attempt.ts'

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
  { random = 0.5, ...context }: { left?: number; random?: number; skew?: number | null } = {},
) =>
  nextAttempt(
    given,
    { ...FIRST_ATTEMPT, ...progress },
    { left: TIMEOUT_MS, random: () => random, skew: null, ...context },
  )
/** Why none follows; throws where one does. */
function messageOf(...args: Parameters<typeof decide>): string {
  try {
    decide(...args)
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  throw new Error('it retries')
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
    ['404', failure(404), 'No key was obtained: api.example answered 404. Check api-url.'],
    ['a redirect', failure(302, { mayHaveActed: true }), 'No key was obtained: api.example answered 302.'],
    ['405', failure(405), 'No key was obtained: api.example answered 405.'],
    [
      'a certificate',
      failure(undefined, { message: 'api.example: certificate' }),
      'No key was obtained: api.example: certificate.',
    ],
  ])('%s', (_, given, message) => {
    expect(messageOf(given)).toBe(message)
  })

  test('a 401 that is not the API’s never blames the secret', () => {
    const message = messageOf(failure(401, { notFromApi: true, retryable: true }))
    expect(message).not.toMatch(/secret|wrong|revoked|expired/)
  })
})

describe('a 400', () => {
  const bad = failure(400, { message: 'api.example answered 400: expiry: Too far away' })

  test('is followed at once by a request in milliseconds, then in whole seconds, and is then final with its reason', () => {
    expect(decide(bad)).toEqual({ ...FIRST_ATTEMPT, precision: 1_000 })
    expect(decide(bad, { precision: 1_000, afterMs: 7 })).toEqual({ ...FIRST_ATTEMPT, precision: 1_000_000 })
    expect(messageOf(bad, { precision: 1_000_000 })).toBe(
      'No key was obtained: api.example answered 400: expiry: Too far away.',
    )
  })

  test('that corrected the clock is followed at once by a request with the same precision', () => {
    for (const precision of [1, 1_000, 1_000_000] as const)
      expect(decide(bad, { precision, afterMs: 7 }, { skew: 90_000 })).toEqual({
        ...FIRST_ATTEMPT,
        ...{ precision, skew: 90_000, corrections: 1 },
      })
  })

  test('is final with less time left than an attempt needs', () => {
    expect(messageOf(bad, {}, { left: MIN_ATTEMPT_MS - 1 })).toContain('Too far away')
    expect(messageOf(bad, {}, { left: MIN_ATTEMPT_MS - 1, skew: 90_000 })).toContain('Too far away')
  })

  test('corrects the clock at most twice, even if two gateways whose clocks differ take turns', () => {
    let next = FIRST_ATTEMPT
    const correctAll = () => {
      for (let times = 0; times < 20; times++) next = decide(bad, next, { skew: 90_000 * (times + 1) })
    }
    expect(correctAll).toThrow('Too far away')
    expect(next).toEqual({ ...FIRST_ATTEMPT, skew: 180_000, corrections: 2, precision: 1_000_000 })
  })
})

describe('a 2xx response that cannot be used', () => {
  test('is retried once, and two in a row are final', () => {
    const first = decide(unusable)
    expect(first).toMatchObject({ attempt: 2, hopeless: 2 })
    expect(messageOf(unusable, { attempt: 2, hopeless: 2 })).toBe(
      'No key was obtained: api.example answered 200.',
    )
  })

  test('is retried after another failure in between', () => {
    const between = decide(unavailable, { attempt: 2, hopeless: 2 })
    expect(between).toMatchObject({ attempt: 3, hopeless: 0 })
  })
})

test('a host whose name does not exist is final the fourth time in a row', () => {
  const unknown = failure(undefined, {
    message: 'api.example: no such name',
    retryable: true,
    isUnknownHost: true,
  })
  const third = [1, 2, 3].reduce((progress) => decide(unknown, progress), FIRST_ATTEMPT)
  expect(decide(unavailable, third)).toMatchObject({ attempt: 5, hopeless: 0 })
  expect(decide(unknown, { attempt: 9 })).toMatchObject({ attempt: 10, hopeless: 1 })
  expect(messageOf(unknown, third)).toBe('No key was obtained: api.example: no such name.')
})

describe('a failure that may be temporary is retried', () => {
  test.each([
    ['a refused connection', refusedConnection],
    ['a 503', unavailable],
    ['a 429', rateLimited()],
    ['an unanswered request', failure(undefined, { mayHaveActed: true, retryable: true })],
  ])('%s', (_, given) => {
    expect(decide(given)).toEqual({ ...FIRST_ATTEMPT, afterMs: 250, attempt: 2 })
  })

  test('with a wait that doubles with each attempt, up to 20 s, times random', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8].map(
      (attempt) => decide(unavailable, { attempt }, { random: 0.999 }).afterMs,
    )
    expect(waits).toEqual([500, 999, 1_998, 3_996, 7_992, 15_984, 19_980, 19_980])
    expect(decide(unavailable, { attempt: 9 }, { random: 0 }).afterMs).toBe(0)
  })
})

describe('a rate limit', () => {
  const wait = (retryAfter: number, random: number, left = 1_800_000, longest = 0) =>
    decide(rateLimited(retryAfter), { longestRetryAfter: longest }, { random, left }).afterMs

  test('is waited for, plus up to twice that time, so that the jobs of a matrix do not return together', () => {
    expect([0, 0.5, 1].map((random) => wait(30_000, random))).toEqual([30_000, 60_000, 90_000])
  })

  test('is spread by a longer backoff where that is longer than twice the wait', () => {
    const third = (retryAfter: number) =>
      decide(rateLimited(retryAfter), { attempt: 3 }, { random: 0.5 }).afterMs
    expect([500, 1_000, 1_500].map(third)).toEqual([1_500, 2_000, 3_000])
  })

  test('keeps the spread of the longest wait so far', () => {
    expect(wait(2_000, 1, 1_800_000, 30_000)).toBe(62_000)
    expect(decide(rateLimited(2_000), { longestRetryAfter: 30_000 })).toMatchObject({
      longestRetryAfter: 30_000,
    })
    expect(decide(rateLimited(60_000), { longestRetryAfter: 30_000 })).toMatchObject({
      longestRetryAfter: 60_000,
    })
  })

  test('is never spread so far that one more 429 would exceed the timeout', () => {
    // 100 s are left, and another 30 s have to fit in after the attempt.
    expect(wait(30_000, 1, 100_000)).toBe(69_500)
    expect(wait(30_000, 1, 61_500)).toBe(31_000)
    expect(wait(30_000, 1, 31_000)).toBe(30_500)
  })

  test('of a 503 is respected as well', () => {
    expect(decide({ ...unavailable, retryAfter: 6_000 }, {}, { random: 0 }).afterMs).toBe(6_000)
  })
})

test('whatever the failure, it waits at least as long as it is asked to, counts each attempt, and names the cause when it stops', () => {
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
    skew: fc.option(fc.integer({ min: -90_000, max: 90_000 })),
  })
  fc.assert(
    fc.property(anyFailure, anyProgress, anyContext, (given, progress, context) => {
      const { status, retryAfter, ...rest } = given
      const api = failure(status, {
        ...rest,
        message: 'the cause',
        ...(retryAfter !== undefined && { retryAfter }),
      })
      try {
        const next = decide(api, progress, context)
        if (next.afterMs === 0) return
        expect(next.afterMs).toBeGreaterThanOrEqual(retryAfter ?? 0)
        expect(next.attempt).toBe(progress.attempt + 1)
      } catch (error) {
        expect(String(error)).toContain('the cause')
      }
    }),
    { numRuns: 500 },
  )
})
