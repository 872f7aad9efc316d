import type { CallLimits, HttpResponse } from '../http/http-client.ts'
import { MAX_ATTEMPT_MS } from '../retry/budget.ts'
import type { Secret } from '../util/brands.ts'
import type { ApiFailure } from './api-failure.ts'
import { type ApiOptions, type ApiResult, type Call, createCaller, createIssuingApi, KEYS_PATH } from './call.ts'
import { field, hasHeader, isStored, type KeyInfo, parseJson, readKey, rowsOf, textOf } from './parse-response.ts'

export type { CreatedKey } from './parse-response.ts'
export type { ApiFailure, ApiResult, CallLimits }

/** A key in the account's list. */
export type ListedKey = KeyInfo & { id: string }

/** One reading of the account's list. */
export interface KeyList {
  keys: ListedKey[]
  /** Why this list cannot show that a key is absent, or null. */
  doubt: string | null
  pages: number
}

const MAX_PAGES = 100

/** Reads the list once, page by page. Called again after a failure, an attempt goes on with the page that failed. */
export function createLister(call: Call, apiUrl: string, now: () => number) {
  const start = new URL(`${apiUrl}${KEYS_PATH}`)
  return (credential: Secret) => {
    const keys: ListedKey[] = []
    const visited = new Set<string>()
    let doubt: string | null = null
    let skew: number | null = null
    let url: URL | null = start
    return async (limits: CallLimits): Promise<ApiResult<KeyList>> => {
      const deadline = now() + limits.timeout
      while (url !== null) {
        const timeout = Math.max(1, Math.min(MAX_ATTEMPT_MS, deadline - now()))
        const result = await call({ method: 'GET', url, credential }, { ...limits, timeout }, readPage)
        if (!result.ok) return result
        visited.add(url.href)
        const page = result.value
        skew = result.skew ?? skew
        keys.push(...page.keys)
        doubt ??= page.doubt
        url = page.next === null ? null : nextUrl(page.next, start)
        if (url === null && page.count !== null && page.count !== new Set(keys.map(({ id }) => id)).size)
          doubt ??= `it shows ${keys.length} of ${page.count} keys`
        if (url !== null && (visited.has(url.href) || visited.size === MAX_PAGES)) {
          doubt ??= visited.size === MAX_PAGES ? `it has more than ${MAX_PAGES} pages` : 'its pages repeat'
          url = null
        }
      }
      return { ok: true, skew, value: { keys, doubt, pages: visited.size } }
    }
  }
}

/** All calls. The main step does not load the list. */
export function createKeyApi(options: ApiOptions) {
  return { ...createIssuingApi(options), list: createLister(createCaller(options), options.apiUrl, options.now) }
}

export type KeyApi = ReturnType<typeof createKeyApi>

/** Always on our own host: the credential goes nowhere else. */
function nextUrl(next: string, start: URL): URL {
  const isBareQuery = /^[\w-]+=/.test(next)
  const named = URL.parse(isBareQuery ? `?${next}` : next, start.href) ?? start
  const tail = named.pathname.split(KEYS_PATH)[1]
  const url = new URL(start)
  url.pathname = tail === undefined ? named.pathname : start.pathname + tail
  url.search = named.search
  return url
}

/** Another field may announce more keys. */
const KNOWN_FIELDS = ['results', 'next', 'previous', 'count']
/** Headers of a list that may lack a key. */
const PARTIAL = [
  /^link: .*rel\s*=[\s"']*[^"',;]*\b(next|last)\b/i,
  /^(?!x-total-count:)(\S*[-_])?(total|next|(has)?more|cursor|continuation|incomplete|pag(es?|ing|ination)|truncated|last-\S*key)([-_]?(count|items|elements|records?|results|pages?|range|cursor|next|offset|token|url|size))*: ./,
  /^(x-)?((list|results?)[-_](count|size)|results?|offset|count): .*\d/,
  /^((x-)?(scroll|marker|bookmark)(-id)?|x-(content-)?range): ./,
]

/** Throws if this is neither an array nor `{results, next}`. */
export function readPage({ status, headers, body }: HttpResponse) {
  const answer = parseJson(body)
  const described = rowsOf(answer).map(readKey)
  const keys: ListedKey[] = described.flatMap((key) => (key.id === null ? [] : { ...key, id: key.id }))
  const unread = described.filter(
    (key) => key.id === null || key.unreadable !== null || (key.createdAt ?? key.expiresAt) === null,
  ).length
  // An absolute URL, a path or a query; null on the last page.
  const next = textOf(field(answer, 'next'))
  const totals = [field(answer, 'count'), headers['x-total-count'], headers['content-range']].flatMap((total) =>
    total === undefined || total === null
      ? []
      : (/(?:^|\/|, )(\d+)$/.exec(String(total).slice(-15))?.[1] ?? 'unreadable'),
  )
  const count = Number(totals[0] ?? Number.NaN)
  const isUnknown = !Array.isArray(answer) && Object.keys(answer ?? {}).some((name) => !KNOWN_FIELDS.includes(name))
  const isOddNext = next === null && Boolean(field(answer, 'next'))
  const isOdd = status !== 200 || isUnknown || isOddNext || totals.some((total) => Number(total) !== count)
  const doubts = [
    unread > 0 && `${unread} of its rows cannot be read`,
    (isOdd || hasHeader(PARTIAL, headers)) && 'it may have pages that cannot be found',
    isStored(headers) && 'it comes from a cache',
  ]
  // Why a key may exist that this page does not show.
  const doubt = doubts.find(Boolean) || null
  return { keys, next, doubt, count: Number.isNaN(count) ? null : count }
}
