// Counts the keys that the job left alive, then stops the emulator. The count goes to the environment, because the
// outputs of a job may read that and are computed after every post step; what a post step sets as an output is ignored.
import { appendFileSync } from 'node:fs'

const { STATE_url: url, STATE_pid: pid } = process.env
if (url === undefined || pid === undefined) throw new Error('The emulator was not started.')

const reply = await fetch(`${url}/__emulator/keys`)
if (!reply.ok) throw new Error(`The emulator answered ${reply.status}.`)
const alive = await reply.json()
appendFileSync(process.env.GITHUB_ENV, `E2E_KEYS_ALIVE=${alive.length}\n`)
console.log(`Keys of this job that are still alive: ${alive.length}`)
process.kill(Number(pid))
