import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { type Emulator, startEmulator } from '../support/emulator.ts'
import { HAS_SIGNALS } from '../support/runner.ts'

const cli = fileURLToPath(new URL('../../conformance/cli.ts', import.meta.url))
const whereSignals = HAS_SIGNALS ? describe : describe.skip

interface Started {
  child: ChildProcess
  done: Promise<{ code: number | null; output: string }>
}

/** Starts the command in a process of its own, whose standard input is no terminal. */
function start(args: string[], env: Record<string, string>): Started {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  const done = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, output })),
  )
  return { child, done }
}

async function withEmulator(play: (emulator: Emulator) => Promise<void>): Promise<void> {
  const emulator = await startEmulator()
  try {
    await play(emulator)
  } finally {
    await emulator.close()
  }
}

const key = ({ account }: Emulator) => ({ SPHERESCOUT_API_KEY: account.longLivedKey })

describe('npm run conformance', () => {
  test('without a terminal and without --yes says what it would do, and does nothing', () =>
    withEmulator(async (emulator) => {
      const { code, output } = await start(['--api-url', emulator.url], key(emulator)).done
      expect(code).toBe(1)
      expect(output).toContain('creates about five API keys')
      expect(output).toContain('Run it with --yes to go ahead.')
      expect(emulator.requests).toEqual([])
    }))

  test('says how it is used if it does not know an option', async () => {
    const { code, output } = await start(['--help'], {}).done
    expect(code).toBe(1)
    expect(output).toMatch(
      /^Unknown option '--help'.*\nUsage: npm run conformance -- \[--api-url URL\] \[--yes\]\n$/,
    )
  })

  test('with --yes prints the table and revokes every key that it made', () =>
    withEmulator(async (emulator) => {
      const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
      const GITHUB_STEP_SUMMARY = join(folder, 'summary')
      const env = { ...key(emulator), GITHUB_STEP_SUMMARY }
      const { code, output } = await start(['--api-url', `${emulator.url}/`, '--yes'], env).done
      expect({ code, output }).toMatchObject({ code: 0 })
      expect(output).toMatch(/^Asking the API\. .*\nRevoking the keys that were made, .*\n\nfact /m)
      expect(output).toContain('All keys that were made (4) are revoked (verified).')
      expect(emulator.account.live()).toEqual([])
      expect(readFileSync(GITHUB_STEP_SUMMARY, 'utf8')).toMatch(/^### API conformance\n\n\| fact \| basis/)
      rmSync(folder, { recursive: true })
    }))

  test.each([
    [[], {}, 'SPHERESCOUT_API_KEY is not set'],
    [
      ['--api-url', 'http://www.spherescout.io'],
      { SPHERESCOUT_API_KEY: 'long-lived' },
      'must be an https:// URL',
    ],
  ])('refuses %j with %j in one line', async (args, env, message) => {
    const { code, output } = await start(args, env).done
    expect(code).toBe(1)
    expect(output.trimEnd().split('\n').at(-1)).toContain(message)
    expect(output).not.toMatch(/^ +at /m)
  })
})

test('a host without a server is named in one line, with the reason', async () => {
  const emulator = await startEmulator()
  await emulator.close()
  const { code, output } = await start(['--api-url', emulator.url, '--yes'], key(emulator)).done
  expect(code).toBe(1)
  expect(output).toContain('api-keys: no answer (ECONNREFUSED). Check --api-url.')
  expect(output).not.toMatch(/^ +at /m)
})

whereSignals('Ctrl-C', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s while a key is created: that key is revoked as well',
    (signal) =>
      withEmulator(async (emulator) => {
        // The response to the second create takes long enough for the signal to come in between.
        emulator.fault({ on: 'create', kind: 'delay', ms: 0, act: 'before' })
        emulator.fault({ on: 'create', kind: 'delay', ms: 2_000, act: 'before' })
        const { child, done } = start(['--api-url', emulator.url, '--yes'], key(emulator))
        const creates = () => emulator.requests.filter(({ method }) => method === 'POST').length
        while (creates() < 2 && child.exitCode === null) await sleep(10)
        child.kill(signal)
        const { code, output } = await done
        expect({ code, output }).toMatchObject({ code: 130 })
        expect(output).toContain('Stopped. Revoking the keys that were made.')
        expect(output).toContain('All keys that were made (2) are revoked (verified).')
        expect(emulator.account.keys()).toHaveLength(2)
        expect(emulator.account.live()).toEqual([])
      }),
  )

  test('a terminal that is closed, and its output with it: the keys are revoked all the same', () =>
    withEmulator(async (emulator) => {
      emulator.fault({ on: 'create', kind: 'delay', ms: 1_000, act: 'before' })
      const { child, done } = start(['--api-url', emulator.url, '--yes'], key(emulator))
      await emulator.arrived((requests) => requests.some(({ method }) => method === 'POST'))
      child.stdout?.destroy()
      child.stderr?.destroy()
      child.kill('SIGHUP')
      expect((await done).code).toBe(130)
      expect(emulator.account.keys()).toHaveLength(1)
      expect(emulator.account.live()).toEqual([])
    }))

  test('while revocations fail: the run ends with a list of the keys that may still be valid', () =>
    withEmulator(async (emulator) => {
      emulator.fault({ on: 'create', kind: 'delay', ms: 2_000, act: 'before' })
      emulator.fault({ on: 'revoke', kind: 'status', status: 503, times: 100 })
      const { child, done } = start(['--api-url', emulator.url, '--yes'], key(emulator))
      const isCreating = () => emulator.requests.some(({ method }) => method === 'POST')
      while (!isCreating() && child.exitCode === null) await sleep(10)
      child.kill('SIGINT')
      const { code, output } = await done
      expect(code).toBe(130)
      expect(output).toContain('Could not confirm that these are revoked')
      for (const { id, token_key } of emulator.account.keys()) {
        expect(output).toMatch(new RegExp(`^  ${token_key}\\.\\.\\. expires .+, id ${id}$`, 'm'))
      }
      expect(emulator.account.live()).toHaveLength(1)
    }))

  test('before anything was made ends the run with nothing to revoke', () =>
    withEmulator(async (emulator) => {
      emulator.fault({ on: 'list', kind: 'delay', ms: 1_000, act: 'before' })
      const { child, done } = start(['--api-url', emulator.url, '--yes'], key(emulator))
      while (emulator.requests.length === 0 && child.exitCode === null) await sleep(10)
      child.kill('SIGINT')
      const { code } = await done
      expect(code).toBe(130)
      expect(emulator.account.keys()).toEqual([])
    }))
})

