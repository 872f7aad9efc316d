import { describe, expect, test } from '@jest/globals'
import type { ListedKey } from '../../src/api/key-api.ts'
import { dueWhileStuck, taggedExpiry } from '../../src/rotate/decisions.ts'
import {
  type ExpiryFacts,
  expiryAlarm,
  expiryWarning,
  keyNotReceived,
} from '../../src/rotate/expiry-warning.ts'
import { DAY, HOUR, type RotateOptions, runRotate, SECRET, START, TAG } from './harness.ts'

const MINUTE = 60_000

const key = (change: Partial<ListedKey> = {}): ListedKey => ({
  id: '17',
  prefix: 'abc',
  createdAt: START - 50 * DAY,
  expiresAt: START + 10 * DAY,
  unreadable: null,
  ...change,
})

describe('the alarm about a key', () => {
  const alarm = (left: number | null, facts: Partial<ExpiryFacts> = {}) => {
    const expiresAt = left === null ? null : START + left
    return expiryAlarm({ current: { expiresAt }, failed: true, stuck: false, now: START, ...facts })
  }

  test.each([
    [14 * DAY + 1, 'none'],
    [14 * DAY, 'soon'],
    [7 * DAY + 1, 'soon'],
    [7 * DAY, 'urgent'],
    [0, 'urgent'],
    [-DAY, 'urgent'],
    [null, 'none'],
  ])('that expires in %j ms and was not replaced is %s', (left, expected) => {
    expect(alarm(left)).toBe(expected)
    const whileStuck = expected === 'none' ? 'stuck' : expected
    expect(alarm(left, { failed: false, stuck: true })).toBe(whileStuck)
    expect(alarm(left, { stuck: true })).toBe(whileStuck)
  })

  test.each([14 * DAY, 7 * DAY, HOUR])('that expires in %j ms is none while rotation works', (left) => {
    expect(alarm(left, { failed: false })).toBe('none')
  })
})

describe('a rotation is stuck', () => {
  const own = (createdAt: number) => key({ createdAt, expiresAt: taggedExpiry(createdAt + 60 * DAY, TAG) })
  const current = own(START - 40 * DAY)
  const facts = { current, tag: TAG, now: START }
  /** With the newest of these keys in the secret. */
  const notReceived = (keys: ListedKey[], change: Partial<Parameters<typeof keyNotReceived>[0]> = {}) => {
    const homeUpdatedAt = Math.max(...keys.map(({ createdAt }) => createdAt ?? 0)) + MINUTE
    return keyNotReceived({ ...facts, homeUpdatedAt, keys: [current, ...keys], ...change })
  }
  const stuck = (...keys: ListedKey[]) => notReceived(keys) !== null

  test('if it made a key two days ago, and the run received an older one', () => {
    expect(stuck()).toBe(false)
    expect(stuck(own(START - 2 * DAY))).toBe(true)
    expect(stuck(own(START - 50 * DAY), own(START - 2 * DAY))).toBe(true)
    expect(stuck(own(START - 2 * DAY + 1))).toBe(false)
    expect(stuck(own(START - 50 * DAY))).toBe(false)
  })

  test('and the newest key decides when the next one is due', () => {
    const newest = own(START - HOUR)
    expect(notReceived([own(START - 9 * DAY), newest, own(START - 3 * DAY)])).toBe(newest)
    const limits = { rotateAfter: 30 * DAY, expiresIn: 60 * DAY, overlap: 7 * DAY }
    const due = (expiresAt: number | null) => dueWhileStuck({ ...current, expiresAt }, newest, limits)
    expect(due(null)).toBe(START - HOUR + 30 * DAY)
    expect(due(START + 37 * DAY)).toBe(START - HOUR + 30 * DAY)
    expect(due(START + 20 * DAY)).toBe(START + 13 * DAY)
  })

  test('but not by a key of the same hour, of someone else or of an unknown time', () => {
    expect(stuck(own(START - 40 * DAY + HOUR))).toBe(true)
    expect(stuck(own(START - 40 * DAY + HOUR - 1))).toBe(false)
    expect(stuck(key({ createdAt: START - 3 * DAY }))).toBe(false)
    expect(stuck({ ...own(START - 3 * DAY), createdAt: null })).toBe(false)
    const unknown = { ...current, createdAt: null }
    expect(notReceived([own(START - 3 * DAY)])).not.toBeNull()
    expect(notReceived([own(START - 3 * DAY)], { current: unknown })).toBeNull()
  })

  test('but not by a key that only a copy got: the home secret was last written before that', () => {
    const at = (homeUpdatedAt: number | null) =>
      notReceived([own(START - 3 * DAY)], { homeUpdatedAt }) !== null
    expect(at(START - 3 * DAY - HOUR - 1)).toBe(false)
    expect(at(START - 3 * DAY - HOUR)).toBe(true)
    expect(at(null)).toBe(true)
  })

  test('but not if the home secret was written more than an hour after the newest key: by a person', () => {
    const keys = [own(START - 13 * DAY), own(START - 5 * DAY)]
    const at = (homeUpdatedAt: number) => notReceived(keys, { homeUpdatedAt })
    expect(at(START - 5 * DAY + HOUR)).toBe(keys[1])
    expect(at(START - 5 * DAY + HOUR + 1)).toBeNull()
  })

  test('even so if the key in hand was replaced twice within 7 days, more than an hour apart: it is put back repeatedly', () => {
    const newest = own(START - 5 * DAY)
    const putBack = (earlier: number, change = {}) =>
      notReceived([own(START - 5 * DAY - earlier), newest], { homeUpdatedAt: START - HOUR, ...change })
    expect(putBack(HOUR - 1)).toBeNull()
    expect(putBack(HOUR)).toBe(newest)
    expect(putBack(7 * DAY)).toBe(newest)
    expect(putBack(7 * DAY + 1)).toBeNull()
    // The other key is older than the key in hand.
    expect(putBack(DAY, { current: own(START - 5 * DAY - HOUR) })).toBeNull()
  })
})

