import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { failureOf as judge } from '../../src/api/api-failure.ts'
import type { HttpResponse } from '../../src/http/http-client.ts'
import { HttpError } from '../../src/http/http-error.ts'
import { behind, failureOf, LIMITS, NOW, SECRET } from './behind.ts'

const ASKED = 'POST /base/api/user/api-keys'
const answered = (status: number) => `api.example:8443 answered ${status} to ${ASKED}`

describe('the API’s own reason is shown', () => {
  test.each([
    ['{"detail":"Not found."}', 'Not found'],
    ['{"error":"Bad"}', 'Bad'],
    ['{"expiry":["One.","Two."]}', 'expiry: One.; expiry: Two'],
    ['{"detail":"D","code":"c","messages":[{"message":"M"}]}', 'D; M'],
    ['{"a":{"b":["deep"]}}', 'a: b: deep'],
    [`{"data":{"note":"${'0123456789abcdef'.repeat(4)}"}}`, 'data: note: ***'],
    ['{"detail":"x","token":"ss.aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbb"}', 'x'],
    ['{"detail":"x","secret":"s3cr3t","api_key":{"note":"abc"},"token_key":"abc"}', 'x'],
    ['{"detail":"no ss.aaaaaaaaaaaaaaaaaaaa.bbbb here"}', 'no *** here'],
    ['{"detail":"mail about 0123456789:0123456789:0123 failed"}', 'mail about *** failed'],
    ['["plain"]', 'plain'],
    ['"text"', 'text'],
    [`{"detail":"no ${SECRET} here"}`, 'no *** here'],
    ['{"detail":"two\\n::error::lines"}', 'two ::error::lines'],
  ])('for %s', async (body, words) => {
    for (const status of [401, 403, 409, 500])
      expect((await failureOf({ status, body })).message).toBe(`${answered(status)}: ${words}`)
  })

  test.each(['', '{}', 'null', '{"code":"x"}'])('as nothing for %j', async (body) => {
    expect((await failureOf({ status: 403, body })).message).toBe(answered(403))
  })

  test.each([
    [200, '{"success":false,"error":"API key limit reached (5 of 5)."}', 'API key limit reached (5 of 5)'],
    [202, '{"detail":"Queued."}', 'Queued'],
  ])('for %i too, where the response holds no key: %s', async (status, body, words) => {
    const failure = await failureOf({ status, body })
    expect(failure.message).toContain(`${answered(status)}: `)
    expect(failure.message).toContain(words)
    expect(failure).toMatchObject({ unusable: true, mayHaveActed: true })
  })
})

describe('a key in a response of an unknown shape', () => {
  test.each([
    ['base64', 'q8Zt+Yx2/0sDf7LmP+b4Vn1/Kc9Rw+Te5Hj3/GaUo6I='],
    ['of 20 characters', 'k7Qw2Zx9Lm4Bv6Np1Rt8'],
    ['with dots', 'ssk.9f8a7b6c5d4e.3f2a1b0c9d8e.7f6a5b4c3d2e'],
  ])('is not printed: %s', async (_, key) => {
    for (const body of [{ data: { token: key } }, { key }, { api_key: { key } }]) {
      const { message } = await failureOf({ status: 201, body: JSON.stringify(body) })
      for (const part of key.match(/\w{6,}/g) ?? [key]) expect(message).not.toContain(part)
    }
  })
})

