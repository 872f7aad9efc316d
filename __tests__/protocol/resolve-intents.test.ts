import { describe, expect, test } from '@jest/globals'
import type { ApiResult, KeyList, ListedKey } from '../../src/api/key-api.ts'
import type { Intent } from '../../src/protocol/intent.ts'
import { missingCheck } from '../../src/protocol/list-trust.ts'
import { conclude, resolveIntents, shouldLookAgain } from '../../src/protocol/resolve-intents.ts'
import type { OrphanResult } from '../../src/protocol/revoke-orphans.ts'
import { recordRunner, startProcess } from '../simulation/process.ts'
import { failed, listOf, ok, rowOf, scriptApi, status } from '../support/scripted-api.ts'

const START = Date.parse('2027-03-01T12:00:00Z')
const HOUR_MS = 3_600_000
const intentOf = (more: Partial<Intent> = {}): Intent => ({
  expiry: START + HOUR_MS + 123.456,
  sentAt: START - 60_000,
  deadline: START - 50_000,
  refused: '',
  ...more,
})
const [unanswered, answered] = [intentOf(), intentOf({ stored: 1 })]

const absent: OrphanResult = { kind: 'absent', doubt: null }
const doubtful: OrphanResult = { kind: 'absent', doubt: 'it comes from a cache' }
const orphan = rowOf('orphan-id', { prefix: 'abc' })
const ambiguous: OrphanResult = { kind: 'ambiguous', candidates: [orphan, rowOf('x')], doubt: null }
const unread: OrphanResult = { kind: 'failed', reason: 'answered 503', retryable: true, key: null }
const forbidden: OrphanResult = { kind: 'failed', reason: 'answered 403', retryable: false, key: null }
const unrevoked: OrphanResult = { kind: 'failed', reason: 'answered 405', retryable: false, key: orphan }

/** What is open after a look; a request that was answered has its key. */
const openOf = (intent: Intent, result: OrphanResult) => ({
  intent,
  result,
  isFound: intent.stored !== undefined,
})

describe('shouldLookAgain', () => {
  test.each<[string, Intent, OrphanResult, boolean, boolean]>([
    // what, intent, result, while it is watched, after that
    ['an unanswered request without a key', unanswered, absent, true, false],
    ['an answered request without a twin', answered, absent, true, false],
    ['an unanswered request and a list that proves nothing', unanswered, doubtful, true, true],
    ['an answered request and a list that proves nothing', answered, doubtful, true, true],
    ['an unanswered request with an ambiguous match', unanswered, ambiguous, true, false],
    ['an answered request with an ambiguous match', answered, ambiguous, true, false],
    [
      'an ambiguous match in a list that proves nothing',
      unanswered,
      { ...ambiguous, doubt: 'old' },
      true,
      true,
    ],
    ['a list that could not be read', unanswered, unread, true, true],
    ['a list that could not be read for a twin', answered, unread, true, true],
    ['a list that may not be read', unanswered, forbidden, false, false],
    ['a revocation that was refused', unanswered, unrevoked, false, false],
  ])('%s', (_, intent, result, whileWatched, afterwards) => {
    expect(shouldLookAgain([openOf(intent, result)], false)).toBe(whileWatched)
    expect(shouldLookAgain([openOf(intent, result)], true)).toBe(afterwards)
  })

  test('for none is false, and for several true if it is for one', () => {
    expect(shouldLookAgain([], false)).toBe(false)
    const open = [forbidden, unread].map((result) => openOf(unanswered, result))
    expect(shouldLookAgain(open, true)).toBe(true)
  })
})

const ABOUT =
  'Such a key was created about 2027-03-01 11:59:00 UTC and expires 2027-03-01T13:00:00.123456Z; to revoke it now: Dashboard > Plans > API Keys.'

