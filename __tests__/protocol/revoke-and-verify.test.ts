import { describe, expect, test } from '@jest/globals'
import { missingCheck } from '../../src/protocol/list-trust.ts'
import {
  isVerifiedRevoked,
  MAX_REPLICA_LAG_MS,
  type RevocationContext,
  revokeAndVerify,
} from '../../src/protocol/revoke-and-verify.ts'
import { createBudget } from '../../src/retry/budget.ts'
import {
  failed,
  gate,
  listOf,
  ok,
  rowOf,
  type Script,
  scriptApi,
  status,
  unreachable,
} from '../support/scripted-api.ts'

const done = ok(null)
const without = ok(listOf([rowOf('own', { prefix: 'api-key' })]))
const withKey = ok(listOf([rowOf('own', { prefix: 'api-key' }), rowOf('id')]))
const doubtful = ok(listOf([rowOf('own', { prefix: 'api-key' })], { doubt: 'it comes from a cache' }))

interface Case extends Script {
  token?: string | null
  createdAt?: number | null
  expiresAt?: number | null
  skew?: number | null
  credential?: string | null
  budgetMs?: number
  random?: number
}

/** Revokes the key `id` in virtual time that starts at 1,000,000 ms. */
async function revoke({ token = 'key', createdAt = 0, expiresAt = null, skew = 0, ...options }: Case = {}) {
  const START = 1_000_000
  const { credential = 'api-key', budgetMs = 60_000, random = 0.5, ...script } = options
  const scripted = scriptApi({ revoke: [done], probe: [status(401)], list: [withKey], ...script }, START)
  const { api, clock, calls, budgetOf, run } = scripted
  const isMissing = missingCheck({ api, gone: new Set() })
  const context: RevocationContext = {
    ...{ api, clock, random: () => random, credential, skew, isMissing },
    budget: budgetOf(budgetMs),
  }
  const { value, took } = await run(
    revokeAndVerify({ token, id: 'id', prefix: 'prefix', createdAt, expiresAt }, context),
  )
  return { result: value, calls, took, times: calls.map((call) => Number.parseInt(call, 10)) }
}
const revoked = (granted = true) => ({ revoked: true, verified: true, granted })
const unverified = (granted = true) => ({ ...revoked(granted), verified: false })
const unconfirmed = (reason: unknown) => ({ revoked: false, reason })

