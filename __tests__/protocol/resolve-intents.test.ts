import { describe, expect, test } from '@jest/globals'
import type { ApiResult, KeyList, ListedKey } from '../../src/api/key-api.ts'
import type { Intent } from '../../src/protocol/intent.ts'
import { missingCheck } from '../../src/protocol/list-trust.ts'
import { type Finding, type Look, lookOnce, resolveIntents } from '../../src/protocol/resolve-intents.ts'
import type { IssuedKey } from '../../src/protocol/saved-state.ts'
import { recordRunner, startProcess } from '../simulation/process.ts'
import { failed, listOf, ok, rowOf, type Script, scriptApi, status } from '../support/scripted-api.ts'

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

const own = rowOf('own', { prefix: 'api-key' })
const rowFor = ({ expiry, sentAt }: Intent, id = 'orphan-id'): ListedKey =>
  rowOf(id, { prefix: id.slice(0, 3), createdAt: sentAt + 100, expiresAt: expiry })
const empty = ok(listOf([own]))
const doubtful = ok(listOf([own], { doubt: 'it comes from a cache' }))
const pair = (intent: Intent) => [rowFor(intent, 'abcdef'), rowFor(intent, 'xyz')]
const ambiguous = (intent: Intent) => ok(listOf([own, ...pair(intent)]))
const unread = failed({ status: 503, retryable: true, message: 'answered 503' })
const forbidden = status(403)

describe('another look', () => {
  /** Whether it may show something else, while a slow server has its time and after that. */
  async function isOpen(intent: Intent, list: ApiResult<KeyList>) {
    const open: (boolean | undefined)[] = []
    for (const isWatched of [false, true]) {
      const { api, clock, budgetOf, run } = scriptApi({ list: [list], revoke: [status(405)] }, START)
      const process = startProcess(Number.POSITIVE_INFINITY, () => {})
      const { runner } = recordRunner(process, '', 0)
      const context = { api, clock, runner, random: () => 0.5, credential: 'api-key', skew: null }
      const known = { held: [], gone: new Set<string>(), shift: 0, grid: Infinity }
      const own = { orphans: new Map(), labels: new Set<string>(), unsettled: new Set<string>() }
      const everything = { ...context, ...known, ...own, budget: budgetOf(5_000) }
      const start = { findings: [{ intent }], isOpen: true }
      open.push((await run(lookOnce(start, isWatched, everything))).value.isOpen)
    }
    return open
  }

  test.each<[string, Intent, ApiResult<KeyList>, boolean, boolean]>([
    // what, intent, list, while it is watched, after that
    ['an unanswered request without a key', unanswered, empty, true, false],
    ['an answered request without a twin', answered, empty, true, false],
    ['an unanswered request and a list that proves nothing', unanswered, doubtful, true, true],
    ['an answered request and a list that proves nothing', answered, doubtful, true, true],
    ['an unanswered request with an ambiguous match', unanswered, ambiguous(unanswered), true, false],
    ['an answered request with an ambiguous match', answered, ambiguous(answered), true, false],
    [
      'an ambiguous match in a list that proves nothing',
      unanswered,
      ok(listOf([own, ...pair(unanswered)], { doubt: 'old' })),
      true,
      true,
    ],
    ['a list that could not be read', unanswered, unread, true, true],
    ['a list that could not be read for a twin', answered, unread, true, true],
    ['a list that may not be read, perhaps for a moment', unanswered, forbidden, true, true],
    ['a list that is redirected', unanswered, status(302), false, false],
    ['a certificate that is not accepted for a moment', unanswered, failed({}), true, true],
    ['a list that is not there during a deployment', unanswered, status(404), true, true],
    ['the twin of an orphan that was found', unanswered, ok(listOf([own, rowFor(unanswered)])), true, false],
  ])('is of use for %s', async (_, intent, list, whileWatched, afterwards) => {
    expect(await isOpen(intent, list)).toEqual([whileWatched, afterwards])
  })
})

const ABOUT =
  'Sent about 2027-03-01 11:59:00 UTC, for a key that expires 2027-03-01T13:00:00.123456Z. To revoke such a key now: Dashboard > Plans > API Keys.'

