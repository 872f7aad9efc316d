import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, test } from '@jest/globals'
import { createHttpClient, type HttpErrorKind, type HttpRequest } from '../../src/http/http-client.ts'
import { makeCertificates } from '../support/certificates.ts'

type OnConnect = (request: IncomingMessage, socket: Duplex) => void

const opened: { close(): void }[] = []

afterEach(() => {
  for (const { close } of opened.splice(0)) close()
})

/** Listens on loopback until the test is over; answers with the port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Duplex>()
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
  })
  opened.push({
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A proxy that does `onConnect` with each request for a tunnel; the answer notes what it was asked. */
async function startProxy(onConnect: OnConnect) {
  const asked: { target: string; host: string; login: string | null }[] = []
  const server = createServer((_, response) => response.writeHead(500).end())
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    const login = request.headers['proxy-authorization']
    asked.push({
      target: request.url ?? '',
      host: request.headers.host ?? '',
      login: login ? Buffer.from(login.replace('Basic ', ''), 'base64').toString() : null,
    })
    onConnect(request, socket)
  })
  return { asked, port: await listen(server) }
}

/** An honest proxy, whatever host is asked for: all of them are here. */
const tunnel: OnConnect = (request, socket) => {
  const upstream = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    socket.pipe(upstream).pipe(socket)
  })
  upstream.on('error', () => socket.destroy())
  socket.on('error', () => upstream.destroy())
}
const answer =
  (status: string): OnConnect =>
  (_, socket) =>
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`)

const ask = (proxy: string, url: string, more: Partial<HttpRequest> = {}) =>
  createHttpClient(proxy)({ method: 'GET', url: new URL(url), headers: {}, timeout: 5_000, ...more }).catch(
    (error) => error,
  )
const failure = (fault: HttpErrorKind, mayHaveActed: boolean, message: RegExp) =>
  expect.objectContaining({ fault, mayHaveActed, message: expect.stringMatching(message) })

/** A server that counts what reaches it. */
async function startTarget() {
  const seen: string[] = []
  const port = await listen(
    createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      response.end('here')
    }),
  )
  return { seen, port }
}

describe('a request through a proxy', () => {
  test('goes through a tunnel, even without TLS, to a name that only the proxy has to know', async () => {
    const target = await startTarget()
    const { port, asked } = await startProxy(tunnel)
    const response = await ask(`http://127.0.0.1:${port}`, `http://api.invalid:${target.port}/path?a=b`)
    expect(response).toMatchObject({ status: 200, body: 'here' })
    expect(target.seen).toEqual(['GET /path?a=b'])
    const host = `api.invalid:${target.port}`
    expect(asked).toEqual([{ target: host, host, login: null }])
  })

  test('shares one tunnel with the next', async () => {
    const target = await startTarget()
    const { port, asked } = await startProxy(tunnel)
    const send = createHttpClient(`http://127.0.0.1:${port}`)
    const url = new URL(`http://api.invalid:${target.port}/`)
    for (const method of ['GET', 'DELETE'] as const) await send({ method, url, headers: {}, timeout: 5_000 })
    expect(target.seen).toEqual(['GET /', 'DELETE /'])
    expect(asked).toHaveLength(1)
  })

  test.each([
    ['us%40er:p%2Fw%20d', 'us@er:p/w d'],
    ['user', 'user:'],
    ['user:50%', 'user:50%'],
  ])("logs in with what the proxy's address says: %s", async (given, login) => {
    const { port, asked } = await startProxy(answer('407 No'))
    await ask(`http://${given}@127.0.0.1:${port}`, 'http://api.invalid/')
    expect(asked).toEqual([{ target: 'api.invalid:80', host: 'api.invalid:80', login }])
  })

  test.each([
    ['https://api.invalid/', 'api.invalid:443'],
    ['http://[::1]:8080/', '[::1]:8080'],
    ['https://[2001:db8::1]/', '[2001:db8::1]:443'],
  ])('asks for a tunnel to host and port: %s', async (url, target) => {
    const { port, asked } = await startProxy(answer('403 No'))
    await ask(`http://127.0.0.1:${port}`, url)
    expect(asked.map((request) => request.target)).toEqual([target])
  })
})

