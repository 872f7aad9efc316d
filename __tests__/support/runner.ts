import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readActionFile } from './runner/action-file.ts'
import { type CommandFile, createCommandFiles } from './runner/command-files.ts'
import { createMasker } from './runner/masker.ts'
import { type Annotation, createLineReader, createStepLog } from './runner/step-log.ts'

export type { Annotation, CommandFile }

export interface JobOptions {
  /** The `action.yml` to read entry points and defaults from; this repository's own unless told. */
  action?: string
  /** Entry points to run instead of those named in `action.yml`, or of the source's. */
  bundles?: { main: string; post: string }
  /** The job's `env:`. */
  env?: Record<string, string>
  /** What `GITHUB_EVENT_PATH` holds. */
  event?: object
  eventName?: string
  actor?: string
  /** Values that the job masks from the start, as it does with `secrets.*`. */
  secrets?: string[]
  /** Inputs shown as `***` where the log lists a step's inputs. Only there: the action has to mask them itself. */
  secretInputs?: string[]
}

export interface StepOptions {
  /** A signal sent so many milliseconds after the process was started, unless it ended before. */
  kill?: { signal: NodeJS.Signals; afterMs: number }
  nodeArgs?: string[]
  /** The step's `env:`. */
  stepEnv?: Record<string, string>
  /** Command files that cannot be written. */
  brokenFiles?: CommandFile[]
  /** What the log calls the step. */
  name?: string
}

export interface StepResult {
  /** `failure` after an unsuccessful exit, and after a command file that could not be used. */
  outcome: 'success' | 'failure'
  exitCode: number | null
  signal: NodeJS.Signals | null
  /** As printed, commands and secrets included. */
  stdout: string
  stderr: string
  /** As a person sees it in the log: commands obeyed, secrets masked. */
  shown: string
  outputs: Record<string, string>
  state: Record<string, string>
  /** What the step wrote to `GITHUB_ENV`. */
  env: Record<string, string>
  /** Masked. */
  summary: string
  annotations: Annotation[]
  durationMs: number
}

export interface RunningStep {
  child: ChildProcess
  done: Promise<StepResult>
  /** Sends a signal to the step's process, if it is still there. */
  signal(name: NodeJS.Signals): void
  /** Resolves once the step has printed the text; rejects if it ends without. */
  printed(text: string): Promise<void>
}

export interface Job {
  /** Runs the action's main step to its end. */
  main(inputs: Record<string, string>, options?: StepOptions): Promise<StepResult>
  /** Starts the action's main step, for tests that decide themselves when to interfere. */
  start(inputs: Record<string, string>, options?: StepOptions): RunningStep
  /** Runs an ES module as a later step of the job, as `shell: node` would. */
  script(source: string, env?: Record<string, string>, name?: string): Promise<StepResult>
  /** Runs the action's post step, after main however it ended. Throws if main was never started. */
  post(inputs?: Record<string, string>, options?: StepOptions): Promise<StepResult>
  /** Every value masked so far. */
  masks(): string[]
  /** The log of all steps up to now, as a person sees it. */
  log(): string
  /** Ends what still runs, and removes the job's files. */
  cleanUp(): Promise<void>
}

interface Step {
  title: string
  header: string[]
  env: Record<string, string>
  file: string
  options: StepOptions
  /** Whether the log says how an unsuccessful step ended; it does for `run:` steps only. */
  reportsExit?: boolean
}

const repository = fileURLToPath(new URL('../../', import.meta.url))
/** What the bundles are made from; Node strips the types itself. */
const SOURCE = { main: join(repository, 'src/main.ts'), post: join(repository, 'src/post.ts') }
/** Set by the Jest project that runs every scenario on the source; see jest.config.js. */
const { steps } = globalThis as { steps?: 'source' }

/**
 * A job on a stand-in for the GitHub runner: every step is a fresh process with command files of its own, masks
 * last for the whole job, and what main saved reaches post.
 */
