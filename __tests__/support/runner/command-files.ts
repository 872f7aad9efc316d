import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const commandFileNames = ['state', 'output', 'env', 'path', 'summary'] as const
export type CommandFile = (typeof commandFileNames)[number]

const variables: Record<CommandFile, string> = {
  state: 'GITHUB_STATE',
  output: 'GITHUB_OUTPUT',
  env: 'GITHUB_ENV',
  path: 'GITHUB_PATH',
  summary: 'GITHUB_STEP_SUMMARY',
}

export interface CommandFiles {
  /** The variables that tell the step where its files are. */
  variables: Record<string, string>
  /** Reads what the step left. Call it once, after the process has ended. */
  read(): FilesLeft
}

export interface FilesLeft {
  state: Record<string, string>
  outputs: Record<string, string>
  env: Record<string, string>
  /** Folders to search before all others, in the order in which they were added. */
  path: string[]
  /** Not masked yet. Empty if it was too long. */
  summary: string
  /** What the runner complains of in the log. */
  complaints: string[]
  /** Whether a complaint is of the kind that fails the step. */
  failed: boolean
}

const summaryLimit = 1024 * 1024

/**
 * Creates a step's command files, empty, in `directory`. Those named in `broken` are folders instead, so that every
 * attempt to write them fails.
 */
export function createCommandFiles(directory: string, broken: readonly CommandFile[] = []): CommandFiles {
  mkdirSync(directory, { recursive: true })
  const pathOf = (file: CommandFile) => join(directory, file)
  for (const file of commandFileNames) {
    if (broken.includes(file)) mkdirSync(pathOf(file))
    else writeFileSync(pathOf(file), '')
  }
  return {
    variables: Object.fromEntries(commandFileNames.map((file) => [variables[file], pathOf(file)])),
    read: () => readFiles(pathOf),
  }
}

function readFiles(pathOf: (file: CommandFile) => string): FilesLeft {
  const problems = { complaints: [] as string[], failed: false }
  const read: Reading = { pathOf, problems }
  const state = pairsOf('state', read)
  const outputs = pairsOf('output', read)
  const env = withoutNodeOptions(pairsOf('env', read), problems)
  const path: string[] = []
  attempt('path', read, (text) => path.push(...text.split(/\r?\n/).filter((line) => line !== '')))
  return { state, outputs, env, path, summary: readSummary(read), ...problems }
}

type Problems = Pick<FilesLeft, 'complaints' | 'failed'>

interface Reading {
  pathOf: (file: CommandFile) => string
  problems: Problems
}

function fail(problems: Problems, ...reasons: string[]): void {
  problems.complaints.push(...reasons)
  problems.failed = true
}

/** A file that cannot be used fails the step, but not the reading of the other files. */
function attempt(file: CommandFile, { pathOf, problems }: Reading, use: (text: string) => void): void {
  try {
    use(textOf(pathOf(file)))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    fail(problems, `Unable to process file command '${file}' successfully.`, reason)
  }
}

function pairsOf(file: CommandFile, reading: Reading): Record<string, string> {
  const pairs = new Map<string, string>()
  attempt(file, reading, (text) => {
    for (const [name, value] of pairsIn(text)) pairs.set(name, value)
  })
  return Object.fromEntries(pairs)
}

function withoutNodeOptions(env: Record<string, string>, problems: Problems): Record<string, string> {
  const isRefused = (name: string) => name.toUpperCase() === 'NODE_OPTIONS'
  // Stricter than the runner, which only logs this: no test can overlook it.
  for (const _ of Object.keys(env).filter(isRefused))
    fail(problems, "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.")
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isRefused(name)))
}

function readSummary(reading: Reading): string {
  let summary = ''
  attempt('summary', reading, (text) => {
    const size = Buffer.byteLength(text)
    if (size <= summaryLimit) summary = text
    else
      reading.problems.complaints.push(
        `$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got ${Math.floor(size / 1024)}k.`,
      )
  })
  return summary
}

/** A step may delete its files; that counts as having written nothing. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/**
 * Reads `name=value` and `name<<delimiter … delimiter`, whichever separator comes first in a line. Pairs before a
 * malformed line count; throws there.
 */
function* pairsIn(text: string): Generator<[name: string, value: string]> {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    if (line === '') continue
    const [, name = '', separator, rest = ''] = /^(.*?)(<<|=)(.*)$/s.exec(line) ?? []
    if (name === '' || (separator === '<<' && rest === '')) throw new Error(`Invalid format '${line}'`)
    if (separator === '=') {
      yield [name, rest]
      continue
    }
    const end = lines.indexOf(rest, at + 1)
    if (end < 0) throw new Error(`Invalid value. Matching delimiter not found '${rest}'`)
    yield [name, lines.slice(at + 1, end).join('\n')]
    at = end
  }
}
