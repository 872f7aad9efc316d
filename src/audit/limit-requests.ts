import type { HttpClient } from '../http/http-client.ts'

/** A client whose requests each take at most `mostMs`, however long the work that they are part of may take. */
export function limitRequests(send: HttpClient, mostMs: number): HttpClient {
  return (request) => send({ ...request, timeout: Math.min(request.timeout, mostMs) })
}
