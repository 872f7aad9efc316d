import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { Fault } from '../support/emulator.ts'
import { errorOf, warningsOf, withJob } from './with-job.ts'

const DASHBOARD = 'Dashboard > Plans > API Keys'
const FOREVER = { times: 99 }

/** The variables that a later step leaves to post through GITHUB_ENV. */
function exporting(variables: Record<string, string>): string {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return `import { appendFileSync } from 'node:fs'; appendFileSync(process.env.GITHUB_ENV, ${JSON.stringify(`${lines.join('\n')}\n`)})`
}

describe('what post believes', () => {
  test('is what main saved, whatever has become of the inputs', () =>
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

  test('is nothing where main saved nothing', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main({ ...inputs, 'expires-in': 'soon' })
      const post = await job.post()
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('No key was asked for in this job, so there is none to revoke.')
      expect(emulator.requests).toEqual([])
    }))

  test.each([
    ['not JSON', '{"version":1', 'it is not JSON'],
    ['of another version', '{"version":2,"keys":[]}', 'it is not of version 1'],
    ['incomplete', '{"version":1,"keys":[]}', 'is missing or malformed'],
  ])('is no record that is %s: it says so, revokes nothing, and ends by the policy', (_, record, reason) =>
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

describe('how a key ends', () => {
  test('a key that is dead already counts as done', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs)
      await fetch(`${emulator.url}/api/user/api-keys/${main.outputs['key-id']}`, {
        method: 'DELETE',
        headers: { Authorization: `Bearer ${main.outputs.key}` },
      })
      const post = await job.post()
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('Already revoked or expired (verified)')
      expect(warningsOf(post)).toBe('')
    }))

  test.each(['forbidden', 'unauthorized'] as const)(
    'a key that may not revoke itself (%s) is revoked with api-key',
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
          // After a 401, the key may be dead already: that has to be ruled out.
          ...(selfRevocation === 'unauthorized' ? ['GET with the key'] : []),
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
  ])('a revocation that fails at first (%j) is tried again', (fault) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main(inputs)
      emulator.fault(fault)
      const post = await job.post()
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('(verified)')
      expect(emulator.account.live()).toEqual([])
    }),
  )

  test(
    'a 204 without effect is not taken for an end: the key is revoked again',
    () =>
      withJob({}, async ({ emulator, job, inputs }) => {
        await job.main(inputs)
        emulator.fault({ on: 'revoke', kind: 'status', status: 204 })
        const post = await job.post()
        expect(post.shown).toContain('Revoked (verified)')
        expect(emulator.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(2)
        expect(emulator.account.live()).toEqual([])
      }),
    20_000,
  )

  test.each(['warn', 'fail'])('what cannot be revoked is reported by on-revoke-failure: %s', (policy) =>
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
      for (const part of [key?.token_key, key?.id, `${expiry} UTC`, 'Not today.', DASHBOARD])
        expect(message).toContain(part)
      expect(post.summary).toContain('Not shown to be dead')
    }),
  )
})

describe('a careless or hostile step before post', () => {
  test('cannot turn verification off, and is named', () =>
    withJob({}, async ({ job, inputs }) => {
      await job.main(inputs)
      await job.script(exporting({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }))
      const post = await job.post()
      expect(warningsOf(post)).toContain('NODE_TLS_REJECT_UNAUTHORIZED is 0')
      expect(post.shown).toContain('Revoked (verified)')
    }))

  test('cannot send post another way, and is named', () =>
    withJob({}, async ({ job, inputs }) => {
      await job.main(inputs)
      await job.script(exporting({ HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' }))
      const post = await job.post()
      expect(warningsOf(post)).toContain('changed the proxy settings')
      expect(post.shown).toContain('Revoked (verified)')
    }))

  test('cannot make post send api-key to whom another authority vouches for', () =>
    withJob({ api: { selfRevocation: 'forbidden' } }, async ({ emulator, job, inputs }) => {
      const file = join(tmpdir(), `authority-${process.pid}.pem`)
      writeFileSync(file, 'an authority')
      await job.main(inputs)
      emulator.requests.length = 0
      await job.script(exporting({ NODE_EXTRA_CA_CERTS: file }))
      const post = await job.post()
      expect(warningsOf(post)).toContain('NODE_EXTRA_CA_CERTS')
      expect(warningsOf(post)).toContain('could not be shown to be dead')
      expect(emulator.requests.map(({ credential }) => credential)).not.toContain(
        emulator.account.longLivedKey,
      )
    }))

  test('cannot swap the file behind an unchanged variable', () =>
    withJob({ api: { selfRevocation: 'forbidden' } }, async ({ emulator, job, inputs }) => {
      const file = join(tmpdir(), `swapped-${process.pid}.pem`)
      writeFileSync(file, 'one authority')
      const stepEnv = { SSL_CERT_FILE: file }
      await job.main(inputs, { stepEnv })
      writeFileSync(file, 'another one')
      emulator.requests.length = 0
      const post = await job.post(inputs, { stepEnv })
      expect(warningsOf(post)).toContain('SSL_CERT_FILE')
      expect(emulator.requests.map(({ credential }) => credential)).not.toContain(
        emulator.account.longLivedKey,
      )
    }))
})
