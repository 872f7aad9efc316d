import { describe, expect, test } from '@jest/globals'
import type { ApiResult, KeyApi } from '../../src/api/key-api.ts'
import type { ListedKey } from '../../src/protocol/intent.ts'
import { revokeOrphans } from '../../src/protocol/revoke-orphans.ts'
import { createBudget } from '../../src/retry/budget.ts'
import { clockOn, createTime } from '../simulation/time.ts'

const key = (id: string, prefix = `prefix-of-${id}`): ListedKey => ({
  id,
  prefix,
  createdAt: 100,
  expiresAt: 5_123,
  unreadable: null,
})
const MARK = { expiry: 5_123, sentAt: 0, deadline: 1_000, ambiguous: false }
const ok = <T>(value: T): ApiResult<T> => ({ ok: true, skew: 0, value })
const refused = (status: number): ApiResult<never> => ({
  ok: false,
  skew: null,
  failure: { message: `refused with ${status}`, status, mayHaveActed: false, retryable: false },
})

/** An API that lists what it is told to, in turn, and the credentials that it was asked with. */
function listing(...lists: ApiResult<ListedKey[]>[]) {
  const asked: string[] = []
  const next = async (credential: string) => {
    asked.push(credential)
    const reply = lists[Math.min(asked.length, lists.length) - 1] as ApiResult<ListedKey[]>
    return reply.ok ? { ...reply, value: { keys: reply.value, doubt: null, pages: 1 } } : reply
  }
  const api: KeyApi = {
    list: next,
    revoke: async () => ok(null),
    create: () => Promise.reject(new Error('nothing is created here')),
    probe: async () => ok(null),
  }
  const clock = clockOn(createTime(0), 0, () => true)
  return { asked, tools: { api, clock, random: () => 0 }, budget: createBudget(60_000, clock) }
}

describe('a lost key that was found', () => {
  const recover = async (...lists: ApiResult<ListedKey[]>[]) => {
    const { tools, budget } = listing(...lists)
    return revokeOrphans([MARK], ['api-key'], new Set(), tools, budget)
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
        failure: {
          message: 'the key prefix-of-a... (id a) is still in the list after its revocation',
          mayHaveActed: true,
          retryable: true,
        },
      },
    ])
  })

  test('is not, where the list cannot be read again', async () => {
    const [recovery] = await recover(ok([key('a')]), refused(403))
    expect(recovery).toMatchObject({ kind: 'failed', failure: { message: 'refused with 403' } })
  })
})

test('without a credential, nothing is asked', async () => {
  const { asked, tools, budget } = listing(ok([]))
  const [recovery] = await revokeOrphans([MARK], [null, null], new Set(), tools, budget)
  expect(asked).toEqual([])
  expect(recovery).toMatchObject({
    kind: 'failed',
    failure: { message: 'there was no credential left to ask with', retryable: false },
  })
})
