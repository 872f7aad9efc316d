import type { Masker } from './masker.ts'

export interface Annotation {
  level: 'error' | 'warning' | 'notice'
  /** Shown as it is: the runner does not mask titles. */
  title?: string
  /** Masked. */
  message: string
}

export interface StepLog {
  /** Takes one line that the step printed, obeys it if it is a command, and shows what a person would see of it. */
  print(line: string): void
  /** Adds a line of the runner's own, masked. */
  note(line: string): void
  /** Adds an annotation of the runner's own. */
  annotate(annotation: Annotation): void
  shown(): string
  annotations(): Annotation[]
}

/** The log of one step. What is printed before a mask is set stays readable, as on the real runner. */
export function createStepLog(masker: Masker): StepLog {
  const lines: string[] = []
  const annotations: Annotation[] = []
  let resumeToken: string | undefined

  const note = (line: string) => void lines.push(masker.mask(line))
  const labels = { error: 'Error', warning: 'Warning', notice: 'Notice' }

  function annotate({ level, title, message }: Annotation) {
    annotations.push({ level, ...(title === undefined ? {} : { title }), message: masker.mask(message) })
    note(`${labels[level]}: ${message}`)
  }

  function addMask(value: string) {
    if (value.trim() === '')
      annotate({
        level: 'warning',
        message: "Can't add secret mask for empty string in ##[add-mask] command.",
      })
    else masker.add(value)
  }

  function print(line: string) {
    const command = parseCommand(line)
    if (resumeToken !== undefined) {
      if (command?.name === resumeToken) resumeToken = undefined
      return note(line)
    }
    switch (command?.name) {
      case 'add-mask':
        return addMask(command.data)
      case 'error':
      case 'warning':
      case 'notice': {
        const { title } = command.properties
        return annotate({
          level: command.name,
          ...(title === undefined ? {} : { title }),
          message: command.data,
        })
      }
      case 'group':
        return note(`▸ ${command.data}`)
      case 'stop-commands':
        resumeToken = command.data.toLowerCase()
        return note(line)
      case 'debug':
      case 'endgroup':
      case 'echo':
        return
      default:
        return note(line)
    }
  }

  return {
    print,
    note,
    annotate,
    shown: () => lines.map((line) => `${line}\n`).join(''),
    annotations: () => [...annotations],
  }
}

interface Command {
  name: string
  properties: Record<string, string>
  data: string
}

/** Reads `::name key=value,key=value::data`. Only white space may stand before it in its line. */
function parseCommand(line: string): Command | undefined {
  const match = /^\s*::([^ ]*?)(?: (.*?))?::(.*)$/s.exec(line)
  if (!match) return undefined
  const [, name = '', properties = '', data = ''] = match
  return { name: name.toLowerCase(), properties: parseProperties(properties), data: unescapeData(data) }
}

function parseProperties(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => /^\s*([^=]+)=(.+)$/s.exec(pair))
  return Object.fromEntries(
    pairs.flatMap((pair) => (pair ? [[pair[1], unescapeProperty(pair[2] ?? '')]] : [])),
  )
}

function unescapeData(text: string): string {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
}

function unescapeProperty(text: string): string {
  return unescapeData(text.replaceAll('%3A', ':').replaceAll('%2C', ','))
}

/** Cuts a stream into lines; a lone carriage return ends a line too, as it does for the runner. */
export function createLineReader(onLine: (line: string) => void): { push(chunk: string): void; end(): void } {
  let rest = ''
  return {
    push(chunk) {
      // A carriage return at the very end waits for what follows: it may be half of a line ending.
      const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop() ?? ''
      lines.forEach(onLine)
    },
    end() {
      if (rest !== '') onLine(rest.replace(/\r$/, ''))
      rest = ''
    },
  }
}
