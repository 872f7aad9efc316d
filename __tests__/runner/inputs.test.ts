import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parse } from 'yaml'
import { readInputs } from '../../src/runner/inputs.ts'

const given =
  (inputs: Record<string, string>) =>
  (name: string): string =>
    inputs[name] ?? ''
const read = (inputs: Record<string, string>) =>
  readInputs(given({ 'api-key': 'long-lived-key', ...inputs }), {})

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
  apiKey: 'long-lived-key',
  expiresIn: 3_600_000,
  apiUrl: 'https://www.spherescout.io',
  exportEnv: '',
  revoke: true,
  onRevokeFailure: 'warn',
  timeout: 120_000,
}

test('gives an empty input its default, which is the one of action.yml', () => {
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
    expect(read({ 'api-key': ' \n long-lived-key \t' }).apiKey).toBe('long-lived-key')
  })

  test.each(['', ' ', '\n'])('is refused with an example if it is %j', (value) => {
    expect(refusal({ 'api-key': value })).toMatch(
      /^Input api-key is empty\. Check that the secret.*under secrets: of the job.*secrets\.SPHERESCOUT_API_KEY/,
    )
  })

  const run = (GITHUB_EVENT_NAME: string, GITHUB_ACTOR = 'octocat') => ({ GITHUB_EVENT_NAME, GITHUB_ACTOR })

  test.each([
    ['a pull request', run('pull_request'), /pull requests from forks.* If this is none/],
    ['a review of one', run('pull_request_review'), /pull requests from forks/],
    ['a comment of a review', run('pull_request_review_comment'), /pull requests from forks/],
    ['a run by Dependabot', run('push', 'dependabot[bot]'), /Dependabot secret/],
    ['a pull request by Dependabot', run('pull_request', 'dependabot[bot]'), /Dependabot secret/],
    [
      'pull_request_target, which has secrets',
      run('pull_request_target'),
      /Check that the secret is defined/,
    ],
    ['a push', run('push'), /Check that the secret is defined/],
  ])('that is empty is explained by what the run says about itself: %s', (_, env, says) => {
    expect(() => readInputs(given({}), env)).toThrow(says)
    expect(() => readInputs(given({ api_key: 'x' }), env)).toThrow(/has a hyphen/)
  })

  test('is said to have a hyphen if the workflow sets api_key', () => {
    expect(refusal({ 'api-key': '', api_key: 'long-lived-key' })).toMatch(
      /^Input api-key is empty\. The workflow sets api_key; the name has a hyphen\./,
    )
  })

  test.each([
    ['***', 'is shorter than 8 characters'],
    ['"0123456789abcdef"', 'begins with a quote'],
    ["'0123456789abcdef'", 'begins with a quote'],
    ['`0123456789abcdef`', 'begins with a quote'],
    ['{"key":"0123456789abcdef"}', 'begins with {'],
    ['{\n"key":"0123456789abcdef"\n}', 'begins with {'],
    ['$SPHERESCOUT_API_KEY', 'begins with $'],
    ['$' + '{{ secrets.SPHERESCOUT_API_KEY }}', 'begins with $'],
    ['Bearer 0123456789abcdef', 'begins with the name of an HTTP header'],
    ['Authorization: Bearer 0123456789abcdef', 'begins with the name of an HTTP header'],
    ['SPHERESCOUT_API_KEY=0123456789abcdef', 'has the form NAME=VALUE'],
    ['api-key = 0123456789abcdef', 'has the form NAME=VALUE'],
    ['true', 'is shorter than 8 characters'],
    ['1234567', 'is shorter than 8 characters'],
    ['01234567 89abcdef', 'contains white space'],
    ['01234567\n89abcdef', 'contains white space'],
    ['0123456789abcdef\u200b', 'contains white space, a control character or a non-ASCII character'],
  ])('is refused without being shown if it is %j', (value, fault) => {
    const message = refusal({ 'api-key': value })
    expect(message).toContain(`Input api-key ${fault}`)
    expect(message).toContain('(its value is not shown). Save the secret again')
    for (const part of ['0123456', '89abcdef', 'true', '***']) expect(message).not.toContain(part)
  })

  test.each(['12345678', 'abcdefghijkl==', 'eyJhbGciOi.eyJzdWIi.c2ln', 'bearer-of-news', 'sk_live-1:2/3+4'])(
    'is accepted if it is %j',
    (value) => {
      expect(read({ 'api-key': value }).apiKey).toBe(value)
    },
  )

  test('is either sent as it is, in visible ASCII, or refused without being shown', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (value) => {
        const trimmed = value.trim()
        try {
          expect(read({ 'api-key': value }).apiKey).toBe(trimmed)
          expect(trimmed).toMatch(/^[\x21-\x7e]{8,}$/)
        } catch (error) {
          const { message } = error as Error
          expect(message).toMatch(/^Input api-key /)
          if (trimmed.length > 7) expect(message).not.toContain(trimmed)
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
  ])('reads expires-in: %j as %j ms (null: refuses it)', (value, expected) => {
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
  ])('reads timeout: %j as %j ms (null: refuses it)', (value, expected) => {
    if (expected === null)
      expect(refusal({ timeout: value })).toMatch(/^Input timeout is .*For example: timeout: 2m$/)
    else expect(read({ timeout: value }).timeout).toBe(expected)
  })

  test('never accepts a duration out of bounds', () => {
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
  ])('reads %s as %s', (value, url) => {
    expect(read({ 'api-url': value }).apiUrl).toBe(url)
  })

  test.each([
    ['nonsense', /not a URL/],
    ['http://example.org', /must start with https/],
    ['http://127.0.0.1.example.org', /must start with https/],
    ['http://localhost.example.org', /must start with https/],
    ['ftp://localhost', /must start with https/],
    // A resolver may send these elsewhere.
    ['http://api.localhost', /must start with https/],
    ['http://127.0.0.1.localhost', /must start with https/],
    ['https://user@example.org', /a user name, password,/],
    ['https://:password@example.org', /a user name, password,/],
    ['https://example.org?', /query or fragment/],
    ['https://example.org/#', /query or fragment/],
  ])('refuses %s without showing a password', (value, says) => {
    const message = refusal({ 'api-url': value })
    expect(message).toMatch(says)
    expect(message).toMatch(/^Input api-url .*For example: api-url: https:\/\/www\.spherescout\.io$/)
    expect(message).not.toContain('password@')
  })
})

