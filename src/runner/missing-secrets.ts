import { readFileSync, statSync } from 'node:fs'
import { field } from '../api/parse-response.ts'

/** What a workflow run says about itself; `payload` is what the event file holds, whatever that is. */
export interface RunContext {
  eventName: string
  actor: string
  payload: unknown
}

/** Never throws: an unusable event file counts as empty. */
export function readRunContext(env: NodeJS.ProcessEnv): RunContext {
  const { GITHUB_EVENT_NAME: eventName = '', GITHUB_ACTOR: actor = '', GITHUB_EVENT_PATH: path = '' } = env
  let payload: unknown = null
  try {
    if (statSync(path).isFile()) payload = JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
  } catch {
    // The file only helps to explain an empty secret.
  }
  return { eventName, actor, payload }
}

/** Why GitHub gave this run no secrets, or null if it should have. */
export function explainMissingSecrets({ eventName, actor, payload }: RunContext): string | null {
  if (actor === 'dependabot[bot]')
    return 'Dependabot started this run, and GitHub gives such runs only Dependabot secrets; define it as a Dependabot secret, or skip this job.'
  const head = field(payload, 'pull_request', 'head')
  const source = field(head, 'repo', 'full_name')
  const target = field(payload, 'pull_request', 'base', 'repo', 'full_name')
  if (/^pull_request(_review(_comment)?)?$/.test(eventName) && head !== undefined && source !== target)
    return 'This is a pull request from a fork, and GitHub gives such runs no secrets; skip this job for forks.'
  return null
}
