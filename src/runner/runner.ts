import { appendFileSync, statSync, truncateSync, writeSync } from 'node:fs'
import type { Printable, Secret } from '../util/brands.ts'
import { sanitizeLine } from './sanitize.ts'

/** What the steps use of the runner. A test compares it with @actions/core. */
export const runner = {
  info: (text: Printable): void => print(sanitizeLine(text)),
  warning: (text: Printable): void => annotate('warning', text),
  /** Throws if the log cannot be written: no key is handed on without a mask. */
  setSecret: (secret: Secret): void => write(command('add-mask', secret)),
  /** This and the next two throw an Error if the runner's file cannot be written. */
  setOutput: (name: string, value: string): void => append('GITHUB_OUTPUT', entry(name, value)),
  exportVariable: (name: string, value: string): void => append('GITHUB_ENV', entry(name, value)),
  saveState: (name: string, value: string): void => append('GITHUB_STATE', entry(name, value)),
  /** Adds Markdown to the job summary. Never throws: the log says the same. */
  writeSummary(markdown: string): void {
    try {
      append('GITHUB_STEP_SUMMARY', `${markdown}\n`)
    } catch (error) {
      print(sanitizeLine(String(error)))
    }
  },
}

export type Runner = typeof runner

/** Trimmed; empty if not given. */
export function getInput(name: string): string {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim()
}

/** Empty if nothing was saved. */
export function getState(name: string): string {
  return process.env[`STATE_${name}`] ?? ''
}

/** `value` must not contain the delimiter. */
function entry(name: string, value: string): string {
  let delimiter = 'ghadelimiter'
  while (value.includes(delimiter)) delimiter += delimiter
  return `${name}<<${delimiter}\n${value}\n${delimiter}\n`
}

const LOSSES = {
  GITHUB_STATE: 'the post step could not revoke the key',
  GITHUB_OUTPUT: 'later steps get no outputs',
  GITHUB_ENV: 'export-env could not be set',
  GITHUB_STEP_SUMMARY: 'the job summary is missing',
}

/** All of `text` or nothing: half an entry spoils the next one. Creates no file: no one would read it. */
function append(variable: keyof typeof LOSSES, text: string): void {
  const path = process.env[variable] || '(not set)'
  try {
    const before = statSync(path)
    try {
      appendFileSync(path, text)
    } catch (error) {
      if (before.isFile()) truncateSync(path, before.size)
      throw error
    }
  } catch (error) {
    throw new Error(
      `Could not write the file ${variable} (${(error as Error).message}), so ${LOSSES[variable]}. ` +
        "Check the disk space and the permissions of the runner's temporary folder.",
    )
  }
}

/** Null unless debug logging is on. */
export function debugLog(): ((text: string) => void) | null {
  return process.env.RUNNER_DEBUG === '1' ? (text) => print(command('debug', sanitizeLine(text))) : null
}

/** The stack trace goes to the debug log. */
export function failStep(error: unknown): void {
  process.exitCode = 1
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error))
  // Errors thrown on purpose are plain Errors.
  annotate('error', name === 'Error' ? message : `Unexpected ${name}, please report it: ${message}`)
  for (const line of stack.split('\n')) debugLog()?.(line)
}

/** The runner silently cuts at 4,096 characters. */
const MAX_ANNOTATION_LENGTH = 4_000
const CUT_NOTE = '... (truncated; the full text is in the log of this step)'

/** A text too long for one is also printed in full. */
function annotate(level: 'warning' | 'error', text: string): void {
  const line = sanitizeLine(text)
  const isTooLong = line.length > MAX_ANNOTATION_LENGTH
  if (isTooLong) print(line)
  print(command(level, isTooLong ? line.slice(0, MAX_ANNOTATION_LENGTH - CUT_NOTE.length) + CUT_NOTE : line))
}

function command(name: string, data: string): string {
  return `::${name}::${data.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')}`
}

/** A closed log stops nothing. */
function print(line: string): void {
  try {
    write(line)
  } catch {}
}

/** Waits while the pipe is full. Starts sooner than `process.stdout`. */
function write(line: string): void {
  for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