describe('export-env', () => {
  test.each(['SPHERESCOUT_API_KEY', '_x1', 'CI_KEY', 'MY_PATH', 'GITHUBKEY'])('accepts %s', (name) => {
    expect(read({ 'export-env': name }).exportEnv).toBe(name)
  })

  test.each([
    'NODE_OPTIONS',
    'LD_PRELOAD',
    'BASH_ENV',
    'node_options',
    'PATH',
    'Path',
    'CI',
    'GITHUB_TOKEN',
    'RUNNER_TEMP',
    'ACTIONS_X',
    'STATE_record',
    'INPUT_X',
  ])('refuses %s, which is reserved', (name) => {
    expect(refusal({ 'export-env': name })).toMatch(
      /^Input export-env is .*reserved for the runner.*SPHERESCOUT_API_KEY$/,
    )
  })

  test.each(['1A', 'A-B', 'A B', 'A=B', 'A\nB', 'Ä'])('refuses %j, which is not a name', (name) => {
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
  ])('reads revoke: %s as %j', (value, revoke) => {
    expect(read({ revoke: value }).revoke).toBe(revoke)
  })

  test.each(['yes', '0', 'truely', 'not false'])('refuses revoke: %s', (value) => {
    expect(refusal({ revoke: value })).toContain('it must be true or false')
  })

  test('reads on-revoke-failure in any case, and nothing but its choices', () => {
    expect(read({ 'on-revoke-failure': 'fail' }).onRevokeFailure).toBe('fail')
    expect(read({ 'on-revoke-failure': 'Warn' }).onRevokeFailure).toBe('warn')
    expect(refusal({ 'on-revoke-failure': 'warning' })).toContain('it must be warn or fail')
  })

  test('shows only the start of a long value', () => {
    expect(refusal({ revoke: 'x'.repeat(500) }).length).toBeLessThan(200)
  })
})
