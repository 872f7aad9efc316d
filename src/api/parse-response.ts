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

/** A key in the account's list. */
export interface ListedKey extends KeyInfo {
  id: string
}

/** One page of the list. */
export interface Page {
  keys: ListedKey[]
  /** What the response calls the next page: an absolute URL, a path or a query. Null on the last page. */
  next: string | null
  /** Why a key may exist that this page does not show, or null. */
  doubt: string | null
  /** How many keys there are in all, if the response says so. */
  count: number | null
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

/** Reads one page of the list, a bare array or `{results, next}`; throws if it is neither. */
export function readPage({ headers, body }: HttpResponse): Page {
  const answer = parseJson(body)
  const rows = Array.isArray(answer) ? answer : field(answer, 'results')
  if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
  const described = rows.map(readKey)
  const keys = described.flatMap((key) => (key.id === null ? [] : { ...key, id: key.id }))
  const unread = described.filter(({ id, unreadable }) => id === null || unreadable !== null).length
  const next = textOf(field(answer, 'next'))
  const count = field(answer, 'count') ?? headers['x-total-count']
  const morePages = hasUnknownPaging(answer) || /rel="?next/i.test(String(headers.link ?? ''))
  const cached = Number(headers.age) > 0 || /hit/i.test(String(headers['x-cache'] ?? ''))
  const doubts = [
    unread > 0 && `${unread} of its rows cannot be read`,
    next === null && morePages && 'it has further pages that cannot be found',
    cached && 'it comes from a cache',
  ]
  const doubt = doubts.find((text) => text !== false) || null
  return { keys, next, doubt, count: count === undefined || count === null ? null : Number(count) }
}

/** Whether a page announces more in a way that this action does not follow, such as `has_more` or `next_cursor`. */
function hasUnknownPaging(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return false
  const announces = ([name, value]: [string, unknown]) =>
    /next|more|cursor/i.test(name) && Boolean(value) && !(name === 'next' && typeof value === 'string')
  return Object.entries(answer).some(announces)
}

/** Accepts the response to a revocation; throws if it is not the API's, or says that nothing was revoked. */
export function readRevoked({ body }: HttpResponse): null {
  const answer = body.trim() === '' ? {} : parseJson(body)
  if (field(answer, 'success') === false || field(answer, 'error')) throw new Error('not revoked')
  return null
}

function readKey(value: unknown): KeyInfo {
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
function parseJson(body: string): unknown {
  const keepDigits = (_name: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? '')
      ? context?.source
      : value
  return JSON.parse(body, keepDigits)
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
