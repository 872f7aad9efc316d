import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type Emulator, type Fault, startEmulator } from '../support/emulator.ts'
import { errorOf, type Stage, WITHOUT_SLEEPS, warningsOf, withJob } from './with-job.ts'

const DASHBOARD = 'Dashboard > Plans > API Keys'
const FOREVER = { times: Infinity }

/** The variables that a later step leaves to post through GITHUB_ENV. */
function exporting(variables: Record<string, string>): string {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return `import { appendFileSync } from 'node:fs'; appendFileSync(process.env.GITHUB_ENV, ${JSON.stringify(`${lines.join('\n')}\n`)})`
}

describe('post', () => {
  test('follows what the main step saved, whatever its inputs are by now', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main(inputs)
      const post = await job.post({
        'api-key': 'somebody-elses',
        'api-url': 'https://elsewhere.example',
        revoke: 'false',
        'on-revoke-failure': 'garbage',
      })
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('Revoked (verified)')
      expect(emulator.account.live()).toEqual([])
    }))

  test('sends no request and succeeds where the main step saved nothing', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main({ ...inputs, 'expires-in': 'soon' })
      const post = await job.post()
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain(
        'The main step saved no key that may be valid, so there is nothing to revoke.',
      )
      expect(emulator.requests).toEqual([])
    }))

  test.each([
    ['not JSON', '{"keys":[]', 'it is not JSON'],
    ['incomplete', '{"keys":[]}', 'it holds no API URL'],
  ])(
    'reports a record that is %s, sends no request, and warns or fails by on-revoke-failure',
    (_, record, reason) =>
      withJob({}, ({ job: failing }) =>
        withJob({}, async ({ emulator, job, inputs }) => {
          // A later step can supply a record only where main saved none.
          for (const one of [job, failing]) {
            await one.main({ ...inputs, timeout: 'never' })
            await one.script(exporting({ STATE_record: record }))
          }
          const warned = await job.post({ ...inputs, 'on-revoke-failure': 'warn' })
          expect(warned.exitCode).toBe(0)
          expect(warningsOf(warned)).toContain(reason)
          expect(warningsOf(warned)).toContain(DASHBOARD)
          const failed = await failing.post({ ...inputs, 'on-revoke-failure': 'fail' })
          expect(failed.exitCode).toBe(1)
          expect(errorOf(failed)).toContain(reason)
          expect(emulator.requests).toEqual([])
        }),
      ),
  )
})

describe('a key', () => {
  test('that the job itself revoked needs no warning', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs)
      await fetch(`${emulator.url}/api/user/api-keys/${main.outputs['key-id']}`, {
        method: 'DELETE',
        headers: { Authorization: `Bearer ${main.outputs.key}` },
      })
      const post = await job.post()
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('No longer valid (verified)')
      expect(warningsOf(post)).toBe('')
    }))

  test.each(['forbidden', 'unauthorized'] as const)(
    'that may not revoke itself (%s) is revoked with api-key',
    (selfRevocation) =>
      withJob({ api: { selfRevocation } }, async ({ emulator, job, inputs }) => {
        const main = await job.main(inputs)
        emulator.requests.length = 0
        const post = await job.post()
        expect(post.shown).toContain('Revoked (verified)')
        const { longLivedKey } = emulator.account
        const askedWith = emulator.requests.map(
          ({ method, credential }) =>
            `${method} with ${credential === longLivedKey ? 'api-key' : credential === main.outputs.key ? 'the key' : '?'}`,
        )
        expect(askedWith).toEqual([
          'DELETE with the key',
          // After a 401, the key may already be revoked: the post step has to rule that out.
          ...(selfRevocation === 'unauthorized' ? ['GET with the key'] : []),
          'DELETE with api-key',
          // A replica may not know so young a key. The 404 shows that it would not have granted that.
          'DELETE with api-key',
          'GET with the key',
        ])
        expect(emulator.account.live()).toEqual([])
      }),
  )

  test.each<Fault>([
    { on: 'revoke', kind: 'cut-after' },
    { on: 'revoke', kind: 'cut-before' },
    { on: 'revoke', kind: 'status', status: 503 },
    { on: 'revoke', kind: 'status', status: 429, headers: { 'Retry-After': '1' } },
    { on: 'list', kind: 'status', status: 502, times: 2 },
    // A firewall that speaks JSON, and refuses the list as well.
    { kind: 'status', status: 403, body: '{"message":"Forbidden"}', times: 7 },
  ])('whose revocation fails at first (%j) is revoked by another attempt', (fault) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main(inputs)
      emulator.fault(fault)
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('(verified)')
      expect(emulator.account.live()).toEqual([])
    }),
  )

  test('is revoked even if the log cannot be written', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const { state } = await job.main(inputs)
      const broken = `import { closeSync, openSync } from 'node:fs'; closeSync(1); openSync('/dev/full', 'w')`
      const entry = JSON.stringify(pathToFileURL(job.entries.post).href)
      // The changed variable is warned of before anything is sent.
      const env = { STATE_record: state.record ?? '', SSL_CERT_DIR: '/nowhere' }
      const step = await job.script(`${broken}; await import(${entry})`, env)
      expect(step.exitCode).toBe(0)
      expect(emulator.account.live()).toEqual([])
    }))

  test('is revoked again where a 204 had no effect', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main(inputs)
      emulator.fault({ on: 'revoke', kind: 'status', status: 204 })
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(post.shown).toContain('Revoked (verified)')
      expect(emulator.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(3)
      expect(emulator.account.live()).toEqual([])
    }))

  async function neverRevoked(overshootMs: number): Promise<string> {
    return withJob({}, async ({ emulator, job, inputs }) => {
      await job.main(inputs)
      emulator.fault({ on: 'revoke', kind: 'status', status: 503, ...FOREVER })
      const stepEnv = { SLEEP_OVERSHOOT_MS: String(overshootMs) }
      return warningsOf(await job.post(undefined, { ...WITHOUT_SLEEPS, stepEnv }))
    })
  }

  test('that the API refuses to revoke until post gives up is reported with the API’s last answer', async () => {
    expect(await neverRevoked(0)).toContain('answered 503 to DELETE')
  })

  test('is reported with the API’s last answer even when the machine stalls until the end', async () => {
    expect(await neverRevoked(3_600_000)).toContain('answered 503 to DELETE')
  })

  test.each(['warn', 'fail'])(
    'that cannot be revoked is reported in full with on-revoke-failure: %s',
    (policy) =>
      withJob({}, async ({ emulator, job, inputs }) => {
        await job.main({ ...inputs, 'on-revoke-failure': policy })
        emulator.fault({
          on: 'revoke',
          kind: 'status',
          status: 403,
          body: '{"detail":"Not today."}',
          ...FOREVER,
        })
        const [key] = emulator.account.live()
        const post = await job.post()
        expect(post.exitCode).toBe(policy === 'fail' ? 1 : 0)
        const message = policy === 'fail' ? errorOf(post) : warningsOf(post)
        const expiry = new Date(key?.expiry ?? 0).toISOString().slice(0, 19).replace('T', ' ')
        for (const part of [key?.token_key, key?.id.slice(0, 8), `${expiry} UTC`, 'Not today', DASHBOARD])
          expect(message).toContain(part)
        expect(post.summary).toContain('Revocation not confirmed')
      }),
  )
})

