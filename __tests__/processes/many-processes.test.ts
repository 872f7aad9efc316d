import { expect, test } from '@jest/globals'
import { startEmulator } from '../support/emulator.ts'
import { createJob } from '../support/runner.ts'

const JOBS = 64
/** Eight requests a second: sixty-four jobs at once have to take turns, to obtain their keys and to revoke them. */
const THROTTLE = { requests: 16, windowMs: 2_000 }

test(
  `${JOBS} jobs at once, as real processes on a throttled account: each has a key of its own, and none is left`,
  async () => {
    const emulator = await startEmulator({ throttle: THROTTLE })
    const { account, requests } = emulator
    const jobs = Array.from({ length: JOBS }, () => createJob())
    const count = (method: string) => requests.filter((seen) => seen.method === method).length
    try {
      const inputs = { 'api-key': account.longLivedKey, 'api-url': emulator.url, timeout: '1m' }
      const mains = await Promise.all(jobs.map((job) => job.main(inputs)))
      expect(mains.map(({ exitCode }) => exitCode)).toEqual(Array(JOBS).fill(0))
      expect(new Set(mains.map(({ outputs }) => outputs.key)).size).toBe(JOBS)
      expect(account.keys()).toHaveLength(JOBS)
      // The test would prove nothing if nobody had been sent away.
      expect(count('POST')).toBeGreaterThan(JOBS)

      const posts = await Promise.all(jobs.map((job) => job.post()))
      expect(posts.map(({ exitCode }) => exitCode)).toEqual(Array(JOBS).fill(0))
      expect(posts.flatMap(({ annotations }) => annotations)).toEqual([])
      expect(account.live()).toEqual([])
      expect(count('DELETE')).toBeGreaterThan(JOBS)

      const log = jobs.map((job) => job.log()).join('\n')
      const secrets = [account.longLivedKey, ...account.keys().map(({ token }) => token)]
      expect(secrets.filter((secret) => log.includes(secret))).toEqual([])
    } finally {
      await Promise.all(jobs.map((job) => job.cleanUp()))
      await emulator.close()
    }
  },
  3 * 60_000,
)
