import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Account, type AccountOptions, type ApiResponse, createAccount } from './account.ts'

type Target = 'create' | 'list' | 'revoke' | 'any'

/** Something that goes wrong with the next request that fits. `acted` says whether the server carries it out. */
export type Fault = { on?: Target; times?: number } & (
  | { kind: 'cut-before' | 'cut-after' | 'truncate' | 'hang' }
  | { kind: 'delay'; ms: number; act: 'before' | 'after' }
  /** Carried out once and, as a gateway's timeout has passed, a second time `ms` later; the second one is answered. */
  | { kind: 'twice'; ms: number }
  /** Never answered, and carried out `ms` later. */
  | { kind: 'late'; ms: number }
  /** The answer waits for an event rather than for a time; the server acts before that or after it. */
  | { kind: 'hold'; until: Promise<unknown>; act: 'before' | 'after' }
  | AnswerFault
)

/** Another answer than the API's own. */
type AnswerFault =
  | { kind: 'garbage' | 'huge' }
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string; acted?: boolean }
  | { kind: 'replace'; status?: number; body: unknown; acted?: boolean }
  | { kind: 'redirect'; location: string; status: number }

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

/** Starts the API on loopback, over TLS if a certificate is given, with a new account behind it. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, host = '127.0.0.1', tls, control = false, ...accountOptions } = options
  const account = createAccount({ now: Date.now, random: Math.random, ...accountOptions })
  const context: Context = {
    ...{
      account,
      control,
      requests: [],
      faults: createFaults(),
      watchers: new Set(),
      timers: createTimers(),
    },
    sendDate: accountOptions.dateHeader !== false,
  }
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    // A client that disconnects in the middle of its request is an ordinary event here.
    void serve(request, response, context).catch(() => response.destroy())
  const server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener)
  // Some tests are about failed handshakes.
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  const address = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${address.port}`,
    port: address.port,
    account,
    requests: context.requests,
    arrived: (enough) => arrival(context, enough),
    fault: context.faults.add,
    clearFaults: context.faults.clear,
    close() {
      context.timers.clear()
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

interface Context {
  account: Account
  control: boolean
  sendDate: boolean
  requests: RecordedRequest[]
  faults: ReturnType<typeof createFaults>
  /** Called at every request. */
  watchers: Set<() => void>
  timers: ReturnType<typeof createTimers>
}

function createFaults() {
  const faults: { fault: Fault; left: number }[] = []
  return {
    add: (fault: Fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    clear: () => void faults.splice(0),
    take(target: Target): Fault | undefined {
      const next = faults.find(
        ({ fault: { on = 'any' }, left }) => left > 0 && (on === 'any' || on === target),
      )
      if (next) next.left -= 1
      return next?.fault
    },
  }
}

function createTimers() {
  const timers = new Set<NodeJS.Timeout>()
  return {
    later(ms: number, act: () => void) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        act()
      }, ms)
      timers.add(timer)
    },
    clear() {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

function arrival({ requests, watchers }: Context, enough: Parameters<Emulator['arrived']>[0]): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (!enough(requests)) return
      watchers.delete(check)
      resolve()
    }
    watchers.add(check)
    check()
  })
}

async function serve(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  const { account, requests, faults, watchers, timers } = context
  // Node would add the header that the account leaves out.
  if (!context.sendDate) response.sendDate = false
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString('utf8')
  const { method = '', url: path = '' } = request
  if (context.control && path.startsWith('/__emulator/')) return serveControl(path, body, response, context)
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  )
  const credential = (headers.authorization ?? '').replace(/^Bearer /, '')
  const userAgent = headers['user-agent'] ?? ''
  requests.push({ method, path, credential, userAgent, headers, body, at: Date.now() })
  for (const check of watchers) check()
  const act = () => account.handle({ method, path, headers, body })
  const fault = faults.take(targetOf(method, path))
  if (fault === undefined) send(response, act())
  else misbehave(fault, act, response, timers.later)
}

function serveControl(
  path: string,
  body: string,
  response: ServerResponse,
  { account, faults }: Context,
): void {
  if (path === '/__emulator/fault') faults.add(JSON.parse(body) as Fault)
  const live = account
    .live()
    .map(({ id, token_key, created, expiry }) => ({ id, token_key, created, expiry }))
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(live))
}

function targetOf(method: string, path: string): Target {
  if (!path.startsWith('/api/user/api-keys')) return 'any'
  return method === 'POST' ? 'create' : method === 'DELETE' ? 'revoke' : 'list'
}

function send(response: ServerResponse, { status, headers, body }: ApiResponse): void {
  response.writeHead(status, headers).end(body)
}

/** Does what `fault` says instead of answering the request. */
function misbehave(
  fault: Fault,
  act: () => ApiResponse,
  response: ServerResponse,
  later: (ms: number, act: () => void) => void,
): void {
  const early = 'act' in fault && fault.act === 'before' ? act() : null
  switch (fault.kind) {
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
    case 'truncate':
      sendHalf(response, act())
      break
    case 'delay':
      later(fault.ms, () => send(response, early ?? act()))
      break
    case 'twice':
      act()
      later(fault.ms, () => send(response, act()))
      break
    case 'late':
      later(fault.ms, () => void act())
      break
    case 'hold':
      void fault.until.then(() => send(response, early ?? act()))
      break
    default:
      send(response, otherAnswer(fault, act))
  }
}

/** Announces the whole body, and disconnects after half of it. */
function sendHalf(response: ServerResponse, { status, headers, body }: ApiResponse): void {
  response.writeHead(status, { ...headers, 'Content-Length': String(Buffer.byteLength(body)) })
  response.write(body.slice(0, body.length / 2), () => response.destroy())
}

/** The answer that `fault` puts in place of the API's own. */
function otherAnswer(fault: AnswerFault, act: () => ApiResponse): ApiResponse {
  switch (fault.kind) {
    case 'garbage': {
      const { status, headers, body } = act()
      return { status, headers, body: body.slice(0, body.length / 2) }
    }
    case 'huge': {
      const answer = act()
      return { ...answer, body: ' '.repeat(3 * 1024 * 1024) + answer.body }
    }
    case 'status':
      if (fault.acted) act()
      return { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? '' }
    case 'replace': {
      const answer = fault.acted === false ? { status: 200, headers: {}, body: '' } : act()
      const body = JSON.stringify(merged(answer.body, fault.body))
      return { status: fault.status ?? answer.status, headers: answer.headers, body }
    }
    case 'redirect':
      return { status: fault.status, headers: { Location: fault.location }, body: '' }
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
