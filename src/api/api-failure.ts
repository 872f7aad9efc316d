import type { HttpResponse } from '../http/http-client.ts'
import { shortPath } from '../http/log-requests.ts'
import { parseRetryAfter } from '../retry/backoff.ts'
import { isStored } from './parse-response.ts'

/** Why a call did not do what was asked. */
export interface ApiFailure {
  /** One line for a person: which host, what happened, what to do. Holds no secret. */
  message: string
  status?: number | undefined
  /** Whether the request may have taken effect anyway. False is a proof, true is only a doubt. */
  mayHaveActed: boolean
  retryable: boolean
  /** How long the server asked us to wait, in milliseconds. */
  retryAfter?: number | undefined
  /** Something in front of the API answered (a gate, a portal, a firewall), which knows nothing about a key. */
  notFromApi?: boolean
  /** A 2xx response whose content could not be used. */
  unusable?: boolean
  /** The name of the host does not exist. */
  isUnknownHost?: boolean
}

/** The request that an answer belongs to. */
export interface Asked {
  method: 'GET' | 'POST' | 'DELETE'
  url: URL
  credential: string
}

/** The request may have been carried out. */
const UNCERTAIN_STATUSES = [407, 408, 409, 421, 423, 424, 425, 499]
const MAX_REASON_LENGTH = 300

/** `now`: the server's time (ms). A 2xx is a failure if its content could not be used. */
export function failureOf(asked: Asked, response: HttpResponse, now: number): ApiFailure {
  const { method, url } = asked
  const { status, headers } = response
  const answer = parsed(response.body)
  // Some gateways replace the status of a success.
  const hasKey = /"(token|api_key)"\s*:\s*["{]/.test(response.body)
  const unusable = status < 300
  const rateLimited = status === 429
  const uncertain = unusable || status >= 500 || UNCERTAIN_STATUSES.includes(status)
  const notFromApi = !rateLimited && isForeign(response)
  return {
    status,
    message: `${url.host} answered ${status} to ${method} ${shortPath(url)}${detail(asked, response)}`,
    // Only the API's own JSON proves that nothing was done.
    mayHaveActed: hasKey || (!rateLimited && (uncertain || isRedirect(status) || notFromApi || answer === undefined)),
    retryable: uncertain || rateLimited || notFromApi,
    retryAfter: rateLimited || status === 503 ? parseRetryAfter(headers['retry-after'], now) : undefined,
    notFromApi,
    unusable,
  }
}

/** It may mean "done, look there". */
const isRedirect = (status: number) => status >= 300 && status < 400

function redirectTarget({ url }: Asked, location: string | undefined): string {
  const target = location ? URL.parse(location, url.href) : null
  const named = target?.host === url.host ? target.origin + shortPath(target) : target?.host.replace(/\w{24,}/g, '***')
  return named || 'an unreadable address'
}

/** The API speaks only JSON and Bearer (its documentation). */
export function isForeign(response: HttpResponse): boolean {
  const { status, headers, body } = response
  if (status < 400 || status > 499) return false
  const schemes = headers['www-authenticate']?.replace(/"[^"]*"/g, '') || 'Bearer'
  return (
    isStored(headers) ||
    (status === 401 && !/(^|,\s*)bearer\b/i.test(schemes)) ||
    // Some servers call their JSON HTML.
    (parsed(body) === undefined && (body.trim() !== '' || isHtml(response)))
  )
}

/** Undefined if this API would not write it. */
function parsed(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'number' ? undefined : value
  } catch {
    return undefined
  }
}

function isHtml({ headers, body }: HttpResponse): boolean {
  return /html/i.test(headers['content-type'] ?? '') || /^\s*</.test(body)
}

const NOT_JSON = ': something that is not the JSON of this API'

function detail(asked: Asked, response: HttpResponse): string {
  const { status, headers, body } = response
  if (status === 429) return ': too many requests'
  if (isRedirect(status) && status !== 304)
    return ` with a redirect to ${redirectTarget(asked, headers.location)}; redirects are never followed. Check api-url`
  if (isStored(headers)) return ' from a cache'
  const isJson = parsed(body) !== undefined
  if (!isJson && isHtml(response)) return ' with an HTML page, not the JSON of this API'
  const coding = headers['content-encoding']?.replace(/^identity$/i, '')
  if (!isJson && coding && body !== '') return ` in ${coding.slice(0, 8)}, which was not asked for`
  if (response.isCut) return ' with more than 1 MiB'
  const scheme = /^(?!bearer)[\w-]{1,12}(?![\w-])/i.exec(headers['www-authenticate'] ?? '')?.[0]
  if (isForeign(response))
    return scheme ? `, and asks for ${scheme} authentication, which this API does not use` : NOT_JSON
  const reason = reasonGiven(asked, response)
  if (reason === '' && status < 300) return NOT_JSON
  return reason && `: ${reason}`
}

/** One line, nothing that could be a key; of a success, only what is named as a reason. */
function reasonGiven({ method, credential }: Asked, { status, body }: HttpResponse): string {
  // Only create makes keys.
  const keyLike = method === 'POST' ? /(?=\S*\d)[^\s;]{8,}|\S{24,}/g : /\S{24,}/g
  const words = wordsIn(parsed(body), status < 300).join('; ')
  const safe = words.replaceAll(credential, '***').replace(keyLike, '***')
  return safe.replace(/\s+/g, ' ').trim().slice(0, MAX_REASON_LENGTH).replace(/\.$/, '')
}

function wordsIn(value: unknown, onlyNamed: boolean, { label, depth } = { label: '', depth: 0 }): string[] {
  if (typeof value === 'string') return [label + value]
  if (typeof value !== 'object' || value === null || depth > 3) return []
  return Object.entries(value).flatMap(([name, part]) => {
    const isPlain = /^(detail|error|errors|message|messages|non_field_errors|\d+)$/.test(name)
    if (/^code$|token|key|secret/i.test(name) || (onlyNamed && !isPlain)) return []
    return wordsIn(part, onlyNamed, { label: isPlain ? label : `${label}${name}: `, depth: depth + 1 })
  })
}
