import type { HttpResponse } from '../http/http-client.ts'
import { field, type KeyInfo, parseJson, readKey, textOf } from './parse-response.ts'

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

/** Throws if this is neither an array nor `{results, next}`. */
export function readPage({ headers, body }: HttpResponse): Page {
  const answer = parseJson(body)
  const rows = Array.isArray(answer) ? answer : field(answer, 'results')
  if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
  const described = rows.map(readKey)
  const keys = described.flatMap((key) => (key.id === null ? [] : { ...key, id: key.id }))
  const unread = described.filter(({ id, unreadable }) => id === null || unreadable !== null).length
  const next = textOf(field(answer, 'next'))
  const count = field(answer, 'count') ?? headers['x-total-count'] ?? null
  const morePages = hasUnknownPaging(answer) || /rel="?next/i.test(String(headers.link ?? ''))
  const cached = Number(headers.age) > 0 || /hit/i.test(String(headers['x-cache'] ?? ''))
  const doubts = [
    unread > 0 && `${unread} of its rows cannot be read`,
    next === null && morePages && 'it has further pages that cannot be found',
    cached && 'it comes from a cache',
  ]
  const doubt = doubts.find(Boolean) || null
  return { keys, next, doubt, count: count === null ? null : Number(count) }
}

/** By a field that this action does not know, such as `has_more`. */
function hasUnknownPaging(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return false
  const announces = ([name, value]: [string, unknown]) =>
    /next|more|cursor/i.test(name) && Boolean(value) && !(name === 'next' && typeof value === 'string')
  return Object.entries(answer).some(announces)
}