/** Resolves `intents` at an API whose list shows `list(ms since the start)`, less what was revoked. */
async function watch(
  intents: Intent[],
  list: (at: number) => ApiResult<KeyList>,
  {
    budgetMs = 60_000,
    known = [] as string[],
    refuseToRevoke = false,
    lagMs = 0,
    refuses = (_at: number): ApiResult<null> | null => null,
    skew = null as number | null,
    credential = 'api-key' as string | null,
  } = {},
) {
  const process = startProcess(Number.POSITIVE_INFINITY, () => {})
  const { runner, traces } = recordRunner(process, '', 0)
  const gone = new Set<string>()
  const revoked = new Map<string, number>()
  const scripted = scriptApi(
    {
      list() {
        const result = list(scripted.time.now() - START)
        if (!result.ok) return result
        const isListed = ({ id }: ListedKey) => scripted.time.now() < (revoked.get(id) ?? Infinity) + lagMs
        return ok({ ...result.value, keys: result.value.keys.filter(isListed) })
      },
      revoke(_, id) {
        const refusal = refuses(scripted.time.now() - START)
        if (refuseToRevoke || refusal !== null) return refusal ?? status(405)
        if (!revoked.has(id)) revoked.set(id, scripted.time.now())
        return ok(null)
      },
    },
    START,
  )
  const { api, clock, calls, budgetOf, run } = scripted
  const context = {
    ...{
      api,
      clock,
      random: () => 0.5,
      runner,
      gone,
      skew,
      shift: 0,
      grid: Infinity,
    },
    credential,
    held: known.map((id) => ({ ...rowOf(id), token: `secret of ${id}`, asked: 0, keep: false })),
    budget: budgetOf(budgetMs),
  }
  const resolving = resolveIntents(intents, { ...context, isMissing: missingCheck(context) })
  const { value: failures, took } = await run(resolving)
  const looks = calls.filter((call) => call.includes('list')).map((call) => Number.parseInt(call, 10))
  const { warnings } = traces
  const printed = traces.printed.filter((line) => !warnings.includes(line))
  return { failures, warnings, took, looks, calls, gone, printed }
}

