import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cell, oneLine } from '../../conformance/printable.ts'
import { wrap } from '../../conformance/table.ts'
import { commandIn, hostileText, linesOf } from '../runner/obeyed-commands.ts'
import { runOnEmulator, type Through } from './run-on-emulator.ts'

const KEY = '0123456789abcdef'.repeat(4)

/** Nothing printed is a command, and nothing shows more of the key than the dashboard does. */
function expectHarmless(printed: string): void {
  for (const line of linesOf(printed))
    expect({ line, command: commandIn(line) }).toEqual({ line, command: null })
  expect(printed).not.toContain(KEY.slice(0, 16))
  expect(printed).not.toContain(KEY.slice(-16))
}

describe('what the API says reaches the log without keys and commands:', () => {
  const run = (through: Through) => runOnEmulator({ longLivedKey: KEY }, [], { through })

  test.each<[string, (text: string) => string, string]>([
    [
      'a reason',
      (text) => JSON.stringify({ detail: text }),
      ': No. ::stop-commands::x # #[error]zzz Bearer ***.',
    ],
    ['text that is not JSON', (text) => text, ': something that is not the JSON of this API.'],
    ['HTML', (text) => `<p>${text}`, ' with an HTML page, not the JSON of this API.'],
  ])('%s for refusing to create a key', async (_, bodyOf, shown) => {
    const text = `No.\n::stop-commands::x\n##[error]zzz Bearer ${KEY}`
    const { printed } = await run((request, api) =>
      request.method === 'POST'
        ? { status: 403, headers: { 'Content-Type': 'application/json' }, body: bodyOf(text) }
        : api(request),
    )
    expectHarmless(printed)
    expect(printed).toMatch(
      /^Not everything was observed: no key could be created: 127\.0\.0\.1:\d+ answered 403 /m,
    )
    expect(printed).toContain(` to POST /api/user/api-keys${shown}`)
  })

  test('headers', async () => {
    const { printed, result } = await run((request, api) => {
      const answer = api(request)
      const isSlash = request.path.endsWith('/api-keys/')
      const headers: Record<string, string> = {
        'WWW-Authenticate': `Bearer ##[stop-commands]x ${KEY} [a](https://b)`,
        Location: `https://${'a'.repeat(22)} ::stop-commands::x ${KEY}`,
        'X-Ratelimit-Remaining-Requests': '1',
      }
      return { ...answer, status: isSlash ? 301 : answer.status, headers: { ...answer.headers, ...headers } }
    })
    expectHarmless(printed)
    const observed = result?.results.map((row) => row.observed).join('\n') ?? ''
    expect(observed).toContain('Bearer # #?stop-commands?x *** ?a?(https://b)')
    expect(observed).toContain(': :stop-commands: :x ***')
    expect(observed).toContain('x-ratelimit-remaining-requests')
  })

  test('the ids and times of a key that is left', async () => {
    const id = `##[stop-commands]${KEY}`
    const { printed } = await run((request, api) => {
      if (request.method === 'DELETE') return { status: 403, headers: {}, body: '{}' }
      const answer = api(request)
      if (request.method !== 'POST' || answer.status !== 201) return answer
      const { token, api_key } = JSON.parse(answer.body)
      const other = { ...api_key, id, token_key: KEY.slice(0, 10) }
      return { ...answer, body: JSON.stringify({ token, api_key: other }) }
    })
    expectHarmless(printed)
    expect(printed).toContain(', id ???stop-commands?***')
  })
})

test('no text of the API is a command in a cell, wherever it is wrapped', () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      const safe = cell(text, [])
      for (const line of wrap(safe, 30)) expect(commandIn(line)).toBeNull()
      expect(commandIn(oneLine(text, []))).toBeNull()
    }),
    { numRuns: 1_000 },
  )
})

test('a text is cut, without a part of a key at its end', () => {
  expect(oneLine(`${'a b '.repeat(74)}${KEY}`, [])).toMatch(/ b \*\*\*$/)
  expect(oneLine('a b '.repeat(100), [])).toHaveLength(299)
  expect(oneLine('a secret b', ['secret'])).toBe('a secret b')
  expect(oneLine('a my secret b', ['my secret'])).toBe('a *** b')
})
