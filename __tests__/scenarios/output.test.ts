import { describe, expect, test } from '@jest/globals'
import { commandIn, linesOf } from '../runner/obeyed-commands.ts'
import type { Fault } from '../support/emulator.ts'
import type { StepResult } from '../support/runner.ts'
import { errorOf, secretsOf, WITHOUT_SLEEPS, withJob } from './with-job.ts'

const { steps } = globalThis as { steps?: 'source' }
const MAIN = new URL(steps === 'source' ? '../../src/main.ts' : '../../dist/main/index.js', import.meta.url)

/** The commands that the runner would obey in all that a step printed, in either syntax. */
const commandsOf = ({ stdout, stderr }: StepResult) =>
  linesOf(`${stdout}\n${stderr}`).flatMap((line) => commandIn(line) ?? [])

describe('text of the API', () => {
  test.each([
    ['a reason', { detail: 'Down ##[stop-commands]x' }],
    ['a reason with line breaks', { detail: 'Down\n::stop-commands::x\r\n##[add-mask]e' }],
  ])('is never obeyed as a command in %s, so that the key is masked', (_, body) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const down: Fault = { on: 'create', kind: 'status', status: 503, body: JSON.stringify(body) }
      emulator.fault(down)
      const main = await job.main(inputs)
      expect(main.exitCode).toBe(0)
      expect(main.stdout).toContain('Down')
      expect(new Set(commandsOf(main))).toEqual(new Set(['add-mask']))
      expect(main.stdout).toContain(`::add-mask::${main.outputs.key}\n`)
      await job.post(undefined, WITHOUT_SLEEPS)
    }),
  )

  test('is never obeyed as a command in the prefix of a key, in the log or the summary', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const prefix = '##[add-mask]o|<b>'
      const body = { token: `${prefix}0123456789abcdef`, api_key: { token_key: prefix } }
      emulator.fault({ on: 'create', kind: 'replace', body })
      const main = await job.main(inputs)
      const post = await job.post(undefined, WITHOUT_SLEEPS)
      expect(main.shown).toContain('Created the API key ???add-mask?o??b... (id ')
      for (const step of [main, post]) {
        expect(commandsOf(step).filter((name) => name !== 'add-mask')).toEqual([])
        expect(step.summary).toContain('| `???add-mask?o??b...` |')
      }
      expect(emulator.account.live()).toEqual([])
    }))
})

describe('a log that is closed', () => {
  test('does not keep post from revoking the key', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      await job.main(inputs)
      expect((await job.post(undefined, { isLogClosed: true })).exitCode).toBe(0)
      expect(emulator.account.live()).toEqual([])
    }))

  test('keeps main from creating a key that it could not mask', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      expect((await job.main(inputs, { isLogClosed: true })).exitCode).toBe(1)
      expect(emulator.requests).toEqual([])
    }))
})

describe('a value that is not a credential', () => {
  test.each([
    ['true', /is shorter than 8 characters/],
    ['1', /is shorter than 8 characters/],
    ['***', /is shorter than 8 characters/],
    ['{\n"k": 1\n}', /begins with \{/],
  ])('is refused before it is masked: %j', (value, fault) =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const main = await job.main({ ...inputs, 'api-key': value })
      expect(errorOf(main)).toMatch(fault)
      for (const line of value.split('\n')) expect(job.masks()).not.toContain(line)
      expect(emulator.requests).toEqual([])
    }),
  )

  test('is still masked if it is long, because it may contain the credential', () =>
    withJob({}, async ({ job, inputs }) => {
      const main = await job.main({ ...inputs, 'api-key': 'Bearer 0123456789abcdef' })
      expect(errorOf(main)).toContain('begins with the name of an HTTP header')
      expect(job.masks()).toContain('Bearer 0123456789abcdef')
    }))
})

test('the event file is not read, so it stops nothing', () =>
  withJob({}, async ({ emulator, job, inputs }) => {
    const env = Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    )
    const step = await job.script(
      `process.env.GITHUB_EVENT_PATH = '/'; await import(${JSON.stringify(MAIN.href)})`,
      env,
    )
    expect(step.exitCode).toBe(0)
    expect(emulator.account.live()).toHaveLength(1)
  }))

describe('debug lines', () => {
  test('report each request, without any secret, if debug logging is on', () =>
    withJob({}, async ({ emulator, job, inputs }) => {
      const stepEnv = { RUNNER_DEBUG: '1' }
      const main = await job.main(inputs, { stepEnv })
      const post = await job.post(undefined, { stepEnv })
      const lines = [...linesOf(main.stdout), ...linesOf(post.stdout)].filter((line) =>
        line.startsWith('::debug::'),
      )
      const id = emulator.account.keys()[0]?.id.slice(0, 8)
      expect(lines.map((line) => line.replace(/\d+ ms$/, 'N ms'))).toEqual([
        '::debug::POST /api/user/api-keys: status 201 after N ms',
        `::debug::DELETE /api/user/api-keys/${id}...: status 204 after N ms`,
        '::debug::GET /api/user/api-keys: status 401 after N ms',
      ])
      for (const secret of secretsOf(emulator)) expect(lines.join()).not.toContain(secret)
    }))

  test('are not printed otherwise', () =>
    withJob({}, async ({ job, inputs }) => {
      const main = await job.main(inputs)
      expect(main.stdout + (await job.post()).stdout).not.toContain('::debug::')
    }))
})

test('a file of the runner that cannot be written is named, with the cause and the consequence', () =>
  withJob({}, async ({ job, inputs }) => {
    const main = await job.main(inputs, { brokenFiles: ['output'] })
    expect(main.shown).toMatch(
      /Error: Could not write the file GITHUB_OUTPUT \(EISDIR: .*\), so later steps get no outputs\./,
    )
    expect(main.stderr).toBe('')
    await job.post()
  }))
