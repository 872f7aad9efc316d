import type { Runner } from '../../src/runner/runner.ts'

/** A simulated process was killed: nothing that it does from here on has any effect. */
export class Killed extends Error {}

/** One simulated process, which may be killed before any of its effects. */
export interface Process {
  readonly alive: boolean
  readonly died: Promise<void>
  kill(): void
  /** Called before each effect; throws Killed if the process was killed, or is killed at this effect. */
  effect(): void
}

/** A process that dies before its effect number `killAt` (never, if infinite); `onEffect` sees every number. */
export function startProcess(killAt: number, onEffect: (count: number) => void): Process {
  let alive = true
  let count = 0
  let died = () => {}
  const death = new Promise<void>((resolve) => {
    died = resolve
  })
  const kill = () => {
    alive = false
    died()
  }
  return {
    get alive() {
      return alive
    },
    died: death,
    kill,
    effect() {
      if (alive) {
        count += 1
        if (count >= killAt) kill()
        else onEffect(count)
      }
      if (!alive) throw new Killed()
    },
  }
}

/** What a step left with the runner. */
export interface StepRecord {
  state: Record<string, string>
  outputs: Record<string, string>
  masks: string[]
  /** Everything that a person can read: log lines, warnings, the summary, the error that ended the step. */
  printed: string[]
  warnings: string[]
  /** Outputs and variables that were set before their value was masked. */
  unmasked: string[]
}

/** Records what a step does. Its call named `failing` throws `failingTimes` times, from its `failingFrom`-th on. */
export function recordRunner(
  process: Process,
  failing: string,
  failingFrom: number,
  failingTimes = Infinity,
): { runner: Runner; traces: StepRecord } {
  const traces: StepRecord = { state: {}, outputs: {}, masks: [], printed: [], warnings: [], unmasked: [] }
  let calls = 0
  const attempt = (name: string) => {
    process.effect()
    if (name !== failing) return
    calls += 1
    if (calls >= failingFrom && calls < failingFrom + failingTimes)
      throw new Error(`ENOSPC: no space left on device, ${name}`)
  }
  return { runner: { ...recordLog(process, traces), ...recordFiles(attempt, traces) }, traces }
}

/** The calls that write to the log. */
function recordLog(process: Process, traces: StepRecord): Pick<Runner, 'info' | 'warning' | 'setSecret'> {
  return {
    info(message) {
      process.effect()
      traces.printed.push(message)
    },
    warning(message) {
      process.effect()
      traces.printed.push(String(message))
      traces.warnings.push(String(message))
    },
    setSecret(secret) {
      process.effect()
      traces.masks.push(secret)
    },
  }
}

/** The calls that write to command files, and so may fail. */
function recordFiles(
  attempt: (name: string) => void,
  traces: StepRecord,
): Pick<Runner, 'setOutput' | 'exportVariable' | 'saveState' | 'writeSummary'> {
  const setValue = (name: string, value: string) => {
    if (/key$/i.test(name) && !traces.masks.includes(value)) traces.unmasked.push(name)
    traces.outputs[name] = value
  }
  return {
    setOutput(name, value) {
      attempt('setOutput')
      setValue(name, String(value))
    },
    exportVariable(name, value) {
      attempt('exportVariable')
      setValue(name, String(value))
    },
    saveState(name, value) {
      attempt('saveState')
      traces.state[name] = String(value)
    },
    writeSummary(markdown) {
      traces.printed.push(markdown)
    },
  }
}
