import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parse } from 'yaml'
import { explainMissingSecrets, readInputs } from '../../src/runner/inputs.ts'

const given =
  (inputs: Record<string, string>) =>
  (name: string): string =>
    inputs[name] ?? ''
const read = (inputs: Record<string, string>) => readInputs(given({ 'api-key': 'key', ...inputs }))

/** The message with which an input is refused. */
function refusal(inputs: Record<string, string>): string {
  try {
    read(inputs)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error(`${JSON.stringify(inputs)} was accepted`)
}

const DEFAULTS = {
  apiKey: 'key',
  expiresIn: 3_600_000,
  apiUrl: 'https://www.spherescout.io',
  exportEnv: '',
  revoke: true,
  onRevokeFailure: 'warn',
  timeout: 120_000,
}

test('an input that is empty takes its default, which is the one of action.yml', () => {
  expect(read({})).toEqual(DEFAULTS)
  const { inputs } = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8'))
  const declared = Object.entries<{ default?: string }>(inputs).flatMap(([name, { default: value }]) =>
    value === undefined ? [] : [[name, value]],
  )
  expect(declared).toHaveLength(6)
  expect(read(Object.fromEntries(declared))).toEqual(DEFAULTS)
})

describe('api-key', () => {
  test('is trimmed', () => {
    expect(read({ 'api-key': ' \n key-1 \t' }).apiKey).toBe('key-1')
  })

  test.each(['', ' ', '\n'])('is not empty (%j)', (value) => {
    expect(refusal({ 'api-key': value })).toMatch(
      /^Input api-key is empty\. Is the secret defined.*secrets\.SPHERESCOUT_API_KEY/,
    )
    expect(() => readInputs(given({}), 'Because.')).toThrow('Input api-key is empty. Because. For example')
  })

  test('holds nothing but visible ASCII, and is never echoed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (value) => {
        if (/^[\x21-\x7e]+$/.test(value.trim())) expect(read({ 'api-key': value }).apiKey).toBe(value.trim())
        else {
          const message = refusal({ 'api-key': value })
          expect(message).toContain('Input api-key')
          if (value.trim().length > 3) expect(message).not.toContain(value.trim())
        }
      }),
    )
  })
})

describe('durations', () => {
  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['1.5h', 5_400_000],
    ['2 hours', 7_200_000],
    ['1m', 60_000],
    ['5d', 432_000_000],
    ['120 days', null],
    ['59.9s', null],
    ['5.01d', null],
    ['60', null],
    ['-1h', null],
    ['1h30m', null],
    ['', 3_600_000],
    [`${'1'.repeat(101)}h`, null],
  ])('expires-in: %j', (value, expected) => {
    if (expected === null)
      expect(refusal({ 'expires-in': value })).toMatch(/^Input expires-in is .*For example: expires-in: 30m$/)
    else expect(read({ 'expires-in': value }).expiresIn).toBe(expected)
  })

  test.each([
    ['1s', 1_000],
    ['30m', 1_800_000],
    ['999ms', null],
    ['31m', null],
    ['1000', null],
  ])('timeout: %j', (value, expected) => {
    if (expected === null)
      expect(refusal({ timeout: value })).toMatch(/^Input timeout is .*For example: timeout: 2m$/)
    else expect(read({ timeout: value }).timeout).toBe(expected)
  })

  test('whatever is accepted lies within the bounds', () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(
          fc.double({ noNaN: true }),
          fc.constantFrom('', 's', 'm', 'h', 'd', 'w', ' minutes', 'ms', 'x'),
        )
        .map(([n, unit]) => `${n}${unit}`),
      fc
        .tuple(fc.integer({ min: 0, max: 10_000 }), fc.constantFrom('s', 'm', 'h', 'd'))
        .map(([n, unit]) => `${n}${unit}`),
    )
    fc.assert(
      fc.property(text, (value) => {
        let duration: number
        try {
          duration = read({ 'expires-in': value }).expiresIn
        } catch (error) {
          expect((error as Error).message).toMatch(/^Input expires-in is /)
          expect((error as Error).message.length).toBeLessThan(300)
          return
        }
        expect(duration).toBeGreaterThanOrEqual(60_000)
        expect(duration).toBeLessThanOrEqual(432_000_000)
      }),
    )
  })
})

