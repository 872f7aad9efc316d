import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createRawServer } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { createHttpClient, HttpError, type HttpRequest } from '../../src/http/http-client.ts'

/** What one request to a server that behaves like `listener` comes to. */
async function ask(listener: RequestListener, more: Partial<HttpRequest> = {}, times = 1) {
  const server = createServer(listener)
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const send = createHttpClient('')
  const url = new URL(`http://127.0.0.1:${port}/path?a=b`)
  const startedAt = Date.now()
  try {
    let outcome: unknown
    for (let time = 0; time < times; time++) {
      outcome = await send({ method: 'GET', url, headers: { 'X-Test': '1' }, timeout: 5_000, ...more }).catch(
        (error) => error,
      )
    }
    return { outcome, connections, took: Date.now() - startedAt }
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const failure = (fault: string, mayHaveActed: boolean) => expect.objectContaining({ fault, mayHaveActed })

test('a TLS handshake that is broken off, as by a server that restarts, may do better next time', async () => {
  const INTERNAL_ERROR = Buffer.from([0x15, 3, 3, 0, 2, 2, 80])
  const server = createRawServer((socket) => socket.once('data', () => socket.end(INTERNAL_ERROR)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const request = {
    method: 'GET',
    url: new URL(`https://127.0.0.1:${port}`),
    headers: {},
    timeout: 5_000,
  } as const
  const failed = createHttpClient('')(request)
  await expect(failed).rejects.toMatchObject({
    fault: 'refused',
    mayHaveActed: false,
    message: 'the TLS handshake failed (EPROTO)',
  })
  await new Promise((resolve) => server.close(resolve))
})

describe('one request', () => {
  test('brings the whole answer, with header names in lower case', async () => {
    const { outcome } = await ask(
      (request, response) => {
        let body = ''
        request.on('data', (chunk) => (body += chunk))
        request.on('end', () =>
          response
            .writeHead(201, {
              'X-Seen': [
                request.method,
                request.url,
                ...['x-test', 'content-length'].map((name) => request.headers[name]),
              ].join(' '),
            })
            .end(`«${body}»`),
        )
      },
      { method: 'POST', body: 'é' },
    )
    expect(outcome).toEqual({
      status: 201,
      headers: expect.objectContaining({ 'x-seen': 'POST /path?a=b 1 2' }),
      body: '«é»',
    })
  })

  test('does not follow a redirect', async () => {
    let asked = 0
    const { outcome } = await ask((_, response) => {
      asked += 1
      response.writeHead(301, { Location: '/elsewhere' }).end()
    })
    expect(outcome).toMatchObject({ status: 301 })
    expect(asked).toBe(1)
  })

  test('shares one connection with the next', async () => {
    expect((await ask((_, response) => response.end('x'), {}, 3)).connections).toBe(1)
  })
})

describe('a request that comes to nothing', () => {
  test('cut before the answer', async () => {
    const { outcome } = await ask((_, response) => response.destroy())
    expect(outcome).toBeInstanceOf(HttpError)
    expect(outcome).toEqual(failure('cut', true))
  })

  test('cut in the middle of the answer', async () => {
    const { outcome } = await ask((_, response) => {
      response.writeHead(200, { 'Content-Length': '100' })
      response.write('half', () => response.destroy())
    })
    expect(outcome).toEqual(failure('cut', true))
  })

  test('answered with more than 1 MiB', async () => {
    const mebibyte = 'x'.repeat(1024 * 1024)
    expect((await ask((_, response) => response.end(mebibyte))).outcome).toMatchObject({ status: 200 })
    expect((await ask((_, response) => response.end(`${mebibyte}x`))).outcome).toEqual(
      failure('too-large', true),
    )
  })

  test('not answered in time', async () => {
    const { outcome, took } = await ask(() => {}, { timeout: 100 })
    expect(outcome).toEqual(failure('timeout', true))
    expect(took).toBeGreaterThanOrEqual(95)
    expect(took).toBeLessThan(2_000)
  })

  test('not answered in full in time', async () => {
    const { outcome } = await ask((_, response) => void response.writeHead(200).write('half'), {
      timeout: 100,
    })
    expect(outcome).toEqual(failure('timeout', true))
  })

  test('not answered within the grace that a cancellation leaves', async () => {
    const late = { cancel: AbortSignal.timeout(50), grace: 50, timeout: 5_000 }
    const { outcome, took } = await ask(() => {}, late)
    expect(outcome).toEqual(failure('timeout', true))
    expect(took).toBeLessThan(2_000)
    const inTime = { cancel: AbortSignal.abort(), grace: 2_000 }
    expect(
      (await ask((_, response) => setTimeout(() => response.end('x'), 50), inTime)).outcome,
    ).toMatchObject({ status: 200 })
  })

  test('sent to a host or port that is not there: nothing can have happened', async () => {
    const send = createHttpClient('')
    const request = { method: 'GET', headers: {}, timeout: 5_000 } as const
    const refused = send({ ...request, url: new URL('http://127.0.0.1:9/') })
    await expect(refused).rejects.toEqual(failure('refused', false))
    const unknown = send({ ...request, url: new URL('https://no-such-host.invalid/') })
    await expect(unknown).rejects.toEqual(failure('dns', false))
  })

  test('sent through what is no proxy', async () => {
    const send = createHttpClient('socks5://127.0.0.1:1080')
    const request = {
      method: 'GET',
      url: new URL('http://127.0.0.1:9/'),
      headers: {},
      timeout: 5_000,
    } as const
    await expect(send(request)).rejects.toEqual(failure('proxy', false))
  })
})
