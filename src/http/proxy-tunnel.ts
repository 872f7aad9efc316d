import * as http from 'node:http'
import * as https from 'node:https'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'

/** There is no tunnel, so nothing of the request itself was sent. `lasting` says that asking again will not help. */
export class ProxyError extends Error {
  readonly permanent: boolean

  constructor(message: string, permanent: boolean) {
    super(message)
    this.permanent = permanent
  }
}

type Connected = (error: Error | null, stream: Duplex) => void

/**
 * A `createConnection` for Node's agents that reaches every host through a CONNECT tunnel of `proxy`, with TLS inside
 * it where `secure`. Node's own `proxyEnv` would do, but came with 24.5, and the oldest runner with node24 ships
 * 24.4 (on 32-bit ARM, Node 20).
 */
export function tunnelThrough(proxy: string, secure: boolean) {
  return (options: http.ClientRequestArgs, connected?: Connected): undefined => {
    const refuse = (message: string, permanent: boolean) =>
      connected?.(new ProxyError(message, permanent), undefined as never)
    if (!URL.canParse(proxy) || !/^https?:$/.test(new URL(proxy).protocol)) {
      refuse('the proxy in HTTPS_PROXY or HTTP_PROXY is not an http or https address', true)
      return
    }
    const { protocol, host, hostname, port, username, password } = new URL(proxy)
    const target = `${bracketed(String(options.host))}:${options.port}`
    const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')
    const open = protocol === 'https:' ? https.request : http.request
    open({
      method: 'CONNECT',
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port || (protocol === 'https:' ? 443 : 80),
      path: target,
      headers: { Host: target, ...(username ? { 'Proxy-Authorization': `Basic ${login}` } : {}) },
      agent: false,
      rejectUnauthorized: true,
    })
      // The request that wants the tunnel has a deadline; a proxy that never answers must not outlive it.
      .once('socket', (socket) => socket.unref())
      .once('connect', (answer, socket) => {
        const status = answer.statusCode ?? 0
        if (status === 200) {
          socket.ref()
          connected?.(null, secure ? tls.connect({ ...(options as tls.ConnectionOptions), socket }) : socket)
          return
        }
        socket.destroy()
        const hint = status === 407 ? '; it wants a login, as in http://USER:PASSWORD@HOST:PORT' : ''
        const permanent = status < 500 && status !== 408 && status !== 429
        refuse(`the proxy ${host} refused the tunnel with status ${status}${hint}`, permanent)
      })
      .on('error', (error: NodeJS.ErrnoException) =>
        refuse(`the proxy ${host} could not be reached (${error.code ?? 'closed early'})`, false),
      )
      .end()
    return
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
