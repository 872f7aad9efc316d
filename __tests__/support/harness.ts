import { createIssuingApi } from '../../src/api/call.ts'
import { createKeyApi } from '../../src/api/key-api.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import { HttpError } from '../../src/http/http-error.ts'
import { issueKey } from '../../src/protocol/issue-key.ts'
import type { FoundState } from '../../src/protocol/parse-state.ts'
import { revokeKeys } from '../../src/protocol/revoke-keys.ts'
import type { SavedState } from '../../src/protocol/saved-state.ts'
import { createCancellation } from '../../src/retry/cancellation.ts'
import type { Inputs } from '../../src/runner/inputs.ts'
import { recordRunner, type StepRecord, startProcess } from '../simulation/process.ts'
import { clockOn, createTime, type VirtualTime } from '../simulation/time.ts'
import { type Account, type AccountOptions, createAccount } from './account.ts'

/** What the network does with one request: carry it out, or something else, after `takes` ms (100 unless told). */
export type MockResponse =
  | { kind: 'serve'; takes?: number }
  | {
      kind: 'answer'
      status: number
      /** Takes the place of the served body; an object only of its fields; a function is given it. */
      body?: unknown
      headers?: Record<string, string>
      acted?: boolean
      takes?: number
    }
  | { kind: 'cut'; acted?: boolean }
  | { kind: 'refused'; takes?: number }
  | { kind: 'silence'; acted?: boolean }

export interface RecordedRequest {
  method: string
  path: string
  credential: string
  body: string
  /** When it was sent, in milliseconds since the step began. */
  at: number
  timeout: number
}

export interface StepRun {
  error: Error | null
  traces: StepRecord
  /** Everything the step did, in order: `POST`, `saveState`, `setSecret` and so on. */
  effects: string[]
  seen: RecordedRequest[]
  account: Account
  /** How long the step took, in milliseconds. */
  took: number
}

export const START = Date.parse('2027-03-01T12:00:00.250Z')
/** When the machine started, in truth. */
export const BOOTED = START - 600_000

export const INPUTS: Inputs = {
  apiKey: 'long-lived-key',
  apiUrl: 'https://api.example/base',
  expiresIn: 3_600_000,
  exportEnv: '',
  revoke: true,
  onRevokeFailure: 'warn',
  timeout: 120_000,
}

interface Stage {
  time: VirtualTime
  account: Account
  seen: RecordedRequest[]
  effects: string[]
  send: HttpClient
}

interface StageOptions {
  responses?: MockResponse[]
  api?: Partial<AccountOptions>
  /** What becomes of such a request, before `responses` are looked at. */
  intercept?: (request: RecordedRequest, account: Account) => MockResponse | undefined
}

/** An account behind a network that gives `responses`, one per request, and then serves every request. */
function createStage({ responses = [], api = {}, intercept = () => undefined }: StageOptions): Stage {
  const time = createTime(START)
  let rolls = 0
  const random = () => ((rolls++ * 7919) % 997) / 997
  const account = createAccount({ now: time.now, random, longLivedKey: INPUTS.apiKey, ...api })
  const seen: RecordedRequest[] = []
  const effects: string[] = []
  const left = [...responses]
  const send: HttpClient = (request) =>
    new Promise((resolve, reject) => {
      const { method, url, body = '', headers, timeout } = request
      const credential = (headers.Authorization ?? '').replace('Bearer ', '')
      const recorded = {
        method,
        path: url.pathname.replace('/base', '') + url.search,
        credential,
        body,
        at: time.now() - START,
        timeout,
      }
      seen.push(recorded)
      effects.push(method)
      // As Node's own request does.
      if (/[^\x20-\x7e]/.test(credential)) throw new TypeError('Invalid character in header content')
      const given = intercept(recorded, account) ?? left.shift() ?? { kind: 'serve' }
      exchange(request, given, { time, account }, { resolve, reject })
    })
  return { time, account, seen, effects, send }
}

/** Ends `request` as `given` says, or at its deadline. */
function exchange(
  request: HttpRequest,
  given: MockResponse,
  { time, account }: Pick<Stage, 'time' | 'account'>,
  { resolve, reject }: { resolve: (response: HttpResponse) => void; reject: (error: Error) => void },
): void {
  let isOver = false
  const settle = (deliver: () => void) => {
    if (!isOver) deliver()
    isOver = true
  }
  const fail = (fault: 'cut' | 'refused' | 'timeout', acted: boolean) =>
    settle(() => reject(new HttpError(`${fault} by the harness`, acted)))
  const timeOut = () => fail('timeout', true)
  time.after(request.timeout, timeOut)
  request.cancel?.addEventListener('abort', () => time.after(request.grace ?? 0, timeOut))
  time.after('takes' in given ? (given.takes ?? 100) : 100, () => {
    const acted = given.kind === 'serve' || ('acted' in given && given.acted) ? serve(account, request) : null
    if (given.kind === 'serve' && acted) settle(() => resolve(acted))
    if (given.kind === 'answer') settle(() => resolve(answerOf(given, acted)))
    if (given.kind === 'cut') fail('cut', true)
    if (given.kind === 'refused') fail('refused', false)
  })
}

function serve(account: Account, { method, url, headers, body = '' }: HttpRequest): HttpResponse {
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const path = url.pathname.replace('/base', '') + url.search
  const response = account.handle({ method, path, headers: lower, body })
  return {
    ...response,
    headers: Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]),
    ),
  }
}

