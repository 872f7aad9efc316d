import type { HttpClient } from './http-client.ts'

/** Without whole IDs. */
export function shortPath({ pathname }: URL): string {
  return pathname.replace(/([^/]{8})[^/]{16,}/g, '$1...')
}

/** Logs requests, without headers, bodies or whole IDs, if there is a `log`. */
export function logRequests(send: HttpClient, log: ((line: string) => void) | null, now: () => number): HttpClient {
  if (!log) return send
  return async (request) => {
    const { method, url } = request
    const startedAt = now()
    const note = (outcome: string) =>
      log(`${method} ${shortPath(url)}: ${outcome} after ${Math.round(now() - startedAt)} ms`)
    const response = await send(request).catch((error: unknown) => {
      note(`${error},`)
      throw error
    })
    note(`status ${response.status}`)
    return response
  }
}
