import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type CreatedKey, createKeyApi, validateCreatedKey } from '../../src/api/key-api.ts'
import { HttpError, type HttpRequest, type HttpResponse } from '../../src/http/http-client.ts'

const SECRET = 'the-secret-credential'
const NOW = Date.parse('2027-03-01T12:00:00.000Z')
const LIMITS = { timeout: 10_000 }

/** The API behind answers given in turn, and the requests that it saw. */
function behind(...answers: (Partial<HttpResponse> | Error)[]) {
  const seen: HttpRequest[] = []
  const api = createKeyApi(
    async (request) => {
      seen.push(request)
      const answer = answers[Math.min(seen.length, answers.length) - 1]
      if (answer instanceof Error) throw answer
      return { status: 200, headers: {}, body: '[]', ...answer }
    },
    'https://api.example:8443/base',
    'agent/1',
    () => NOW,
  )
  return { api, seen }
}

const problemOf = async (answer: Partial<HttpResponse> | Error) => {
  const reply = await behind(answer).api.create(SECRET, 'x', LIMITS)
  if (reply.ok) throw new Error('it was accepted')
  return reply.failure
}

describe('requests', () => {
  test('create', async () => {
    const { api, seen } = behind({ status: 201, body: '{}' })
    await api.create(SECRET, '2027-03-01T13:00:00.123Z', { timeout: 77, grace: 5 })
    const body = '{"expiry":"2027-03-01T13:00:00.123Z"}'
    expect(seen).toEqual([
      {
        method: 'POST',
        url: new URL('https://api.example:8443/base/api/user/api-keys'),
        headers: {
          Accept: 'application/json',
          Authorization: `Bearer ${SECRET}`,
          'User-Agent': 'agent/1',
          'Content-Type': 'application/json',
        },
        body,
        timeout: 77,
        grace: 5,
      },
    ])
  })

  test('revoke escapes the id, whatever it holds', async () => {
    const { api, seen } = behind({ status: 204, body: '' })
    expect(await api.revoke(SECRET, 'a/../b?c#d é', LIMITS)).toMatchObject({ ok: true })
    expect(seen[0]?.url.href).toBe(
      'https://api.example:8443/base/api/user/api-keys/a%2F..%2Fb%3Fc%23d%20%C3%A9',
    )
    expect(seen[0]?.method).toBe('DELETE')
    expect(seen[0]).not.toHaveProperty('body')
  })

  test('list follows pages by their query alone, each once', async () => {
    const row = (id: number) => ({ id, token_key: 't', created: '2027-01-01T00:00:00Z', expiry: null })
    const page = (rows: object[], next: string | null) => ({ body: JSON.stringify({ results: rows, next }) })
    const evil = 'http://evil.example/other?page=2'
    const { api, seen } = behind(page([row(1)], evil), page([row(2)], null))
    const reply = await api.list(SECRET, LIMITS)
    expect(reply.ok && reply.value.keys.map(({ id }) => id)).toEqual(['1', '2'])
    expect(seen.map(({ url }) => url.href)).toEqual([
      'https://api.example:8443/base/api/user/api-keys',
      'https://api.example:8443/base/api/user/api-keys?page=2',
    ])
  })

  test('a list without an end is refused', async () => {
    const { api, seen } = behind({ body: '{"results":[],"next":"?page=2"}' })
    const reply = await api.list(SECRET, LIMITS)
    expect(reply).toMatchObject({ ok: false, failure: { retryable: false } })
    expect(seen).toHaveLength(100)
  })
})

