import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseAst } from 'rollup/parseAst'

/**
 * TEMPORARY: files that are too long somewhere today. Remove each as it gets fixed; add none. A test fails while a
 * file stands here without need.
 */
const TEMPORARILY_ALLOWED = {
  longFunctions: [] as string[],
  longLines: [] as string[],
}

const MAX_FUNCTION_LINES = 40
const MAX_COLUMNS = 120
/** A row of a table cannot be wrapped. As long a row can still be read in an editor on a laptop. */
const MAX_TABLE_COLUMNS = 200

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const filesLike = (...patterns: string[]) =>
  execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', ...patterns],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
    .trim()
    .split('\n')

/** Functions of tests contain whole groups of tests, so they may be long. */
const sources = filesLike(
  ...[
    'src',
    'scripts',
    'benchmark',
    'conformance',
    'examples',
    '.github/actions',
    '__tests__/support',
    '__tests__/simulation',
  ].flatMap((folder) => [`${folder}/**.ts`, `${folder}/**.mjs`]),
).filter((path) => !path.endsWith('.test.ts'))
const pages = filesLike('*.md')

const FUNCTIONS = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']

/** The first and last line of every function below the syntax tree `node` of `code`. */
function* functionsIn(node: unknown, code: string): Generator<{ first: number; last: number }> {
  if (node === null || typeof node !== 'object') return
  if ('type' in node && FUNCTIONS.includes(String(node.type)) && 'start' in node && 'end' in node) {
    const lineAt = (offset: unknown) => code.slice(0, Number(offset)).split('\n').length
    yield { first: lineAt(node.start), last: lineAt(node.end) }
  }
  for (const child of Object.values(node)) yield* functionsIn(child, code)
}

/** Where functions of `code` (TypeScript or JavaScript) are too long: the first line, and how many lines. */
function longFunctions(code: string): string[] {
  const plain = stripTypeScriptTypes(code)
  return [...functionsIn(parseAst(plain), plain)]
    .map(({ first, last }) => ({ first, lines: last - first + 1 }))
    .filter(({ lines }) => lines > MAX_FUNCTION_LINES)
    .map(({ first, lines }) => `line ${first}: ${lines} lines`)
}

/** What a reader of the source sees of a line of Markdown: links without their targets. */
const withoutTargets = (line: string) => line.replace(/\]\([^)]*\)/g, ']')

/** Where lines of `markdown` are too long. A line that has no place to break, such as one address, may be. */
function longLines(markdown: string): string[] {
  return markdown.split('\n').flatMap((line, index) => {
    const isRow = line.trimStart().startsWith('|')
    const width = isRow ? withoutTargets(line).length : line.length
    const canBreak = line
      .trim()
      .replace(/^([-*>]|\d+\.|\[[^\]]+\]:)\s+/, '')
      .includes(' ')
    const tooLong = isRow ? width > MAX_TABLE_COLUMNS : width > MAX_COLUMNS && canBreak
    return tooLong ? [`line ${index + 1}: ${width} columns`] : []
  })
}

describe.each([
  [
    'function',
    `is longer than ${MAX_FUNCTION_LINES} lines`,
    sources,
    longFunctions,
    TEMPORARILY_ALLOWED.longFunctions,
  ],
  ['line', `is longer than ${MAX_COLUMNS} columns`, pages, longLines, TEMPORARILY_ALLOWED.longLines],
] as const)('no %s', (_, isTooLong, files, faultsIn, allowed) => {
  const faults = new Map(files.map((path) => [path, faultsIn(read(path))]))

  test(`of ${files.length} files ${isTooLong}`, () => {
    expect(files.length).toBeGreaterThan(10)
    const found = [...faults].filter(([path, { length }]) => length > 0 && !allowed.includes(path))
    expect(Object.fromEntries(found)).toEqual({})
  })

  test('is allowed for a file that does not need it', () => {
    expect(allowed.filter((path) => (faults.get(path) ?? []).length === 0)).toEqual([])
  })
})

describe('the rules of this file', () => {
  const body = (lines: number) => 'x()\n'.repeat(lines - 2)

  test('count the lines of functions, arrow functions and methods, whatever their types', () => {
    expect(longFunctions(`function f<T>(a: T): T {\n${body(41)}}`)).toEqual(['line 1: 41 lines'])
    expect(longFunctions(`function f<T>(a: T): T {\n${body(40)}}`)).toEqual([])
    expect(longFunctions(`\nexport const f = async (a?: string) => {\n${body(50)}}`)).toEqual([
      'line 2: 50 lines',
    ])
    expect(longFunctions(`class A {\n  m(): void {\n${body(50)}}\n}`)).toEqual(['line 2: 50 lines'])
  })

  test('measure the columns of prose and tables, and ignore addresses', () => {
    const words = 'word '.repeat(30)
    expect(longLines(`# A\n\n${words}`)).toEqual(['line 3: 150 columns'])
    expect(longLines(`| ${words} |`)).toEqual([])
    expect(longLines(`| ${words}${words} |`)).toEqual(['line 1: 304 columns'])
    expect(longLines(`| ${words}[a](https://example.com/${'a'.repeat(80)}) |`)).toEqual([])
    expect(longLines(`[1]: https://example.com/${'a'.repeat(120)}`)).toEqual([])
  })
})
