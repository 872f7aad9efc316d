import { appendFileSync } from 'node:fs'
import { exportVariable, info, saveState, setOutput, setSecret, warning } from '@actions/core'
import type { Runner } from './report.ts'

/**
 * The real runner. Imported by name, so that the bundle holds no more of the toolkit than this; its builder of
 * summaries is five times the size of what is left, and all that is needed of it is this append.
 */
export const runner: Runner = {
  info,
  warning,
  setSecret,
  setOutput,
  exportVariable,
  saveState,
  summarise(markdown) {
    appendFileSync(process.env.GITHUB_STEP_SUMMARY ?? '', `${markdown}\n`)
  },
}
