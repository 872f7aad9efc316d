import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { SKIP_SLEEPS } from '../support/preload.ts'
import {
  type Account,
  type Answer,
  type Behave,
  JSON_TYPE,
  later,
  rowOf,
  warnings,
  withReplaceableApi,
} from '../support/replaceable-api.ts'
import { createJob } from '../support/runner.ts'

const MINUTE_MS = 60_000
const nodeArgs = SKIP_SLEEPS
const INVALID = { detail: 'Invalid token.' }

/** The keys of this run that are valid after post and that no warning of post names. */
async function leftInSilence(
  behave: Behave,
  inputs: Record<string, string> = {},
  stepEnv = {},
): Promise<string[]> {
  return withReplaceableApi(behave, async ({ job, keys, ...stage }) => {
    await job.main({ ...stage.inputs, ...inputs }, { nodeArgs })
    const post = await job.post(undefined, { nodeArgs, stepEnv })
    const said = warnings(post)
    return keys
      .filter(({ mine, token_key }) => mine && !said.includes(token_key))
      .map(({ token_key }) => token_key)
  })
}

describe('a 204 without effect is not confirmed by a 401', () => {
  const answering = (answer: Answer): Behave => {
    return ({ method }) => (method === 'DELETE' ? { status: 204 } : method === 'GET' ? answer : undefined)
  }

  test('that comes from a cache', async () => {
    const headers = { ...JSON_TYPE, Age: '7', 'X-Cache': 'HIT' }
    expect(await leftInSilence(answering({ status: 401, headers, body: INVALID }))).toEqual([])
  })

  test('of a gate that says so in text, and names its coding', async () => {
    const headers = { 'Content-Type': 'text/plain', 'Content-Encoding': 'identity' }
    expect(
      await leftInSilence(answering({ status: 401, headers, body: 'Maintenance. Come back later.' })),
    ).toEqual([])
  })

  test('that was sent before the question: a second answer to the request before', async () => {
    const server = await startRaw(5)
    const job = createJob()
    try {
      await job.main({ 'api-key': API_KEY, 'api-url': server.url }, { nodeArgs })
      const post = await job.post(undefined, { nodeArgs })
      expect(post.shown).not.toContain('Revoked (verified)')
    } finally {
      await job.cleanUp()
      server.close()
    }
  })
})

test('a refusal in JSON that holds a new key does not prove that none was created', async () => {
  const behave: Behave = ({ method, nth }, _account, serve) =>
    method === 'POST' && nth === 0 ? { ...serve(), status: 403 } : undefined
  expect(await leftInSilence(behave)).toEqual([])
})

describe('a key that main refused is named by post', () => {
  /** The first key has no `created`, and an expiry that nothing explains. */
  const refusing = (list: (account: Account, serve: () => Answer) => Answer): Behave => {
    return ({ method, nth, credential }, account, serve) => {
      if (method === 'POST' && nth === 0) {
        const answer = serve()
        const key = account.keys.at(-1)
        if (!key) return answer
        Object.assign(key, { created: null, expiry: later(2 * 60 * MINUTE_MS) })
        const { created, ...row } = rowOf(key)
        return { ...answer, body: { token: key.token, api_key: row } }
      }
      return method === 'GET' && credential === account.keys[0]?.token ? list(account, serve) : undefined
    }
  }
  const served = (_account: Account, serve: () => Answer) => serve()

  test('if the list is good', async () => {
    expect(await leftInSilence(refusing(served))).toEqual([])
  })

  test('if the list may not be read', async () => {
    const forbidden = () => ({ status: 403, headers: JSON_TYPE, body: { detail: 'Listing is not allowed.' } })
    expect(await leftInSilence(refusing(forbidden))).toEqual([])
  })

  test('if the list comes from a cache', async () => {
    const cached = (_account: Account, serve: () => Answer) => ({
      ...serve(),
      headers: { ...JSON_TYPE, Age: '5' },
    })
    expect(await leftInSilence(refusing(cached))).toEqual([])
  })

  test('if a step changed the trusted authorities', async () => {
    expect(await leftInSilence(refusing(served), {}, { SSL_CERT_DIR: '/nowhere' })).toEqual([])
  })

  test('if another run’s key looks as if it could be it', async () => {
    const behave: Behave = (asked, account, serve) => {
      if (asked.method === 'POST' && asked.nth === 0)
        account.make({ mine: false, created: later(100), expiry: null })
      return refusing(served)(asked, account, serve)
    }
    expect(await leftInSilence(behave)).toEqual([])
  })

  test('and does not hide when another request was sent, whose response is lost', async () => {
    const cached = (_account: Account, serve: () => Answer) => ({
      ...serve(),
      headers: { ...JSON_TYPE, Age: '5' },
    })
    const behave: Behave = (asked, account, serve) => {
      if (asked.method !== 'POST' || asked.nth === 0) return refusing(cached)(asked, account, serve)
      if (asked.nth === 1) serve()
      return { status: asked.nth === 1 ? 502 : 403, headers: JSON_TYPE, body: { detail: 'No.' } }
    }
    const said = await withReplaceableApi(behave, async ({ job, inputs }) => {
      await job.main(inputs, { nodeArgs })
      return warnings(await job.post(undefined, { nodeArgs }))
    })
    expect(said).toMatch(/Sent about .*, for a key that expires/)
  })
})

