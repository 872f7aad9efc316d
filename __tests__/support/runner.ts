import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readActionFile } from './runner/action-file.ts'
import type { CommandFile } from './runner/command-files.ts'
import { createFolders, inputEnv, type RunOptions, stateEnv } from './runner/environment.ts'
import { createMasker } from './runner/masker.ts'
import {
  type JobContext,
  launch,
  type RunningStep,
  type Step,
  type StepOptions,
  type StepResult,
} from './runner/step.ts'
import type { Annotation } from './runner/step-log.ts'

export type { Annotation, CommandFile, RunningStep, StepOptions, StepResult }

export interface JobOptions extends RunOptions {
  /** The `action.yml` to read entry points and defaults from; this repository's own unless told. */
  action?: string
  /** Entry points to run instead of those named in `action.yml`, or of the source's. */
  bundles?: { main: string; post: string }
  /** The job's `env:`. */
  env?: Record<string, string>
  /** What `GITHUB_EVENT_PATH` holds. */
  event?: object
  /** Values that the job masks from the start, as it does with `secrets.*`. */
  secrets?: string[]
  /** Inputs shown as `***` where the log lists a step's inputs. Only there: the action has to mask them itself. */
  secretInputs?: string[]
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
  /** The modules that the main and the post step run. */
  entries: { main: string; post: string }
  /** Every value masked so far. */
  masks(): string[]
  /** The log of all steps up to now, as a person sees it. */
  log(): string
  /** Ends what still runs, and removes the job's files. */
  cleanUp(): Promise<void>
}

const repository = fileURLToPath(new URL('../../', import.meta.url))
/** What the bundles are made from; Node strips the types itself. */
const SOURCE = { main: join(repository, 'src/main.ts'), post: join(repository, 'src/post.ts') }
/** Set by the Jest project that runs scenarios on the source; see jest.config.js. */
const { steps } = globalThis as { steps?: 'source' }

/**
 * A job on a stand-in for the GitHub runner: every step is a fresh process with command files of its own, masks
 * last for the whole job, and what main saved reaches post.
 */
export function createJob(options: JobOptions = {}): Job {
  const context = createContext(options)
  const running = createRegister()
  const run = (step: Step) => running.add(launch(context, step))
  const { entries, start, post } = createAction(options, context, run)
  return {
    main: (inputs, stepOptions) => start(inputs, stepOptions).done,
    start,
    script: (source, env, name) => run(scriptStep(context, source, env, name)).done,
    post,
    entries,
    masks: context.masker.values,
    log: () => context.logs.map((text) => text()).join('\n'),
    async cleanUp() {
      await running.end()
      // On Windows, a file stays in use for a moment after its process has ended.
      rmSync(context.home.root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The job's one use of the action. */
function createAction(
  options: JobOptions,
  context: JobContext,
  run: (step: Step) => RunningStep,
): Pick<Job, 'entries' | 'start' | 'post'> {
  const { defaults, ...declared } = readActionFile(options.action ?? join(repository, 'action.yml'))
  const entries = options.bundles ?? (steps === 'source' ? SOURCE : declared)
  let main: { inputs: Record<string, string>; step: RunningStep } | undefined
  return {
    entries,
    start(given, stepOptions = {}) {
      if (main)
        throw new Error('a job of this stand-in uses the action once; create another job for another use')
      const inputs = { ...defaults, ...given }
      const shown = { ...given, ...inputs }
      const step = run({
        title: stepOptions.name ?? 'Run spherescout-ephemeral-key',
        header: actionHeader(context, options.secretInputs ?? ['api-key'], shown, stepOptions.stepEnv),
        env: inputEnv(inputs),
        file: entries.main,
        options: stepOptions,
      })
      main = { inputs, step }
      return step
    },
    async post(given, stepOptions = {}) {
      if (!main) throw new Error('post is registered when main starts, and main was never started')
      const { state } = await main.step.done
      const inputs = given ? { ...defaults, ...given } : main.inputs
      return run({
        title: stepOptions.name ?? 'Post spherescout-ephemeral-key',
        header: ['Post job cleanup.'],
        env: { ...inputEnv(inputs), ...stateEnv(state) },
        file: entries.post,
        options: stepOptions,
      }).done
    },
  }
}

function createContext(options: JobOptions): JobContext {
  const masker = createMasker()
  for (const secret of options.secrets ?? []) masker.add(secret)
  const home = createFolders(options.event ?? {})
  return { options, home, masker, exported: {}, addedPath: [], logs: [] }
}

/** The steps that still run. */
function createRegister() {
  const running = new Map<RunningStep, Promise<unknown>>()
  return {
    add(step: RunningStep): RunningStep {
      const over = step.done.catch(() => undefined).then(() => running.delete(step))
      running.set(step, over)
      return step
    },
    async end(): Promise<void> {
      for (const step of running.keys()) step.signal('SIGKILL')
      await Promise.all(running.values())
    },
  }
}

function scriptStep(
  { home, logs, options, exported }: JobContext,
  source: string,
  env: Record<string, string> = {},
  name?: string,
): Step {
  const file = join(home.files, `step-${logs.length + 1}.mjs`)
  writeFileSync(file, source)
  return {
    title: name ?? `Run ${source.trimStart().split('\n', 1)[0]}`,
    header: listed('env:', { ...options.env, ...exported, ...env }),
    env: {},
    file,
    options: { stepEnv: env },
    reportsExit: true,
  }
}

function actionHeader(
  { options, exported }: JobContext,
  secretInputs: string[],
  inputs: Record<string, string>,
  stepEnv: Record<string, string> = {},
): string[] {
  const shown = Object.entries(inputs).map(([name, value]) => [
    name,
    secretInputs.includes(name) && value !== '' ? '***' : value,
  ])
  return [
    ...listed('with:', Object.fromEntries(shown)),
    ...listed('env:', { ...options.env, ...exported, ...stepEnv }),
  ]
}

function listed(title: string, values: Record<string, string>): string[] {
  const filled = Object.entries(values).filter(([, value]) => value !== '')
  return filled.length === 0 ? [] : [title, ...filled.map(([name, value]) => `  ${name}: ${value}`)]
}

/** Windows has no signals: kill() ends a process there, and no handler of its own sees it. */
export const HAS_SIGNALS = process.platform !== 'win32'

/** How long the runner waits after each signal of a cancellation. */
const TERMINATE_AFTER_MS = 7_500
const KILL_AFTER_MS = 2_500

/** Cancels a step as the runner does: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL. */
export async function cancel(step: Pick<RunningStep, 'signal' | 'done'>): Promise<StepResult> {
  step.signal('SIGINT')
  const terminate = setTimeout(() => step.signal('SIGTERM'), TERMINATE_AFTER_MS)
  const kill = setTimeout(() => step.signal('SIGKILL'), TERMINATE_AFTER_MS + KILL_AFTER_MS)
  try {
    return await step.done
  } finally {
    clearTimeout(terminate)
    clearTimeout(kill)
  }
}
