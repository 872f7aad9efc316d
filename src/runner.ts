import { exportVariable, info, saveState, setOutput, setSecret, summary, warning } from '@actions/core'
import type { Runner } from './report.ts'

/** The real runner. Imported by name, so that the bundle holds no more of the toolkit than this. */
export const runner: Runner = {
  info,
  warning,
  setSecret,
  setOutput,
  exportVariable,
  saveState,
  summarise: async (markdown) => {
    await summary.addRaw(markdown, true).write()
  },
}
