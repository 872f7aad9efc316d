import { type ApiFailure, failureOf } from '../src/api/api-failure.ts'
import type { Call } from '../src/api/call.ts'
import { type ApiResult, createLister, type ListedKey, readPage } from '../src/api/key-api.ts'
import { isStored } from '../src/api/parse-response.ts'
import type { HttpResponse } from '../src/http/http-client.ts'
import { parseTime } from '../src/util/instant.ts'
import { type Answer, type Client, statusOf } from './client.ts'

/** The list, page by page. */
export interface ListReading {
  /** The rows that could be read. */
  keys: ListedKey[]
  form: 'array' | 'pages' | 'other'
  pages: number
  /** Why it may not show every key, a cache aside; null if it shows all. */
  incomplete: string | null
  /** Why the actions would not take it as a proof that a key is absent, for its own sake; null if they would. */
  doubt: string | null
  first: Answer
}

/** Reads the whole list as the actions do: the same pages, the same doubts, and the key goes nowhere else. */
export async function readKeys(client: Client, credential: string): Promise<ListReading> {
  const answers: Answer[] = []
  const call: Call = async ({ url }, _limits, read) => {
    const answer = await client.ask({ path: url, credential })
    answers.push(answer)
    return resultOf(answer, read)
  }
  const read = await createLister(call, client.apiUrl, client.now)(credential)({ timeout: Infinity })
  const [first] = answers
  if (first === undefined) throw new Error('The list was not read.')
  const pages = answers.map((answer) => resultOf(answer, readPage))
  const form = !pages[0]?.ok ? 'other' : Array.isArray(first.json) ? 'array' : 'pages'
  const keys = pages.flatMap((page) => (page.ok ? page.value.keys : []))
  const incomplete = read.ok ? read.value.doubt : read.failure.message
  const isCached = answers.some((answer) => cacheHeaders(answer).length > 0)
  const doubt = incomplete ?? (isCached ? 'it comes from a cache' : null)
  return { keys, form, pages: answers.length, incomplete, doubt, first }
}

/** The names of headers of an answer that say that it comes from a cache. */
export function cacheHeaders({ headers }: Answer): string[] {
  return Object.keys(headers).filter((name) => isStored({ [name]: headers[name] }))
}

/** What the actions read in an answer, but for the signs of a cache, which `readKeys` looks for. */
function resultOf<T>(answer: Answer, read: (response: HttpResponse) => T): ApiResult<T> {
  const cached = cacheHeaders(answer)
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !cached.includes(name)))
  try {
    if (answer.status >= 200 && answer.status <= 299)
      return { ok: true, skew: null, value: read({ ...responseOf(answer), headers }) }
  } catch {
    // Neither an array nor a page.
  }
  const message = `a page of it cannot be read (${statusOf(answer)})`
  return { ok: false, skew: null, failure: { message, mayHaveActed: false, retryable: false } }
}

/** What the actions say of an answer that they cannot use. */
export function failureIn(answer: Answer): ApiFailure {
  return failureOf(answer.asked, responseOf(answer), answer.receivedAt)
}

/** An answer as the actions take it from the network. */
export function responseOf({ status, headers, text }: Answer): HttpResponse {
  return { status, headers, body: text }
}

/** What a field says about a time, as text; null if nothing. */
export function timeText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  return typeof value === 'object' ? 'an object' : String(value)
}

/** The instant that a text names as the actions read it, in milliseconds since 1970, or null. */
export function instantOf(text: string | null): number | null {
  return parseTime(text).at
}

/** The same in microseconds. */
export function microsecondsOf(text: string | null): number | null {
  const instant = instantOf(text)
  return instant === null ? null : Math.round(instant * 1000)
}

/** An instant in milliseconds, with microseconds as a fraction, in whole milliseconds; null stays null. */
export function wholeMilliseconds(instant: number | null): number | null {
  return instant === null ? null : Math.floor(Math.round(instant * 1000) / 1000)
}

/** Grids on which servers are known to keep times, the finest first. */
const GRIDS: [name: string, micros: number][] = [
  ['1 us', 1],
  ['1 ms', 1_000],
  ['1/300 s', 1_000_000 / 300],
  ['10 ms', 10_000],
  ['1 s', 1_000_000],
  ['1 min', 60_000_000],
]

/**
 * The finest grid that explains every pair of an asked and an answered time; null if none does. Servers round up,
 * down or to the nearest point, and some write their grid's points in whole milliseconds.
 */
export function gridOf(pairs: readonly (readonly [asked: string, answered: string])[]): string | null {
  const explains = (step: number) =>
    pairs.every(([asked, answered]) => {
      const [from, to] = [microsecondsOf(asked), microsecondsOf(answered)]
      if (from === null || to === null) return false
      const point = Math.round(to / step) * step
      const isOnGrid = Math.abs(point - to) < (step > 1_000 ? 1_000 : 1)
      return isOnGrid && Math.abs(to - from) < step + (step > 1_000 ? 1_000 : 0)
    })
  return GRIDS.find(([, step]) => pairs.length > 0 && explains(step))?.[0] ?? null
}
