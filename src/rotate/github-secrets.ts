import type { ApiFailure, ApiResult, CallLimits } from '../api/key-api.ts'
import type { HttpClient, HttpResponse } from '../http/http-client.ts'
import { HttpError } from '../http/http-error.ts'
import { parseRetryAfter } from '../retry/backoff.ts'
import { parseTime } from '../util/instant.ts'

/** The public key with which values for one place are encrypted. */
export interface PublicKey {
  id: string
  /** Base64. */
  key: string
}

/** What GitHub says about a secret; its value cannot be read. */
export interface SecretInfo {
  name: string
  /** Which repositories may use an organization's secret; null elsewhere. */
  visibility: string | null
  /** When it was last written, by GitHub's clock (GitHub writes whole seconds); null if absent or unreadable. */
  updatedAt: number | null
}

/** The body of a write. */
export interface SecretValue {
  encrypted_value: string
  key_id: string
  visibility?: string
  selected_repository_ids?: number[]
}

/** One page of the repositories that may use an organization's secret. */
export interface RepositoryPage {
  total: number
  ids: number[]
}

/** Which secret a call is about, and which permission it needs. */
export interface SecretAddress {
  /** The path of a place's secrets. */
  path: string
  /** The name of the secret. */
  name: string
  /** Named if GitHub refuses. */
  permission: string
}

/** The calls of GitHub's secrets API. They never throw and never retry. */
export interface GithubSecrets {
  repositoryId(repository: string, limits: CallLimits): Promise<ApiResult<string>>
  publicKey(at: Omit<SecretAddress, 'name'>, limits: CallLimits): Promise<ApiResult<PublicKey>>
  secret(at: SecretAddress, limits: CallLimits): Promise<ApiResult<SecretInfo>>
  /** Pages are numbered from 1. */
  selectedRepositories(
    at: Omit<SecretAddress, 'permission'>,
    page: number,
    limits: CallLimits,
  ): Promise<ApiResult<RepositoryPage>>
  /** `created`: the secret did not exist, although an update was meant. */
  write(at: SecretAddress, value: SecretValue, limits: CallLimits): Promise<ApiResult<{ created: boolean }>>
}

export interface GithubOptions {
  /** Without a trailing slash. */
  apiUrl: string
  token: string
  userAgent: string
  /** This machine's clock, in milliseconds. */
  now: () => number
}

const ACCEPT = 'application/vnd.github+json'
const PAGE_SIZE = 50
const ORGANIZATION = 'organization permission Secrets: write'

/** The secrets API at `apiUrl`: github.com or an Enterprise Server. */
export function createGithubSecrets(send: HttpClient, options: GithubOptions): GithubSecrets {
  const client = { ...options, send }
  const get = <T>(request: Omit<Call, 'method' | 'body'>, read: (answer: unknown) => T) =>
    call(client, { ...request, method: 'GET' }, ({ body }) => read(JSON.parse(body)))
  return {
    repositoryId: (repository, limits) => {
      const path = `/repos/${repository.split('/').map(encodeURIComponent).join('/')}`
      return get({ path, permission: 'Metadata: read', limits }, (answer) => String(number(answer, 'id')))
    },
    publicKey: ({ path, permission }, limits) =>
      get({ path: `${path}/public-key`, permission, limits }, (answer) => ({
        id: text(answer, 'key_id'),
        key: text(answer, 'key'),
      })),
    secret: ({ path, name, permission }, limits) =>
      get({ path: `${path}/${name}`, permission, limits }, (answer) => {
        const visibility = field(answer, 'visibility')
        return {
          name: text(answer, 'name'),
          visibility: typeof visibility === 'string' ? visibility : null,
          updatedAt: parseTime(field(answer, 'updated_at')).at,
        }
      }),
    selectedRepositories: ({ path, name }, page, limits) => {
      const query = `per_page=${PAGE_SIZE}&page=${page}`
      return get({ path: `${path}/${name}/repositories?${query}`, permission: ORGANIZATION, limits }, readRepositories)
    },
    write: ({ path, name, permission }, value, limits) =>
      call(
        client,
        { method: 'PUT', path: `${path}/${name}`, permission, limits, body: JSON.stringify(value) },
        readWritten,
      ),
  }
}

/** GitHub answers a write with 201 or 204; another 2xx is the page of a portal or a proxy. */
function readWritten({ status }: HttpResponse): { created: boolean } {
  if (status !== 201 && status !== 204) throw new TypeError('status')
  return { created: status === 201 }
}

interface Call {
  method: 'GET' | 'PUT'
  path: string
  permission: string
  limits: CallLimits
  body?: string
}

