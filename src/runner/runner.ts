import { appendFileSync, closeSync, constants, openSync } from 'node:fs'
import { namingFile } from './command-files.ts'
import type { Runner } from './report.ts'
import { sanitizeLine, truncateAnnotation } from './sanitize.ts'

/**
 * The real runner. Whatever it prints, and whoever wrote it, is one line that the runner does not obey. It does what the
 * toolkit (@actions/core) does in a tenth of the bytes and without loading node:crypto; a test compares the two.
 */
export const runner: Runner = {
  info: (text) => print(sanitizeLine(text)),
  warning: (text) => annotate('warning', text),
  setSecret: (secret) => command('add-mask', secret),
  setOutput: namingFile('GITHUB_OUTPUT', appendValue),
  exportVariable: namingFile('GITHUB_ENV', appendValue),
  saveState: namingFile('GITHUB_STATE', appendValue),
  writeSummary: namingFile('GITHUB_STEP_SUMMARY', (path, markdown) => append(path, `${markdown}\n`)),
}

/** An input, trimmed; empty if it is not given. */
export function getInput(name: string): string {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim()
}

/** What the main step saved under `name`; empty if nothing. */
export function getState(name: string): string {
  return process.env[`STATE_${name}`] ?? ''
}

/** Adds `name` to one of the runner's files, with a delimiter that no line of `value` can be taken for. */
function appendValue(path: string, name: string, value: string): void {
  let delimiter = 'ghadelimiter'
  while (value.includes(delimiter)) delimiter += delimiter
  append(path, `${name}<<${delimiter}\n${value}\n${delimiter}\n`)
}

/** Throws if there is no such file: one that this process creates is not the one that the runner reads. */
function append(path: string, text: string): void {
  const file = openSync(path, constants.O_APPEND | constants.O_WRONLY)
  try {
    appendFileSync(file, text)
  } finally {
    closeSync(file)
  }
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
function annotate(level: 'warning' | 'error', text: string): void {
  const line = sanitizeLine(text)
  const shown = truncateAnnotation(line)
  if (shown !== line) print(line)
  command(level, shown)
}

/** Gives the runner a command; `data` is escaped to one line. */
function command(name: string, data: string): void {
  print(`::${name}::${data.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
