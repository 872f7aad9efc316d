import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { REPOSITORY_ID } from '../support/audited-account.ts'
import { type Emulator, type EmulatorOptions, startEmulator } from '../support/emulator.ts'
import { createJob, type Job, type JobOptions, type StepResult } from '../support/runner.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const { steps } = globalThis as { steps?: 'source' }

/** A job that uses the audit: its bundle, or its source in the Jest project that asks for it. */
export const AUDIT: JobOptions = {
  action: join(repository, 'audit/action.yml'),
  bundles: {
    main: join(repository, steps === 'source' ? 'src/audit.ts' : 'dist/audit/index.js'),
    post: '',
  },
}

export interface AuditStage {
  emulator: Emulator
  job: Job
  /** Runs the audit with these inputs besides `api-key` and `api-url`. */
  audit(inputs?: Record<string, string>, stepEnv?: Record<string, string>): Promise<StepResult>
}

/** One job that audits an account on an emulator of its own. */
export async function withAudit<T>(
  options: { api?: EmulatorOptions; job?: JobOptions },
  play: (stage: AuditStage) => Promise<T>,
): Promise<T> {
  const emulator = await startEmulator(options.api)
  const job = createJob({ ...AUDIT, ...options.job })
  const own = { 'api-key': emulator.account.longLivedKey, 'api-url': emulator.url }
  try {
    return await play({
      emulator,
      job,
      audit: (inputs = {}, stepEnv = {}) =>
        job.main(
          { ...own, ...inputs },
          { name: 'Audit', stepEnv: { GITHUB_REPOSITORY_ID: REPOSITORY_ID, ...stepEnv } },
        ),
    })
  } finally {
    await job.cleanUp()
    await emulator.close()
  }
}
