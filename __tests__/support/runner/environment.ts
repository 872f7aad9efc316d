import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where a job keeps its files. */
export type Folders = ReturnType<typeof createFolders>

/** The folders of a new job, with `event` where `GITHUB_EVENT_PATH` leads. */
export function createFolders(event: object) {
  const root = mkdtempSync(join(tmpdir(), 'job-'))
  const folder = (name: string) => {
    mkdirSync(join(root, name))
    return join(root, name)
  }
  const files = folder('files')
  const eventFile = join(files, 'event.json')
  writeFileSync(eventFile, JSON.stringify(event))
  return {
    root,
    files,
    eventFile,
    home: folder('home'),
    temp: folder('temp'),
    workspace: folder('workspace'),
  }
}

/** Nothing of the machine but what a process needs to start, so that no test depends on who runs it. */
export function machineEnv({ home, temp }: Folders): Record<string, string> & { PATH: string } {
  const { PATH = '', SystemRoot } = process.env
  return { PATH, HOME: home, TEMP: temp, ...(SystemRoot === undefined ? {} : { SystemRoot }) }
}

const systems: Record<string, string> = { linux: 'Linux', darwin: 'macOS', win32: 'Windows' }

/** The variables that the runner itself sets. */
export function runnerEnv(
  { eventFile, temp, workspace }: Folders,
  { actor = 'octocat', eventName = 'push', debug = false }: RunOptions,
): Record<string, string> {
  return {
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: '__self',
    GITHUB_ACTOR: actor,
    GITHUB_TRIGGERING_ACTOR: actor,
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_GRAPHQL_URL: 'https://api.github.com/graphql',
    GITHUB_EVENT_NAME: eventName,
    GITHUB_EVENT_PATH: eventFile,
    GITHUB_JOB: 'build',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_REF_NAME: 'main',
    GITHUB_REF_TYPE: 'branch',
    GITHUB_REPOSITORY: 'octo-org/octo-repo',
    GITHUB_REPOSITORY_OWNER: 'octo-org',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_RUN_ID: '1234567890',
    GITHUB_RUN_NUMBER: '7',
    GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
    GITHUB_WORKFLOW: 'build',
    GITHUB_WORKSPACE: workspace,
    RUNNER_ARCH: process.arch.toUpperCase(),
    RUNNER_ENVIRONMENT: 'github-hosted',
    RUNNER_NAME: 'stand-in',
    RUNNER_OS: systems[process.platform] ?? process.platform,
    RUNNER_TEMP: temp,
    ...(debug ? { RUNNER_DEBUG: '1' } : {}),
  }
}

/** Who runs a workflow, and why. */
export interface RunOptions {
  eventName?: string
  actor?: string
  /** Debug logging, as a person turns it on for a run. */
  debug?: boolean
}

/** The variables in which a step finds its inputs. */
export function inputEnv(inputs: Record<string, string>): Record<string, string> {
  const variable = (name: string) => `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [variable(name), value]))
}

/** The variables in which post finds what main saved. */
export function stateEnv(state: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]))
}

/** Adds folders to those that are searched first; one that is there already moves to the end. */
export function prependPath(added: string[], folders: string[]): void {
  for (const folder of folders) {
    if (added.includes(folder)) added.splice(added.indexOf(folder), 1)
    added.push(folder)
  }
}