describe('conclude', () => {
  const sentences = (intent: Intent, result: OrphanResult, isWatched = true, now = START + HOUR_MS) =>
    conclude([openOf(intent, result)], isWatched, now)

  test.each<[string, Intent, OrphanResult, boolean, string]>([
    [
      'a list that could not be read',
      unanswered,
      unread,
      true,
      'Could not determine whether an unanswered create request created a key: answered 503',
    ],
    [
      'a list that could not be read for a twin',
      answered,
      unread,
      true,
      'Could not determine whether a gateway repeated a create request: answered 503',
    ],
    [
      'a list that proves nothing',
      unanswered,
      doubtful,
      true,
      'Could not determine whether an unanswered create request created a key: the list of keys cannot be relied on, because it comes from a cache',
    ],
    [
      'a revocation that was refused',
      unanswered,
      unrevoked,
      true,
      'Could not confirm that the orphaned API key abc... (id orphan-id) was revoked: answered 405',
    ],
    [
      'several keys that match',
      unanswered,
      ambiguous,
      true,
      'An unanswered create request matches 2 key(s) (abc... (id orphan-id), x... (id x)); revoked none, because some may belong to other runs',
    ],
    ['want of time', unanswered, absent, false, 'There was no time to wait for an unanswered create request'],
  ])('%s is a failure that says why, when, and what to do', (_, intent, result, isWatched, reason) => {
    expect(sentences(intent, result, isWatched)).toEqual({ failures: [`${reason}. ${ABOUT}`], warnings: [] })
  })

  test('is only a warning of a possible twin: the key of the request itself is known', () => {
    const { failures, warnings } = sentences(answered, ambiguous)
    expect(failures).toEqual([])
    expect(warnings).toEqual([
      expect.stringMatching(/^A possibly repeated create request matches 2 key\(s\) /),
    ])
  })

  test('names at most three of the keys that match', () => {
    const candidates = ['a', 'b', 'c', 'd'].map((id) => rowOf(id))
    const [sentence] = sentences(unanswered, { kind: 'ambiguous', candidates, doubt: null }).failures
    expect(sentence).toContain('matches 4 key(s) (a... (id a), b... (id b), c... (id c))')
  })

  test('says nothing of a request whose twin did not appear, or whose key was revoked', () => {
    const nothing = { failures: [], warnings: [] }
    expect(sentences(answered, absent)).toEqual(nothing)
    expect(sentences(answered, absent, false).failures).toHaveLength(1)
    expect(sentences(unanswered, { kind: 'revoked', doubt: null, key: orphan })).toEqual(nothing)
  })

  test('names the key that an answer described and that was refused, however good the list', () => {
    const refused = intentOf({ refused: 'abc... (id 7)' })
    expect(sentences(refused, absent).failures).toEqual([
      "A create request returned the key abc... (id 7), which may not be this run's, so it was not revoked. " +
        'Look at it: Dashboard > Plans > API Keys.',
    ])
  })

  test('only warns where a list proves nothing of a twin, as the key itself is known', () => {
    expect(sentences(answered, doubtful)).toEqual({
      failures: [],
      warnings: [
        expect.stringMatching(/^Could not determine whether a gateway repeated a create request: the list/),
      ],
    })
  })

  test('never says that no key was made within 10 min of the deadline, only that none has appeared so far', () => {
    const tenMinutes = unanswered.deadline + 600_000
    const early = sentences(unanswered, absent, true, tenMinutes - 1)
    expect(early).toEqual({
      failures: [],
      warnings: [
        'No key of an unanswered create request has appeared so far; if the API still creates one, this action cannot ' +
          `see it. ${ABOUT}`,
      ],
    })
    expect(sentences(unanswered, absent, true, tenMinutes)).toEqual({ failures: [], warnings: [] })
  })

  test('has one sentence for all requests with the same reason, with the first of their times', () => {
    const open = [3, 1, 2].map((minute) =>
      openOf(
        intentOf({ expiry: START + HOUR_MS + minute * 60_000, sentAt: START - minute * 60_000 }),
        unread,
      ),
    )
    expect(conclude(open, true, START + HOUR_MS).failures).toEqual([
      'Could not determine whether an unanswered create request created a key: answered 503 (3 requests). Such a key was ' +
        'created about 2027-03-01 11:57:00 UTC and expires 2027-03-01T13:01:00Z or later; ' +
        'to revoke it now: Dashboard > Plans > API Keys.',
    ])
  })

  test('keeps different reasons apart', () => {
    const open = [unread, forbidden, unrevoked, absent].map((result) => openOf(unanswered, result))
    const { failures, warnings } = conclude(open, true, START)
    expect(failures).toHaveLength(3)
    expect(warnings).toHaveLength(1)
  })

  test('stays below 4,000 characters for 400 requests', () => {
    const open = Array.from({ length: 400 }, (_, index) =>
      openOf(intentOf({ expiry: START + index, sentAt: START + index }), index % 2 ? unread : doubtful),
    )
    expect(conclude(open, true, START).failures.join(' ').length).toBeLessThan(4_000)
  })
})

