import { describe, expect, test } from '@jest/globals'
import { INPUTS, type MainOptions, type MockResponse, runMain, START, savedBy } from '../support/harness.ts'

const HOUR = 3_600_000
const serve: MockResponse = { kind: 'serve' }
const methods = (seen: { method: string }[]) => seen.map(({ method }) => method).join(' ')
const expiryOf = (body: string) => Date.parse(JSON.parse(body).expiry)

describe('a key on the good path', () => {
  test('is asked for, masked, saved and handed over, in this order', async () => {
    const { error, effects, seen, traces, account } = await runMain({
      inputs: { exportEnv: 'SPHERESCOUT_API_KEY' },
    })
    expect(error).toBeNull()
    expect(effects.filter((effect, index) => effect !== effects[index - 1])).toEqual([
      'saveState',
      'POST',
      'setSecret',
      'saveState',
      'setOutput',
      'exportVariable',
      'info',
      'writeSummary',
    ])
    const [key] = account.live()
    expect(traces.outputs).toEqual({
      key: key?.token,
      'key-id': key?.id,
      'key-prefix': key?.token_key,
      'created-at': new Date(key?.created ?? 0).toISOString(),
      'expires-at': new Date(key?.expiry ?? 0).toISOString(),
      SPHERESCOUT_API_KEY: key?.token,
    })
    expect(seen[0]).toMatchObject({ path: '/api/user/api-keys', credential: INPUTS.apiKey, timeout: 10_000 })
    expect(expiryOf(seen[0]?.body ?? '')).toBe(START + HOUR - 0.5 * 0.05 * HOUR)
    expect(traces.printed[0]).toMatch(
      /^Created the API key .*valid until 2027-03-01 12:58:30 UTC \(for 58 min\)\. The post step revokes it/,
    )
    expect(traces.unmasked).toEqual([])
  })

  test('leaves post one record with all that it needs', async () => {
    const run = await runMain()
    const [key] = run.account.live()
    expect(savedBy(run)).toEqual({
      version: 1,
      apiUrl: INPUTS.apiUrl,
      apiKey: INPUTS.apiKey,
      userAgent: 'rehearsal',
      proxy: 'http://proxy.example:3128',
      settings: { NO_PROXY: 'internal.example' },
      bootedAt: START - 600_000,
      revoke: true,
      onRevokeFailure: 'warn',
      keys: [
        {
          token: key?.token,
          id: key?.id,
          prefix: key?.token_key,
          createdAt: key?.created,
          expiresAt: key?.expiry,
          keep: false,
        },
      ],
      intents: [],
    })
  })

  test('saves the intent before the request, with the exact expiry and the deadline of the answer', async () => {
    const { traces, seen } = await runMain({ cues: [{ kind: 'silence' }], signalAt: 50 })
    const expiry = expiryOf(seen[0]?.body ?? '')
    expect(JSON.parse(traces.state.record ?? '').intents).toEqual([
      { expiry, sentAt: START, deadline: START + 10_000, ambiguous: false },
    ])
  })

  test('is kept, last of all, where revoke is false', async () => {
    const run = await runMain({ inputs: { revoke: false } })
    expect(savedBy(run).keys).toEqual([expect.objectContaining({ keep: true })])
    expect(run.effects.at(-1)).toBe('saveState')
    expect(run.traces.printed.join()).toContain('It stays valid until it expires (`revoke: false`).')
  })
})

