import type { ApiResponse } from './api-answers.ts'

/**
 * Something in front of the API that answers instead of it: a maintenance gate that wants a password, a firewall's
 * challenge, a web application at the wrong address, or an authentication service that is down and fails closed. The
 * answer of the last one is the API's own.
 */
export const GATES = ['basic', 'challenge', 'page', 'authentication down'] as const
/** The last two are stubs that a deployment puts in place of the API. */
export type Gate = (typeof GATES)[number] | 'no content' | 'forbidden'

const HTML = { 'Content-Type': 'text/html; charset=utf-8' }

/** What it answers to every request. */
export function gateAnswer(gate: Gate): ApiResponse {
  switch (gate) {
    case 'basic':
      return {
        status: 401,
        headers: { ...HTML, 'WWW-Authenticate': 'Basic realm="maintenance"' },
        body: '<html><h1>401 Authorization Required</h1></html>',
      }
    case 'challenge':
      return {
        status: 403,
        headers: { ...HTML, 'cf-mitigated': 'challenge' },
        body: '<!DOCTYPE html><title>Just a moment...</title>',
      }
    case 'page':
      return { status: 200, headers: HTML, body: '<!DOCTYPE html><title>We will be back soon</title>' }
    case 'forbidden':
      return {
        status: 403,
        headers: { 'Content-Type': 'application/json' },
        body: '{"message":"Forbidden"}',
      }
    case 'no content':
      return { status: 204, headers: {}, body: '' }
    case 'authentication down':
      return {
        status: 401,
        headers: { 'Content-Type': 'application/json' },
        body: '{"detail":"Invalid token."}',
      }
  }
}
