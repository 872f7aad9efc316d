import { describe, expect, test } from '@jest/globals'
import { clocksOf, isWithin } from '../../conformance/clocks.ts'
import type { EmulatorOptions } from '../support/emulator.ts'
import { runOnEmulator } from './run-on-emulator.ts'

const NOON = Date.parse('2027-03-01T12:00:00.250Z')
const MINUTE_MS = 60_000

/** A run on an API that begins as far ahead of this machine's clock. */
const serverAhead = (ms: number): EmulatorOptions => ({ now: () => NOON + ms })

describe('a Date header that is wrong or a clock of this machine that is wrong: the run finds out which,', () => {
  test.each<[string, EmulatorOptions, number]>([
    ['Date 2 min ahead', { dateErrorMs: 2 * MINUTE_MS }, 4],
    ['Date 2 h ahead', { dateErrorMs: 120 * MINUTE_MS }, 4],
    ['Date 10 min behind', { dateErrorMs: -10 * MINUTE_MS }, 4],
    // The first key lives for less than asked, and is revoked as well.
    ['Date 5 min behind', { dateErrorMs: -5 * MINUTE_MS }, 5],
    ['this machine 5 min behind', serverAhead(5 * MINUTE_MS), 5],
    ['this machine 1 h behind', serverAhead(60 * MINUTE_MS), 4],
    ['this machine 1 h ahead', serverAhead(-60 * MINUTE_MS), 4],
    ['Date 2 h ahead and fractions refused', { dateErrorMs: 120 * MINUTE_MS, fractions: 'refuse' }, 2],
    ['Date 10 min behind and digits refused', { dateErrorMs: -10 * MINUTE_MS, maxDigits: 3 }, 4],
    ['Date in the year 9999', { dateErrorMs: Date.UTC(9999, 5) - NOON }, 4],
  ])('%s', async (_, options, made) => {
    const { emulator, printed, result } = await runOnEmulator(options)
    expect(printed).not.toContain('Not everything was observed')
    expect(printed).toContain(`All keys that were made (${made}) are revoked (verified).`)
    expect(result?.exitCode).toBe(0)
    for (const { created, expiry } of emulator.account.keys())
      expect((expiry ?? Infinity) - created).toBeLessThanOrEqual(10 * MINUTE_MS)
    const held = (words: string) => result?.results.find(({ fact }) => fact.fact.startsWith(words))?.holds
    expect(held('A key expires when')).toBe(true)
    expect(held('An expiry in the past')).toBe(true)
    expect(held('Expiries keep fractions')).toBe(options.fractions !== 'refuse')
    expect(held("The server's clock agrees")).toBe(false)
  })
})

test('a create request that is refused in every form says nothing about fractions', async () => {
  const { printed, result } = await runOnEmulator({}, [
    { on: 'create', kind: 'status', status: 400, times: 9 },
  ])
  const row = result?.results.find(({ fact }) => fact.fact.startsWith('Expiries keep fractions'))
  expect(row).toMatchObject({ holds: null, observed: 'not observed' })
  expect(printed).toMatch(/Not everything was observed: no key could be created: .* answered 400 /)
})

describe('the clocks that the API may go by', () => {
  const answer = (date?: number) => ({
    asked: { method: 'GET' as const, url: new URL('https://api.example/'), credential: 'key' },
    status: 200,
    headers: date === undefined ? {} : { date: new Date(date).toUTCString() },
    text: '[]',
    json: [],
    error: null,
    sentAt: NOON,
    receivedAt: NOON,
  })
  test.each([
    ['no header', undefined, [0]],
    ['a header that agrees to a minute', NOON + 50_000, [49_750]],
    ['one that is ahead', NOON + 90_000, [0, 89_750]],
    ['one that is behind', NOON - 90_000, [-90_250, 0]],
  ])('%s', (_, date, clocks) => {
    expect(clocksOf(answer(date))).toEqual(clocks)
  })

  test('an old key is not fresh by the wrong clock, as it was created between the two', () => {
    const span = { from: NOON, to: NOON + 30_000 }
    const clocks = [-120 * MINUTE_MS, 0]
    const minutes = (ms: number) => isWithin(NOON + ms * MINUTE_MS, span, clocks)
    expect([-122, -121, -118.6, -118, -60, -2, -1, 0, 5].map(minutes)).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
      true,
      true,
      true,
    ])
  })
})