describe('a key', () => {
  test('revokes itself, and its 401 verifies that, in two requests', async () => {
    const { result, calls } = await revoke()
    expect(result).toEqual(revoked())
    expect(calls).toEqual(['0 revoke key id', '0 probe key'])
  })

  test.each([403, 404])('is revoked with api-key where it may not revoke itself (%i)', async (code) => {
    const { result, calls } = await revoke({ revoke: [status(code), done] })
    expect(result).toEqual(revoked())
    expect(calls).toEqual(['0 revoke key id', '0 revoke api-key id', '0 probe key'])
  })

  test('is revoked with api-key where it gets 401 for that alone', async () => {
    const { result, calls } = await revoke({ revoke: [status(401), done], probe: [done, status(401)] })
    expect(result).toEqual(revoked())
    expect(calls).toEqual(['0 revoke key id', '0 probe key', '0 revoke api-key id', '0 probe key'])
  })

  test.each([400, 405, 409, 410, 422, 500])(
    'is revoked with api-key after %i to its own request',
    async (code) => {
      const { result, calls } = await revoke({ revoke: [status(code), done] })
      expect(result).toEqual(revoked())
      expect(calls).toEqual(['0 revoke key id', '0 revoke api-key id', '0 probe key'])
    },
  )

  test('is revoked with api-key where its own request alone gets no answer', async () => {
    const byApiKeyAlone = (credential: string) => (credential === 'key' ? unreachable : done)
    const { result, calls } = await revoke({ revoke: byApiKeyAlone })
    expect(result).toEqual(revoked())
    expect(calls).toEqual(['0 revoke key id', '0 revoke api-key id', '0 probe key'])
  })

  test('whose own requests are limited is revoked with api-key before anything waits', async () => {
    const limited = failed({ status: 429, retryable: true, retryAfter: 40_000 })
    const { calls } = await revoke({
      revoke: (credential: string) => (credential === 'key' ? limited : done),
    })
    expect(calls).toEqual(['0 revoke key id', '0 revoke api-key id', '0 probe key'])
  })

  test.each([60, 3_600])(
    'does not wait for the limit of api-key (%i s) where its own ends sooner',
    async (seconds) => {
      let count = 0
      const limited = (retryAfter: number) => failed({ status: 429, retryable: true, retryAfter })
      const { result, times } = await revoke({
        revoke: (credential: string) => {
          if (credential === 'api-key') return limited(seconds * 1_000)
          return count++ < 2 ? limited(5_000) : done
        },
      })
      expect(result).toEqual(revoked())
      expect(times.at(-1)).toBeLessThan(15_000)
    },
  )

  test.each([
    ['api-key', 'key', failed({ status: 502, retryable: true })],
    ['key', 'api-key', failed({ status: 502, retryable: true })],
    ['api-key', 'key', status(404)],
    ['api-key', 'key', unreachable],
    ['key', 'api-key', unreachable],
  ])('is revoked soon with %s after one failure while %s is limited', async (free, _, hiccup) => {
    let count = 0
    const limited = failed({ status: 429, retryable: true, retryAfter: 1_200_000 })
    const script = (credential: string) => {
      if (credential !== free) return limited
      return count++ === 0 ? hiccup : done
    }
    const { result, times } = await revoke({ revoke: script })
    expect(result).toEqual(revoked())
    expect(times.at(-1)).toBeLessThan(15_000)
  })

  test('waits for the limit of api-key while its own requests fail, and asks the one whose turn it is', async () => {
    const LIMIT_MS = 300_000
    const { api, time, clock, calls, run } = scriptApi({
      revoke: (credential: string) => {
        if (credential === 'key') return failed({ status: 409, retryable: true })
        if (time.now() >= LIMIT_MS) return done
        return failed({ status: 429, retryable: true, retryAfter: LIMIT_MS - time.now() })
      },
      probe: [status(401)],
      list: [withKey],
    })
    const throttle = { latest: 1_800_000, onWait: () => {} }
    const budget = createBudget({ deadline: 60_000, clock, throttle })
    const context = { api, clock, random: () => 0.5, budget, credential: 'api-key', skew: null }
    const key = { token: 'key', id: 'id', prefix: 'prefix', createdAt: null, expiresAt: null }
    expect((await run(revokeAndVerify(key, context))).value).toMatchObject({ revoked: true })
    expect(
      calls.filter((call) => call.includes('revoke api-key') && Number.parseInt(call, 10) < LIMIT_MS),
    ).toHaveLength(1)
  })

  test('is asked for again with api-key where its own limit keeps its 401 from being seen', async () => {
    const limited = failed({ status: 429, retryable: true, retryAfter: 7_200_000 })
    const { result, calls } = await revoke({
      revoke: (credential: string) => (credential === 'key' ? limited : done),
      probe: [limited],
    })
    expect(result).toMatchObject({ revoked: false })
    expect(calls.filter((call) => call.includes('revoke api-key')).length).toBeGreaterThan(3)
  })

  test.each([302, 404])('is retried after %i, which may pass', async (code) => {
    const answers = { revoke: [status(code), status(code), done], probe: [done, status(401)] }
    const { result, times } = await revoke(answers)
    expect(result).toEqual(revoked())
    expect(times.at(-1)).toBeLessThan(5_000)
  })

  test('is verified by a later 404 to api-key if the check of its grant got no clear answer', async () => {
    let asked = 0
    const script = (credential: string) => {
      if (credential === 'key') return status(403)
      const answers = [done, failed({ status: 503, retryable: true })]
      return answers[asked++] ?? status(404)
    }
    const { result, calls } = await revoke({ revoke: script, list: [doubtful], createdAt: 1_000_000 - 100 })
    expect(result).toEqual(revoked())
    expect(calls.length).toBeLessThan(10)
  })

  test.each([
    ['its own 404', status(404), status(403)],
    ['a 404 of a gateway', status(403), failed({ status: 404, notFromApi: true, retryable: true })],
  ])('is not verified by %s after a grant of api-key whose check failed', async (_, own, later) => {
    let asked = 0
    const script = (credential: string) => {
      if (credential === 'key') return own
      return [done, failed({ status: 503, retryable: true })][asked++] ?? later
    }
    const { result } = await revoke({ revoke: script, list: [doubtful], createdAt: 1_000_000 - 100 })
    expect(result).toMatchObject({ revoked: false })
  })

  test('that was accepted after a grant of api-key is not verified by a later 404 and 401 of a replica', async () => {
    const answers = [done, failed({ status: 503, retryable: true })]
    let asked = 0
    let probes = 0
    const { result } = await revoke({
      revoke: (credential: string) =>
        credential === 'key' ? status(404) : (answers[asked++] ?? status(404)),
      probe: () => (probes++ < 33 ? done : status(401)),
      list: [doubtful],
      createdAt: 1_000_000 - 100,
    })
    expect(result).toMatchObject({ revoked: false })
  })

  test('is not verified by a 404 to api-key and a 401 of before: the key is asked for again', async () => {
    const own = [status(401)]
    const granted = [done, done]
    const rejected = [status(401), status(401)]
    const { result } = await revoke({
      revoke: (credential) => (credential === 'key' ? own : granted).shift() ?? status(404),
      probe: () => rejected.shift() ?? done,
      list: [doubtful],
      createdAt: 1_000_000 - 100,
    })
    expect(result).toEqual(unconfirmed(expect.stringContaining('the API still accepts it')))
  })

  test('waits for its own turn where api-key may not revoke it', async () => {
    let count = 0
    const limited = failed({ status: 429, retryable: true, retryAfter: 20_000 })
    const third = (credential: string) => {
      if (credential === 'api-key') return status(403)
      return count++ < 2 ? limited : done
    }
    const { result, calls } = await revoke({ revoke: third })
    expect(result).toEqual(revoked())
    expect(calls.map((call) => call.replace(/^\d+ /, ''))).toEqual([
      'revoke key id',
      'revoke api-key id',
      'revoke key id',
      'revoke key id',
      'probe key',
    ])
  })

  test('is revoked by itself in the next round where that got no answer, and api-key may not revoke', async () => {
    let count = 0
    const once = (credential: string) =>
      credential === 'key' ? (count++ === 0 ? unreachable : done) : status(403)
    const { result } = await revoke({ revoke: once, probe: [done, status(401)] })
    expect(result).toEqual(revoked())
  })

  test('goes on revoking itself in every round in which that failed, where api-key may not revoke', async () => {
    let count = 0
    const fourth = (credential: string) =>
      credential !== 'key' ? status(403) : count++ < 3 ? unreachable : done
    const { result } = await revoke({ revoke: fourth, probe: [done, done, done, status(401)] })
    expect(result).toEqual(revoked())
  })

  test('that nothing may revoke is probed until there is an answer, which a list then confirms', async () => {
    const { result } = await revoke({
      ...{ revoke: [status(405)], probe: [unreachable, unreachable, status(401)], list: [without] },
    })
    expect(result).toEqual(revoked(false))
  })

  test('that is still accepted has no list read, which could not settle anything', async () => {
    const { calls } = await revoke({ probe: [done], budgetMs: 30_000 })
    expect(calls.filter((call) => call.includes('list'))).toEqual([])
  })

  test.each(['its certificate was not accepted', 'the proxy refused the tunnel with status 407'])(
    'is asked for again after an error of the network that would be final in main: %s',
    async (message) => {
      const broken = failed({ message })
      for (const revocations of [[broken], [broken, broken, broken, broken]]) {
        const script = { revoke: [...revocations, done], list: [...revocations.map(() => withKey), without] }
        expect((await revoke({ ...script, probe: [broken, status(401)] })).result).toEqual(revoked())
        expect((await revoke({ ...script, token: null })).result).toEqual(unverified())
      }
    },
  )

  test.each([400, 403])(
    'is asked for again after a %i that the list gets as well, as it is not about the revocation',
    async (code) => {
      const { result } = await revoke({
        ...{ revoke: [status(code), status(code), done], probe: [status(code), status(401)] },
      })
      expect(result).toEqual(revoked())
    },
  )

  test('is given up early after a refusal if the API still accepts it', async () => {
    const { result, took } = await revoke({ revoke: [status(403)], probe: [done] })
    expect(result).toMatchObject({ revoked: false })
    expect(took).toBeLessThan(1_000)
  })

  test.each([0.01, 0.4, 0.99])(
    'is tried once more shortly before the end, however long the waits are (random %d)',
    async (random) => {
      const { result, times } = await revoke({ revoke: [unreachable], probe: [unreachable], random })
      expect(result).toMatchObject({ revoked: false })
      expect(times.at(-1)).toBeGreaterThan(57_000)
    },
  )

  test('is tried in at most 40 requests of a minute in which nothing answers', async () => {
    const { result, calls } = await revoke({
      revoke: [unreachable],
      probe: [unreachable],
      list: [unreachable],
    })
    expect(result).toMatchObject({ revoked: false })
    expect(calls.length).toBeLessThanOrEqual(40)
  })

  test('is revoked with itself alone where there is no other credential', async () => {
    const { result, calls } = await revoke({ credential: null, revoke: [status(403)], probe: [done] })
    expect(result).toEqual(unconfirmed('failure 403; the API still accepts it'))
    expect(calls.join()).not.toContain('api-key')
  })
})

