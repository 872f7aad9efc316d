import type { Job } from './job.ts'
import { networkFor } from './network.ts'
import { type Process, recordRunner, type StepRecord, startProcess } from './process.ts'
import type { Rng } from './rng.ts'
import { clockOn } from './time.ts'
import { API_URL, START } from './world.ts'

/** When main is killed or cancelled: before its effect of this number, or after so many ms. Infinite for never. */
export interface Interruption {
  killAt: number
  killAfter: number
  signalAt: number
  signalAfter: number
}

export const UNINTERRUPTED: Interruption = {
  killAt: Infinity,
  killAfter: Infinity,
  signalAt: Infinity,
  signalAfter: Infinity,
}

export function isUninterrupted(interruption: Interruption): boolean {
  return Object.values(interruption).every((at) => at === Infinity)
}

export function chooseInterruption(rng: Rng): Interruption {
  const effect = (probability: number) =>
    rng.chance(probability) ? 1 + Math.floor(rng.between(0, 16)) : Infinity
  const moment = (probability: number) => (rng.chance(probability) ? rng.between(0, 15_000) : Infinity)
  return { killAt: effect(0.25), killAfter: moment(0.08), signalAt: effect(0.12), signalAfter: moment(0.08) }
}

export interface MainRun {
  traces: StepRecord
  /** Not killed: it ended by itself, successfully or not. */
  endedByItself: boolean
  succeeded: boolean
  /** What it failed with. */
  error: Error | null
  signalled: boolean
  tookMs: number
  /** The key that the workflow asked to keep, once it was handed over and the record says so. */
  kept: string | null
}

/** Runs the main step until it ends or is killed. */
export async function runMain(job: Job): Promise<MainRun> {
  const { world, time, rng, interruption, count, violation } = job
  const { killAt, killAfter, signalAt, signalAfter } = interruption
  const startedAt = time.now()
  let over = false
  const process = startProcess(killAt, (effects) => effects === signalAt && signals.send())
  job.killMain = process.kill
  const clock = clockOn(time, world.clockError, () => process.alive)
  const cancellation = job.subject.createCancellation(clock.now)
  const signals = signalsTo(job, process, cancellation.request, () => over)
  const { runner, traces } = recordRunner(process, world.failing, 1 + Math.floor(rng.between(0, 5)))
  if (signalAfter !== Infinity) time.after(signalAfter, signals.send)
  if (killAfter !== Infinity) time.after(killAfter, () => !over && process.kill())

  let error: Error | null = null
  const run = issue(job, process, { clock, cancellation, runner }).catch((reason: Error) => {
    error = reason
  })
  const ended = await time.runUntil(Promise.race([run, process.died]))
  over = true
  const endedByItself = process.alive
  if (!process.alive) count('main killed')
  if (!ended) violation('main never ended')
  process.kill()
  const succeeded = endedByItself && error === null
  if (endedByItself && error !== null) traces.printed.push((error as Error).message)
  if (succeeded && (signals.sentAt() ?? Infinity) < time.now()) violation('main was cancelled and succeeded')
  return {
    traces,
    endedByItself,
    succeeded,
    error: endedByItself ? error : null,
    signalled: signals.sentAt() !== null,
    tookMs: time.now() - startedAt,
    kept: keptKey(job, traces),
  }
}

/** Cancels main once, as the runner does, and ends it where it has not ended by itself in time. */
function signalsTo(job: Job, process: Process, cancel: () => void, over: () => boolean) {
  const { time, count, violation, subject } = job
  let sentAt: number | null = null
  return {
    sentAt: () => sentAt,
    send() {
      if (sentAt !== null || over()) return
      count('signal')
      sentAt = time.now()
      cancel()
      time.after(subject.CANCEL.EXIT_MS, () => {
        if (!over() && process.alive) violation('main had not ended 7 s after the signal')
        process.kill()
      })
    },
  }
}

type Means = Pick<Parameters<Job['subject']['issueKey']>[1], 'clock' | 'cancellation' | 'runner'>

function issue(job: Job, process: Process, means: Means): Promise<void> {
  const { subject, world, account, rng } = job
  const client = networkFor(process, subject, job.network('main'))
  const apiKey = world.credential === 'jwt' ? account.jwt : account.longLivedKey
  return subject.issueKey(
    { ...world.inputs, apiKey },
    {
      ...means,
      api: subject.createKeyApi({ client, apiUrl: API_URL, userAgent: 'simulation', now: means.clock.now }),
      random: rng.roll,
      settings: world.settings.main,
      bootedAt: START + world.clockError,
    },
  )
}

function keptKey({ world }: Job, { state, outputs }: StepRecord): string | null {
  return world.inputs.revoke || !state.record?.includes('"keep":true') ? null : (outputs.key ?? null)
}
