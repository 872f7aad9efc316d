import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { DIE_AT_OUTPUT } from '../support/preload.ts'
import { HAS_SIGNALS } from '../support/runner.ts'
import { requestsOf, secretsOf, withJob } from './with-job.ts'

const KEYS = '/api/user/api-keys'
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** For tests of a process that is killed: skipped where there are no signals. */
const whereSignals = HAS_SIGNALS ? test : test.skip

/** The status of a call that a step of the job could make. */
async function call(url: string, key: string): Promise<number> {
  return (await fetch(`${url}/api/companies?countries=US`, { headers: { Authorization: `Bearer ${key}` } }))
    .status
}

describe('a job', () => {
  test('gets a key with one request, and has it revoked and verified with two', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const before = Date.now()
      const main = await job.main({ ...inputs, 'expires-in': '30m' })
      expect(main.exitCode).toBe(0)
      expect(requestsOf(emulator)).toEqual([`POST ${KEYS}`])
      const [key] = emulator.account.live()
      const { expiry } = JSON.parse(emulator.requests[0]?.body ?? '')
      expect(Date.parse(expiry)).toBeLessThanOrEqual(Date.now() + 30 * 60_000)
      expect(Date.parse(expiry)).toBeGreaterThan(before + 28.4 * 60_000)
      expect(main.outputs).toEqual({
        key: key?.token,
        'key-id': key?.id,
        'key-prefix': key?.token_key,
        'created-at': new Date(key?.created ?? 0).toISOString(),
        'expires-at': new Date(key?.expiry ?? 0).toISOString(),
      })
      expect(main.env).toEqual({})
      expect(await call(emulator.url, main.outputs.key ?? '')).toBe(200)

      emulator.requests.length = 0
      const post = await job.post()
      expect(post.exitCode).toBe(0)
      expect(requestsOf(emulator)).toEqual([`DELETE ${KEYS}/ID`, `GET ${KEYS}`])
      expect(emulator.requests.map(({ credential }) => credential)).toEqual([key?.token, key?.token])
      expect(post.shown).toContain(`Revoked (verified): API key ${key?.token_key}`)
      expect(emulator.account.live()).toEqual([])
      expect(await call(emulator.url, main.outputs.key ?? '')).toBe(401)
    }))

  test('has every form of both keys masked before anything else is printed', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs)
      await job.post()
      const lines = main.stdout.split('\n').filter((line) => line !== '')
      const secrets = secretsOf(emulator)
      expect(secrets).toHaveLength(2)
      const masks = lines.filter((line) => line.startsWith('::add-mask::'))
      expect(lines.slice(0, masks.length)).toEqual(masks)
      for (const secret of secrets) {
        const bytes = Buffer.from(secret)
        for (const form of [
          secret,
          ...(['base64', 'base64url', 'hex'] as const).map((code) => bytes.toString(code)),
        ])
          expect(masks).toContain(`::add-mask::${form}`)
        expect(lines.slice(masks.length).join('\n')).not.toContain(secret)
        expect(main.stderr).not.toContain(secret)
        expect(job.log()).not.toContain(secret)
      }
    }))

  test('shows no key with debug logging, though the runner then prints what each step saved', () =>
    withJob({ job: { debug: true } }, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs)
      await job.post()
      expect(main.shown).toContain('##[debug]Save intra-action state record = {')
      for (const secret of secretsOf(emulator)) {
        expect(main.state.record).toContain(secret)
        expect(job.log()).not.toContain(secret)
      }
    }))

  test('shows in the log and the summary which key it is, its expiry, and that it was revoked', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs)
      const [key] = emulator.account.live()
      const until = new Date(key?.expiry ?? 0).toISOString().slice(0, 19).replace('T', ' ')
      expect(main.shown).toContain(
        `Created the API key ${key?.token_key}... (id ${key?.id.slice(0, 8)}...), valid until ${until} UTC`,
      )
      expect(main.summary).toContain(`| \`${key?.token_key}...\` | \`${key?.id.slice(0, 8)}...\` |`)
      expect(main.summary).toContain(`${until} UTC | Valid; the post step revokes it |`)
      const post = await job.post()
      expect(post.summary).toMatch(/\*\*Revoked \(verified\)\*\*, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \|/)
    }))

  test('tells the API the action, its version and the run in the User-Agent', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main(inputs)
      await job.post()
      for (const { userAgent } of emulator.requests)
        expect(userAgent).toMatch(
          new RegExp(`^spherescout-ephemeral-key/${version} \\(octo-org/octo-repo; run \\d+\\)$`),
        )
    }))

  test('has the key in the variable of export-env in later steps', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main({ ...inputs, 'export-env': 'SPHERESCOUT_API_KEY' })
      expect(main.env).toEqual({ SPHERESCOUT_API_KEY: emulator.account.live()[0]?.token })
      const later = await job.script('console.log(process.env.SPHERESCOUT_API_KEY)')
      expect(later.stdout.trim()).toBe(emulator.account.live()[0]?.token)
      expect(later.shown).toContain('***')
      await job.post()
      expect(emulator.account.live()).toEqual([])
    }))

  test('keeps its key valid after post where revoke is false', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main({ ...inputs, revoke: 'false' })
      emulator.requests.length = 0
      const post = await job.post()
      expect(post.exitCode).toBe(0)
      expect(post.shown).toContain('stays valid until it expires')
      expect(requestsOf(emulator)).toEqual([])
      expect(emulator.account.live()).toHaveLength(1)
    }))

  test('that uses the action twice has two keys, and both are revoked', () =>
    withJob({}, ({ emulator, job: first, inputs }) =>
      withJob({}, async ({ job: second }) => {
        const [one, two] = [await first.main(inputs), await second.main(inputs)]
        expect(one.outputs.key).not.toBe(two.outputs.key)
        expect(emulator.account.live()).toHaveLength(2)
        await second.post()
        expect(emulator.account.live().map(({ token }) => token)).toEqual([one.outputs.key])
        await first.post()
        expect(emulator.account.live()).toEqual([])
      }),
    ))
})