describe('something that answers every request with an empty success', () => {
  const stub = failed({
    message: 'answered 204',
    status: 204,
    retryable: true,
    mayHaveActed: true,
    unusable: true,
  })

  test('has granted nothing: a 401 of an authentication service that is down then verifies nothing', async () => {
    const { result } = await revoke({ revoke: [done, status(401)], probe: [stub, stub, status(401)] })
    expect(result).toEqual(unconfirmed(expect.stringContaining('nothing confirms that it was revoked')))
  })

  test('has granted nothing to api-key either: its later 404, and a 401, then verify nothing', async () => {
    let asked = 0
    const { result } = await revoke({
      revoke: (credential) => (credential === 'key' ? status(403) : asked++ < 2 ? done : status(404)),
      probe: () => (asked > 2 ? status(401) : stub),
      list: [doubtful],
      createdAt: 1_000_000 - 100,
    })
    expect(asked).toBeGreaterThan(2)
    expect(result).toEqual(unconfirmed(expect.stringContaining('nothing confirms that it was revoked')))
  })

  test('does not keep the key from being revoked once the API is back', async () => {
    const { result, calls } = await revoke({ probe: [stub, stub, done, status(401)] })
    expect(result).toEqual(revoked())
    expect(calls.filter((call) => call.includes('revoke'))).toHaveLength(2)
  })
})

