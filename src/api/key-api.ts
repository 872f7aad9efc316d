import { MAX_ATTEMPT_MS } from '../retry/budget.ts'
import type { Secret } from '../util/brands.ts'
import type { ApiFailure } from './api-failure.ts'
import {
  type ApiOptions,
  type ApiResult,
  type Call,
  type CallLimits,
  createCaller,
  createIssuingApi,
  KEYS_PATH,
} from './call.ts'
import { type ListedKey, type Page, readPage } from './parse-list.ts'
import type { CreatedKey } from './parse-response.ts'

export type { ApiFailure, ApiResult, CallLimits, CreatedKey, ListedKey }

/** One reading of the account's list. */
export interface KeyList {
  keys: ListedKey[]
  /** Why this list cannot show that a key is absent, or null. */
  doubt: string | null
  pages: number
}

const MAX_PAGES = 100

/** The list alone: the main step does without it, and without the bytes that reading it takes. */
export function createListApi(call: Call, apiUrl: string, now: () => number) {
  return {
    /** Reads the list once, page by page. */
    list(credential: Secret, limits: CallLimits) {
      const deadline = now() + limits.timeout
      return readList(new URL(`${apiUrl}${KEYS_PATH}`), (url) =>
        call(
          { method: 'GET', url, credential },
          { ...limits, timeout: Math.max(1, Math.min(MAX_ATTEMPT_MS, deadline - now())) },
          readPage,
        ),
      )
    },
  }
}

/** All calls. */
export function createKeyApi(options: ApiOptions) {
  return { ...createIssuingApi(options), ...createListApi(createCaller(options), options.apiUrl, options.now) }
}

export type KeyApi = ReturnType<typeof createKeyApi>

async function readList(start: URL, readOne: (url: URL) => Promise<ApiResult<Page>>): Promise<ApiResult<KeyList>> {
  const keys: ListedKey[] = []
  const visited = new Set<string>()
  let doubt: string | null = null
  let skew: number | null = null
  for (let url: URL | null = start; url !== null; ) {
    visited.add(url.href)
    const result: ApiResult<Page> = await readOne(url)
    if (!result.ok) return result
    const { value } = result
    skew = result.skew ?? skew
    keys.push(...value.keys)
    doubt ??= value.doubt
    url = value.next === null ? null : nextUrl(value.next, start)
    if (url === null && value.count !== null && value.count !== new Set(keys.map(({ id }) => id)).size)
      doubt ??= `it shows ${keys.length} of ${value.count} keys`
    if (url !== null && (visited.has(url.href) || visited.size === MAX_PAGES)) {
      doubt ??= visited.size === MAX_PAGES ? `it has more than ${MAX_PAGES} pages` : 'its pages repeat'
      url = null
    }
  }
  return { ok: true, skew, value: { keys, doubt, pages: visited.size } }
}

/** Always on our own host: the credential goes nowhere else. */
function nextUrl(next: string, start: URL): URL {
  const isBareQuery = /^[\w-]+=/.test(next)
  const reference = isBareQuery ? `?${next}` : next
  const named = URL.canParse(reference, start.href) ? new URL(reference, start) : start
  const tail = named.pathname.split(KEYS_PATH)[1]
  const url = new URL(start)
  url.pathname = tail === undefined ? named.pathname : start.pathname + tail
  url.search = named.search
  return url
}
