import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { SKIP_SLEEPS, shiftedClock } from '../support/preload.ts'
import {
  type Answer,
  type Behave,
  JSON_TYPE,
  type Key,
  later,
  rowOf,
  warnings,
  withReplaceableApi,
} from '../support/replaceable-api.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const nodeArgs = SKIP_SLEEPS
const NO = { status: 403, headers: JSON_TYPE, body: { detail: 'No.' } }
const PAGE = { status: 502, headers: { 'Content-Type': 'text/html' }, body: '<html>' }

/** What both steps showed. */
async function job(
  behave: Behave,
  inputs: Record<string, string> = {},
  stepEnv: Record<string, string> = {},
) {
  return withReplaceableApi(behave, async (stage) => {
    const main = await stage.job.main({ ...stage.inputs, ...inputs }, { nodeArgs, stepEnv })
    const post = await stage.job.post(undefined, { nodeArgs, stepEnv })
    return { main, post, mainSaid: warnings(main), postSaid: warnings(post), made: stage.seen }
  })
}

const onCreate =
  (answer: Answer): Behave =>
  ({ method }) =>
    method === 'POST' ? answer : undefined
const onProbe =
  (answer: Answer): Behave =>
  ({ method }) =>
    method === 'GET' ? answer : undefined
/** Changes the key before its response is sent. */
const changing = (change: (key: Key, asked: string) => void): Behave => {
  return ({ method, body }, account, serve) => {
    if (method !== 'POST') return undefined
    const answer = serve()
    const key = account.keys.at(-1)
    if (!key) return answer
    change(key, JSON.parse(body).expiry)
    return { ...answer, body: { token: key.token, api_key: rowOf(key) } }
  }
}
const moved = (expiry: string, ms: number) =>
  new Date(Date.parse(expiry) + ms).toISOString().slice(0, 19) + expiry.slice(19, -1)

describe('the Date of an HTML 400, which is not the API’s,', () => {
  const AHEAD_MS = 23 * HOUR_MS
  const behave: Behave = ({ method, nth }, _account, serve) => {
    if (method !== 'POST') return undefined
    const Date_ = new Date(Date.now() + AHEAD_MS).toUTCString()
    if (nth === 0) return { ...PAGE, status: 400, headers: { ...PAGE.headers, Date: Date_ } }
    if (nth === 1) serve()
    return nth === 1 ? PAGE : NO
  }

  test('does not show that the clock of the runner is wrong', async () => {
    expect((await job(behave)).main.shown).not.toContain('clock')
  })

  test('does not have a key requested that lives longer than expires-in', async () => {
    const { made } = await job(behave)
    const asked = made
      .filter(({ method }) => method === 'POST')
      .map(({ body, at }) => Date.parse(JSON.parse(body).expiry) - at)
    expect(Math.max(...asked)).toBeLessThanOrEqual(HOUR_MS)
  })
})

describe('times', () => {
  test('of a key that could not be revoked are not local times called UTC', async () => {
    const local: Behave = (...given) => {
      if (given[0].method === 'DELETE') return { status: 503, headers: JSON_TYPE, body: { detail: 'down' } }
      return changing((key, asked) =>
        Object.assign(key, { created: later(-5 * HOUR_MS).slice(0, -1), expiry: moved(asked, -5 * HOUR_MS) }),
      )(...given)
    }
    const { postSaid } = await job(local)
    const [, shown = ''] = /It expires at (\S+ \S+) UTC/.exec(postSaid) ?? []
    expect(Date.parse(`${shown.replace(' ', 'T')}Z`)).toBeGreaterThan(Date.now())
  })

  const behind = shiftedClock(-30 * MINUTE_MS)

  test('of a lost request are by the clock of the API, if that is known', async () => {
    const behave: Behave = ({ method, nth }, _account, serve) => {
      if (method === 'POST' && nth === 1) serve()
      if (method === 'POST' && nth > 0) return nth === 1 ? PAGE : NO
      return method === 'GET' ? { ...serve(), headers: { ...JSON_TYPE, Age: '5' } } : undefined
    }
    const { postSaid } = await job(behave, {}, behind)
    const [, shown = ''] = /Sent about (\S+ \S+) UTC/.exec(postSaid) ?? []
    expect(Math.abs(Date.parse(`${shown.replace(' ', 'T')}Z`) - Date.now())).toBeLessThan(5 * MINUTE_MS)
  })

  test('of a revocation are not before those of its key', async () => {
    const { post } = await job(() => undefined, {}, behind)
    const [created = '', , revoked = ''] = post.summary.match(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g) ?? []
    expect(revoked >= created).toBe(true)
  })
})

