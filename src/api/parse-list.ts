import type { HttpResponse } from '../http/http-client.ts'
import { field, type KeyInfo, parseJson, readKey, textOf } from './parse-response.ts'

/** A key in the account's list. */
export type ListedKey = KeyInfo & { id: string }

/** One page of the list. */
export type Page = ReturnType<typeof readPage>

/** Another field may announce more keys. */
const KNOWN_FIELDS = ['results', 'next', 'previous', 'count']
type HeaderRule = [name: RegExp, value: RegExp]
/** Headers of a list that may be old. */
export const CACHED: HeaderRule[] = [
  [/^age$|cache-hits$/, /[1-9]/],
  [/^(?!.*cache-(control|key)$).*cache/, /(^|[^a-z]|refresh)hit|stale|updating|revalidated/i],
  [/^warning$/, /^1/],
]
/** Headers of a list that may lack a key. */
const PARTIAL: HeaderRule[] = [
  [/^link$/, /rel\s*=[\s"']*[^"',;]*\b(next|last)\b/i],
  [
    /^(?!x-total-count$)(.*-)?(total|next|more|cursor|pages?|pagination|truncated)(-(count|pages?|range|cursor|next|token))*$/,
    /./,
  ],
]

/** The names of those that match. */
export function headersLike(rules: HeaderRule[], headers: HttpResponse['headers']): string[] {
  return Object.keys(headers).filter((name) =>
    rules.some(([ofName, ofValue]) => ofName.test(name) && ofValue.test(String(headers[name]))),
  )
}

/** Throws if this is neither an array nor `{results, next}`. */
export function readPage({ status, headers, body }: HttpResponse) {
  const answer = parseJson(body)
  const rows = Array.isArray(answer) ? answer : field(answer, 'results')
  if (!Array.isArray(rows)) throw new Error('neither an array nor a page')
  const described = rows.map(readKey)
  const keys: ListedKey[] = described.flatMap((key) => (key.id === null ? [] : { ...key, id: key.id }))
  const unread = described.filter(
    ({ id, unreadable, createdAt, expiresAt }) =>
      id === null || unreadable !== null || (createdAt ?? expiresAt) === null,
  ).length
  // An absolute URL, a path or a query; null on the last page.
  const next = textOf(field(answer, 'next'))
  const totals = [field(answer, 'count'), headers['x-total-count'], headers['content-range']].flatMap((total) =>
    total === undefined || total === null ? [] : (/\d+$/.exec(String(total).slice(-15))?.[0] ?? 'unreadable'),
  )
  const count = Number(totals[0] ?? Number.NaN)
  const isUnknown = !Array.isArray(answer) && Object.keys(answer ?? {}).some((name) => !KNOWN_FIELDS.includes(name))
  const isOddNext = next === null && Boolean(field(answer, 'next'))
  const isOdd = status !== 200 || isUnknown || isOddNext || totals.some((total) => Number(total) !== count)
  const doubts = [
    unread > 0 && `${unread} of its rows cannot be read`,
    (isOdd || headersLike(PARTIAL, headers).length > 0) && 'it may have pages that cannot be found',
    headersLike(CACHED, headers).length > 0 && 'it comes from a cache',
  ]
  // Why a key may exist that this page does not show.
  const doubt = doubts.find(Boolean) || null
  return { keys, next, doubt, count: Number.isNaN(count) ? null : count }
}
