import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { createHttpClient, type HttpRequest } from '../../src/http/http-client.ts'
import { makeCertificates } from '../support/certificates.ts'

type OnConnect = (request: IncomingMessage, socket: Duplex) => void

const opened: { close(): void }[] = []

afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
  for (const { close } of opened.splice(0)) close()
})

/** Listens on loopback until the test is over; returns the port. */
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

/** A proxy that does `onConnect` with each request for a tunnel; `asked` records these requests. */
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

/** Opens the tunnel, with `status`; every host is this one. */
const tunnelWith =
  (status: string): OnConnect =>
  (request, socket) => {
    const upstream = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      socket.write(`HTTP/1.1 ${status}\r\n\r\n`)
      socket.pipe(upstream).pipe(socket)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('error', () => upstream.destroy())
  }
const tunnel = tunnelWith('200 Connection established')
const answer =
  (status: string): OnConnect =>
  (_, socket) =>
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`)

const ask = (proxy: string, url: string, more: Partial<HttpRequest> = {}) =>
  createHttpClient(proxy)({ method: 'GET', url: new URL(url), headers: {}, timeout: 5_000, ...more }).catch(
    (error) => error,
  )
const failure = (mayHaveActed: boolean, message: RegExp, retryable = true) =>
  expect.objectContaining({ mayHaveActed, retryable, message: expect.stringMatching(message) })

/** A server that records what reaches it. */
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
  test('goes through a tunnel, even without TLS, to a name that only the proxy can resolve', async () => {
    const target = await startTarget()
    const { port, asked } = await startProxy(tunnel)
    const response = await ask(`http://127.0.0.1:${port}`, `http://api.invalid:${target.port}/path?a=b`)
    expect(response).toMatchObject({ status: 200, body: 'here' })
    expect(target.seen).toEqual(['GET /path?a=b'])
    const host = `api.invalid:${target.port}`
    expect(asked).toEqual([{ target: host, host, login: null }])
  })

  test.each(['201 Created', '204 No Content', '299 Odd'])('takes %s for an open tunnel', async (status) => {
    const target = await startTarget()
    const { port } = await startProxy(tunnelWith(status))
    expect(await ask(`http://127.0.0.1:${port}`, `http://api.invalid:${target.port}/`)).toMatchObject({
      status: 200,
      body: 'here',
    })
  })

  test('opens a tunnel for each request', async () => {
    const target = await startTarget()
    const { port, asked } = await startProxy(tunnel)
    const send = createHttpClient(`http://127.0.0.1:${port}`)
    const url = new URL(`http://api.invalid:${target.port}/`)
    for (const method of ['GET', 'DELETE'] as const) await send({ method, url, headers: {}, timeout: 5_000 })
    expect(target.seen).toEqual(['GET /', 'DELETE /'])
    expect(asked).toHaveLength(2)
  })

  test.each([
    ['us%40er:p%2Fw%20d', 'us@er:p/w d'],
    ['user', 'user:'],
    ['user:50%', 'user:50%'],
  ])("logs in with the user and password of the proxy's address: %s", async (given, login) => {
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

describe('a tunnel is refused, so that nothing of the request was sent,', () => {
  test('for good, if the proxy requires a login', async () => {
    const { port } = await startProxy(answer('407 Proxy Authentication Required'))
    expect(await ask(`http://127.0.0.1:${port}`, 'https://api.invalid/')).toEqual(
      failure(false, /refused the tunnel with status 407; it requires a login, as in /, false),
    )
  })

  test('for good, if the proxy does not accept a login, of which the message shows no part', async () => {
    const { port } = await startProxy(answer('407 Proxy Authentication Required'))
    const outcome = await ask(`http://someone:hidden-word@127.0.0.1:${port}`, 'https://api.invalid/')
    expect(outcome).toEqual(
      failure(
        false,
        new RegExp(
          `^the proxy 127\\.0\\.0\\.1:${port} refused the tunnel with status 407; it does not accept this login`,
        ),
        false,
      ),
    )
    expect(outcome.message).not.toMatch(/someone|hidden-word/)
  })

  test.each(['http://127.0.0.1', 'http://someone:hidden-word@127.0.0.1'])(
    'for good, if the proxy offers no Basic authentication, whatever the login (%s)',
    async (proxy) => {
      const { port } = await startProxy(
        answer('407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM'),
      )
      expect(await ask(`${proxy}:${port}`, 'https://api.invalid/')).toEqual(
        failure(false, /status 407; it does not offer Basic authentication, the only kind supported$/, false),
      )
    },
  )

  test.each<[string, boolean]>([
    ['301 Elsewhere', false],
    ['403 Forbidden', false],
    ['408 Request Timeout', true],
    ['429 Too Many Requests', true],
    ['499 Odd', false],
    ['500 Broken', true],
    ['502 Bad Gateway', true],
  ])('if the proxy answers %s, which may be tried again: %s', async (status, retryable) => {
    const { port } = await startProxy(answer(status))
    const outcome = await ask(`http://127.0.0.1:${port}`, 'https://api.invalid/')
    expect(outcome).toEqual(
      failure(false, new RegExp(`refused the tunnel with status ${status.slice(0, 3)}$`), retryable),
    )
  })

  test.each([
    ['is not there', '127.0.0.1:9', /^the proxy 127\.0\.0\.1:9: the connection failed \(E/],
    [
      'does not exist',
      'proxy.invalid:9',
      /^the proxy proxy\.invalid:9: its name does not exist \(ENOTFOUND\); check its spelling$/,
    ],
  ] as const)('if the proxy %s', async (_, host, message) => {
    const lookup = (_: string, __: object, done: (error: Error) => void) =>
      done(Object.assign(new Error('none'), { code: 'ENOTFOUND' }))
    jest.spyOn(process.getBuiltinModule('node:dns'), 'lookup').mockImplementation(lookup as never)
    const outcome = await ask(`http://someone:hidden-word@${host}`, 'https://api.invalid/')
    expect(outcome).toEqual(failure(false, message))
    expect(outcome.message).not.toMatch(/someone|hidden-word/)
  })

  test('for good, if the proxy does not speak HTTP', async () => {
    const { port } = await startProxy((_, socket) => socket.end('nonsense\r\n\r\n'))
    const outcome = await ask(`http://127.0.0.1:${port}`, 'https://api.invalid/')
    expect(outcome).toEqual(
      failure(false, /^the proxy .*: answered with HTTP that Node refuses \(HPE_/, false),
    )
  })

  test('for good, if an https proxy speaks plain HTTP', async () => {
    const { port } = await startProxy(tunnel)
    expect(await ask(`https://127.0.0.1:${port}`, 'https://api.invalid/')).toEqual(
      failure(
        false,
        /^the proxy .*: the TLS handshake failed \(EPROTO, wrong version number\); it does not speak TLS on this port/,
        false,
      ),
    )
  })

  test('for good, if the certificate of an https proxy is not accepted', async () => {
    const { key, cert } = await makeCertificates(['127.0.0.1'])
    const port = await listen(createSecureServer({ key, cert }) as unknown as Server)
    expect(await ask(`https://127.0.0.1:${port}`, 'https://api.invalid/')).toEqual(
      failure(false, /^the proxy .*: its certificate was not accepted .*NODE_EXTRA_CA_CERTS/, false),
    )
  })

  test.each(['http://127.0.0.1', 'https://api.invalid'])(
    'when the deadline comes first; a tunnel that opens later carries nothing of it (%s)',
    async (host) => {
      const target = await startTarget()
      jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })
      let openLate = () => {}
      const { port } = await startProxy((request, socket) => {
        openLate = () => tunnel(request, socket)
        jest.advanceTimersByTime(80)
      })
      const outcome = await ask(`http://127.0.0.1:${port}`, `${host}:${target.port}/`, {
        method: 'POST',
        body: '{}',
        timeout: 80,
      })
      expect(outcome).toEqual(
        failure(false, /^could not be reached in time \(through the proxy 127\.0\.0\.1:\d+\)$/),
      )
      openLate()
      // Long enough for anything that the tunnel carries, as all of it goes through this process.
      const honest = await startProxy(tunnel)
      for (const path of ['/1', '/2'])
        await ask(`http://127.0.0.1:${honest.port}`, `http://api.invalid:${target.port}${path}`)
      expect(target.seen).toEqual(['GET /1', 'GET /2'])
    },
  )
})

describe('TLS inside the tunnel', () => {
  test('fails before the request is sent if no trusted authority signed the certificate', async () => {
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
          false,
          new RegExp(`through the proxy 127\\.0\\.0\\.1:${port}\\); .* NODE_EXTRA_CA_CERTS`),
          false,
        ),
      )
      expect(await ask('', `https://127.0.0.1:${target}/`)).toEqual(
        failure(false, /its certificate was not accepted/, false),
      )
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    }
    expect(seen).toEqual([])
  })

  test('proves that nothing was sent if it ends in the handshake, and not if a plain tunnel ends', async () => {
    const closing = await startProxy((_, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
    const proxy = `http://127.0.0.1:${closing.port}`
    expect(await ask(proxy, 'https://api.invalid/')).toEqual(
      failure(false, /^the connection failed \(.*through the proxy 127\.0\.0\.1/),
    )
    expect(await ask(proxy, 'http://api.invalid/')).toEqual(
      failure(
        true,
        /^closed the connection before it answered \(ECONNRESET\) \(through the proxy 127\.0\.0\.1/,
      ),
    )
  })
})