describe('api-url', () => {
  test.each([
    ['https://www.spherescout.io/', 'https://www.spherescout.io'],
    ['https://example.org:8443/base//', 'https://example.org:8443/base'],
    ['http://localhost:8080', 'http://localhost:8080'],
    ['http://127.1.2.3', 'http://127.1.2.3'],
    ['http://[::1]:99/', 'http://[::1]:99'],
  ])('%s', (value, url) => {
    expect(read({ 'api-url': value }).apiUrl).toBe(url)
  })

  test.each([
    ['nonsense', /not a URL/],
    ['http://example.org', /must start with https/],
    ['http://127.0.0.1.example.org', /must start with https/],
    ['http://localhost.example.org', /must start with https/],
    ['ftp://localhost', /must start with https/],
    ['https://user@example.org', /a user name, password,/],
    ['https://:password@example.org', /a user name, password,/],
    ['https://example.org?', /query or fragment/],
    ['https://example.org/#', /query or fragment/],
  ])('not %s', (value, says) => {
    const message = refusal({ 'api-url': value })
    expect(message).toMatch(says)
    expect(message).toMatch(/^Input api-url .*For example: api-url: https:\/\/www\.spherescout\.io$/)
    expect(message).not.toContain('password@')
  })
})

describe('export-env', () => {
  test.each(['SPHERESCOUT_API_KEY', '_x1', 'CI_KEY', 'MY_PATH', 'GITHUBKEY'])('%s', (name) => {
    expect(read({ 'export-env': name }).exportEnv).toBe(name)
  })

  test.each([
    'NODE_OPTIONS',
    'node_options',
    'PATH',
    'Path',
    'CI',
    'GITHUB_TOKEN',
    'RUNNER_TEMP',
    'ACTIONS_X',
    'STATE_record',
    'INPUT_X',
  ])('not %s, which is reserved', (name) => {
    expect(refusal({ 'export-env': name })).toMatch(
      /^Input export-env is .*reserved for the runner.*SPHERESCOUT_API_KEY$/,
    )
  })

  test.each(['1A', 'A-B', 'A B', 'A=B', 'A\nB', 'Ä'])('not %j, which is no name', (name) => {
    expect(refusal({ 'export-env': name })).toContain('not a name for an environment variable')
  })
})

describe('choices', () => {
  test.each([
    ['true', true],
    ['True', true],
    ['TRUE', true],
    ['false', false],
    ['False', false],
    ['FALSE', false],
  ])('revoke: %s', (value, revoke) => {
    expect(read({ revoke: value }).revoke).toBe(revoke)
  })

  test.each(['yes', '0', 'truely', 'not false'])('not revoke: %s', (value) => {
    expect(refusal({ revoke: value })).toContain('it must be true or false')
  })

  test('on-revoke-failure', () => {
    expect(read({ 'on-revoke-failure': 'fail' }).onRevokeFailure).toBe('fail')
    expect(read({ 'on-revoke-failure': 'Warn' }).onRevokeFailure).toBe('warn')
    expect(refusal({ 'on-revoke-failure': 'warning' })).toContain('it must be warn or fail')
  })

  test('a long value is not repeated whole', () => {
    expect(refusal({ revoke: 'x'.repeat(500) }).length).toBeLessThan(200)
  })
})

describe('why a run was given no secrets', () => {
  const repo = (full_name: string) => ({ repo: { full_name } })
  const pull = (head: string, base: string) => ({ pull_request: { head: repo(head), base: repo(base) } })

  test.each([
    [
      'a fork',
      { eventName: 'pull_request', actor: 'a', payload: pull('b/r', 'a/r') },
      /pull request from a fork/,
    ],
    [
      'a deleted fork',
      {
        eventName: 'pull_request',
        actor: 'a',
        payload: { pull_request: { head: { repo: null }, base: repo('a/r') } },
      },
      /fork/,
    ],
    ['Dependabot', { eventName: 'push', actor: 'dependabot[bot]', payload: {} }, /Dependabot/],
  ])('%s', (_, run, says) => {
    expect(explainMissingSecrets(run)).toMatch(says)
  })

  test.each([
    ['the same repository', { eventName: 'pull_request', actor: 'a', payload: pull('a/r', 'a/r') }],
    ['pull_request_target', { eventName: 'pull_request_target', actor: 'a', payload: pull('b/r', 'a/r') }],
    ['a push', { eventName: 'push', actor: 'a', payload: {} }],
  ])('not %s', (_, run) => {
    expect(explainMissingSecrets(run)).toBeNull()
  })
})