describe('what came from something in front of the API', () => {
  const HTML = ' with an HTML page, not the JSON of this API'

  test.each<[string, Parameters<typeof failureOf>[0], string]>([
    ['an HTML page', { status: 403, body: '<html><h1>Forbidden</h1></html>' }, HTML],
    ['an HTML page with white space before it', { status: 401, body: ' \n<!doctype html>' }, HTML],
    [
      'text of type text/html',
      { status: 404, body: 'Not here', headers: { 'content-type': 'text/html; charset=utf-8' } },
      HTML,
    ],
    ['a challenge', { status: 403, body: '<html>', headers: { 'cf-mitigated': 'challenge' } }, HTML],
    [
      'Basic authentication',
      { status: 401, body: '', headers: { 'www-authenticate': 'Basic realm="maintenance"' } },
      ', and asks for Basic authentication, which this API does not use',
    ],
    [
      'NTLM',
      { status: 401, body: '{}', headers: { 'www-authenticate': 'NTLM' } },
      ', and asks for NTLM authentication, which this API does not use',
    ],
  ])('is named: %s', async (_, response, says) => {
    const failure = await failureOf(response)
    expect(failure.message).toBe(`${answered(failure.status ?? 0)}${says}`)
    expect(failure).toMatchObject({ notFromApi: true, retryable: true, mayHaveActed: true })
  })

  test.each<[string, Parameters<typeof failureOf>[0]]>([
    ['401 with JSON', { status: 401, body: '{"detail":"x"}' }],
    ['401 that asks for Bearer', { status: 401, body: '', headers: { 'www-authenticate': 'Bearer' } }],
    [
      '401 that asks for Bearer among others',
      { status: 401, body: '', headers: { 'www-authenticate': 'Basic realm="x", Bearer' } },
    ],
    ['403 with JSON', { status: 403, body: '{}' }],
    [
      '401 with JSON that the server calls HTML',
      { status: 401, body: '{"detail":"x"}', headers: { 'content-type': 'text/html; charset=utf-8' } },
    ],
    [
      '401 with JSON and a WWW-Authenticate without a scheme',
      { status: 401, body: '{"detail":"x"}', headers: { 'www-authenticate': '' } },
    ],
  ])('is not claimed of %s', async (_, response) => {
    expect((await failureOf(response)).notFromApi).toBe(false)
  })

  test('the API’s reason is shown if the server calls its JSON HTML', async () => {
    const headers = { 'content-type': 'text/html' }
    const { message } = await failureOf({ status: 403, body: '{"detail":"Not yours."}', headers })
    expect(message).toBe(`${answered(403)}: Not yours`)
  })

  test('HTML with 200 is called that', async () => {
    expect(
      (await failureOf({ status: 200, body: '<html>', headers: { 'content-type': 'text/html' } })).message,
    ).toBe(`${answered(200)}${HTML}`)
  })
})

describe('what a status means', () => {
  test.each([
    [400, false, false],
    [401, false, false],
    [404, false, false],
    [405, false, false],
    [301, true, false],
    [302, true, false],
    [303, true, false],
    [304, true, false],
    [307, true, false],
    [308, true, false],
    [407, true, true],
    [408, true, true],
    [409, true, true],
    [410, false, false],
    [422, false, false],
    [421, true, true],
    [423, true, true],
    [424, true, true],
    [425, true, true],
    [429, false, true],
    [499, true, true],
    [500, true, true],
    [502, true, true],
    [503, true, true],
    [100, true, true],
  ])('%i: may have acted %s, retryable %s', async (status, mayHaveActed, retryable) => {
    expect(await failureOf({ status, body: '{}' })).toMatchObject({ status, mayHaveActed, retryable })
  })

  test.each(['', 'Forbidden', '404 page not found', '403'])(
    'a refusal with %j may have acted: only the API’s own JSON proves that nothing was done',
    async (body) => {
      for (const status of [400, 401, 403, 404, 410])
        expect(await failureOf({ status, body })).toMatchObject({ mayHaveActed: true })
    },
  )

  test.each([400, 403, 409, 429])(
    'a %i that holds a key has acted: something replaced the status',
    async (status) => {
      for (const body of ['{"token":"abc"}', '{"api_key":{"id":"k1"}}'])
        expect(await failureOf({ status, body })).toMatchObject({ mayHaveActed: true })
    },
  )

  test('a 429 has not acted, whoever gave it, and is no reason to try without waiting', async () => {
    for (const body of ['', 'slow down', '<html>', '{}'])
      expect(await failureOf({ status: 429, body, headers: { 'retry-after': '7' } })).toMatchObject({
        ...{ mayHaveActed: false, retryable: true, notFromApi: false, retryAfter: 7_000 },
      })
  })

  test.each(['{"tok', '\u001f\ufffd\b\u0000\u0000', '', '[]', '7', 'null'])(
    'a 2xx with %j may have acted, and is unusable',
    async (body) => {
      expect(await failureOf({ status: 201, body })).toMatchObject({
        status: 201,
        mayHaveActed: true,
        retryable: true,
        unusable: true,
        message: `${answered(201)}: something that is not the JSON of this API`,
      })
    },
  )
})

