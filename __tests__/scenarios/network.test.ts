import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts'
import { errorOf, requestsOf, type Stage, secretsOf, warningsOf, withJob } from './with-job.ts'

/** No resolver knows it, so a request that arrives came through the proxy. */
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

/** The main step and the post step, with the same environment; returns what both showed. */
async function runThrough({ job, inputs }: Stage, apiUrl: string, stepEnv: Record<string, string>) {
  const main = await job.main({ ...inputs, 'api-url': apiUrl }, { stepEnv })
  const post = await job.post(inputs, { stepEnv })
  return { main, post }
}

describe('TLS', () => {
  test('works with a private CA in NODE_EXTRA_CA_CERTS', () =>
    withJob({ api: { tls } }, async (stage) => {
      const { main, post } = await runThrough(stage, stage.emulator.url, { NODE_EXTRA_CA_CERTS: authority })
      expect(main.exitCode).toBe(0)
      expect(post.shown).toContain('Revoked (verified)')
    }))

  test('fails without that CA, even if NODE_TLS_REJECT_UNAUTHORIZED is 0', () =>
    withJob({ api: { tls } }, async (stage) => {
      const { main } = await runThrough(stage, stage.emulator.url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
      expect(errorOf(main)).toMatch(/certificate was not accepted .*NODE_EXTRA_CA_CERTS/)
      expect(stage.emulator.requests).toEqual([])
    }))

  test('fails in the post step, if a later step turned verification off and took the CA away', () =>
    withJob({ api: { tls } }, async ({ emulator, job, inputs }) => {
      await job.main(inputs, { stepEnv: { NODE_EXTRA_CA_CERTS: authority } })
      emulator.requests.length = 0
      const post = await job.post(inputs, { stepEnv: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } })
      expect(emulator.requests).toEqual([])
      expect(warningsOf(post)).toContain('certificate was not accepted')
    }))

  test.each([
    [
      'belongs to another host',
      () => makeCertificates(['other.example']),
      /its certificate was not accepted \(ERR_TLS_CERT_ALTNAME_INVALID\)/,
    ],
    [
      'has expired',
      () => makeCertificates(['127.0.0.1'], -3_600_000),
      /\(CERT_HAS_EXPIRED\); it is outside its dates; check the clock of this runner/,
    ],
  ])('fails at once if the certificate %s, and does not blame a private CA', async (name, make, message) => {
    const certificates = await make()
    const file = join(folder, `${name}.pem`)
    writeFileSync(file, certificates.ca)
    await withJob({ api: { tls: certificates } }, async (stage) => {
      const { main } = await runThrough(stage, stage.emulator.url, { NODE_EXTRA_CA_CERTS: file })
      expect(errorOf(main)).toMatch(message)
      expect(errorOf(main)).not.toContain('NODE_EXTRA_CA_CERTS')
      expect(stage.emulator.requests).toEqual([])
    })
  })

  test('fails at once, with nothing left for the post step, if the server requires a client certificate', () => {
    const mutual = { ...tls, ca: tls.ca, requestCert: true, rejectUnauthorized: true }
    return withJob({ api: { tls: mutual } }, async (stage) => {
      const { main, post } = await runThrough(stage, stage.emulator.url, { NODE_EXTRA_CA_CERTS: authority })
      expect(errorOf(main)).toContain(
        'requires a client certificate (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)',
      )
      expect(stage.emulator.requests).toEqual([])
      expect(warningsOf(post)).toBe('')
    })
  })
})

test('a compressed answer is named, and final if it comes twice', () =>
  withJob({}, async ({ emulator, job, inputs }) => {
    emulator.fault({
      on: 'create',
      kind: 'status',
      status: 200,
      headers: { 'Content-Encoding': 'gzip' },
      body: 'x',
      times: 2,
    })
    const main = await job.main(inputs)
    expect(errorOf(main)).toContain('in gzip, which was not asked for')
    expect(requestsOf(emulator).filter((request) => request.startsWith('POST'))).toHaveLength(2)
    expect(emulator.requests[0]?.headers['accept-encoding']).toBe('identity')
  }))

