// Shows what a person sees in the log of a job that uses this action: the committed bundles, on a stand-in for
// the runner, against an emulator of the API. Exits with 1 if anything is not as the action promises.
import { styleText } from 'node:util'
import { startEmulator } from '../__tests__/support/emulator.ts'
import { createMasker } from '../__tests__/support/runner/masker.ts'
import { createJob, type Job, type StepResult } from '../__tests__/support/runner.ts'
import { plainSummary } from './plain-summary.ts'

const said: string[] = []

const styles: [RegExp, Parameters<typeof styleText>[0]][] = [
  [/^(▸|──)/, 'bold'],
  [/^(✗|Error:)/, 'red'],
  [/^✓/, 'green'],
  [/^Warning:/, 'yellow'],
  [/^(with:|env:| {2})/, 'dim'],
]

const emulator = await startEmulator()
const job = createJob()
try {
  process.exitCode = (await demonstrate(job)) ? 0 : 1
} finally {
  await job.cleanUp()
  await emulator.close()
}

/** What the demo saw of the job. */
interface Shown {
  steps: StepResult[]
  key: string
  /** The statuses of a call with the key, during and after the job. */
  duringJob: string | undefined
  afterJob: string | undefined
}

/** Runs the job and says what it shows. Returns whether everything was as promised. */
async function demonstrate(job: Job): Promise<boolean> {
  const { account, url } = emulator
  say(`One job on an emulator of the SphereScout API (${url}); nothing leaves this machine.`)
  const keysBefore = account.live()
  heading('Keys of the account before the job, besides the long-lived one')
  sayKeys(keysBefore)
  const shown = await showJob(job)
  heading('Keys of the account after the job, besides the long-lived one')
  sayKeys(account.live())
  heading('The job summary')
  say(plainSummary(shown.steps.map(({ summary }) => summary).join('')))
  heading('In short')
  return conclude(shown, new Set(keysBefore.map(({ id }) => id)))
}

/** The steps of the job, and one call after it, as their log shows them. */
async function showJob(job: Job): Promise<Shown> {
  const { account, url } = emulator
  const log = newLogOf(job)
  heading('The log of the job')
  const main = await job.main({ 'api-key': account.longLivedKey, 'api-url': url, 'expires-in': '30m' })
  say(log())
  const key = main.outputs.key ?? ''
  const duringJob = await callApi(job, 'Use the key', key)
  say(log())
  const post = await job.post()
  say(log())
  heading('The same call once more, after the job')
  const afterJob = await callApi(job, 'Use the key again', key)
  say(log().trimStart())
  return { steps: [main, post], key, duringJob, afterJob }
}

/** Says what was promised and whether it holds. */
function conclude({ steps, key, duringJob, afterJob }: Shown, known: ReadonlySet<string>): boolean {
  const { account } = emulator
  const left = account.live().filter(({ id }) => !known.has(id))
  const isSecret = key !== '' && !wasSaid([account.longLivedKey, key])
  return [
    check(
      'both steps of the action succeeded',
      steps.every(({ outcome }) => outcome === 'success'),
    ),
    check(`the key worked during the job (${duringJob})`, duringJob === '200'),
    check(`the key was rejected after it (${afterJob})`, afterJob === '401'),
    check('no key of the job is left', left.length === 0),
    check('neither the long-lived key nor the new one was printed above', isSecret),
  ].every(Boolean)
}

/** Calls a protected endpoint from a step of the job, as a workflow would. Returns the status of the response. */
async function callApi(job: Job, name: string, key: string): Promise<string | undefined> {
  const source = `
    import { appendFileSync } from 'node:fs'
    const answer = await fetch(process.env.API_URL + '/api/companies?countries=US', {
      headers: { authorization: 'Bearer ' + process.env.KEY },
    })
    console.log('GET /api/companies answered ' + answer.status)
    appendFileSync(process.env.GITHUB_OUTPUT, 'status=' + answer.status)`
  const step = await job.script(source, { API_URL: emulator.url, KEY: key }, name)
  return step.outputs.status
}

/** Each call returns what was added to the job's log since the last one. */
function newLogOf(job: Job): () => string {
  let seen = 0
  return () => {
    const log = job.log()
    const fresh = log.slice(seen)
    seen = log.length
    return fresh.trimEnd()
  }
}

function sayKeys(keys: { token_key: string; created: number; expiry: number | null }[]) {
  for (const { token_key, created, expiry } of keys) {
    say(
      `${token_key}...  created ${new Date(created).toISOString()}  ${expiry === null ? 'never expires' : `expires ${new Date(expiry).toISOString()}`}`,
    )
  }
  if (keys.length === 0) say('none')
}

function check(claim: string, holds: boolean): boolean {
  say(`${holds ? '✓' : '✗'} ${claim}`)
  return holds
}

function heading(text: string) {
  say(`\n── ${text} ──`)
}

/** Prints, and remembers what was printed. */
function say(text: string) {
  said.push(text)
  for (const line of text.split('\n')) console.log(colored(line))
}

/** Whether any of the secrets was printed, in any form that the runner would have masked. */
function wasSaid(secrets: string[]): boolean {
  const masker = createMasker()
  for (const secret of secrets) masker.add(secret)
  const everything = said.join('\n')
  return masker.mask(everything) !== everything
}

/** Colors a line by how it begins, where the output is a terminal. */
function colored(line: string): string {
  const style = styles.find(([beginning]) => beginning.test(line))
  return style ? styleText(style[1], line) : line
}