function answerOf(given: MockResponse & { kind: 'answer' }, acted: HttpResponse | null): HttpResponse {
  const served = acted ? JSON.parse(acted.body || '{}') : {}
  const patch =
    typeof given.body === 'function'
      ? given.body(served)
      : typeof given.body === 'object' && acted
        ? { ...served, ...given.body }
        : given.body
  const body = patch === undefined ? '' : typeof patch === 'string' ? patch : JSON.stringify(patch)
  return { status: given.status, headers: given.headers ?? {}, body }
}

export interface MainOptions extends StageOptions {
  inputs?: Partial<Inputs>
  /** This runner call throws, from its `failingFrom`-th time on (1 unless told). */
  failing?: string
  failingFrom?: number
  /** How often it throws; always unless told. */
  failingTimes?: number
  /** When a signal comes, in milliseconds since the step began. */
  signalAt?: number
  /** This machine's clock less the server's, in milliseconds. */
  clockError?: number
  random?: () => number
}

/** Runs the main step, the real one, in virtual time. */
export async function runMain(options: MainOptions = {}): Promise<StepRun> {
  const stage = createStage(options)
  const { time, account, seen, effects } = stage
  const process = startProcess(Number.POSITIVE_INFINITY, () => {})
  const clock = clockOn(time, options.clockError ?? 0, () => true)
  const cancellation = createCancellation(clock.now)
  const { failing = '', failingFrom = 1, failingTimes = Infinity } = options
  const { runner, traces } = recordRunner(process, failing, failingFrom, failingTimes)
  if (options.signalAt !== undefined) time.after(options.signalAt, cancellation.request)
  let error: Error | null = null
  let endedAt = 0
  const inputs = { ...INPUTS, ...options.inputs }
  const run = issueKey(inputs, {
    api: createIssuingApi({
      client: stage.send,
      apiUrl: inputs.apiUrl,
      userAgent: 'harness',
      now: clock.now,
    }),
    clock,
    random: options.random ?? (() => 0.5),
    runner: noting(runner, effects),
    cancellation,
    settings: { NO_PROXY: 'internal.example' },
    bootedAt: BOOTED + (options.clockError ?? 0),
  })
    .catch((reason: Error) => {
      error = reason
    })
    .then(() => {
      endedAt = time.now()
    })
  await time.runUntil(run)
  return { error, traces, effects, seen, account, took: endedAt - START }
}

export interface PostOptions extends StageOptions {
  /** What is changed of the state, once the account's keys are there. */
  state?: (account: Account) => Partial<SavedState>
  found?: FoundState
  /** The parts of the record that could not be read. */
  damage?: string
  settings?: Record<string, string>
  /** When the runner announces that it will kill the step, in milliseconds since it began. */
  stopAt?: number
  policyWithoutRecord?: 'warn' | 'fail'
  /** Called as virtual time passes: at so many milliseconds since the step began. */
  at?: [number, (account: Account) => void][]
}

/** A record as main leaves it after nothing went wrong, without a key. */
export const RECORD: SavedState = {
  apiUrl: INPUTS.apiUrl,
  apiKey: INPUTS.apiKey,
  settings: {},
  bootedAt: BOOTED,
  onRevokeFailure: 'warn',
  skew: null,
  keys: [],
  intents: [],
}

/** Runs the post step, the real one, in virtual time. */
export async function runPost(options: PostOptions = {}): Promise<StepRun> {
  const { time, account, seen, effects, send } = createStage(options)
  const process = startProcess(Number.POSITIVE_INFINITY, () => {})
  const clock = clockOn(time, 0, () => true)
  const { runner, traces } = recordRunner(process, '', 0)
  for (const [after, act] of options.at ?? []) time.after(after, () => act(account))
  const stop = new AbortController()
  if (options.stopAt !== undefined) time.after(options.stopAt, () => stop.abort())
  const state: SavedState = { ...RECORD, ...options.state?.(account) }
  let error: Error | null = null
  let endedAt = 0
  const run = revokeKeys(options.found ?? { state, damage: options.damage ?? '' }, {
    clock,
    random: () => 0.5,
    runner: noting(runner, effects),
    settings: options.settings ?? {},
    bootedAt: BOOTED,
    connect: ({ apiUrl }) => createKeyApi({ client: send, apiUrl, userAgent: 'harness', now: clock.now }),
    stopping: stop.signal,
    policyWithoutRecord: () => options.policyWithoutRecord ?? 'warn',
  })
    .catch((reason: Error) => {
      error = reason
    })
    .then(() => {
      endedAt = time.now()
    })
  await time.runUntil(run)
  // The process may live on for a while, and be told then that it will be killed.
  await time.drain()
  return { error, traces, effects, seen, account, took: endedAt - START }
}

/** The runner, with each call's name noted in the order of all effects. */
function noting<T extends object>(runner: T, effects: string[]): T {
  return Object.fromEntries(
    Object.entries(runner).map(([name, call]) => [
      name,
      (...given: unknown[]) => {
        effects.push(name)
        return call(...given)
      },
    ]),
  ) as T
}

/** The record that main saved last. */
export function savedBy({ traces }: StepRun): SavedState {
  return JSON.parse(traces.state.record ?? 'null')
}
