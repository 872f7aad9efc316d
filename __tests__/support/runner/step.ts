import { type ChildProcess, spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { type CommandFile, createCommandFiles, type FilesLeft } from './command-files.ts'
import { type Folders, machineEnv, prependPath, type RunOptions, runnerEnv } from './environment.ts'
import type { Masker } from './masker.ts'
import { capture, exitOf, waitForText } from './process.ts'
import { type Annotation, createStepLog, type StepLog } from './step-log.ts'

export interface StepOptions {
  nodeArgs?: string[]
  /** The step's `env:`. */
  stepEnv?: Record<string, string>
  /** Command files that cannot be written. */
  brokenFiles?: CommandFile[]
  /** What the log calls the step. */
  name?: string
  /** Nothing reads what the step prints: writing it fails. */
  isLogClosed?: boolean
}

export interface StepResult {
  /** `failure` after an unsuccessful exit, and after a command or command file that could not be used. */
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
}

export interface RunningStep {
  child: ChildProcess
  done: Promise<StepResult>
  /** Sends a signal to the step's process, if it is still there. */
  signal(name: NodeJS.Signals): void
  /** Resolves once the step has printed the text; rejects if it ends without. */
  printed(text: string): Promise<void>
}

/** A step as the job asks for it. */
export interface Step {
  title: string
  header: string[]
  env: Record<string, string>
  file: string
  options: StepOptions
  /** Whether the log says how an unsuccessful step ended; it does for `run:` steps only. */
  reportsExit?: boolean
}

/** What the steps of one job share, and leave to each other. */
export interface JobContext {
  options: RunOptions & { env?: Record<string, string> }
  home: Folders
  masker: Masker
  /** What the steps so far wrote to `GITHUB_ENV` and `GITHUB_PATH`. */
  exported: Record<string, string>
  addedPath: string[]
  /** The log of each step, in order. */
  logs: (() => string)[]
}

/** Starts a step as a process with command files of its own, and reads what it leaves once it has ended. */
export function launch(context: JobContext, step: Step): RunningStep {
  const { home, masker, logs } = context
  const { nodeArgs = [], brokenFiles = [] } = step.options
  const files = createCommandFiles(join(home.files, String(logs.length + 1)), brokenFiles)
  const log = createStepLog(masker, context.options.debug)
  const header = createStepLog(masker)
  for (const line of [`▸ ${step.title}`, ...step.header]) header.note(line)
  logs.push(() => header.shown() + log.shown())

  const child = spawn(process.execPath, [...nodeArgs, step.file], {
    cwd: home.workspace,
    env: environment(context, step, files.variables),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stdout = capture(child.stdout, log.print)
  if (step.options.isLogClosed) child.stdout.destroy()
  const stderr = capture(child.stderr, log.print)

  async function finish(): Promise<StepResult> {
    const exit = await exitOf(child)
    for (const stream of [stdout, stderr]) stream.end()
    const left = files.read()
    takeOver(context, step, log, left, exit.exitCode ?? exit.signal)
    return {
      ...exit,
      ...resultOf(exit.exitCode, log, left, masker),
      stdout: stdout.text(),
      stderr: stderr.text(),
    }
  }

  return {
    child,
    done: finish(),
    signal: (name) => void child.kill(name),
    printed: (text) => waitForText(child, () => stdout.text() + stderr.text(), text),
  }
}

/** Later ones win: a variable from `GITHUB_ENV` cannot take the place of an input or of the runner's own. */
function environment(context: JobContext, step: Step, files: Record<string, string>): Record<string, string> {
  const { options, home, exported, addedPath } = context
  const machine = machineEnv(home)
  const env: Record<string, string> = { ...machine, ...options.env, ...exported, ...step.options.stepEnv }
  return {
    ...env,
    PATH: [...addedPath.toReversed(), env.PATH ?? machine.PATH].join(delimiter),
    ...runnerEnv(home, options),
    ...step.env,
    ...files,
  }
}

/** What an ended step leaves to the job, and what the runner says of it. */
function takeOver(context: JobContext, step: Step, log: StepLog, left: FilesLeft, exit: unknown): void {
  Object.assign(context.exported, left.env)
  prependPath(context.addedPath, left.path)
  for (const message of left.complaints) log.annotate({ level: 'error', message })
  for (const [name, value] of Object.entries(left.state))
    log.debug(`Save intra-action state ${name} = ${value}`)
  for (const [name, value] of Object.entries(left.outputs)) log.debug(`Set output ${name} = ${value}`)
  if (step.reportsExit && exit !== 0)
    log.annotate({ level: 'error', message: `Process completed with exit code ${exit}.` })
}

function resultOf(exitCode: number | null, log: StepLog, left: FilesLeft, masker: Masker) {
  const succeeded = exitCode === 0 && !left.failed && !log.failed()
  return {
    outcome: succeeded ? ('success' as const) : ('failure' as const),
    shown: log.shown(),
    outputs: { ...log.outputs(), ...left.outputs },
    state: { ...log.state(), ...left.state },
    env: left.env,
    summary: left.summary.split('\n').map(masker.mask).join('\n'),
    annotations: log.annotations(),
  }
}