describe('what fails after the key is there', () => {
  test.each<[string, MainOptions]>([
    ['the first output', { failing: 'setOutput' }],
    ['the last output', { failing: 'setOutput', failingFrom: 5 }],
    ['the variable', { failing: 'exportVariable', inputs: { exportEnv: 'KEY' } }],
    ['saving the id', { failing: 'saveState', failingFrom: 2 }],
    ['saving that it is kept', { failing: 'saveState', failingFrom: 3, inputs: { revoke: false } }],
  ])('%s: the key is revoked and proved dead, and the error is reported', async (_, options) => {
    const { error, seen, account, traces } = await runMain(options)
    expect(error?.message).toContain('ENOSPC')
    expect(methods(seen)).toBe('POST DELETE GET')
    expect(account.keys()).toHaveLength(1)
    expect(account.live()).toEqual([])
    expect(traces.printed.join()).toMatch(/The key .* was revoked \(verified\)\./)
  })

  test('saving the intent: no request is sent', async () => {
    const { error, seen } = await runMain({ failing: 'saveState' })
    expect(error?.message).toContain('ENOSPC')
    expect(seen).toEqual([])
  })

  test('the summary: nothing else', async () => {
    const { error, traces, account } = await runMain({ failing: 'writeSummary' })
    expect(error).toBeNull()
    expect(traces.printed).toContain('ENOSPC: no space left on device, writeSummary')
    expect(account.live()).toHaveLength(1)
  })

  test('what cannot be revoked is left to post, whatever revoke says, with a warning', async () => {
    const refusal: MockResponse = { kind: 'answer', status: 403, body: { detail: 'No.' } }
    const run = await runMain({
      failing: 'setOutput',
      inputs: { revoke: false },
      cues: [serve, refusal, refusal],
    })
    expect(savedBy(run).keys).toEqual([expect.objectContaining({ keep: false })])
    expect(run.traces.warnings).toEqual([
      expect.stringMatching(
        /^The key .* could not be revoked: api\.example answered 403 .*No\. The post step will try again\.$/,
      ),
    ])
  })

  test('a revoked key is no longer in the record', async () => {
    expect(savedBy(await runMain({ failing: 'setOutput' })).keys).toEqual([])
  })
})

describe('an answer that cannot be used', () => {
  const answering = (body: object): MockResponse => ({ kind: 'answer', status: 201, acted: true, body })

  test('without a key: revoked by its id with api-key, which cannot be proved', async () => {
    const { error, account, seen, traces } = await runMain({ cues: [answering({ token: null })] })
    expect(error?.message).toBe(
      "The API's answer cannot be used: the answer holds no key. That key is revoked at once.",
    )
    expect(methods(seen)).toBe('POST DELETE')
    expect(seen[1]?.credential).toBe(INPUTS.apiKey)
    expect(account.live()).toEqual([])
    expect(traces.printed.join()).toMatch(/was revoked\./)
  })

  test('without an id: the mark tells it', async () => {
    const patched: MockResponse = { kind: 'answer', status: 201, acted: true, body: { api_key: {} } }
    const { error, account, seen } = await runMain({ cues: [patched] })
    expect(error?.message).toContain('the answer holds no id')
    expect(methods(seen)).toBe('POST GET DELETE GET')
    expect(account.live()).toEqual([])
  })

  test('without a key either: the same, and stays in the record where it does not', async () => {
    const found = await runMain({ cues: [{ kind: 'answer', status: 200, acted: true, body: '[]' }] })
    expect(found.error?.message).toMatch(
      /the answer holds no key\. The post step looks for any key that it made/,
    )
    expect(methods(found.seen)).toBe('POST GET DELETE GET')
    expect(found.account.live()).toEqual([])
    expect(savedBy(found).intents).toEqual([])

    const absent = await runMain({ cues: [{ kind: 'answer', status: 200, body: '[]' }] })
    expect(savedBy(absent).intents).toHaveLength(1)
  })

  test('with a key that cannot be sent: masked line by line, and revoked with api-key', async () => {
    const { error, traces, seen, account } = await runMain({ cues: [answering({ token: 'one\ntwo' })] })
    expect(error?.message).toContain('white space, control or non-ASCII characters')
    expect(traces.masks).toEqual(expect.arrayContaining(['one\ntwo', 'one', 'two']))
    expect(seen[1]?.credential).toBe(INPUTS.apiKey)
    expect(account.live()).toEqual([])
  })

  test('from a server that ignores the expiry', async () => {
    const { error, account } = await runMain({ api: { ignoreExpiry: true } })
    expect(error?.message).toContain('the key never expires, though an expiry was asked for')
    expect(account.live()).toEqual([])
  })
})

