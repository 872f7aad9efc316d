import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createIntent, findMatch, type Intent, type ListedKey } from '../../src/protocol/intent.ts'

const NOW = Date.parse('2027-03-01T12:00:00.250Z')
const HOUR = 3_600_000
const duration = fc.integer({ min: 60_000, max: 5 * 24 * HOUR })
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('the expiry of a create request', () => {
  test('is the lifetime from now by the server’s clock, less a random part of at most 5 %', () => {
    expect(createIntent(NOW, 0, HOUR, 10_000, false, 0)).toEqual({
      expiry: NOW + HOUR,
      sentAt: NOW,
      deadline: NOW + 10_000,
      ambiguous: false,
    })
    expect(createIntent(NOW, -90_000, HOUR, 10_000, false, 0).expiry).toBe(NOW + HOUR - 90_000)
    expect(createIntent(NOW, 0, HOUR, 10_000, false, 0.999999).expiry).toBe(NOW + HOUR * 0.95)
  })

  test('is never later than asked, never more than 5 % earlier, and never a whole second', () => {
    fc.assert(
      fc.property(duration, share, fc.integer({ min: -1e6, max: 1e6 }), (lifetime, random, skew) => {
        const { expiry } = createIntent(NOW, skew, lifetime, 1000, false, random)
        expect(expiry).toBeLessThanOrEqual(NOW + skew + lifetime)
        expect(expiry).toBeGreaterThanOrEqual(NOW + skew + lifetime * 0.95 - 2)
        expect(Number.isInteger(expiry)).toBe(true)
        expect(expiry % 1000).not.toBe(0)
      }),
    )
  })

  test('that would be a whole second by chance is a millisecond earlier', () => {
    expect(createIntent(NOW - 250, 0, HOUR, 1000, false, 0).expiry).toBe(NOW - 250 + HOUR - 1)
  })

  test('in whole seconds is rounded down, and weak', () => {
    expect(createIntent(NOW, 0, HOUR, 1000, true, 0)).toMatchObject({
      expiry: NOW - 250 + HOUR,
      ambiguous: true,
    })
  })
})

describe('looking for the key of a lost request', () => {
  const intent: Intent = { expiry: NOW + HOUR, sentAt: NOW, deadline: NOW + 10_000, ambiguous: false }
  const key = (more: Partial<ListedKey> = {}): ListedKey => ({
    id: 'ours',
    prefix: '0123456789abcde',
    createdAt: NOW + 100,
    expiresAt: intent.expiry,
    unreadable: null,
    ...more,
  })
  const look = (
    list: ListedKey[],
    options: { intent?: Partial<Intent>; known?: string[]; skew?: number | null } = {},
  ) =>
    findMatch(
      { ...intent, ...options.intent },
      list,
      new Set(options.known),
      options.skew === undefined ? 0 : options.skew,
    )

  test('finds the one key with exactly its expiry', () => {
    expect(look([key({ id: 'other', expiresAt: intent.expiry + HOUR }), key()])).toEqual({
      kind: 'found',
      key: key(),
    })
  })

  test('finds nothing in an empty list, nor a key that misses by a millisecond, or a part of one', () => {
    expect(look([])).toEqual({ kind: 'absent' })
    for (const expiresAt of [intent.expiry + 1, intent.expiry - 1, intent.expiry + 0.456])
      expect(look([key({ expiresAt })])).toEqual({ kind: 'absent' })
  })

  test('does not choose between two', () => {
    const [one, two] = [key({ id: 'one' }), key({ id: 'two' })]
    expect(look([one, two])).toEqual({ kind: 'unclear', candidates: [one, two] })
  })

  test('leaves out keys that are known to be somebody’s', () => {
    expect(look([key({ id: 'known' })], { known: ['known'] })).toEqual({ kind: 'absent' })
    expect(look([key({ id: 'known' }), key()], { known: ['known'] })).toMatchObject({ kind: 'found' })
  })

  test.each([
    ['just after it was sent', 0, true],
    ['5 s before it was sent', -5_000, true],
    ['more than 5 s before it was sent', -5_001, false],
    ['30 s after it was sent: deadline, slow server, slack', 30_000, true],
    ['later than that', 30_001, false],
  ])('counts keys created in the window: %s', (_, offset, counts) => {
    expect(look([key({ createdAt: NOW + offset })]).kind).toBe(counts ? 'found' : 'unclear')
    // By a server's clock that is 90 s behind.
    expect(look([key({ createdAt: NOW + offset - 90_000 })], { skew: -90_000 }).kind).toBe(
      counts ? 'found' : 'unclear',
    )
  })

  test('widens the window by a minute where no answer told the server’s time', () => {
    expect(look([key({ createdAt: NOW - 65_000 })], { skew: null }).kind).toBe('found')
    expect(look([key({ createdAt: NOW - 65_001 })], { skew: null }).kind).toBe('unclear')
    expect(look([key({ createdAt: NOW + 90_000 })], { skew: null }).kind).toBe('found')
    expect(look([key({ createdAt: NOW + 90_001 })], { skew: null }).kind).toBe('unclear')
  })

  test('does not guess where the list does not say when a key was created', () => {
    expect(look([key({ createdAt: null })])).toEqual({
      kind: 'unclear',
      candidates: [key({ createdAt: null })],
    })
  })

  test('prefers what was made in the window to what has the mark but was made at another time', () => {
    const earlier = key({ id: 'earlier', createdAt: NOW - HOUR })
    expect(look([earlier, key()])).toEqual({ kind: 'found', key: key() })
    expect(look([earlier])).toEqual({ kind: 'unclear', candidates: [earlier] })
    expect(look([earlier], { intent: { ambiguous: true } })).toEqual({ kind: 'absent' })
  })

  test('sees that a server rounds, or ignores, expiries: unclear', () => {
    const down = Math.floor(intent.expiry / 1000) * 1000
    for (const expiresAt of [down, down + 1000, null]) {
      const rounded = key({ expiresAt })
      expect(look([rounded])).toEqual({ kind: 'unclear', candidates: [rounded] })
    }
    expect(look([key({ expiresAt: down - 1000 })])).toEqual({ kind: 'absent' })
    expect(look([key({ expiresAt: down + 2000 })])).toEqual({ kind: 'absent' })
  })

  test('prefers the exact key to rounded ones of others', () => {
    expect(look([key({ id: 'other', expiresAt: null }), key()])).toEqual({ kind: 'found', key: key() })
  })

  test('never acts on a weak mark', () => {
    expect(look([key()], { intent: { ambiguous: true } })).toEqual({ kind: 'unclear', candidates: [key()] })
  })

  test('finds only what is exact, alone and in the window, whatever the list holds', () => {
    const anyKey = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      prefix: fc.constant('p'),
      createdAt: fc.option(fc.integer({ min: NOW - 60_000, max: NOW + 60_000 })),
      expiresAt: fc.option(
        fc.constantFrom(intent.expiry, intent.expiry + 1, intent.expiry - 250, intent.expiry + HOUR),
      ),
      unreadable: fc.constant(null),
    })
    fc.assert(
      fc.property(fc.array(anyKey, { maxLength: 5 }), fc.boolean(), (list, ambiguous) => {
        const match = look(list, { intent: { ambiguous } })
        if (match.kind !== 'found') return
        const exact = list.filter(({ createdAt, expiresAt }) => {
          const inWindow = createdAt !== null && createdAt >= NOW - 5_000 && createdAt <= NOW + 30_000
          return inWindow && expiresAt === intent.expiry
        })
        expect(exact).toEqual([match.key])
        expect(ambiguous).toBe(false)
      }),
    )
  })
})
