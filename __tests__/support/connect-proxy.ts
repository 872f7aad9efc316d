import type { LookupFunction } from 'node:net'
import { Server } from 'proxy-chain'

/** A proxy on loopback that requires a login and resolves a host name that no other resolver knows. */
export interface ConnectProxy {
  /** With the login, and without. */
  url: string
  urlWithoutLogin: string
  password: string
  /** The targets of the tunnels that were opened, as `host:port`. */
  tunnels: string[]
  close(): Promise<void>
}

/** Starts the proxy, which resolves `hostname` to 127.0.0.1. */
export async function startConnectProxy(hostname: string): Promise<ConnectProxy> {
  const password = 'let me/in'
  const tunnels: string[] = []
  const dnsLookup: LookupFunction = (host, options, found) => {
    const address = host === hostname ? '127.0.0.1' : host
    if (options.all) found(null, [{ address, family: 4 }])
    else found(null, address, 4)
  }
  const server = new Server({
    port: 0,
    host: '127.0.0.1',
    prepareRequestFunction({ username, password: given, hostname: host, port, isHttp }) {
      const allowed = username === 'runner' && given === password
      if (allowed) tunnels.push(`${isHttp ? 'plain ' : ''}${host}:${port}`)
      return { requestAuthentication: !allowed, dnsLookup: dnsLookup as never }
    },
  })
  await server.listen()
  return {
    url: `http://runner:${encodeURIComponent(password)}@127.0.0.1:${server.port}`,
    urlWithoutLogin: `http://127.0.0.1:${server.port}`,
    password,
    tunnels,
    close: () => server.close(true),
  }
}
