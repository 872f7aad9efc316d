import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isHeaderSafe, isRejected } from '../../src/api/call.ts'
import { createKeyApi } from '../../src/api/key-api.ts'
import type { HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import { behind, LIMITS, NOW, SECRET, URL_OF_KEYS } from './behind.ts'

const row = (id: unknown) => ({ id, token_key: 't', created: '2027-01-01T00:00:00Z', expiry: null })
const page = (body: unknown, headers: HttpResponse['headers'] = {}): Partial<HttpResponse> => ({
  body: JSON.stringify(body),
  headers,
})

describe('a request', () => {
  test('to create a key holds the expiry and the credential, and nothing else', async () => {
    const { api, seen } = behind({ status: 201, body: '{}' })
    await api.create(SECRET, '2027-03-01T13:00:00.123Z', { timeout: 77, grace: 5 })
    expect(seen).toEqual([
      {
        method: 'POST',
        url: new URL(URL_OF_KEYS),
        headers: {
          Accept: 'application/json',
          Authorization: `Bearer ${SECRET}`,
          'User-Agent': 'agent/1',
          'Content-Type': 'application/json',
        },
        body: '{"expiry":"2027-03-01T13:00:00.123Z"}',
        timeout: 77,
        grace: 5,
      },
    ])
  })

  test('to revoke a key escapes its id, whatever it holds', async () => {
    const { api, seen } = behind({ status: 204, body: '' })
    expect(await api.revoke(SECRET, 'a/../b?c#d \u00e9', LIMITS)).toMatchObject({ ok: true })
    expect(seen[0]?.url.href).toBe(`${URL_OF_KEYS}/a%2F..%2Fb%3Fc%23d%20%C3%A9`)
    expect(seen[0]?.method).toBe('DELETE')
    expect(seen[0]?.body).toBeUndefined()
  })

  test('to probe a key asks for the list with it', async () => {
    const { api, seen } = behind({})
    expect(await api.probe(SECRET, LIMITS)).toMatchObject({ ok: true })
    expect(seen.map(({ method, url }) => `${method} ${url.href}`)).toEqual([`GET ${URL_OF_KEYS}`])
  })
})

describe('a probe', () => {
  test.each<[string, Partial<HttpResponse>, boolean]>([
    ['is rejected by 401', { status: 401, body: '{"detail":"Invalid token."}' }, true],
    [
      'is rejected by 401 that asks for Bearer',
      { status: 401, headers: { 'www-authenticate': 'Bearer realm="api"' } },
      true,
    ],
    ['is rejected by 401 without content', { status: 401, body: '' }, true],
    [
      'is not rejected by 401 that asks for Basic',
      { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
      false,
    ],
    [
      'is not rejected by 401 that asks for Negotiate or NTLM',
      { status: 401, headers: { 'www-authenticate': 'Negotiate, NTLM' } },
      false,
    ],
    ['is not rejected by a 401 page of HTML', { status: 401, body: '  <!doctype html>' }, false],
    [
      'is not rejected by 401 of type text/html',
      { status: 401, body: 'Log in', headers: { 'content-type': 'text/html' } },
      false,
    ],
    ['is not rejected by 403', { status: 403 }, false],
    ['is not rejected by 404', { status: 404 }, false],
    ['is not rejected by a redirect to a login page', { status: 302 }, false],
    ['is not rejected by 500', { status: 500 }, false],
    ['is not rejected by 200', { status: 200 }, false],
    ['is not rejected by HTML with 200', { status: 200, body: '<html>' }, false],
  ])('%s', async (_, response, rejected) => {
    const result = await behind({ body: '{}', ...response }).api.probe(SECRET, LIMITS)
    expect(isRejected(result)).toBe(rejected)
  })

  test('is accepted by 200 with JSON alone', async () => {
    expect((await behind({ body: '[]' }).api.probe(SECRET, LIMITS)).ok).toBe(true)
    for (const body of ['<html>', '', '\u001f\ufffd'])
      expect((await behind({ body }).api.probe(SECRET, LIMITS)).ok).toBe(false)
  })
})

describe('a list in pages', () => {
  const second = [`${URL_OF_KEYS}`, `${URL_OF_KEYS}?page=2`]

  test.each<[string, string, string[]]>([
    ['an absolute URL', `${URL_OF_KEYS}?page=2`, second],
    [
      'an absolute URL of an inner host, to which nothing is sent',
      'http://internal.example:81/api/user/api-keys?page=2',
      second,
    ],
    [
      'an absolute URL of another host and path',
      'http://evil.example/other?page=2',
      [URL_OF_KEYS, 'https://api.example:8443/other?page=2'],
    ],
    ['a path', '/base/api/user/api-keys?page=2', second],
    ['a path without our prefix', '/api/user/api-keys?page=2', second],
    ['a path with a page in it', '/base/api/user/api-keys/page/2', [URL_OF_KEYS, `${URL_OF_KEYS}/page/2`]],
    ['a query', '?page=2', second],
    ['a bare query', 'page=2', second],
    ['a cursor', `${URL_OF_KEYS}?cursor=cD0yMDI3%3D`, [URL_OF_KEYS, `${URL_OF_KEYS}?cursor=cD0yMDI3%3D`]],
  ])('is read to its end where next is %s', async (_, next, urls) => {
    const { api, seen } = behind(page({ results: [row(1)], next }), page({ results: [row(2)], next: null }))
    const result = await api.list(SECRET)(LIMITS)
    expect(result).toMatchObject({
      ok: true,
      value: { keys: [{ id: '1' }, { id: '2' }], doubt: null, pages: 2 },
    })
    expect(seen.map(({ url }) => url.href)).toEqual(urls)
  })

  test('never sends the credential to another host, whatever next says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.webUrl()), async (next) => {
        const { api, seen } = behind(page({ results: [row(1)], next }), page([]))
        await api.list(SECRET)(LIMITS)
        for (const { url } of seen) expect(url.origin).toBe('https://api.example:8443')
      }),
    )
  })

  test.each<[string, Partial<HttpResponse>[], number, string]>([
    ['its next page is itself', [page({ results: [], next: URL_OF_KEYS })], 1, 'its pages repeat'],
    ['its pages repeat', [page({ results: [], next: '?page=2' })], 2, 'its pages repeat'],
  ])('cannot show absence where %s', async (_, pages, count, doubt) => {
    const { api, seen } = behind(...pages)
    expect(await api.list(SECRET)(LIMITS)).toMatchObject({ ok: true, value: { doubt } })
    expect(seen).toHaveLength(count)
  })

  test('cannot show absence beyond 100 pages', async () => {
    const pages = Array.from({ length: 150 }, (_, index) =>
      page({ results: [row(index)], next: `?page=${index + 2}` }),
    )
    const { api, seen } = behind(...pages)
    const result = await api.list(SECRET)(LIMITS)
    expect(result).toMatchObject({ ok: true, value: { doubt: 'it has more than 100 pages', pages: 100 } })
    expect(seen).toHaveLength(100)
  })

  test('that stops in the middle is no list', async () => {
    const { api } = behind(page({ results: [row(1)], next: '?page=2' }), { status: 503 })
    expect(await api.list(SECRET)(LIMITS)).toMatchObject({ ok: false, failure: { status: 503 } })
  })

  test('goes on with the page that failed when it is asked again', async () => {
    const second = page({ results: [row(2)], next: null })
    const { api, seen } = behind(page({ results: [row(1)], next: '?page=2' }), { status: 429 }, second)
    const attempt = api.list(SECRET)
    expect(await attempt(LIMITS)).toMatchObject({ ok: false, failure: { status: 429 } })
    expect(await attempt(LIMITS)).toMatchObject({
      ok: true,
      value: { keys: [{ id: '1' }, { id: '2' }], pages: 2 },
    })
    expect(seen.map(({ url }) => url.search)).toEqual(['', '?page=2', '?page=2'])
  })

  test('has one time limit for all of its pages', async () => {
    const timeouts: number[] = []
    const client = async ({ timeout }: HttpRequest): Promise<HttpResponse> => {
      const next = timeouts.push(timeout) < 3 ? `?page=${timeouts.length + 1}` : null
      return { status: 200, headers: {}, body: JSON.stringify({ results: [], next }) }
    }
    const now = () => NOW + timeouts.length * 4_000
    const api = createKeyApi({ client, apiUrl: 'https://api.example', userAgent: 'agent/1', now })
    expect(await api.list(SECRET)({ timeout: 10_000 })).toMatchObject({ ok: true, value: { pages: 3 } })
    expect(timeouts).toEqual([10_000, 6_000, 2_000])
  })

  test('compares the count with the rows of all pages', async () => {
    const of = async (count: number) => {
      const { api } = behind(
        page({ results: [row(1)], next: '?page=2', count }),
        page({ results: [row(2)], next: null, count }),
      )
      const result = await api.list(SECRET)(LIMITS)
      return result.ok && result.value.doubt
    }
    expect(await of(2)).toBeNull()
    expect(await of(3)).toBe('it shows 2 of 3 keys')
  })

  test('has the doubt of any of its pages', async () => {
    const { api } = behind(
      page({ results: [row(1)], next: '?page=2' }, { age: '7' }),
      page({ results: [row(2)] }),
    )
    expect(await api.list(SECRET)(LIMITS)).toMatchObject({ value: { doubt: 'it comes from a cache' } })
  })
})

