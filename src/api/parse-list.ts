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

/** Another field may announce more keys. */
const KNOWN_FIELDS = ['results', 'next', 'previous', 'count']
/** Headers of a list that may be old, or lack a key. */
export const CACHED =
  /^(age|.*cache-hits): .*[1-9]|^(?!cache-control).*cache.*: .*(hit|stale|updating|revalidated)|^warning: 1/i
const PARTIAL = /^link: .*\bnext\b|^(?!x-total-count:)x-[^:]*(total|pag|next|more|cursor)/i

/** Throws if this is neither an array nor `{results, next}`. */
export function readPage({ status, headers, body }: HttpResponse): Page {
  const answer = parseJson(body)
  const rows = Array.isArray(answer) ? answer : field(answer, 'results')
  if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
  const described = rows.map(readKey)
  const keys = described.flatMap((key) => (key.id === null ? [] : { ...key, id: key.id }))
  const unread = described.filter(
    ({ id, unreadable, createdAt, expiresAt }) =>
      id === null || unreadable !== null || (createdAt ?? expiresAt) === null,
  ).length
  const next = textOf(field(answer, 'next'))
  const total = String(field(answer, 'count') ?? headers['x-total-count'] ?? headers['content-range'] ?? '')
  const count = /\d+$/.exec(total.slice(-15))?.[0]
  const isUnknown = !Array.isArray(answer) && Object.keys(answer ?? {}).some((name) => !KNOWN_FIELDS.includes(name))
  const isOddNext = next === null && Boolean(field(answer, 'next'))
  const isOdd = status !== 200 || isUnknown || isOddNext || (total !== '' && count === undefined)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const isSaid = (pattern: RegExp) => lines.some((line) => pattern.test(line))
  const doubts = [
    unread > 0 && `${unread} of its rows cannot be read`,
    (isOdd || isSaid(PARTIAL)) && 'it may have pages that cannot be found',
    isSaid(CACHED) && 'it comes from a cache',
  ]
  const doubt = doubts.find(Boolean) || null
  return { keys, next, doubt, count: count === undefined ? null : Number(count) }
}