describe('a 401 to a key that nothing has revoked', () => {
  const byApiKeyAlone = (credential: string) => (credential === 'key' ? status(401) : done)

  test('proves nothing: api-key revokes the fresh key that a replica does not know yet', async () => {
    const { result, calls } = await revoke({ revoke: byApiKeyAlone, list: [without] })
    expect(result).toEqual(revoked())
    expect(calls).toEqual([
      '0 revoke key id',
      '0 probe key',
      '0 revoke api-key id',
      // An API that answers 404 now would not have granted it to a replica that does not know the key.
      '0 revoke api-key id',
      '0 probe key',
      '0 list api-key',
    ])
  })

  test('verifies a grant to api-key that follows, if the API answers 404 to the same request then', async () => {
    for (const createdAt of [0, 1_000_000 - 100, null]) {
      let granted = 0
      const once = (credential: string) =>
        credential === 'key' || ++granted > 1 ? status(granted > 1 ? 404 : 401) : done
      const { result, calls } = await revoke({ revoke: once, list: [doubtful], createdAt })
      expect(result).toEqual(revoked())
      expect(calls).toHaveLength(5)
    }
  })

  test('does not verify a grant to api-key that follows, if something else than the API answers 404 then', async () => {
    let granted = 0
    const once = (credential: string) => {
      if (credential === 'key') return status(401)
      return ++granted > 1 ? failed({ status: 404, notFromApi: true }) : done
    }
    expect((await revoke({ revoke: once, list: [doubtful] })).result).toMatchObject({ revoked: false })
  })

  test('does not verify a grant to api-key that follows, unless a list confirms it', async () => {
    for (const list of [[withKey], [doubtful]]) {
      const { result } = await revoke({ revoke: byApiKeyAlone, list })
      expect(result).toEqual(
        unconfirmed(
          'the revocation was granted; the API rejects the key, but nothing confirms that it was revoked',
        ),
      )
    }
  })

  test('does not verify a grant to api-key before a list of 15 s after the creation confirms it', async () => {
    const fresh = { revoke: byApiKeyAlone, list: [without], createdAt: 1_000_000 - 100 }
    expect((await revoke({ ...fresh, budgetMs: 10_000 })).result).toMatchObject({ revoked: false })
    const { result, took } = await revoke(fresh)
    expect(result).toEqual(revoked())
    expect(took).toBeGreaterThan(14_000)
  })

  test.each([401, 403])(
    'does not verify a grant within 15 s of the creation where every one is granted (%i)',
    async (code) => {
      const byApiKey = (credential: string) => (credential === 'key' ? status(code) : done)
      const fresh = {
        revoke: byApiKey,
        probe: [done, status(401)],
        list: [without],
        createdAt: 1_000_000 - 100,
      }
      expect((await revoke({ ...fresh, budgetMs: 10_000 })).result).toMatchObject({ revoked: false })
      expect((await revoke({ ...fresh, list: [doubtful] })).result).toMatchObject({ revoked: false })
      const { result, took } = await revoke(fresh)
      expect(result).toEqual(revoked())
      expect(took).toBeGreaterThan(14_000)
    },
  )

  test('verifies a grant to the key itself that follows, as that shows that the key was accepted', async () => {
    const { result, calls } = await revoke({ revoke: [status(401), done] })
    expect(result).toEqual(revoked())
    expect(calls.slice(-2)).toEqual(['250 revoke key id', '250 probe key'])
  })

  test('proves nothing where api-key gets 401 as well, for as long as that lasts', async () => {
    const { result, took } = await revoke({ revoke: [status(401)], list: [status(401)] })
    expect(result).toEqual(
      unconfirmed(
        'api-key was rejected: failure 401; the API rejects the key, but nothing confirms that it was revoked',
      ),
    )
    expect(took).toBeGreaterThan(30_000)
  })

  test('is followed by a revocation as soon as the authentication service is back', async () => {
    const { result, took } = await revoke({
      revoke: [...Array(7).fill(status(401)), done],
      list: [status(401)],
    })
    expect(result).toEqual(revoked())
    expect(took).toBeLessThan(10_000)
  })

  test('verifies the revocation with a list that no longer shows the key', async () => {
    const { result, calls } = await revoke({ revoke: [status(401), status(404)], list: [without] })
    expect(result).toEqual(revoked(false))
    expect(calls).toEqual([
      '0 revoke key id',
      '0 probe key',
      '0 revoke api-key id',
      '0 probe key',
      '0 list api-key',
    ])
  })

  test.each<[string, Script['list']]>([
    ['still shows the key', [withKey]],
    ['comes from a cache', [doubtful]],
    ['does not show api-key', [ok(listOf([]))]],
    ['cannot be read', [status(403)]],
  ])('verifies nothing with a list that %s', async (_, list = []) => {
    const { result } = await revoke({ revoke: [status(401), status(404)], list })
    expect(result).toEqual(
      unconfirmed(expect.stringMatching(/^failure 404; the API rejects the key, but nothing confirms/)),
    )
  })

  test('is verified once the list can show it, even where nothing may revoke the key', async () => {
    const revokes = (credential: string) => status(credential === 'key' ? 401 : 403)
    const { result, took } = await revoke({ revoke: revokes, list: [without], createdAt: 1_000_000 })
    expect(result).toEqual(revoked(false))
    expect(took).toBeGreaterThan(14_000)
  })

  test('verifies nothing without a credential to read the list with', async () => {
    const { result } = await revoke({ revoke: [status(401)], credential: null })
    expect(result).toMatchObject({ revoked: false })
  })

  test('verifies nothing where all replicas lag behind the create request', async () => {
    // As after a create request whose key has not reached any replica yet: not in the list, not known by its id.
    const lagging = {
      revoke: (credential: string) => (credential === 'key' ? status(401) : status(404)),
      list: [without],
      createdAt: 1_000_000 - 100,
    }
    expect((await revoke({ ...lagging, budgetMs: 10_000 })).result).toMatchObject({ revoked: false })
    const { result, took } = await revoke(lagging)
    expect(result).toEqual(revoked(false))
    expect(took).toBeGreaterThan(14_000)
  })
})