export function createJob(options: JobOptions = {}): Job {
  const { defaults, ...declared } = readActionFile(options.action ?? join(repository, 'action.yml'))
  const bundles = options.bundles ?? (steps === 'source' ? SOURCE : declared)
  const secretInputs = options.secretInputs ?? ['api-key']

  const home = createFolders(options.event ?? {})
  const masker = createMasker()
  for (const secret of options.secrets ?? []) masker.add(secret)

  const exported: Record<string, string> = {}
  const addedPath: string[] = []
  const logs: (() => string)[] = []
  const running = new Map<RunningStep, Promise<unknown>>()
  let stepCount = 0
  let main: { inputs: Record<string, string>; step: RunningStep } | undefined

  /** Later ones win: a variable from `GITHUB_ENV` cannot take the place of an input or of the runner's own. */
  function environment(step: Step, files: Record<string, string>): Record<string, string> {
    const machine = machineEnv(home)
    const env = { ...machine, ...options.env, ...exported, ...step.options.stepEnv }
    return {
      ...env,
      PATH: [...addedPath.toReversed(), env.PATH ?? machine.PATH].join(delimiter),
      ...runnerEnv(home, options),
      ...step.env,
      ...files,
    }
  }

  function launch(step: Step): RunningStep {
    const { kill, nodeArgs = [], brokenFiles = [] } = step.options
    const files = createCommandFiles(join(home.files, String(++stepCount)), brokenFiles)
    const log = createStepLog(masker)
    const header = createStepLog(masker)
    for (const line of [`▸ ${step.title}`, ...step.header]) header.note(line)
    logs.push(() => header.shown() + log.shown())

    const startedAt = performance.now()
    const child = spawn(process.execPath, [...nodeArgs, step.file], {
      cwd: home.workspace,
      env: environment(step, files.variables),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const stdout = capture(child.stdout, log.print)
    const stderr = capture(child.stderr, log.print)
    const killer = kill && setTimeout(() => child.kill(kill.signal), kill.afterMs)

    const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (...how) => resolve(how))
    })

    async function finish(): Promise<StepResult> {
      const [exitCode, signal] = await ended
      const durationMs = performance.now() - startedAt
      clearTimeout(killer)
      stdout.end()
      stderr.end()
      const left = files.read()
      Object.assign(exported, left.env)
      prependPath(addedPath, left.path)
      for (const message of left.complaints) log.annotate({ level: 'error', message })
      if (step.reportsExit && exitCode !== 0) {
        log.annotate({ level: 'error', message: `Process completed with exit code ${exitCode ?? signal}.` })
      }
      return {
        outcome: exitCode === 0 && !left.failed ? 'success' : 'failure',
        exitCode,
        signal,
        stdout: stdout.text(),
        stderr: stderr.text(),
        shown: log.shown(),
        outputs: left.outputs,
        state: left.state,
        env: left.env,
        summary: left.summary.split('\n').map(masker.mask).join('\n'),
        annotations: log.annotations(),
        durationMs,
      }
    }

    const done = finish()
    const runningStep: RunningStep = {
      child,
      done,
      signal: (name) => void child.kill(name),
      printed: (text) => waitForText(child, () => stdout.text() + stderr.text(), text),
    }
    running.set(
      runningStep,
      done.catch(() => undefined).then(() => running.delete(runningStep)),
    )
    return runningStep
  }

  function listed(title: string, values: Record<string, string>): string[] {
    const filled = Object.entries(values).filter(([, value]) => value !== '')
    return filled.length === 0 ? [] : [title, ...filled.map(([name, value]) => `  ${name}: ${value}`)]
  }

  function actionHeader(inputs: Record<string, string>, stepEnv: Record<string, string> = {}): string[] {
    const shown = Object.entries(inputs).map(([name, value]) => [
      name,
      secretInputs.includes(name) && value !== '' ? '***' : value,
    ])
    return [
      ...listed('with:', Object.fromEntries(shown)),
      ...listed('env:', { ...options.env, ...exported, ...stepEnv }),
    ]
  }

  function start(given: Record<string, string>, stepOptions: StepOptions = {}): RunningStep {
    if (main)
      throw new Error('a job of this stand-in uses the action once; create another job for another use')
    const inputs = { ...defaults, ...given }
    const step = launch({
      title: stepOptions.name ?? 'Run spherescout-ephemeral-key',
      header: actionHeader({ ...given, ...inputs }, stepOptions.stepEnv),
      env: inputEnv(inputs),
      file: bundles.main,
      options: stepOptions,
    })
    main = { inputs, step }
    return step
  }

  async function post(given?: Record<string, string>, stepOptions: StepOptions = {}): Promise<StepResult> {
    if (!main) throw new Error('post is registered when main starts, and main was never started')
    const { state } = await main.step.done
    const inputs = given ? { ...defaults, ...given } : main.inputs
    return launch({
      title: stepOptions.name ?? 'Post spherescout-ephemeral-key',
      header: ['Post job cleanup.'],
      env: { ...inputEnv(inputs), ...stateEnv(state) },
      file: bundles.post,
      options: stepOptions,
    }).done
  }

  function script(source: string, env: Record<string, string> = {}, name?: string): Promise<StepResult> {
    const file = join(home.files, `step-${stepCount + 1}.mjs`)
    writeFileSync(file, source)
    return launch({
      title: name ?? `Run ${source.trimStart().split('\n', 1)[0]}`,
      header: listed('env:', { ...options.env, ...exported, ...env }),
      env: {},
      file,
      options: { stepEnv: env },
      reportsExit: true,
    }).done
  }

  return {
    main: (inputs, stepOptions) => start(inputs, stepOptions).done,
    start,
    script,
    post,
    masks: masker.values,
    log: () => logs.map((text) => text()).join('\n'),
    async cleanUp() {
      for (const step of running.keys()) step.signal('SIGKILL')
      await Promise.all(running.values())
      // On Windows, a file stays in use for a moment after its process has ended.
      rmSync(home.root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Windows has no signals: kill() ends a process there, and no handler of its own sees it. */
export const HAS_SIGNALS = process.platform !== 'win32'

/** How long the runner waits after each signal of a cancellation. */
const cancellation = { terminateAfterMs: 7_500, killAfterMs: 2_500 }

/** Cancels a step as the runner does: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL. */
export async function cancel(step: RunningStep): Promise<StepResult> {
  step.signal('SIGINT')
  const terminate = setTimeout(() => step.signal('SIGTERM'), cancellation.terminateAfterMs)
  const kill = setTimeout(
    () => step.signal('SIGKILL'),
    cancellation.terminateAfterMs + cancellation.killAfterMs,
  )
  try {
    return await step.done
  } finally {
    clearTimeout(terminate)
    clearTimeout(kill)
  }
}

type Folders = ReturnType<typeof createFolders>

function createFolders(event: object) {
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
function machineEnv({ home, temp }: Folders): Record<string, string> {
  const { PATH = '', SystemRoot } = process.env
  return { PATH, HOME: home, TEMP: temp, ...(SystemRoot === undefined ? {} : { SystemRoot }) }
}

const systems: Record<string, string> = { linux: 'Linux', darwin: 'macOS', win32: 'Windows' }

function runnerEnv({ eventFile, temp, workspace }: Folders, options: JobOptions): Record<string, string> {
  const actor = options.actor ?? 'octocat'
  return {
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: '__self',
    GITHUB_ACTOR: actor,
    GITHUB_TRIGGERING_ACTOR: actor,
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_GRAPHQL_URL: 'https://api.github.com/graphql',
    GITHUB_EVENT_NAME: options.eventName ?? 'push',
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
  }
}

function inputEnv(inputs: Record<string, string>): Record<string, string> {
  const variable = (name: string) => `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [variable(name), value]))
}

function stateEnv(state: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]))
}

function prependPath(added: string[], folders: string[]) {
  for (const folder of folders) {
    if (added.includes(folder)) added.splice(added.indexOf(folder), 1)
    added.push(folder)
  }
}

function capture(stream: NodeJS.ReadableStream, onLine: (line: string) => void) {
  const lines = createLineReader(onLine)
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    text += chunk
    lines.push(chunk)
  })
  return { text: () => text, end: lines.end }
}

function waitForText(child: ChildProcess, printed: () => string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => printed().includes(text) && resolve()
    const ended = () => reject(new Error(`the step ended without printing '${text}'`))
    child.stdout?.on('data', check)
    child.stderr?.on('data', check)
    child.once('close', ended)
    if (!check() && (child.exitCode !== null || child.signalCode !== null)) ended()
  })
}