describe('the warning', () => {
  const warn = (left: number, facts: Partial<ExpiryFacts> = {}) => {
    const current = key({ expiresAt: START + left })
    return expiryWarning(current, {
      current,
      failed: true,
      stuck: false,
      rotated: false,
      now: START,
      ...facts,
    })
  }

  test('names the key, the date, the days that are left and what to do', () => {
    expect(warn(10 * DAY + HOUR)).toBe(
      'The key abc... (id 17) expires at 2027-03-11 05:17:00 UTC (in 10 days) and was not replaced. ' +
        'Fix what this run reports, and run the workflow again.',
    )
    expect(warn(DAY)).toBe(
      'URGENT: the key abc... (id 17) expires at 2027-03-02 04:17:00 UTC (in 1 day), and jobs that use it fail from ' +
        'then on. It was not replaced. Fix what this run reports, and run the workflow again today, or create a key in ' +
        'the dashboard and save it in the secret.',
    )
    expect(warn(-HOUR)).toContain('(in 0 days)')
  })

  test('of a rotation that is stuck says to check where api-key comes from', () => {
    const stuck = { failed: false, stuck: true }
    expect(warn(10 * DAY, stuck)).toBe(
      'The key abc... (id 17) expires at 2027-03-11 04:17:00 UTC (in 10 days) and was replaced by earlier runs, but is ' +
        'still passed as api-key. Check that api-key comes from the secret that this action writes, and run the workflow again.',
    )
    expect(warn(DAY, stuck)).toMatch(
      /^URGENT: .* It was replaced by earlier runs, but is still passed as api-key\. Check/,
    )
  })

  test('of a rotation that is stuck does not depend on the expiry', () => {
    const text =
      'The key abc... (id 17) was replaced by earlier runs, but is still passed as api-key. Check that api-key comes ' +
      'from the secret that this action writes, and run the workflow again. Until then, keys are only created when the ' +
      'newest one is due.'
    expect(warn(20 * DAY, { failed: false, stuck: true })).toBe(text)
    expect(warn(20 * DAY, { failed: false, stuck: true, rotated: true })).toBe(text.split(' Until')[0])
    const current = key({ expiresAt: null })
    for (const failed of [true, false])
      expect(expiryWarning(current, { current, failed, stuck: true, rotated: false, now: START })).toBe(text)
  })

  test('is missing if there is no alarm', () => {
    expect(warn(20 * DAY)).toBeNull()
    const current = key({ expiresAt: null })
    expect(
      expiryWarning(current, { current, failed: true, stuck: false, rotated: false, now: START }),
    ).toBeNull()
  })
})

