import { expect, test } from '@jest/globals'
import { startEmulator } from '../support/emulator.ts'
import { createJob } from '../support/runner.ts'
import { createSlots } from '../support/slots.ts'

const JOBS = 48
/** Processes at a time: enough to be rate limited together, few enough to start on a small machine. */
const SLOTS = 12
/** Eight requests a second, so that the jobs have to take turns, to obtain their keys and to revoke them. */
const THROTTLE = { requests: 16, windowMs: 2_000 }
/** Longer than a machine ten times slower takes to start and end all processes. */
const LIMIT_MS = 10 * 60_000

test(
  `${JOBS} real jobs on a rate-limited account: each has a key of its own, and none is valid after post`,
  async () => {
    const emulator = await startEmulator({ throttle: THROTTLE })
    const { account } = emulator
    const jobs = Array.from({ length: JOBS }, () => createJob())
    const slots = createSlots(SLOTS)
    // However slowly the processes start, this many requests meet the rate limit.
    const refuse = (on: 'create' | 'revoke') =>
      emulator.fault({ on, kind: 'status', status: 429, headers: { 'Retry-After': '1' }, times: SLOTS })
    try {
      refuse('create')
      const inputs = { 'api-key': account.longLivedKey, 'api-url': emulator.url, timeout: '30m' }
      const mains = await Promise.all(jobs.map((job) => slots.use(() => job.main(inputs))))
      expect(mains.map(({ exitCode }) => exitCode)).toEqual(Array(JOBS).fill(0))
      const tokens = new Set(mains.map(({ outputs }) => outputs.key))
      expect(tokens.size).toBe(JOBS)
      // A main step that was slow to get its answer may have left a further key, for post to find.
      expect(account.live().map(({ token }) => token)).toEqual(expect.arrayContaining([...tokens]))

      refuse('revoke')
      const posts = await Promise.all(jobs.map((job) => slots.use(() => job.post())))
      expect(posts.map(({ exitCode }) => exitCode)).toEqual(Array(JOBS).fill(0))
      expect(posts.flatMap(({ annotations }) => annotations)).toEqual([])
      expect(account.live()).toEqual([])

      const log = jobs.map((job) => job.log()).join('\n')
      const secrets = [account.longLivedKey, ...account.keys().map(({ token }) => token)]
      expect(secrets.filter((secret) => log.includes(secret))).toEqual([])
    } finally {
      await Promise.all(jobs.map((job) => job.cleanUp()))
      await emulator.close()
    }
  },
  LIMIT_MS,
)
