import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import type { Account } from '../support/account.ts'
import type { CreateAnswer } from '../support/create-answers.ts'
import type { CodeUnderTest } from './code-under-test.ts'
import {
  EFFECTS,
  type Effect,
  type Fault,
  limitedEffect,
  lowerCased,
  type NetworkFault,
  type Purpose,
} from './faults.ts'
import type { Process } from './process.ts'
import type { Rng } from './rng.ts'
import type { VirtualTime } from './time.ts'

/** What the network tells the account about the request that it carries out at this moment. */
export interface AccountControl {
  createAnswer: CreateAnswer
  listAgeMs: number
}

export interface NetworkOptions {
  apiUrl: string
  account: Account
  control: AccountControl
  time: VirtualTime
  rng: Rng
  /** By how much, in ms, a key that was made can be missing from the list. Late requests are that much less late. */
  listLagMs: number
  /** The longest that the server takes before it carries out a create request, in ms. */
  slowCreateMs?: number
  /** The fault for the next request. */
  chooseFault(what: Purpose, request: HttpRequest): Fault
  /** Whether the API is down just now. */
  down(): boolean
  /** For how long requests like this still get 429, in ms. */
  limitedFor?(request: HttpRequest): number
  /** Whether the connection fails now, because of a certificate that is not accepted. */
  hasWrongCertificate?(): boolean
  /** The server is about to carry out a create request, or has done so, `late` ms after its deadline. */
  aroundCreate(act: () => HttpResponse, created: { body: string; fault: Fault; late: number }): HttpResponse
  /** A request is sent. */
  onRequest?(what: Purpose, request: HttpRequest): void
  /** A request of this purpose ended so, and the process saw it. */
  onResult?(what: Purpose, result: HttpResponse | Error): void
  /** Something that must never be seen on the wire. */
  violation(text: string): void
  count(fault: string): void
}

/** How long after its deadline a lost request is still carried out, in ms; the action expects at most 15 s. */
const LATEST_ACT_MS = 14_500
/** Some are carried out after more than that, and up to this time. */
const VERY_LATE_SHARE = 0.05
const VERY_LATE_MS = [15_500, 5 * 60_000] as const

/** The network as one process sees it: a client whose requests are lost, delayed, cut and refused as the rng says. */
export function networkFor(process: Process, subject: CodeUnderTest, options: NetworkOptions): HttpClient {
  return (request) =>
    new Promise((resolve, reject) => {
      process.effect()
      checkRequest(request, options)
      const { time, rng, onResult } = options
      const [what, sentAt] = [purposeOf(request), time.now()]
      const deliver = delivery(request, process, time)
      options.onRequest?.(what, request)
      const fault = faultFor(what, request, options)
      const latency = rng.between(5, 400) + slowness(what, request, options)
      const fail = (kind: NetworkFault, mayHaveActed: boolean) =>
        deliver(() => {
          const isTemporary = kind !== 'certificate'
          const error = new subject.HttpError(`failed on purpose (${kind})`, mayHaveActed, isTemporary)
          onResult?.(what, error)
          reject(error)
        })
      deliver.onTimeout(() => fail('timeout', true))
      const act = actOn(request, options, fault)
      const effect = effectOf(fault, request, options)
      effect({
        rng,
        timeout: request.timeout,
        act,
        readAged: (ageMs) => act('own', ageMs),
        arrive: (then) => void time.after(latency, then),
        after: (delay, then) => void time.after(delay, then),
        actLate: () => actLate(request, options, (late) => void act('own', 0, late)),
        answer: (response) =>
          deliver(() => {
            onResult?.(what, response)
            resolve(response)
          }),
        fail,
        dateWrongBy: (ms) => dateText(sentAt + ms),
      })
    })
}

/** That of a limit or a certificate instead, if there is one. */
function effectOf(
  fault: Fault,
  request: HttpRequest,
  { limitedFor, hasWrongCertificate }: NetworkOptions,
): Effect {
  if (hasWrongCertificate?.()) return ({ arrive, fail }) => arrive(() => fail('certificate', false))
  const limit = limitedFor?.(request) ?? 0
  if (limit <= 0) return EFFECTS[fault]
  return limitedEffect(limit)
}

