import { type Emulator, type EmulatorOptions, startEmulator } from '../support/emulator.ts'
import { SKIP_SLEEPS } from '../support/preload.ts'
import { createJob, type Job, type JobOptions, type StepOptions, type StepResult } from '../support/runner.ts'

/** One job, on an emulator of its own. */
export interface Stage {
  emulator: Emulator
  job: Job
  /** What the workflow gives the action: the account's key, and the emulator's URL. */
  inputs: Record<string, string>
}

export interface StageOptions {
  api?: EmulatorOptions
  job?: JobOptions
}

/** For steps that wait for the API: their sleeps end at once, and their clock moves by as much. */
export const WITHOUT_SLEEPS: StepOptions = { nodeArgs: SKIP_SLEEPS }

/** Gives `act` a job and an emulator, and removes both afterwards. */
export async function withJob<T>(options: StageOptions, act: (stage: Stage) => Promise<T>): Promise<T> {
  const emulator = await startEmulator(options.api)
  const job = createJob(options.job)
  try {
    const inputs = { 'api-key': emulator.account.longLivedKey, 'api-url': emulator.url }
    return await act({ emulator, job, inputs })
  } finally {
    await job.cleanUp()
    await emulator.close()
  }
}

/** The message of a failed step: its one error annotation. Throws where there is not exactly one. */
export function errorOf(step: StepResult): string {
  const errors = step.annotations.filter(({ level }) => level === 'error')
  const [only] = errors
  if (!only || errors.length !== 1)
    throw new Error(`expected one error, found ${errors.length}: ${step.shown}`)
  return only.message
}

/** The warnings of a step, each on a line. */
export function warningsOf(step: StepResult): string {
  return step.annotations
    .filter(({ level }) => level === 'warning')
    .map(({ message }) => message)
    .join('\n')
}

/** Every secret that must not show in a log: the long-lived key and all keys that were created. */
export function secretsOf({ account }: Emulator): string[] {
  return [account.longLivedKey, ...account.keys().map(({ token }) => token)]
}

/** The requests that came in, in short: `POST /api/user/api-keys`, without ids. */
export function requestsOf({ requests }: Emulator): string[] {
  return requests.map(({ method, path }) => `${method} ${path.replace(/(api-keys)\/.+/, '$1/ID')}`)
}

/** Resolves once so many requests of that method have come in. */
export function requested({ arrived }: Emulator, method: string, count = 1): Promise<void> {
  return arrived((requests) => requests.filter((request) => request.method === method).length >= count)
}
