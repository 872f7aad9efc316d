import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

const script = join(import.meta.dirname, '../../scripts/node.mjs')
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'node-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs scripts/node.mjs with NODE_BINARY set. */
function run(binary: string, ...args: string[]) {
  const { NODE_BINARY: _, ...inherited } = process.env
  const env = binary === '' ? inherited : { ...inherited, NODE_BINARY: binary }
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

/** A program that says it is Node.js of `version`, and prints its arguments otherwise. */
function pretend(version: string): string {
  const path = join(folder, version)
  writeFileSync(path, `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else echo "ran $*"; fi\n`)
  chmodSync(path, 0o755)
  return path
}

test('runs a script on the Node.js that npm found, and ends with its exit code', () => {
  const result = run('', '-e', 'console.log(process.execPath); process.exitCode = 7')
  expect(result).toEqual({ status: 7, stdout: `${process.execPath}\n`, stderr: '' })
})

// Windows cannot start the programs that stand in for Node.js, and has no signals.
const whereScripts = process.platform === 'win32' ? describe.skip : describe

whereScripts('with NODE_BINARY', () => {
  test('runs a script on the Node.js that it names', () => {
    expect(run(pretend('v24.99.0'), 'file.ts', '--flag').stdout).toBe('ran file.ts --flag\n')
    expect(run(pretend('v26.0.0'), 'file.ts').stdout).toBe('ran file.ts\n')
  })

  test.each(['v20.20.2', 'v8.0.0', 'nonsense'])('refuses %s in one sentence', (version) => {
    const path = pretend(version)
    const { status, stdout, stderr } = run(path, 'file.ts')
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toBe(
      `This needs Node.js 24 or later, but ${path} is ${version}: install it, or set NODE_BINARY to the path of one.\n`,
    )
  })

  test('refuses a path that does not exist', () => {
    expect(run(join(folder, 'missing'), 'file.ts')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/missing is not there/),
    })
  })
})

whereScripts('a signal', () => {
  test('reaches the script', async () => {
    const code =
      "process.on('SIGTERM', () => process.exit(3)); console.log('ready'); setInterval(() => {}, 1000)"
    const child = spawn(process.execPath, [script, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.once('data', () => child.kill('SIGTERM'))
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(3)
  })
})