describe('a tunnel that is not opened: nothing of the request was sent', () => {
  test('407 wants a login, and asking again will not help', async () => {
    const { port } = await startProxy(answer('407 Proxy Authentication Required'))
    const outcome = await ask(`http://someone:hidden-word@127.0.0.1:${port}`, 'https://api.invalid/')
    expect(outcome).toEqual(
      failure(
        'proxy',
        false,
        new RegExp(`^the proxy 127\\.0\\.0\\.1:${port} refused the tunnel with status 407; it wants a login`),
      ),
    )
    expect(outcome.message).not.toMatch(/someone|hidden-word/)
  })

  test.each<[string, HttpErrorKind]>([
    ['403 Forbidden', 'proxy'],
    ['408 Request Timeout', 'refused'],
    ['429 Too Many Requests', 'refused'],
    ['499 Odd', 'proxy'],
    ['500 Broken', 'refused'],
    ['502 Bad Gateway', 'refused'],
  ])('%s', async (status, fault) => {
    const { port } = await startProxy(answer(status))
    const outcome = await ask(`http://127.0.0.1:${port}`, 'https://api.invalid/')
    expect(outcome).toEqual(
      failure(fault, false, new RegExp(`refused the tunnel with status ${status.slice(0, 3)}$`)),
    )
  })

  test('a proxy that is not there, or speaks something else, may be back soon', async () => {
    const nobody = await ask('http://someone:hidden-word@127.0.0.1:9', 'https://api.invalid/')
    expect(nobody).toEqual(failure('refused', false, /^the proxy 127\.0\.0\.1:9 could not be reached \(E/))
    const { port } = await startProxy((_, socket) => socket.end('nonsense\r\n\r\n'))
    expect(await ask(`http://127.0.0.1:${port}`, 'https://api.invalid/')).toEqual(
      failure('refused', false, /could not be reached \(HPE_/),
    )
  })

  test.each(['http://127.0.0.1', 'https://api.invalid'])(
    'a proxy that does not answer: over in time, and a tunnel that comes late carries nothing (%s)',
    async (host) => {
      const target = await startTarget()
      let late: Promise<void> = Promise.resolve()
      const { port } = await startProxy((request, socket) => {
        late = new Promise((resolve) => {
          setTimeout(() => {
            tunnel(request, socket)
            setTimeout(resolve, 100)
          }, 150)
        })
      })
      const startedAt = Date.now()
      const outcome = await ask(`http://127.0.0.1:${port}`, `${host}:${target.port}/`, {
        method: 'POST',
        body: '{}',
        timeout: 80,
      })
      expect(outcome).toEqual(failure('timeout', false, /^could not be reached in time$/))
      expect(Date.now() - startedAt).toBeLessThan(1_000)
      await late
      expect(target.seen).toEqual([])
    },
  )

  test.each(['socks5://127.0.0.1:1080', 'nonsense', 'ftp://127.0.0.1'])('%s is no proxy', async (proxy) => {
    expect(await ask(proxy, 'https://api.invalid/')).toEqual(
      failure('proxy', false, /^the proxy in HTTPS_PROXY or HTTP_PROXY is not an http or https address$/),
    )
  })
})

describe('TLS inside the tunnel', () => {
  test('is verified: an authority that nobody vouched for is refused, before the request is sent', async () => {
    const tls = await makeCertificates(['api.invalid'])
    const seen: string[] = []
    const target = await listen(
      createSecureServer({ key: tls.key, cert: tls.cert }, (request, response) => {
        seen.push(request.url ?? '')
        response.end()
      }) as unknown as Server,
    )
    const { port } = await startProxy(tunnel)
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      expect(await ask(`http://127.0.0.1:${port}`, `https://api.invalid:${target}/`)).toEqual(
        failure(
          'certificate',
          false,
          new RegExp(`through the proxy 127\\.0\\.0\\.1:${port}\\); .* NODE_EXTRA_CA_CERTS$`),
        ),
      )
      expect(await ask('', `https://127.0.0.1:${target}/`)).toEqual(
        failure('certificate', false, /its certificate was not accepted/),
      )
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    }
    expect(seen).toEqual([])
  })

  test('that ends in the handshake sent nothing; a tunnel that ends later may have', async () => {
    const closing = await startProxy((_, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
    const proxy = `http://127.0.0.1:${closing.port}`
    expect(await ask(proxy, 'https://api.invalid/')).toEqual(
      failure('refused', false, /^the connection failed \(.*through the proxy 127\.0\.0\.1/),
    )
    expect(await ask(proxy, 'http://api.invalid/')).toEqual(
      failure('cut', true, /^closed the connection before it answered \(through the proxy 127\.0\.0\.1/),
    )
  })
})
