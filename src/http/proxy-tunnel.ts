import type { Agent, IncomingMessage } from 'node:http'
import type { ConnectionOptions } from 'node:tls'
import { describeError, HttpError, type NodeError } from './http-error.ts'
import { percentDecoded } from './network-settings.ts'

/** The timeout is for each address of a host: Node's 250 ms are too short. */
export const CONNECTION = { rejectUnauthorized: true, autoSelectFamilyAttemptTimeout: 3_000 }

/** A `createConnection` for agents. Node's `proxyEnv` came with 24.5; runners ship 24.4 too. */
export function tunnelThrough(proxy: string, secure: boolean): Agent['createConnection'] {
  const { protocol, host, hostname, port, username, password } = new URL(proxy)
  const login = Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`).toString('base64')
  const authorization = username || password ? { 'Proxy-Authorization': `Basic ${login}` } : {}
  return (options, connected) => {
    const refuse = (error: HttpError) => connected?.(error, undefined as never)
    // Alone, an IPv6 address seems to end in a port.
    const target = `${String(options.host).replace(/.*:.*/, '[$&]')}:${options.port}`
    nodeModule(protocol)
      .request({
        method: 'CONNECT',
        host: hostname.replace(/^\[|\]$/g, ''),
        port,
        path: target,
        headers: { Host: target, ...authorization },
        agent: false,
        ...CONNECTION,
      })
      // A silent proxy must not outlive the request.
      .once('socket', (socket) => socket.unref())
      .once('connect', (answer, socket) => {
        const { statusCode = 0 } = answer
        if (statusCode < 200 || statusCode > 299) {
          socket.destroy()
          return refuse(refusal(host, answer, Boolean(username || password)))
        }
        socket.ref()
        const { connect } = process.getBuiltinModule('node:tls')
        connected?.(null, secure ? connect({ ...(options as ConnectionOptions), socket }) : socket)
      })
      .on('error', (error: NodeError) => {
        const failure = describeError(error, false)
        refuse(Object.assign(failure, { message: `the proxy ${host}: ${failure.message}` }))
      })
      .end()
  }
}

/** Loaded only when needed. */
export function nodeModule(protocol: string): Pick<typeof import('node:http'), 'Agent' | 'request'> {
  return process.getBuiltinModule(protocol === 'https:' ? 'node:https' : 'node:http')
}

function refusal(host: string, { statusCode: status = 0, headers }: IncomingMessage, hasLogin: boolean): HttpError {
  const login = hasLogin ? 'does not accept this login' : 'requires a login, as in http://USER:PASSWORD@HOST:PORT'
  const isBasic = /basic/i.test(headers['proxy-authenticate'] ?? 'Basic')
  const hint =
    status === 407 ? `; it ${isBasic ? login : 'does not offer Basic authentication, the only kind supported'}` : ''
  const isTemporary = status >= 500 || [408, 429].includes(status)
  return new HttpError(`the proxy ${host} refused the tunnel with status ${status}${hint}`, false, isTemporary)
}
