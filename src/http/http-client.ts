import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { describeError, HttpError, type NodeError } from './http-error.ts'
import { ADDRESS_TIMEOUT_MS, tunnelThrough } from './proxy-tunnel.ts'

export { HttpError, type HttpErrorKind } from './http-error.ts'

/** One request. Times are in milliseconds. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE'
  url: URL
  headers: Record<string, string>
  body?: string
  /** The longest that this request may take, connecting included. */
  timeout: number
  /** When it is aborted, the request may go on for `grace` more, and is then cut. */
  cancel?: AbortSignal
  grace?: number
}

export interface HttpResponse {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** Sends one request and returns the whole response; throws HttpError. Never retries or follows a redirect. */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>

const MAX_RESPONSE_BYTES = 1024 * 1024
/** A resolver may err for a moment; with the usual backoff, this many attempts take 3.5 s at most. */
const MAX_UNKNOWN_HOST = 4

/**
 * An HttpClient over real sockets, through `proxy` (a URL; empty for none). Connections are reused, but not for a POST:
 * if the server has just closed one, that looks like a lost response to a create. Certificates are always verified: the
 * agent's option outranks NODE_TLS_REJECT_UNAUTHORIZED. A name that does not exist is permanent for the fourth POST in
 * a row; other requests are about a key that the host created, so its name did exist.
 */
export function createHttpClient(proxy: string): HttpClient {
  const agents: Record<string, Agent> = {}
  const via = proxy && ` (through the proxy ${new URL(proxy).host})`
  let unknownHost = 0
  return async (request) => {
    const { method, url } = request
    const reused = method === 'POST' ? undefined : agents[url.protocol]
    const agent = reused ?? createAgent(url.protocol, proxy)
    agents[url.protocol] = agent
    try {
      const response = await exchange(request, agent, via)
      unknownHost = 0
      return response
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      unknownHost = error.kind === 'unknown-host' ? unknownHost + 1 : 0
      if (unknownHost < MAX_UNKNOWN_HOST || method !== 'POST') throw error
      throw new HttpError(error.kind, error.mayHaveActed, error.message, false)
    }
  }
}

function createAgent(protocol: string, proxy: string): Agent {
  const secure = protocol === 'https:'
  const options = { keepAlive: true, rejectUnauthorized: true }
  const agent = secure
    ? new (process.getBuiltinModule('node:https').Agent)(options)
    : new (process.getBuiltinModule('node:http').Agent)(options)
  if (proxy) agent.createConnection = tunnelThrough(proxy, secure)
  return agent
}

type Fail = (error: HttpError) => void

function exchange(request: HttpRequest, agent: Agent, via: string): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const secure = request.url.protocol === 'https:'
    const sent = start(request, agent, secure)
    const isConnected = trackConnection(sent, secure)
    const fail: Fail = (error) => {
      stopDeadline()
      reject(error)
      sent.destroy()
    }
    const stopDeadline = startDeadline(request, () => {
      const message = isConnected() ? 'did not answer in time' : 'could not be reached in time'
      fail(new HttpError('timeout', isConnected(), message))
    })
    // On, not once: an error without a listener would end the process, and no one would revoke the key.
    sent.on('error', (error: NodeError) =>
      fail(error instanceof HttpError ? error : describeError(error, isConnected(), via)),
    )
    sent.once('upgrade', () => fail(upgradeError()))
    sent.once('response', (response) => {
      readBody(response, fail, (body) => {
        stopDeadline()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
      })
    })
    sent.end(request.body)
  })
}

const upgradeError = () => new HttpError('protocol', true, 'answered 101 and switched to another protocol')

function start({ url, method, headers }: HttpRequest, agent: Agent, secure: boolean): ClientRequest {
  const options = {
    method,
    agent,
    // Without this header, any content coding would do (RFC 9110, section 12.5.3).
    headers: { 'Accept-Encoding': 'identity', ...headers },
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
  }
  return secure
    ? process.getBuiltinModule('node:https').request(url, options)
    : process.getBuiltinModule('node:http').request(url, options)
}

/** Returns a function that tells whether the connection of `sent` is complete, TLS included. */
function trackConnection(sent: ClientRequest, secure: boolean): () => boolean {
  let connected = false
  sent.once('socket', (socket: Socket) => {
    connected = sent.reusedSocket || (!secure && !socket.connecting)
    if (connected) return
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      connected = true
    })
  })
  return () => connected
}

/** Calls `expire` when the request has had its time; returns a function that stops this clock. */
function startDeadline({ timeout, cancel, grace }: HttpRequest, expire: () => void): () => void {
  const timers = [setTimeout(expire, timeout)]
  const onCancel = () => void timers.push(setTimeout(expire, grace ?? 0))
  if (cancel?.aborted) onCancel()
  else cancel?.addEventListener('abort', onCancel)
  return () => {
    timers.forEach(clearTimeout)
    cancel?.removeEventListener('abort', onCancel)
  }
}

/**
 * Reads the body of `response` as UTF-8, less a byte order mark. A compressed body is an error with a status of 2xx; it
 * is taken as empty with any other status, which says enough by itself.
 */
function readBody(response: IncomingMessage, fail: Fail, done: (body: string) => void): void {
  const { statusCode = 0, headers } = response
  const coding = headers['content-encoding'] ?? ''
  const chunks: Buffer[] = []
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > MAX_RESPONSE_BYTES) fail(new HttpError('too-large', true, 'answered with more than 1 MiB'))
    else chunks.push(chunk)
  })
  response.on('error', ({ code }: NodeError) =>
    fail(new HttpError('cut', true, `closed the connection in the middle of its answer (${code})`)),
  )
  response.once('end', () => {
    const encoded = size > 0 && !/^\s*(identity\s*)?$/i.test(coding)
    const name = coding.replace(/[^\w, -]/g, '').slice(0, 40)
    if (statusCode === 101) fail(upgradeError())
    else if (encoded && statusCode < 300)
      fail(new HttpError('protocol', true, `answered ${statusCode} in ${name}, which was not asked for`))
    else
      done(
        encoded
          ? ''
          : Buffer.concat(chunks)
              .toString('utf8')
              .replace(/^\uFEFF/, ''),
      )
  })
}