describe('what is handed over', () => {
  test.each([
    [true, 'to be revoked by the post step'],
    [false, 'left to its expiry'],
  ])('stands in the summary, with what becomes of it (revoke: %s)', async (revoke, fate) => {
    const { traces, account } = await runMain({ inputs: { revoke } })
    const [key] = account.keys()
    expect(traces.printed.at(-1)).toMatch(
      new RegExp(
        '^### SphereScout key for this job\n\n\\| API key \\| ID \\| Created \\| Expires \\| Status \\|\n' +
          `.*\n\\| \`${key?.token_key}\\.\\.\\.\` .*\\| ${fate} \\|\n$`,
      ),
    )
  })

  test('is in the environment only where that was asked for', async () => {
    expect(Object.keys((await runMain()).traces.outputs)).not.toContain('')
    const { traces } = await runMain({ inputs: { exportEnv: 'KEY' } })
    expect(traces.outputs.KEY).toBe(traces.outputs.key)
  })

  test('has no creation time where the API gives none', async () => {
    const whole = await runMain()
    expect(whole.traces.outputs['created-at']).toBe('2027-03-01T12:00:00.350Z')
    const api_key = { id: '7', token_key: 'prefix', expiry: '2027-03-01T12:30:00Z' }
    const bare = await runMain({
      cues: [{ kind: 'answer', status: 201, acted: true, body: { api_key } }],
    })
    expect(bare.error).toBeNull()
    expect(bare.traces.outputs['created-at']).toBe('')
  })
})

describe('a lost reply', () => {
  test.each<[string, MockResponse]>([
    ['cut', { kind: 'cut', acted: true }],
    ['timed out', { kind: 'silence', acted: true }],
    ['500', { kind: 'answer', status: 500, acted: true, body: 'oops' }],
    ['503', { kind: 'answer', status: 503, acted: true, body: 'oops' }],
    ['408', { kind: 'answer', status: 408, acted: true, body: '' }],
    ['unreadable', { kind: 'answer', status: 201, acted: true, body: '{"tok' }],
  ])('%s: looked up, revoked, and only then asked again with another mark', async (_, cue) => {
    let rolls = 0
    const run = await runMain({ cues: [cue], random: () => [0.5, 0.25, 0.75, 0.125][rolls++ % 4] ?? 0 })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST GET DELETE GET POST')
    expect(run.account.live().map(({ token }) => token)).toEqual([run.traces.outputs.key])
    expect(run.seen[0]?.body).not.toBe(run.seen[4]?.body)
    expect(savedBy(run).intents).toEqual([])
    expect(run.traces.printed.join('\n')).toMatch(
      /A key may have been made all the same; looking for it\.\nFound it, by its expiry, and revoked it: .*\(id .*\)\.\n.*Trying again in \d\.\d s\./,
    )
  })

  test.each([302, 303])(
    '%i, which may mean "done, look there": looked up before it is reported',
    async (status) => {
      const run = await runMain({ cues: [{ kind: 'answer', status, acted: true, body: '' }] })
      expect(run.error?.message).toMatch(/^No key was obtained: .*redirects are never followed/)
      expect(methods(run.seen)).toBe('POST GET DELETE GET')
      expect(run.account.live()).toEqual([])
      expect(savedBy(run).intents).toEqual([])
    },
  )

  test('with the key in the words of the failure: it is not printed', async () => {
    const run = await runMain({ cues: [{ kind: 'answer', status: 500, acted: true, body: {} }] })
    expect(run.traces.printed.join()).toContain('answered 500')
    const [lost] = run.account.keys()
    expect(run.traces.printed.join()).not.toContain(lost?.token)
  })

  test('without a key: the mark stays in the record, beside the key obtained later', async () => {
    const run = await runMain({ cues: [{ kind: 'cut' }] })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST GET POST')
    expect(savedBy(run)).toMatchObject({ keys: [{ keep: false }], intents: [{ sentAt: START }] })
    expect(run.traces.printed.join()).toContain('No such key so far. The post step will look again')
  })

  test('with another run’s key of the same expiry: neither is touched, and a warning says so', async () => {
    const run = await runMain({
      cues: [{ kind: 'cut', acted: true }, { kind: 'serve' }],
      api: { fractions: 'drop' },
    })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST GET POST')
    expect(run.traces.warnings).toEqual([
      expect.stringMatching(
        /holds 1 key\(s\) that may be its own or another run's\. None was revoked; such a key expires by itself at 2027-03-01T12:58:30\.\d{3}Z\.$/,
      ),
    ])
    expect(savedBy(run).intents).toHaveLength(1)
  })

  test('that cannot be looked up is left to post', async () => {
    const denied: MockResponse = { kind: 'answer', status: 403 }
    const run = await runMain({ cues: [{ kind: 'cut', acted: true }, denied] })
    expect(run.error).toBeNull()
    expect(run.traces.printed.join()).toMatch(
      /could not be looked through \(api\.example answered 403 .*\)\. The post step will try again\./,
    )
    expect(savedBy(run).intents).toHaveLength(1)
  })

  test.each<[string, MockResponse]>([
    ['a refused connection', { kind: 'refused' }],
    ['429', { kind: 'answer', status: 429 }],
  ])('%s proves that nothing was made: asked again, nothing looked up', async (_, cue) => {
    const run = await runMain({ cues: [cue] })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST POST')
    expect(savedBy(run).intents).toEqual([])
  })
})