test('a successful answer that is cut is final if it comes twice', () =>
  withJob({}, async ({ emulator, job, inputs }) => {
    emulator.fault({ on: 'create', kind: 'truncate', times: 9 })
    const main = await job.main(inputs)
    expect(errorOf(main)).toMatch(/^No key was obtained: .* in the middle of its answer \(ECONNRESET\)\.$/)
    expect(emulator.account.keys()).toHaveLength(2)
  }))

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
        // One for each request.
        expect(proxy.tunnels).toEqual([target, target, target])
        for (const secret of secretsOf(stage.emulator)) expect(stage.job.log()).not.toContain(secret)
      }),
  )

  test('needs no scheme in its address', () =>
    withJob({ api: { tls } }, async (stage) => {
      const target = `https://${HOST}:${stage.emulator.port}`
      const env = { ALL_PROXY: proxy.url.replace('http://', ''), NODE_EXTRA_CA_CERTS: authority }
      expect((await runThrough(stage, target, env)).main.exitCode).toBe(0)
    }))

  test('has its login masked, as written and decoded, before it is saved', () =>
    withJob({ api: { tls } }, async (stage) => {
      const target = `https://${HOST}:${stage.emulator.port}`
      const env = { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: authority }
      const { main } = await runThrough(stage, target, env)
      const written = encodeURIComponent(proxy.password)
      expect(Object.values(main.state).join()).toContain(written)
      const commands = main.stdout.split(/\r?\n/)
      for (const login of [proxy.password, `runner:${proxy.password}`, written.replaceAll('%', '%25')])
        expect(commands).toContain(`::add-mask::${login}`)
    }))

  test('is named if it refuses the login, without any part of that', () =>
    withJob({ api: { tls } }, async (stage) => {
      const wrong = proxy.url.replace('runner', 'stranger')
      const { main } = await runThrough(stage, `https://${HOST}:${stage.emulator.port}`, {
        HTTPS_PROXY: wrong,
        NODE_EXTRA_CA_CERTS: authority,
      })
      const { host } = new URL(proxy.urlWithoutLogin)
      expect(errorOf(main)).toContain(
        `the proxy ${host} refused the tunnel with status 407; it does not accept this login`,
      )
      expect(errorOf(main)).not.toMatch(/stranger|let.?me|attempts/)
    }))

  test('is named if it cannot be reached', () =>
    withJob({ api: { tls } }, async (stage) => {
      const main = await stage.job.main(
        { ...stage.inputs, 'api-url': `https://${HOST}`, timeout: '1s' },
        { stepEnv: { HTTPS_PROXY: 'http://127.0.0.1:9' } },
      )
      expect(errorOf(main)).toContain('the proxy 127.0.0.1:9: the connection failed (ECONNREFUSED)')
    }))

  test('is refused before any request if it is a SOCKS proxy, by the name of its variable', () =>
    withJob({}, async (stage) => {
      const env = { ALL_PROXY: 'socks5h://me:word@127.0.0.1:1080' }
      const { main } = await runThrough(stage, `https://${HOST}`, env)
      expect(errorOf(main)).toMatch(/^ALL_PROXY is a socks5h:\/\/ proxy\. Set HTTPS_PROXY/)
      expect(errorOf(main)).not.toMatch(/me:|word/)
    }))

  test.each(['NO_PROXY', 'no_proxy'])('is not used for the hosts in %s', (name) =>
    withJob({ api: { tls } }, async (stage) => {
      proxy.tunnels.length = 0
      const env = { HTTPS_PROXY: proxy.url, [name]: 'elsewhere.example,test' }
      const main = await stage.job.main(
        { ...stage.inputs, 'api-url': `https://${HOST}`, timeout: '1s' },
        { stepEnv: env },
      )
      // Only the proxy can resolve that name.
      expect(errorOf(main)).toMatch(/its name (does not exist|could not be resolved)/)
      expect(proxy.tunnels).toEqual([])
    }),
  )

  test.each(['HTTP_PROXY', 'ALL_PROXY'])('in %s never sees a key that is sent to a loopback host', (name) =>
    withJob({}, async (stage) => {
      proxy.tunnels.length = 0
      const { main, post } = await runThrough(stage, stage.emulator.url, { [name]: proxy.url })
      expect(main.exitCode).toBe(0)
      expect(post.shown).toContain('Revoked (verified)')
      expect(proxy.tunnels).toEqual([])
    }),
  )

  test('is used by the post step too, even if a later step took it out of the environment', () =>
    withJob({ api: { tls } }, async ({ emulator, job, inputs }) => {
      const target = `${HOST}:${emulator.port}`
      const env = { NODE_EXTRA_CA_CERTS: authority }
      await job.main(
        { ...inputs, 'api-url': `https://${target}` },
        { stepEnv: { ...env, HTTPS_PROXY: proxy.url } },
      )
      proxy.tunnels.length = 0
      const post = await job.post(inputs, { stepEnv: env })
      expect(post.shown).toContain('Revoked (verified)')
      expect(proxy.tunnels).toEqual([target, target])
    }))
})
