import type { ChildProcess } from 'node:child_process'
import { createLineReader } from './step-log.ts'

/** How a process ended. */
export interface Exit {
  exitCode: number | null
  signal: NodeJS.Signals | null
}

/** Resolves once the process has ended and all that it printed has been read. */
export function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }))
  })
}

/** Keeps what a stream carries, and hands it on line by line. */
export function capture(stream: NodeJS.ReadableStream, onLine: (line: string) => void) {
  const lines = createLineReader(onLine)
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    text += chunk
    lines.push(chunk)
  })
  return { text: () => text, end: lines.end }
}

/** Resolves once `text` is in what was printed; rejects where the process ends without. */
export function waitForText(child: ChildProcess, printed: () => string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => printed().includes(text) && resolve()
    const ended = () => reject(new Error(`the step ended without printing '${text}'`))
    child.stdout?.on('data', check)
    child.stderr?.on('data', check)
    child.once('close', ended)
    if (!check() && (child.exitCode !== null || child.signalCode !== null)) ended()
  })
}
