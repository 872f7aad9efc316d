import { describe, expect, test } from '@jest/globals'
import { addEveryClass, DAY_MS, REPOSITORY_ID, rotatedExpiry } from '../support/audited-account.ts'
import type { EmulatorOptions, Fault } from '../support/emulator.ts'
import { shiftedClock } from '../support/preload.ts'
import { type AuditStage, withAudit } from './with-audit.ts'
import { errorOf, warningsOf } from './with-job.ts'

const KINDS = [
  'list-incomplete',
  'expires-soon',
  'unexpected',
  'known-overdue',
  'known-missing',
  'never-expires',
  'too-old',
]

/** The counts of all findings: those given, and zero for the others. */
const counts = (found: Record<string, number> = {}) =>
  Object.fromEntries(KINDS.map((kind) => [kind, String(found[kind] ?? 0)]))

/** The id of the row of the long-lived key. */
async function ownId({ emulator }: AuditStage): Promise<string> {
  const path = '/api/user/api-keys'
  const headers = { authorization: `Bearer ${emulator.account.longLivedKey}` }
  const { body } = emulator.account.handle({ method: 'GET', path, headers, body: '' })
  const answer = JSON.parse(body)
  return (answer.results ?? answer).find(isOwn(emulator)).id
}

/** Whether a row of the list is that of the long-lived key. */
const isOwn =
  ({ account }: AuditStage['emulator']) =>
  (row: { token_key?: unknown }) =>
    account.longLivedKey.startsWith(String(row.token_key))

describe('an account with a key of every class', () => {
  test('has one finding, for the unexpected key, once the key in use is accepted', () =>
    withAudit({}, async (stage) => {
      const { emulator, audit } = stage
      const { known, unexpected, rotated } = addEveryClass(emulator.account, emulator.url, Date.now())
      const step = await audit({ known: `${known.id} # partner\n${await ownId(stage)}` })
      expect(step.exitCode).toBe(0)
      expect(step.shown).toContain('Read 7 keys: 1 in-use, 1 rotated, 3 short-lived, 1 known, 1 unexpected.')
      expect(step.outputs).toEqual({ ...counts({ unexpected: 1 }), ok: 'false', findings: expect.anything() })
      expect(JSON.parse(step.outputs.findings ?? '')).toEqual([
        {
          class: 'unexpected',
          finding: 'unexpected',
          id: unexpected.id,
          prefix: unexpected.token_key,
          created: new Date(unexpected.created).toISOString(),
          expiry: new Date(unexpected.expiry ?? 0).toISOString(),
        },
      ])
      expect(warningsOf(step)).toMatch(
        /^unexpected \(1 key\): .*Find out who uses it; then revoke it .*, or accept it in input known\.$/,
      )
      expect(step.summary).toContain('### SphereScout keys: 1 to look at\n')
      expect(step.summary).toContain(`${unexpected.id} # ${unexpected.token_key}...`)
      expect(step.summary).toMatch(new RegExp(`^\\|  \\| \`${rotated.token_key}\\.\\.\\.\`.*rotated`, 'm'))
      expect(emulator.requests.map(({ method }) => method)).toEqual(['GET'])
    }))

  test('shows no key in the log, the summary or the outputs', () =>
    withAudit({}, async ({ emulator, audit }) => {
      const keys = addEveryClass(emulator.account, emulator.url, Date.now())
      const step = await audit()
      const printed = step.shown + step.summary + JSON.stringify(step.outputs)
      const tokens = [emulator.account.longLivedKey, keys.known.token, keys.unexpected.token]
      for (const token of tokens) expect(printed).not.toContain(token)
      expect(step.stdout.replace(/^::add-mask::.*$/gm, '')).not.toContain(emulator.account.longLivedKey)
    }))

  test('is left as it was: the audit only reads', () =>
    withAudit({}, async ({ emulator, audit }) => {
      addEveryClass(emulator.account, emulator.url, Date.now())
      await audit({ 'fail-on': KINDS.join('\n') })
      expect(emulator.account.touchedForeign()).toEqual([])
      expect(emulator.account.keys()).toEqual([])
    }))
})

