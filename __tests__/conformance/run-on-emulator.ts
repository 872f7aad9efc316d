import { checkConformance, type RunResult } from '../../conformance/run.ts'
import { type Emulator, type EmulatorOptions, type Fault, startEmulator } from '../support/emulator.ts'

export interface EmulatorRun {
  emulator: Emulator
  printed: string
  /** Null if the run could not begin; `printed` then ends with the reason. */
  result: RunResult | null
}

/** One run against an emulator, in a time that passes only while the run waits. */
export async function runOnEmulator(options: EmulatorOptions, faults: Fault[] = []): Promise<EmulatorRun> {
  const clock = { now: Date.parse('2027-03-01T12:00:00.250Z') }
  const emulator = await startEmulator({ now: () => clock.now, ...options })
  for (const fault of faults) emulator.fault(fault)
  const lines: string[] = []
  try {
    const result = await checkConformance({
      apiUrl: emulator.url,
      apiKey: emulator.account.longLivedKey,
      fetch: globalThis.fetch,
      now: () => clock.now,
      sleep: async (ms) => {
        clock.now += ms
      },
      stop: new AbortController().signal,
      print: (text) => lines.push(text),
    }).catch((error: Error) => {
      lines.push(error.message)
      return null
    })
    return { result, emulator, printed: lines.join('\n') }
  } finally {
    await emulator.close()
  }
}