function slowness(
  what: Purpose,
  { timeout }: HttpRequest,
  { rng, slowCreateMs = 0 }: NetworkOptions,
): number {
  return what === 'create' && slowCreateMs > 0 ? rng.between(0, Math.min(slowCreateMs, timeout)) : 0
}

/** Carries `request` out, `late` ms after its deadline, on a list of this age. */
function actOn(request: HttpRequest, options: NetworkOptions, fault: Fault) {
  return (which: CreateAnswer = 'own', listAgeMs = 0, late = 0): HttpResponse => {
    Object.assign(options.control, { createAnswer: which, listAgeMs })
    const response = carryOut(request, options, fault, late)
    Object.assign(options.control, { createAnswer: 'own', listAgeMs: 0 })
    return response
  }
}

function faultFor(what: Purpose, request: HttpRequest, options: NetworkOptions): Fault {
  const down = options.down()
  const fault: Fault = down
    ? options.rng.pick(['refused', '502 and did not act', 'no answer, server did not act'])
    : options.chooseFault(what, request)
  if (fault !== 'none') options.count(down ? 'API down' : fault)
  return fault
}

function purposeOf({ method }: HttpRequest): Purpose {
  return method === 'POST' ? 'create' : method === 'GET' ? 'list' : 'revoke'
}

function checkRequest({ url, timeout }: HttpRequest, { apiUrl, violation }: NetworkOptions): void {
  if (url.origin !== new URL(apiUrl).origin) violation(`a credential was sent to ${url.origin}`)
  if (timeout > 10_000) violation(`a request was given ${timeout} ms`)
}

function dateText(instant: number): string {
  return new Date(Math.max(-8.64e15, Math.min(8.64e15, instant))).toUTCString()
}

function actLate(
  { timeout }: HttpRequest,
  { time, rng, listLagMs, count }: NetworkOptions,
  act: (late: number) => void,
): void {
  const veryLate = rng.chance(VERY_LATE_SHARE)
  if (veryLate) count('acts after the grace')
  const late = veryLate ? rng.between(...VERY_LATE_MS) : rng.between(1, LATEST_ACT_MS - listLagMs)
  time.after(timeout + late, () => act(late))
}

/** Delivers the first end of a request, unless its process was killed; the client's own deadline is one of them. */
function delivery(request: HttpRequest, process: Process, time: VirtualTime) {
  let settled = false
  let timesOut = () => {}
  let cancelDeadline = () => {}
  const startedAt = time.now()
  const onCancel = () => {
    cancelDeadline()
    const left = request.timeout - (time.now() - startedAt)
    cancelDeadline = time.after(Math.min(left, request.grace ?? 0), () => timesOut())
  }
  const deliver = (hand: () => void) => {
    if (settled) return
    settled = true
    cancelDeadline()
    request.cancel?.removeEventListener('abort', onCancel)
    if (!process.alive) return
    try {
      process.effect()
    } catch {
      return
    }
    hand()
  }
  return Object.assign(deliver, {
    onTimeout(then: () => void) {
      timesOut = then
      cancelDeadline = time.after(request.timeout, () => timesOut())
      if (request.cancel?.aborted) onCancel()
      else request.cancel?.addEventListener('abort', onCancel, { once: true })
    },
  })
}

function carryOut(request: HttpRequest, options: NetworkOptions, fault: Fault, late: number): HttpResponse {
  const { account, aroundCreate } = options
  const { method, url, body = '' } = request
  const headers = lowerCased(request.headers)
  const handle = () => {
    const response = account.handle({ method, path: url.pathname + url.search, headers, body })
    return { ...response, headers: lowerCased(response.headers) }
  }
  return method === 'POST' ? aroundCreate(handle, { body, fault, late }) : handle()
}
