import { describe, expect, test } from '@jest/globals'
import type { ApiFailure, ApiResult, KeyApi } from '../../src/api/key-api.ts'
import { type RevocationResult, revokeAndVerify, revokeById } from '../../src/protocol/revoke-and-verify.ts'
import { createBudget } from '../../src/retry/budget.ts'
import { clockOn, createTime } from '../simulation/time.ts'

const done: ApiResult<null> = { ok: true, skew: null, value: null }
const failure = (more: Partial<ApiFailure>): ApiResult<null> => ({
  ok: false,
  skew: null,
  failure: { message: `problem ${more.status ?? ''}`.trim(), mayHaveActed: false, retryable: false, ...more },
})
const status = (code: number) => failure({ status: code })
const unreachable = failure({ message: 'unreachable', retryable: true, mayHaveActed: true })

/** An API that answers revocations and probes in turn (its last answer again and again), in virtual time. */
function script(revocations: ApiResult<null>[], probes: ApiResult<null>[], random = 0.5) {
  const time = createTime(0)
  const clock = clockOn(time, 0, () => true)
  const calls: string[] = []
  const answer = (name: string, replies: ApiResult<null>[]) => {
    let count = 0
    return async (credential: string, what: unknown) => {
      calls.push(`${time.now()} ${name} ${credential}${typeof what === 'string' ? ` ${what}` : ''}`)
      return replies[Math.min(count++, replies.length - 1)] as ApiResult<null>
    }
  }
  const api: KeyApi = {
    create: () => Promise.reject(new Error('nothing is created here')),
    list: () => Promise.reject(new Error('nothing is listed here')),
    revoke: answer('revoke', revocations),
    probe: answer('probe', probes),
  }
  return { time, clock, calls, tools: { api, clock, random: () => random } }
}

async function end(
  options: {
    token?: string | null
    apiKey?: string | null
    revocations?: ApiResult<null>[]
    probes?: ApiResult<null>[]
    budget?: number
    random?: number
  } = {},
): Promise<{ ending: RevocationResult; calls: string[]; took: number }> {
  const { token = 'key', apiKey = 'api-key' } = options
  const { time, clock, calls, tools } = script(
    options.revocations ?? [done],
    options.probes ?? [status(401)],
    options.random,
  )
  const run = revokeAndVerify(
    { token, id: 'id' },
    apiKey,
    tools,
    createBudget(options.budget ?? 60_000, clock),
  )
  await time.runUntil(run)
  return { ending: await run, calls, took: time.now() }
}

describe('a key that is ended', () => {
  test('revokes itself, and its own 401 is the proof', async () => {
    const { ending, calls } = await end()
    expect(ending).toEqual({ dead: true, verified: true, already: false })
    expect(calls).toEqual(['0 revoke key id', '0 probe key'])
  })

  test.each([403, 404])('is revoked with api-key where it may not revoke itself (%i)', async (code) => {
    const { ending, calls } = await end({ revocations: [status(code), done] })
    expect(ending).toEqual({ dead: true, verified: true, already: false })
    expect(calls).toEqual(['0 revoke key id', '0 revoke api-key id', '0 probe key'])
  })

  test('is revoked with api-key where it may not revoke itself and lives (401)', async () => {
    const { ending, calls } = await end({ revocations: [status(401), done], probes: [done, status(401)] })
    expect(ending).toEqual({ dead: true, verified: true, already: false })
    expect(calls).toEqual(['0 revoke key id', '0 probe key', '0 revoke api-key id', '0 probe key'])
  })

  test('and is dead already, as its 401 to another request shows, needs no api-key', async () => {
    const { ending, calls } = await end({ revocations: [status(401)] })
    expect(ending).toEqual({ dead: true, verified: true, already: true })
    expect(calls).toEqual(['0 revoke key id', '0 probe key'])
  })

  test('and cannot be proved dead at first is asked again, api-key or not', async () => {
    const shaky = { revocations: [status(401)], probes: [unreachable, unreachable, status(401)] }
    const { ending, calls } = await end({ ...shaky, apiKey: null })
    expect(ending).toEqual({ dead: true, verified: true, already: true })
    expect(calls).toEqual(['0 revoke key id', '0 probe key', '0 probe key', '750 probe key'])
    expect((await end({ ...shaky, revocations: [status(401), status(404)] })).ending).toMatchObject({
      dead: true,
    })
  })

  test.each([400, 405])('is not revoked with api-key after %i, which api-key cannot cure', async (code) => {
    const { ending, calls } = await end({ revocations: [status(code)], probes: [done] })
    expect(ending).toEqual({ dead: false, reason: `problem ${code}` })
    expect(calls).toEqual(['0 revoke key id', '0 probe key'])
  })

  test('is not revoked with an api-key that must not be sent', async () => {
    const { ending, calls } = await end({ apiKey: null, revocations: [status(403)], probes: [done] })
    expect(ending).toEqual({ dead: false, reason: 'problem 403' })
    expect(calls).toEqual(['0 revoke key id', '0 probe key'])
  })

  test.each([401, 404])('was dead already where both get %i and so does the probe, 401', async (code) => {
    const { ending } = await end({ revocations: [status(code)] })
    expect(ending).toEqual({ dead: true, verified: true, already: true })
  })

  test.each(['a b', 'a\n', 'ä', ''])('is never sent where its text cannot be (%j)', async (token) => {
    const { ending, calls } = await end({ token })
    expect(ending).toEqual({ dead: true, verified: false, already: false })
    expect(calls).toEqual(['0 revoke api-key id'])
  })
})

