import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import type { Account } from '../support/account.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import type { Process } from './process.ts'
import type { Rng } from './rng.ts'
import type { VirtualTime } from './time.ts'

/** What can happen to one request. 'none' is the ordinary case. */
export const FAULTS = [
  'none',
  'refused',
  'dns',
  'cut before the server acted',
  'cut after the server acted',
  'no answer, server did not act',
  'no answer, server acts late',
  'no answer, server acted',
  'answer delayed',
  '500 and acted',
  '502 and did not act',
  '503 and acted',
  '504 and acts late',
  '429',
  'truncated',
  'garbage',
  'revocation claimed, not done',
] as const
export type Fault = (typeof FAULTS)[number]

export interface NetworkOptions {
  apiUrl: string
  account: Account
  time: VirtualTime
  rng: Rng
  /** The fault for the next request, which `what` describes. */
  chooseFault(what: 'create' | 'list' | 'revoke'): Fault
  /** Whether the API is down just now. */
  down(): boolean
  /** The server is about to carry out a create request, or has done so. */
  aroundCreate(act: () => HttpResponse, body: string): HttpResponse
  /** Something that must never be seen on the wire. */
  violation(text: string): void
  count(fault: string): void
}

/** How long after its deadline a lost request may still be carried out; main and post reckon with 15 s. */
const LATEST_ACT = 14_500

/** The network as one process sees it: a Send that loses, delays, cuts and refuses as the dice say. */
export function networkFor(process: Process, subject: CodeUnderTest, options: NetworkOptions): HttpClient {
  const { time, rng } = options
  return (request) =>
    new Promise((resolve, reject) => {
      process.effect()
      const origin = new URL(options.apiUrl).origin
      if (request.url.origin !== origin) options.violation(`a credential was sent to ${request.url.origin}`)
      if (request.timeout > 10_000) options.violation(`a request was given ${request.timeout} ms`)
      const what = request.method === 'POST' ? 'create' : request.method === 'GET' ? 'list' : 'revoke'

      let settled = false
      const settle = (deliver: () => void) => {
        if (settled) return
        settled = true
        takeBackDeadline()
        request.cancel?.removeEventListener('abort', onCancel)
        if (!process.alive) return
        try {
          process.effect()
        } catch {
          return
        }
        deliver()
      }
      const answer = (response: HttpResponse) => settle(() => resolve(response))
      const fail = (fault: 'refused' | 'dns' | 'timeout' | 'cut', mayHaveActed: boolean) =>
        settle(() => reject(new subject.HttpError(fault, mayHaveActed, `failed on purpose (${fault})`)))

      const startedAt = time.now()
      const timesOut = () => fail('timeout', true)
      let takeBackDeadline = time.after(request.timeout, timesOut)
      const onCancel = () => {
        takeBackDeadline()
        const left = request.timeout - (time.now() - startedAt)
        takeBackDeadline = time.after(Math.min(left, request.grace ?? 0), timesOut)
      }
      if (request.cancel?.aborted) onCancel()
      else request.cancel?.addEventListener('abort', onCancel, { once: true })

      const act = () => carryOut(request, options)
      const latency = rng.between(5, 400)
      const soon = (then: () => void) => time.after(latency, then)
      const late = () => time.after(request.timeout + rng.between(1, LATEST_ACT), act)

      const fault: Fault = options.down()
        ? rng.pick(['refused', '502 and did not act', 'no answer, server did not act'])
        : options.chooseFault(what)
      if (fault !== 'none') options.count(options.down() ? 'API down' : fault)
      switch (fault) {
        case 'none':
          soon(() => answer(act()))
          break
        case 'refused':
        case 'dns':
          soon(() => fail(fault, false))
          break
        case 'cut before the server acted':
          soon(() => fail('cut', true))
          break
        case 'cut after the server acted':
        case 'truncated':
          soon(() => {
            act()
            fail('cut', true)
          })
          break
        case 'no answer, server did not act':
          break
        case 'no answer, server acts late':
          late()
          break
        case 'no answer, server acted':
          soon(act)
          break
        case 'answer delayed':
          soon(() => {
            const response = act()
            time.after(rng.between(0, request.timeout), () => answer(response))
          })
          break
        case '500 and acted':
        case '503 and acted':
          soon(() => {
            const { headers } = act()
            answer({
              status: Number(fault.slice(0, 3)),
              headers: dated(headers),
              body: '<h1>Server Error</h1>',
            })
          })
          break
        case '502 and did not act':
          soon(() => answer({ status: 502, headers: {}, body: '' }))
          break
        case '504 and acts late':
          late()
          soon(() => answer({ status: 504, headers: {}, body: '<html>' }))
          break
        case '429':
          soon(() =>
            answer({
              status: 429,
              headers: { 'retry-after': String(Math.ceil(rng.between(0, 5))) },
              body: '{"detail":"Request was throttled."}',
            }),
          )
          break
        case 'garbage':
          soon(() => {
            const { status, headers, body } = act()
            answer({ status, headers, body: body.slice(0, body.length / 2) })
          })
          break
        case 'revocation claimed, not done':
          soon(() => answer({ status: 204, headers: {}, body: '' }))
          break
      }
    })
}

function dated({ date }: HttpResponse['headers']): HttpResponse['headers'] {
  return date === undefined ? {} : { date }
}

function carryOut(request: HttpRequest, { account, aroundCreate }: NetworkOptions): HttpResponse {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const { method, url, body = '' } = request
  const handle = () => {
    const response = account.handle({ method, path: url.pathname + url.search, headers, body })
    const lower = Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value])
    return { ...response, headers: Object.fromEntries(lower) as Record<string, string> }
  }
  return method === 'POST' ? aroundCreate(handle, body) : handle()
}
