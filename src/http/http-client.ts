import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import { ProxyError, tunnelThrough } from './proxy-tunnel.ts'

/** One request. Times are in milliseconds. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
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
  headers: http.IncomingHttpHeaders
  body: string
}

/** How a request came to nothing. */
export type HttpErrorKind = 'dns' | 'refused' | 'certificate' | 'proxy' | 'timeout' | 'cut' | 'too-large'

/**
 * A request that got no usable answer. `mayHaveActed` is the fact that matters for a key: false only where nothing
 * of the request can have reached the server (no name, no connection, no completed TLS handshake).
 */
export class HttpError extends Error {
  readonly fault: HttpErrorKind
  readonly mayHaveActed: boolean

  constructor(fault: HttpErrorKind, mayHaveActed: boolean, message: string) {
    super(message)
    this.fault = fault
    this.mayHaveActed = mayHaveActed
  }
}

/** Sends one request and answers with the whole response; throws HttpFailure. Never retries or follows a redirect. */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>

const MAX_RESPONSE_BYTES = 1024 * 1024

/**
 * A Send over real sockets, kept open between requests, through `proxy` (a URL; empty for none). Certificates are
 * always verified: an agent's option to do so outranks NODE_TLS_REJECT_UNAUTHORIZED.
 */
export function createHttpClient(proxy: string): HttpClient {
  const agents: Record<string, http.Agent> = {}
  return (request) => {
    const { protocol } = request.url
    agents[protocol] ??= createAgent(protocol, proxy)
    return exchange(request, agents[protocol], proxy)
  }
}

function createAgent(protocol: string, proxy: string): http.Agent {
  const secure = protocol === 'https:'
  const options = { keepAlive: true, rejectUnauthorized: true }
  const agent = secure ? new https.Agent(options) : new http.Agent(options)
  if (proxy) agent.createConnection = tunnelThrough(proxy, secure)
  return agent
}

function exchange(request: HttpRequest, agent: http.Agent, proxy: string): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const { url, method, headers, body, cancel } = request
    const secure = url.protocol === 'https:'
    const options = { method, headers, agent }
    const started = secure ? https.request(url, options) : http.request(url, options)

    let connected = false
    started.once('socket', (socket: Socket) => {
      connected = started.reusedSocket || (!secure && !socket.connecting)
      const whenConnected = () => {
        connected = true
      }
      if (!connected) socket.once(secure ? 'secureConnect' : 'connect', whenConnected)
    })

    const fail = (fault: HttpErrorKind, message: string) => {
      settle()
      reject(new HttpError(fault, connected, message))
      started.destroy()
    }
    const onTimeout = () =>
      fail('timeout', connected ? 'did not answer in time' : 'could not be reached in time')
    const ends = [setTimeout(onTimeout, request.timeout)]
    const onCancel = () => void ends.push(setTimeout(onTimeout, request.grace ?? 0))
    const settle = () => {
      ends.forEach(clearTimeout)
      cancel?.removeEventListener('abort', onCancel)
    }
    if (cancel?.aborted) onCancel()
    else cancel?.addEventListener('abort', onCancel)

    // Every time, not once: an error without a listener would end the process, and with it the key's only keeper.
    started.on('error', (error) => fail(...describe(error, connected, proxy)))
    started.once('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_RESPONSE_BYTES) fail('too-large', 'answered with more than 1 MiB')
        else chunks.push(chunk)
      })
      response.on('error', () => fail('cut', 'closed the connection in the middle of its answer'))
      response.once('end', () => {
        settle()
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        })
      })
    })
    started.end(body)
  })
}

/** Node's error codes, in the words of somebody who has to mend the network. */
function describe(
  error: NodeJS.ErrnoException,
  connected: boolean,
  proxy: string,
): [fault: HttpErrorKind, message: string] {
  const code = error.code ?? ''
  if (error instanceof ProxyError) return [error.permanent ? 'proxy' : 'refused', error.message]
  // Never the login that its URL may hold.
  const via = proxy ? ` (through the proxy ${new URL(proxy).host})` : ''
  if (connected) return ['cut', `closed the connection before it answered${via}`]
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return ['dns', `its name could not be resolved (${code}); check api-url`]
  if (/CERT|^UNABLE_TO|SIGNATURE/.test(code))
    return [
      'certificate',
      `its certificate was not accepted (${code})${via}; ` +
        'where a private CA signs it, give its file in NODE_EXTRA_CA_CERTS',
    ]
  // A load balancer that restarts says so too.
  if (/^EPROTO|^ERR_(TLS|SSL)/.test(code)) return ['refused', `the TLS handshake failed (${code})${via}`]
  return ['refused', `the connection failed (${code || 'closed early'})${via}`]
}
