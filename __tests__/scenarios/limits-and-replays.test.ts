import { describe, expect, test } from '@jest/globals'
import { SKIP_SLEEPS } from '../support/preload.ts'
import {
  type Account,
  type Answer,
  type Asked,
  JSON_TYPE,
  rowOf,
  warnings,
  withReplaceableApi,
} from '../support/replaceable-api.ts'

const nodeArgs = SKIP_SLEEPS
const HTML = { 'Content-Type': 'text/html' }

describe('a key whose own requests are rate limited, while those of api-key are not', () => {
  const limited =
    (seconds: number) =>
    ({ method, credential }: Asked, { keys }: Account): Answer | undefined =>
      method !== 'POST' && keys.some(({ mine, token }) => mine && token === credential)
        ? {
            status: 429,
            headers: { ...JSON_TYPE, 'Retry-After': String(seconds) },
            body: { detail: 'Throttled.' },
          }
        : undefined

  test.each([40, 3600])(
    'is revoked with api-key before anything waits (Retry-After: %i)',
    async (seconds) => {
      await withReplaceableApi(limited(seconds), async ({ job, inputs, seen }) => {
        await job.main(inputs, { nodeArgs })
        const post = await job.post(undefined, { nodeArgs })
        expect(post.shown).toContain('Revoked (verified)')
        const before = seen.findIndex(
          ({ method, credential }) => method === 'DELETE' && credential === inputs['api-key'],
        )
        // The create request, the DELETE with the key, then the one with api-key.
        expect(before).toBe(2)
      })
    },
  )
})

test('a post step that the runner is about to kill (SIGINT, as for timeout-minutes) names the key', async () => {
  const throttled = ({ method }: Asked): Answer | undefined =>
    method === 'DELETE'
      ? { status: 429, headers: { ...JSON_TYPE, 'Retry-After': '300' }, body: {} }
      : undefined
  // The kill follows the signal, however late a busy machine delivers that.
  const signals = `
    process.once('SIGINT', () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300));
    setTimeout(() => process.kill(process.pid, 'SIGINT'), 500)`
  await withReplaceableApi(throttled, async ({ job, inputs, keys }) => {
    await job.main(inputs, { nodeArgs })
    const post = await job.post(undefined, {
      nodeArgs: ['--import', `data:text/javascript,${encodeURIComponent(signals)}`],
    })
    const key = keys.find(({ mine }) => mine)
    expect(post.signal).toBe('SIGKILL')
    expect(warnings(post)).toContain(key?.token_key)
    expect(warnings(post)).toMatch(
      /The runner is stopping this step; not yet settled: .*To revoke them now: Dashboard/,
    )
  })
})

test('the lost response to a request, replayed to the next one, is not called a key that was left alone', async () => {
  let first: Answer | undefined
  const replay = ({ method, nth }: Asked, _: Account, serve: () => Answer): Answer | undefined => {
    if (method !== 'POST' || nth > 1) return undefined
    if (nth === 1) return first
    first = serve()
    return { status: 504, headers: HTML, body: '<html>Gateway timeout</html>' }
  }
  await withReplaceableApi(replay, async ({ job, inputs, revoked }) => {
    await job.main(inputs, { nodeArgs })
    const post = await job.post(undefined, { nodeArgs })
    expect(revoked).toHaveLength(2)
    expect(post.shown).toContain('Found and revoked the orphaned key')
    expect(warnings(post)).not.toContain('so it was not revoked')
  })
})

test.each([400, 429])(
  'a %i in JSON that holds a new key deeper down does not prove that none was created',
  async (status) => {
    const wrapped = ({ method, nth }: Asked, _: Account, serve: () => Answer): Answer | undefined =>
      method === 'POST' && nth === 0
        ? { status, headers: JSON_TYPE, body: { errors: ['expiry was rounded'], data: serve().body } }
        : undefined
    await withReplaceableApi(wrapped, async ({ job, inputs, keys }) => {
      await job.main(inputs, { nodeArgs })
      const post = await job.post(undefined, { nodeArgs })
      const left = keys.filter(({ mine, token_key }) => mine && !warnings(post).includes(token_key))
      expect(left).toEqual([])
    })
  },
)

test('a key that may be the orphan is named, even if the list cannot be read any more at the end', async () => {
  let lists = 0
  const outage = (
    { method, nth, credential }: Asked,
    { keys }: Account,
    serve: () => Answer,
  ): Answer | undefined => {
    if (method === 'POST') {
      const answer = serve()
      const key = keys.at(-1)
      if (!key) return answer
      // A server that keeps whole seconds.
      key.expiry = String(key.expiry).replace(/\.\d+Z/, 'Z')
      if (nth === 0) return { status: 502, headers: HTML, body: '<html>Bad gateway</html>' }
      return { ...answer, body: { token: key.token, api_key: rowOf(key) } }
    }
    const isList = method === 'GET' && keys.some(({ mine, token }) => !mine && token === credential)
    if (!isList || ++lists <= 3) return undefined
    return { status: 503, headers: JSON_TYPE, body: { detail: 'Maintenance.' } }
  }
  await withReplaceableApi(outage, async ({ job, inputs, keys }) => {
    await job.main(inputs, { nodeArgs })
    const post = await job.post(undefined, { nodeArgs })
    const [orphan] = keys.filter(({ mine }) => mine)
    expect(warnings(post)).toContain(orphan?.token_key)
  })
})
