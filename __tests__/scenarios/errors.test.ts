import { describe, expect, test } from '@jest/globals'
import { makeCertificates } from '../support/certificates.ts'
import type { Fault } from '../support/emulator.ts'
import { errorOf, type Stage, type StageOptions, secretsOf, withJob } from './with-job.ts'

const SECRETS_AS_EMPTY = { 'api-key': '' }

/**
 * A main step that fails: its one error, after checking that it is one line, no stack, no dump and no secret.
 * Post follows, except where it would wait 15 s for a slow server (the lost replies have tests of their own).
 */
async function failure(
  options: StageOptions & { inputs?: Record<string, string>; faults?: Fault[]; withoutPost?: true },
  check: (stage: Stage, message: string) => void | Promise<void> = () => {},
): Promise<string> {
  return withJob(options, async (stage) => {
    const { emulator, job } = stage
    for (const fault of options.faults ?? []) emulator.fault(fault)
    const main = await job.main({ ...stage.inputs, ...options.inputs })
    const message = errorOf(main)
    expect(main.exitCode).toBe(1)
    expect(main.stdout.split('\n').filter((line) => line.startsWith('::error'))).toHaveLength(1)
    expect(main.stderr).toBe('')
    expect(message).not.toMatch(/\n|<\/?h1|<html|\bat .*\.js/)
    expect(message.length).toBeLessThan(600)
    for (const secret of secretsOf(emulator)) expect(main.shown).not.toContain(secret)
    await check(stage, message)
    if (options.withoutPost) return message
    await job.post()
    expect(emulator.account.live()).toEqual([])
    return message
  })
}

const always = (status: number, body = '', headers = {}): Fault[] => [
  { on: 'create', kind: 'status', status, body, headers, times: 99 },
]

describe('what the API refuses', () => {
  test('401: the key behind api-key', async () => {
    const message = await failure({ inputs: { 'api-key': 'not-a-key-of-this-account' } })
    expect(message).toMatch(/did not accept api-key: it is wrong, revoked or expired .*401/)
  })

  test('403: the API’s own reason', async () => {
    expect(await failure({ api: { keyLimit: 0 } })).toContain(
      'Maximum amount of tokens allowed per user exceeded.',
    )
  })

  test('400: the API’s field errors', async () => {
    const message = await failure({ faults: always(400, '{"expiry":["Too far away."],"name":["Unknown."]}') })
    expect(message).toContain('expiry: Too far away.; name: Unknown.')
  })

  test('a reason that repeats the credential does not show it', async () => {
    await withJob({}, async ({ emulator, job, inputs }) => {
      const secret = emulator.account.longLivedKey
      emulator.fault({
        on: 'create',
        kind: 'status',
        status: 403,
        body: JSON.stringify({ detail: `no ${secret}` }),
      })
      const main = await job.main(inputs)
      expect(
        main.stdout.split('\n').filter((line) => line.includes(secret) && !line.startsWith('::add-mask::')),
      ).toEqual([])
      expect(errorOf(main)).toContain('no ***')
    })
  })

  test('3xx: a redirect is named and never followed', async () => {
    const elsewhere: Fault = {
      on: 'create',
      kind: 'redirect',
      status: 301,
      location: 'https://elsewhere.example/api',
    }
    const message = await failure({ faults: [elsewhere] }, ({ emulator }) => {
      expect(emulator.requests).toHaveLength(1)
    })
    expect(message).toMatch(/redirect to elsewhere\.example; redirects are never followed\. Check api-url/)
  })

  test.each([
    ['an HTML page', '<html><h1>Bad Gateway</h1></html>'],
    ['nothing', ''],
  ])('5xx with %s: the status and what was asked', async (_, body) => {
    const message = await failure({ faults: always(500, body), inputs: { timeout: '1s' }, withoutPost: true })
    expect(message).toMatch(
      /127\.0\.0\.1:\d+ answered 500 to POST \/api\/user\/api-keys\. Gave up after \d+ attempt/,
    )
  })

  test('429 with a wait that passes the timeout', async () => {
    const message = await failure({ faults: always(429, '', { 'Retry-After': '3600' }) })
    expect(message).toContain('too many requests. Gave up after 1 attempt(s), as the next one, in 3600.0 s,')
    expect(message).toContain('Raise input timeout')
  })
})

