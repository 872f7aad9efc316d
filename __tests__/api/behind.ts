import { createKeyApi, type KeyApi } from '../../src/api/key-api.ts'
import type { HttpRequest, HttpResponse } from '../../src/http/http-client.ts'

export const SECRET = 'the-secret-credential'
export const NOW = Date.parse('2027-03-01T12:00:00.000Z')
export const LIMITS = { timeout: 10_000 }
export const URL_OF_KEYS = 'https://api.example:8443/base/api/user/api-keys'

/** The API behind responses that are given in turn (200 with `[]` by default), and the requests that it saw. */
export function behind(...responses: (Partial<HttpResponse> | Error)[]): {
  api: KeyApi
  seen: HttpRequest[]
} {
  const seen: HttpRequest[] = []
  const client = async (request: HttpRequest): Promise<HttpResponse> => {
    seen.push(request)
    const response = responses[Math.min(seen.length, responses.length) - 1]
    if (response instanceof Error) throw response
    return { status: 200, headers: {}, body: '[]', ...response }
  }
  const apiUrl = 'https://api.example:8443/base'
  return { api: createKeyApi({ client, apiUrl, userAgent: 'agent/1', now: () => NOW }), seen }
}

/** What a create call says about a response that brought no key. */
export async function failureOf(response: Partial<HttpResponse> | Error) {
  const result = await behind(response).api.create(SECRET, 'x', LIMITS)
  if (result.ok) throw new Error('it was accepted')
  return result.failure
}
