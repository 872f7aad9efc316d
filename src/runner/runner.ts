import { appendFileSync, closeSync, constants, fstatSync, openSync, truncateSync } from 'node:fs'
import { namingFile } from './command-files.ts'
import type { Runner } from './report.ts'
import { sanitizeLine, truncateAnnotation } from './sanitize.ts'

/** A test compares it with @actions/core. */
export const runner: Runner = {
  info: (text) => print(sanitizeLine(text)),
  warning: (text) => annotate('warning', text),
  setSecret: (secret) => command('add-mask', secret),
  setOutput: namingFile('GITHUB_OUTPUT', appendValue),
  exportVariable: namingFile('GITHUB_ENV', appendValue),
  saveState: namingFile('GITHUB_STATE', appendValue),
  writeSummary(markdown) {
    try {
      namingFile('GITHUB_STEP_SUMMARY', append)(`${markdown}\n`)
    } catch (error) {
      print(sanitizeLine(String(error)))
    }
  },
}

/** Trimmed; empty if not given. */
export function getInput(name: string): string {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim()
}

/** Empty if nothing was saved. */
export function getState(name: string): string {
  return process.env[`STATE_${name}`] ?? ''
}

/** `value` must not contain the delimiter. */
function appendValue(path: string, name: string, value: string): void {
  let delimiter = 'ghadelimiter'
  while (value.includes(delimiter)) delimiter += delimiter
  append(path, `${name}<<${delimiter}\n${value}\n${delimiter}\n`)
}

/** All of `text` or nothing: half an entry spoils the next one. Creates no file: the runner would not read it. */
function append(path: string, text: string): void {
  const file = openSync(path, constants.O_APPEND | constants.O_WRONLY)
  try {
    const before = fstatSync(file)
    try {
      appendFileSync(file, text)
    } catch (error) {
      // By path, as Windows refuses it for a file open for appending.
      if (before.isFile()) truncateSync(path, before.size)
      throw error
    }
  } finally {
    closeSync(file)
  }
}

/** Null unless debug logging is on. */
export function debugLog(): ((text: string) => void) | null {
  return process.env.RUNNER_DEBUG === '1' ? (text) => command('debug', sanitizeLine(text)) : null
}

/** The stack trace goes to the debug log. */
export function failStep(error: unknown): void {
  process.exitCode = 1
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error))
  // Errors thrown on purpose are plain Errors.
  annotate('error', name === 'Error' ? message : `Unexpected ${name}, please report it: ${message}`)
  for (const line of stack.split('\n')) debugLog()?.(line)
}

/** A text too long for one is also printed in full. */
function annotate(level: 'warning' | 'error', text: string): void {
  const line = sanitizeLine(text)
  const shown = truncateAnnotation(line)
  if (shown !== line) print(line)
  command(level, shown)
}

function command(name: string, data: string): void {
  print(`::${name}::${data.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
