import type { Asked } from '../src/api/api-failure.ts'
import { parseJson } from '../src/api/parse-response.ts'

export { KEYS_PATH } from '../src/api/call.ts'

/** One request to the API. */
export interface Question {
  method?: 'GET' | 'POST' | 'DELETE'
  /** Below the API's base URL; or a whole URL, as of a page of the list. */
  path: string | URL
  credential: string
  body?: object
  /** What `Accept-Encoding` says; `identity` by default. */
  encoding?: string
}

/** What came back. Status 0 and `error` if nothing did. Times in milliseconds since 1970, by this machine's clock. */
export interface Answer {
  asked: Asked
  status: number
  /** Names in lower case. */
  headers: Record<string, string>
  text: string
  /** Undefined if the text is not JSON. */
  json: unknown
  error: string | null
  sentAt: number
  receivedAt: number
}

/** What a client needs of the world. `stop` ends the run before its next request. */
export interface ClientOptions {
  apiUrl: string
  fetch: typeof globalThis.fetch
  now: () => number
  /** Resolves after so many milliseconds, or as soon as `stop` is aborted. */
  sleep: (ms: number, stop: AbortSignal) => Promise<void>
  stop: AbortSignal
}

/** The run was stopped by a person. */
export class Stopped extends Error {}

export interface Client {
  ask(question: Question): Promise<Answer>
  /** Asks until `isDone` or 20 attempts, half a second apart; the last answer. */
  poll(question: Question, isDone: (answer: Answer) => boolean): Promise<Answer>
  /** Waits so many milliseconds; not at all if they are not positive. */
  pause(ms: number): Promise<void>
  now(): number
  /** Every answer so far, those to rate-limited requests included. */
  answers: Answer[]
  apiUrl: string
}

const REQUEST_TIMEOUT_MS = 15_000
const POLL_INTERVAL_MS = 500
const MAX_POLLS = 20
const MAX_RATE_LIMITED = 10
const MAX_RETRY_AFTER_MS = 120_000

/** A client that never follows a redirect, and waits where the API asks it to (429). A request is never aborted. */
export function createClient(options: ClientOptions): Client {
  const { sleep, stop } = options
  const answers: Answer[] = []

  async function ask(question: Question): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      if (stop.aborted) throw new Stopped()
      const answer = await exchange(question, options)
      answers.push(answer)
      if (answer.status !== 429 || attempt === MAX_RATE_LIMITED) return answer
      const seconds = Number(answer.headers['retry-after'] ?? 1) || 1
      await sleep(Math.min(seconds * 1000, MAX_RETRY_AFTER_MS), stop)
    }
  }

  return {
    answers,
    apiUrl: options.apiUrl,
    ask,
    now: options.now,
    pause: async (ms) => (ms > 0 ? sleep(ms, stop) : undefined),
    async poll(question, isDone) {
      for (let attempt = 1; ; attempt++) {
        const answer = await ask(question)
        if (isDone(answer) || attempt === MAX_POLLS) return answer
        await sleep(POLL_INTERVAL_MS, stop)
      }
    },
  }
}

async function exchange(question: Question, { apiUrl, fetch, now }: ClientOptions): Promise<Answer> {
  const { method = 'GET', path, credential, body, encoding = 'identity' } = question
  const url = typeof path === 'string' ? new URL(`${apiUrl}${path}`) : path
  const asked = { method, url, credential }
  const sentAt = now()
  try {
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: {
        Accept: 'application/json',
        'Accept-Encoding': encoding,
        Authorization: `Bearer ${credential}`,
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    const text = await response.text()
    const { status } = response
    const headers = Object.fromEntries(response.headers)
    return { asked, status, headers, text, json: parsed(text), error: null, sentAt, receivedAt: now() }
  } catch (error) {
    const nothing = { status: 0, headers: {}, text: '', json: undefined, error: reasonOf(error) }
    return { asked, ...nothing, sentAt, receivedAt: now() }
  }
}

function parsed(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
  return code || error.message
}

/** A field of a JSON object; undefined if there is none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** What an answer says in a few words, for a person: its status, or why there was none. */
export function statusOf({ status, error }: Answer): string {
  return error === null ? String(status) : `no answer (${error})`
}