describe('watching for the keys of unanswered requests', () => {
  const own = rowOf('own', { prefix: 'api-key' })
  const rowFor = ({ expiry, sentAt }: Intent, id = 'orphan-id'): ListedKey =>
    rowOf(id, { createdAt: sentAt + 100, expiresAt: expiry })
  const empty = ok(listOf([own]))

  /** Resolves `intents` at an API whose list shows `list(ms since the start)`, less what was revoked. */
  async function watch(
    intents: Intent[],
    list: (at: number) => ApiResult<KeyList>,
    { budgetMs = 60_000, known = [] as string[] } = {},
  ) {
    const process = startProcess(Number.POSITIVE_INFINITY, () => {})
    const { runner, traces } = recordRunner(process, '', 0)
    const gone = new Set<string>()
    const revoked = new Set<string>()
    const scripted = scriptApi(
      {
        list() {
          const result = list(scripted.time.now() - START)
          if (!result.ok) return result
          return ok({ ...result.value, keys: result.value.keys.filter(({ id }) => !revoked.has(id)) })
        },
        revoke(_, id) {
          revoked.add(id)
          return ok(null)
        },
      },
      START,
    )
    const { api, clock, calls, budgetOf, run } = scripted
    const context = {
      api,
      clock,
      random: () => 0.5,
      runner,
      gone,
      skew: null,
      shift: 0,
      grid: Infinity,
    }
    const { value, took } = await run(
      resolveIntents(intents, {
        ...context,
        isMissing: missingCheck(context),
        credential: 'api-key',
        held: known.map((id) => ({ ...rowOf(id), token: null, asked: 0, keep: false })),
        budget: budgetOf(budgetMs),
      }),
    )
    const looks = calls.filter((call) => call.includes('list')).map((call) => Number.parseInt(call, 10))
    return { ...value, took, looks, calls, gone, printed: traces.printed }
  }
  const recent = (deadline: number) => intentOf({ sentAt: START - 2_000, deadline: START + deadline })

  test('looks once for a request whose deadline is long past', async () => {
    const { looks, failures, warnings, printed } = await watch([unanswered], () => empty)
    expect(looks).toEqual([0])
    expect(failures).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(printed).toEqual(['Looking for the keys of 1 unanswered create request(s).'])
  })

  test('looks every 2 s until 15 s after the deadline, and once more then', async () => {
    const { looks, took } = await watch([recent(1_000)], () => empty)
    expect(looks).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000, 16_000])
    expect(took).toBe(16_000)
  })

  test('looks until 15 s after the last of several deadlines', async () => {
    const { looks } = await watch([recent(1_000), recent(9_000), recent(3_000)], () => empty)
    expect(looks.at(-1)).toBe(24_000)
  })

  test('watches no longer than 25 s, however far off the deadline is', async () => {
    const { looks } = await watch([intentOf({ deadline: START + HOUR_MS })], () => empty)
    expect(looks.at(-1)).toBe(25_000)
  })

  test('finds and revokes a key that is created late, says so, and keeps watching for a twin', async () => {
    const intent = recent(1_000)
    const { printed, failures, warnings, gone, looks } = await watch([intent], (at) =>
      at < 9_000 ? empty : ok(listOf([own, rowFor(intent)])),
    )
    expect(looks.at(-1)).toBe(16_000)
    expect({ failures, warnings }).toEqual({ failures: [], warnings: [] })
    expect(printed.at(-1)).toBe('Found and revoked the orphaned key orphan-id... (id orphan-id).')
    expect(gone).toEqual(new Set(['orphan-id']))
  })

  test('remembers how finely the server keeps an expiry once the orphan that showed it is revoked', async () => {
    const intent = { ...recent(1_000), expiry: START + HOUR_MS + 0.999 }
    const neighbor = rowOf('neighbor', { createdAt: START, expiresAt: START + HOUR_MS + 1 })
    const { printed, gone, looks } = await watch([intent], () => ok(listOf([own, rowFor(intent), neighbor])))
    expect(looks.length).toBeGreaterThan(1)
    expect(gone).toEqual(new Set(['orphan-id']))
    expect(printed.join()).not.toContain('neighbor')
  })

  test('does not touch a key that is known', async () => {
    const intent = intentOf()
    const { calls, printed } = await watch([intent], () => ok(listOf([own, rowFor(intent)])), {
      known: ['orphan-id'],
    })
    expect(calls.join()).not.toContain('revoke')
    expect(printed.join()).not.toContain('Found')
  })

  test('looks for a twin once, without a line about unanswered requests', async () => {
    const { looks, printed, failures, warnings } = await watch([answered], () => empty)
    expect(looks).toEqual([0])
    expect({ printed, failures, warnings }).toEqual({ printed: [], failures: [], warnings: [] })
  })

  test('revokes a twin', async () => {
    const { gone } = await watch([answered], () => ok(listOf([own, rowFor(answered)])))
    expect(gone).toEqual(new Set(['orphan-id']))
  })

  test('still looks for a twin that a gateway makes after the first key was revoked', async () => {
    const intent = recent(1_000)
    const { gone } = await watch([intent], (at) =>
      ok(listOf([own, rowFor(intent), ...(at < 5_000 ? [] : [rowFor(intent, 'twin')])])),
    )
    expect(gone).toEqual(new Set(['orphan-id', 'twin']))
  })

  test('goes on after the watch while the list cannot be read, until the budget is spent, and reports the reason', async () => {
    const { took, failures } = await watch([unanswered], () =>
      failed({ status: 503, retryable: true, message: 'answered 503' }),
    )
    expect(took).toBeGreaterThan(50_000)
    expect(took).toBeLessThanOrEqual(60_000)
    expect(failures).toEqual([expect.stringContaining('created a key: answered 503')])
  })

  test('does not repeat a refusal', async () => {
    const { looks, failures } = await watch([recent(1_000)], () => status(403))
    expect(looks).toEqual([0])
    expect(failures).toEqual([expect.stringContaining('failure 403')])
  })

  test.each([
    ['comes from a cache', listOf([own], { doubt: 'it comes from a cache' })],
    ['does not show the key that it was read with', listOf([])],
  ])('believes no absence from a list that %s', async (reason, list) => {
    const { failures, looks } = await watch([recent(1_000)], () => ok(list))
    expect(looks.length).toBeGreaterThan(5)
    expect(failures).toEqual([expect.stringContaining(`because it ${reason}`)])
  })

  test('believes a list that becomes current while it watches', async () => {
    const { failures } = await watch([recent(1_000)], (at) =>
      at < 8_000 ? ok(listOf([own], { doubt: 'it comes from a cache' })) : empty,
    )
    expect(failures).toEqual([])
  })

  test('says that there was no time where the budget ends before the watch', async () => {
    const { failures, took } = await watch([recent(9_000)], () => empty, { budgetMs: 10_000 })
    expect(took).toBeLessThanOrEqual(10_000)
    expect(failures).toEqual([
      expect.stringMatching(/^There was no time to wait for an unanswered create request/),
    ])
  })

  test('uses what is left of the budget, down to 3 s', async () => {
    const { looks } = await watch([recent(9_000)], () => empty, { budgetMs: 10_000 })
    expect(looks.at(-1)).toBeGreaterThanOrEqual(6_000)
  })

  test('settles each of several requests separately', async () => {
    const [one, two, three] = [1, 2, 3].map((index) =>
      intentOf({ expiry: START + HOUR_MS + index * 60_000 + 0.5 }),
    )
    if (!one || !two || !three) throw new Error('three')
    const list = listOf([own, rowFor(one, 'one'), rowFor(two, 'two'), rowFor(two, 'twin')])
    const { printed, failures } = await watch([one, two, three], () => ok(list))
    expect(printed).toContain('Found and revoked the orphaned key one... (id one).')
    expect(failures).toEqual([expect.stringContaining('matches 2 key(s)')])
  })
})
