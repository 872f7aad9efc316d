import type { HttpResponse } from '../http/http-client.ts'
import type { Secret } from '../util/brands.ts'
import { parseTime } from '../util/instant.ts'

/** A key as the API describes it. Instants in milliseconds since 1970, microseconds as a fraction. */
export type KeyInfo = ReturnType<typeof readKey>

/** The response to a create call, as far as it could be read: nothing in it is to be trusted yet. */
export type CreatedKey = KeyInfo & { token: Secret | null }

const MAX_PREFIX_LENGTH = 20
const MAX_ID_LENGTH = 256

/** Whether a header matches. */
export function hasHeader(rules: RegExp[], headers: HttpResponse['headers']): boolean {
  return Object.keys(headers).some((name) => rules.some((rule) => rule.test(`${name}: ${headers[name]}`)))
}

/** Headers of an answer that a cache stored. */
const CACHED = [
  /^(age|\S*(cache-(hits?|age)|from-cache|cached(-response)?)): (0, )*([1-9]\d*|true|yes)(,|$)/i,
  /^(\S*cache(-\S*(status|info|lookup|remote|debug|result|state))?|x-cdn): ((.*[^a-z=-])?(hit(?!-)|refreshhit|stale(?!-)|updating|revalidated)|fresh|cached)/i,
  /^server-timing: .*cdn-cache[^,]*hit/i,
  /^x-varnish: \d+ \d/,
  /^warning: 11/,
]

/** Such an answer belongs to another request. */
export const isStored = (headers: HttpResponse['headers']) => hasHeader(CACHED, headers)

function freshBody({ headers, body }: HttpResponse): string {
  if (isStored(headers)) throw new Error('from a cache')
  return body
}

/** Throws if there is neither a key nor its description. */
export function readCreated(response: HttpResponse): CreatedKey {
  const answer = parseJson(freshBody(response))
  const token = textOf(field(answer, 'token'))
  const key = readKey(field(answer, 'api_key'))
  if (token === null && key.id === null) throw new Error('no key')
  // It is printed: never most of a short key.
  return { ...key, token, prefix: key.prefix.slice(0, token === null ? 8 : token.length / 2) }
}

/** Throws unless the key was accepted: the answer is the list. */
export function readAccepted(response: HttpResponse): null {
  rowsOf(parseJson(freshBody(response)))
  return null
}

/** Throws unless this is the list, or a page of it. */
export function rowsOf(answer: unknown): unknown[] {
  const rows = Array.isArray(answer) ? answer : field(answer, 'results')
  if (Array.isArray(rows)) return rows
  throw new Error('neither an array nor a page')
}

/** Throws unless the key was revoked: the answer is empty. */
export function readRevoked(response: HttpResponse): null {
  if (freshBody(response).trim() !== '') throw new Error('not revoked')
  return null
}

/** What is missing or unusable is null. */
export function readKey(value: unknown) {
  const [created, expiry] = [parseTime(field(value, 'created')), parseTime(field(value, 'expiry'))]
  const faults = [
    created.unreadable !== null && `created "${created.unreadable}"`,
    expiry.unreadable !== null && `expiry "${expiry.unreadable}"`,
    field(value, 'expiry') === undefined && 'expiry (missing)',
  ]
  return {
    id: readId(field(value, 'id')),
    // It is printed: never the whole key. Some APIs write `abcd****`.
    prefix: (textOf(field(value, 'token_key')) ?? '').slice(0, MAX_PREFIX_LENGTH).replace(/\W+$/, ''),
    createdAt: created.at,
    /** Null if the key never expires, too. */
    expiresAt: expiry.at,
    /** The field that could not be read, with its text, or null. */
    unreadable: faults.find(Boolean) || null,
  }
}

/** Null if unusable. Even escaped, a dot segment names another path. */
export function readId(value: unknown): string | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
  const id = textOf(value)
  const isUsable = id !== null && id !== '.' && id !== '..' && id.isWellFormed() && id.length <= MAX_ID_LENGTH
  return isUsable ? id : null
}

/** Keeps integers above 2^53 as text: they would lose digits. */
export function parseJson(body: string): unknown {
  const keepDigits = (_name: string, value: unknown, { source = '' }: { source?: string } = {}) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^\d+$/.test(source) ? source : value
  return JSON.parse(body, keepDigits)
}

/** Undefined if there is none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** Null for no text, or an empty one. */
export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
