import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts'
import { errorOf, type Stage, secretsOf, warningsOf, withJob } from './with-job.ts'

/** No resolver knows it: a request that arrives came through the proxy. */
const HOST = 'api.spherescout.test'

let tls: Certificates
let folder: string
let authority: string
let proxy: ConnectProxy

beforeAll(async () => {
  tls = await makeCertificates(['127.0.0.1', HOST])
  folder = mkdtempSync(join(tmpdir(), 'network-'))
  authority = join(folder, 'ca.pem')
  writeFileSync(authority, tls.ca)
  proxy = await startConnectProxy(HOST)
})

afterAll(async () => {
  await proxy.close()
  rmSync(folder, { recursive: true })
})

/** Main and post, with the same environment. Answers with what both showed. */
async function runThrough({ job, inputs }: Stage, apiUrl: string, stepEnv: Record<string, string>) {
  const main = await job.main({ ...inputs, 'api-url': apiUrl, timeout: '5s' }, { stepEnv })
  const post = await job.post(inputs, { stepEnv })
  return { main, post }
}

describe('TLS', () => {
  test('with a private CA in NODE_EXTRA_CA_CERTS', () =>
    withJob({ api: { tls } }, async (stage) => {
      const { main, post } = await runThrough(stage, stage.emulator.url, { NODE_EXTRA_CA_CERTS: authority })
      expect(main.exitCode).toBe(0)
      expect(post.shown).toContain('Revoked (verified)')
    }))

  test('never without it, NODE_TLS_REJECT_UNAUTHORIZED or not', () =>
    withJob({ api: { tls } }, async (stage) => {
      const { main } = await runThrough(stage, stage.emulator.url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
      expect(errorOf(main)).toMatch(/certificate was not accepted .*NODE_EXTRA_CA_CERTS/)
      expect(stage.emulator.requests).toEqual([])
    }))

  test('nor in post, where a later step turned verification off and took the CA away', () =>
    withJob({ api: { tls } }, async ({ emulator, job, inputs }) => {
      await job.main(inputs, { stepEnv: { NODE_EXTRA_CA_CERTS: authority } })
      emulator.requests.length = 0
      const post = await job.post(inputs, { stepEnv: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } })
      expect(emulator.requests).toEqual([])
      expect(warningsOf(post)).toContain('could not be shown to be dead')
      expect(warningsOf(post)).toContain('certificate was not accepted')
    }))

  test('not for another host’s certificate', async () => {
    const others = await makeCertificates(['other.example'])
    const file = join(folder, 'other.pem')
    writeFileSync(file, others.ca)
    await withJob({ api: { tls: others } }, async (stage) => {
      const { main } = await runThrough(stage, stage.emulator.url, { NODE_EXTRA_CA_CERTS: file })
      expect(errorOf(main)).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
      expect(stage.emulator.requests).toEqual([])
    })
  })
})

describe('a proxy that requires a login', () => {
  test.each(['HTTPS_PROXY', 'https_proxy'])(
    'in %s opens the tunnel to a host that only it can find',
    (name) =>
      withJob({ api: { tls } }, async (stage) => {
        proxy.tunnels.length = 0
        const target = `${HOST}:${stage.emulator.port}`
        const env = { [name]: proxy.url, NODE_EXTRA_CA_CERTS: authority }
        const { main, post } = await runThrough(stage, `https://${target}`, env)
        expect(main.exitCode).toBe(0)
        expect(post.shown).toContain('Revoked (verified)')
        expect(warningsOf(post)).toBe('')
        // One connection a step.
        expect(proxy.tunnels).toEqual([target, target])
        for (const secret of secretsOf(stage.emulator)) expect(stage.job.log()).not.toContain(secret)
      }),
  )

  test('is named where it refuses, without the password', () =>
    withJob({ api: { tls } }, async (stage) => {
      const wrong = proxy.url.replace('runner', 'stranger')
      const { main } = await runThrough(stage, `https://${HOST}:${stage.emulator.port}`, {
        HTTPS_PROXY: wrong,
        NODE_EXTRA_CA_CERTS: authority,
      })
      const { host } = new URL(proxy.urlWithoutLogin)
      expect(errorOf(main)).toContain(
        `the proxy ${host} refused the tunnel with status 407; it wants a login`,
      )
      expect(main.stdout).not.toContain(proxy.password)
      expect(main.stdout).not.toContain(encodeURIComponent(proxy.password))
    }))

  test('is named where it cannot be reached', () =>
    withJob({ api: { tls } }, async (stage) => {
      const { main } = await runThrough(stage, stage.emulator.url, { HTTPS_PROXY: 'http://127.0.0.1:9' })
      expect(errorOf(main)).toContain('the proxy 127.0.0.1:9 could not be reached (ECONNREFUSED)')
    }))

  test.each(['NO_PROXY', 'no_proxy'])('is left aside for hosts in %s', (name) =>
    withJob({ api: { tls } }, async (stage) => {
      proxy.tunnels.length = 0
      const env = {
        HTTPS_PROXY: proxy.url,
        [name]: 'elsewhere.example,127.0.0.1',
        NODE_EXTRA_CA_CERTS: authority,
      }
      const { main, post } = await runThrough(stage, stage.emulator.url, env)
      expect(main.exitCode).toBe(0)
      expect(post.shown).toContain('Revoked (verified)')
      expect(proxy.tunnels).toEqual([])
    }),
  )

  test.each(['HTTP_PROXY', 'http_proxy'])('in %s serves an http api-url', (name) =>
    withJob({}, async (stage) => {
      proxy.tunnels.length = 0
      const { main, post } = await runThrough(stage, stage.emulator.url, { [name]: proxy.url })
      expect(main.exitCode).toBe(0)
      expect(post.shown).toContain('Revoked (verified)')
      expect(proxy.tunnels).toHaveLength(2)
    }),
  )

  test('is the way of post too, though a later step took it out of the environment', () =>
    withJob({ api: { tls } }, async ({ emulator, job, inputs }) => {
      const target = `${HOST}:${emulator.port}`
      const env = { NODE_EXTRA_CA_CERTS: authority }
      await job.main(
        { ...inputs, 'api-url': `https://${target}` },
        { stepEnv: { ...env, HTTPS_PROXY: proxy.url } },
      )
      proxy.tunnels.length = 0
      const post = await job.post(inputs, { stepEnv: env })
      expect(warningsOf(post)).toContain('changed the proxy settings')
      expect(post.shown).toContain('Revoked (verified)')
      expect(proxy.tunnels).toEqual([target])
    }))
})
