import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createJob, type Job, type JobOptions } from './runner.ts'

export interface Key {
  id: string
  token: string
  token_key: string
  created: string | null
  expiry: string | null
  /** Whose it is: of this run, or someone else's. */
  mine: boolean
}

export interface Asked {
  method: string
  path: string
  credential: string
  body: string
  /** How many requests of this method came before. */
  nth: number
  at: number
}

export interface Answer {
  status: number
  headers?: Record<string, string | string[]>
  body?: unknown
}

/** The keys of an account: valid ones and revoked ones. */
export interface Account {
  keys: Key[]
  revoked: Key[]
  make(more?: Partial<Key>): Key
}

export interface Stage extends Account {
  job: Job
  seen: Asked[]
  inputs: Record<string, string>
}

/** Answers in place of the API, which `serve` does. */
export type Behave = (asked: Asked, account: Account, serve: () => Answer) => Answer | undefined

export const rowOf = ({ id, token_key, created, expiry }: Key) => ({ id, token_key, created, expiry })
export const later = (ms: number) => new Date(Date.now() + ms).toISOString()
export const JSON_TYPE = { 'Content-Type': 'application/json' }

function createAccount(): Account {
  const keys: Key[] = []
  const make = (more: Partial<Key> = {}): Key => {
    const token = randomBytes(32).toString('hex')
    const key = {
      ...{ token, id: randomBytes(64).toString('hex'), token_key: token.slice(0, 8), mine: true },
      ...{ created: new Date().toISOString(), expiry: null },
      ...more,
    }
    keys.push(key)
    return key
  }
  return { keys, revoked: [], make }
}

/** What the API itself answers. */
function serve({ method, path, credential, body }: Asked, { keys, revoked, make }: Account): Answer {
  const isKnown = keys.some(({ token }) => token === credential)
  if (!isKnown) return { status: 401, headers: JSON_TYPE, body: { detail: 'Invalid token.' } }
  if (method === 'GET') return { status: 200, headers: JSON_TYPE, body: keys.map(rowOf) }
  if (method === 'POST') {
    const key = make({ expiry: JSON.parse(body).expiry })
    return { status: 201, headers: JSON_TYPE, body: { token: key.token, api_key: rowOf(key) } }
  }
  const index = keys.findIndex(({ id }) => id === decodeURIComponent(path.split('/').pop() ?? ''))
  if (index < 0) return { status: 404, headers: JSON_TYPE, body: { detail: 'Not found.' } }
  revoked.push(...keys.splice(index, 1))
  return { status: 204 }
}

async function read(request: IncomingMessage, seen: Asked[]): Promise<Asked> {
  const body = await text(request)
  const { method = '', url: path = '' } = request
  const nth = seen.filter((other) => other.method === method).length
  const credential = (request.headers.authorization ?? '').replace(/^Bearer /, '')
  const asked = { method, path, credential, body, nth, at: Date.now() }
  seen.push(asked)
  return asked
}

/** Runs `act` on one job and an API on loopback whose every answer `behave` may replace. */
export async function withReplaceableApi<T>(
  behave: Behave,
  act: (stage: Stage) => Promise<T>,
  { noDate = false, ...options }: JobOptions & { noDate?: boolean } = {},
): Promise<T> {
  const account = createAccount()
  const longLived = account.make({ created: '2026-01-01T00:00:00Z', mine: false })
  const seen: Asked[] = []
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const asked = await read(request, seen)
    const served = () => serve(asked, account)
    const { status, headers = {}, body = '' } = behave(asked, account, served) ?? served()
    response.sendDate = !noDate
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body)
    response.writeHead(status, headers).end(isRaw ? body : JSON.stringify(body))
  })
  const inputs = { 'api-key': longLived.token, 'api-url': await listen(server) }
  const job = createJob(options)
  try {
    return await act({ ...account, job, seen, inputs })
  } finally {
    await job.cleanUp()
    server.closeAllConnections()
    server.close()
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Warnings and errors, a line each. */
export const warnings = (step: { annotations: { level: string; message: string }[] }) =>
  step.annotations.map(({ level, message }) => `${level}: ${message}`).join('\n')
