import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from '@jest/globals'
import { githubServer, rotationTag, TAG_RANGE } from '../../src/rotate/rotation-tag.ts'
import type { StoredKey } from '../support/account.ts'
import { type Emulator, type EmulatorOptions, startEmulator } from '../support/emulator.ts'
import type { GithubOptions } from '../support/github.ts'
import { type GithubEmulator, startGithubEmulator } from '../support/github-emulator.ts'
import { shiftedClock } from '../support/preload.ts'
import { createJob, type Job, type JobOptions, type StepOptions, type StepResult } from '../support/runner.ts'
import { errorOf } from './with-job.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** Jobs that rotate the key in one secret, on emulators of both services whose clock the test moves. */
export interface Rotation {
  emulator: Emulator
  github: GithubEmulator
  /** A job of this repository. */
  job(options?: JobOptions): Job
  /** Its inputs, with what the secret holds now. */
  inputs(): Record<string, string>
  /** What the secret holds: the value, and the key. */
  value(place?: string): string
  key(place?: string): StoredKey | undefined
  /** The clock of both services. */
  now(): number
  /** Moves the API's clock, and the machine's in later jobs, on by so many milliseconds. */
  travel(duration: number): void
  /** Whether the API still accepts a key. */
  isValid(key: StoredKey | undefined): boolean
  /** Starts the main step, kills it once `reached` returns true, and runs the post step if `post` is set. */
  killWhen(
    reached: () => boolean,
    options?: { post?: boolean; inputs?: Record<string, string> },
  ): Promise<StepResult | null>
  /** An own key of this rotation, created so many milliseconds ago. */
  addOwnKey(age: number): StoredKey
}

export interface RotationOptions {
  api?: EmulatorOptions
  github?: Partial<GithubOptions>
  place?: string
  secret?: { visibility?: string; selected?: number[] }
  name?: string
  /** The parts of the tag; the repository's secret by default. */
  scope?: string
  environment?: string
  /** The age of the key in the secret, in milliseconds; `own`: rotate made it. */
  age?: number
  own?: boolean
}

const root = new URL('../../', import.meta.url)
const action = fileURLToPath(new URL('rotate/action.yml', root))
/** Set by the Jest project that runs every scenario on the source; see jest.config.js. */
const { steps } = globalThis as { steps?: 'source' }
const SOURCE = {
  main: fileURLToPath(new URL('src/rotate.ts', root)),
  post: fileURLToPath(new URL('src/rotate-post.ts', root)),
}

/** Starts both emulators with one secret, runs `play`, and cleans up. */
export async function withRotation<T>(
  options: RotationOptions,
  play: (rotation: Rotation) => Promise<T>,
): Promise<T> {
  let shift = 0
  const now = () => Date.now() + shift
  const emulator = await startEmulator({ now, ...options.api })
  const github = await startGithubEmulator({ now, ...options.github })
  const jobs: Job[] = []
  const name = options.name ?? 'SPHERESCOUT_API_KEY'
  const home = options.place ?? 'repository'
  const tag = rotationTag(
    {
      apiUrl: emulator.url,
      server: githubServer(github.url),
      scope: options.scope ?? 'repo:4711',
      environment: options.environment ?? '',
      secret: name,
    },
    (text) => createHash('sha256').update(text).digest(),
  )
  const addOwnKey = (age: number) => {
    const latest = now() - age + 60 * DAY
    const expiry = latest - (latest % TAG_RANGE) + tag - TAG_RANGE
    return emulator.account.addKey({
      created: now() - age,
      expiry: expiry % 1000 === 0 ? expiry - TAG_RANGE : expiry,
    })
  }
  const keys: StoredKey[] = []
  const age = options.age ?? 100 * DAY
  const first = options.own ? addOwnKey(age) : emulator.account.addKey({ expiry: null, created: now() - age })
  keys.push(first)
  github.github.addSecret(home, name, { value: first.token, updatedAt: now() - age, ...options.secret })
  const value = (place = home) => github.github.secret(place, name)?.value ?? ''
  const newJob = (jobOptions: JobOptions = {}) => {
    const bundles = steps === 'source' ? { bundles: SOURCE } : {}
    const env = { ...(shift > 0 && shiftedClock(shift)), ...jobOptions.env }
    const secretInputs = ['api-key', 'github-token']
    const job = createJob({ action, ...bundles, secretInputs, ...jobOptions, env })
    jobs.push(job)
    return job
  }
  const inputs = () => ({
    'api-key': value(),
    'github-token': github.token,
    'api-url': emulator.url,
    'github-api-url': github.url,
    ...(name === 'SPHERESCOUT_API_KEY' ? {} : { secret: name }),
  })
  const isValid = (key: StoredKey | undefined) =>
    key !== undefined && !key.revoked && (key.expiry === null || key.expiry > now())
  try {
    return await play({
      emulator,
      github,
      job: newJob,
      inputs,
      now,
      value,
      isValid,
      key: (place = home) =>
        [...keys, ...emulator.account.keys()].find(({ token }) => token === value(place)),
      travel(duration) {
        shift += duration
      },
      async killWhen(reached, { post = true, inputs: further = {} } = {}) {
        const job = newJob()
        const main = job.start({ ...inputs(), ...further })
        while (!reached() && main.child.exitCode === null) await sleep(10)
        main.signal('SIGKILL')
        await main.done
        return post ? job.post() : null
      },
      addOwnKey(ownAge) {
        const key = addOwnKey(ownAge)
        keys.push(key)
        return key
      },
    })
  } finally {
    await Promise.all(jobs.map((job) => job.cleanUp()))
    await Promise.all([emulator.close(), github.close()])
  }
}

/** Both steps, with what the secret holds now. */
export async function run(
  { job, inputs }: Rotation,
  further: Record<string, string> = {},
  options: Parameters<Rotation['job']>[0] = {},
  step: StepOptions = {},
): Promise<{ main: StepResult; post: StepResult }> {
  const one = job(options)
  const main = await one.main({ ...inputs(), ...further }, step)
  return { main, post: await one.post() }
}

/** The one error line of a run that fails. */
export async function failedRun(
  rotation: Rotation,
  further: Record<string, string> = {},
  options: Parameters<Rotation['job']>[0] = {},
  step: StepOptions = {},
): Promise<string> {
  const { main } = await run(rotation, further, options, step)
  expect(main.exitCode).toBe(1)
  expect(main.stderr).toBe('')
  return errorOf(main)
}

export const created = ({ emulator }: Rotation) => emulator.account.keys()
export const posts = ({ emulator }: Rotation) => emulator.requests.filter(({ method }) => method === 'POST')
export const puts = ({ github }: Rotation) => github.requests.filter((request) => request.startsWith('PUT'))
