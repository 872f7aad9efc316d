import { createHash } from 'node:crypto'
import { createKeyApi } from '../../src/api/key-api.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import { HttpError } from '../../src/http/http-error.ts'
import { createCancellation } from '../../src/retry/cancellation.ts'
import { cleanUp } from '../../src/rotate/clean-up.ts'
import { watchDate } from '../../src/rotate/date-watch.ts'
import { taggedExpiry } from '../../src/rotate/decisions.ts'
import { createGithubSecrets } from '../../src/rotate/github-secrets.ts'
import type { RotateInputs } from '../../src/rotate/inputs.ts'
import { rotateKey } from '../../src/rotate/rotate-key.ts'
import { rotationTag } from '../../src/rotate/rotation-tag.ts'
import { type FoundRotateState, parseRotateState, ROTATE_STATE_NAME } from '../../src/rotate/saved-state.ts'
import { recordRunner, type StepRecord, startProcess } from '../simulation/process.ts'
import { clockOn, createTime, type VirtualTime } from '../simulation/time.ts'
import { type Account, type AccountOptions, createAccount, type StoredKey } from '../support/account.ts'
import { createGithub, type Github, type GithubOptions } from '../support/github.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const START = Date.parse('2027-03-01T04:17:00.250Z')
export const SECRET = 'SPHERESCOUT_API_KEY'
export const GITHUB_HOST = 'github.example'

/** What the network does with one request. */
export type Answer =
  | { status: number; headers?: Record<string, string>; body?: unknown; acted?: boolean; takes?: number }
  | { cut: true; acted?: boolean }
  | { refused: true }
  | { silence: true; acted?: boolean }
  /** It is served as usual, after so long. */
  | { takes: number }
  /** The machine sleeps for so long before the request leaves it; its timers sleep as well. */
  | { sleeps: number }

/** A refusal in the form of GitHub's API. */
export function refusedByGithub(status: number): Answer & { status: number } {
  return { status, body: { message: 'Not so.', documentation_url: 'https://docs.github.com/rest' } }
}

export interface Seen {
  /** `POST /api/user/api-keys`, `PUT /repos/...`. */
  what: string
  credential: string
  body: string
  /** Milliseconds since the step began. */
  at: number
}

export interface RotateRun {
  error: string
  traces: StepRecord
  seen: Seen[]
  account: Account
  github: Github
  /** The key that the secret held at the start. */
  current: StoredKey
  time: VirtualTime
  took: number
}

export interface RotateOptions {
  api?: Partial<AccountOptions>
  github?: Partial<GithubOptions>
  inputs?: Partial<RotateInputs>
  /** Inputs that depend on what `prepare` made. */
  inputsOf?: (world: { account: Account; github: Github }) => Partial<RotateInputs>
  /** The age of the key in the secret, in milliseconds; `own`: rotate made it. */
  age?: number
  own?: boolean
  /** Adds keys and secrets before the run. */
  prepare?: (world: { account: Account; github: Github; addOwnKey: (age: number) => StoredKey }) => void
  /** How to answer a request; undefined: the emulator serves it. */
  answer?: (what: string, count: number, world: { account: Account; github: Github }) => Answer | undefined
  failing?: string
  failingFrom?: number
  /** When a signal comes, in milliseconds since the step began. */
  signalAt?: number
  clockError?: number
  repositoryId?: string | null
}

export const INPUTS: RotateInputs = {
  apiKey: '',
  githubToken: 'github-token',
  secret: SECRET,
  home: { kind: 'repository', name: '' },
  copies: [],
  limits: { rotateAfter: 30 * DAY, expiresIn: 60 * DAY, overlap: 7 * DAY },
  initialKeyId: '',
  revokePrevious: 'after-overlap',
  apiUrl: 'https://api.example',
  githubApiUrl: `https://${GITHUB_HOST}`,
  timeout: 120_000,
}

const sha256 = (text: string) => createHash('sha256').update(text).digest()
export const TAG = rotationTag(
  { apiUrl: INPUTS.apiUrl, server: GITHUB_HOST, scope: 'repo:4711', environment: '', secret: SECRET },
  sha256,
)

interface Stage {
  time: VirtualTime
  account: Account
  github: Github
  seen: Seen[]
  send: HttpClient
}

function createStage({ api, github: githubOptions, answer = () => undefined }: RotateOptions): Stage {
  const time = createTime(START)
  let rolls = 0
  const random = () => ((rolls++ * 7919) % 997) / 997
  const account = createAccount({ now: time.now, random, ...api })
  const github = createGithub({
    now: time.now,
    open: (sealed) => sealed.replace(/^sealed for k1 /, ''),
    publicKey: { id: '1', key: 'k1' },
    token: INPUTS.githubToken,
    ...githubOptions,
  })
  const seen: Seen[] = []
  const send: HttpClient = (request) =>
    new Promise((resolve, reject) => {
      const what = `${request.method} ${request.url.pathname}${request.url.search}`
      const credential = (request.headers.Authorization ?? '').replace('Bearer ', '')
      const count = seen.filter((earlier) => earlier.what === what).length + 1
      seen.push({ what, credential, body: request.body ?? '', at: time.now() - START })
      const planned = answer(what, count, { account, github })
      const serve = () => serveBy(request, { account, github })
      const fail = (kind: 'refused' | 'cut' | 'timeout', acted: boolean) =>
        reject(new HttpError(`${kind} on cue`, acted))
      const takes = planned && 'takes' in planned ? (planned.takes ?? 100) : 100
      if (planned && 'silence' in planned) {
        if (planned.acted) serve()
        time.after(request.timeout, () => fail('timeout', true))
        return
      }
      if (planned && 'sleeps' in planned) {
        time.after(planned.sleeps, () => resolve(serve()))
        return
      }
      time.after(Math.min(takes, request.timeout), () => {
        if (!planned) return resolve(serve())
        if (!('status' in planned || 'refused' in planned || 'cut' in planned))
          return takes > request.timeout ? fail('timeout', true) : resolve(serve())
        if ('refused' in planned) return fail('refused', false)
        if ('acted' in planned && planned.acted) serve()
        if ('cut' in planned) return fail('cut', true)
        const { status, headers = {}, body } = planned as Extract<Answer, { status: number }>
        resolve({ status, headers, body: body === undefined ? '' : JSON.stringify(body) })
      })
    })
  return { time, account, github, seen, send }
}

