import { type HttpClient, HttpError } from './http-client.ts'

/**
 * `send`, with a line to `log` for each request: method, path, outcome, milliseconds by `now`, and which attempt it is
 * of those with the same method and URL. Neither headers nor bodies are shown, and no more of an ID than helps. Without
 * `log`, `send` itself.
 */
export function logRequests(
  send: HttpClient,
  log: ((line: string) => void) | null,
  now: () => number,
): HttpClient {
  if (!log) return send
  const attempts = new Map<string, number>()
  return async (request) => {
    const { method, url } = request
    const name = `${method} ${url}`
    const attempt = (attempts.get(name) ?? 0) + 1
    attempts.set(name, attempt)
    const startedAt = now()
    const note = (outcome: string) =>
      log(
        `${method} ${shortPath(url)} (attempt ${attempt}): ${outcome} after ${Math.round(now() - startedAt)} ms`,
      )
    try {
      const response = await send(request)
      note(`status ${response.status}`)
      return response
    } catch (error) {
      note(error instanceof HttpError ? `${error.kind}, ${error.message},` : String(error))
      throw error
    }
  }
}

/** The path, without the query, and with long segments cut as IDs are in the log. */
function shortPath({ pathname }: URL): string {
  return pathname.replace(/[^/]{17,}/g, (segment) => `${segment.slice(0, 8)}...`)
}