describe('a run', () => {
  const down: RotateOptions['answer'] = (what) => (what.startsWith('POST') ? { status: 503 } : undefined)
  const summaryOf = ({ traces }: Awaited<ReturnType<typeof runRotate>>) =>
    traces.printed.find((text) => text.startsWith('###')) ?? ''

  /** A run that receives a key with this creation and expiry. */
  const receive = (createdAt: number, expiry: number, options: RotateOptions) =>
    runRotate({
      ...options,
      prepare: ({ account, github }) => {
        const { token } = account.addKey({ created: createdAt, expiry })
        github.addSecret('repository', SECRET, { value: token })
      },
      inputsOf: ({ github }) => ({ apiKey: github.secret('repository', SECRET)?.value ?? '' }),
    })

  test.each([
    [14 * DAY + HOUR, 0, ''],
    [14 * DAY, 1, 'The key '],
    [7 * DAY + HOUR, 1, 'The key '],
    [7 * DAY, 1, 'URGENT: the key '],
  ])('that fails while the key expires in %i ms has %i warnings', async (left, count, start) => {
    const run = await receive(START - 45 * DAY, START + left, { answer: down })
    expect(run.error).toMatch(/^No new key was received/)
    expect(run.traces.warnings).toHaveLength(count)
    for (const warning of run.traces.warnings) {
      expect(warning.startsWith(start)).toBe(true)
      expect(summaryOf(run)).toContain(`- ${warning}`)
    }
    expect(summaryOf(run).includes('was not replaced')).toBe(count > 0)
  })

  test("that fails before it looks at the places warns as well, by the API's clock", async () => {
    const answer: RotateOptions['answer'] = (what) =>
      what.includes('/actions/') ? { status: 401 } : undefined
    const run = await runRotate({ own: true, age: 50 * DAY, answer, clockError: 20 * HOUR })
    expect(run.traces.warnings[0]).toMatch(/^The key .* was not replaced/)
    const left = Number(run.current.expiry) - START
    expect(run.traces.warnings[0]).toContain(`(in ${Math.floor(left / DAY)} days)`)
  })

  test.each([8, 14, 30])(
    'of a healthy schedule never warns, even with %i days less for expires-in',
    async (spare) => {
      const limits = { rotateAfter: 30 * DAY, expiresIn: (30 + spare) * DAY, overlap: HOUR }
      for (const age of [29, 30, 31]) {
        const created = START - age * DAY
        const expiry = taggedExpiry(created + limits.expiresIn, TAG)
        const run = await receive(created, expiry, { inputs: { limits } })
        expect(run.error).toBe('')
        expect(run.traces.outputs.rotated).toBe(String(age >= 30))
        expect(run.traces.warnings).toEqual([])
      }
    },
  )

  /** A run that receives a key of this age although the secret got another one three days ago. */
  const shadowed = (age: number, options: RotateOptions = {}) =>
    runRotate({
      own: true,
      age,
      ...options,
      prepare: ({ addOwnKey, github }) =>
        github.addSecret('repository', SECRET, {
          value: addOwnKey(3 * DAY).token,
          updatedAt: START - 3 * DAY,
        }),
    })

  test('that receives a key which earlier runs replaced warns and creates no key', async () => {
    for (const own of [true, false]) {
      const run = await shadowed(50 * DAY, { own })
      expect(run.error).toBe('')
      expect(run.account.keys()).toEqual([])
      expect(run.traces.outputs).toMatchObject({ rotated: 'false', retired: '[]' })
      expect(run.traces.warnings).toEqual([expect.stringContaining('was replaced by earlier runs')])
      expect(summaryOf(run)).toContain('was replaced by earlier runs')
    }
  })

  test('that receives it in the last week before it expires rotates nevertheless', async () => {
    const run = await shadowed(53 * DAY)
    expect(run.traces.outputs.rotated).toBe('true')
    expect(run.traces.warnings).toEqual([expect.stringMatching(/^URGENT: .* was replaced by earlier runs/)])
  })

  test('that receives it rotates in an emergency, or if GitHub does not say when the secret was written', async () => {
    const now = await shadowed(20 * DAY, { inputs: { revokePrevious: 'now' } })
    const unknown = await shadowed(40 * DAY, { github: { updatedAt: 'absent' } })
    for (const run of [now, unknown]) {
      expect(run.traces.outputs.rotated).toBe('true')
      expect(run.traces.warnings).toEqual([expect.stringContaining('was replaced by earlier runs')])
    }
  })

  test('that receives an older key which a person put back rotates at once, and does not blame api-key', async () => {
    const run = await runRotate({
      age: 100 * DAY,
      prepare: ({ addOwnKey, account, github }) => {
        addOwnKey(5 * DAY)
        const byHand = account.addKey({ expiry: null, created: START - 100 * DAY })
        github.addSecret('repository', SECRET, { value: byHand.token, updatedAt: START - HOUR })
      },
      inputsOf: ({ github }) => ({ apiKey: github.secret('repository', SECRET)?.value ?? '' }),
    })
    expect(run.error).toBe('')
    expect(run.traces.outputs.rotated).toBe('true')
    expect(run.traces.warnings).toEqual([])
  })

  test('that receives an older key which a tool puts back every day warns and creates no key', async () => {
    const putBack = (...ages: number[]) =>
      runRotate({
        age: 100 * DAY,
        prepare: ({ addOwnKey, account, github }) => {
          for (const age of ages) addOwnKey(age)
          const byHand = account.addKey({ expiry: null, created: START - 100 * DAY })
          github.addSecret('repository', SECRET, { value: byHand.token, updatedAt: START - 12 * HOUR })
        },
        inputsOf: ({ github }) => ({ apiKey: github.secret('repository', SECRET)?.value ?? '' }),
      })
    const again = await putBack(2 * DAY, DAY)
    expect(again.error).toBe('')
    expect(again.traces.outputs.rotated).toBe('false')
    expect(again.traces.warnings).toEqual([expect.stringContaining('was replaced by earlier runs')])
    const whenDue = await putBack(31 * DAY, 30 * DAY)
    expect(whenDue.traces.outputs.rotated).toBe('true')
  })

  test('whose home secret was never written, although a copy was, does not blame api-key', async () => {
    const run = await runRotate({
      own: true,
      age: 50 * DAY,
      prepare: ({ addOwnKey }) => void addOwnKey(3 * DAY),
    })
    expect(run.traces.outputs.rotated).toBe('true')
    expect(run.traces.warnings).toEqual([])
  })
})
