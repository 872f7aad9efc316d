import { describe, expect, test } from '@jest/globals'
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/http-client.ts'
import { HttpError } from '../../src/http/http-error.ts'
import { createGithubSecrets } from '../../src/rotate/github-secrets.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const LIMITS = { timeout: 5_000 }
const PATH = '/repos/o/r/actions/secrets'
const KEY = { path: PATH, name: 'KEY', permission: 'p' }

function client(answer: Partial<HttpResponse> | Error) {
  const requests: HttpRequest[] = []
  const send: HttpClient = async (request) => {
    requests.push(request)
    if (answer instanceof Error) throw answer
    return { status: 200, headers: {}, body: '', ...answer }
  }
  const options = {
    apiUrl: 'https://ghes.example/api/v3',
    token: 'a-secret-token',
    userAgent: 'agent',
    now: () => NOW,
  }
  return { requests, secrets: createGithubSecrets(send, options) }
}
const json = (value: unknown) => ({ body: JSON.stringify(value) })
/** A refusal, as GitHub writes it. */
const refusal = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers,
  ...json({ message: 'Not so.', documentation_url: 'https://docs.github.com/rest', status: String(status) }),
})
const write = (answer: Partial<HttpResponse> | Error) =>
  client(answer).secrets.write(
    { path: PATH, name: 'KEY', permission: 'Secrets: write' },
    { encrypted_value: 'e', key_id: 'k' },
    LIMITS,
  )
const failure = async (answer: Partial<HttpResponse> | Error) => {
  const reply = await write(answer)
  if (reply.ok) throw new Error('expected a failure')
  return reply.failure
}

