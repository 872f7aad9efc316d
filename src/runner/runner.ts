import { appendFileSync } from 'node:fs'
import { exportVariable, info, saveState, setOutput, setSecret, warning } from '@actions/core'
import type { Runner } from './report.ts'

/**
 * The real runner. Of the toolkit's builder of summaries, which is five times the size of all this, no more is needed
 * than an append.
 */
export const runner: Runner = {
  info,
  warning,
  setSecret,
  setOutput,
  exportVariable,
  saveState,
  writeSummary(markdown) {
    appendFileSync(process.env.GITHUB_STEP_SUMMARY ?? '', `${markdown}\n`)
  },
}
