import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/** Where a question is asked. Aborting `stop` answers it with no. */
export interface Terminal {
  input: Readable & { isTTY?: boolean }
  output: Writable
  stop: AbortSignal
}

/**
 * Asks once. True only for y or yes and Enter; any other line, Ctrl-C, Ctrl-D and `stop` mean no. Throws an Error where
 * the input is no terminal, because then no one can answer.
 */
export async function confirm(question: string, { input, output, stop }: Terminal): Promise<boolean> {
  if (!input.isTTY) throw new Error('This is not a terminal, so it cannot ask. Run it with --yes to go ahead.')
  if (stop.aborted) return false
  const terminal = createInterface({ input, output })
  const close = () => terminal.close()
  stop.addEventListener('abort', close)
  try {
    return await new Promise<boolean>((resolve) => {
      terminal.question(`${question} [y/N] `, (answer) => resolve(/^y(es)?$/i.test(answer.trim())))
      terminal.once('close', () => {
        output.write('\n')
        resolve(false)
      })
    })
  } finally {
    stop.removeEventListener('abort', close)
    terminal.removeAllListeners('close')
    close()
  }
}