describe('a key without a text', () => {
  test('is dead by the word of a 204, unverified', async () => {
    const { ending, calls } = await end({ token: null })
    expect(ending).toEqual({ dead: true, verified: false, already: false })
    expect(calls).toEqual(['0 revoke api-key id'])
  })

  test('is not dead by a 404, nor by a refusal', async () => {
    expect((await end({ token: null, revocations: [status(404)] })).ending).toEqual({
      dead: false,
      reason: 'the API does not know its id',
    })
    expect((await end({ token: null, revocations: [status(403)] })).ending).toEqual({
      dead: false,
      reason: 'problem 403',
    })
  })

  test('cannot be revoked where api-key must not be sent', async () => {
    const { ending, calls } = await end({ token: null, apiKey: null })
    expect(ending).toEqual({ dead: false, reason: 'there was no credential left to ask with' })
    expect(calls).toEqual([])
  })
})

describe('the proof', () => {
  test('is waited for, as caches may lag, every 0.5 to 1 s', async () => {
    const at = async (random: number) =>
      (await end({ probes: [done, done, status(401)], random })).calls
        .slice(1)
        .map((call) => parseInt(call, 10))
    expect(await at(0)).toEqual([0, 500, 1_000])
    expect(await at(0.5)).toEqual([0, 750, 1_500])
    expect(await at(0.998)).toEqual([0, 999, 1_998])
  })

  test('does not come within 10 s: the key is revoked again', async () => {
    const again = await end({ probes: [...Array(15).fill(done), status(401)] })
    expect(again.ending).toEqual({ dead: true, verified: true, already: false })
    expect(again.calls.filter((call) => call.includes('revoke'))).toEqual([
      '0 revoke key id',
      '10500 revoke key id',
    ])
  })

  test('that comes in the second round is that of a revocation in the first', async () => {
    const { ending } = await end({
      revocations: [done, status(401)],
      probes: [...Array(15).fill(done), status(401)],
    })
    expect(ending).toEqual({ dead: true, verified: true, already: false })
  })

  test('is not borne for beyond the first round: a throttled API that does not keep its word', async () => {
    const { time, clock, calls, tools } = script([done], [done])
    let end = 20_000
    const budget = {
      left: () => Math.max(0, end - clock.now()),
      limits: () => ({ timeout: 1 }),
      pause: (duration: number) => clock.sleep(duration),
      extend: (wait: number) => {
        end += wait
      },
    }
    const throttled = failure({ status: 429, retryable: true, retryAfter: 1_000 })
    let count = 0
    const api = { ...tools.api, probe: async () => (count++ % 2 === 0 ? throttled : done) }
    const run = revokeAndVerify({ token: 'key', id: 'id' }, null, { ...tools, api }, budget)
    await time.runUntil(run)
    expect(await run).toMatchObject({ dead: false })
    expect(time.now()).toBeLessThan(60_000)
    expect(calls.filter((call) => call.includes('revoke')).length).toBeLessThan(6)
  })

  test('does not come after 404, which a router may give: the key is revoked again', async () => {
    const again = await end({
      revocations: [status(404), status(404), done],
      probes: [...Array(15).fill(done), status(401)],
    })
    expect(again.ending).toEqual({ dead: true, verified: true, already: false })
    const never = await end({ revocations: [status(404)], probes: [done] })
    expect(never.ending).toEqual({
      dead: false,
      reason: 'the API does not know its id, but then: the API still accepts it',
    })
  })

  test('is given up when the time is over, and the reason says what the API does instead', async () => {
    const accepted = await end({ probes: [done] })
    expect(accepted.ending).toEqual({
      dead: false,
      reason: 'the API answered as if it were revoked, but then: the API still accepts it',
    })
    expect(accepted.took).toBeGreaterThan(59_000)
    expect(accepted.calls.filter((call) => call.includes('revoke'))).toHaveLength(6)
    const other = await end({ probes: [status(403)] })
    expect(other.ending).toEqual({
      dead: false,
      reason: 'the API answered as if it were revoked, but then: problem 403',
    })
  })

  test('is waited for at a throttled API as long as it asks, and its 10 s begin after that', async () => {
    const throttled = failure({ status: 429, retryable: true, retryAfter: 20_000 })
    const proved = await end({ probes: [throttled, throttled, status(401)] })
    expect(proved.ending).toEqual({ dead: true, verified: true, already: false })
    expect(proved.calls.map((call) => parseInt(call, 10))).toEqual([0, 0, 20_250, 40_750])
    const accepted = await end({ probes: [throttled, done], budget: 40_000 })
    expect(accepted.calls.at(16)).toBe(`${20_250 + 10_500} probe key`)
    expect(accepted.calls.at(17)).toBe(`${20_250 + 10_500} revoke key id`)
  })

  test('that comes with the very last probe counts', async () => {
    const last = [...Array(14).fill(done), status(401)]
    expect((await end({ probes: last, budget: 10_600 })).ending).toMatchObject({ dead: true, verified: true })
    expect((await end({ probes: [done, ...last], budget: 10_600 })).ending).toMatchObject({ dead: false })
  })

  test('is not waited for with half a second or less left', async () => {
    expect((await end({ probes: [done], budget: 500 })).calls).toHaveLength(2)
    expect((await end({ probes: [done], budget: 501, random: 0 })).calls).toHaveLength(3)
  })

  test.each<[string, ApiResult<null>]>([
    ['no answer', unreachable],
    ['a server error', status(500)],
    ['a 403', status(403)],
    ['a 404', status(404)],
    ['a 200', done],
  ])('is not %s', async (_, reply) => {
    expect((await end({ probes: [reply] })).ending).toMatchObject({ dead: false })
  })

  test('is asked for even where no revocation got through: the reply may have been lost', async () => {
    const { ending, calls } = await end({ revocations: [unreachable], budget: 1_000 })
    expect(ending).toEqual({ dead: true, verified: true, already: true })
    expect(calls).toEqual(['0 revoke key id', '0 probe key'])
  })

  test('that a lost revocation does not bring: the reason is that of the revocation', async () => {
    const { ending } = await end({ revocations: [unreachable], probes: [done], budget: 1_000 })
    expect(ending).toEqual({ dead: false, reason: 'unreachable' })
  })
})