function serveBy(
  { method, url, headers, body = '' }: HttpRequest,
  { account, github }: { account: Account; github: Github },
): HttpResponse {
  const lower = (given: Record<string, string>) =>
    Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))
  const asked = { method, path: url.pathname + url.search, headers: lower(headers), body }
  const response = (url.host === GITHUB_HOST ? github : account).handle(asked)
  return { ...response, headers: lower(response.headers) }
}

/** Runs the real main step of rotate in virtual time. */
export async function runRotate(options: RotateOptions = {}): Promise<RotateRun> {
  const stage = createStage(options)
  const { time, account, github, seen, send } = stage
  const addOwnKey = (age: number) =>
    account.addKey({ created: START - age, expiry: taggedExpiry(START - age + 60 * DAY, TAG) })
  const age = options.age ?? 100 * DAY
  const current = options.own ? addOwnKey(age) : account.addKey({ expiry: null, created: START - age })
  github.addSecret('repository', SECRET, { value: current.token, updatedAt: START - age })
  options.prepare?.({ account, github, addOwnKey })
  const process = startProcess(Number.POSITIVE_INFINITY, () => {})
  const clock = clockOn(time, options.clockError ?? 0, () => true)
  const cancellation = createCancellation(clock.now)
  const { runner, traces } = recordRunner(process, options.failing ?? '', options.failingFrom ?? 1)
  if (options.signalAt !== undefined) time.after(options.signalAt, cancellation.request)
  const inputs = {
    ...INPUTS,
    apiKey: current.token,
    ...options.inputs,
    ...options.inputsOf?.({ account, github }),
  }
  const watch = watchDate(send, clock.now)
  let error = ''
  let endedAt = 0
  const run = rotateKey(inputs, {
    api: createKeyApi({ client: watch.send, apiUrl: inputs.apiUrl, userAgent: 'harness', now: clock.now }),
    secrets: createGithubSecrets(send, {
      apiUrl: inputs.githubApiUrl,
      token: inputs.githubToken,
      userAgent: 'harness',
      now: clock.now,
    }),
    clock,
    dateDifference: watch.difference,
    random: () => 0.5,
    runner,
    cancellation,
    sha256,
    seal: (text, publicKey) => {
      if (publicKey === 'unusable') throw new TypeError('no key')
      return `sealed for ${publicKey} ${text}`
    },
    repository: {
      owner: 'octo-org',
      repo: 'octo-repo',
      id: options.repositoryId === undefined ? '4711' : options.repositoryId,
    },
    connection: { userAgent: 'harness', proxy: 'http://proxy.example:3128', settings: { NO_PROXY: 'x' } },
  })
    .catch((reason: Error) => {
      error = reason.message
    })
    .then(() => {
      endedAt = time.now()
    })
  await time.runUntil(run)
  return { error, traces, seen, account, github, current, time, took: endedAt - START }
}

/** What the post step would find after this run. */
export function stateOf({ traces }: RotateRun): FoundRotateState {
  return parseRotateState(traces.state[ROTATE_STATE_NAME] ?? '')
}

/** Runs the post step on what a main step left, with the same account. */
export async function runCleanUp(
  found: FoundRotateState,
  account: Account,
  settings: Record<string, string> = { NO_PROXY: 'x' },
  answer: RotateOptions['answer'] = () => undefined,
): Promise<{ traces: StepRecord; seen: Seen[] }> {
  const stage = createStage({ answer })
  const seen = stage.seen
  const send: HttpClient = async (request) => {
    const what = `${request.method} ${request.url.pathname}`
    if (answer(what, 1, { account, github: stage.github })) return stage.send(request)
    seen.push({
      what,
      credential: (request.headers.Authorization ?? '').replace('Bearer ', ''),
      body: '',
      at: 0,
    })
    return serveBy(request, { account, github: stage.github })
  }
  const process = startProcess(Number.POSITIVE_INFINITY, () => {})
  const { runner, traces } = recordRunner(process, '', 0)
  const clock = clockOn(stage.time, 0, () => true)
  await stage.time.runUntil(
    cleanUp(found, {
      clock,
      random: () => 0.5,
      runner,
      settings,
      connect: ({ apiUrl, userAgent }) => createKeyApi({ client: send, apiUrl, userAgent, now: clock.now }),
    }),
  )
  return { traces, seen }
}

/** A run in which `answer` decides how the account's list looks while the new key is tested. */
export function runProving(answer: RotateOptions['answer'], further: RotateOptions = {}): Promise<RotateRun> {
  return runRotate({
    ...further,
    answer: (what, count, world) =>
      what === 'GET /api/user/api-keys' && count > 1 && world.account.keys()[0]?.revoked === false
        ? answer?.(what, count, world)
        : undefined,
  })
}