describe("GitHub's secrets API", () => {
  test('gets the documented path, headers and token', async () => {
    const { requests, secrets } = client(json({ key_id: '1', key: 'abc' }))
    expect(await secrets.publicKey({ path: PATH, permission: 'p' }, LIMITS)).toEqual({
      ok: true,
      skew: null,
      value: { id: '1', key: 'abc' },
    })
    expect(requests).toEqual([
      {
        method: 'GET',
        url: new URL('https://ghes.example/api/v3/repos/o/r/actions/secrets/public-key'),
        headers: {
          Accept: 'application/vnd.github+json',
          Authorization: 'Bearer a-secret-token',
          'User-Agent': 'agent',
          'X-GitHub-Api-Version': '2022-11-28',
        },
        timeout: 5_000,
      },
    ])
  })

  test('gets a value as JSON and says whether it created the secret', async () => {
    const { requests, secrets } = client({ status: 204 })
    const value = { encrypted_value: 'e', key_id: 'k', visibility: 'all' }
    expect(await secrets.write(KEY, value, LIMITS)).toMatchObject({
      ok: true,
      value: { created: false },
    })
    expect(requests[0]).toMatchObject({ method: 'PUT', body: JSON.stringify(value) })
    expect(requests[0]?.url.pathname).toBe(`/api/v3${PATH}/KEY`)
    expect(requests[0]?.headers['Content-Type']).toBe('application/json')
    expect(await write({ status: 201, body: '{}' })).toMatchObject({ ok: true, value: { created: true } })
  })

  test('returns the id of a repository, and the name and visibility of a secret', async () => {
    const { secrets, requests } = client(
      json({
        id: 42,
        name: 'KEY',
        visibility: 'selected',
        total_count: 2,
        repositories: [{ id: 7 }, { id: 8 }],
      }),
    )
    expect(await secrets.repositoryId('octo org/r', LIMITS)).toMatchObject({ value: '42' })
    expect(await secrets.secret(KEY, LIMITS)).toMatchObject({
      value: { name: 'KEY', visibility: 'selected' },
    })
    expect(await secrets.selectedRepositories(KEY, 3, LIMITS)).toMatchObject({
      value: { total: 2, ids: [7, 8] },
    })
    expect(requests.map(({ url }) => url.pathname + url.search)).toEqual([
      '/api/v3/repos/octo%20org/r',
      `/api/v3${PATH}/KEY`,
      `/api/v3${PATH}/KEY/repositories?per_page=50&page=3`,
    ])
    expect(await client(json({ name: 'KEY' })).secrets.secret(KEY, LIMITS)).toMatchObject({
      value: { visibility: null },
    })
  })

  test.each([['null'], ['{}'], ['{"key_id":1,"key":"x"}'], ['{"key_id":"1","key":""}'], ['<html>']])(
    'an unreadable response is a failure: %s',
    async (body) => {
      const reply = await client({ body }).secrets.publicKey({ path: PATH, permission: 'p' }, LIMITS)
      expect(reply).toMatchObject({
        ok: false,
        failure: { status: 200, mayHaveActed: true, retryable: true },
      })
      if (!reply.ok)
        expect(reply.failure.message).toBe(
          `ghes.example answered 200 to GET /api/v3${PATH}/public-key with something that GitHub's API does not send`,
        )
    },
  )

  test.each([
    [{ total_count: 1 }],
    [{ total_count: 1, repositories: [{}] }],
    [{ repositories: [] }],
    [{ total_count: 1, repositories: [{ id: 1.5 }] }],
  ])('an unreadable page of repositories is a failure: %j', async (page) => {
    expect((await client(json(page)).secrets.selectedRepositories(KEY, 1, LIMITS)).ok).toBe(false)
  })

  test.each([
    [301, true, false, /redirect; the repository may have been renamed or moved$/],
    [302, true, false, /redirect/],
    [303, true, false, /redirect/],
    [307, true, false, /redirect/],
    [400, false, false, /answered 400 to PUT/],
    [401, false, false, /github-token is wrong, revoked or expired/],
    [403, false, false, /needs the permission "Secrets: write"\. GITHUB_TOKEN can never write secrets/],
    [404, false, false, /answered 404.*or github-token has no access: .* the permission "Secrets: write"$/],
    [408, true, true, /answered 408/],
    [409, false, true, /answered 409/],
    [421, true, true, /421/],
    [422, false, false, /422/],
    [423, true, true, /423/],
    [425, true, true, /425/],
    [429, false, true, /rate limited by GitHub/],
    [499, true, true, /499/],
    [500, true, true, /500/],
    [502, true, true, /502/],
    [199, true, true, /199/],
  ])('%i: may have acted: %s, is retryable: %s', async (status, mayHaveActed, retryable, message) => {
    const found = await failure(refusal(status))
    expect(found).toMatchObject({ status, mayHaveActed, retryable })
    expect(found.notFromApi).toBeUndefined()
    expect(found.message).toMatch(message)
  })

  test.each<[string, Partial<HttpResponse>, number | undefined]>([
    ['429 with Retry-After', refusal(429, { 'retry-after': '7' }), 7_000],
    ['429 with a date', refusal(429, { 'retry-after': 'Mon, 01 Mar 2027 12:00:09 GMT' }), 9_000],
    ['429 without', refusal(429), undefined],
    ['403 with Retry-After', refusal(403, { 'retry-after': '7' }), 7_000],
    [
      '403 with nothing remaining',
      refusal(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1000 + 30) }),
      30_000,
    ],
    [
      '403 with a reset that is over',
      refusal(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' }),
      0,
    ],
    ['403 with nothing remaining and no reset', refusal(403, { 'x-ratelimit-remaining': '0' }), 60_000],
    [
      '403 that says so',
      { status: 403, ...json({ message: 'You have exceeded a secondary rate limit.' }) },
      60_000,
    ],
  ])('a rate limit is recognized by %s', async (_, answer, retryAfter) => {
    const found = await failure(answer)
    expect(found).toMatchObject({ retryable: true, mayHaveActed: false })
    expect(found.retryAfter).toBe(retryAfter)
    expect(found.message).toContain('rate limited by GitHub')
  })

  test('a 403 with requests remaining is a missing permission', async () => {
    expect(await failure(refusal(403, { 'x-ratelimit-remaining': '12' }))).toMatchObject({
      retryable: false,
    })
  })

  test('its own message is shown on one line without anything like a token', async () => {
    const body = (message: unknown) => failure({ status: 422, ...json({ message }) })
    expect(
      (await body('Bad\r\n::warning::request \u00e9 a-secret-token ghs_0123456789012345678901.')).message,
    ).toBe(`ghes.example answered 422 to PUT /api/v3${PATH}/KEY: Bad ::warning::request *** ***`)
    expect((await body('')).message).toMatch(/KEY$/)
    expect((await body('word '.repeat(200))).message.length).toBeLessThan(300)
  })

  test.each([
    [false, true],
    [true, true],
    [false, false],
  ])(
    'a network failure says whether it may have acted (%s) and is retryable (%s)',
    async (acted, retryable) => {
      const found = await failure(
        new HttpError('its name could not be resolved; check api-url', acted, retryable),
      )
      expect(found).toEqual({
        message: 'ghes.example: its name could not be resolved; check api-url',
        mayHaveActed: acted,
        retryable,
      })
    },
  )

  test.each<[string, Partial<HttpResponse>]>([
    ['a page', { body: '<html>', headers: { 'content-type': 'text/html' } }],
    ['a text', { body: 'Forbidden', headers: { 'content-type': 'text/plain' } }],
    ['nothing', {}],
    ['other JSON', json({ error: 'policy' })],
    ['a message that is no text', json({ message: { text: 'policy' } })],
    ['a JSON text', { body: '"message"' }],
    ['null', { body: 'null' }],
  ])("a refusal with %s is not GitHub's: the write may have been carried out", async (_, answer) => {
    for (const status of [400, 401, 403, 404, 413, 418, 422, 451, 499]) {
      const found = await failure({ status, ...answer })
      expect(found).toMatchObject({ mayHaveActed: true, retryable: true, notFromApi: true })
      expect(found.message).toBe(
        `ghes.example answered ${status} to PUT /api/v3${PATH}/KEY with something that GitHub's API does not send`,
      )
    }
    expect((await failure({ status: 502, ...answer })).notFromApi).toBeUndefined()
    expect((await failure({ status: 304, ...answer })).message).toMatch(/with a redirect/)
    const limited = await failure({ status: 429, ...answer })
    expect(limited).toMatchObject({ mayHaveActed: true, retryable: true })
  })

  test.each([200, 202, 206])(
    'a write that is answered with %i may have been carried out, or not',
    async (status) => {
      expect(await failure({ status, body: '<html>' })).toEqual({
        message: `ghes.example answered ${status} to PUT /api/v3${PATH}/KEY with something that GitHub's API does not send`,
        status,
        mayHaveActed: true,
        retryable: true,
      })
    },
  )

  test.each([
    ['2027-03-01T12:00:00Z', NOW],
    ['2027-03-01T14:00:00+02:00', NOW],
    ['2027-03-01 12:00:00 UTC', NOW],
    [NOW / 1000, NOW],
    [undefined, null],
    [null, null],
    ['yesterday', null],
  ])('the time of an update, spelled %j, is read as %j', async (updated_at, updatedAt) => {
    const { secrets } = client(json({ name: 'KEY', updated_at }))
    expect(await secrets.secret(KEY, LIMITS)).toMatchObject({ value: { updatedAt } })
  })

  test.each([
    [299, true],
    [300, true],
    [304, true],
    [399, true],
    [400, false],
    [498, false],
    [499, true],
    [500, true],
    [599, true],
  ])('a write that is answered with %i may have been carried out: %j', async (status, acted) => {
    const found = await failure(refusal(status))
    expect(found.mayHaveActed).toBe(acted)
    expect(found.message.includes('redirect')).toBe(status >= 300 && status < 400)
    expect(found.notFromApi).toBeUndefined()
  })

  test('a 404 with Retry-After is no rate limit, and a rate limit without a time has none', async () => {
    const missing = await failure(refusal(404, { 'retry-after': '5' }))
    expect(missing).toMatchObject({ status: 404, mayHaveActed: false, retryable: false })
    expect(missing.retryAfter).toBeUndefined()
    expect(Object.keys(await failure(refusal(429)))).not.toContain('retryAfter')
    const soon = {
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(NOW / 1000 + 30),
      'retry-after': '5',
    }
    expect((await failure(refusal(429, soon))).retryAfter).toBe(5_000)
  })

  test("GitHub's reason is shown on one line, without its period, and only if it is a text", async () => {
    const reason = async (message: unknown) =>
      (await failure({ status: 422, ...json({ message }) })).message.replace(/^.*KEY/, '')
    expect(await reason('Not. This.\n One.')).toBe(': Not. This. One')
    expect(await reason('')).toBe('')
  })

  test('the permission that is missing is named for each call', async () => {
    const { secrets } = client({ status: 403, ...json({ message: '' }) })
    const advice = (permission: string) =>
      `github-token needs the permission "${permission}". GITHUB_TOKEN can never write secrets: ` +
      'use a token of a GitHub App, or a fine-grained personal access token'
    const messages = await Promise.all([
      secrets.repositoryId('o/r', LIMITS),
      secrets.selectedRepositories(KEY, 1, LIMITS),
      secrets.secret({ ...KEY, permission: 'Some: read' }, LIMITS),
    ])
    expect(
      messages.map((reply) => (reply.ok ? '' : reply.failure.message.replace(/^[^.]*\.example[^.]*\. /, ''))),
    ).toEqual([
      advice('Metadata: read'),
      advice('organization permission Secrets: write'),
      advice('Some: read'),
    ])
  })

  test('a request without a body has none', async () => {
    const { requests, secrets } = client(json({ name: 'KEY' }))
    await secrets.secret(KEY, LIMITS)
    expect(Object.keys(requests[0] ?? {})).not.toContain('body')
  })

  test('another error is not swallowed', async () => {
    await expect(write(new TypeError('a bug'))).rejects.toThrow('a bug')
  })
})
