// Starts the emulator of GitHub as a process that outlives this step, and puts a new key into its secret.
import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const log = join(mkdtempSync(join(process.env.RUNNER_TEMP ?? tmpdir(), 'github-')), 'log')
const output = openSync(log, 'a')
const script = fileURLToPath(new URL('../../../examples/github-emulator.ts', import.meta.url))
const emulator = spawn(process.execPath, [script], { detached: true, stdio: ['ignore', output, output] })
emulator.unref()
appendFileSync(process.env.GITHUB_STATE, `pid=${emulator.pid}\n`)

const { url, token, control } = await announcement()
const created = await fetch(`${process.env['INPUT_API-URL']}/api/user/api-keys`, {
  method: 'POST',
  headers: {
    authorization: `Bearer ${process.env['INPUT_API-KEY']}`,
    'content-type': 'application/json',
  },
  body: '{}',
})
const { token: key } = await created.json()
console.log(`::add-mask::${key}`)
await fetch(control, { method: 'POST', body: key })
appendFileSync(process.env.GITHUB_OUTPUT, `url=${url}\ntoken=${token}\ncontrol=${control}\nkey=${key}\n`)
console.log(`The emulator of GitHub listens at ${url}.`)

/** Waits at most 10 s for the line in which the emulator says where it listens. */
async function announcement() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const line = /^\{.*\}$/m.exec(readFileSync(log, 'utf8'))?.[0]
    if (line !== undefined) return JSON.parse(line)
    await sleep(100)
  }
  throw new Error(`The emulator did not start:\n${readFileSync(log, 'utf8')}`)
}