describe('finding', () => {
  test('unexpected, never-expires and too-old: a forgotten key by hand has all three', () =>
    withAudit({}, async (stage) => {
      stage.emulator.account.addKey({ created: Date.now() - 91 * DAY_MS, expiry: null })
      const step = await stage.audit({ known: await ownId(stage) })
      expect(step.outputs).toMatchObject(counts({ unexpected: 1, 'never-expires': 1, 'too-old': 1 }))
      expect(step.summary).toMatch(
        /\| \*\*unexpected, never-expires, too-old\*\* .*\(91 days ago\) \| \*\*never\*\* \|/,
      )
    }))

  test('never-expires and too-old: so has the key in use, until it is in known', () =>
    withAudit({}, async (stage) => {
      const found = await stage.audit({ 'max-age': '30d' })
      expect(found.outputs).toMatchObject(counts({ 'never-expires': 1, 'too-old': 1 }))
      expect(JSON.parse(found.outputs.findings ?? '')).toMatchObject([
        { class: 'in-use' },
        { class: 'in-use' },
      ])
    }))

  test('expires-soon: the key in use, with what to do for a key made by hand', () =>
    withAudit({}, async ({ emulator, audit }) => {
      const { account } = emulator
      const key = account.addKey({ created: Date.now() - 40 * DAY_MS, expiry: Date.now() + 13 * DAY_MS })
      account.addKey({ created: Date.now() - 400 * DAY_MS, expiry: null })
      const step = await audit({ 'api-key': key.token, 'fail-on': 'expires-soon' })
      expect(step.outputs).toMatchObject({ 'expires-soon': '1', ok: 'false' })
      expect(errorOf(step)).toMatch(
        /^expires-soon \(1 key\): in use or made by rotate, expiring within 14 days: .*and in the secret\.$/,
      )
      expect(step.exitCode).toBe(1)
    }))

  test('expires-soon: a rotated key in use says that its rotation has stopped', () =>
    withAudit({}, async ({ emulator, audit }) => {
      const { account, url } = emulator
      const created = Date.now() - 50 * DAY_MS
      const key = account.addKey({ created, expiry: rotatedExpiry(Date.now() + 10 * DAY_MS, url) })
      const step = await audit({ 'api-key': key.token })
      expect(warningsOf(step)).toContain('the rotation of secret SPHERESCOUT_API_KEY has stopped')
    }))

  test('expires-soon: a rotated key, although another key is in use and a failed run left a newer one', () =>
    withAudit({}, async ({ emulator, audit }) => {
      const { account, url } = emulator
      const soon = rotatedExpiry(Date.now() + 10 * DAY_MS, url)
      account.addKey({ created: Date.now() - 50 * DAY_MS, expiry: soon })
      account.addKey({ created: Date.now() - DAY_MS, expiry: rotatedExpiry(Date.now() + 59 * DAY_MS, url) })
      const step = await audit()
      expect(step.outputs['expires-soon']).toBe('1')
      expect(JSON.parse(step.outputs.findings ?? '')[0]).toMatchObject({
        class: 'rotated',
        expiry: new Date(soon).toISOString(),
      })
    }))

  test('known-missing and known-overdue: what became of the keys in known', () =>
    withAudit({}, async (stage) => {
      const now = Date.now()
      const overdue = stage.emulator.account.addKey({ created: now - DAY_MS, expiry: now + 30 * DAY_MS })
      const day = (days: number) => new Date(now + days * DAY_MS).toISOString().slice(0, 10)
      const step = await stage.audit({
        known: [
          await ownId(stage),
          `${overdue.id} until ${day(-1)}`,
          `48213 until ${day(1)}`,
          `48214 until ${day(-1)} # gone, as it should`,
        ].join('\n'),
      })
      expect(step.outputs).toMatchObject(counts({ 'known-missing': 1, 'known-overdue': 1 }))
      expect(warningsOf(step)).toContain(
        'known-missing (1 key): in input known, but not in the account: id 48213.',
      )
    }))

  test.each(['unexpected', 'never-expires,too-old', ' Too-Old \n'])(
    'fails the step for %j in fail-on, and only then',
    (failOn) =>
      withAudit({}, async ({ emulator, audit }) => {
        emulator.account.addKey({ created: Date.now() - 91 * DAY_MS, expiry: null })
        const step = await audit({ 'fail-on': failOn })
        expect(step.outcome).toBe('failure')
        const levels = step.annotations.map(({ level, message }) => [message.split(' ')[0], level])
        const chosen = failOn.trim().toLowerCase().split(',')
        expect(levels).toEqual(
          ['unexpected', 'never-expires', 'too-old'].map((kind) => [
            kind,
            chosen.includes(kind) ? 'error' : 'warning',
          ]),
        )
      }),
  )
})

