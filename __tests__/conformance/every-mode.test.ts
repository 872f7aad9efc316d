import { describe, expect, test } from '@jest/globals'
import { createRng } from '../simulation/rng.ts'
import { EMULATOR_MODES } from '../support/emulator-modes.ts'
import { runOnEmulator } from './run-on-emulator.ts'

/** The facts that do not hold in a mode, by their first words. Null: the list cannot be read, so nothing is created. */
const DIFFERENCES: Record<string, string[] | null> = {
  // Chance decides which replica answers, and so what is observed.
  replicas: [],
  'password-gate': null,
  challenge: null,
  page: null,
  'authentication-down': null,
  unreadable: null,
  'other-answer': ['Expiries keep fractions'],
  'one-token': [],
  twin: [],
  'error-in-200': ['Create answers with a 2xx'],
  milliseconds: [],
  datetime: ['Expiries keep fractions'],
  seconds: ['Expiries keep fractions'],
  minutes: ['Expiries keep fractions'],
  'three-digits': [],
  'no-fractions': ['Expiries keep fractions'],
  'no-expiry': ['A key expires when'],
  epoch: [],
  'unreadable-times': [
    'A key expires when',
    'Expiries keep fractions',
    'The list is complete',
    'Each response has a Date',
  ],
  'local-time': ['A key expires when', 'Expiries keep fractions', 'Each response has a Date'],
  'wrong-date': ['Each response has a Date', "The server's clock agrees"],
  'stale-list': ['The list shows a new key', 'The list does not come from a cache'],
  pages: [],
  'link-pages': ['The list is complete'],
  'has-more': ['The list is complete'],
  count: ['The list is complete'],
  'big-ids': [],
  'other-ids': ['Create answers with a 2xx', 'The list shows the key', 'The list is complete'],
  'no-self-revocation': ['A key can revoke itself'],
  'idle-revocation': ['A revoked key gets 401', 'Revoking a key twice'],
}

async function run(mode: string) {
  // Another job's expiry, for example, is a few seconds from ours in most runs, and more than a minute in some.
  const options = { random: createRng(1).roll, ...EMULATOR_MODES[mode]?.options }
  const { result, emulator, printed } = await runOnEmulator(options)
  const differing =
    result?.results.filter(({ holds }) => holds === false).map(({ fact }) => fact.fact) ?? null
  return { differing, printed, valid: emulator.account.live() }
}

test('every mode of the emulator has its expected differences here', () => {
  expect(Object.keys(DIFFERENCES).sort()).toEqual(Object.keys(EMULATOR_MODES).sort())
})

describe.each(Object.entries(DIFFERENCES))('the emulator in its mode %s', (mode, expected) => {
  test('is described by the facts that do not hold, and the end accounts for every key that is left', async () => {
    const { differing, printed, valid } = await run(mode)
    if (expected === null) {
      expect(printed).toContain('Nothing was created.')
      expect(valid).toEqual([])
      return
    }
    if (mode !== 'replicas') expect(differing).toHaveLength(expected.length)
    for (const words of mode === 'replicas' ? [] : expected)
      expect(differing).toContainEqual(expect.stringContaining(words))
    if (/All keys that were made \(\d+\) are revoked \(verified\)/.test(printed)) expect(valid).toEqual([])
    for (const { id, expiry } of valid)
      expect(printed.includes(id) || printed.includes(new Date(expiry ?? 0).toISOString().slice(0, 19))).toBe(
        true,
      )
  })
})
