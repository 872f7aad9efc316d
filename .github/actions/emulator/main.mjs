// Starts the emulator as a process that outlives this step, and outputs its URL and its long-lived key.
import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const log = join(mkdtempSync(join(process.env.RUNNER_TEMP ?? tmpdir(), 'emulator-')), 'log')

// A file, not a pipe: a pipe would break when this step ends, and stop the emulator.
const output = openSync(log, 'a')
const emulator = spawn(process.execPath, [fileURLToPath(new URL('serve.mjs', import.meta.url))], {
  detached: true,
  stdio: ['ignore', output, output],
})
emulator.unref()

const { url, key } = await announcement()
console.log(`::add-mask::${key}`)
appendFileSync(process.env.GITHUB_STATE, `pid=${emulator.pid}\nurl=${url}\n`)
appendFileSync(process.env.GITHUB_OUTPUT, `url=${url}\napi-key=${key}\n`)
console.log(`The emulator listens at ${url}.`)

/** The line in which the emulator says where it listens. Throws if it does not come within 10 s. */
async function announcement() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const line = /^\{.*\}$/m.exec(readFileSync(log, 'utf8'))?.[0]
    if (line !== undefined) return JSON.parse(line)
    await sleep(100)
  }
  throw new Error(`The emulator did not start:\n${readFileSync(log, 'utf8')}`)
}