describe('answers', () => {
  test('the Date header tells the server’s clock', async () => {
    const { api } = behind({ body: '{}', headers: { date: 'Mon, 01 Mar 2027 12:02:00 GMT' } })
    expect((await api.create(SECRET, 'x', LIMITS)).skew).toBe(120_500)
    expect((await behind({ headers: { date: 'soon' } }).api.probe(SECRET, LIMITS)).skew).toBeNull()
  })

  test('a prefix that is the whole key is cut, as it is printed', async () => {
    const token = '0123456789abcdef'.repeat(4)
    const answer = { token, api_key: { id: 1, token_key: token, expiry: null } }
    const reply = await behind({ status: 201, body: JSON.stringify(answer) }).api.create(SECRET, 'x', LIMITS)
    expect(reply.ok && reply.value.prefix).toBe('0123456789abcdef0123')
  })

  test('a created key, with a number or a text for an id', async () => {
    const body = (id: unknown) =>
      JSON.stringify({
        token: 'tok',
        api_key: { id, token_key: 'to', created: '2027-01-01T00:00:00Z', expiry: null },
      })
    const idOf = async (id: unknown) => {
      const reply = await behind({ status: 201, body: body(id) }).api.create(SECRET, 'x', LIMITS)
      return reply.ok ? reply.value.id : undefined
    }
    expect(await idOf(7)).toBe('7')
    expect(await idOf('abc')).toBe('abc')
    for (const id of ['', '.', '..', '\ud800', null, {}, 1.5, 2 ** 60]) expect(await idOf(id)).toBeNull()
  })

  test.each([
    ['{"detail":"Not found."}', 'Not found'],
    ['{"error":"Bad"}', 'Bad'],
    ['{"expiry":["One.","Two."]}', 'expiry: One.; expiry: Two'],
    ['{"detail":"D","code":"c","messages":[{"message":"M"}]}', 'D; M'],
    ['{"a":{"b":["deep"]}}', 'a: b: deep'],
    [`{"data":{"token":"${'0123456789abcdef'.repeat(4)}"}}`, 'data: token: ***'],
    ['["plain"]', 'plain'],
    ['"text"', 'text'],
    [`{"detail":"no ${SECRET} here"}`, 'no *** here'],
    ['{"detail":"two\\n::error::lines"}', 'two ::error::lines'],
  ])("a refusal's own words: %s", async (body, words) => {
    expect((await problemOf({ status: 403, body })).message).toBe(
      `api.example:8443 answered 403 to POST /base/api/user/api-keys: ${words}`,
    )
  })

  test.each(['', '<html><h1>Forbidden</h1></html>', '{}', '7', 'null', '{"code":"x"}'])(
    'a refusal without words: %s',
    async (body) => {
      expect((await problemOf({ status: 403, body })).message).toBe(
        'api.example:8443 answered 403 to POST /base/api/user/api-keys',
      )
    },
  )

  test.each([
    [400, false, false],
    [401, false, false],
    [404, false, false],
    [301, false, false],
    [302, true, false],
    [303, true, false],
    [408, true, true],
    [409, false, false],
    [425, true, true],
    [429, false, true],
    [500, true, true],
    [503, true, true],
    [100, true, true],
  ])('%i: may have acted %s, passing %s', async (status, mayHaveActed, retryable) => {
    expect(await problemOf({ status })).toMatchObject({ status, mayHaveActed, retryable })
  })

  test('2xx that cannot be read may have acted', async () => {
    expect(await problemOf({ status: 201, body: '{"tok' })).toMatchObject({
      status: 201,
      mayHaveActed: true,
      retryable: true,
    })
  })

  test('429 with what the server asked for', async () => {
    const headers = { 'retry-after': '7' }
    expect(await problemOf({ status: 429, headers })).toMatchObject({
      retryAfter: 7_000,
      message: expect.stringMatching(/: too many requests$/),
    })
    expect(await problemOf({ status: 429 })).not.toHaveProperty('retryAfter')
  })

  test('a redirect names the other host', async () => {
    const to = async (location: string) => (await problemOf({ status: 301, headers: { location } })).message
    expect(await to('https://other.example/x')).toContain(
      'redirect to other.example; redirects are never followed. Check api-url',
    )
    expect(await to('/api/user/api-keys/')).toContain('redirect to api.example:8443;')
    expect(await to('https://')).toContain('an unreadable address')
  })

  test.each([
    ['certificate', false],
    ['proxy', false],
    ['dns', true],
    ['refused', true],
    ['timeout', true],
    ['cut', true],
    ['too-large', true],
  ] as const)('a failure of the network: %s', async (fault, retryable) => {
    expect(await problemOf(new HttpError(fault, true, 'it failed'))).toEqual({
      message: 'api.example:8443: it failed',
      mayHaveActed: true,
      retryable,
    })
    expect(await problemOf(new HttpError(fault, false, 'it failed'))).toMatchObject({ mayHaveActed: false })
  })

  test('whatever is answered: no throw, and a message of one line without the credential', async () => {
    const body = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.constant('['.repeat(50_000)),
      fc.anything().map((value) => JSON.stringify({ detail: value, note: SECRET }) ?? ''),
    )
    const headers = fc.dictionary(
      fc.constantFrom('date', 'location', 'retry-after'),
      fc.string({ unit: 'binary' }),
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 100, max: 599 }), headers, body, async (status, given, text) => {
        const { api } = behind({ status, headers: given, body: text })
        for (const reply of [
          await api.create(SECRET, 'x', LIMITS),
          await api.list(SECRET, LIMITS),
          await api.revoke(SECRET, 'id', LIMITS),
        ]) {
          if (reply.ok) continue
          expect(reply.failure.message).not.toContain(SECRET)
          expect(reply.failure.message).not.toMatch(/[\r\n]/)
          expect(reply.failure.message.length).toBeLessThan(600)
        }
      }),
    )
  })
})

describe('what is wrong with a created key', () => {
  const good: CreatedKey = { token: 'token', id: '1', prefix: 'tok', createdAt: NOW, expiresAt: NOW + 1000 }
  const fault = (more: Partial<CreatedKey>) => validateCreatedKey({ ...good, ...more }, NOW + 1000)

  test('nothing, where it is as asked, earlier, or a few seconds later', () => {
    for (const expiresAt of [NOW, NOW + 1000, NOW + 6000]) expect(fault({ expiresAt })).toBeNull()
    expect(fault({ createdAt: null, prefix: '' })).toBeNull()
  })

  test.each<[Partial<CreatedKey>, string]>([
    [{ token: null }, 'holds no key'],
    [{ token: 'a b' }, 'white space'],
    [{ token: 'a\n' }, 'white space'],
    [{ token: 'ä' }, 'non-ASCII'],
    [{ id: null }, 'holds no id'],
    [{ expiresAt: null }, 'never expires'],
    [{ expiresAt: NOW + 6001 }, 'later than the 2027-03-01T12:00:01.000Z asked for'],
  ])('%j', (more, says) => {
    expect(fault(more)).toContain(says)
  })
})