describe('Retry-After', () => {
  const retryAfter = async (status: number, header: string) =>
    (await failureOf({ status, body: '', headers: { 'retry-after': header } })).retryAfter

  test('is respected with 429 and 503, and with no other status', async () => {
    expect(await retryAfter(429, '7')).toBe(7_000)
    expect(await retryAfter(503, '7')).toBe(7_000)
    for (const status of [500, 502, 403, 301]) expect(await retryAfter(status, '7')).toBeUndefined()
    expect((await failureOf({ status: 429 })).retryAfter).toBeUndefined()
  })

  test('in the form of a date counts from the server’s clock', async () => {
    const headers = {
      date: new Date(NOW + 600_000).toUTCString(),
      'retry-after': new Date(NOW + 605_000).toUTCString(),
    }
    const { retryAfter } = await failureOf({ status: 429, body: '', headers })
    expect(Math.abs((retryAfter ?? 0) - 5_000)).toBeLessThanOrEqual(500)
  })

  test('a 429 is called too many requests', async () => {
    expect((await failureOf({ status: 429, body: '{"detail":"Request was throttled."}' })).message).toBe(
      `${answered(429)}: too many requests`,
    )
  })
})

describe('a redirect', () => {
  const to = async (location?: string) =>
    (await failureOf({ status: 301, headers: location === undefined ? {} : { location } })).message

  test.each([
    ['https://other.example/x?secret=1', 'other.example'],
    ['//other.example/x', 'other.example'],
    [`https://${'k'.repeat(60)}.example/`, '***.example'],
    ['/base/api/user/api-keys/', 'https://api.example:8443/base/api/user/api-keys/'],
    ['https://api.example:8443/login?next=x', 'https://api.example:8443/login'],
    ['api-keys/', 'https://api.example:8443/base/api/user/api-keys/'],
    [`/show/${'k'.repeat(64)}`, 'https://api.example:8443/show/kkkkkkkk...'],
    ['https://', 'an unreadable address'],
  ])('to %s is reported as one to %s', async (location, place) => {
    expect(await to(location)).toBe(
      `${answered(301)} with a redirect to ${place}; redirects are never followed. Check api-url`,
    )
  })

  test('without a target is not reported as one to the path that was asked', async () => {
    expect(await to()).toContain('an unreadable address')
  })
})

test.each([true, false])('a failure of the network is retryable if its error is: %s', async (retryable) => {
  const message = 'api.example:8443: it failed'
  for (const mayHaveActed of [true, false])
    expect(await failureOf(new HttpError('it failed', mayHaveActed, retryable))).toEqual({
      message,
      mayHaveActed,
      retryable,
    })
})

test('a host whose name does not exist, and a success that was cut, are marked as such', async () => {
  const error = Object.assign(new HttpError('it failed', true), { isUnknownHost: true, unusable: true })
  expect(await failureOf(error)).toMatchObject({ isUnknownHost: true, unusable: true })
})

test('whatever is answered, nothing throws, and the message is one short line without the credential or a key', async () => {
  const key = 'k'.repeat(64)
  const body = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.constant('['.repeat(50_000)),
    fc.constant('{"expiry":{"toString":1},"results":[{"id":1,"created":{"toString":1}}]}'),
    fc.anything().map((value) => JSON.stringify({ detail: value, note: SECRET, token: key }) ?? ''),
  )
  const headers = fc.dictionary(
    fc.constantFrom('date', 'location', 'retry-after', 'www-authenticate', 'age', 'link'),
    fc.string({ unit: 'binary' }),
  )
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 100, max: 599 }), headers, body, async (status, given, text) => {
      const { api } = behind({ status, headers: given, body: text })
      for (const result of [
        await api.create(SECRET, 'x', LIMITS),
        await api.list(SECRET)(LIMITS),
        await api.revoke(SECRET, 'id', LIMITS),
        await api.probe(SECRET, LIMITS),
      ]) {
        if (result.ok) continue
        expect(result.failure.message).not.toContain(SECRET)
        expect(result.failure.message).not.toContain(key)
        expect(result.failure.message).not.toMatch(/[\r\n]/)
        expect(result.failure.message.length).toBeLessThan(600)
      }
    }),
    { numRuns: 100 },
  )
})

