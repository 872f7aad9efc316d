import { describe, expect, test } from '@jest/globals'
import type { SavedState } from '../../src/protocol/saved-state.ts'
import { SKIP_SLEEPS } from '../support/preload.ts'
import {
  type Answer,
  type Behave,
  JSON_TYPE,
  later,
  rowOf,
  warnings,
  withReplaceableApi,
} from '../support/replaceable-api.ts'

const nodeArgs = SKIP_SLEEPS
const INVALID = { detail: 'Invalid token.' }

const withHeader = (answer: Answer, name: string, value: string | string[]): Answer => ({
  ...answer,
  headers: { ...answer.headers, [name]: value },
})

interface Outcome {
  left: { token_key: string; id: string; created: string | null; expiry: string | null }[]
  said: string
  mainLog: string
  postLog: string
}

async function runJob(
  behave: Behave,
  inputs: Record<string, string> = {},
  edit?: (record: SavedState) => SavedState,
): Promise<Outcome> {
  return withReplaceableApi(behave, async ({ job, keys, ...stage }) => {
    const main = await job.main({ ...stage.inputs, ...inputs }, { nodeArgs })
    if (edit) {
      main.state.record = JSON.stringify(edit(JSON.parse(main.state.record ?? '')))
    }
    const post = await job.post(undefined, { nodeArgs })
    const left = keys.filter(({ mine }) => mine)
    return { left, said: warnings(post), mainLog: main.shown, postLog: post.shown }
  })
}

test('a 429 that holds a new key does not prove that none was created', async () => {
  const behave: Behave = ({ method, nth }, _account, serve) =>
    method === 'POST' && nth === 0 ? { ...serve(), status: 429 } : undefined
  const { left, said } = await runJob(behave)
  expect(left.filter(({ token_key }) => !said.includes(token_key))).toEqual([])
})

test('a response with nothing but the value of a key: post names the key or its times', async () => {
  const behave: Behave = ({ method }, account, serve) => {
    if (method !== 'POST') return undefined
    const answer = serve()
    const key = account.keys.at(-1)
    // The server has its own lifetime.
    if (key) key.expiry = later(3 * 3_600_000 + 12_345)
    return { ...answer, body: { token: key?.token } }
  }
  const { left, said } = await runJob(behave)
  expect(left.length).toBeGreaterThan(0)
  expect(
    left.filter(
      ({ token_key, created }) =>
        !said.includes(token_key) && !said.includes(String(created).slice(0, 16).replace('T', ' ')),
    ),
  ).toEqual([])
})

describe('a 204 without effect is not confirmed by a 401 of a cache that says', () => {
  test.each([
    ['Server-Timing', 'cdn-cache; desc=HIT'],
    ['Server-Timing', 'cdn-cache-hit,cdn-pop;desc="FRA"'],
    ['X-Varnish', '32770 3'],
    ['X-From-Cache', '1'],
    ['X-Rack-Cache', 'fresh'],
    ['X-Cache', 'cached'],
    ['Warning', '110 - "Response is Stale"'],
    ['X-Cache-Hit', 'true'],
    ['X-Cache-Hit', '1'],
  ])('%s: %s', async (name, value) => {
    const headers = { ...JSON_TYPE, [name]: value }
    const behave: Behave = ({ method }) =>
      method === 'DELETE'
        ? { status: 204 }
        : method === 'GET'
          ? { status: 401, headers, body: INVALID }
          : undefined
    const { left, said } = await runJob(behave)
    expect(left.filter(({ token_key }) => !said.includes(token_key))).toEqual([])
  })
})

describe('a key is created, revoked and verified although an answer that no cache stored says', () => {
  test.each([
    ['Cache-Status', '"edge"; fwd=stale; fwd-status=200'],
    ['X-Cache', 'hit-for-pass'],
    ['X-Cacheable', 'NO:Hit-For-Pass'],
    ['Cache-Policy', 'no-store, stale-if-error=0'],
  ])('%s: %s', async (name, value) => {
    const behave: Behave = (_asked, _account, serve) => withHeader(serve(), name, value)
    const { postLog } = await runJob(behave)
    expect(postLog).toContain('Revoked (verified)')
  })
})

describe('a list of this account can be believed although it says', () => {
  test.each([
    ['CDN-CachedAt', '11/29/2026 02:10:51'],
    ['X-Cached-Ttl', '120'],
  ])('%s: %s', async (name, value) => {
    const behave: Behave = ({ method, nth }, _account, serve) =>
      method === 'POST' && nth === 0
        ? { status: 502, headers: JSON_TYPE, body: { detail: 'No.' } }
        : withHeader(serve(), name, value)
    const { said } = await runJob(behave)
    expect(said).not.toContain('cannot be relied on')
  })
})