describe('what is asked again, and what is not', () => {
  describe('a 429', () => {
    const throttled = (retryAfter: string): MockResponse => ({
      kind: 'answer',
      status: 429,
      headers: { 'retry-after': retryAfter },
    })
    /** How long after each 429 the next request was sent, in milliseconds. */
    async function waits(cues: MockResponse[], random: number, timeout = 1_800_000) {
      const { seen } = await runMain({ cues, random: () => random, inputs: { timeout } })
      return seen.slice(1).map(({ at }, index) => at - (seen[index]?.at ?? 0) - 100)
    }

    test('is waited for, and up to twice as long again, so that a herd does not return together', async () => {
      expect(await waits([throttled('30')], 0)).toEqual([30_000])
      expect(await waits([throttled('30')], 0.5)).toEqual([60_000])
      expect(await waits([throttled('30')], 1)).toEqual([90_000])
    })

    test('with a shorter wait than before keeps the spread of the longest one', async () => {
      expect(await waits([throttled('30'), throttled('2'), throttled('1')], 1)).toEqual([
        90_000, 62_000, 61_000,
      ])
    })

    test('is never answered so late that being sent away again would pass the timeout', async () => {
      expect(await waits([throttled('30')], 1, 100_000)).toEqual([69_400])
      expect(await waits([throttled('30')], 1, 61_500)).toEqual([30_900])
      const briefly = await waits(Array(20).fill(throttled('1')), 0.95, 75_000)
      expect(briefly.reduce((sum, wait) => sum + wait + 100)).toBeGreaterThan(70_000)
      expect(await waits([throttled('30')], 1, 50_000)).toEqual([30_500])
    })
  })

  test('the wait grows with each failure', async () => {
    const { seen } = await runMain({
      cues: [{ kind: 'refused' }, { kind: 'refused' }, { kind: 'refused' }],
    })
    expect(seen.map(({ at }) => at)).toEqual([0, 350, 950, 2050])
  })

  test.each<[number, unknown, RegExp]>([
    [
      401,
      { detail: 'x' },
      /^The API did not accept api-key: it is wrong, revoked or expired \(api\.example answered 401 to POST \/base\/api\/user\/api-keys\)\. Check the secret/,
    ],
    [
      403,
      { detail: 'Limit reached.' },
      /^No key was obtained: api\.example answered 403 .*: Limit reached\.$/,
    ],
    [404, '<html>', /^No key was obtained: api\.example answered 404 to POST \/base\/api\/user\/api-keys\.$/],
    [301, '', /^No key was obtained: .*redirect/],
  ])('%i is final', async (status, body, says) => {
    const run = await runMain({ cues: [{ kind: 'answer', status, body }] })
    expect(run.error?.message).toMatch(says)
    expect(run.seen).toHaveLength(1)
    expect(savedBy(run)).toMatchObject({ keys: [], intents: [] })
  })

  test('gives up where the next attempt would pass the timeout, and says what to do', async () => {
    const run = await runMain({
      inputs: { timeout: 20_000 },
      cues: [{ kind: 'answer', status: 429, headers: { 'retry-after': '60' } }],
    })
    expect(run.error?.message).toBe(
      'No key was obtained: api.example answered 429 to POST /base/api/user/api-keys: too many requests. ' +
        'Gave up after 1 attempt(s), as the next one, in 60.0 s, would pass the timeout of 20.0 s. ' +
        'Raise input timeout, or run the job again later.',
    )
    expect(run.took).toBe(100)
  })

  test('an attempt has no longer than the timeout', async () => {
    const { seen } = await runMain({ inputs: { timeout: 3_000 } })
    expect(seen[0]?.timeout).toBe(3_000)
  })

  test('no attempt is made with less than half a second left', async () => {
    const slow: MockResponse = { kind: 'answer', status: 429, takes: 4_300 }
    const { seen, error } = await runMain({ inputs: { timeout: 5_000 }, cues: [slow] })
    expect(seen).toHaveLength(1)
    expect(error?.message).toContain('would pass the timeout')
    const quicker: MockResponse = { kind: 'answer', status: 429, takes: 4_250 }
    expect((await runMain({ inputs: { timeout: 5_000 }, cues: [quicker] })).seen).toHaveLength(2)
  })

  test('fractions of a second that are refused: whole seconds, and a mark too weak to act on', async () => {
    const run = await runMain({
      api: { fractions: 'refuse' },
      cues: [serve, { kind: 'cut', acted: true }],
    })
    expect(run.error).toBeNull()
    expect(run.seen.slice(0, 2).map(({ body }) => JSON.parse(body).expiry)).toEqual([
      '2027-03-01T12:58:30.250Z',
      '2027-03-01T12:58:30Z',
    ])
    expect(methods(run.seen)).toBe('POST POST GET POST')
    expect(run.traces.warnings).toHaveLength(1)
    expect(savedBy(run).intents).toEqual([expect.objectContaining({ ambiguous: true })])
  })

  test('nor after a 400: its reply would be lost, and its mark is weak', async () => {
    const run = await runMain({
      inputs: { timeout: 1_000 },
      api: { fractions: 'refuse' },
      cues: [{ kind: 'serve', takes: 880 }],
    })
    expect(run.error?.message).toBe('No key was obtained within the timeout of 1.0 s. Raise input timeout.')
    expect(methods(run.seen)).toBe('POST')
    expect(savedBy(run).intents).toEqual([])
  })

  test('a Retry-After date is read by the API’s clock', async () => {
    const date = (ms: number) => new Date(START + ms).toUTCString()
    const headers = { date: date(0), 'retry-after': date(5_000) }
    const cue: MockResponse = { kind: 'answer', status: 429, headers }
    const { seen, error } = await runMain({ clockError: -600_000, cues: [cue], random: () => 0 })
    expect(error).toBeNull()
    expect(seen[1]?.at).toBeLessThan(6_000)
  })

  test('a 400 for good is reported after whole seconds were tried', async () => {
    const bad: MockResponse = { kind: 'answer', status: 400, body: { expiry: ['Too far away.'] } }
    const { error, seen } = await runMain({ cues: [bad, bad, bad, bad] })
    expect(error?.message).toBe(
      'No key was obtained: api.example answered 400 to POST /base/api/user/api-keys: expiry: Too far away.',
    )
    expect(seen).toHaveLength(2)
    expect(seen[1]?.at).toBe(100)
  })
})

