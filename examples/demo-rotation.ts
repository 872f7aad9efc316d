// Shows sixty days of a rotation in a few seconds, as a timeline: the real code in virtual time, against emulators of
// both services. Exits with 1 if a promise of docs/rotation.md is broken.
import { createHash } from 'node:crypto'
import { styleText } from 'node:util'
import sodium from 'libsodium-wrappers'
import { createWorld, type SimulatedProcess } from '../__tests__/rotate/world.ts'
import { type Account, createAccount, type StoredKey } from '../__tests__/support/account.ts'
import { createGithub, type Github } from '../__tests__/support/github.ts'
import { createKeyApi } from '../src/api/key-api.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../src/http/http-client.ts'
import { HttpError } from '../src/http/http-error.ts'
import { createCancellation } from '../src/retry/cancellation.ts'
import { watchDate } from '../src/rotate/date-watch.ts'
import { createGithubSecrets } from '../src/rotate/github-secrets.ts'
import type { RotateInputs } from '../src/rotate/inputs.ts'
import { rotateKey } from '../src/rotate/rotate-key.ts'
import { sealForGithub } from '../src/rotate/sealed-box.ts'
import type { Runner } from '../src/runner/runner.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const DAYS = 60
const START = Date.parse('2027-03-01T04:17:00Z')
const SECRET = 'SPHERESCOUT_API_KEY'
const API_URL = 'https://api.example'
const GITHUB_URL = 'https://github.example'
const TOKEN = 'token-of-an-app'

/** The days of faults, and of a run by hand. */
const GITHUB_DOWN = 30
const ANSWER_LOST = 31
const EMERGENCY = 47

const names = new Map<string, string>()
let validEachDay = true

await sodium.ready
const pair = sodium.crypto_box_keypair()
const world = createWorld(START)
const account = createAccount({ now: world.now, random: Math.random })
const initial = account.addKey({ expiry: null, created: START - 400 * DAY_MS })
const other = account.addKey({ expiry: null, created: START - 300 * DAY_MS })
names.set(initial.id, 'hand-made key')
const github = createGithub({
  now: world.now,
  token: TOKEN,
  publicKey: { id: '1', key: Buffer.from(pair.publicKey).toString('base64') },
  open: (sealed) =>
    Buffer.from(
      sodium.crypto_box_seal_open(
        new Uint8Array(Buffer.from(sealed, 'base64')),
        pair.publicKey,
        pair.privateKey,
      ),
    ).toString('utf8'),
})
github.addSecret('repository', SECRET, { value: initial.token })

console.log(
  `Sixty days of a scheduled workflow that rotates the key in the secret ${SECRET}, in virtual time. It runs
once a day with the defaults: rotate-after 30d, overlap 7d, expires-in 60d.\n`,
)
for (let day = 0; day <= DAYS; day++) world.at(START + day * DAY_MS, () => playDay(day))
await world.run()
process.exitCode = conclude() ? 0 : 1

/** One day: what happened before, then the run; prints a line for each change. */
async function playDay(day: number): Promise<void> {
  if (day === GITHUB_DOWN) tell(day, 'yellow', "GitHub's API answers 503 all day.")
  if (day === ANSWER_LOST) tell(day, 'yellow', 'The response to the first create request is lost.')
  if (day === EMERGENCY)
    tell(
      day,
      'yellow',
      'The key in the secret leaked. A person starts the workflow with revoke-previous: now.',
    )
  await world.startProcess(0, async (simulated) => {
    const outputs: Record<string, string> = {}
    try {
      await run(day, simulated, outputs)
    } catch (reason) {
      tell(day, 'red', `The run fails: ${reason instanceof Error ? reason.message : String(reason)}`)
    }
    report(day, outputs)
  })
}

/** Prints what a run changed, and checks the key in the secret. */
function report(day: number, outputs: Record<string, string>): void {
  const current = holder()
  for (const { id } of account.keys().filter((key) => !names.has(key.id))) {
    const isOrphan = id !== current?.id
    names.set(id, `${isOrphan ? 'orphan' : 'key'} ${letter(names.size)}`)
    if (isOrphan) tell(day, 'yellow', `That request left ${nameOf(id)}, a key that no one received.`)
  }
  if (outputs.rotated === 'true')
    tell(
      day,
      'green',
      `Rotated: the secret holds ${nameOf(outputs['key-id'])}, until ${date(outputs['expires-at'])}. Next: ${date(outputs['due-at'])}.`,
    )
  for (const id of JSON.parse(outputs.retired ?? '[]')) tell(day, 'cyan', `Revoked: ${nameOf(id)}.`)
  if (!isValid(current)) validEachDay = false
}

