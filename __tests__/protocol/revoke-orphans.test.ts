import { describe, expect, test } from '@jest/globals'
import type { ApiResult, KeyList } from '../../src/api/key-api.ts'
import type { Intent } from '../../src/protocol/intent.ts'
import { missingCheck } from '../../src/protocol/list-trust.ts'
import { revokeOrphans } from '../../src/protocol/revoke-orphans.ts'
import type { IssuedKey } from '../../src/protocol/saved-state.ts'
import { failed, listOf, ok, rowOf, type Script, scriptApi, status } from '../support/scripted-api.ts'

const intentOf = (expiry: number): Intent => ({
  expiry,
  sentAt: 0,
  deadline: 1_000,
  refused: '',
})
const intent = intentOf(5_123.456)
const own = rowOf('own', { prefix: 'api-key' })
const orphan = rowOf('orphan', { createdAt: 100, expiresAt: intent.expiry })
const other = rowOf('other', { createdAt: 100, expiresAt: 987_654 })

/** Looks once for `intents` at an API whose lists are `lists`, in turn. */
async function look(
  lists: NonNullable<Script['list']>,
  more: {
    intents?: Intent[]
    revoke?: NonNullable<Script['revoke']>
    credential?: string | null
    gone?: string[]
    budgetMs?: number
    shift?: number
    held?: IssuedKey[]
  } = {},
) {
  const {
    intents = [intent],
    revoke = [ok(null)],
    credential = 'api-key',
    gone = [],
    budgetMs = 60_000,
    shift = 0,
  } = more
  const { api, clock, calls, budgetOf, run } = scriptApi({ list: lists, revoke })
  const world = { api, clock, random: () => 0.5, gone: new Set(gone), skew: null }
  const isMissing = missingCheck(world)
  const context = {
    ...world,
    credential,
    held: more.held ?? [],
    isMissing,
    shift,
    grid: Infinity,
    budget: budgetOf(budgetMs),
  }
  const { value } = await run(revokeOrphans(intents, context))
  return { results: value, calls }
}
const lists = (...rows: Parameters<typeof listOf>[0][]) => rows.map((keys) => ok(listOf(keys)))