describe('a wrong clock', () => {
  test.each([
    [61, 'ahead of'],
    [-61, 'behind'],
  ])('by %i s: the key is revoked and replaced by one with the right lifetime', async (error, direction) => {
    const run = await runMain({ clockError: error * 1000 })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST DELETE GET POST')
    const [key, ...others] = run.account.live()
    expect(others).toEqual([])
    const lifetime = (key?.expiry ?? 0) - (key?.created ?? 0)
    expect(Math.abs(lifetime - 0.975 * HOUR)).toBeLessThan(1_000)
    expect(run.traces.printed.join()).toContain(`This runner's clock is 1.0 min ${direction} the API's`)
    expect(run.traces.printed[1]).toMatch(/^The key \w+\.\.\. \(id \w+\.\.\.\) was revoked \(verified\)\.$/)
  })

  test('by less than a minute is let be', async () => {
    expect(methods((await runMain({ clockError: 58_000 })).seen)).toBe('POST')
  })

  test('an expiry in the past is asked again at once by the API’s clock', async () => {
    const run = await runMain({ clockError: -2 * HOUR })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST POST')
    expect(run.seen[1]?.body).toContain('.')
    expect(run.seen[1]?.at).toBe(100)
  })

  test('both cures may be needed: the clock, and whole seconds', async () => {
    const run = await runMain({ clockError: -2 * HOUR, api: { fractions: 'refuse' } })
    expect(run.error).toBeNull()
    expect(methods(run.seen)).toBe('POST POST POST')
  })

  test('a key that cannot be revoked is replaced all the same, and left to post', async () => {
    const no: MockResponse = { kind: 'answer', status: 403 }
    const run = await runMain({ clockError: 600_000, cues: [serve, no, no] })
    expect(run.error).toBeNull()
    expect(run.traces.warnings[0]).toMatch(
      /could not be revoked: api\.example answered 403 .*\. The post step will try again\./,
    )
    expect(savedBy(run).keys).toHaveLength(2)
  })

  test('and two keys that both have to be ended: neither waits for the other', async () => {
    const run = await runMain({
      clockError: 600_000,
      failing: 'setOutput',
      whenever: ({ method, path }, account) =>
        method === 'DELETE' && path.endsWith(account.keys()[0]?.id ?? '')
          ? { kind: 'answer', status: 204 }
          : undefined,
    })
    expect(run.account.keys()).toHaveLength(2)
    expect(run.account.live()).toEqual([run.account.keys()[0]])
    expect(savedBy(run).keys.map(({ id }) => id)).toEqual([run.account.keys()[0]?.id])
  })

  test('with no time left to end the key and ask again: it is ended once, without a warning', async () => {
    const late: MockResponse = { kind: 'serve', takes: 985 }
    const run = await runMain({ clockError: 600_000, inputs: { timeout: 1_000 }, cues: [late] })
    expect(run.traces.warnings).toEqual([])
    expect(run.account.live()).toEqual([])
  })

  test('with no time left to ask again', async () => {
    const late: MockResponse = { kind: 'serve', takes: 700 }
    const run = await runMain({ clockError: 600_000, inputs: { timeout: 1_200 }, cues: [late] })
    expect(run.traces.printed[0]).toContain("This runner's clock is 10.0 min ahead")
    expect(run.error?.message).toBe('No key was obtained within the timeout of 1.2 s. Raise input timeout.')
    expect(run.account.live()).toEqual([])
  })
})

