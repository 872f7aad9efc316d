import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { describeError, HttpError, type NodeError } from './http-error.ts'
import { CONNECTION, nodeModule, tunnelThrough } from './proxy-tunnel.ts'

/** In milliseconds. */
export interface CallLimits {
  /** The longest that a request may take, connecting included. */
  timeout: number
  /** When it is aborted, the request may go on for `grace` more, and is then cut. */
  cancel?: AbortSignal
  grace?: number
}

export interface HttpRequest extends CallLimits {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  url: URL
  headers: Record<string, string>
  body?: string | undefined
}

export interface HttpResponse {
  status: number
  headers: IncomingHttpHeaders
  body: string
  /** The body was longer than 1 MiB, and this is only its start. */
  isCut?: boolean
}

/** Sends one request and returns the whole response; throws HttpError. Never retries or follows a redirect. */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>

const MAX_RESPONSE_BYTES = 1024 * 1024

/** For one host. Requests share no connection: a late answer would seem to be the next one's. */
export function createHttpClient(proxy: string): HttpClient {
  const via = proxy && ` (through the proxy ${new URL(proxy).host})`
  return (request) => exchange(request, createAgent(request.url.protocol, proxy), via)
}

function createAgent(protocol: string, proxy: string): Agent {
  const agent = new (nodeModule(protocol).Agent)(CONNECTION)
  if (proxy) agent.createConnection = tunnelThrough(proxy, protocol === 'https:')
  return agent
}

function exchange(request: HttpRequest, agent: Agent, via: string): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const { url, method, body } = request
    const headers = { 'Accept-Encoding': 'identity', ...request.headers }
    const sent = nodeModule(url.protocol).request(url, { method, agent, headers })
    const isConnected = trackConnection(sent, url.protocol === 'https:')
    let received: IncomingMessage | undefined
    const fail = (error: HttpError) => {
      stopDeadline()
      error.unusable = /^2/.test(`${received?.statusCode}`)
      reject(error)
      sent.destroy()
    }
    const stopDeadline = startDeadline(request, () => {
      const message = isConnected() ? 'did not answer in time' : 'could not be reached in time'
      fail(new HttpError(`${message}${via}`, isConnected()))
    })
    // Not once: an unhandled error ends the process. One after a complete response is not about it.
    sent.on('error', (error: NodeError) => {
      if (!received?.complete) fail(error instanceof HttpError ? error : describeError(error, isConnected(), via))
    })
    const receive = (response: IncomingMessage) => {
      received = response
      if (response.statusCode === 101)
        return fail(new HttpError('answered 101 and switched to another protocol', true, false))
      const cutOff = ({ code }: NodeError) =>
        fail(new HttpError(`closed the connection in the middle of its answer (${code})`, true))
      readBody(response).then((read) => {
        stopDeadline()
        // Of several, Node keeps the first.
        const age = response.headersDistinct.age?.join(', ')
        resolve({ status: response.statusCode ?? 0, headers: { ...response.headers, age }, ...read })
      }, cutOff)
    }
    sent.once('upgrade', receive).once('response', receive).end(body)
  })
}

function trackConnection(sent: ClientRequest, secure: boolean): () => boolean {
  let connected = false
  sent.once('socket', (socket) => {
    connected = !secure && !socket.connecting
    if (connected) return
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      connected = true
    })
  })
  return () => connected
}

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

/** Of more than 1 MiB, only the start is read. By events: iteration takes 1 ms more. */
function readBody(response: IncomingMessage): Promise<Pick<HttpResponse, 'body' | 'isCut'>> {
  const chunks: Buffer[] = []
  let size = 0
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    if (size > MAX_RESPONSE_BYTES) response.destroy()
  })
  return new Promise((resolve, reject) => {
    const text = () => String(Buffer.concat(chunks)).replace(/^\uFEFF/, '')
    response.once('error', reject)
    response.once('close', () => resolve({ body: text(), isCut: size > MAX_RESPONSE_BYTES }))
  })
}
