import { describe, expect, test } from '@jest/globals'
import { makeCertificates } from '../support/certificates.ts'
import type { Fault } from '../support/emulator.ts'
import { errorOf, type Stage, type StageOptions, secretsOf, WITHOUT_SLEEPS, withJob } from './with-job.ts'

/** What a repository secret is where GitHub gives none. */
const NO_SECRET = { 'api-key': '' }

/**
 * The error of a main step that fails, after checking that it is one line without a stack trace, a response dump or a
 * secret, and that no key is valid after post.
 */
async function failure(
  options: StageOptions & { inputs?: Record<string, string>; faults?: Fault[]; overshootMs?: number },
  check: (stage: Stage, message: string) => void | Promise<void> = () => {},
): Promise<string> {
  return withJob(options, async (stage) => {
    const { emulator, job } = stage
    for (const fault of options.faults ?? []) emulator.fault(fault)
    const stepEnv = { SLEEP_OVERSHOOT_MS: String(options.overshootMs ?? 0) }
    const main = await job.main({ ...stage.inputs, ...options.inputs }, { ...WITHOUT_SLEEPS, stepEnv })
    const message = errorOf(main)
    expect(main.exitCode).toBe(1)
    expect(main.stderr).toBe('')
    expect(message).not.toMatch(/\n|<\/?h1|<html|\bat .*\.js/)
    expect(message.length).toBeLessThan(600)
    for (const secret of secretsOf(emulator)) expect(main.shown).not.toContain(secret)
    await check(stage, message)
    emulator.clearFaults()
    await job.post(undefined, WITHOUT_SLEEPS)
    expect(emulator.account.live()).toEqual([])
    return message
  })
}

const always = (status: number, body = '', headers = {}): Fault[] => [
  { on: 'create', kind: 'status', status, body, headers, times: Infinity },
]