describe('a cancelled job', () => {
  const CANCELLED = 'The job was cancelled before a key could be handed over.'

  test('before the request: none is sent', async () => {
    const { error, seen } = await runMain({ signalAt: 0, cues: [{ kind: 'refused' }] })
    expect(error?.message).toBe(CANCELLED)
    expect(seen.length).toBeLessThanOrEqual(1)
  })

  test('while the answer is on its way: waited for, and its key revoked', async () => {
    const run = await runMain({ signalAt: 50, cues: [{ kind: 'serve', takes: 4_900 }] })
    expect(run.error?.message).toBe(CANCELLED)
    expect(methods(run.seen)).toBe('POST DELETE GET')
    expect(run.account.live()).toEqual([])
    expect(run.traces.outputs).toEqual({})
    expect(run.took).toBe(5_100)
  })

  test('while no answer comes: cut after 5 s, the key looked up and revoked', async () => {
    const run = await runMain({ signalAt: 50, cues: [{ kind: 'silence', acted: true }] })
    expect(run.seen.map(({ method, at }) => `${method} ${at}`)).toEqual([
      'POST 0',
      'GET 5050',
      'DELETE 5150',
      'GET 5250',
    ])
    expect(run.account.live()).toEqual([])
    expect(savedBy(run).intents).toEqual([])
  })

  test('and an API that says nothing at all: over after 6.5 s, with the mark in the record', async () => {
    const silence: MockResponse = { kind: 'silence', acted: true }
    const run = await runMain({ signalAt: 50, cues: [silence, silence, silence] })
    expect(run.took).toBe(6_550)
    expect(savedBy(run).intents).toHaveLength(1)
  })

  test('while it waits to ask again: over at once', async () => {
    const run = await runMain({
      signalAt: 200,
      cues: [{ kind: 'answer', status: 429, headers: { 'retry-after': '60' } }],
    })
    expect(run.error?.message).toBe(CANCELLED)
    expect(run.took).toBe(200)
    expect(run.seen).toHaveLength(1)
  })
})