describe('headers that come twice', () => {
  test('Content-Type: application/json and text/html: the 401 is the API’s', async () => {
    const behave: Behave = (_asked, _account, serve) =>
      withHeader(serve(), 'Content-Type', ['application/json', 'text/html; charset=utf-8'])
    const { postLog } = await runJob(behave)
    expect(postLog).toContain('Revoked (verified)')
  })

  test('Retry-After as a date', async () => {
    const at = () => new Date(Date.now() + 5_000).toUTCString()
    const behave: Behave = ({ method, nth }, _account, serve) =>
      method === 'POST' && nth === 0
        ? { status: 429, headers: { ...JSON_TYPE, 'Retry-After': [at(), at()] }, body: INVALID }
        : serve()
    const { mainLog } = await runJob(behave)
    expect(mainLog).toMatch(/Retrying in ([4-9]|1\d)\.\d s/)
  })
})

test('what is said of a twin whose other request was refused does not hide the times of another twin', async () => {
  let lists = 0
  let asked = ''
  const behave: Behave = ({ method, nth, credential, body }, account, serve) => {
    if (method === 'POST' && nth === 0) {
      // The request's own key is made, and another client's is answered.
      serve()
      const other = account.make({ mine: false, created: later(-86_400_000), expiry: later(86_400_000) })
      return { status: 201, headers: JSON_TYPE, body: { token: other.token, api_key: rowOf(other) } }
    }
    if (method === 'POST') {
      // The gateway sent it twice.
      asked = JSON.parse(body).expiry
      serve()
      return serve()
    }
    if (method !== 'GET' || credential !== account.keys[0]?.token) return undefined
    lists += 1
    const twin = account.keys.find(({ expiry, mine }) => mine && expiry === asked)
    const more = lists > 2 ? { 'X-Next': '/page/2' } : {}
    return {
      status: 200,
      headers: { ...JSON_TYPE, ...more },
      body: account.keys.filter((key) => key !== twin).map(rowOf),
    }
  }
  const { said } = await runJob(behave, {}, (record) => {
    // As if the second response had taken 3 s.
    const [key] = record.keys
    const times = { sentAt: Date.now() - 5_000, deadline: Date.now() + 5_000 }
    const twin = { expiry: key?.asked ?? 0, ...times, refused: '', stored: key?.expiresAt ?? null }
    return { ...record, intents: [...record.intents, twin] }
  })
  expect(said).toMatch(/\(2 requests\)\. Sent about .* or later, for a key that expires .* or later/)
})

test('a key that its own 204 does not end is revoked with api-key, although a cache says that it is accepted', async () => {
  const behave: Behave = ({ method, credential }, account, serve) => {
    const isOwn = credential !== account.keys[0]?.token
    if (method === 'DELETE' && isOwn) return { status: 204 }
    return method === 'GET' && isOwn ? withHeader(serve(), 'Age', '3') : undefined
  }
  const { left } = await runJob(behave)
  expect(left).toEqual([])
})

test('a key that a step revoked is not said to be revoked by post, where a 401 has no body', async () => {
  let lists = 0
  const behave: Behave = ({ method, credential }, account, serve) => {
    const answer = serve()
    // Once main has its key, a step revokes it.
    if (method === 'POST') return answer
    const mine = account.keys.find(({ mine: isMine }) => isMine)
    if (mine && lists++ === 0) account.revoked.push(...account.keys.splice(account.keys.indexOf(mine), 1))
    return credential === account.keys[0]?.token && method === 'GET'
      ? serve()
      : { status: credential === account.keys[0]?.token ? 404 : 401 }
  }
  const { postLog } = await runJob(behave)
  expect(postLog).toContain('No longer valid (verified)')
})

test('the advice to raise timeout is given where a longer one would do', async () => {
  const behave: Behave = ({ method }) =>
    method === 'POST'
      ? { status: 429, headers: { ...JSON_TYPE, 'Retry-After': '1500' }, body: INVALID }
      : undefined
  const { mainLog } = await runJob(behave, { timeout: '10m' })
  expect(mainLog).toContain('raise timeout (30 minutes at most)')
})

test('a body of more than 1 MiB is called so, whatever its letters', async () => {
  const behave: Behave = ({ method }) =>
    method === 'POST' ? { status: 500, headers: JSON_TYPE, body: 'é'.repeat(700_000) } : undefined
  const { mainLog } = await runJob(behave, { timeout: '2s' })
  expect(mainLog).toContain('more than 1 MiB')
})
