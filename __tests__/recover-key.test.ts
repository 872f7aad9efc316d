import { describe, expect, test } from '@jest/globals'
import { budgetUntil } from '../src/budget.ts'
import type { KeyApi, Reply } from '../src/key-api.ts'
import type { ListedKey } from '../src/mark.ts'
import { recoverKeys } from '../src/recover-key.ts'
import { clockOn, createTime } from './simulation/time.ts'

const key = (id: string, prefix = `prefix-of-${id}`): ListedKey => ({
  id,
  prefix,
  createdAt: 100,
  expiresAt: 5_123,
})
const MARK = { expiry: 5_123, askedAt: 0, deadline: 1_000, weak: false }
const ok = <T>(value: T): Reply<T> => ({ ok: true, skew: 0, value })
const refused = (status: number): Reply<never> => ({
  ok: false,
  skew: null,
  problem: { message: `refused with ${status}`, status, mayHaveActed: false, passing: false },
})

/** An API that lists what it is told to, in turn, and the credentials that it was asked with. */
function listing(...lists: Reply<ListedKey[]>[]) {
  const asked: string[] = []
  const next = async (credential: string) => {
    asked.push(credential)
    return lists[Math.min(asked.length, lists.length) - 1] as Reply<ListedKey[]>
  }
  const api: KeyApi = {
    list: next,
    revoke: async () => ok(null),
    create: () => Promise.reject(new Error('nothing is created here')),
    probe: async () => ok(null),
  }
  const clock = clockOn(createTime(0), 0, () => true)
  return { asked, tools: { api, clock, random: () => 0 }, budget: budgetUntil(60_000, clock) }
}

describe('a lost key that was found', () => {
  const recover = async (...lists: Reply<ListedKey[]>[]) => {
    const { tools, budget } = listing(...lists)
    return recoverKeys([MARK], ['api-key'], new Set(), tools, budget)
  }

  test('is revoked when the list no longer shows it', async () => {
    expect(await recover(ok([key('a'), key('b')]))).toEqual([
      { kind: 'unclear', candidates: [key('a'), key('b')] },
    ])
    expect(await recover(ok([key('a')]), ok([key('b')]))).toEqual([{ kind: 'revoked', key: key('a') }])
  })

  test('is not, while the list shows it', async () => {
    expect(await recover(ok([key('a')]))).toEqual([
      {
        kind: 'failed',
        problem: {
          message: 'the key prefix-of-a... (id a) is still in the list after its revocation',
          mayHaveActed: true,
          passing: true,
        },
      },
    ])
  })

  test('is not, where the list cannot be read again', async () => {
    const [recovery] = await recover(ok([key('a')]), refused(403))
    expect(recovery).toMatchObject({ kind: 'failed', problem: { message: 'refused with 403' } })
  })
})

test('without a credential, nothing is asked', async () => {
  const { asked, tools, budget } = listing(ok([]))
  const [recovery] = await recoverKeys([MARK], [null, null], new Set(), tools, budget)
  expect(asked).toEqual([])
  expect(recovery).toMatchObject({
    kind: 'failed',
    problem: { message: 'there was no credential left to ask with', passing: false },
  })
})
