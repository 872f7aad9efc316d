import { describe, expect, test } from '@jest/globals'
import { readRotateInputs } from '../../src/rotate/inputs.ts'

const DAY = 24 * 3_600_000
const GIVEN = { 'api-key': 'the-long-key', 'github-token': 'the-token' }
const read = (given: Record<string, string> = {}, env = {}) => {
  const inputs: Record<string, string> = { ...GIVEN, ...given }
  return readRotateInputs((name) => inputs[name] ?? '', env)
}
const refused = (given: Record<string, string>, env = {}) => {
  try {
    read(given, env)
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  return ''
}

describe('the inputs of rotate', () => {
  test('have defaults', () => {
    expect(read({}, { GITHUB_API_URL: 'https://ghes.example/api/v3/' })).toEqual({
      apiKey: 'the-long-key',
      githubToken: 'the-token',
      secret: 'SPHERESCOUT_API_KEY',
      home: { kind: 'repository', name: '' },
      copies: [],
      limits: { rotateAfter: 30 * DAY, expiresIn: 60 * DAY, overlap: 7 * DAY },
      initialKeyId: '',
      revokePrevious: 'after-overlap',
      apiUrl: 'https://www.spherescout.io',
      githubApiUrl: 'https://ghes.example/api/v3',
      timeout: 120_000,
    })
    expect(read().githubApiUrl).toBe('https://api.github.com')
  })

  test('override the defaults', () => {
    const given = {
      secret: 'My_Key1',
      environment: ' production ',
      copies: 'dependabot\r\n\n  Codespaces \n environment  Staging EU\nrepository',
      'rotate-after': '10d',
      'expires-in': '20d',
      overlap: '3d',
      'initial-key-id': ' 17 ',
      'revoke-previous': 'now',
      'api-url': 'https://api.example/v1/',
      'github-api-url': 'http://127.0.0.1:8080/',
      timeout: '5m',
    }
    expect(
      read(given, { GITHUB_EVENT_NAME: 'workflow_dispatch', GITHUB_API_URL: 'https://x.example' }),
    ).toMatchObject({
      secret: 'MY_KEY1',
      home: { kind: 'environment', name: 'production' },
      copies: [
        { kind: 'dependabot', name: '' },
        { kind: 'codespaces', name: '' },
        { kind: 'environment', name: 'Staging EU' },
        { kind: 'repository', name: '' },
      ],
      limits: { rotateAfter: 10 * DAY, expiresIn: 20 * DAY, overlap: 3 * DAY },
      initialKeyId: '17',
      revokePrevious: 'now',
      apiUrl: 'https://api.example/v1',
      githubApiUrl: 'http://127.0.0.1:8080',
      timeout: 300_000,
    })
    expect(read({ organization: 'Octo-Org' }).home).toEqual({ kind: 'organization', name: 'Octo-Org' })
  })

  test('explain an empty key by the event of the run', () => {
    expect(() => read({ 'api-key': '' }, { GITHUB_EVENT_NAME: 'pull_request' })).toThrow(/from forks/)
  })

  test.each([
    [{ 'api-key': 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2ln' }, 'only an API key can be rotated'],
    [{ 'api-key': 'key with spaces' }, 'api-key contains white space'],
    [{ 'github-token': '' }, 'Input github-token is empty'],
    [{ 'github-token': 'two words' }, 'github-token contains white space'],
    [{ 'github-token': 'wörd' }, 'github-token contains white space'],
    [{ secret: 'GITHUB_KEY' }, 'Input secret is not a valid secret name'],
    [{ secret: 'github_key' }, 'Input secret is not a valid secret name'],
    [{ secret: '1KEY' }, 'Input secret is not a valid secret name'],
    [{ secret: 'A-KEY' }, 'Input secret is not a valid secret name'],
    [{ secret: '../KEY' }, 'Input secret is not a valid secret name'],
    [{ environment: 'a', organization: 'b' }, 'are both set'],
    [{ environment: '..' }, 'Input environment contains an invalid environment name'],
    [{ environment: '.' }, 'invalid environment name'],
    [{ environment: '\ud800' }, 'invalid environment name'],
    [{ organization: 'a/b' }, 'Input organization is not a valid organization name'],
    [{ organization: '..' }, 'Input organization is not a valid organization name'],
    [{ copies: 'environment ..' }, 'Input copies contains an invalid environment name'],
    [{ copies: 'organization x' }, 'lists an unknown place'],
    [{ copies: 'environment' }, 'lists an unknown place'],
    [{ copies: 'repository' }, 'lists a place twice'],
    [{ copies: 'dependabot\nDependabot' }, 'lists a place twice'],
    [{ environment: 'prod', copies: 'environment PROD' }, 'lists a place twice'],
    [{ 'rotate-after': '23h' }, 'at least 1 day'],
    [{ 'rotate-after': '366d' }, 'at most 365 days'],
    [{ 'expires-in': '7d' }, 'at least 8 days'],
    [{ 'expires-in': '731d' }, 'at most 730 days'],
    [{ overlap: '59m' }, 'at least 1 hour'],
    [{ overlap: '36d' }, 'at most 35 days'],
    [{ 'expires-in': '43d' }, 'Raise it to 44d, or lower rotate-after'],
    [{ 'rotate-after': '7d' }, 'Input rotate-after is too short'],
    [{ 'rotate-after': '169h' }, 'Input rotate-after is too short'],
    [{ overlap: '30d', 'expires-in': '90d' }, 'Input rotate-after is too short'],
    [{ 'revoke-previous': 'later' }, 'it must be after-overlap or now'],
    [{ 'revoke-previous': 'now' }, 'workflow_dispatch'],
    [{ 'api-url': 'http://api.example' }, 'Input api-url must start with https://'],
    [{ 'github-api-url': 'nonsense' }, 'Input github-api-url is not a URL'],
    [{ 'github-api-url': 'http://ghes.example' }, 'Input github-api-url must start with https://'],
    [{ 'github-api-url': 'ftp://127.0.0.1' }, 'Input github-api-url must start with https://'],
    [{ 'github-api-url': 'https://u@ghes.example' }, 'Input github-api-url contains a user name'],
    [{ 'github-api-url': 'https://:p@ghes.example' }, 'Input github-api-url contains a user name'],
    [{ 'github-api-url': 'https://ghes.example?x' }, 'Input github-api-url contains a user name'],
    [{ timeout: '31m' }, 'at most 30 minutes'],
    [{ timeout: '0s' }, 'at least 1 second'],
  ])('are refused: %j', (given, reason) => {
    expect(refused(given, { GITHUB_EVENT_NAME: 'schedule' })).toContain(reason)
  })

  test('explain an empty key by its name in the workflow, or not at all', () => {
    expect(refused({ 'api-key': '', api_key: 'the-long-key' })).toContain(
      'The workflow sets api_key; the name has a hyphen.',
    )
    expect(refused({ 'api-key': '' })).not.toMatch(/api_key/)
    expect(() => readRotateInputs(() => '', {})).toThrow(/^Input api-key is empty/)
  })

  test.each([
    [
      { 'github-token': '' },
      'Input github-token is empty. Pass a token that may write the secret. For example: github-token: $' +
        '{{ steps.app-token.outputs.token }}',
    ],
    [
      { secret: '1KEY' },
      'Input secret is not a valid secret name: only letters, digits and underscores, not starting with a digit or ' +
        'GITHUB_. For example: secret: SPHERESCOUT_API_KEY',
    ],
    [
      { 'expires-in': '43d' },
      'Input expires-in is too short: it must be at least rotate-after + overlap + 7 days, which leaves a week to fix a ' +
        'failing rotation. Raise it to 44d, or lower rotate-after.',
    ],
    [
      { 'revoke-previous': 'now' },
      'Input revoke-previous is now, which is for emergencies because it makes running jobs fail. ' +
        'It is accepted only in a run that was started by hand (workflow_dispatch).',
    ],
    [
      { 'github-api-url': 'nonsense' },
      'Input github-api-url is not a URL. For example: github-api-url: https://api.github.com',
    ],
  ])('are refused with the whole reason: %j', (given, message) => {
    expect(refused(given)).toBe(message)
  })

  test('name the input whose choice is unknown', () => {
    expect(refused({ 'revoke-previous': 'later' })).toContain('Input revoke-previous')
  })

  test.each(['o', 'octo', 'Octo-Org', 'octo.org', '-octo_1', 'octo-', 'a--b'])(
    'accept the organization %s',
    (organization) => {
      expect(read({ organization }).home).toEqual({ kind: 'organization', name: organization })
    },
  )

  test.each(['a b', 'a/b', '/ab', 'ab/', '-', 'a\u00e4', '\u00e4a'])(
    'refuse the organization %j',
    (organization) => {
      expect(refused({ organization })).toContain('Input organization is not a valid organization name')
    },
  )

  test('compare places without case, and tell their kinds apart', () => {
    expect(read({ environment: 'Prod', copies: 'environment prod-2\nrepository' }).copies).toHaveLength(2)
    expect(refused({ copies: 'environment A\nenvironment a' })).toContain('lists a place twice')
    expect(refused({ copies: 'environment \u00c9\nenvironment \u00e9' })).toContain('lists a place twice')
    expect(refused({ copies: 'an environment a' })).toContain('lists an unknown place')
  })

  test('lose every trailing slash of an address', () => {
    expect(read({ 'github-api-url': 'https://ghes.example/api/v3//' }).githubApiUrl).toBe(
      'https://ghes.example/api/v3',
    )
  })

  test('accept keys that only resemble a JWT', () => {
    for (const key of ['eyJhbGciOiJIUzI1NiJ9', 'eyJhbGci.b', 'xyz.abc.def', 'xeyJhbG.a.b', 'eyJhbG.a.b.c'])
      expect(read({ 'api-key': key }).apiKey).toBe(key)
  })

  test('accept exactly the shortest rotate-after with which old keys are revoked', () => {
    expect(read({ 'rotate-after': '170h' }).limits.rotateAfter).toBe(170 * 3_600_000)
    expect(refused({ 'rotate-after': '7d' })).toBe(
      'Input rotate-after is too short: it must be at least overlap + 2 hours, or no key would get old enough for the ' +
        'keys before it to be revoked. Raise rotate-after, or lower overlap.',
    )
  })

  test('accept exactly the shortest lifetime that leaves a week', () => {
    expect(read({ 'expires-in': '44d' }).limits.expiresIn).toBe(44 * DAY)
  })
})