describe('the words of a failure', () => {
  const url = (path: string) => new URL(`https://api.example${path}`)
  const response = (more: Partial<HttpResponse> = {}): HttpResponse => ({
    status: 403,
    headers: {},
    body: '',
    ...more,
  })
  const saysOf = (more: Partial<HttpResponse>, path = '/keys') =>
    judge({ method: 'DELETE', url: url(path), credential: SECRET }, response(more), NOW)
  const reasonOf = (body: unknown) =>
    saysOf({ body: JSON.stringify(body) }).message.replace(
      /^api.example answered 403 to DELETE \/keys(: )?/,
      '',
    )

  test.each([
    [`/keys/${'a'.repeat(23)}`, `/keys/${'a'.repeat(23)}`],
    [`/keys/${'a'.repeat(24)}`, '/keys/aaaaaaaa...'],
    [`/keys/12345678${'b'.repeat(40)}`, '/keys/12345678...'],
    [`/${'a'.repeat(40)}/keys`, '/aaaaaaaa.../keys'],
  ])('shorten only what may be an id or a key in the path: %s', (path, shown) => {
    expect(saysOf({}, path).message).toBe(`api.example answered 403 to DELETE ${shown}`)
  })

  test.each<[string, unknown, string]>([
    ['of objects three deep', { a: { b: { c: { d: 'x' } } } }, 'a: b: c: d: x'],
    ['of no deeper ones', { a: { b: { c: { d: { e: 'x' } } } } }, ''],
    ['of a name that only ends like a plain one', { xdetail: 'x' }, 'xdetail: x'],
    ['of a name that only begins like a plain one', { details: 'x' }, 'details: x'],
    [
      'of the eleventh of a list, without its number',
      Array.from({ length: 11 }, () => 'x'),
      'x; x; x; x; x; x; x; x; x; x; x',
    ],
    ['of a name that only ends in code', { barcode: 'x' }, 'barcode: x'],
    ['of a name that only begins with code', { codes: 'x' }, 'codes: x'],
    ['without blanks around them', { detail: '  x \n y  ' }, 'x y'],
    ['up to 300 characters', { detail: 'no '.repeat(200) }, `${'no '.repeat(100)}`],
  ])('are those %s', (_, body, words) => {
    expect(reasonOf(body)).toBe(words)
  })

  test('of a success are only what is named as a reason', () => {
    const asked = { method: 'POST' as const, url: url('/keys'), credential: SECRET }
    const says = (status: number, body: string) => judge(asked, response({ status, body }), NOW).message
    expect(says(200, '{"note":"hello","detail":"why"}')).toBe('api.example answered 200 to POST /keys: why')
    expect(says(299, '{"note":"hello"}')).toBe(
      'api.example answered 299 to POST /keys: something that is not the JSON of this API',
    )
  })

  test.each([201, 401, 503])(
    'name a content coding that was not asked for, in 8 characters at most (%i)',
    async (status) => {
      const coded = { status, body: '\x1f\x8b...', headers: { 'content-encoding': `gzip${'z'.repeat(99)}` } }
      const failure = await failureOf(coded)
      expect(failure.message).toBe(`${answered(status)} in gzipzzzz, which was not asked for`)
      expect(failure.mayHaveActed).toBe(true)
    },
  )

  test.each(['utf-8', 'none', 'gzip'])(
    'do not name the coding %s of what is no coded text',
    async (coding) => {
      const headers = { 'content-encoding': coding }
      expect((await failureOf({ status: 503, body: '', headers })).message).toBe(answered(503))
      expect((await failureOf({ status: 401, body: '{"detail":"x"}', headers })).message).toBe(
        `${answered(401)}: x`,
      )
    },
  )

  test('say that it comes from a cache, which knows nothing about a key', async () => {
    const stored = { status: 401, body: '{"detail":"Invalid token."}', headers: { age: '7' } }
    const failure = await failureOf(stored)
    expect(failure).toMatchObject({ notFromApi: true, message: `${answered(401)} from a cache` })
    expect(await failureOf({ ...stored, headers: { age: '0' } })).toMatchObject({ notFromApi: false })
  })

  test('do not name the coding that was asked for', async () => {
    const coded = (coding: string) => ({ status: 403, body: 'No.', headers: { 'content-encoding': coding } })
    expect((await failureOf(coded('Identity'))).message).toMatch(
      /something that is not the JSON of this API$/,
    )
    for (const coding of ['identity2', 'x-identity'])
      expect((await failureOf(coded(coding))).message).toMatch(/ in .*, which was not asked for$/)
  })

  test('do not call a 304 a redirect', async () => {
    expect((await failureOf({ status: 304 })).message).not.toContain('redirect')
    expect((await failureOf({ status: 303 })).message).toContain('redirect')
  })

  test.each([200, 401])('say that there was more than 1 MiB (%i)', async (status) => {
    const { message } = await failureOf({ status, body: '{"detail":"xx', isCut: true })
    expect(message).toBe(`${answered(status)} with more than 1 MiB`)
  })

  test.each([201, 500])(
    'of an answer to create show nothing that may be a key of 8 characters or more (%i)',
    async (status) => {
      const body =
        '{"message":"Created. Your API key is k_b63ac4e5, k7Qw2Zx9Lm4Bv6Np1Rt8; quota of 1000 left."}'
      expect((await failureOf({ status, body })).message).toBe(
        `${answered(status)}: Created. Your API key is *** ***; quota of 1000 left`,
      )
    },
  )

  test('of a coded refusal that cannot be read are not those of the API', async () => {
    const coded = { status: 401, body: '\x1f\x8b', headers: { 'content-encoding': 'gzip' } }
    expect(await failureOf(coded)).toMatchObject({ notFromApi: true })
  })

  test.each<[string, Partial<HttpResponse>, boolean]>([
    ['HTML with 400', { status: 400, body: '<p>' }, true],
    ['HTML with 499', { status: 499, body: '<p>' }, true],
    ['HTML with 500, which may be the API’s own server', { status: 500, body: '<p>' }, false],
    ['JSON with HTML in it', { body: '{"detail":"a <b>"}' }, false],
    [
      'a scheme beside Bearer, without a blank',
      { status: 401, headers: { 'www-authenticate': 'Basic,Bearer' } },
      false,
    ],
    ['text with 404, as of a router', { status: 404, body: '404 page not found' }, true],
    ['text that is a number', { body: '403' }, true],
    ['JSON that is a text', { body: '"no"' }, false],
    [
      'a scheme whose parameter names Bearer',
      { status: 401, headers: { 'www-authenticate': 'Basic realm="intranet, bearer of badge"' } },
      true,
    ],
    ['another scheme with 401', { status: 401, headers: { 'www-authenticate': 'Basic' } }, true],
    ['another scheme with 403', { headers: { 'www-authenticate': 'Basic' } }, false],
    ['401 without a scheme', { status: 401 }, false],
  ])('say whether something in front of the API answered: %s', (_, more, isForeign) => {
    expect(saysOf(more).notFromApi ?? false).toBe(isForeign)
  })

  test('name a scheme that begins the header, and no part of another text', () => {
    const says = (header: string) => saysOf({ status: 401, headers: { 'www-authenticate': header } }).message
    expect(says('Basic realm="x"')).toContain('asks for Basic authentication')
    expect(says('"x" Basic')).toContain('something that is not the JSON of this API')
    expect(says(`${'a'.repeat(12)} x`)).toContain(`asks for ${'a'.repeat(12)} authentication`)
    expect(says('AWS4-HMAC-SHA256 x')).toContain('something that is not the JSON of this API')
  })

  test('call 300 a redirect', () => {
    expect(saysOf({ status: 300 }).message).toContain('with a redirect')
    expect(saysOf({ status: 300 })).toMatchObject({ mayHaveActed: true, retryable: false })
  })
})
