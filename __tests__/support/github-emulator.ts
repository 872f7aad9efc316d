import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import sodium from 'libsodium-wrappers'
import type { ApiResponse } from './account.ts'
import { createGithub, type Github, type GithubOptions } from './github.ts'

/** A fault for the next request that fits. */
export interface GithubFault {
  /** The method, and a part of the path. */
  on: { method?: 'GET' | 'PUT'; path?: string }
  times?: number
  /** Whether the server carries the request out before it answers. */
  acted?: boolean
  /** The answer; without one, the connection is cut. `hang` never answers. */
  status?: number
  headers?: Record<string, string>
  body?: string
  hang?: boolean
  /** Nothing goes wrong: the request is served, and this is called before its answer is sent. */
  served?: () => void
}

export interface GithubEmulator {
  url: string
  github: Github
  token: string
  /** Every request that came in, in order: `PUT /repos/...`. */
  requests: string[]
  bodies: string[]
  fault(fault: GithubFault): void
  /** Replaces the key pair, as GitHub may. */
  replaceKeyPair(): void
  close(): Promise<void>
}

let pairs = 0

/** A key pair as GitHub has one, and what opens a value that was sealed for it. */
function createKeyPair() {
  const { publicKey, privateKey } = sodium.crypto_box_keypair()
  return {
    publicKey: { id: `56838018942023${++pairs}`, key: Buffer.from(publicKey).toString('base64') },
    open: (sealed: string) =>
      Buffer.from(
        sodium.crypto_box_seal_open(new Uint8Array(Buffer.from(sealed, 'base64')), publicKey, privateKey),
      ).toString('utf8'),
  }
}

interface PlannedFault {
  fault: GithubFault
  left: number
}

/** Takes the next fault that fits a request, if there is one. */
function takeFault(faults: PlannedFault[], method: string, path: string): GithubFault | undefined {
  const next = faults.find(
    ({ fault: { on }, left }) =>
      left > 0 && (!on.method || on.method === method) && path.includes(on.path ?? ''),
  )
  if (next) next.left -= 1
  return next?.fault
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Sends what `act` returns, or what the fault says. */
function respond(response: ServerResponse, fault: GithubFault | undefined, act: () => ApiResponse): void {
  if (!fault || fault.served) {
    const { status, headers, body } = act()
    fault?.served?.()
    response.writeHead(status, headers).end(body)
    return
  }
  if (fault.acted) act()
  if (fault.hang) return
  if (fault.status === undefined) response.destroy()
  else response.writeHead(fault.status, fault.headers ?? {}).end(fault.body ?? '')
}

/** Starts GitHub's secrets API on loopback, with a real key pair: it decrypts values with libsodium. */
export async function startGithubEmulator(options: Partial<GithubOptions> = {}): Promise<GithubEmulator> {
  await sodium.ready
  const token = options.token ?? 'ghs_emulatedInstallationTokenOfAnApp'
  const github = createGithub({ now: Date.now, token, ...createKeyPair(), ...options })
  const requests: string[] = []
  const bodies: string[] = []
  const faults: PlannedFault[] = []
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await readBody(request)
    const { method = '', url: path = '' } = request
    requests.push(`${method} ${path}`)
    bodies.push(body)
    const authorization = request.headers.authorization ?? ''
    const act = () => github.handle({ method, path, headers: { authorization }, body })
    respond(response, takeFault(faults, method, path), act)
  }
  const server = createServer(
    (request, response) => void serve(request, response).catch(() => response.destroy()),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    github,
    token,
    requests,
    bodies,
    fault: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    replaceKeyPair() {
      const { publicKey, open } = createKeyPair()
      github.replacePublicKey(publicKey, open)
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
