import type { AccountOptions } from './account-state.ts'
import { rawNumbers } from './rows.ts'

/** One request to the API, as a server sees it; header names in lower case, `path` with its query. */
export interface ApiRequest {
  method: string
  path: string
  headers: Record<string, string>
  body: string
}

export interface ApiResponse {
  status: number
  headers: Record<string, string>
  body: string
}

/** The answers of the API itself: dated, typed, in the account's own shape of errors. */
export function answer(
  { now, dateHeader, dateErrorMs = 0, nodeErrorMs = 0 }: AccountOptions,
  status: number,
  body?: unknown,
  headers: Record<string, string> = {},
): ApiResponse {
  const date = dateHeader === false ? {} : { Date: new Date(now() + dateErrorMs + nodeErrorMs).toUTCString() }
  const type = body === undefined ? {} : { 'Content-Type': 'application/json' }
  return {
    status,
    headers: { ...date, ...type, ...headers },
    body: body === undefined ? '' : rawNumbers(JSON.stringify(body)),
  }
}

/** A refusal, in the shape that this server gives its errors. */
export function refuse(
  options: AccountOptions,
  status: number,
  reason: string,
  headers: Record<string, string> = {},
): ApiResponse {
  // A 401 in HTML is not the API's own: who asks for a credential to an API in JSON answers in JSON.
  switch (status === 401 && options.errorShape === 'html' ? 'detail' : options.errorShape) {
    case 'error':
      return answer(options, status, { error: reason }, headers)
    case 'html':
      return {
        ...answer(options, status, undefined, { ...headers, 'Content-Type': 'text/html' }),
        body: `<html><h1>${reason}</h1></html>`,
      }
    case 'empty':
      return answer(options, status, undefined, headers)
    case 'codes':
      return answer(
        options,
        status,
        { detail: reason, code: 'refused', messages: [{ message: reason }] },
        headers,
      )
    default:
      return answer(options, status, { detail: reason }, headers)
  }
}