describe('the twin of a key that this run holds', () => {
  // Asked for 5,123.718 ms, and stored on a grid of 1 ms, to the nearest.
  const asked = intentOf(5_123.718)
  const at = (id: string, expiresAt: number) => rowOf(id, { prefix: id, createdAt: 100, expiresAt })
  const held: IssuedKey = {
    ...{ token: 'held', id: 'held', prefix: 'held', createdAt: 100, expiresAt: 5_124 },
    ...{ asked: asked.expiry, keep: false },
  }
  const lookFor = (rows: Parameters<typeof listOf>[0], isHeld = true) =>
    look(lists([own, ...(isHeld ? [at('held', 5_124)] : []), ...rows], [own]), {
      intents: [{ ...asked, stored: 5_124 }],
      held: isHeld ? [held] : [],
    })

  test('is stored at the same instant', async () => {
    expect((await lookFor([at('twin', 5_124)])).results).toMatchObject([
      { kind: 'revoked', key: { id: 'twin' } },
    ])
  })

  test('may be a key of the millisecond before, if the list rounds otherwise, or that of another run', async () => {
    expect((await lookFor([at('neighbor', 5_123)])).results).toMatchObject([{ kind: 'ambiguous' }])
  })

  test('is known by that expiry after the main step has revoked the key', async () => {
    expect((await lookFor([at('neighbor', 5_123)], false)).results).toMatchObject([{ kind: 'ambiguous' }])
    expect((await lookFor([at('twin', 5_124)], false)).results).toMatchObject([
      { kind: 'revoked', key: { id: 'twin' } },
    ])
  })

  const repeated = { ...intentOf(5_125.718), stored: 5_125.718 }
  const hours = (count: number) => count * 3_600_000
  test.each<[string, Intent, number, string]>([
    ['to milliseconds, of an expiry that the response repeated', repeated, 5_125, 'revoked'],
    ['to seconds, of such an expiry', repeated, 5_000, 'ambiguous'],
    ['in local time, of such an expiry', repeated, 5_125.718 + hours(2), 'revoked'],
    ['to microseconds, where the response had seconds', { ...asked, stored: 5_000 }, 5_123.718, 'revoked'],
    ['to the next millisecond, of such an expiry', repeated, 5_126, 'revoked'],
    [
      'to seconds, of an expiry that it repeated in milliseconds',
      { ...repeated, stored: 5_125 },
      5_000,
      'ambiguous',
    ],
    ['30 ms later, of such an expiry', repeated, 5_155, 'ambiguous'],
    ['at another one', repeated, 5_178, 'absent'],
  ])('is recognized in a list that has it %s', async (_, intent, expiresAt, kind) => {
    const shift = expiresAt > hours(1) ? hours(2) : 0
    const twin = { ...at('twin', expiresAt), createdAt: 100 + shift }
    const { results } = await look(lists([own, twin], [own]), { intents: [intent] })
    expect(results).toMatchObject([{ kind }])
  })

  test('may expire at another instant where the API limits lifetimes', async () => {
    const capped = { ...held, createdAt: 100, expiresAt: 100 + 60_000 }
    const twin = { ...at('twin', 200 + 60_000), createdAt: 200 }
    const intents = [{ ...asked, expiry: 90_000.5, stored: capped.expiresAt }]
    const rows = [own, { ...at('held', 100 + 60_000), createdAt: 100 }, twin]
    const { results } = await look(lists(rows), { intents, held: [{ ...capped, asked: 90_000.5 }] })
    expect(results).toMatchObject([{ kind: 'ambiguous', candidates: [{ id: 'twin' }] }])
  })

  test('may never expire, where the response only repeated what was asked for', async () => {
    const rows = ['held', 'twin'].map((id) => rowOf(id, { prefix: id, createdAt: 100, expiresAt: null }))
    const { results } = await look(lists([own, ...rows]), {
      intents: [{ ...asked, stored: asked.expiry }],
      held: [{ ...held, expiresAt: asked.expiry }],
    })
    expect(results).toMatchObject([{ kind: 'ambiguous', candidates: [{ id: 'twin' }] }])
  })

  test('is what begins like a key that has been revoked', async () => {
    const twin = rowOf('twin', { prefix: 'he', createdAt: 100, expiresAt: 5_124 })
    const { results } = await look(lists([own, twin], [own]), {
      intents: [{ ...asked, stored: 5_124 }],
      held: [held],
      gone: ['held'],
    })
    expect(results).toMatchObject([{ kind: 'revoked', key: { id: 'twin' } }])
  })

  test.each([asked.expiry + 7, 5_130, 5_000])(
    'is not known by the millisecond that was asked for, where the response had %d',
    async (stored) => {
      const { results } = await look(lists([own, at('neighbor', 5_123)]), { intents: [{ ...asked, stored }] })
      expect(results).toMatchObject([{ kind: 'ambiguous' }])
    },
  )

  test('is no held key only because all keys begin alike', async () => {
    const rows = ['twin', 'held'].map((id) => rowOf(id, { prefix: 'he', createdAt: 100, expiresAt: 5_124 }))
    const { results } = await look(lists([own, ...rows], [own]), {
      intents: [{ ...asked, stored: 5_124 }],
      held: [held],
    })
    expect(results).toMatchObject([{ kind: 'revoked', key: { id: 'twin' } }])
  })

  test('is not that key itself, whose id and expiry the list writes in another form', async () => {
    const row = { ...at('held', 5_123), id: 'key-held' }
    const { results } = await look(lists([own, row]), {
      intents: [{ ...asked, stored: 5_124 }],
      held: [held],
    })
    expect(results).toMatchObject([{ kind: 'absent' }])
  })

  test('is not that key itself, whose id the list writes in another form', async () => {
    expect((await lookFor([{ ...at('held', 5_124), id: 'key-held' }])).results).toMatchObject([
      { kind: 'absent' },
    ])
  })
})

describe('an orphan', () => {
  test('is revoked with api-key, and counts as revoked once the list no longer shows it', async () => {
    const { results, calls } = await look(lists([own, orphan, other], [own, other]))
    expect(results).toMatchObject([{ kind: 'revoked', key: orphan }])
    expect(calls).toEqual(['0 list api-key', '0 revoke api-key orphan', '0 list api-key'])
  })

  test('is not revoked while the list shows it, and the result names it', async () => {
    const { results } = await look(lists([own, orphan]), { budgetMs: 5_000 })
    expect(results).toEqual([
      {
        kind: 'failed',
        reason: 'the revocation was granted; no list confirms that it is gone',
        retryable: true,
        key: orphan,
      },
    ])
  })

  test('whose revocation is refused is named with the reason', async () => {
    const { results } = await look(lists([own, orphan]), { revoke: [status(403)] })
    const reason = 'failure 403; no list confirms that it is gone'
    expect(results).toEqual([{ kind: 'failed', reason, retryable: false, key: orphan }])
  })

  test('is recognized by the clock as it was before it was set, whatever Date says', async () => {
    const hour = 3_600_000
    const moved = { ...intent, sentAt: intent.sentAt + hour, deadline: intent.deadline + hour }
    const list = [ok(listOf([own, orphan]), 2 * hour), ok(listOf([own]))]
    const { results } = await look(list, { intents: [moved], shift: hour })
    expect(results).toMatchObject([{ kind: 'revoked', key: orphan }])
    const unset = await look(lists([own, orphan]), { intents: [moved] })
    expect(unset.results).toMatchObject([{ kind: 'ambiguous' }])
  })

  test('is looked for in a list of several pages twice, as rows move when a key ends meanwhile', async () => {
    const pages = (keys: Parameters<typeof listOf>[0]) => ok(listOf(keys, { pages: 2 }))
    for (const [first, second] of [
      [
        [own, other],
        [own, other, orphan],
      ],
      [
        [own, orphan],
        [own, other],
      ],
    ] as const) {
      const { results, calls } = await look([pages([...first]), pages([...second]), ...lists([own])])
      expect(results).toMatchObject([{ kind: 'revoked', key: orphan }])
      expect(calls.slice(0, 2)).toEqual(['0 list api-key', '0 list api-key'])
    }
  })
})

