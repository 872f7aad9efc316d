import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners, once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createRawServer, Socket, type Server as TcpServer } from 'node:net'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { createHttpClient, type HttpRequest } from '../../src/http/http-client.ts'
import { HttpError } from '../../src/http/http-error.ts'
import { makeCertificates } from '../support/certificates.ts'

const closing: (() => void)[] = []

afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
  for (const close of closing.splice(0)) close()
})

/** Listens on loopback until the test is over; returns the port. */
async function listen(server: TcpServer | Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
  })
  closing.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A server that sends `bytes` whatever it is asked. */
const startRawServer = (bytes: string | Buffer) =>
  listen(createRawServer((socket) => void socket.once('data', () => socket.write(bytes))))

type Outcome = Awaited<ReturnType<ReturnType<typeof createHttpClient>>> | HttpError

const send = (
  url: string,
  more: Partial<HttpRequest> = {},
  client = createHttpClient(''),
): Promise<Outcome> =>
  client({ method: 'GET', url: new URL(url), headers: { 'X-Test': '1' }, timeout: 5_000, ...more }).catch(
    (error) => error,
  )

/** What one request to a server that behaves like `listener` results in. */
async function ask(listener: RequestListener, more: Partial<HttpRequest> = {}): Promise<Outcome> {
  const port = await listen(createServer(listener))
  return send(`http://127.0.0.1:${port}/path?a=b`, more)
}

const failure = (mayHaveActed: boolean, message: string | RegExp, retryable = true) =>
  expect.objectContaining({
    mayHaveActed,
    retryable,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  })

/** Has every host name resolve as `found` says: to addresses, or to an error with a code. */
function resolveAs(found: string[] | string): void {
  const dns = process.getBuiltinModule('node:dns')
  const lookup = (_: string, options: { all?: boolean }, done: (...results: unknown[]) => void) => {
    if (typeof found === 'string') return done(Object.assign(new Error(found), { code: found }))
    const addresses = found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    return options.all ? done(null, addresses) : done(null, addresses[0]?.address, addresses[0]?.family)
  }
  jest.spyOn(dns, 'lookup').mockImplementation(lookup as never)
}

/** The next response whose headers a client in this process receives. */
function nextReceived(): Promise<IncomingMessage> {
  const channel = 'http.client.response.finish'
  return new Promise((resolve) => {
    const receive = (message: unknown) => resolve((message as { response: IncomingMessage }).response)
    subscribe(channel, receive)
    closing.push(() => unsubscribe(channel, receive))
  })
}

describe('one request', () => {
  test('returns status, headers with names in lower case, and body', async () => {
    const outcome = await ask(
      (request, response) => {
        let body = ''
        request.on('data', (chunk) => (body += chunk))
        request.on('end', () => {
          const { method, url, headers } = request
          response.writeHead(201, {
            'X-Seen': [method, url, headers['x-test'], headers['content-length']].join(' '),
          })
          response.end(`[${body}]`)
        })
      },
      { method: 'POST', body: 'é' },
    )
    expect(outcome).toEqual({
      status: 201,
      headers: expect.objectContaining({ 'x-seen': 'POST /path?a=b 1 2' }),
      body: '[é]',
      isCut: false,
    })
  })

  test('asks for a body without any content coding', async () => {
    const outcome = await ask((request, response) => response.end(request.headers['accept-encoding']))
    expect(outcome).toMatchObject({ body: 'identity' })
  })

  test('returns the body without its byte order mark', async () => {
    expect(await ask((_, response) => response.end('\ufeff{"a":"\ufeff"}'))).toMatchObject({
      body: '{"a":"\ufeff"}',
    })
  })

  test('returns the values of all its Age headers', async () => {
    const outcome = await ask((_, response) => response.setHeader('Age', ['0', '20']).end())
    expect(outcome).toMatchObject({ headers: { age: '0, 20' } })
  })

  test('leaves nothing that waits for a cancellation', async () => {
    const { signal } = new AbortController()
    expect(await ask((_, response) => response.end(), { cancel: signal })).toMatchObject({ status: 200 })
    expect(await ask((_, response) => response.destroy(), { cancel: signal })).toBeInstanceOf(HttpError)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('does not follow a redirect', async () => {
    let asked = 0
    const outcome = await ask((_, response) => {
      asked += 1
      response.writeHead(301, { Location: '/elsewhere' }).end()
    })
    expect(outcome).toMatchObject({ status: 301 })
    expect(asked).toBe(1)
  })
})

describe('connections', () => {
  /** How many connections a client opens for these requests (as in `GET /path`), one after the other. */
  async function connectionsFor(...requests: string[]): Promise<number> {
    let connections = 0
    const server = createServer((_, response) => response.end('x'))
    server.on('connection', () => {
      connections += 1
    })
    const port = await listen(server)
    const client = createHttpClient('')
    for (const request of requests) {
      const [method, path] = request.split(' ') as [HttpRequest['method'], string]
      await send(`http://127.0.0.1:${port}${path}`, { method }, client)
    }
    return connections
  }

  test('serve one request each, so that no late answer is taken for that to the next request', async () => {
    const requests = [
      'GET /',
      'GET /',
      'GET /?page=2',
      'GET /?page=3',
      'DELETE /1',
      'DELETE /1',
      'POST /',
      'POST /',
    ]
    expect(await connectionsFor(...requests)).toBe(requests.length)
  })

  test('are closed once they are idle, so that a server or a proxy that allows few still has one', async () => {
    const server = createServer((_, response) => response.end('x'))
    server.keepAliveTimeout = 0
    const closed = new Promise((resolve) => {
      server.on('connection', (socket) => socket.once('close', resolve))
    })
    const port = await listen(server)
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 200 })
    await closed
  })

  test('that the server resets once idle do not cost a POST its response', async () => {
    let requests = 0
    const server = createServer((request, response) => {
      requests += 1
      request.socket.removeAllListeners('data').on('data', () => request.socket.resetAndDestroy())
      response.end('x')
    })
    const port = await listen(server)
    const client = createHttpClient('')
    await send(`http://127.0.0.1:${port}/`, {}, client)
    expect(await send(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' }, client)).toMatchObject({
      status: 200,
    })
    expect(requests).toBe(2)
  })
})

