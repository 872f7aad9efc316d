import { type HttpClient, HttpError, type HttpResponse } from '../http/http-client.ts'
import type { ListedKey } from '../protocol/intent.ts'
import { parseRetryAfter } from '../retry/backoff.ts'
import { formatInstant, parseInstant } from '../util/instant.ts'

/** Why a call did not do what was asked. */
export interface ApiFailure {
  /** One line for a person: which host, what happened, what to do. Holds no secret. */
  message: string
  /** The status, where there was an answer. */
  status?: number
  /** Whether the request may have taken effect all the same. False is a proof, true is only a doubt. */
  mayHaveActed: boolean
  /** Whether asking again can help. */
  retryable: boolean
  /** How long the server asked us to stay away, in milliseconds. */
  retryAfter?: number
}

/** What a call brought: a value or a problem, and the server's clock less ours (ms) where the answer told its date. */
export type ApiResult<T> = { skew: number | null } & (
  | { ok: true; value: T }
  | { ok: false; failure: ApiFailure }
)

/** The answer to a create call, as far as it could be read: nothing in it is to be trusted yet. */
export interface CreatedKey {
  token: string | null
  id: string | null
  prefix: string
  createdAt: number | null
  /** The instant, or null where the key never expires or the text could not be read. */
  expiresAt: number | null
}

/** One reading of the account's list. */
export interface KeyList {
  keys: ListedKey[]
  /** Why this list cannot show that a key is absent; null where it can. */
  doubt: string | null
  /** How many pages were read, each with one request. */
  pages: number
}

/** Limits for one call, in milliseconds, and how a cancelled job cuts it short (see HttpRequest). */
export interface CallLimits {
  timeout: number
  cancel?: AbortSignal
  grace?: number
}

/** The calls of the key API. They never throw; every failure is a Problem. */
export interface KeyApi {
  create(credential: string, expiry: string, limits: CallLimits): Promise<ApiResult<CreatedKey>>
  list(credential: string, limits: CallLimits): Promise<ApiResult<KeyList>>
  revoke(credential: string, id: string, limits: CallLimits): Promise<ApiResult<null>>
  /** Asks whether a key is still accepted. Its 401 is the only proof that a key is dead. */
  probe(credential: string, limits: CallLimits): Promise<ApiResult<null>>
}

export const KEYS_PATH = '/api/user/api-keys'
const MAX_PAGES = 100

/**
 * The key API at `apiUrl` (no trailing slash). `userAgent` tells the account's owner which run made a request; `now`
 * is this machine's clock in milliseconds.
 */
