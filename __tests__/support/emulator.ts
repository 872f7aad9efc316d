import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Account, type AccountOptions, type ApiResponse, createAccount } from './account.ts'

type Target = 'create' | 'list' | 'revoke' | 'any'

/** Something that goes wrong with the next request that fits. `acted` says whether the server carries it out. */
export type Fault = { on?: Target; times?: number } & (
  | { kind: 'cut-before' | 'cut-after' | 'truncate' | 'garbage' | 'huge' | 'hang' }
  | { kind: 'delay'; ms: number; act: 'before' | 'after' }
  /** Carried out once and, as a gateway's timeout has passed, a second time `ms` later; the second one is answered. */
  | { kind: 'twice'; ms: number }
  /** Never answered, and carried out `ms` later. */
  | { kind: 'late'; ms: number }
  /** The answer waits for an event rather than for a time; the server acts before that or after it. */
  | { kind: 'hold'; until: Promise<unknown>; act: 'before' | 'after' }
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string; acted?: boolean }
  | { kind: 'replace'; status?: number; body: unknown; acted?: boolean }
  | { kind: 'redirect'; location: string; status: number }
)

export interface EmulatorOptions extends Partial<AccountOptions> {
  port?: number
  host?: string
  tls?: { key: string; cert: string }
  /** Serves `/__emulator/fault` and `/__emulator/keys`, for use from a workflow. */
  control?: boolean
}

export interface RecordedRequest {
  method: string
  path: string
  credential: string
  userAgent: string
  headers: Record<string, string>
  body: string
  at: number
}

export interface Emulator {
  url: string
  port: number
  account: Account
  /** Every request that came in, in order. */
  requests: RecordedRequest[]
  /** Resolves once `enough` is true of the requests that came in; the server still answers the last of them first. */
  arrived(enough: (requests: readonly RecordedRequest[]) => boolean): Promise<void>
  fault(fault: Fault): void
  /** From now on, requests are served as they are meant to be. */
  clearFaults(): void
  close(): Promise<void>
}

/** Starts the API on loopback, over TLS where a certificate is given, with a new account behind it. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, host = '127.0.0.1', tls, control = false, ...accountOptions } = options
  const account = createAccount({ now: Date.now, random: Math.random, ...accountOptions })
  const requests: RecordedRequest[] = []
  const faults: { fault: Fault; left: number }[] = []
  const timers = new Set<NodeJS.Timeout>()
  const watchers = new Set<() => void>()

  const arrived: Emulator['arrived'] = (enough) =>
    new Promise((resolve) => {
      const check = () => {
        if (!enough(requests)) return
        watchers.delete(check)
        resolve()
      }
      watchers.add(check)
      check()
    })
  const fault = (fault: Fault) => void faults.push({ fault, left: fault.times ?? 1 })
  const takeFault = (target: Target): Fault | undefined => {
    const next = faults.find(({ fault: { on = 'any' }, left }) => left > 0 && (on === 'any' || on === target))
    if (next) next.left -= 1
    return next?.fault
  }
  const later = (ms: number, act: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, ms)
    timers.add(timer)
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Node would add the header that the account leaves out.
    if (accountOptions.dateHeader === false) response.sendDate = false
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    const method = request.method ?? ''
    const path = request.url ?? ''
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    )
    if (control && path.startsWith('/__emulator/')) {
      serveControl(path, body, response)
      return
    }
    const credential = (headers.authorization ?? '').replace(/^Bearer /, '')
    requests.push({
      method,
      path,
      credential,
      userAgent: headers['user-agent'] ?? '',
      headers,
      body,
      at: Date.now(),
    })
    for (const check of watchers) check()
    const act = () => account.handle({ method, path, headers, body })
    misbehave(takeFault(targetOf(method, path)), act, response, later)
  }

  function serveControl(path: string, body: string, response: ServerResponse): void {
    if (path === '/__emulator/fault') fault(JSON.parse(body) as Fault)
    const live = account
      .live()
      .map(({ id, token_key, created, expiry }) => ({ id, token_key, created, expiry }))
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(live))
  }

  const listener = (request: IncomingMessage, response: ServerResponse) =>
    // A client that goes away in the middle of its request is an ordinary event here.
    void serve(request, response).catch(() => response.destroy())
  const server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener)
  // Failed handshakes are what some tests are about.
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  const address = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${address.port}`,
    port: address.port,
    account,
    requests,
    arrived,
    fault,
    clearFaults: () => void faults.splice(0),
    close() {
      for (const timer of timers) clearTimeout(timer)
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function targetOf(method: string, path: string): Target {
  if (!path.startsWith('/api/user/api-keys')) return 'any'
  return method === 'POST' ? 'create' : method === 'DELETE' ? 'revoke' : 'list'
}

function send(response: ServerResponse, { status, headers, body }: ApiResponse): void {
  response.writeHead(status, headers).end(body)
}

/** Carries out the request and answers it, or does whatever `fault` says instead. */
function misbehave(
  fault: Fault | undefined,
  act: () => ApiResponse,
  response: ServerResponse,
  later: (ms: number, act: () => void) => void,
): void {
  switch (fault?.kind) {
    case undefined:
      send(response, act())
      break
    case 'cut-before':
      response.destroy()
      break
    case 'cut-after':
      act()
      response.destroy()
      break
    case 'hang':
      act()
      break
    case 'truncate': {
      const { status, headers, body } = act()
      response.writeHead(status, { ...headers, 'Content-Length': String(Buffer.byteLength(body)) })
      response.write(body.slice(0, body.length / 2), () => response.destroy())
      break
    }
    case 'garbage': {
      const { status, headers, body } = act()
      send(response, { status, headers, body: body.slice(0, body.length / 2) })
      break
    }
    case 'huge': {
      const answer = act()
      send(response, { ...answer, body: answer.body + ' '.repeat(1024 * 1024 + 1) })
      break
    }
    case 'delay': {
      const early = fault.act === 'before' ? act() : null
      later(fault.ms, () => send(response, early ?? act()))
      break
    }
    case 'twice':
      act()
      later(fault.ms, () => send(response, act()))
      break
    case 'late':
      later(fault.ms, () => void act())
      break
    case 'hold': {
      const early = fault.act === 'before' ? act() : null
      void fault.until.then(() => send(response, early ?? act()))
      break
    }
    case 'status':
      if (fault.acted) act()
      send(response, { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? '' })
      break
    case 'replace': {
      const answer = fault.acted === false ? { status: 200, headers: {}, body: '' } : act()
      send(response, {
        status: fault.status ?? answer.status,
        headers: answer.headers,
        body: JSON.stringify(merged(answer.body, fault.body)),
      })
      break
    }
    case 'redirect':
      send(response, { status: fault.status, headers: { Location: fault.location }, body: '' })
      break
  }
}

/** `patch` laid over the JSON answer, field by field, so that a fault can change one of them; null takes its place. */
function merged(body: string, patch: unknown): unknown {
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  const lay = (base: unknown, over: unknown): unknown => {
    if (!isRecord(over) || !isRecord(base)) return over
    const laid = Object.entries(over).map(([name, value]) => [name, lay(base[name], value)])
    return { ...base, ...Object.fromEntries(laid) }
  }
  return lay(body === '' ? {} : JSON.parse(body), patch)
}