describe('a request without a usable response', () => {
  test('fails with ECONNRESET if it is cut before the answer', async () => {
    const outcome = await ask((_, response) => response.destroy())
    expect(outcome).toBeInstanceOf(HttpError)
    expect(outcome).toEqual(failure(true, 'closed the connection before it answered (ECONNRESET)'))
  })

  test('fails if it is cut in the middle of the answer', async () => {
    const outcome = await ask((_, response) => {
      response.writeHead(200, { 'Content-Length': '100' })
      response.write('half', () => response.destroy())
    })
    expect(outcome).toEqual(failure(true, 'closed the connection in the middle of its answer (ECONNRESET)'))
  })

  test('keeps its status and headers if it has more than 1 MiB, of which only the start is read', async () => {
    const mebibyte = 'x'.repeat(1024 * 1024)
    expect(await ask((_, response) => response.end(mebibyte))).toMatchObject({ status: 200, body: mebibyte })
    const outcome = await ask((_, response) =>
      response.writeHead(401, { 'X-Test': 'y' }).end(mebibyte.repeat(9)),
    )
    expect(outcome).toMatchObject({ status: 401, headers: { 'x-test': 'y' } })
    const { length } = (outcome as { body: string }).body
    expect(length).toBeGreaterThan(1024 * 1024)
    expect(length).toBeLessThan(2 * 1024 * 1024)
  })

  const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'
  test.each([
    ['a 204 with a body', 'HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\n{}', ''],
    [
      'a 204 that closes, with a body',
      'HTTP/1.1 204 X\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
      '',
    ],
    ['a 204 with chunks', 'HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', ''],
    ['a byte after the length', 'HTTP/1.1 201 X\r\nContent-Length: 2\r\n\r\n{}x', '{}'],
    ['bytes after the last chunk', `${CHUNKED}xyz`, '{}'],
  ])('is complete before what follows it: %s', async (_, bytes, body) => {
    const port = await startRawServer(bytes)
    for (const method of ['POST', 'DELETE'] as const)
      expect(await send(`http://127.0.0.1:${port}`, { method })).toMatchObject({ body })
  })

  test.each([
    ['a header name with a blank', 'HTTP/1.1 201 OK\r\nX Bad: 1\r\n\r\n', 'HPE_INVALID_HEADER_TOKEN'],
    [
      'two lengths',
      'HTTP/1.1 201 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      'HPE_\\w+',
    ],
    [
      'a broken chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'HPE_INVALID_CHUNK_SIZE',
    ],
    ['another protocol', 'SSH-2.0-server\r\n', 'HPE_INVALID_CONSTANT'],
  ])('fails for good if the answer is not HTTP: %s', async (_, bytes, code) => {
    const port = await startRawServer(bytes)
    expect(await send(`http://127.0.0.1:${port}`, { method: 'POST' })).toEqual(
      failure(true, new RegExp(`^answered with HTTP that Node refuses \\(${code}\\)$`), false),
    )
  })

  test('fails for good if the headers are too long for Node', async () => {
    const port = await startRawServer(`HTTP/1.1 201 OK\r\nX: ${'a'.repeat(20_480)}\r\n\r\n`)
    expect(await send(`http://127.0.0.1:${port}`, { method: 'POST' })).toEqual(
      failure(true, /^answered with HTTP that Node refuses \(HPE_HEADER_OVERFLOW\)$/, false),
    )
  })

  test.each(['Connection: Upgrade\r\nUpgrade: websocket\r\n', 'X: y\r\n', ''])(
    'fails at once and for good if the server answers 101 (%j)',
    async (headers) => {
      // The time stands still, so the deadline cannot be what ends it.
      jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })
      const port = await startRawServer(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`)
      expect(await send(`http://127.0.0.1:${port}`)).toEqual(
        failure(true, 'answered 101 and switched to another protocol', false),
      )
    },
  )

  test.each(['ECONNREFUSED', 'two unreachable addresses'])(
    'proves that nothing was done: %s',
    async (what) => {
      const server = createRawServer()
      const port = await listen(server)
      await new Promise((resolve) => server.close(resolve))
      resolveAs(['127.0.0.1', '127.0.0.2'])
      const host = what === 'ECONNREFUSED' ? '127.0.0.1' : 'api.invalid'
      expect(await send(`http://${host}:${port}`)).toEqual(
        failure(false, 'the connection failed (ECONNREFUSED)'),
      )
    },
  )
})