describe('absence', () => {
  test('is believed from a list that shows the key that it was read with', async () => {
    expect((await look(lists([own, other]))).results).toEqual([{ kind: 'absent', doubt: null }])
  })

  test.each<[string, ApiResult<KeyList>[], string[]]>([
    ['it does not show the key that it was read with', lists([other]), []],
    ['it still shows a key that was revoked', lists([own, other]), ['other']],
    ['it comes from a cache', [ok(listOf([own], { doubt: 'it comes from a cache' }))], []],
    [
      'its pages repeat',
      [ok(listOf([own], { pages: 2, doubt: 'its pages repeat' })), ok(listOf([own], { pages: 2 }))],
      [],
    ],
  ])('is doubted where %s', async (doubt, list, gone) => {
    expect((await look(list, { gone })).results).toEqual([{ kind: 'absent', doubt }])
  })

  test('is never said of a key that a doubtful list shows: it is revoked', async () => {
    const list = listOf([own, orphan], { doubt: 'it shows 2 of 7 keys' })
    const { results } = await look([ok(list), ...lists([own])])
    expect(results).toMatchObject([{ kind: 'revoked', key: orphan }])
  })
})

describe('the row of api-key', () => {
  test('is never revoked, even where it has just the times of an orphan', async () => {
    const stamped = rowOf('own', { prefix: 'api-key', createdAt: 100, expiresAt: intent.expiry })
    const { results, calls } = await look(lists([stamped, other]))
    expect(results).toEqual([{ kind: 'absent', doubt: null }])
    expect(calls).toEqual(['0 list api-key'])
  })

  test('does not hide an orphan of the same times', async () => {
    const stamped = rowOf('own', { prefix: 'api-key', createdAt: 100, expiresAt: intent.expiry })
    const { results } = await look(lists([stamped, orphan], [stamped]))
    expect(results).toMatchObject([{ kind: 'revoked', key: orphan }])
  })

  test('is not told by a prefix that other rows have as well, which makes the list doubtful', async () => {
    const { results } = await look(lists([own, rowOf('another', { prefix: 'api-' })]))
    expect(results).toEqual([{ kind: 'absent', doubt: 'it does not show the key that it was read with' }])
  })
})

describe('several requests', () => {
  test('have one result each, in order, from one reading of the list', async () => {
    const intents = [intentOf(111.222), intent, intentOf(999_999.111)]
    const twins = ['twin-1', 'twin-2'].map((id) => rowOf(id, { createdAt: 5, expiresAt: 111.222 }))
    const { results, calls } = await look(lists([own, orphan, ...twins], [own, ...twins]), { intents })
    expect(results.map(({ kind }) => kind)).toEqual(['ambiguous', 'revoked', 'absent'])
    expect(calls).toHaveLength(3)
  })
})

describe('a list that cannot be read', () => {
  test('fails every request with its reason', async () => {
    const { results } = await look([status(403)], { intents: [intent, intentOf(7.5)] })
    const result = { kind: 'failed', reason: 'failure 403', retryable: false, key: null }
    expect(results).toEqual([result, result])
  })

  test('with 401 is retryable, because an authentication service may recover', async () => {
    const { results } = await look([status(401)])
    expect(results).toEqual([{ kind: 'failed', reason: 'failure 401', retryable: true, key: null }])
  })

  test('that is not answered is read again until the budget ends', async () => {
    const unavailable = failed({ status: 503, retryable: true })
    const { results, calls } = await look([unavailable], { budgetMs: 10_000 })
    expect(calls.length).toBeGreaterThan(3)
    expect(results).toEqual([{ kind: 'failed', reason: 'failure 503', retryable: true, key: null }])
  })

  test('is not requested without a credential', async () => {
    const { results, calls } = await look([], { credential: null })
    expect(calls).toEqual([])
    expect(results).toEqual([
      {
        kind: 'failed',
        reason: 'there was no credential left that may be sent',
        retryable: false,
        key: null,
      },
    ])
  })
})

describe('a JWT as api-key', () => {
  test('does not make every list doubtful, as no list shows a JWT', async () => {
    const { results } = await look(lists([own, other]), {
      credential: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl',
    })
    expect(results).toEqual([{ kind: 'absent', doubt: null }])
  })
})