describe('a revocation by id', () => {
  const revoke = async (credentials: (string | null)[], revocations: ApiResult<null>[], budget = 60_000) => {
    const { time, clock, calls, tools } = script(revocations, [done])
    const run = revokeById('id', credentials, tools, createBudget(budget, clock))
    await time.runUntil(run)
    return { answered: await run, calls }
  }

  test('is repeated with the same credential while the problem may pass', async () => {
    const { answered, calls } = await revoke(['a', 'b'], [unreachable, unreachable, done])
    expect(answered).toBe('revoked')
    expect(calls).toEqual(['0 revoke a id', '250 revoke a id', '750 revoke a id'])
  })

  test('does not go on to the next credential for want of an answer', async () => {
    const { answered, calls } = await revoke(['a', 'b'], [unreachable], 1_000)
    expect(answered).toMatchObject({ message: 'unreachable', retryable: true })
    expect(calls).toEqual(['0 revoke a id'])
  })

  test('answers what the last credential met', async () => {
    expect((await revoke(['a', 'b'], [status(404), status(403)])).answered).toMatchObject({ status: 403 })
    expect((await revoke(['a', 'b'], [status(403), status(404)])).answered).toBe('gone')
  })

  test('passes over credentials that must not be sent', async () => {
    const { answered, calls } = await revoke([null, 'b'], [done])
    expect(answered).toBe('revoked')
    expect(calls).toEqual(['0 revoke b id'])
    expect((await revoke([null, null], [done])).answered).toEqual({
      message: 'there was no credential left to ask with',
      mayHaveActed: false,
      retryable: false,
    })
  })
})
