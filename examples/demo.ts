// Shows what a person sees in the log of a job that uses this action: the committed bundles, on a stand-in for
// the runner, against an emulator of the API. Exits with 1 if anything is not as the action promises.
import { styleText } from 'node:util'
import { startEmulator } from '../__tests__/support/emulator.ts'
import { createMasker } from '../__tests__/support/runner/masker.ts'
import { createJob, type Job } from '../__tests__/support/runner.ts'
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

/** Runs the job and says what it shows. Returns whether everything was as promised. */
async function demonstrate(job: Job): Promise<boolean> {
  const { account, url } = emulator
  const log = newLogOf(job)
  const keysBefore = account.live()

  heading('Keys made through the API, before the job')
  sayKeys(keysBefore)

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

  heading('Keys made through the API, after the job')
  const keysAfter = account.live()
  sayKeys(keysAfter)

  heading('The job summary')
  say(plainSummary(main.summary + post.summary))

  const known = new Set(keysBefore.map(({ id }) => id))
  heading('In short')
  return [
    check('both steps succeeded', main.outcome === 'success' && post.outcome === 'success'),
    check(`the key worked during the job (${duringJob})`, duringJob === '200'),
    check(`the key was rejected after it (${afterJob})`, afterJob === '401'),
    check(
      'no key of the job is left',
      keysAfter.every(({ id }) => known.has(id)),
    ),
    check('neither key was printed anywhere above', key !== '' && !wasSaid([account.longLivedKey, key])),
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