describe('the name of the host', () => {
  test('that cannot be resolved at the moment can be tried again, however often', async () => {
    const client = createHttpClient('')
    resolveAs('EAI_AGAIN')
    for (let time = 0; time < 6; time++)
      expect(await send('https://api.invalid', { method: 'POST' }, client)).toEqual(
        failure(false, 'its name could not be resolved (EAI_AGAIN)'),
      )
  })

  test.each([
    [['127.0.0.1', '127.0.0.2']],
    [['127.0.0.2', '127.0.0.1']],
    [['127.0.0.1', '::1']],
    [['::1', '127.0.0.1']],
  ])('leads to the address that answers, of %j, of which one is unreachable', async (addresses) => {
    const port = await listen(createServer((_, response) => response.end('here')))
    resolveAs(addresses)
    expect(await send(`http://api.invalid:${port}`)).toMatchObject({ body: 'here' })
  })

  test.each(['http://api.invalid', 'https://api.invalid'])(
    'gets 2 to 5 s for each of its addresses (%s), and so does that of a proxy',
    async (url) => {
      const connect = jest.spyOn(Socket.prototype, 'connect')
      resolveAs(['127.0.0.1', '127.0.0.2'])
      const port = await startRawServer('')
      const proxy = createHttpClient(`http://proxy.invalid:${port}`)
      const [direct, tunnel] = [createHttpClient(''), proxy].map((client) =>
        send(`${url}:${port}`, { timeout: 60_000, cancel: AbortSignal.abort(), grace: 50 }, client),
      )
      await Promise.all([direct, tunnel])
      const timeouts = connect.mock.calls.flat(2).flatMap((argument) => {
        const options = argument as { autoSelectFamilyAttemptTimeout?: number; host?: string } | null
        return options?.host?.endsWith('.invalid') ? [options.autoSelectFamilyAttemptTimeout] : []
      })
      expect(timeouts).toHaveLength(2)
      for (const timeout of timeouts) {
        expect(timeout).toBeGreaterThanOrEqual(2_000)
        expect(timeout).toBeLessThanOrEqual(5_000)
      }
    },
  )
})