describe('a list that lacks the orphan, 20 min after its request, is not believed if a header says', () => {
  test.each([
    ['X-Continuation-Token', 'token'],
    ['X-Rack-Cache', 'fresh'],
    ['Age', ['0', '300']],
  ])('%s: %s', async (name, value) => {
    const behave: Behave = ({ method, nth }, account, serve) => {
      if (method === 'POST' && nth === 0) serve()
      if (method === 'POST')
        return { status: nth === 0 ? 502 : 403, headers: JSON_TYPE, body: { detail: 'No.' } }
      const body = account.keys.filter(({ mine }) => !mine).map(rowOf)
      return { status: 200, headers: { ...JSON_TYPE, [name]: value }, body }
    }
    const said = await withReplaceableApi(behave, async ({ job, inputs }) => {
      const main = await job.main(inputs, { nodeArgs })
      const record = JSON.parse(main.state.record ?? '')
      for (const intent of record.intents) {
        intent.sentAt -= 20 * MINUTE_MS
        intent.deadline -= 20 * MINUTE_MS
      }
      main.state.record = JSON.stringify(record)
      return warnings(await job.post(undefined, { nodeArgs }))
    })
    expect(said).toContain('the list of keys cannot be relied on')
  })
})

const API_KEY = 'long-lived-key-0123456789'
const TOKEN = '0123456789'.repeat(5)

/** Answers each DELETE with 204, without effect, and `ms` later with an unasked-for 401 besides. */
async function startRaw(ms: number): Promise<{ url: string; close(): void }> {
  const server = createServer((socket) => {
    let data = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      data += chunk
      for (let found = nextRequest(data); found !== null; found = nextRequest(data)) {
        data = found.rest
        answerRaw(socket, found.head, found.body, ms)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

function nextRequest(data: string): { head: string; body: string; rest: string } | null {
  const end = data.indexOf('\r\n\r\n')
  const head = data.slice(0, end)
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  if (end < 0 || data.length < end + 4 + length) return null
  return { head, body: data.slice(end + 4, end + 4 + length), rest: data.slice(end + 4 + length) }
}

function answerRaw(socket: Socket, head: string, body: string, ms: number): void {
  const say = (status: number, value?: unknown) => {
    const text = value === undefined ? '' : JSON.stringify(value)
    const about =
      value === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n`
    socket.write(`HTTP/1.1 ${status} X\r\nDate: ${new Date().toUTCString()}\r\n${about}\r\n${text}`)
  }
  const key = { id: 'k1', token_key: TOKEN.slice(0, 8), created: new Date().toISOString() }
  if (head.startsWith('POST')) {
    say(201, { token: TOKEN, api_key: { ...key, expiry: JSON.parse(body).expiry } })
  } else if (head.startsWith('GET')) {
    setTimeout(() => say(200, [{ ...key, expiry: null }]), 100)
  } else {
    say(204)
    setTimeout(() => say(401, INVALID), ms)
  }
}
