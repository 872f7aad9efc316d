import { describe, expect, test } from '@jest/globals'
import { SKIP_SLEEPS, shiftedClock } from '../support/preload.ts'
import {
  type Behave,
  JSON_TYPE,
  type Key,
  later,
  rowOf,
  withReplaceableApi,
} from '../support/replaceable-api.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const nodeArgs = SKIP_SLEEPS

/** Another client's key: `age` old, and valid for `lifetime` in all. */
const keyOf = (age: number, lifetime: number | null): Partial<Key> => ({
  mine: false,
  created: later(-age),
  expiry: lifetime === null ? null : later(lifetime - age),
})

const created = ({ token, ...key }: Key) => ({ token, api_key: rowOf({ token, ...key }) })

/** The tokens of other clients' keys that a job revoked. */
async function revokedOfOthers(
  others: Partial<Key>[],
  behave: (keys: Key[]) => Behave,
  { inputs = {}, stepEnv = {}, noDate = false } = {},
): Promise<string[]> {
  let keys: Key[] = []
  return withReplaceableApi(
    (...given) => behave(keys)(...given),
    async ({ job, make, revoked, ...stage }) => {
      keys = others.map(make)
      await job.main({ ...stage.inputs, ...inputs }, { nodeArgs, stepEnv })
      await job.post(undefined, { nodeArgs, stepEnv })
      return revoked.filter(({ mine }) => !mine).map(({ token }) => token)
    },
    { noDate },
  )
}

describe('the stored response of another create request, which a cache gives with its own Date and Age', () => {
  const AGE_MS = 20 * MINUTE_MS
  const replay = ([key]: Key[]): Behave => {
    const headers = {
      ...JSON_TYPE,
      Date: new Date(Date.now() - AGE_MS).toUTCString(),
      Age: '1200',
      'X-Cache': 'HIT',
    }
    return ({ method, nth }) =>
      method === 'POST' && nth === 0 && key ? { status: 201, headers, body: created(key) } : undefined
  }

  test('does not have that run’s key, whose lifetime is capped, handed over and revoked', async () => {
    expect(await revokedOfOthers([keyOf(AGE_MS, 30 * MINUTE_MS)], replay)).toEqual([])
  })

  test('does not have a key that never expires revoked', async () => {
    expect(await revokedOfOthers([keyOf(AGE_MS, null)], replay)).toEqual([])
  })
})

describe('two old keys in a row, that one script created within 3 s, are not this run’s', () => {
  const inTurn = (keys: Key[]): Behave => {
    return ({ method, nth }) => {
      const key = keys[Math.min(nth, keys.length - 1)]
      return method === 'POST' && key ? { status: 201, headers: JSON_TYPE, body: created(key) } : undefined
    }
  }
  const twoOf = (age: number, lifetime: number | null) => [keyOf(age, lifetime), keyOf(age - 3_000, lifetime)]

  test('if they are an hour old and never expire, and all clocks are right', async () => {
    expect(await revokedOfOthers(twoOf(60 * MINUTE_MS, null), inTurn)).toEqual([])
  })

  test('if they are an hour old and live for a day, and all clocks are right', async () => {
    const options = { inputs: { 'expires-in': '5d' } }
    expect(await revokedOfOthers(twoOf(60 * MINUTE_MS, DAY_MS), inTurn, options)).toEqual([])
  })

  test('if they are 90 days old, and there is no Date', async () => {
    expect(await revokedOfOthers(twoOf(90 * DAY_MS, null), inTurn, { noDate: true })).toEqual([])
  })

  test('if they are 90 days old, and the runner is 2 min behind', async () => {
    const options = { stepEnv: shiftedClock(-2 * MINUTE_MS) }
    expect(await revokedOfOthers(twoOf(90 * DAY_MS, null), inTurn, options)).toEqual([])
  })

  test('if the first of them is api-key itself', async () => {
    const [sibling] = [keyOf(60 * MINUTE_MS - 2_000, null)]
    const apiKeyFirst = ([key]: Key[]): Behave => {
      return ({ method, nth }, account) => {
        const own = account.keys[0]
        if (method !== 'POST' || !own || !key) return undefined
        own.created = later(-60 * MINUTE_MS)
        return { status: 201, headers: JSON_TYPE, body: created(nth === 0 ? own : key) }
      }
    }
    expect(await revokedOfOthers([sibling], apiKeyFirst)).toEqual([])
  })
})

test('a key without created is not this run’s because its expiry is of the same minute two hours later', async () => {
  const behave = ([key]: Key[]): Behave => {
    return ({ method, nth, body }) => {
      if (method !== 'POST' || nth > 0 || !key) return undefined
      const asked = Date.parse(JSON.parse(body).expiry)
      key.expiry = new Date(Math.floor(asked / MINUTE_MS) * MINUTE_MS + 120 * MINUTE_MS).toISOString()
      const { created: _, ...row } = rowOf(key)
      return { status: 201, headers: JSON_TYPE, body: { token: key.token, api_key: row } }
    }
  }
  expect(await revokedOfOthers([keyOf(90 * DAY_MS, 91 * DAY_MS)], behave)).toEqual([])
})

test('a key of 30 min ago on a grid of whole minutes is not this run’s in local time', async () => {
  const behave = ([key]: Key[]): Behave => {
    return ({ method, nth, body }) => {
      if (method !== 'POST' || nth > 0 || !key) return undefined
      const asked = Date.parse(JSON.parse(body).expiry)
      key.expiry = new Date(Math.floor(asked / MINUTE_MS) * MINUTE_MS - 30 * MINUTE_MS).toISOString()
      return { status: 201, headers: JSON_TYPE, body: created(key) }
    }
  }
  expect(await revokedOfOthers([keyOf(30 * MINUTE_MS, null)], behave)).toEqual([])
})