describe('the deadline', () => {
  const useFakeTime = () => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })
  const CONNECTED = failure(true, 'did not answer in time')

  test('ends a request that is not answered', async () => {
    useFakeTime()
    expect(await ask(() => jest.advanceTimersByTime(100), { timeout: 100 })).toEqual(CONNECTED)
  })

  test('does not end a request that is answered just before', async () => {
    useFakeTime()
    const outcome = ask(
      (_, response) => {
        jest.advanceTimersByTime(99)
        response.end('x')
      },
      { timeout: 100 },
    )
    expect(await outcome).toMatchObject({ status: 200 })
  })

  test('ends a request that is answered only in part', async () => {
    useFakeTime()
    const outcome = ask(
      (_, response) => {
        response.writeHead(200).write('half', () => jest.advanceTimersByTime(100))
      },
      { timeout: 100 },
    )
    expect(await outcome).toEqual(CONNECTED)
  })

  test('ends a request whose answer has begun and comes byte by byte', async () => {
    useFakeTime()
    const outcome = ask(
      async (_, response) => {
        response.flushHeaders()
        const received = await nextReceived()
        for (let byte = 0; byte < 6; byte++) {
          response.write('x')
          await once(received, 'data')
          jest.advanceTimersByTime(50)
        }
        response.end()
      },
      { timeout: 300 },
    )
    expect(await outcome).toEqual(CONNECTED)
  })

  test.each<[number, 'ends' | 'stalls', boolean]>([
    [201, 'ends', true],
    [201, 'stalls', true],
    [503, 'ends', false],
    [503, 'stalls', false],
  ])(
    'of a response of status %i whose body %s shows a success that cannot be used: %p',
    async (status, end, unusable) => {
      useFakeTime()
      const outcome = await ask(
        async (_, response) => {
          response.writeHead(status, { 'Content-Length': '100' }).flushHeaders()
          const received = await nextReceived()
          response.write('half')
          await once(received, 'data')
          if (end === 'ends') response.destroy()
          else jest.advanceTimersByTime(10_000)
        },
        { timeout: 10_000 },
      )
      expect(outcome).toBeInstanceOf(HttpError)
      expect((outcome as HttpError).unusable).toBe(unusable)
    },
  )

  test('ends a connection that is never complete, of which the server has nothing', async () => {
    useFakeTime()
    jest.spyOn(process.getBuiltinModule('node:dns'), 'lookup').mockImplementation((() => {}) as never)
    const outcome = send('http://api.invalid', { timeout: 100 })
    jest.advanceTimersByTime(100)
    expect(await outcome).toEqual(failure(false, 'could not be reached in time'))
  })

  test('comes when the grace period after a cancellation is over', async () => {
    useFakeTime()
    const cancel = new AbortController()
    const outcome = ask(
      () => {
        cancel.abort()
        jest.advanceTimersByTime(50)
      },
      { cancel: cancel.signal, grace: 50 },
    )
    expect(await outcome).toEqual(CONNECTED)
  })

  test('comes then even if the job was cancelled before the request', async () => {
    useFakeTime()
    const outcome = ask(
      (_, response) => {
        jest.advanceTimersByTime(50)
        response.end('x')
      },
      { timeout: 60_000, cancel: AbortSignal.abort(), grace: 50 },
    )
    expect(await outcome).toEqual(CONNECTED)
  })

  test('is not before that, even if the job was cancelled before the request', async () => {
    useFakeTime()
    const outcome = ask(
      (_, response) => {
        jest.advanceTimersByTime(49)
        response.end('x')
      },
      { cancel: AbortSignal.abort(), grace: 50 },
    )
    expect(await outcome).toMatchObject({ status: 200 })
  })
})

describe('TLS', () => {
  const TLS_ALERT = (description: number) => Buffer.from([0x15, 3, 3, 0, 2, 2, description])

  test('that a server ends in the handshake, as one that restarts does, can be tried again', async () => {
    const port = await startRawServer(TLS_ALERT(80))
    expect(await send(`https://127.0.0.1:${port}`)).toEqual(
      failure(false, 'the TLS handshake failed (EPROTO, tlsv1 alert internal error)'),
    )
  })

  test('with a port that speaks plain HTTP is named as such, and permanent', async () => {
    const port = await listen(createServer((_, response) => response.end()))
    expect(await send(`https://127.0.0.1:${port}`)).toEqual(
      failure(
        false,
        'the TLS handshake failed (EPROTO, wrong version number); it does not speak TLS on this port',
        false,
      ),
    )
  })

  test('that plain HTTP is sent to is permanent', async () => {
    const port = await startRawServer(TLS_ALERT(70))
    expect(await send(`http://127.0.0.1:${port}`)).toEqual(
      failure(true, 'answered with HTTP that Node refuses (HPE_INVALID_CONSTANT)', false),
    )
  })

  test.each([
    ['TLSv1.3', /^requires a client certificate \(ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED\)$/],
    ['TLSv1.2', /handshake failure\); it may require a client certificate$/],
  ] as const)('that requires a client certificate is permanent (%s)', async (maxVersion, message) => {
    const { ca, key, cert } = await makeCertificates(['127.0.0.1'])
    const options = { key, cert, ca, maxVersion, requestCert: true, rejectUnauthorized: true }
    const seen: string[] = []
    const port = await listen(
      createSecureServer(options, (request, response) => {
        seen.push(request.url ?? '')
        response.end()
      }) as unknown as Server,
    )
    const tls = process.getBuiltinModule('node:tls')
    const before = tls.getCACertificates('default')
    tls.setDefaultCACertificates([ca])
    try {
      expect(await send(`https://127.0.0.1:${port}`, { method: 'POST', body: '{}' })).toEqual(
        failure(false, message, false),
      )
    } finally {
      tls.setDefaultCACertificates(before)
    }
    expect(seen).toEqual([])
  })
})