async function call<T>(
  { send, apiUrl, token, userAgent, now }: GithubOptions & { send: HttpClient },
  { method, path, permission, limits, body }: Call,
  read: (response: HttpResponse) => T,
): Promise<ApiResult<T>> {
  const url = new URL(apiUrl + path)
  const headers = {
    Accept: ACCEPT,
    Authorization: `Bearer ${token}`,
    'User-Agent': userAgent,
    'X-GitHub-Api-Version': '2022-11-28',
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
  }
  const failed = (failure: ApiFailure): ApiResult<T> => ({ ok: false, skew: null, failure })
  try {
    const response = await send({ method, url, headers, ...limits, ...(body !== undefined && { body }) })
    const { status } = response
    const what = `${url.host} answered ${status} to ${method} ${url.pathname}`
    if (status < 200 || status > 299) return failed(refusal(response, { what, permission, token, now: now() }))
    try {
      return { ok: true, skew: null, value: read(response) }
    } catch {
      const message = `${what} with something that GitHub's API does not send`
      return failed({ message, status, mayHaveActed: true, retryable: true })
    }
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    const { mayHaveActed, retryable } = error
    return failed({ message: `${url.host}: ${error.message}`, mayHaveActed, retryable })
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

/** Throws if the text is missing. */
function text(value: unknown, name: string): string {
  const found = field(value, name)
  if (typeof found !== 'string' || found === '') throw new TypeError(name)
  return found
}

/** Throws if the whole number is missing. */
function number(value: unknown, name: string): number {
  const found = field(value, name)
  if (!Number.isSafeInteger(found)) throw new TypeError(name)
  return Number(found)
}

function readRepositories(answer: unknown): RepositoryPage {
  const rows = field(answer, 'repositories')
  if (!Array.isArray(rows)) throw new TypeError()
  return { total: number(answer, 'total_count'), ids: rows.map((row) => number(row, 'id')) }
}

/** Gateways and locks give these; the request may have been carried out. */
const UNCERTAIN_STATUSES = [407, 408, 421, 423, 425, 499]

/** What a response outside 2xx means. `what` is the beginning of the message. */
function refusal(
  { status, headers, body }: HttpResponse,
  { what, permission, token, now }: { what: string; permission: string; token: string; now: number },
): ApiFailure {
  const given = messageIn(body)
  const reason = reasonGiven(given ?? '', token)
  // GitHub explains each refusal. What answers in front of it may have passed the request on.
  const notFromApi = status >= 400 && status < 500 && given === null
  const retryAfter = waitAsked(headers, now) ?? (/rate limit/i.test(reason) ? 60_000 : undefined)
  // Secondary rate limits answer 403, which otherwise means a missing permission.
  if (status === 429 || (status === 403 && retryAfter !== undefined)) {
    const limited = { status, message: `${what}: rate limited by GitHub`, mayHaveActed: notFromApi, retryable: true }
    return retryAfter === undefined ? limited : { ...limited, retryAfter }
  }
  if (status >= 300 && status < 400) {
    const message = `${what} with a redirect; the repository may have been renamed or moved`
    // The lookups were not redirected, so this is no rename, but perhaps a login page after the write.
    return { status, message, mayHaveActed: true, retryable: false }
  }
  const uncertain = status >= 500 || status < 200 || UNCERTAIN_STATUSES.includes(status)
  const message = notFromApi
    ? `${what} with something that GitHub's API does not send`
    : `${what}${reason && `: ${reason}`}${adviceFor(status, permission)}`
  const retryable = uncertain || status === 409 || notFromApi
  return { status, message, mayHaveActed: uncertain || notFromApi, retryable, ...(notFromApi && { notFromApi }) }
}

function adviceFor(status: number, permission: string): string {
  if (status === 401) return '. github-token is wrong, revoked or expired'
  if (status === 404)
    return `. It does not exist, or github-token has no access: check that the token has the permission "${permission}"`
  if (status !== 403) return ''
  return (
    `. github-token needs the permission "${permission}". GITHUB_TOKEN can never write secrets: ` +
    'use a token of a GitHub App, or a fine-grained personal access token'
  )
}

/** How long GitHub asks us to wait, in milliseconds: Retry-After, or until the rate limit is reset. */
function waitAsked(headers: HttpResponse['headers'], now: number): number | undefined {
  const asked = parseRetryAfter(headers['retry-after'], now)
  if (asked !== undefined || headers['x-ratelimit-remaining'] !== '0') return asked
  const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN) * 1000
  return Number.isNaN(reset) ? 60_000 : Math.max(0, reset - now)
}

const MAX_REASON_LENGTH = 200

/** GitHub's own message, or null if this is not the JSON of its API. */
function messageIn(body: string): string | null {
  try {
    const message = field(JSON.parse(body), 'message')
    return typeof message === 'string' ? message : null
  } catch {
    return null
  }
}

/** The message on one line, without anything that could be a token. */
function reasonGiven(message: string, token: string): string {
  return message
    .replaceAll(token, '***')
    .replace(/[\w-]{24,}/g, '***')
    .replace(/[^\x21-\x7e]+/g, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH)
    .replace(/\.$/, '')
}