describe('what the API refuses:', () => {
  test('401 is reported as a wrong, revoked or expired api-key', async () => {
    const message = await failure({ inputs: { 'api-key': 'not-a-key-of-this-account' } })
    expect(message).toMatch(/rejected api-key: .* answered 401 .* wrong, revoked or expired/)
  })

  test('403 is reported with the reason that the API gives', async () => {
    expect(await failure({ api: { keyLimit: 0 } })).toContain(
      'Maximum amount of tokens allowed per user exceeded.',
    )
  })

  test('400 is reported with the API’s error for each field', async () => {
    const message = await failure({ faults: always(400, '{"expiry":["Too far away."],"name":["Unknown."]}') })
    expect(message).toContain('expiry: Too far away.; name: Unknown.')
  })

  test('a reason that repeats the credential is shown without it', async () => {
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

  test('a redirect is reported with its host and not followed', async () => {
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
  ])('5xx with %s is named with its status and request once the timeout is spent', async (_, body) => {
    const message = await failure({ faults: always(500, body), inputs: { timeout: '30s' } })
    expect(message).toMatch(/127\.0\.0\.1:\d+ answered 500 to POST \/api\/user\/api-keys/)
    expect(message).toMatch(/timeout \(30\.0 s\)/)
  })

  test('5xx is named even when the machine stalls until the timeout has passed', async () => {
    const message = await failure({ faults: always(500), overshootMs: 3_600_000 })
    expect(message).toContain('answered 500 to POST /api/user/api-keys')
  })

  test('429 that asks to wait beyond the timeout is reported at once, with the wait and what to change', async () => {
    const faults = always(429, '', { 'Retry-After': '1200' })
    const message = await failure({ faults }, ({ emulator }) => expect(emulator.requests).toHaveLength(1))
    expect(message).toContain('too many requests')
    expect(message).toContain('in 1200.0 s')
    expect(message).toContain('raise timeout (30 minutes at most)')
  })
})

describe('what the network refuses:', () => {
  test('a connection is named with its host, port and error code', async () => {
    const message = await failure({ inputs: { 'api-url': 'http://127.0.0.1:9' } })
    expect(message).toMatch(/127\.0\.0\.1:9: the connection failed \(ECONNREFUSED\)/)
  })

  test('a name that cannot be resolved is named with the error code', async () => {
    // A label of more than 63 characters: refused on this machine, without a question to a name server.
    const name = `${'a'.repeat(64)}.invalid`
    const message = await failure({ inputs: { 'api-url': `https://${name}` } })
    expect(message).toMatch(new RegExp(`${name}: its name .* \\((ENOTFOUND|EAI_AGAIN)\\)`))
  })

  test('a certificate is named with the variable that helps, and no request is sent', async () => {
    const tls = await makeCertificates(['127.0.0.1'])
    const message = await failure({ api: { tls } }, ({ emulator }) => expect(emulator.requests).toEqual([]))
    expect(message).toMatch(/its certificate was not accepted/)
    expect(message).toContain('NODE_EXTRA_CA_CERTS')
  })

  test('an API that never answers is reported as silent, not as unreachable', async () => {
    const hang: Fault = { on: 'any', kind: 'hang', times: Infinity }
    // Real time, as it is the request that times out; time enough for a slow machine to send it.
    const message = await failure({ faults: [hang], inputs: { timeout: '4s' } })
    expect(message).toContain('did not answer in time')
  })
})

describe('an answer that cannot be used', () => {
  test.each<[string, unknown, RegExp]>([
    [
      'a key that never expires',
      { api_key: { expiry: null } },
      /never expires, although an expiry was requested/,
    ],
    [
      'a key with a line break',
      { token: 'first-line\nsecond-line', api_key: { token_key: 'first-line' } },
      /visible ASCII/,
    ],
    ['no key', { token: null }, /holds no key/],
  ])(
    'with %s is reported with the reason, and its key is revoked by the main step',
    async (_, body, reason) => {
      const faults: Fault[] = [{ on: 'create', kind: 'replace', body }]
      const message = await failure({ faults }, ({ emulator }) => {
        expect(emulator.account.keys()).toHaveLength(1)
        expect(emulator.account.live()).toEqual([])
      })
      expect(message).toMatch(reason)
    },
  )

  test.each<[string, unknown, RegExp]>([
    ['a key that expires later', { api_key: { expiry: '2099-01-01T00:00:00Z' } }, /not .* as requested/],
    ['no id', { api_key: { id: null } }, /no usable id/],
    ['a list', [], /not the JSON of this API/],
  ])(
    'twice with %s is reported with the reason, and its keys are revoked by post',
    async (_, body, reason) => {
      const faults: Fault[] = [{ on: 'create', kind: 'replace', body, times: 2 }]
      const message = await failure({ faults }, ({ emulator }) => {
        expect(emulator.account.live()).toHaveLength(2)
      })
      expect(message).toMatch(reason)
    },
  )

  test('from a server that ignores the expiry is reported as a key that never expires', async () => {
    expect(await failure({ api: { ignoreExpiry: true } })).toContain('never expires')
  })
})

describe('an input that cannot be used:', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ 'api-key': ' \n' }, /Input api-key is empty.*secrets\.SPHERESCOUT_API_KEY/],
    [{ 'api-key': 'two words' }, /Input api-key contains white space/],
    [{ 'expires-in': '60' }, /Input expires-in is "60": it is not a duration such as 90s.*expires-in: 30m/],
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
  test.each(cases)('%j is refused before any request', async (inputs, says) => {
    const message = await failure({ inputs }, ({ emulator }) => expect(emulator.requests).toEqual([]))
    expect(message).toMatch(says)
    expect(message).not.toMatch(/two words|me:secret/)
  })

  test('an empty api-key on a pull request is explained by forks', async () => {
    const message = await failure({ job: { eventName: 'pull_request' }, inputs: NO_SECRET })
    expect(message).toContain('GitHub gives no secrets to pull requests from forks')
  })

  test('an empty api-key in a run by Dependabot is explained by Dependabot', async () => {
    const message = await failure({ job: { actor: 'dependabot[bot]' }, inputs: NO_SECRET })
    expect(message).toContain('only Dependabot secrets')
  })
})