describe('a 401 of something in front of the API', () => {
  test('proves nothing, however often it comes', async () => {
    const { result } = await revoke({ revoke: [gate], probe: [gate], list: [gate], expiresAt: 0 })
    expect(result).toEqual(unconfirmed(expect.stringMatching(/^failure 401/)))
  })

  test('to the probe does not verify a revocation that was granted', async () => {
    const { result } = await revoke({ probe: [gate] })
    expect(result).toEqual(unconfirmed('the revocation was granted; failure 401'))
  })

  test('is retried until the API itself answers', async () => {
    const { result, took } = await revoke({
      revoke: [gate, gate, gate, gate, done],
      probe: [gate, gate, status(401)],
    })
    expect(result).toEqual(revoked())
    expect(took).toBeLessThan(20_000)
  })
})

describe('a key that only itself may revoke', () => {
  test('is revoked once every replica knows it, although api-key is refused for good', async () => {
    let asked = 0
    const { result } = await revoke({
      revoke: (credential) => (credential === 'api-key' ? status(403) : asked++ < 6 ? status(401) : done),
      probe: () => (asked > 6 ? status(401) : done),
    })
    expect(result).toEqual(revoked())
    expect(asked).toBe(7)
  })
})

describe('a grant', () => {
  test('is not forgotten because the answer to the key was cut', async () => {
    const cut = failed({ message: 'cut', mayHaveActed: true, retryable: true, unusable: true })
    const { result, calls } = await revoke({
      revoke: [done, status(404)],
      probe: [cut, status(401)],
      list: [doubtful],
    })
    expect(result).toEqual(revoked())
    expect(calls).toHaveLength(3)
  })

  test('that takes effect late is waited for, although api-key, which is asked alone by then, is refused', async () => {
    let probes = 0
    const { result, took } = await revoke({
      revoke: (credential) => (credential === 'api-key' ? status(403) : probes < 33 ? done : status(401)),
      probe: () => (probes++ < 33 ? done : status(401)),
      list: [without],
    })
    expect(result).toMatchObject({ revoked: true })
    expect(took).toBeGreaterThan(20_000)
  })
})