describe('what is said in the end', () => {
  const said = async (...args: Parameters<typeof watch>) => {
    const { failures, warnings } = await watch(...args)
    return { failures, warnings }
  }
  /** The budget ends before the watch. */
  const short = { budgetMs: 2_500 }

  test.each<[string, Intent, ApiResult<KeyList>, Parameters<typeof watch>[2], string]>([
    [
      'a list that could not be read',
      unanswered,
      unread,
      {},
      'Could not determine whether an unresolved create request created a key: answered 503',
    ],
    [
      'a list that proves nothing',
      unanswered,
      doubtful,
      {},
      'Could not determine whether an unresolved create request created a key: the list of keys cannot be relied on, because it comes from a cache',
    ],
    [
      'a revocation that was refused',
      unanswered,
      ok(listOf([own, rowFor(unanswered)])),
      { refuseToRevoke: true },
      'Could not confirm that the orphaned API key orp... (id orphan-id) was revoked: failure 405; no list confirms that it is gone',
    ],
    [
      'several keys that match',
      unanswered,
      ambiguous(unanswered),
      {},
      'An unresolved create request matches 2 key(s) (abc... (id abcdef), expires 2027-03-01 13:00:00 UTC; xyz... (id xyz), expires 2027-03-01 13:00:00 UTC); revoked none, because some may belong to other runs',
    ],
    [
      'want of time',
      { ...unanswered, deadline: START },
      empty,
      short,
      'There was no time to wait for an unresolved create request',
    ],
  ])('of %s is a failure that says why, when, and what to do', async (_, intent, list, options, reason) => {
    expect(await said([intent], () => list, options)).toEqual({
      failures: [`${reason}. ${ABOUT}`],
      warnings: [],
    })
  })

  test('is only a warning of a possible twin: the key of the request itself is known', async () => {
    const { failures, warnings } = await said([answered], () => ambiguous(answered))
    expect(failures).toEqual([])
    expect(warnings).toEqual([
      expect.stringMatching(/^A possibly repeated create request matches 2 key\(s\) /),
    ])
  })

  test('names at most three of the keys that match', async () => {
    const rows = ['b', 'c', 'd', 'e'].map((id) => rowFor(unanswered, id))
    const [sentence] = (await said([unanswered], () => ok(listOf([own, ...rows])))).failures
    expect(sentence).toContain(
      'matches 4 key(s) (b... (id b), expires 2027-03-01 13:00:00 UTC; c... (id c), expires 2027-03-01 13:00:00 UTC; d... (id d), expires 2027-03-01 13:00:00 UTC)',
    )
  })

  test('is nothing of a request whose twin did not appear, unless there was no time to wait for it', async () => {
    expect(await said([answered], () => empty)).toEqual({ failures: [], warnings: [] })
    const { failures } = await said([{ ...answered, deadline: START }], () => empty, short)
    expect(failures).toHaveLength(1)
  })

  test('names the key that an answer described and that was refused, however good the list', async () => {
    const refused = intentOf({ refused: 'abc... (id 7)' })
    expect((await said([refused], () => empty)).failures).toEqual([
      "A create request returned the key abc... (id 7), which may not be this run's, so it was not revoked. " +
        ABOUT,
    ])
  })

  test('is a warning of a twin that another server made, whose clock is behind, once the orphan is revoked', async () => {
    const late = { ...unanswered, sentAt: START - 3_600_000, deadline: START - 3_590_000 }
    const orphan = rowFor(late)
    const twin = { ...rowFor(late, 'twin'), createdAt: (orphan.createdAt ?? 0) - 400_000 }
    const { failures, warnings } = await said([late], () => ok(listOf([own, orphan, twin])))
    expect(failures).toEqual([])
    expect(warnings).toEqual([expect.stringMatching(/^A possibly repeated create request matches 1 key/)])
  })

  test('names the key that was refused if the list cannot be read, is doubtful, or shows another key', async () => {
    const refused = intentOf({ refused: 'abc... (id 7)' })
    for (const list of [unread, doubtful, ambiguous(refused)]) {
      const { failures } = await said([refused], () => list)
      expect(failures).toEqual([expect.stringContaining('abc... (id 7)')])
      // The request may have made another one.
      expect(failures).toEqual([expect.stringContaining(ABOUT)])
    }
  })

  test('is of a refused request and of others in sentences of their own, with the times of the others', async () => {
    const refused = intentOf({ refused: 'abc... (id 7)' })
    const { failures } = await said([refused, unanswered], () => unread)
    expect(failures).toEqual([expect.stringContaining('abc... (id 7)'), expect.stringContaining(ABOUT)])
  })

  test('is only a warning where a list shows nothing of a twin, as the key itself is known', async () => {
    for (const list of [doubtful, unread]) {
      const { failures, warnings } = await said([answered], () => list)
      expect(failures).toEqual([])
      expect(warnings).toEqual([
        expect.stringMatching(
          /^Could not determine whether a gateway repeated a create request: (the list|answered 503)/,
        ),
      ])
    }
  })

  test('is never that no key was made within 10 min of the deadline, only that none has appeared so far', async () => {
    const early = { ...unanswered, deadline: START - 599_999 }
    expect(await said([early], () => empty)).toEqual({
      failures: [],
      warnings: [
        'No key of an unresolved create request has appeared so far; if the API still creates one, this action cannot ' +
          `see it. ${ABOUT}`,
      ],
    })
    const late = { ...unanswered, deadline: START - 600_000 }
    expect(await said([late], () => empty)).toEqual({ failures: [], warnings: [] })
  })

  test('is by our own clock that a key may still appear, however far the server’s is ahead', async () => {
    const { failures, warnings } = await said([unanswered], () => empty, { skew: 20 * 60_000 })
    expect(failures).toEqual([])
    expect(warnings).toEqual([
      expect.stringMatching(/^No key of an unresolved create request has appeared so far; /),
    ])
  })

  test('is one sentence for all requests with the same reason, with the first of their times', async () => {
    const intents = [3, 1, 2].map((minute) =>
      intentOf({ expiry: START + HOUR_MS + minute * 60_000, sentAt: START - minute * 60_000 }),
    )
    expect((await said(intents, () => unread)).failures).toEqual([
      'Could not determine whether an unresolved create request created a key: answered 503 (3 requests). ' +
        'Sent about 2027-03-01 11:57:00 UTC or later, for a key that expires 2027-03-01T13:01:00Z or later. ' +
        'To revoke such a key now: Dashboard > Plans > API Keys.',
    ])
  })

  test('gives the time of the request by the server’s clock where that is known', async () => {
    const { failures } = await said([unanswered], () => unread, { skew: 90_000 })
    expect(failures).toEqual([expect.stringContaining('Sent about 2027-03-01 12:00:30 UTC, ')])
  })

  test('stays below 4,000 characters for 400 requests', async () => {
    const intents = Array.from({ length: 400 }, (_, index) =>
      intentOf({ expiry: START + index, sentAt: START - index }),
    )
    expect((await said(intents, () => unread)).failures.join(' ').length).toBeLessThan(4_000)
  })
})

