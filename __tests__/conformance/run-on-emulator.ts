import { checkConformance, type RunResult } from '../../conformance/run.ts'
import type { Account, ApiRequest, ApiResponse } from '../support/account.ts'
import { type Emulator, type EmulatorOptions, type Fault, startEmulator } from '../support/emulator.ts'

export interface EmulatorRun {
  emulator: Emulator
  printed: string
  /** Null if the run could not begin; `printed` then ends with the reason. */
  result: RunResult | null
}

/** What stands between the run and the API: answers a request, with the API's help or without. */
export type Through = (request: ApiRequest, api: Account['handle']) => ApiResponse

/** What else a run meets. */
export interface Surroundings {
  through?: Through
  /** What the run reads the list and creates keys with; the account's long-lived key by default. */
  apiKey?: (account: Account) => string
  /** Called when the run waits. */
  atSleep?: () => void
}

/** One run against an emulator, in a time that passes only while the run waits. */
export async function runOnEmulator(
  options: EmulatorOptions,
  faults: Fault[] = [],
  { through, apiKey = ({ longLivedKey }) => longLivedKey, atSleep }: Surroundings = {},
): Promise<EmulatorRun> {
  const clock = { now: Date.parse('2027-03-01T12:00:00.250Z') }
  const emulator = await startEmulator({ now: () => clock.now, ...options })
  for (const fault of faults) emulator.fault(fault)
  const { account } = emulator
  const api = account.handle
  if (through) account.handle = (request) => through(request, api)
  const lines: string[] = []
  try {
    const result = await checkConformance({
      apiUrl: emulator.url,
      apiKey: apiKey(account),
      fetch: globalThis.fetch,
      now: () => clock.now,
      sleep: async (ms) => {
        clock.now += ms
        atSleep?.()
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