describe('a key whose expiry has passed', () => {
  const NOW = 1_000_000
  const expired = (expiresAt: number, more: Case = {}) =>
    revoke({ revoke: [status(401)], list: [status(401)], expiresAt, skew: 0, budgetMs: 5_000, ...more })

  test('is verified by its 401', async () => {
    expect((await expired(NOW - 1_001)).result).toEqual(revoked(false))
  })

  test('is revoked with api-key all the same, because the server may have extended it', async () => {
    const { calls } = await expired(NOW - 1_001)
    expect(calls).toEqual(['0 revoke key id', '0 probe key', '0 revoke api-key id'])
  })

  test.each<[string, number, Case]>([
    ['less than a second ago', NOW - 900, {}],
    ['not yet', NOW + 60_000, {}],
    ['not by the Date of the response', NOW - 60_000, { probe: [failed({ status: 401 }, -61_000)] }],
    ['not by the API’s own times', NOW - 60_000, { skew: -61_000 }],
    ['only by our own clock, as nothing shows the server’s', NOW - 60_000, { skew: null }],
  ])('is not verified by it where that was %s', async (_, expiresAt, more) => {
    const { result } = await expired(expiresAt, { ...more, budgetMs: 700 })
    expect(result).toMatchObject({ revoked: false })
  })

  test('is not verified while the server accepts it, as a server may extend an expiry', async () => {
    const { result, calls } = await expired(NOW - 60_000, { revoke: [done], probe: [done] })
    expect(result).toMatchObject({ revoked: false })
    expect(calls[0]).toBe('0 revoke key id')
  })

  test('is still revoked first', async () => {
    const { result } = await expired(NOW - 60_000, { revoke: [done], probe: [status(401)] })
    expect(result).toEqual(revoked())
  })
})

describe('a key without a value', () => {
  test('is revoked with api-key, and unverified once a list no longer shows it', async () => {
    const { result, calls } = await revoke({ token: null, list: [without] })
    expect(result).toEqual(unverified())
    expect(calls).toEqual(['0 revoke api-key id', '0 list api-key'])
  })

  test('is not revoked by a grant alone: it is revoked again while the list shows it', async () => {
    const { result, calls } = await revoke({ token: null, list: [withKey, withKey, without] })
    expect(result).toEqual(unverified())
    expect(calls.filter((call) => call.includes('revoke'))).toHaveLength(3)
  })

  test('that the API does not know counts as revoked already once a list shows that', async () => {
    expect((await revoke({ token: null, revoke: [status(404)], list: [without] })).result).toEqual(
      unverified(false),
    )
  })

  test('that the API does not know is reported where no list shows that', async () => {
    const { result } = await revoke({ token: null, revoke: [status(404)], list: [doubtful] })
    expect(result).toMatchObject({ revoked: false })
  })

  test('whose revocation is refused is reported with the reason', async () => {
    const { result } = await revoke({ token: null, revoke: [status(403)] })
    expect(result).toEqual(unconfirmed('failure 403; no list confirms that it is gone'))
  })

  test('is not said to be in the list where the list could not be relied on', async () => {
    const { result } = await revoke({ token: null, list: [doubtful], budgetMs: 5_000 })
    if (result.revoked) throw new Error('it counts as revoked')
    expect(result.reason).toBe('the revocation was granted; no list confirms that it is gone')
  })

  test('cannot be revoked without a credential', async () => {
    const { result, calls } = await revoke({ token: null, credential: null })
    expect(result).toEqual(
      unconfirmed('there was no credential left that may be sent; no list confirms that it is gone'),
    )
    expect(calls).toEqual([])
  })
})

