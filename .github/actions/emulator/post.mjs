// Counts the keys that are still valid, then stops the emulator. The count goes to the environment, because the outputs
// of a job can read it and are computed after every post step; outputs that a post step sets are ignored.
import { appendFileSync } from 'node:fs'

const { STATE_url: url, STATE_pid: pid } = process.env
if (url === undefined || pid === undefined) throw new Error('The emulator was not started.')

const response = await fetch(`${url}/__emulator/keys`)
if (!response.ok) throw new Error(`The emulator answered ${response.status}.`)
const keys = await response.json()
appendFileSync(process.env.GITHUB_ENV, `E2E_VALID_KEYS=${keys.length}\n`)
console.log(`Keys of this job that are still valid: ${keys.length}`)
process.kill(Number(pid))
