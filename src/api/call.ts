import type { CallLimits, HttpClient, HttpResponse } from '../http/http-client.ts'
import { HttpError } from '../http/http-error.ts'
import { parseHttpDate } from '../retry/backoff.ts'
import type { Secret } from '../util/brands.ts'
import { type ApiFailure, type Asked, failureOf } from './api-failure.ts'
import { isStored, readAccepted, readCreated, readRevoked } from './parse-response.ts'

/** What a call brought, and the server's `Date` less our clock (ms) if the response told a believable one. */
export type ApiResult<T> = { skew: number | null } & ({ ok: true; value: T } | { ok: false; failure: ApiFailure })

export type Call = <T>(
  request: Asked & { body?: object },
  limits: CallLimits,
  read: (response: HttpResponse) => T,
) => Promise<ApiResult<T>>

export const KEYS_PATH = '/api/user/api-keys'
const MAX_DATE_SKEW_MS = 24 * 3_600_000

export interface ApiOptions {
  client: HttpClient
  /** Without a trailing slash. */
  apiUrl: string
  userAgent: string
  now: () => number
}

/** Never throws for what the network or the API does. */
export function createCaller({ client, userAgent, now }: ApiOptions): Call {
  return async (request, limits, read) => {
    const { method, url, credential } = request
    const body = request.body && JSON.stringify(request.body)
    const headers = {
      Accept: 'application/json',
      Authorization: `Bearer ${credential}`,
      'User-Agent': userAgent,
      ...(body && { 'Content-Type': 'application/json' }),
    }
    const sentAt = now()
    try {
      const response = await client({ method, url, headers, body, ...limits })
      const skew = skewOf(response, sentAt, now())
      try {
        if (response.status < 300) return { ok: true, skew, value: read(response) }
      } catch {
        // The failure says so.
      }
      return { ok: false, skew, failure: failureOf(request, response, now() + (skew ?? 0)) }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      return { ok: false, skew: null, failure: { ...error, message: `${url.host}: ${error.message}` } }
    }
  }
}

/** The calls that the main step needs. */
export function createIssuingApi(options: ApiOptions) {
  const call = createCaller(options)
  const url = new URL(`${options.apiUrl}${KEYS_PATH}`)
  return {
    create: (credential: Secret, expiry: string, limits: CallLimits) =>
      call({ method: 'POST', url, credential, body: { expiry } }, limits, readCreated),
    revoke: (credential: Secret, id: string, limits: CallLimits) =>
      call({ method: 'DELETE', url: new URL(`${url}/${encodeURIComponent(id)}`), credential }, limits, readRevoked),
    /** Asks whether a key is still accepted. */
    probe: (credential: Secret, limits: CallLimits) => call({ method: 'GET', url, credential }, limits, readAccepted),
  }
}

export type IssuingApi = ReturnType<typeof createIssuingApi>

/** Alone, this does not prove that a key is revoked. */
export function isRejected(result: ApiResult<unknown>): boolean {
  return !result.ok && result.failure.status === 401 && !result.failure.notFromApi
}

/** Visible ASCII: nothing breaks out of a header or a log line. */
export function isHeaderSafe(credential: string): boolean {
  return /^[\x21-\x7e]+$/.test(credential)
}

function skewOf({ headers }: HttpResponse, sentAt: number, receivedAt: number): number | null {
  if (isStored(headers)) return null
  // Whole seconds are half a second late on average.
  const skew = parseHttpDate(headers.date ?? '') + 500 - (sentAt + receivedAt) / 2
  return Math.abs(skew) <= MAX_DATE_SKEW_MS ? skew : null
}