describe('what one page says about itself', () => {
  const MORE = 'it may have pages that cannot be found'
  const doubtOf = async (body: unknown, headers: HttpResponse['headers'] = {}) => {
    const result = await behind(page(body, headers)).api.list(SECRET)(LIMITS)
    return result.ok ? result.value.doubt : 'unreadable'
  }
  test.each([
    { 'x-cache': 'TCP_HIT' },
    { 'x-cache': 'TCP_MEM_HIT from a23-1-2-3' },
    { 'cf-cache-status': 'STALE' },
    { 'cf-cache-status': 'UPDATING' },
    { 'x-cache-hits': '4' },
    { 'x-cache': 'RefreshHit from cloudfront' },
    { warning: '110 - "Response is Stale"' },
  ])('comes from a cache with %j', async (headers) => {
    expect(await doubtOf([row(1)], headers)).toBe('it comes from a cache')
  })

  test.each([203, 206])('may lack a key with status %i', async (status) => {
    const result = await behind({ ...page([row(1)]), status }).api.list(SECRET)(LIMITS)
    expect(result).toMatchObject({ ok: true, value: { doubt: MORE } })
  })

  test('with a count of 200,000 digits is read in no time', async () => {
    expect(await doubtOf({ results: [row(1)], count: `${'1'.repeat(200_000)}x` })).toBe(MORE)
  })

  test('with a header that repeats the word cache is read in no time', async () => {
    const value = `${'cache'.repeat(2_000)}${': '.repeat(3_000)}`
    expect(await doubtOf([row(1)], { 'x-a': value })).toBeNull()
  })

  test.each<[string, unknown, HttpResponse['headers'], string | null]>([
    [
      'headers of every day are of no cache and no page',
      [row(1)],
      {
        'accept-ranges': 'bytes',
        'x-powered-by': 'Next.js',
        link: '<https://x/>; rel="describedby"',
        'x-message': '5',
        agent: '7',
        'x-cache-hits-limit': '9',
        'x-warning': '1',
        'warning-level': '1',
        'x-link': 'next',
        'link-template': 'last',
        'x-nextjs-cache': 'MISS',
        'x-nextjs-stale-time': '300',
        'x-opennext': '1',
        'x-kong-total-latency': '3',
        'x-mod-pagespeed': '1.13',
        'x-page-speed': 'x',
        'x-next-hop': 'x',
        'x-total-time': '7',
        'cdn-cache-control': 'stale-while-revalidate=60',
        'x-cache': 'MISS from squid.architects.example',
        'x-cache-key': '/keys/whitehat',
        'x-ratelimit-limit': '60',
        'x-rate-limit-count': '3',
        'ratelimit-limit': '60',
        'x-envoy-attempt-count': '1',
        'x-account-id': '1',
        'x-result': 'ok',
        'x-list-id': '7',
        'x-limit': '100',
        'x-total-count': '1, 1',
        'x-cache-lookup': 'Cache Miss',
        'cache-status': 'cache.corp.example;fwd=miss;detail=no-cache',
        'x-cache-status': 'CACHE DISABLED',
        'x-served-by': 'cache-lhr7335-LHR',
        'x-cdn': 'Imperva',
        'last-modified': 'Mon, 01 Mar 2027 12:00:00 GMT',
        'x-cache-age': '0',
        'x-runtime': '0.03',
        'x-retry-count': '1',
        server: 'x',
      },
      null,
    ],
    ['a bare array is complete', [row(1)], {}, null],
    ['an empty array is complete', [], {}, null],
    [
      'a page without a next one is complete',
      { results: [row(1)], next: null, previous: null, count: 1 },
      {},
      null,
    ],
    [
      'has_more: false is not, as no other field is understood',
      { results: [row(1)], has_more: false },
      {},
      MORE,
    ],
    ['has_more: true is not', { results: [row(1)], has_more: true }, {}, MORE],
    ['hasMore is not', { results: [row(1)], hasMore: true }, {}, MORE],
    ['next_cursor is not', { results: [row(1)], next_cursor: 'abc' }, {}, MORE],
    ['a next page by number is not', { results: [row(1)], next: 2 }, {}, MORE],
    [
      'a Link to a next page is not',
      [row(1)],
      { link: '<https://x/?page=2>; rel="next", <https://x/>; rel="first"' },
      MORE,
    ],
    [
      'a Link to a next page without quotes is not',
      [row(1)],
      { link: '<https://x/?page=2>; rel=next' },
      MORE,
    ],
    ['a Link to a file named last is', [row(1)], { link: '</last/next.css>; rel=preload' }, null],
    ['a Link to the previous page is', [row(1)], { link: '<https://x/?page=1>; rel="prev"' }, null],
    ['a count above the rows is not', { results: [row(1)], count: 2 }, {}, 'it shows 1 of 2 keys'],
    ['X-Total-Count above the rows is not', [row(1)], { 'x-total-count': '2' }, 'it shows 1 of 2 keys'],
    ['X-Total-Count of the rows is', [row(1)], { 'x-total-count': '1' }, null],
    ['an Age is of a cache', [row(1)], { age: '20' }, 'it comes from a cache'],
    ['an Age of 0 is current', [row(1)], { age: '0' }, null],
    ['X-Cache: HIT is of a cache', [row(1)], { 'x-cache': 'Hit from cloudfront' }, 'it comes from a cache'],
    ['X-Cache: MISS is current', [row(1)], { 'x-cache': 'MISS' }, null],
    [
      'Cache-Status: "edge"; fwd=stale; fwd-status=200 is current',
      [row(1)],
      { 'cache-status': '"edge"; fwd=stale; fwd-status=200' },
      null,
    ],
    ['X-Cache: hit-for-pass is current', [row(1)], { 'x-cache': 'hit-for-pass' }, null],
    ['X-Cacheable: NO:Hit-For-Pass is current', [row(1)], { 'x-cacheable': 'NO:Hit-For-Pass' }, null],
    [
      'Cache-Policy: no-store, stale-if-error=0 is current',
      [row(1)],
      { 'cache-policy': 'no-store, stale-if-error=0' },
      null,
    ],
    [
      'CDN-CachedAt: 11/29/2026 02:10:51 is current',
      [row(1)],
      { 'cdn-cachedat': '11/29/2026 02:10:51' },
      null,
    ],
    ['X-Cached-Ttl: 120 is current', [row(1)], { 'x-cached-ttl': '120' }, null],
    ['X-Cache-Info: not cached is current', [row(1)], { 'x-cache-info': 'not cached' }, null],
    ['Cache-Tag: top hits is current', [row(1)], { 'cache-tag': 'top hits' }, null],
    ['Warning: 199 - "Miscellaneous" is current', [row(1)], { warning: '199 - "Miscellaneous"' }, null],
    ['no hits of a cache are current', [row(1)], { 'x-cache-hits': '0', 'cf-cache-status': 'DYNAMIC' }, null],
    [
      'a rule about caches is no cached answer',
      [row(1)],
      { 'cache-control': 'max-age=0, stale-while-revalidate=30, must-revalidate' },
      null,
    ],
    [
      'a row without an id cannot be read',
      [row(1), { uuid: 'x', expiry: null }],
      {},
      '1 of its rows cannot be read',
    ],
    ['a row that is no row cannot be read', [row(1), null, 7], {}, '2 of its rows cannot be read'],
    [
      'a row with an expiry in words cannot be read',
      [{ ...row(1), expiry: 'soon' }],
      {},
      '1 of its rows cannot be read',
    ],
    [
      'a row without an expiry cannot be read',
      [{ id: 1, token_key: 't', created: null }],
      {},
      '1 of its rows cannot be read',
    ],
    [
      'a row without any time cannot be read',
      [{ ...row(1), created: null }],
      {},
      '1 of its rows cannot be read',
    ],
    ['an object without results is no list', { data: [] }, {}, 'unreadable'],
    ['an error with 200 is no list', { success: false, error: 'x' }, {}, 'unreadable'],
  ])('%s', async (_, body, headers, doubt) => {
    expect(await doubtOf(body, headers)).toBe(doubt)
  })

  test.each<[string, unknown, HttpResponse['headers']]>([
    [
      'links.next, as in Django REST framework’s own example',
      { results: [row(1)], links: { next: 'https://x/?page=2', previous: null } },
      {},
    ],
    ['meta.next', { results: [row(1)], meta: { next: '/?page=2' } }, {}],
    ['a total above the rows', { results: [row(1)], total: 120 }, {}],
    ['several total_pages', { results: [row(1)], page: 1, total_pages: 3 }, {}],
    ['Content-Range', [row(1)], { 'content-range': 'items 0-0/120' }],
    ['Content-Range without a total', [row(1)], { 'content-range': 'items 0-0/*' }],
    ['X-Next-Page', [row(1)], { 'x-next-page': '2' }],
    ['X-Total beside X-Total-Pages', [row(1)], { 'x-total': '1', 'x-total-pages': '1' }],
    ['X-Pagination', [row(1)], { 'x-pagination': '{"pages":3}' }],
    ['X-Has-More', [row(1)], { 'x-has-more': 'true' }],
    ['X-Next-Cursor', [row(1)], { 'x-next-cursor': 'abc' }],
    ['a Link in single quotes', [row(1)], { link: "<https://x/?page=2>; rel='next'" }],
    ['a Link with several relations', [row(1)], { link: '<https://x/?page=2>; rel="last next"' }],
    ['a Link with blanks', [row(1)], { link: '<https://x/?page=2>; rel = "next"' }],
    ['X-Total-Count-Pages', [row(1)], { 'x-total-count-pages': '1' }],
    ['Next-Page-Token', [row(1)], { 'next-page-token': 'x' }],
    ['a Link to the last page alone', [row(1)], { link: '<https://x/?page=3>; rel="last"' }],
    ['Total beside Per-Page', [row(1)], { total: '3', 'per-page': '1' }],
    ['Next-Range', [row(1)], { 'next-range': 'id ]1..; max=1' }],
    ['Has-More', [row(1)], { 'has-more': 'true' }],
    ['Pagination-Next', [row(1)], { 'pagination-next': '2' }],
    ['X-Truncated', [row(1)], { 'x-truncated': '1' }],
    ['a count beside a higher X-Total-Count', { results: [row(1)], count: 1 }, { 'x-total-count': '3' }],
    ['an Age that two caches joined', [row(1)], { age: '20, 30' }],
    ['CF-Cache-Status: HIT', [row(1)], { 'cf-cache-status': 'HIT' }],
    ['X-Total-Items', [row(1)], { 'x-total-items': '57' }],
    ['X-Total-Results', [row(1)], { 'x-total-results': '57' }],
    ['X-Total-Records', [row(1)], { 'x-total-records': '57' }],
    ['X-WP-TotalPages', [row(1)], { 'x-wp-totalpages': '3' }],
    ['x-ms-continuation', [row(1)], { 'x-ms-continuation': 'token' }],
    ['X-Continuation-Token', [row(1)], { 'x-continuation-token': 'token' }],
    ['X-Next-Offset', [row(1)], { 'x-next-offset': '20' }],
    ['X-Next-Url', [row(1)], { 'x-next-url': '/?page=2' }],
    ['X-Incomplete-Results', [row(1)], { 'x-incomplete-results': 'true' }],
    ['X-Tyk-Cached-Response', [row(1)], { 'x-tyk-cached-response': '1' }],
    ['X-From-Cache', [row(1)], { 'x-from-cache': '1' }],
    ['X-Rack-Cache', [row(1)], { 'x-rack-cache': 'fresh' }],
    ['X-Cache-Info', [row(1)], { 'x-cache-info': 'cached' }],
    ['Server-Timing', [row(1)], { 'server-timing': 'cdn-cache; desc=HIT' }],
    ['X-Varnish', [row(1)], { 'x-varnish': '32770 3' }],
    ['X-TotalCount', [row(1)], { 'x-totalcount': '4' }],
    ['X-Total_Count', [row(1)], { 'x-total_count': '4' }],
    ['X-Total-Elements', [row(1)], { 'x-total-elements': '4' }],
    ['X-Count', [row(1)], { 'x-count': '4' }],
    ['X-Result-Count', [row(1)], { 'x-result-count': '4' }],
    ['X-Results', [row(1)], { 'x-results': '4' }],
    ['X-List-Size', [row(1)], { 'x-list-size': '4' }],
    ['X-Paging', [row(1)], { 'x-paging': '{"total":4}' }],
    ['X-Paging-TotalRecordCount', [row(1)], { 'x-paging-totalrecordcount': '4' }],
    ['X-PageCount', [row(1)], { 'x-pagecount': '2' }],
    ['X-Page-Size', [row(1)], { 'x-page-size': '1' }],
    ['X-Offset', [row(1)], { 'x-offset': '0' }],
    ['X-HasMore', [row(1)], { 'x-hasmore': 'true' }],
    ['X-NextPage', [row(1)], { 'x-nextpage': '2' }],
    ['X-Range', [row(1)], { 'x-range': '0-0/4' }],
    ['X-Content-Range', [row(1)], { 'x-content-range': '0-0/4' }],
    ['X-Scroll-Id', [row(1)], { 'x-scroll-id': 'x' }],
    ['X-Marker', [row(1)], { 'x-marker': 'x' }],
    ['X-Bookmark', [row(1)], { 'x-bookmark': 'x' }],
    ['Last-Key', [row(1)], { 'last-key': 'x' }],
    ['X-Amz-Last-Evaluated-Key', [row(1)], { 'x-amz-last-evaluated-key': 'x' }],
    ['X-Cache-Result', [row(1)], { 'x-cache-result': 'HIT' }],
    ['X-Cache-State', [row(1)], { 'x-cache-state': 'hit' }],
    ['X-Cache-Age', [row(1)], { 'x-cache-age': '60' }],
    ['X-Cdn', [row(1)], { 'x-cdn': 'HIT' }],
    ['a count with a comma', { results: [row(1)], count: '1,001' }, {}],
  ])('%s cannot show absence', async (_, body, headers) => {
    expect(await doubtOf(body, headers)).not.toBeNull()
  })
})