describe('a careless step before post', () => {
  let tls: Certificates
  let others: Certificates
  let folder: string
  /** A file for NODE_EXTRA_CA_CERTS. */
  const trusting = (name: string, { ca }: Certificates): string => {
    const file = join(folder, `${name}.pem`)
    writeFileSync(file, ca)
    return file
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'post-'))
    tls = await makeCertificates(['127.0.0.1'])
    others = await makeCertificates(['127.0.0.1'])
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** Starts a server with another certificate in place of the emulator's, which refuses every request with 403. */
  async function replaceServer({ emulator }: Stage): Promise<Emulator> {
    await emulator.close()
    const impostor = await startEmulator({ port: emulator.port, tls: others })
    impostor.fault({ on: 'any', kind: 'status', status: 403, ...FOREVER })
    return impostor
  }

  test('cannot turn verification off: post sends nothing to another server', () =>
    withJob({ api: { tls } }, async (stage) => {
      const { job, inputs } = stage
      const stepEnv = { NODE_EXTRA_CA_CERTS: trusting('one', tls) }
      await job.main(inputs, { stepEnv })
      const impostor = await replaceServer(stage)
      try {
        await job.script(exporting({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }))
        const post = await job.post(inputs, { ...WITHOUT_SLEEPS, stepEnv })
        expect(warningsOf(post)).toContain('certificate was not accepted')
        expect(impostor.requests).toEqual([])
      } finally {
        await impostor.close()
      }
    }))

  test('that turns verification off does not keep post from revoking the key', () =>
    withJob({ api: { tls } }, async ({ emulator, job, inputs }) => {
      const stepEnv = { NODE_EXTRA_CA_CERTS: trusting('one', tls) }
      await job.main(inputs, { stepEnv })
      await job.script(exporting({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }))
      const post = await job.post(inputs, { stepEnv })
      expect(post.shown).toContain('Revoked (verified)')
      expect(emulator.account.live()).toEqual([])
    }))

  test('cannot send post through another proxy: post goes the way of the main step', () =>
    withJob({}, async ({ job, inputs }) => {
      await job.main(inputs)
      await job.script(exporting({ HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' }))
      const post = await job.post()
      expect(warningsOf(post)).toBe('')
      expect(post.shown).toContain('Revoked (verified)')
    }))

  test('cannot make post send api-key to a server that only a new authority vouches for', () =>
    withJob({ api: { tls } }, async (stage) => {
      const { emulator, job, inputs } = stage
      const main = await job.main(inputs, { stepEnv: { NODE_EXTRA_CA_CERTS: trusting('one', tls) } })
      const impostor = await replaceServer(stage)
      try {
        await job.script(exporting({ NODE_EXTRA_CA_CERTS: trusting('other', others) }))
        const post = await job.post(inputs, WITHOUT_SLEEPS)
        expect(warningsOf(post)).toContain('NODE_EXTRA_CA_CERTS')
        expect(warningsOf(post)).toContain('Could not confirm that API key')
        const credentials = impostor.requests.map(({ credential }) => credential)
        expect(credentials).toContain(main.outputs.key)
        expect(credentials).not.toContain(emulator.account.longLivedKey)
      } finally {
        await impostor.close()
      }
    }))
})
