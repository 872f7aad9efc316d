// Shows what a person sees of the audit: an account with a key of every class and every finding, on an emulator of the
// API. Exits with 1 if anything is not as the audit promises.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addEveryClass, DAY_MS, REPOSITORY_ID, rotatedExpiry } from '../__tests__/support/audited-account.ts'
import { startEmulator } from '../__tests__/support/emulator.ts'
import { createJob, type StepResult } from '../__tests__/support/runner.ts'
import { plainSummary } from './plain-summary.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))
const emulator = await startEmulator()
const bundles = { main: join(repository, 'dist/audit/index.js'), post: '' }
const job = createJob({ action: join(repository, 'audit/action.yml'), bundles })
try {
  process.exitCode = (await demonstrate()) ? 0 : 1
} finally {
  await job.cleanUp()
  await emulator.close()
}

/** Audits the account and prints log, summary and outputs. Returns whether everything was as promised. */
async function demonstrate(): Promise<boolean> {
  console.log(
    'An account with a key of every kind, on an emulator of the SphereScout API; nothing leaves this machine.',
  )
  const { inUse, known, tokens } = fillAccount()
  const step = await job.main(
    {
      'api-key': inUse,
      'api-url': emulator.url,
      known,
      'rotated-secrets': 'SPHERESCOUT_API_KEY\nOTHER_KEY',
      'fail-on': 'unexpected',
    },
    { name: 'Run spherescout-ephemeral-key/audit', stepEnv: { GITHUB_REPOSITORY_ID: REPOSITORY_ID } },
  )
  heading('The log of the step')
  console.log(job.log().trimEnd())
  heading('The job summary')
  console.log(plainSummary(step.summary))
  heading('The outputs')
  for (const [name, value] of Object.entries(step.outputs)) console.log(`${name}: ${shortened(value)}`)
  heading('In short')
  return checks(step, tokens).every(Boolean)
}

function checks(step: StepResult, tokens: string[]): boolean[] {
  const { findings = '', ok, ...counts } = step.outputs
  const kinds = Object.keys(counts).filter((kind) => kind !== 'list-incomplete')
  const printed = step.shown + step.summary + findings
  return [
    check('every finding was made', ok === 'false' && kinds.every((kind) => Number(counts[kind]) > 0)),
    check('the step failed, as fail-on names one of them', step.outcome === 'failure'),
    check(
      'the audit only read: no key was created or revoked',
      emulator.requests.every(({ method }) => method === 'GET'),
    ),
    check('no key was shown', !tokens.some((token) => printed.includes(token))),
  ]
}

/** An account with a key of every class, and one with each finding. */
function fillAccount(): { inUse: string; known: string; tokens: string[] } {
  const { account, url } = emulator
  const now = Date.now()
  const keys = addEveryClass(account, url, now)
  const forgotten = account.addKey({ created: now - 900 * DAY_MS, expiry: null })
  const stopped = account.addKey({
    created: now - 55 * DAY_MS,
    expiry: rotatedExpiry(now + 5 * DAY_MS, url, { secret: 'OTHER_KEY' }),
  })
  const inUse = account.addKey({ created: now - 80 * DAY_MS, expiry: now + 9 * DAY_MS })
  const overdue = account.addKey({ created: now - 60 * DAY_MS, expiry: now + 300 * DAY_MS })
  return {
    inUse: inUse.token,
    known: [
      `${keys.known.id} # reporting`,
      `${overdue.id} until ${new Date(now - 2 * DAY_MS).toISOString().slice(0, 10)}`,
      '48213 until 2099-12-31 # revoked by someone',
    ].join('\n'),
    tokens: [account.longLivedKey, inUse, forgotten, stopped, overdue, keys.known].map((key) =>
      typeof key === 'string' ? key : key.token,
    ),
  }
}

function check(claim: string, holds: boolean): boolean {
  console.log(`${holds ? '✓' : '✗'} ${claim}`)
  return holds
}

function shortened(text: string): string {
  return text.length > 110 ? `${text.slice(0, 107)}...` : text
}

function heading(text: string): void {
  console.log(`\n── ${text} ──`)
}