describe('the 401 that verifies a revocation', () => {
  const accepted = (count: number) => Array(count).fill(done)

  test('is waited for, as caches and replicas lag, every 0.5 to 1 s', async () => {
    const at = async (random: number) =>
      (await revoke({ probe: [done, done, status(401)], random })).times.slice(1)
    expect(await at(0)).toEqual([0, 500, 1_000])
    expect(await at(0.5)).toEqual([0, 750, 1_500])
    expect(await at(0.998)).toEqual([0, 999, 1_998])
  })

  test('that does not come within 10 s leads to a revocation with api-key', async () => {
    const { result, calls } = await revoke({ probe: [...accepted(15), status(401)] })
    expect(result).toEqual(revoked())
    expect(calls.filter((call) => call.includes('revoke'))).toEqual([
      '0 revoke key id',
      '10750 revoke api-key id',
    ])
  })

  test('does not verify a grant after which the key was accepted, unless a list confirms it', async () => {
    const later = { revoke: [done, status(401), status(404)], probe: [...accepted(15), status(401)] }
    expect((await revoke({ ...later, budgetMs: 15_000 })).result).toMatchObject({ revoked: false })
    expect((await revoke({ ...later, list: [without] })).result).toEqual(revoked())
  })

  test('does not come after a 404 that a router gave: the key is revoked again', async () => {
    const again = await revoke({
      revoke: [status(404), status(404), done],
      probe: [...accepted(15), status(401)],
    })
    expect(again.result).toEqual(revoked())
  })

  test.each<[string, Script['probe'], string]>([
    ['answered with 403', [status(403)], 'failure 403'],
    ['answered with 404', [status(404)], 'failure 404'],
    ['answered with 500', [status(500)], 'failure 500'],
    ['not answered', [unreachable], 'unreachable'],
  ])(
    'is not there while the key is %s, which is the reason that is reported',
    async (_, probe = [], reason) => {
      const { result, took } = await revoke({ probe })
      expect(result).toEqual(unconfirmed(`the revocation was granted; ${reason}`))
      expect(took).toBeGreaterThan(48_000)
      expect(took).toBeLessThanOrEqual(60_000)
    },
  )

  test('is not there while the key is accepted, however often it is revoked', async () => {
    const { result, took, calls } = await revoke({ probe: [done] })
    expect(result).toEqual(unconfirmed(expect.stringContaining('the API still accepts it')))
    expect(took).toBeGreaterThan(48_000)
    expect(took).toBeLessThanOrEqual(60_000)
    expect(calls.filter((call) => call.includes('revoke')).length).toBeGreaterThan(3)
  })

  test('is not there: what is reported is that the revocation was granted, not that the id is unknown', async () => {
    const { result } = await revoke({ probe: [done] })
    expect(result).toEqual(unconfirmed(expect.stringContaining('the revocation was granted')))
  })

  test('is not there: what is reported is that the revocation was granted, not that a later one was refused', async () => {
    const { result } = await revoke({ revoke: [done, status(403)], probe: [done] })
    expect(result).toEqual(unconfirmed('the revocation was granted; the API still accepts it'))
  })

  test('is waited for at a rate-limited API as long as it asks, and its 10 s begin after that', async () => {
    const limited = failed({ status: 429, retryable: true, retryAfter: 20_000 })
    const verified = await revoke({ probe: [limited, limited, status(401)] })
    expect(verified.result).toEqual(revoked())
    expect(verified.times).toEqual([0, 0, 20_250, 40_750])
    const accepted = await revoke({ probe: [limited, done], budgetMs: 40_000 })
    expect(accepted.calls.find((call) => /^[1-9].*revoke/.test(call))).toMatch(/^3\d{4} /)
  })

  test('counts if it comes with the very last probe', async () => {
    const last = [...accepted(14), status(401)]
    expect((await revoke({ probe: last, budgetMs: 10_600 })).result).toEqual(revoked())
    expect((await revoke({ probe: [done, ...last], budgetMs: 10_600 })).result).toMatchObject({
      revoked: false,
    })
  })

  test.each([0.1, 0.5, 0.99])('is asked for with half a second left or more (random %d)', async (random) => {
    for (const budgetMs of [500, 501, 1_500, 1_501, 2_000, 12_000, 60_000]) {
      const { times } = await revoke({ probe: [done], budgetMs, random })
      expect(budgetMs - Math.max(...times)).toBeGreaterThanOrEqual(500)
    }
  })

  test('verifies what the key itself was granted, though the API later grants any DELETE to api-key', async () => {
    const silentFor10s = [...Array(15).fill(unreachable), status(401)]
    const { result, calls } = await revoke({ createdAt: null, probe: silentFor10s })
    expect(result).toEqual(revoked())
    expect(calls.filter((call) => call.includes('revoke api-key'))).toHaveLength(1)
    expect(Number.parseInt(calls.at(-1) ?? '', 10)).toBeLessThan(MAX_REPLICA_LAG_MS)
  })

  test('does not confirm a revocation that was not answered, unless a list does', async () => {
    expect((await revoke({ revoke: [unreachable], budgetMs: 5_000 })).result).toMatchObject({
      revoked: false,
    })
    expect((await revoke({ revoke: [unreachable], list: [without], budgetMs: 5_000 })).result).toEqual(
      revoked(false),
    )
  })
})