describe('a main step that cannot hand the key over', () => {
  test('revokes the key at once where the outputs cannot be written', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs, { brokenFiles: ['output'] })
      expect(main.exitCode).toBe(1)
      expect(main.shown).toMatch(/Revoked the key .* \(verified\)/)
      expect(emulator.account.keys()).toHaveLength(1)
      expect(emulator.account.live()).toEqual([])
      expect(requestsOf(emulator)).toEqual([`POST ${KEYS}`, `DELETE ${KEYS}/ID`, `GET ${KEYS}`])
      expect((await job.post()).exitCode).toBe(0)
    }))

  test('requests no key where the state cannot be saved', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs, { brokenFiles: ['state'] })
      expect(main.exitCode).toBe(1)
      expect(emulator.requests).toEqual([])
      expect((await job.post()).shown).toContain('there is nothing to revoke')
    }))

  whereSignals('has saved the key for post before it sets an output, where it is killed', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main(inputs, { nodeArgs: DIE_AT_OUTPUT })
      expect(main.signal).toBe('SIGKILL')
      expect(main.outputs).toEqual({})
      const [key] = emulator.account.live()
      expect(JSON.parse(main.state.record ?? '').keys).toEqual([
        expect.objectContaining({ id: key?.id, token: key?.token, keep: false }),
      ])
      const post = await job.post()
      expect(post.shown).toContain('Revoked (verified)')
      expect(emulator.account.live()).toEqual([])
    }),
  )

  test.each([
    ['GITHUB_STATE', 'requests no key', 0],
    ['GITHUB_OUTPUT', 'revokes the key at once', 1],
  ])('on a runner without %s %s', (name, _, made) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const entry = JSON.stringify(pathToFileURL(job.entries.main).href)
      const source = `process.env.${name} = ''; await import(${entry})`
      const env = Object.fromEntries(
        Object.entries(inputs).map(([input, value]) => [`INPUT_${input.toUpperCase()}`, value]),
      )
      const step = await job.script(source, env)
      expect(step.exitCode).toBe(1)
      expect(step.shown).toContain(`Could not write the file ${name} (ENOENT`)
      expect(emulator.account.keys()).toHaveLength(made)
      expect(emulator.account.live()).toEqual([])
    }),
  )
})
