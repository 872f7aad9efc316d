import { expect, test } from '@jest/globals'
import { CANCEL, createCancellation } from '../../src/retry/cancellation.ts'

/** When the runner sends SIGTERM after SIGINT, in milliseconds. */
const RUNNER_TERMINATES_AFTER = 7_500

test('a cancellation happens once, at the first request', () => {
  let now = 5
  const cancellation = createCancellation(() => now)
  expect(cancellation.requestedAt).toBeNull()
  expect(cancellation.signal.aborted).toBe(false)
  cancellation.request()
  now = 9
  cancellation.request()
  expect(cancellation.requestedAt).toBe(5)
  expect(cancellation.signal.aborted).toBe(true)
})

test('a cancelled main step ends half a second before the runner sends SIGTERM, with time for a last request', () => {
  expect(CANCEL.RESPONSE_GRACE_MS).toBeLessThan(CANCEL.LAST_REQUEST_MS)
  expect(CANCEL.LAST_REQUEST_MS).toBeLessThan(CANCEL.EXIT_MS)
  expect(CANCEL.EXIT_MS).toBeLessThanOrEqual(RUNNER_TERMINATES_AFTER - 500)
})