describe('the deadline', () => {
  test.each([
    ['the key revokes itself at last', 2, 120_000, 20_000],
    ['api-key revokes it once its limit has ended', Infinity, 120_000, 160_000],
  ])('is extended for a limit of api-key in a later round: %s', async (_, ownAsks, limitMs, latest) => {
    let asked = 0
    let ended = false
    const { api, time, clock, run } = scriptApi({
      revoke: (credential: string) => {
        if (credential === 'api-key' && time.now() < limitMs)
          return failed({ status: 429, retryable: true, retryAfter: limitMs - time.now() })
        ended ||= credential === 'api-key' || ++asked === ownAsks
        return done
      },
      probe: () => (ended ? status(401) : done),
      list: [withKey],
    })
    const throttle = { latest: 1_800_000, onWait: () => {} }
    const budget = createBudget({ deadline: 60_000, clock, throttle })
    const key = { token: 'key', id: 'id', prefix: 'prefix', createdAt: 0, expiresAt: null }
    const context = { api, clock, random: () => 0.5, budget, credential: 'api-key', skew: null }
    expect((await run(revokeAndVerify(key, context))).value).toEqual(revoked())
    expect(time.now()).toBeLessThan(latest)
  })

  test('ends an unanswered revocation with the reason of the last request', async () => {
    const { result, took } = await revoke({ revoke: [unreachable], probe: [unreachable], budgetMs: 10_000 })
    expect(result).toEqual(unconfirmed(expect.stringMatching(/^unreachable/)))
    expect(took).toBeLessThanOrEqual(10_000)
  })
})

const [Y, n] = [true, false]

describe('a key is verified as revoked', () => {
  test.each([
    // granted, rejected, missing, expired
    [n, n, n, n, false, 'with no evidence'],
    [Y, n, n, n, false, 'by a grant alone'],
    [n, Y, n, n, false, 'by a 401 alone'],
    [n, n, Y, n, false, 'by a list alone'],
    [n, n, n, Y, false, 'by its expiry alone, which the server may have extended'],
    [Y, Y, n, n, true, 'by a grant, then a 401'],
    [n, Y, Y, n, true, 'by a 401, and a list without it'],
    [n, Y, n, Y, true, 'by a 401 after its expiry'],
    [Y, n, Y, n, false, 'by a grant and a list, while it is not rejected'],
    [Y, n, n, Y, false, 'by a grant and its expiry, while it is not rejected'],
    [n, n, Y, Y, false, 'by a list and its expiry, while it is not rejected'],
    [Y, Y, Y, n, true, 'by a grant, a 401 and a list'],
    [Y, Y, n, Y, true, 'by a grant, a 401 and its expiry'],
    [n, Y, Y, Y, true, 'by a 401, a list and its expiry'],
    [Y, n, Y, Y, false, 'by all but a 401'],
    [Y, Y, Y, Y, true, 'by everything'],
  ])(
    '(granted %s, rejected %s, missing %s, expired %s): %s %s',
    (granted, rejected, missing, expired, verified) => {
      expect(isVerifiedRevoked({ granted, rejected, missing, expired })).toBe(verified)
    },
  )
})