describe('watching for the keys of unanswered requests', () => {
  const recent = (deadline: number) => intentOf({ sentAt: START - 2_000, deadline: START + deadline })

  test('looks once for a request whose deadline is long past', async () => {
    const { looks, failures, warnings, printed } = await watch([unanswered], () => empty)
    expect(looks).toEqual([0])
    expect(failures).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(printed).toEqual([
      'Looking for the keys of 1 create request(s) whose response was lost, unusable or slow.',
    ])
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

  test('finds and revokes a key that is created late, says so, and keeps watching for a twin', async () => {
    const intent = recent(1_000)
    const { printed, failures, warnings, gone, looks } = await watch([intent], (at) =>
      at < 9_000 ? empty : ok(listOf([own, rowFor(intent)])),
    )
    expect(looks.at(-1)).toBe(16_000)
    expect({ failures, warnings }).toEqual({ failures: [], warnings: [] })
    expect(printed.at(-1)).toBe('Found and revoked the orphaned key orp... (id orphan-id).')
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

  test('looks for a twin once, and says that it looks', async () => {
    const { looks, printed, failures, warnings } = await watch([answered], () => empty)
    expect(looks).toEqual([0])
    expect(printed).toEqual([expect.stringMatching(/^Looking for the keys of 1 create request/)])
    expect({ failures, warnings }).toEqual({ failures: [], warnings: [] })
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

  test.each([
    ['cannot be read', unread, /matches 2 key\(s\) \(abc\.\.\. .*; xyz/],
    ['cannot be believed', doubtful, /matches 2 key\(s\) \(abc\.\.\. .*; xyz/],
    ['shows no such key any more', empty, /^$/],
  ])('keeps the keys that an earlier list named if the last one %s', async (_, last, said) => {
    const intent = recent(1_000)
    const { failures } = await watch([intent], (at) => (at < 5_000 ? ambiguous(intent) : last))
    expect(failures.join()).toMatch(said)
  })

  test('names the keys of the last list that shows some, even if that cannot be believed', async () => {
    const intent = recent(1_000)
    const others = listOf([own, rowFor(intent, 'other'), rowFor(intent, 'another')], { doubt: 'it is old' })
    const { failures } = await watch([intent], (at) => (at < 5_000 ? ambiguous(intent) : ok(others)))
    expect(failures.join()).toMatch(/matches 2 key\(s\) \(oth\.\.\. \(id other\)/)
  })

  test('replaces a failure that names no key by the one of the last look', async () => {
    const { failures } = await watch([recent(1_000)], (at) => (at < 5_000 ? empty : unread))
    expect(failures.join()).toContain('created a key: answered 503')
  })

  test('does not say of a replayed response that its key was left alone, once that is revoked as an orphan', async () => {
    const lost = recent(1_000)
    const replayed = { ...recent(900), expiry: lost.expiry + 5_000, refused: 'orp... (id orphan-id)' }
    const list = () => ok(listOf([own, rowFor(lost)]))
    const { failures, printed } = await watch([lost, replayed], list)
    expect(printed.join()).toContain('Found and revoked the orphaned key orp... (id orphan-id)')
    expect(failures).toEqual([])
    const other = { ...replayed, refused: 'abc... (id abcdef)' }
    expect((await watch([lost, other], list)).failures.join()).toContain(
      'returned the key abc... (id abcdef)',
    )
  })

  test('goes on for one request after the key of another could not be revoked, and still names that', async () => {
    const late = intentOf({ expiry: START + 777_777.891, sentAt: START, deadline: START })
    const withOrphan = ok(listOf([own, rowFor(unanswered)]))
    const lists = (at: number) => (at < 9_000 ? withOrphan : unread)
    const { failures, looks } = await watch([unanswered, late], lists, { refuseToRevoke: true })
    expect(looks.at(-1)).toBeGreaterThan(9_000)
    expect(failures).toEqual([
      expect.stringMatching(/^Could not confirm that the orphaned API key orp\.\.\. \(id orphan-id\)/),
      expect.stringMatching(/^Could not determine whether an unresolved create request created a key/),
    ])
  })

  test('ends at a redirect, even if an earlier list named keys', async () => {
    const intent = recent(1_000)
    const { looks, failures } = await watch([intent], (at) => (at < 5_000 ? ambiguous(intent) : status(302)))
    expect(looks).toEqual([0, 2_000, 4_000, 6_000])
    expect(failures).toEqual([expect.stringContaining('matches 2 key(s)')])
  })

  test('does not repeat a request that was redirected', async () => {
    const { looks, failures } = await watch([recent(1_000)], () => status(302))
    expect(looks).toEqual([0])
    expect(failures).toEqual([expect.stringContaining('failure 302')])
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
      expect.stringMatching(/^There was no time to wait for an unresolved create request/),
    ])
  })

  test('uses what is left of the budget, down to 1 s', async () => {
    const { looks } = await watch([recent(9_000)], () => empty, { budgetMs: 10_000 })
    expect(looks.at(-1)).toBe(9_000)
  })

  test('finds the key of one request while no list shows that the key of another is gone', async () => {
    const [one, two] = [recent(1_000), { ...recent(1_000), expiry: START + HOUR_MS + 60_000.5 }]
    const { calls, failures, printed } = await watch([one, two], (at) =>
      ok(
        listOf([own, rowFor(one, 'one'), ...(at < 9_000 ? [] : [rowFor(two, 'two')])], {
          doubt: 'it comes from a cache',
        }),
      ),
    )
    const asked = calls.find((call) => call.endsWith('revoke api-key two'))
    expect(Number.parseInt(String(asked), 10)).toBeLessThan(12_000)
    expect(failures.join()).toMatch(/\(id one\) was revoked: the revocation was granted; no list confirms/)
    expect(printed.join()).not.toContain('Found')
  })

  test('finds a twin while no list shows that the first key is gone', async () => {
    const intent = recent(1_000)
    const { calls } = await watch([intent], (at) =>
      ok(
        listOf([own, rowFor(intent), ...(at < 5_000 ? [] : [rowFor(intent, 'twin')])], {
          doubt: 'it comes from a cache',
        }),
      ),
    )
    const asked = calls.find((call) => call.endsWith('revoke api-key twin'))
    expect(Number.parseInt(String(asked), 10)).toBeLessThan(8_000)
  })

  test('takes no key for a twin while the first one is still listed, but once that is gone', async () => {
    const twins = (at: number) => (at < 100 ? [] : [rowFor(unanswered, 'twin')])
    const listed = await watch([unanswered], (at) => ok(listOf([own, rowFor(unanswered), ...twins(at)])), {
      refuseToRevoke: true,
    })
    expect(listed.calls.join()).not.toContain('revoke api-key twin')
    expect(listed.warnings).toEqual([
      expect.stringMatching(
        /^A possibly repeated create request matches 1 key\(s\) \(twi\.\.\. \(id twin\), expires [^;]*\); /,
      ),
    ])
    const { gone, warnings } = await watch(
      [unanswered],
      (at) => ok(listOf([own, rowFor(unanswered), ...twins(at)])),
      { lagMs: 6_000 },
    )
    expect(gone).toEqual(new Set(['orphan-id', 'twin']))
    expect(warnings).toEqual([])
  })

  test('asks twice for the revocation that is refused, and looks no longer for that', async () => {
    const { calls, took } = await watch([unanswered], () => ok(listOf([own, rowFor(unanswered)])), {
      refuseToRevoke: true,
    })
    expect(calls.filter((call) => call.includes('revoke'))).toHaveLength(2)
    expect(calls.filter((call) => call.includes('list'))).toHaveLength(2)
    expect(took).toBeLessThan(1_000)
  })

  test('asks again for a revocation that was refused while it looks on', async () => {
    const intent = recent(1_000)
    const { gone, failures } = await watch([intent], () => ok(listOf([own, rowFor(intent)])), {
      refuses: (at) => (at < 5_000 ? status(403) : null),
    })
    expect(gone).toEqual(new Set(['orphan-id']))
    expect(failures).toEqual([])
  })

  test('reads no list while a revocation waits for its turn, if it need not look on', async () => {
    const limited = failed({ status: 429, retryable: true, retryAfter: 40_000 })
    const { gone, looks } = await watch([unanswered], () => ok(listOf([own, rowFor(unanswered)])), {
      refuses: (at) => (at < 40_000 ? limited : null),
    })
    expect(gone).toEqual(new Set(['orphan-id']))
    expect(looks.filter((at) => at < 40_000)).toEqual([0])
  })

  test('looks less often once only the list is in doubt', async () => {
    const { looks } = await watch([unanswered], () => doubtful)
    expect(looks).toEqual([0, 4_000, 10_000, 18_000, 28_000, 40_000, 54_000, 59_000])
  })

  test('says nothing of a refused key of a request whose own key is found', async () => {
    const intent = { ...recent(1_000), refused: 'abc... (id 7)' }
    const { gone, failures, warnings } = await watch([intent], () => ok(listOf([own, rowFor(intent)])))
    expect(gone).toEqual(new Set(['orphan-id']))
    expect([...failures, ...warnings].join()).not.toContain('abc...')
  })

  test('says of an orphan that was not revoked, but ended, that it is no longer valid', async () => {
    const intent = recent(1_000)
    const list = (at: number) => ok(listOf([own, ...(at < 5_000 ? [rowFor(intent)] : [])]))
    const { printed } = await watch([intent], list, { refuses: () => status(404) })
    expect(printed.at(-1)).toBe('No longer valid: orphaned key orp... (id orphan-id).')
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

const requestOf = (expiry: number): Intent => ({
  expiry,
  sentAt: 0,
  deadline: 1_000,
  refused: '',
})
const UNKNOWN = 'Could not determine whether an unresolved create request created a key: '
const DOUBTED = `open: ${UNKNOWN}the list of keys cannot be relied on, because `
const UNREVOKED = 'Could not confirm that the orphaned API key orphan... (id orphan) was revoked: '
const request = requestOf(5_123.456)
const orphan = rowOf('orphan', { createdAt: 100, expiresAt: request.expiry })
const other = rowOf('other', { createdAt: 100, expiresAt: 987_654 })

/** Looks for `intents` at an API whose lists are `lists`, in turn: again while an orphan is being revoked. */
async function look(
  lists: NonNullable<Script['list']>,
  more: {
    intents?: Intent[]
    revoke?: NonNullable<Script['revoke']>
    credential?: string
    gone?: string[]
    budgetMs?: number
    shift?: number
    skew?: number | null
    held?: IssuedKey[]
  } = {},
) {
  const {
    intents = [request],
    revoke = [ok(null)],
    gone = [],
    budgetMs = 60_000,
    shift = 0,
    skew = null,
  } = more
  const { api, clock, calls, budgetOf, run } = scriptApi({ list: lists, revoke })
  const revokedIds = new Set(gone)
  const { runner } = recordRunner(
    startProcess(Number.POSITIVE_INFINITY, () => {}),
    '',
    0,
  )
  const context = {
    ...{
      api,
      clock,
      random: () => 0.5,
      runner,
      gone: revokedIds,
      orphans: new Map<string, Promise<Finding>>(),
      labels: new Set<string>(),
      unsettled: new Set<string>(),
      skew,
      shift,
      grid: Infinity,
    },
    isMissing: missingCheck({ api, gone: revokedIds }),
    ...{ credential: more.credential ?? 'api-key', held: more.held ?? [], budget: budgetOf(budgetMs) },
  }
  const lookUntilSettled = async () => {
    let looked: Look = { findings: intents.map((intent) => ({ intent })), isOpen: true }
    for (let found = -1; found < context.orphans.size; ) {
      found = context.orphans.size
      looked = await lookOnce(looked, true, context)
      await Promise.all(context.orphans.values())
    }
    return looked
  }
  const { value } = await run(lookUntilSettled())
  const orphans = await Promise.all(
    [...context.orphans].map(async ([id, orphan]) => ({ id, ...(await orphan) })),
  )
  const results = value.findings.map((search) => {
    const orphan = orphans.find(({ intent }) => intent.expiry === search.intent.expiry)
    if (orphan && !orphan.failure) return `revoked ${orphan.id}`
    const { failure = '', warning = '' } = orphan ?? search
    const matched = /matches \d+ key\(s\) \((.*)\); revoked none/.exec(failure + warning)
    if (matched !== null) return `ambiguous: ${matched[1]}`
    if (failure + warning === '' || warning.startsWith('No key of an unresolved')) return 'absent'
    return `${value.isOpen && !orphan ? 'open' : 'final'}: ${failure}${warning}`
  })
  return { results, calls }
}
const lists = (...rows: Parameters<typeof listOf>[0][]) => rows.map((keys) => ok(listOf(keys)))

describe('the twin of a key that this run holds', () => {
  // Asked for 5,123.718 ms, and stored on a grid of 1 ms, to the nearest.
  const asked = requestOf(5_123.718)
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
    expect((await lookFor([at('twin', 5_124)])).results).toEqual(['revoked twin'])
  })

  test('may be a key of the millisecond before, if the list rounds otherwise, or that of another run', async () => {
    expect((await lookFor([at('neighbor', 5_123)])).results).toEqual([expect.stringMatching(/^ambiguous: /)])
  })

  test('is known by that expiry after the main step has revoked the key', async () => {
    expect((await lookFor([at('neighbor', 5_123)], false)).results).toEqual([
      expect.stringMatching(/^ambiguous: /),
    ])
    expect((await lookFor([at('twin', 5_124)], false)).results).toEqual(['revoked twin'])
  })

  const repeated = { ...requestOf(5_125.718), stored: 5_125.718 }
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
  ])('is recognized in a list that has it %s', async (_, intent, expiresAt, result) => {
    const shift = expiresAt > hours(1) ? hours(2) : 0
    const twin = { ...at('twin', expiresAt), createdAt: 100 + shift }
    const { results } = await look(lists([own, twin], [own]), { intents: [intent] })
    expect(results).toEqual([expect.stringMatching(`^${result}`)])
  })

  test('may expire at another instant where the API limits lifetimes', async () => {
    const capped = { ...held, createdAt: 100, expiresAt: 100 + 60_000 }
    const twin = { ...at('twin', 200 + 60_000), createdAt: 200 }
    const intents = [{ ...asked, expiry: 90_000.5, stored: capped.expiresAt }]
    const rows = [own, { ...at('held', 100 + 60_000), createdAt: 100 }, twin]
    const { results } = await look(lists(rows), { intents, held: [{ ...capped, asked: 90_000.5 }] })
    expect(results).toEqual(['ambiguous: twin... (id twin), expires 1970-01-01 00:01:00 UTC'])
  })

  test('may never expire, where the response only repeated what was asked for', async () => {
    const rows = ['held', 'twin'].map((id) => rowOf(id, { prefix: id, createdAt: 100, expiresAt: null }))
    const { results } = await look(lists([own, ...rows]), {
      intents: [{ ...asked, stored: asked.expiry }],
      held: [{ ...held, expiresAt: asked.expiry }],
    })
    expect(results).toEqual(['ambiguous: twin... (id twin), never expires'])
  })

  test('is what begins like a key that has been revoked', async () => {
    const twin = rowOf('twin', { prefix: 'he', createdAt: 100, expiresAt: 5_124 })
    const { results } = await look(lists([own, twin], [own]), {
      intents: [{ ...asked, stored: 5_124 }],
      held: [held],
      gone: ['held'],
    })
    expect(results).toEqual(['revoked twin'])
  })

  test.each([asked.expiry + 7, 5_130, 5_000])(
    'is not known by the millisecond that was asked for, where the response had %d',
    async (stored) => {
      const { results } = await look(lists([own, at('neighbor', 5_123)]), { intents: [{ ...asked, stored }] })
      expect(results).toEqual([expect.stringMatching(/^ambiguous: /)])
    },
  )

  test('is no held key only because all keys begin alike', async () => {
    const rows = ['twin', 'held'].map((id) => rowOf(id, { prefix: 'he', createdAt: 100, expiresAt: 5_124 }))
    const { results } = await look(lists([own, ...rows], [own]), {
      intents: [{ ...asked, stored: 5_124 }],
      held: [held],
    })
    expect(results).toEqual(['revoked twin'])
  })

  test('is not that key itself, whose id and expiry the list writes in another form', async () => {
    const row = { ...at('held', 5_123), id: 'key-held' }
    const { results } = await look(lists([own, row]), {
      intents: [{ ...asked, stored: 5_124 }],
      held: [held],
    })
    expect(results).toEqual(['absent'])
  })

  test('is not that key itself, whose id the list writes in another form', async () => {
    expect((await lookFor([{ ...at('held', 5_124), id: 'key-held' }])).results).toEqual(['absent'])
  })
})

describe('an orphan', () => {
  test('is revoked with api-key, and counts as revoked once the list no longer shows it', async () => {
    const { results, calls } = await look(lists([own, orphan, other], [own, other]))
    expect(results).toEqual(['revoked orphan'])
    // The last one is for its twin.
    expect(calls).toEqual(['0 list api-key', '0 revoke api-key orphan', '0 list api-key', '0 list api-key'])
  })

  test('whose revocation was granted is looked for again, even if the API refuses to revoke it twice', async () => {
    const stale = [own, orphan]
    const { results } = await look(lists(stale, stale, stale, [own]), { revoke: [ok(null), status(410)] })
    expect(results).toEqual(['revoked orphan'])
  })

  test('is not revoked while the list shows it, and the result names it', async () => {
    const { results } = await look(lists([own, orphan]), { budgetMs: 5_000 })
    expect(results).toEqual([
      `final: ${UNREVOKED}the revocation was granted; no list confirms that it is gone`,
    ])
  })

  test('that is revoked, and that a list still shows, does not hide its twin', async () => {
    const twin = { ...orphan, id: 'twin', prefix: 'twin' }
    const { results } = await look(lists([own, orphan, twin], [own]), {
      intents: [{ ...request, stored: request.expiry }],
      gone: ['orphan'],
    })
    expect(results).toEqual(['revoked twin'])
  })

  test('whose revocation is refused is named with the reason', async () => {
    const { results } = await look(lists([own, orphan]), { revoke: [status(403)] })
    expect(results).toEqual([`final: ${UNREVOKED}failure 403; no list confirms that it is gone`])
  })

  test('is not old because the server that made it is behind: a 404 and a list without it may be of a replica', async () => {
    const revoke = [status(404), ok(null)]
    const { results, calls } = await look(lists([own, orphan], [own]), { revoke, skew: 400_000 })
    expect(results).toEqual(['revoked orphan'])
    expect(calls.filter((call) => call.includes('revoke'))).toHaveLength(2)
  })

  test('is recognized by the clock as it was before it was set, whatever Date says', async () => {
    const hour = 3_600_000
    const moved = { ...request, sentAt: request.sentAt + hour, deadline: request.deadline + hour }
    const list = [ok(listOf([own, orphan]), 2 * hour), ok(listOf([own]))]
    const { results } = await look(list, { intents: [moved], shift: hour })
    expect(results).toEqual(['revoked orphan'])
    const unset = await look(lists([own, orphan]), { intents: [moved] })
    expect(unset.results).toEqual([expect.stringMatching(/^ambiguous: /)])
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
      expect(results).toEqual(['revoked orphan'])
      expect(calls.slice(0, 2)).toEqual(['0 list api-key', '0 list api-key'])
    }
  })
})

describe('absence', () => {
  test('is believed from a list that shows the key that it was read with', async () => {
    expect((await look(lists([own, other]))).results).toEqual(['absent'])
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
    expect((await look(list, { gone })).results).toEqual([`${DOUBTED}${doubt}`])
  })

  test('is never said of a key that a doubtful list shows: it is revoked', async () => {
    const list = listOf([own, orphan], { doubt: 'it shows 2 of 7 keys' })
    const { results } = await look([ok(list), ...lists([own])])
    expect(results).toEqual(['revoked orphan'])
  })
})

describe('the row of api-key', () => {
  test('is never revoked, even where it has just the times of an orphan', async () => {
    const stamped = rowOf('own', { prefix: 'api-key', createdAt: 100, expiresAt: request.expiry })
    const { results, calls } = await look(lists([stamped, other]))
    expect(results).toEqual(['absent'])
    expect(calls).toEqual(['0 list api-key'])
  })

  test('does not hide an orphan of the same times', async () => {
    const stamped = rowOf('own', { prefix: 'api-key', createdAt: 100, expiresAt: request.expiry })
    const { results } = await look(lists([stamped, orphan], [stamped]))
    expect(results).toEqual(['revoked orphan'])
  })

  test('is not told by a prefix that other rows have as well, which makes the list doubtful', async () => {
    const { results } = await look(lists([own, rowOf('another', { prefix: 'api-' })]))
    expect(results).toEqual([`${DOUBTED}it does not show the key that it was read with`])
  })
})

describe('several requests', () => {
  test('have one result each, in order, from one reading of the list', async () => {
    const intents = [requestOf(111.222), request, requestOf(999_999.111)]
    const twins = ['twin-1', 'twin-2'].map((id) => rowOf(id, { createdAt: 5, expiresAt: 111.222 }))
    const { results, calls } = await look(lists([own, orphan, ...twins], [own, ...twins]), { intents })
    expect(results).toEqual([expect.stringMatching(/^ambiguous: /), 'revoked orphan', 'absent'])
    expect(calls.filter((call) => call.includes('list'))).toHaveLength(3)
  })
})

describe('a list that cannot be read', () => {
  test('fails every request with its reason', async () => {
    const { results } = await look([status(403)], { intents: [request, requestOf(7.5)] })
    const result = `open: ${UNKNOWN}failure 403`
    expect(results).toEqual([result, result])
  })

  test('with 401 is retryable, because an authentication service may recover', async () => {
    const { results } = await look([status(401)])
    expect(results).toEqual([`open: ${UNKNOWN}failure 401`])
  })

  test('that is not answered is read again until the budget ends', async () => {
    const unavailable = failed({ status: 503, retryable: true })
    const { results, calls } = await look([unavailable], { budgetMs: 10_000 })
    expect(calls.length).toBeGreaterThan(3)
    expect(results).toEqual([`open: ${UNKNOWN}failure 503`])
  })

  test('is not requested without a credential', async () => {
    const { failures, calls, took } = await watch([unanswered], () => empty, { credential: null })
    expect({ calls, took }).toEqual({ calls: [], took: 0 })
    expect(failures).toEqual([`${UNKNOWN}there was no credential left that may be sent. ${ABOUT}`])
  })
})

describe('a JWT as api-key', () => {
  test('does not make every list doubtful, as no list shows a JWT', async () => {
    const { results } = await look(lists([own, other]), {
      credential: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl',
    })
    expect(results).toEqual(['absent'])
  })
})