describe('causes', () => {
  test('an answer of a cache is not called one of the API', async () => {
    const behave: Behave = ({ method }, { keys }) =>
      method === 'GET'
        ? { status: 200, headers: { ...JSON_TYPE, Age: '7' }, body: keys.map(rowOf) }
        : undefined
    expect((await job(behave)).postSaid).not.toContain('the API still accepts it')
  })

  test('a 200 that is no list is not called an acceptance of the key', async () => {
    const { postSaid } = await job(
      onProbe({ status: 200, headers: JSON_TYPE, body: { status: 'maintenance' } }),
    )
    expect(postSaid).not.toContain('the API still accepts it')
  })

  const text = { 'Content-Type': 'text/plain', 'Content-Encoding': 'identity' }

  test('a text 401 that names its coding is not the API’s word on api-key', async () => {
    const { mainSaid } = await job(onCreate({ status: 401, headers: text, body: 'Blocked by the firewall' }))
    expect(mainSaid).not.toContain('The API rejected api-key')
  })

  test('identity is what was asked for', async () => {
    const { mainSaid } = await job(onCreate({ status: 403, headers: text, body: 'Blocked by the firewall' }))
    expect(mainSaid).not.toContain('which was not asked for')
  })

  test('400 KiB that are not UTF-8 are not more than 1 MiB', async () => {
    const headers = { 'Content-Type': 'application/octet-stream' }
    const { mainSaid } = await job(onCreate({ status: 403, headers, body: Buffer.alloc(400 * 1024, 0xff) }))
    expect(mainSaid).not.toContain('more than 1 MiB')
  })

  test('headers that are too long are not called something else than HTTP', async () => {
    const { mainSaid } = await job(
      onCreate({ status: 201, headers: { 'X-Long': 'a'.repeat(20_000) }, body: {} }),
    )
    expect(mainSaid).toContain('answered with HTTP that Node refuses (HPE_HEADER_OVERFLOW)')
  })

  test('a 304 is no redirect', async () => {
    expect((await job(onProbe({ status: 304 }))).postSaid).not.toContain('redirect')
  })

  test('a key that nothing says who revoked is only called no longer valid', async () => {
    const behave: Behave = ({ method, nth }, _account, serve) => {
      if (method !== 'DELETE' || nth > 0) return undefined
      serve()
      return PAGE
    }
    const { post } = await job(behave)
    expect(post.shown).toContain('No longer valid (verified)')
    expect(post.shown).not.toMatch(/Revoked \(verified\)|[Aa]lready/)
  })

  test('a proxy that refuses a login is not said to require one', async () => {
    const proxy = createServer().on('connect', (_request, socket) =>
      socket.end('HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n'),
    )
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const HTTPS_PROXY = `http://runner:wrong-password@127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const { mainSaid } = await job(
      () => undefined,
      { 'api-url': 'https://api.spherescout.test' },
      { HTTPS_PROXY },
    )
    proxy.close()
    expect(mainSaid).toContain('407')
    expect(mainSaid).not.toContain('it requires a login')
  })

  test('the advice to raise timeout says how far', async () => {
    const { mainSaid } = await job(
      onCreate({ status: 429, headers: { ...JSON_TYPE, 'Retry-After': '7200' }, body: {} }),
    )
    expect(mainSaid).toContain('Run the job again later, or raise timeout (30 minutes at most).')
  })
})