describe('what the network refuses', () => {
  test('a connection', async () => {
    const message = await failure({ inputs: { 'api-url': 'http://127.0.0.1:9', timeout: '1s' } })
    expect(message).toMatch(/127\.0\.0\.1:9: the connection failed \(ECONNREFUSED\)/)
  })

  test('a name', async () => {
    const message = await failure({ inputs: { 'api-url': 'https://no-such-host.invalid', timeout: '1s' } })
    expect(message).toMatch(/no-such-host\.invalid: its name could not be resolved \((ENOTFOUND|EAI_AGAIN)\)/)
  })

  test('a certificate, with the variable that mends it', async () => {
    const tls = await makeCertificates(['127.0.0.1'])
    const message = await failure({ api: { tls } }, ({ emulator }) => expect(emulator.requests).toEqual([]))
    expect(message).toMatch(/its certificate was not accepted/)
    expect(message).toContain('NODE_EXTRA_CA_CERTS')
  })

  test('an answer in time', async () => {
    const hang: Fault = { on: 'any', kind: 'hang', times: 99 }
    const message = await failure({ faults: [hang], inputs: { timeout: '1s' }, withoutPost: true })
    expect(message).toContain('did not answer in time')
  })
})

describe('an answer that cannot be used', () => {
  const cases: [string, unknown, RegExp][] = [
    [
      'a key that never expires',
      { api_key: { expiry: null } },
      /never expires, though an expiry was asked for/,
    ],
    [
      'a key that expires later',
      { api_key: { expiry: '2099-01-01T00:00:00Z' } },
      /later than the .* asked for/,
    ],
    ['a key with a line break', { token: 'first-line\nsecond-line' }, /white space, control or non-ASCII/],
    ['no key', { token: null }, /holds no key/],
    ['no id', { api_key: { id: null } }, /holds no id/],
    ['a list', [], /holds no key/],
  ]
  test.each(cases)('%s: the reason, and no key left', async (_, body, reason) => {
    const faults: Fault[] = [{ on: 'create', kind: 'replace', body }]
    const message = await failure({ faults }, ({ emulator }) => {
      expect(emulator.account.keys()).toHaveLength(1)
      expect(emulator.account.live()).toEqual([])
    })
    expect(message).toMatch(reason)
  })

  test('a server that takes no notice of the expiry', async () => {
    expect(await failure({ api: { ignoreExpiry: true } })).toContain('never expires')
  })
})

describe('an input that cannot be used', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ 'api-key': ' \n' }, /Input api-key is empty.*secrets\.SPHERESCOUT_API_KEY/],
    [{ 'api-key': 'two words' }, /Input api-key contains white space/],
    [{ 'expires-in': '60' }, /Input expires-in is "60": a number needs a unit.*expires-in: 30m/],
    [{ 'expires-in': '59s' }, /at least 1 minute/],
    [{ 'expires-in': '6d' }, /at most 5 days/],
    [{ 'expires-in': 'soon' }, /not a duration/],
    [{ timeout: '31m' }, /Input timeout.*at most 30 minutes/],
    [{ 'api-url': 'http://www.spherescout.io' }, /Input api-url must start with https/],
    [{ 'api-url': 'https://me:secret@www.spherescout.io' }, /Input api-url contains a user name, password,/],
    [{ 'api-url': 'https://www.spherescout.io/?a=b' }, /query or fragment/],
    [{ 'api-url': 'spherescout' }, /not a URL/],
    [{ 'export-env': 'NODE_OPTIONS' }, /reserved for the runner/],
    [{ 'export-env': '1KEY' }, /not a name/],
    [{ revoke: 'perhaps' }, /must be true or false/],
    [{ 'on-revoke-failure': 'ignore' }, /must be warn or fail/],
  ]
  test.each(cases)('%j', async (inputs, says) => {
    const message = await failure({ inputs }, ({ emulator }) => expect(emulator.requests).toEqual([]))
    expect(message).toMatch(says)
    expect(message).not.toMatch(/two words|me:secret/)
  })

  test('an empty api-key on a pull request from a fork', async () => {
    const event = {
      pull_request: {
        head: { repo: { full_name: 'somebody/fork' } },
        base: { repo: { full_name: 'octo-org/octo-repo' } },
      },
    }
    const message = await failure({ job: { event, eventName: 'pull_request' }, inputs: SECRETS_AS_EMPTY })
    expect(message).toContain('a pull request from a fork, and GitHub gives such runs no secrets')
  })

  test('an empty api-key in a run by Dependabot', async () => {
    const message = await failure({ job: { actor: 'dependabot[bot]' }, inputs: SECRETS_AS_EMPTY })
    expect(message).toContain('Dependabot started this run')
  })
})