/** util-linux can run a command in a pseudo-terminal; other systems have another `script`, or none. */
const HAS_TERMINAL = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '')
const whereTerminals = HAS_TERMINAL ? describe : describe.skip

/** Starts the command in a terminal, and types `keys` once it asks. */
async function typed(keys: string, emulator: Emulator): Promise<{ code: number | null; output: string }> {
  const command = `"${process.execPath}" "${cli}" --api-url ${emulator.url}`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env.PATH ?? '', SHELL: '/bin/sh', TERM: 'xterm', ...key(emulator) },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    if (!output.includes('[y/N]') && `${output}${chunk}`.includes('[y/N]')) child.stdin.write(keys)
    output += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}

whereTerminals('in a terminal', () => {
  test('y and Enter go ahead', () =>
    withEmulator(async (emulator) => {
      const { code, output } = await typed('y\r', emulator)
      expect({ code, output }).toMatchObject({ code: 0 })
      expect(output).toContain('All keys that were made (4) are revoked (verified).')
      expect(emulator.account.live()).toEqual([])
    }))

  test.each([
    ['Enter', '\r'],
    ['n and Enter', 'n\r'],
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])('%s sends nothing, and says so', (_, keys) =>
    withEmulator(async (emulator) => {
      const { code, output } = await typed(keys, emulator)
      expect({ code, output }).toMatchObject({ code: 1 })
      expect(output).toContain('Nothing was done.')
      expect(emulator.requests).toEqual([])
    }),
  )
})
