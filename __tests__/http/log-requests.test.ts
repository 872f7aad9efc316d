import { expect, test } from '@jest/globals'
import type { HttpClient, HttpRequest } from '../../src/http/http-client.ts'
import { HttpError } from '../../src/http/http-error.ts'
import { logRequests } from '../../src/http/log-requests.ts'

const ID = '0123456789abcdef0123456789abcdef'
const request = (method: HttpRequest['method'], path: string): HttpRequest => ({
  method,
  url: new URL(path, 'https://api.example'),
  headers: { Authorization: 'Bearer top-secret' },
  body: '{"expiry":"top-secret"}',
  timeout: 1_000,
})

/** A client that takes 81.4 ms for each request. */
function createLog(answer: () => ReturnType<HttpClient>) {
  const lines: string[] = []
  let now = 0
  const send: HttpClient = () => {
    now += 81.4
    return answer()
  }
  return {
    lines,
    send: logRequests(
      send,
      (line) => lines.push(line),
      () => now,
    ),
  }
}

const ok = async () => ({ status: 201, headers: {}, body: 'top-secret' })

test('logs method, path, status and milliseconds, and neither headers, bodies nor queries', async () => {
  const { lines, send } = createLog(ok)
  expect((await send(request('POST', '/api/user/api-keys?top-secret'))).status).toBe(201)
  expect(lines).toEqual(['POST /api/user/api-keys: status 201 after 81 ms'])
})

test('shortens IDs', async () => {
  const { lines, send } = createLog(ok)
  await send(request('DELETE', `/api/user/api-keys/${ID}`))
  expect(lines).toEqual(['DELETE /api/user/api-keys/01234567...: status 201 after 81 ms'])
})

test('logs a failure, and rethrows it', async () => {
  const failure = new HttpError('did not answer in time', true)
  const { lines, send } = createLog(() => Promise.reject(failure))
  await expect(send(request('GET', '/'))).rejects.toBe(failure)
  expect(lines).toEqual(['GET /: Error: did not answer in time, after 81 ms'])
})

test('is the client itself without a log', () => {
  expect(logRequests(ok, null, Date.now)).toBe(ok)
})
