import { appendFileSync } from 'node:fs'
import * as core from '@actions/core'
import { namingFile } from './command-files.ts'
import type { Runner } from './report.ts'
import { sanitizeLine, truncateAnnotation } from './sanitize.ts'

/**
 * The real runner. Whatever it prints, and whoever wrote it, is one line that the runner does not obey. Values go to the
 * runner's files as the toolkit writes them.
 */
export const runner: Runner = {
  info: (text) => print(sanitizeLine(text)),
  warning: (text) => annotate('warning', text),
  setSecret: core.setSecret,
  setOutput: namingFile('GITHUB_OUTPUT', core.setOutput),
  exportVariable: namingFile('GITHUB_ENV', core.exportVariable),
  saveState: namingFile('GITHUB_STATE', core.saveState),
  writeSummary: namingFile('GITHUB_STEP_SUMMARY', (markdown) =>
    appendFileSync(process.env.GITHUB_STEP_SUMMARY ?? '', `${markdown}\n`),
  ),
}

/** Prints a debug line; null unless debug logging is on, so that no one prepares lines for nothing. */
export function debugLog(): ((text: string) => void) | null {
  return process.env.RUNNER_DEBUG === '1' ? (text) => command('debug', sanitizeLine(text)) : null
}

/** Fails the step with one error annotation. The stack trace goes to the debug log. */
export function failStep(error: unknown): void {
  process.exitCode = 1
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error))
  // Every error that this action throws on purpose is a plain Error.
  annotate('error', name === 'Error' ? message : `Unexpected ${name}, please report it: ${message}`)
  for (const line of stack.split('\n')) debugLog()?.(line)
}

/** Prints an annotation; a text that is too long for one also goes to the log in full. */
function annotate(level: 'warning' | 'error', text: string | Error): void {
  const line = sanitizeLine(String(text))
  const shown = truncateAnnotation(line)
  if (shown !== line) print(line)
  command(level, shown)
}

/** One of the runner's commands; `line` is a single line. */
function command(name: string, line: string): void {
  print(`::${name}::${line.replaceAll('%', '%25')}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
