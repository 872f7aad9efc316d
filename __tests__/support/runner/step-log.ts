import { type Command, parseCommand } from './command.ts'
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
  /** Adds a line of the runner's own that shows only with debug logging, masked. */
  debug(line: string): void
  /** Adds an annotation of the runner's own. */
  annotate(annotation: Annotation): void
  shown(): string
  annotations(): Annotation[]
  /** What `set-output` and `save-state` commands set. */
  outputs(): Record<string, string>
  state(): Record<string, string>
  /** Whether a command failed the step. */
  failed(): boolean
}

/** What a command does. `line` is the whole line that it stood in. */
type Handler = (command: Command, line: string) => void

/** The runner cuts an annotation here, in the log as well. */
const MAX_ANNOTATION_LENGTH = 4_096
const LABELS = { error: 'Error', warning: 'Warning', notice: 'Notice' }

/**
 * The log of one step. What is printed before a mask is set stays readable, as on the real runner. `debugLogging` is
 * what a person turns on to see debug lines.
 */
export function createStepLog(masker: Masker, debugLogging = false): StepLog {
  const page = createPage(masker, debugLogging)
  const values: CommandValues = { outputs: {}, state: {}, failed: false }
  const handlers = { ...annotationHandlers(page, masker), ...valueHandlers(page, values) }
  return {
    print: createObeyer(handlers, page.note),
    note: page.note,
    debug: page.debug,
    annotate: page.annotate,
    shown: () => page.lines.map((line) => `${line}\n`).join(''),
    annotations: () => [...page.annotations],
    outputs: () => ({ ...values.outputs }),
    state: () => ({ ...values.state }),
    failed: () => values.failed,
  }
}

/** What a person sees of a step. */
function createPage(masker: Masker, debugLogging: boolean) {
  const lines: string[] = []
  const annotations: Annotation[] = []
  const note = (line: string) => void lines.push(masker.mask(line))
  return {
    lines,
    annotations,
    note,
    debug(text: string) {
      if (debugLogging) for (const line of text.split('\n')) note(`##[debug]${line}`)
    },
    annotate({ level, title, message }: Annotation) {
      const shown = masker.mask(message).slice(0, MAX_ANNOTATION_LENGTH)
      annotations.push({ level, ...(title === undefined ? {} : { title }), message: shown })
      note(`${LABELS[level]}: ${shown}`)
    },
  }
}

type Page = ReturnType<typeof createPage>

/** The commands that change what is shown. */
function annotationHandlers(page: Page, masker: Masker): Record<string, Handler> {
  const annotateAs =
    (level: Annotation['level']): Handler =>
    ({ properties: { title }, data }) =>
      page.annotate({ level, ...(title === undefined ? {} : { title }), message: data })
  const ignored: Handler = () => {}
  return {
    'add-mask': ({ data }) => addMask(data, masker, page),
    error: annotateAs('error'),
    warning: annotateAs('warning'),
    notice: annotateAs('notice'),
    debug: ({ data }) => page.debug(data),
    group: ({ data }) => page.note(`▸ ${data}`),
    endgroup: ignored,
    echo: ignored,
    'add-matcher': ignored,
    'remove-matcher': ignored,
  }
}

function addMask(value: string, masker: Masker, page: Page) {
  const message = "Can't add secret mask for empty string in ##[add-mask] command."
  if (value.trim() === '') page.annotate({ level: 'warning', message })
  else masker.add(value)
}

interface CommandValues {
  outputs: Record<string, string>
  state: Record<string, string>
  failed: boolean
}

/** The commands that set values, or used to. Those that cannot be carried out fail the step. */
function valueHandlers(page: Page, values: CommandValues): Record<string, Handler> {
  function refuse(line: string, reason: string) {
    page.annotate({ level: 'error', message: `Unable to process command '${line}' successfully.` })
    page.annotate({ level: 'error', message: reason })
    values.failed = true
  }
  const storeIn =
    (what: 'outputs' | 'state', debugText: string): Handler =>
    ({ name, properties, data }, line) => {
      const key = properties.name
      if (key === undefined) {
        refuse(line, `Required field 'name' is missing in ##[${name}] command.`)
        return
      }
      values[what][key] = data
      page.debug(`${debugText} ${key} = ${data}`)
    }
  const disabled: Handler = ({ name }, line) => refuse(line, `The \`${name}\` command is disabled.`)
  return {
    'set-output': storeIn('outputs', 'Set output'),
    'save-state': storeIn('state', 'Save intra-action state'),
    'set-env': disabled,
    'add-path': disabled,
  }
}

/**
 * Carries out the command in each line; `show` gets every line without one. Between `stop-commands` and the token
 * that it names, commands are shown like any other text: in both syntaxes, `add-mask` included.
 */
function createObeyer(handlers: Record<string, Handler>, show: (line: string) => void) {
  const registered = new Set([...Object.keys(handlers), 'stop-commands'])
  let resumeToken: string | undefined

  /** Whether the line is to be shown as it is. */
  function isText(line: string): boolean {
    const command = parseCommand(line, registered)
    if (!command) return true
    if (resumeToken !== undefined) {
      if (command.name !== resumeToken) return true
      registered.delete(resumeToken)
      resumeToken = undefined
      return true
    }
    if (command.name === 'stop-commands') {
      resumeToken = command.data.toLowerCase()
      registered.add(resumeToken)
      return true
    }
    handlers[command.name]?.(command, line)
    return false
  }

  return (line: string) => {
    if (isText(line)) show(line)
  }
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
