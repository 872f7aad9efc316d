import { type HttpClient, HttpError, type HttpResponse } from '../http/http-client.ts'
import { type ApiFailure, failureOf, unusableResponse } from './api-failure.ts'
import {
  type CreatedKey,
  type ListedKey,
  type Page,
  readCreated,
  readPage,
  readRevoked,
} from './parse-response.ts'

export type { ApiFailure, CreatedKey, ListedKey }

/** What a call brought, and the server's `Date` less our clock (ms) if the response told a believable one. */
export type ApiResult<T> = { skew: number | null } & (
  | { ok: true; value: T }
  | { ok: false; failure: ApiFailure }
)

/** One reading of the account's list. */
export interface KeyList {
  keys: ListedKey[]
  /** Why this list cannot show that a key is absent, or null. */
  doubt: string | null
  pages: number
}

/** Limits for one call, in milliseconds, and how a cancelled job cuts it short (see HttpRequest). */
export interface CallLimits {
  timeout: number
  cancel?: AbortSignal
  grace?: number
}

/** The calls of the key API. They never throw for what the network or the API does; every failure is an ApiFailure. */
export interface KeyApi {
  create(credential: string, expiry: string, limits: CallLimits): Promise<ApiResult<CreatedKey>>
  list(credential: string, limits: CallLimits): Promise<ApiResult<KeyList>>
  revoke(credential: string, id: string, limits: CallLimits): Promise<ApiResult<null>>
  /** Asks whether a key is still accepted. */
  probe(credential: string, limits: CallLimits): Promise<ApiResult<null>>
}

export const KEYS_PATH = '/api/user/api-keys'
const MAX_PAGES = 100
/** A `Date` further from our own clock than this is a gateway's error rather than the server's time. */
const MAX_DATE_SKEW_MS = 24 * 3_600_000

type Call = <T>(
  request: { method: 'GET' | 'POST' | 'DELETE'; url: URL; credential: string; body?: object },
  limits: CallLimits,
  read: (response: HttpResponse) => T,
) => Promise<ApiResult<T>>

/**
 * The key API at `apiUrl` (no trailing slash). `userAgent` tells the account's owner which run made a request; `now`
 * is this machine's clock in milliseconds.
 */
export function createKeyApi(
  client: HttpClient,
  apiUrl: string,
  userAgent: string,
  now: () => number,
): KeyApi {
  const call = caller(client, userAgent, now)
  const keysUrl = new URL(`${apiUrl}${KEYS_PATH}`)
  return {
    create: (credential, expiry, limits) =>
      call({ method: 'POST', url: keysUrl, credential, body: { expiry } }, limits, readCreated),
    list(credential, limits) {
      const deadline = now() + limits.timeout
      return readList(keysUrl, (url) =>
        call(
          { method: 'GET', url, credential },
          { ...limits, timeout: Math.max(1, deadline - now()) },
          readPage,
        ),
      )
    },
    revoke: (credential, id, limits) =>
      call(
        { method: 'DELETE', url: new URL(`${keysUrl}/${encodeURIComponent(id)}`), credential },
        limits,
        readRevoked,
      ),
    async probe(credential, limits) {
      const result = await call({ method: 'GET', url: keysUrl, credential }, limits, readPage)
      return result.ok ? { ...result, value: null } : result
    },
  }
}

/** Whether the API itself answered 401: not accepted here and now, which alone does not prove an end. */
export function isRejected(result: ApiResult<unknown>): boolean {
  return !result.ok && result.failure.status === 401 && !result.failure.notFromApi
}

/** Whether a credential can be sent at all: visible ASCII, nothing that could break out of a header or a log line. */
export function isHeaderSafe(credential: string): boolean {
  return /^[\x21-\x7e]+$/.test(credential)
}

function caller(client: HttpClient, userAgent: string, now: () => number): Call {
  return async ({ method, url, credential, body }, limits, read) => {
    const headers = {
      Accept: 'application/json',
      Authorization: `Bearer ${credential}`,
      'User-Agent': userAgent,
      ...(body && { 'Content-Type': 'application/json' }),
    }
    const asked = { method, url, credential }
    const sentAt = now()
    try {
      const response = await client({
        method,
        url,
        headers,
        ...limits,
        ...(body && { body: JSON.stringify(body) }),
      })
      const skew = skewOf(response, sentAt, now())
      if (response.status < 200 || response.status > 299)
        return { ok: false, skew, failure: failureOf(asked, response, now() + (skew ?? 0)) }
      try {
        return { ok: true, skew, value: read(response) }
      } catch {
        return { ok: false, skew, failure: unusableResponse(asked, response) }
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      const { mayHaveActed } = error
      const retryable = error.fault !== 'certificate' && error.fault !== 'proxy'
      return {
        ok: false,
        skew: null,
        failure: { message: `${url.host}: ${error.message}`, mayHaveActed, retryable },
      }
    }
  }
}

/** Reads the list page by page; `doubt` is the first reason why a key may be missing from it. */
async function readList(
  start: URL,
  readOne: (url: URL) => Promise<ApiResult<Page>>,
): Promise<ApiResult<KeyList>> {
  const keys: ListedKey[] = []
  const visited = new Set<string>()
  let doubt: string | null = null
  let skew: number | null = null
  for (let url: URL | null = start; url !== null; ) {
    visited.add(url.href)
    const result: ApiResult<Page> = await readOne(url)
    if (!result.ok) return result
    const { value } = result
    skew = result.skew ?? skew
    keys.push(...value.keys)
    doubt ??= value.doubt
    url = value.next === null ? null : nextUrl(value.next, start)
    if (url === null && value.count !== null && value.count !== keys.length)
      doubt ??= `it shows ${keys.length} of ${value.count} keys`
    if (url !== null && (visited.has(url.href) || visited.size === MAX_PAGES)) {
      doubt ??= visited.size === MAX_PAGES ? `it has more than ${MAX_PAGES} pages` : 'its pages repeat'
      url = null
    }
  }
  return { ok: true, skew, value: { keys, doubt, pages: visited.size } }
}

/** The next page, on our own host whatever host the response names: the credential goes nowhere else. */
function nextUrl(next: string, start: URL): URL {
  const isBareQuery = /^[\w-]+=/.test(next)
  const reference = isBareQuery ? `?${next}` : next
  const named = URL.canParse(reference, start.href) ? new URL(reference, start) : start
  const tail = named.pathname.split(KEYS_PATH)[1]
  const path = tail === undefined ? named.pathname : start.pathname + tail
  const url = new URL(start)
  url.pathname = path
  url.search = named.search
  return url
}

function skewOf({ headers }: HttpResponse, sentAt: number, receivedAt: number): number | null {
  // The header has whole seconds; on average, the server was half a second further.
  const skew = Date.parse(headers.date ?? '') + 500 - (sentAt + receivedAt) / 2
  return Math.abs(skew) <= MAX_DATE_SKEW_MS ? skew : null
}