async function run(day: number, process: SimulatedProcess, outputs: Record<string, string>): Promise<void> {
  const send = network(day, process)
  const watch = watchDate(send, process.clock.now)
  await rotateKey(inputsOn(day), {
    api: createKeyApi({ client: watch.send, apiUrl: API_URL, userAgent: 'demo', now: process.clock.now }),
    secrets: createGithubSecrets(send, {
      apiUrl: GITHUB_URL,
      token: TOKEN,
      userAgent: 'demo',
      now: process.clock.now,
    }),
    clock: process.clock,
    dateDifference: watch.difference,
    random: Math.random,
    runner: recorder(outputs),
    cancellation: createCancellation(process.clock.now),
    sha256: (text) => createHash('sha256').update(text).digest(),
    seal: sealForGithub,
    repository: { owner: 'octo-org', repo: 'octo-repo', id: '4711' },
    connection: { userAgent: 'demo', proxy: '', settings: {} },
  })
}

function inputsOn(day: number): RotateInputs {
  return {
    apiKey: github.secret('repository', SECRET)?.value ?? '',
    githubToken: TOKEN,
    secret: SECRET,
    home: { kind: 'repository', name: '' },
    copies: [],
    limits: { rotateAfter: 30 * DAY_MS, expiresIn: 60 * DAY_MS, overlap: 7 * DAY_MS },
    initialKeyId: initial.id,
    revokePrevious: day === EMERGENCY ? 'now' : 'after-overlap',
    apiUrl: API_URL,
    githubApiUrl: GITHUB_URL,
    timeout: 120_000,
  }
}

/** Serves each request, with faults on some days. */
function network(day: number, process: SimulatedProcess): HttpClient {
  let lost = false
  return (request) =>
    process.wait(world.now() + 300, () => {
      const toGithub = request.url.href.startsWith(GITHUB_URL)
      if (day === GITHUB_DOWN && toGithub) return { status: 503, headers: {}, body: '' }
      const response = serve(request, toGithub ? github : account)
      if (day === ANSWER_LOST && request.method === 'POST' && !lost) {
        lost = true
        throw new HttpError('closed the connection before it answered', true)
      }
      return response
    })
}

function serve({ method, url, headers, body = '' }: HttpRequest, service: Account | Github): HttpResponse {
  const {
    status,
    headers: given,
    body: answer,
  } = service.handle({
    method,
    path: url.pathname + url.search,
    headers: { authorization: headers.Authorization ?? '' },
    body,
  })
  return { status, headers: { date: given.Date }, body: answer }
}

function recorder(outputs: Record<string, string>): Runner {
  const ignore = () => {}
  return {
    info: ignore,
    warning: ignore,
    setSecret: ignore,
    exportVariable: ignore,
    saveState: ignore,
    writeSummary: ignore,
    setOutput(name, value) {
      outputs[name] = String(value)
    },
  }
}

function holder(): StoredKey | undefined {
  const value = github.secret('repository', SECRET)?.value
  return [initial, ...account.keys()].find(({ token }) => token === value)
}

function isValid(key: StoredKey | undefined): boolean {
  return key !== undefined && !key.revoked && (key.expiry === null || key.expiry > world.now())
}

/** A, B, C, ... for the keys in the order of creation, without the hand-made one. */
function letter(known: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + known - 1)
}

function nameOf(id: string | undefined): string {
  return names.get(id ?? '') ?? String(id)
}

function date(instant: string | undefined): string {
  return (instant ?? '').slice(0, 10)
}

function tell(day: number, color: Parameters<typeof styleText>[0], text: string): void {
  const when = new Date(START + day * DAY_MS).toISOString().slice(0, 10)
  console.log(`${when}  day ${String(day).padStart(2)}  ${styleText(color, text)}`)
}

function conclude(): boolean {
  const own = account.keys().filter(isValid)
  console.log(`\nNothing was due on the other days. Valid keys of the rotation at the end: ${own.length}.`)
  const checks: [string, boolean][] = [
    ['the secret held a valid key every day', validEachDay],
    ['the hand-made key, named in initial-key-id, was revoked', initial.revoked],
    ['no other key was touched', !other.revoked],
    ['every key of the rotation has an expiry', account.keys().every(({ expiry }) => expiry !== null)],
    ['at most three keys of the rotation are valid', own.length <= 3],
  ]
  for (const [claim, holds] of checks)
    console.log(styleText(holds ? 'green' : 'red', `${holds ? '\u2713' : '\u2717'} ${claim}`))
  return checks.every(([, holds]) => holds)
}
