import { describe, expect, test } from '@jest/globals'
import type { ListedKey } from '../../src/api/key-api.ts'
import { taggedExpiry } from '../../src/rotate/decisions.ts'
import { type ExpiryFacts, expiryAlarm, expiryWarning, isStuck } from '../../src/rotate/expiry-warning.ts'
import { DAY, HOUR, type RotateOptions, runRotate, SECRET, START, TAG } from './harness.ts'

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
    expect(alarm(left, { failed: false, stuck: true })).toBe(expected)
    expect(alarm(left, { stuck: true })).toBe(expected)
  })

  test.each([14 * DAY, 7 * DAY, HOUR])('that expires in %j ms is none while rotation works', (left) => {
    expect(alarm(left, { failed: false })).toBe('none')
  })
})

describe('a rotation is stuck', () => {
  const own = (createdAt: number) => key({ createdAt, expiresAt: taggedExpiry(createdAt + 60 * DAY, TAG) })
  const current = own(START - 40 * DAY)
  const facts = { current, tag: TAG, now: START, homeUpdatedAt: START }
  const stuck = (...keys: ListedKey[]) => isStuck({ ...facts, keys: [current, ...keys] })

  test('if it made a key two days ago, and the run received an older one', () => {
    expect(stuck()).toBe(false)
    expect(stuck(own(START - 2 * DAY))).toBe(true)
    expect(stuck(own(START - 50 * DAY), own(START - 2 * DAY))).toBe(true)
    expect(stuck(own(START - 2 * DAY + 1))).toBe(false)
    expect(stuck(own(START - 50 * DAY))).toBe(false)
  })

  test('but not by a key of the same hour, of someone else or of an unknown time', () => {
    expect(stuck(own(START - 40 * DAY + HOUR))).toBe(true)
    expect(stuck(own(START - 40 * DAY + HOUR - 1))).toBe(false)
    expect(stuck(key({ createdAt: START - 3 * DAY }))).toBe(false)
    expect(stuck({ ...own(START - 3 * DAY), createdAt: null })).toBe(false)
    const unknown = { ...current, createdAt: null }
    expect(isStuck({ ...facts, keys: [own(START - 3 * DAY)], current: unknown })).toBe(false)
  })

  test('but not by a key that only a copy got: the home secret was last written before that', () => {
    const keys = [current, own(START - 3 * DAY)]
    const at = (homeUpdatedAt: number | null) => isStuck({ ...facts, keys, homeUpdatedAt })
    expect(at(START - 3 * DAY - HOUR - 1)).toBe(false)
    expect(at(START - 3 * DAY - HOUR)).toBe(true)
    expect(at(null)).toBe(true)
  })
})

describe('the warning', () => {
  const warn = (left: number, facts: Partial<ExpiryFacts> = {}) => {
    const current = key({ expiresAt: START + left })
    return expiryWarning(current, { current, failed: true, stuck: false, now: START, ...facts })
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

  test('is missing if there is no alarm', () => {
    expect(warn(20 * DAY)).toBeNull()
    const current = key({ expiresAt: null })
    expect(expiryWarning(current, { current, failed: true, stuck: true, now: START })).toBeNull()
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

  test('that receives a key which earlier runs replaced warns although it rotates', async () => {
    const run = await runRotate({
      own: true,
      age: 50 * DAY,
      prepare: ({ addOwnKey, github }) =>
        github.addSecret('repository', SECRET, {
          value: addOwnKey(3 * DAY).token,
          updatedAt: START - 3 * DAY,
        }),
    })
    expect(run.traces.outputs.rotated).toBe('true')
    expect(run.traces.warnings).toEqual([expect.stringContaining('was replaced by earlier runs')])
    expect(summaryOf(run)).toContain('was replaced by earlier runs')
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