export function createKeyApi(send: HttpClient, apiUrl: string, userAgent: string, now: () => number): KeyApi {
  const keysUrl = `${apiUrl}${KEYS_PATH}`

  async function call<T>(
    method: 'GET' | 'POST' | 'DELETE',
    url: URL,
    credential: string,
    limits: CallLimits,
    read: (response: HttpResponse) => T,
    body?: object,
  ): Promise<ApiResult<T>> {
    const headers = {
      Accept: 'application/json',
      Authorization: `Bearer ${credential}`,
      'User-Agent': userAgent,
      ...(body && { 'Content-Type': 'application/json' }),
    }
    const asked = now()
    try {
      const response = await send({
        method,
        url,
        headers,
        ...limits,
        ...(body && { body: JSON.stringify(body) }),
      })
      const skew = skewOf(response, (asked + now()) / 2)
      if (response.status < 200 || response.status > 299)
        return { ok: false, skew, failure: refusal(method, url, response, credential, now() + (skew ?? 0)) }
      try {
        return { ok: true, skew, value: read(response) }
      } catch {
        const { status } = response
        const message = `${url.host} answered ${method} ${url.pathname} with ${status} and something that could not be read`
        return { ok: false, skew, failure: { message, status, mayHaveActed: true, retryable: true } }
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      const message = `${url.host}: ${error.message}`
      // Neither a certificate nor a proxy's refusal changes by asking again.
      const retryable = error.fault !== 'certificate' && error.fault !== 'proxy'
      return { ok: false, skew: null, failure: { message, mayHaveActed: error.mayHaveActed, retryable } }
    }
  }

  async function readPages(credential: string, limits: () => CallLimits): Promise<ApiResult<KeyList>> {
    const keys: ListedKey[] = []
    let unread = 0
    let count: number | null = null
    let query = ''
    for (let pages = 1; ; pages++) {
      const reply = await call('GET', new URL(keysUrl + query), credential, limits(), readPage)
      if (!reply.ok) return reply
      keys.push(...reply.value.keys)
      unread += reply.value.unread
      count = reply.value.count ?? count
      if (reply.value.nextQuery === null) {
        const total = keys.length + unread
        const doubt =
          unread > 0
            ? `${unread} row(s) of the list could not be read`
            : count !== null && count !== total
              ? `the API counts ${count} keys and listed ${total}`
              : null
        return { ok: true, skew: reply.skew, value: { keys, doubt, pages } }
      }
      query = reply.value.nextQuery
      if (pages === MAX_PAGES) {
        const message = `${new URL(keysUrl).host} has more than ${MAX_PAGES} pages of keys; the list was not read to its end`
        return { ok: false, skew: reply.skew, failure: { message, mayHaveActed: true, retryable: false } }
      }
    }
  }

  return {
    create: (credential, expiry, limits) =>
      call('POST', new URL(keysUrl), credential, limits, readCreated, { expiry }),

    list(credential, limits) {
      const deadline = now() + limits.timeout
      return readPages(credential, () => ({ ...limits, timeout: Math.max(1, deadline - now()) }))
    },

    revoke: (credential, id, limits) =>
      call('DELETE', new URL(`${keysUrl}/${encodeURIComponent(id)}`), credential, limits, () => null),

    probe: (credential, limits) => call('GET', new URL(keysUrl), credential, limits, () => null),
  }
}

function skewOf(response: HttpResponse, ours: number): number | null {
  const date = Date.parse(response.headers.date ?? '')
  // The header has whole seconds; on average, the server was half a second further.
  return Number.isNaN(date) ? null : date + 500 - ours
}

function readCreated({ body }: HttpResponse): CreatedKey {
  const answer: unknown = JSON.parse(body)
  return { token: text(field(answer, 'token')), ...readKey(field(answer, 'api_key')) }
}

/** What the API says of a key, created or listed. */
function readKey(value: unknown): Omit<CreatedKey, 'token'> {
  return {
    id: identifier(field(value, 'id')),
    // It is printed: never the whole key.
    prefix: (text(field(value, 'token_key')) ?? '').slice(0, 20),
    createdAt: parseInstant(field(value, 'created')),
    expiresAt: parseInstant(field(value, 'expiry')),
  }
}

/** One page of the list: a bare array, or `{results, next}`. Throws where it is neither. */
function readPage({ body }: HttpResponse): {
  keys: ListedKey[]
  unread: number
  count: number | null
  nextQuery: string | null
} {
  const answer: unknown = JSON.parse(body)
  const rows = Array.isArray(answer) ? answer : field(answer, 'results')
  if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
  const next = field(answer, 'next')
  const keys = rows.flatMap((row) => {
    const key = readKey(row)
    return key.id === null ? [] : { ...key, id: key.id, unreadable: unreadableField(row, key) }
  })
  const count = field(answer, 'count')
  return {
    keys,
    unread: rows.length - keys.length,
    count: typeof count === 'number' ? count : null,
    // Only the query of the next page is used: whatever host the answer names, the credential goes to ours.
    nextQuery: typeof next === 'string' && next ? new URL(next, 'https://any.example').search : null,
  }
}

/** The field of a row that holds something that could not be read, or null. */
function unreadableField(row: unknown, key: Omit<CreatedKey, 'token'>): string | null {
  const given = (name: string) => field(row, name) !== undefined && field(row, name) !== null
  if (key.createdAt === null && given('created')) return 'created'
  return key.expiresAt === null && given('expiry') ? 'expiry' : null
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** An id that can stand in a URL, escaped. A dot segment cannot: even escaped, it names another path. */
function identifier(value: unknown): string | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
  const id = text(value)
  return id === null || id === '.' || id === '..' || !id.isWellFormed() ? null : id
}

/** Answers of gateways and locks that may pass, and behind which the request may have been carried out. */
const UNCERTAIN_STATUSES = [408, 421, 423, 425, 499]

/** What an answer outside 2xx means. `now` is by the server's clock. */
function refusal(
  method: string,
  url: URL,
  { status, headers, body }: HttpResponse,
  credential: string,
  now: number,
): ApiFailure {
  const what = `${url.host} answered ${status} to ${method} ${url.pathname}`
  const certain = { status, message: what, mayHaveActed: false, retryable: false }
  if (status === 401) return certain
  if (status >= 300 && status < 400) {
    const location = headers.location ?? ''
    const host = URL.canParse(location, url.href) ? new URL(location, url).host : 'an unreadable address'
    const message = `${what} with a redirect to ${host}; redirects are never followed. Check api-url`
    // "Done, look there" is said with these two.
    return { ...certain, message, mayHaveActed: status === 302 || status === 303 }
  }
  const throttled = status === 429
  const reason = throttled ? 'too many requests' : reasonGiven(body, credential)
  const retryAfter = throttled ? parseRetryAfter(headers['retry-after'], now) : undefined
  const doubtful = status >= 500 || status < 200 || UNCERTAIN_STATUSES.includes(status)
  return {
    status,
    message: `${what}${reason && `: ${reason}`}`,
    mayHaveActed: doubtful,
    retryable: doubtful || throttled,
    ...(retryAfter !== undefined && { retryAfter }),
  }
}

const MAX_REASON_LENGTH = 300

/**
 * The API's own words for a refusal, from any of the shapes that it uses: detail, error, or messages by field. Empty
 * for HTML or nothing. One line, cut to length, without the credential, and without anything else that could be a key.
 */
function reasonGiven(body: string, credential: string): string {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    return ''
  }
  const words = (value: unknown, label = '', depth = 0): string[] => {
    if (typeof value === 'string') return [label + value]
    if (typeof value !== 'object' || value === null || depth > 3) return []
    return Object.entries(value).flatMap(([name, part]) => {
      const sanitize = /^(detail|error|message|messages|non_field_errors|\d+)$/.test(name)
      return name === 'code' ? [] : words(part, sanitize ? label : `${label}${name}: `, depth + 1)
    })
  }
  return words(answer)
    .join('; ')
    .replaceAll(credential, '***')
    .replace(/[\w-]{24,}/g, '***')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH)
    .replace(/\.$/, '')
}

/** Whether a credential can be sent at all: visible ASCII, nothing that could break out of a header or a log line. */
export function isHeaderSafe(credential: string): boolean {
  return /^[\x21-\x7e]+$/.test(credential)
}

/** Checks the answer to a create call; the reason why it cannot be used, or null. `asked` is the expiry asked for (ms). */
export function validateCreatedKey(answer: CreatedKey, asked: number): string | null {
  if (answer.token === null) return 'the answer holds no key'
  if (!isHeaderSafe(answer.token)) return 'the key holds white space, control or non-ASCII characters'
  if (answer.id === null) return 'the answer holds no id, so the key could not be revoked by it'
  if (answer.expiresAt === null) return 'the key never expires, though an expiry was asked for'
  if (answer.expiresAt > asked + ROUNDING_MS)
    return `the key expires ${formatInstant(answer.expiresAt)}, later than the ${formatInstant(asked)} asked for`
  return null
}

/** A server may round an expiry to its own grid; more than this is another lifetime. */
const ROUNDING_MS = 5_000
