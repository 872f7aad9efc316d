import type { HttpResponse } from '../http/http-client.ts'
import { parseTime } from '../util/instant.ts'

/** A key as the API describes it. Instants in milliseconds since 1970, microseconds as a fraction. */
export interface KeyInfo {
  id: string | null
  /** The first characters of the key. */
  prefix: string
  /** Null if the API gives none, or one that cannot be read (see `unreadable`). */
  createdAt: number | null
  /** Null if the key never expires, or if its expiry cannot be read (see `unreadable`). */
  expiresAt: number | null
  /** The field that could not be read, with its text; null if all could. */
  unreadable: string | null
}

/** The response to a create call, as far as it could be read: nothing in it is to be trusted yet. */
export interface CreatedKey extends KeyInfo {
  token: string | null
}

const MAX_PREFIX_LENGTH = 20
const MAX_ID_LENGTH = 256

/** Reads the response to a create call; throws if it holds neither a key nor the description of one. */
export function readCreated({ body }: HttpResponse): CreatedKey {
  const answer = parseJson(body)
  const created = { token: textOf(field(answer, 'token')), ...readKey(field(answer, 'api_key')) }
  if (created.token === null && created.id === null) throw new Error('no key')
  return created
}

/** Accepts a response that is JSON, as the API's list is; throws if it is not. */
export function readJson({ body }: HttpResponse): null {
  if (typeof parseJson(body) !== 'object') throw new Error('not a list')
  return null
}

/** Accepts the response to a revocation; throws if it is not the API's, or says that nothing was revoked. */
export function readRevoked({ body }: HttpResponse): null {
  const answer = body.trim() === '' ? {} : parseJson(body)
  if (field(answer, 'success') === false || field(answer, 'error')) throw new Error('not revoked')
  return null
}

/** What the API says of a key, created or listed. */
export function readKey(value: unknown): KeyInfo {
  const [created, expiry] = [parseTime(field(value, 'created')), parseTime(field(value, 'expiry'))]
  const unreadable =
    created.kind === 'unreadable'
      ? `created "${created.text}"`
      : expiry.kind === 'unreadable'
        ? `expiry "${expiry.text}"`
        : field(value, 'expiry') === undefined
          ? 'expiry (missing)'
          : null
  return {
    id: identifier(field(value, 'id')),
    // It is printed: never the whole key.
    prefix: (textOf(field(value, 'token_key')) ?? '').slice(0, MAX_PREFIX_LENGTH),
    createdAt: created.kind === 'instant' ? created.at : null,
    expiresAt: expiry.kind === 'instant' ? expiry.at : null,
    unreadable,
  }
}

/** An id that can stand in a URL, escaped. A dot segment cannot: even escaped, it names another path. */
function identifier(value: unknown): string | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
  const id = textOf(value)
  const isUsable = id !== null && id !== '.' && id !== '..' && id.isWellFormed() && id.length <= MAX_ID_LENGTH
  return isUsable ? id : null
}

/** JSON with every digit of large integers, as text: ids above 2^53 would lose their last digits (Node 21 and later). */
export function parseJson(body: string): unknown {
  const keepDigits = (_name: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? '')
      ? context?.source
      : value
  return JSON.parse(body, keepDigits)
}

/** A field of a JSON value, undefined if there is none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

/** A text that is not empty, or null. */
export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