describe('the server’s clock', () => {
  const skewOf = async (date: string) => (await behind({ headers: { date } }).api.list(SECRET)(LIMITS)).skew

  test('is not known from a Date in the form of asctime, which Node would take for local time', async () => {
    const { api } = behind({ status: 200, body: '[]', headers: { date: 'Mon Mar  1 12:00:00 2027' } })
    expect((await api.probe(SECRET, LIMITS)).skew).toBeNull()
  })

  test('is that of the Date header, half a second further', async () => {
    expect(await skewOf('Mon, 01 Mar 2027 12:02:00 GMT')).toBe(120_500)
    expect(await skewOf('Mon, 01 Mar 2027 11:58:00 GMT')).toBe(-119_500)
  })

  test.each([
    'soon',
    '',
    'Wed, 31 Mar 2027 12:00:00 GMT',
    'Sat, 27 Feb 2027 12:00:00 GMT',
    'Fri, 01 Jan 275760 00:00:00 GMT',
  ])('is not told by %j: unreadable, or more than a day off', async (date) => {
    expect(await skewOf(date)).toBeNull()
  })

  test('is told by failures as well', async () => {
    const { api } = behind({ status: 400, headers: { date: new Date(NOW + 60_000).toUTCString() } })
    expect((await api.create(SECRET, 'x', LIMITS)).skew).toBe(60_500)
  })
})

describe('a credential', () => {
  test.each([
    ['abc-._~+/=', true],
    ['', false],
    ['a b', false],
    ['a\nb', false],
    ['a\u0000', false],
    ['\u00e4', false],
    ['\ud83d\udd11', false],
  ])('%j can be sent: %s', (credential, safe) => {
    expect(isHeaderSafe(credential)).toBe(safe)
  })
})