describe('a list that may be incomplete is not judged, and fails the step,', () => {
  const incomplete = async (
    replacement: (body: string) => unknown,
    reason: RegExp,
    stage: Pick<AuditStage, 'emulator' | 'audit'>,
  ) => {
    const { account } = stage.emulator
    account.addKey({ created: Date.now() - 91 * DAY_MS, expiry: null })
    const headers = { authorization: `Bearer ${account.longLivedKey}` }
    const { body } = account.handle({ method: 'GET', path: '/api/user/api-keys', headers, body: '' })
    stage.emulator.fault({ on: 'list', kind: 'replace', body: replacement(body), acted: false })
    const step = await stage.audit()
    expect(step.outcome).toBe('failure')
    expect(errorOf(step)).toMatch(/^list-incomplete: The API's list of keys may not show every key \(/)
    expect(errorOf(step)).toMatch(reason)
    expect(step.outputs).toEqual({
      ok: 'false',
      'list-incomplete': '1',
      findings:
        '[{"class":null,"finding":"list-incomplete","id":null,"prefix":null,"created":null,"expiry":null}]',
      ...Object.fromEntries(KINDS.slice(1).map((kind) => [kind, ''])),
    })
    expect(step.summary).toContain('### SphereScout keys: not judged')
  }
  type Row = Record<string, unknown>
  const ownFirst = (rows: Row[], emulator: AuditStage['emulator']) =>
    rows.toSorted((a, b) => Number(isOwn(emulator)(b)) - Number(isOwn(emulator)(a)))
  const cases: [string, (rows: Row[]) => unknown, RegExp][] = [
    ['as the key in use is not in it', ([, ...others]) => others, /the key in api-key is not in it/],
    ['as it is empty', () => [], /the key in api-key is not in it/],
    ['as a row cannot be read', (rows) => [...rows, {}], /row/],
    ['as a time cannot be read', ([own]) => [{ ...own, expiry: 'soon' }], /expiry/],
    ['as a time is missing', ([own]) => [{ ...own, created: null }], /does not say when the key/],
    ['as a key is in it twice', ([own]) => [own, own], /listed twice/],
    ['as the API counts more', ([own]) => ({ count: 2, next: null, results: [own] }), /2 keys/],
  ]
  test.each(cases)('%s', (_, change, reason) =>
    withAudit({}, (stage) =>
      incomplete((body) => change(ownFirst(JSON.parse(body), stage.emulator)), reason, stage),
    ),
  )
})

describe('a list whose pages move while it is read', () => {
  /** A full first page of short-lived keys, the first of which expires before page 2 is read, which starts with `moved`. */
  const addPages = ({ account }: AuditStage['emulator']) => {
    const now = Date.now()
    const addShortLived = (count: number, created: number) => {
      for (let i = 0; i < count; i++) account.addKey({ created: created + i, expiry: now + 3_600_000 })
    }
    addShortLived(49, now - 3_600_000)
    const moved = account.addKey({ created: now - 3_000_000, expiry: null })
    addShortLived(5, now - 2_400_000)
    return moved
  }
  const api = () => ({ listForm: 'paginated' as const, listMoves: 1 })

  test('hides no unexpected key', () =>
    withAudit({ api: api() }, async (stage) => {
      const moved = addPages(stage.emulator)
      const own = await ownId(stage)
      const step = await stage.audit({ known: own })
      expect(JSON.parse(step.outputs.findings ?? '')).toMatchObject([
        { finding: 'unexpected', id: moved.id },
        { finding: 'never-expires', id: moved.id },
      ])
      expect(stage.emulator.requests).toHaveLength(4)
    }))

  test('does not make a known key seem to be missing', () =>
    withAudit({ api: api() }, async (stage) => {
      const { id } = addPages(stage.emulator)
      const step = await stage.audit({ known: `${id}\n${await ownId(stage)}` })
      expect(step.outputs).toMatchObject({ 'known-missing': '0', ok: 'true' })
    }))
})

describe('an account without findings', () => {
  test('may list keys that have expired: they give no access', () =>
    withAudit({}, async (stage) => {
      const { emulator, audit } = stage
      const own = await ownId(stage)
      const expired = { created: '2026-06-01T00:00:00Z', expiry: '2026-09-01T00:00:00Z' }
      const rows = [
        { id: '7', token_key: 'expired', ...expired },
        {
          id: own,
          token_key: emulator.account.longLivedKey.slice(0, 15),
          created: expired.created,
          expiry: null,
        },
      ]
      emulator.fault({ on: 'list', kind: 'replace', body: rows })
      const step = await audit({ known: own })
      expect(step.outputs).toEqual({ ...counts(), ok: 'true', findings: '[]' })
      expect(step.shown).toContain('Read 1 key: 1 in-use.')
    }))

  test('says so, with a true ok', () =>
    withAudit({}, async (stage) => {
      const step = await stage.audit({ known: await ownId(stage), 'fail-on': KINDS.join(',') })
      expect(step).toMatchObject({ outcome: 'success', annotations: [] })
      expect(step.outputs).toEqual({ ...counts(), ok: 'true', findings: '[]' })
      expect(step.shown).toContain('No findings.')
      expect(step.shown).toContain('An audit cannot see when a key was last used')
      expect(step.summary).toContain('### SphereScout keys: no findings')
    }))

  test('may be empty, where api-key is a JWT', () =>
    withAudit({}, async ({ emulator, audit }) => {
      emulator.fault({ kind: 'replace', body: [] })
      const step = await audit({ 'api-key': emulator.account.jwt })
      expect(step.outputs).toEqual({ ...counts(), ok: 'true', findings: '[]' })
      expect(step.shown).toContain('Read 0 keys.')
      expect(step.shown).toContain('As api-key is a JWT, no key of the list is in use here')
    }))

  test('may be read with an ephemeral key, which is expected to expire soon', () =>
    withAudit({}, async (stage) => {
      const { emulator, audit } = stage
      const key = emulator.account.addKey({ expiry: Date.now() + 3_600_123 })
      const step = await audit({ 'api-key': key.token, known: await ownId(stage) })
      expect(step.outputs.ok).toBe('true')
    }))
})

test('a whole key of someone else in known fails the step, is masked and not repeated', () =>
  withAudit({}, async ({ emulator, audit }) => {
    const { token, token_key } = emulator.account.addKey({ created: Date.now() - DAY_MS, expiry: null })
    const step = await audit({ known: `${token} # reporting` })
    expect(errorOf(step)).toMatch(new RegExp(`^Input known has a whole key .* begins ${token_key}\\.\\.\\. `))
    expect(step.stdout).toContain(`::add-mask::${token}`)
    expect(step.stdout.replace(/^::add-mask::.*$/gm, '') + step.summary).not.toContain(token)
    expect(step.outputs).toEqual({})
  }))

test.each(['key=', 'Bearer:', 'my_'])('so does one after %j, which also masks the key alone', (before) =>
  withAudit({}, async ({ emulator, audit }) => {
    const { token } = emulator.account.addKey({ created: Date.now() - DAY_MS, expiry: null })
    const step = await audit({ known: `${before}${token}` })
    expect(errorOf(step)).toMatch(/^Input known has a whole key in place of an id: /)
    expect(step.stdout).toContain(`::add-mask::${token}\n`)
    expect(step.stdout.replace(/^::add-mask::.*$/gm, '') + step.summary).not.toContain(token)
    expect(step.outputs).toEqual({})
  }),
)

test('a rotation of an environment with " #" in its name is recognized', () =>
  withAudit({}, async ({ emulator, audit }) => {
    const created = Date.now() - DAY_MS
    const expiry = rotatedExpiry(created + 60 * DAY_MS, emulator.url, { environment: 'prod #1' })
    emulator.account.addKey({ created, expiry })
    const step = await audit({ 'rotated-secrets': 'SPHERESCOUT_API_KEY environment=prod #1' })
    expect(step.outputs.unexpected).toBe('0')
  }))

describe('keys of rotations elsewhere', () => {
  test('are unexpected, until input rotated-secrets names them', () =>
    withAudit({}, async ({ emulator, audit }) => {
      const created = Date.now() - DAY_MS
      const expiry = rotatedExpiry(created + 60 * DAY_MS, emulator.url, { secret: 'OTHER' })
      emulator.account.addKey({ created, expiry })
      expect((await audit()).outputs.unexpected).toBe('1')
    }))

  test('are recognized by repository and secret', () =>
    withAudit({}, async ({ emulator, audit }) => {
      const created = Date.now() - DAY_MS
      const expiry = rotatedExpiry(created + 60 * DAY_MS, emulator.url, { secret: 'OTHER' })
      emulator.account.addKey({ created, expiry })
      const secrets = `SPHERESCOUT_API_KEY\nother repository=${REPOSITORY_ID}`
      const step = await audit({ 'rotated-secrets': secrets }, { GITHUB_REPOSITORY_ID: '7' })
      expect(step.outputs.unexpected).toBe('0')
    }))

  const elsewhere = `SPHERESCOUT_API_KEY repository=${REPOSITORY_ID} server=github.example`
  test.each<[string, Record<string, string>, string]>([
    ["not as this repository's, although the ids are the same", {}, '1'],
    ['by the server in rotated-secrets', { 'rotated-secrets': elsewhere }, '0'],
  ])('on another server are recognized %s', (_, inputs, unexpected) =>
    withAudit({}, async ({ emulator, audit }) => {
      const created = Date.now() - DAY_MS
      const server = 'github.example'
      const expiry = rotatedExpiry(created + 60 * DAY_MS, emulator.url, { server })
      emulator.account.addKey({ created, expiry })
      expect((await audit(inputs)).outputs).toMatchObject({ unexpected })
    }),
  )

  test('are not looked for where the runner gives no repository id, which the log says', () =>
    withAudit({}, async ({ audit }) => {
      const step = await audit({}, { GITHUB_REPOSITORY_ID: '' })
      expect(step.shown).toContain('GITHUB_REPOSITORY_ID is not set')
    }))
})

describe('an API that does not answer the question', () => {
  const fault = (fault: Fault, inputs: Record<string, string> = {}) =>
    withAudit({}, async ({ emulator, audit }) => {
      emulator.fault(fault)
      const step = await audit({ timeout: '1s', ...inputs })
      expect(step.outputs).toEqual({})
      return { message: errorOf(step), requests: emulator.requests.length }
    })

  test('401 fails the step after one request, and names the secret', async () => {
    const { message, requests } = await fault({ kind: 'status', status: 401 })
    expect(message).toMatch(/^The API rejected api-key: .* 401 .*The key may be wrong, revoked or expired/)
    expect(requests).toBe(1)
  })

  test('an API that is down fails the step with the reason, after retries', async () => {
    const { message } = await fault({ kind: 'status', status: 503, times: 99 })
    expect(message).toMatch(/^Could not list the keys of the account: .*503.*Run the job again later/)
  })

  test('a host without a server fails the step with the reason', async () => {
    const { message } = await fault({ kind: 'hang' }, { 'api-url': 'http://127.0.0.1:9' })
    expect(message).toMatch(/^Could not list the keys of the account: 127\.0\.0\.1:9: .*ECONNREFUSED/)
  })

  test('a redirect is not followed', async () => {
    const location = 'https://elsewhere.example/'
    const { message, requests } = await fault({ kind: 'redirect', status: 301, location })
    expect(message).toContain('elsewhere.example')
    expect(requests).toBe(1)
  })

  test('a Retry-After beyond the timeout fails the step at once', async () => {
    const headers = { 'Retry-After': '3600' }
    const { requests } = await fault({ kind: 'status', status: 429, headers, times: 9 }, { timeout: '5s' })
    expect(requests).toBe(1)
  })

  test.each<[string, EmulatorOptions, Record<string, string>]>([
    ['no Date header', { dateHeader: false }, {}],
    ['a clock of the runner that is 30 days ahead', {}, shiftedClock(30 * DAY_MS)],
    ['a clock of the runner that is 30 days behind', {}, shiftedClock(-30 * DAY_MS)],
  ])('%s leaves ages unknown, which fails the step', (_, api, env) =>
    withAudit({ api }, async ({ audit }) => {
      const step = await audit({}, env)
      expect(errorOf(step)).toMatch(
        /^Could not judge the keys: the API's time is unknown .*the clock of the runner/,
      )
      expect(step.outputs).toEqual({})
    }),
  )

  test('a temporary error is retried', () =>
    withAudit({}, async (stage) => {
      stage.emulator.fault({ kind: 'cut-before' })
      const step = await stage.audit({ known: await ownId(stage) })
      expect(step.outputs.ok).toBe('true')
      expect(stage.emulator.requests).toHaveLength(2)
    }))
})

test('5,000 keys on 100 pages take two requests a page and at most 15 times the CPU time of one key', async () => {
  const hook = `data:text/javascript,process.on('exit',()=>console.log('cpu',JSON.stringify(process.cpuUsage())))`
  const measure = async ({ audit }: AuditStage) => {
    const step = await audit({}, { NODE_OPTIONS: `--import="${hook}"` })
    const { user, system } = JSON.parse(/cpu (\{.*\})/.exec(step.stdout)?.[1] ?? '{}')
    return { step, cpu: user + system }
  }
  const { cpu: ofOneKey } = await withAudit({}, measure)
  await withAudit({ api: { listForm: 'paginated' } }, async (stage) => {
    const { emulator } = stage
    const now = Date.now()
    for (let i = 0; i < 4_999; i++)
      emulator.account.addKey({
        created: now - DAY_MS,
        expiry: i % 2 === 0 ? now + 2 * DAY_MS : now + 90 * DAY_MS,
      })
    const { step, cpu } = await measure(stage)
    expect(step.shown).toContain('Read 5000 keys: 1 in-use, 2500 short-lived, 2499 unexpected.')
    expect(emulator.requests).toHaveLength(200)
    // A slow or busy machine slows both.
    expect(cpu).toBeLessThan(15 * ofOneKey)
    // What a later step gets in its environment: the kernel takes no variable above 128 KiB.
    expect(Buffer.byteLength(step.outputs.findings ?? '')).toBeLessThan(100_001)
    expect(JSON.parse(step.outputs.findings ?? '').length).toBeGreaterThan(200)
    expect(step.outputs.unexpected).toBe('2499')
    expect(step.summary.length).toBeLessThan(100_000)
    for (const { message } of step.annotations) expect(message.length).toBeLessThan(4_000)
  })
})

describe('an input that cannot be used fails the step before any request:', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ 'api-key': '' }, /^Input api-key is empty\./],
    [{ known: '1\n2 until tomorrow' }, /^Input known, line 2: "2 until tomorrow" has no date/],
    [{ 'max-age': '90' }, /^Input max-age is "90": it is not a duration such as 90s/],
    [{ 'warn-before': '1s' }, /^Input warn-before is "1s": it must be at least 1 hour/],
    [{ 'fail-on': 'old' }, /^Input fail-on names "old"; the findings are list-incomplete, /],
    [{ 'rotated-secrets': 'A B' }, /^Input rotated-secrets, line 1: "A B" is not a secret with/],
    [{ 'api-url': 'http://www.spherescout.io' }, /^Input api-url must start with https/],
  ]
  test.each(cases)('%j', (inputs, message) =>
    withAudit({}, async ({ emulator, audit }) => {
      const step = await audit(inputs)
      expect(errorOf(step)).toMatch(message)
      expect(emulator.requests).toEqual([])
    }),
  )

  test('an empty api-key in a run of Dependabot, with the reason', () =>
    withAudit({ job: { actor: 'dependabot[bot]' } }, async ({ audit }) => {
      expect(errorOf(await audit({ 'api-key': '' }))).toContain('only Dependabot secrets')
    }))
})
