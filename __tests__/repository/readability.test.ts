import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseAst } from 'rollup/parseAst'

const MAX_FUNCTION_LINES = 40
const MAX_PARAMETERS = 3
/** Folders in which functions may still have more parameters. A test fails while a folder stands here without need. */
const MORE_PARAMETERS_ALLOWED = ['__tests__/support/', '__tests__/simulation/']
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

interface FoundFunction {
  /** Its first line, counted from 1. */
  line: number
  lines: number
  parameters: number
}

/** Every function below the syntax tree `node` of `code`. */
function* functionsIn(node: unknown, code: string): Generator<FoundFunction> {
  if (node === null || typeof node !== 'object') return
  if ('type' in node && FUNCTIONS.includes(String(node.type)) && 'start' in node && 'end' in node) {
    const lineAt = (offset: unknown) => code.slice(0, Number(offset)).split('\n').length
    const line = lineAt(node.start)
    const parameters = 'params' in node && Array.isArray(node.params) ? node.params.length : 0
    yield { line, lines: lineAt(node.end) - line + 1, parameters }
  }
  for (const child of Object.values(node)) yield* functionsIn(child, code)
}

/** The functions of `code`, which is TypeScript or JavaScript. */
function functionsOf(code: string): FoundFunction[] {
  const plain = stripTypeScriptTypes(code)
  return [...functionsIn(parseAst(plain), plain)]
}

/** Where functions of `code` are too long: the first line, and how many lines. */
function longFunctions(code: string): string[] {
  return functionsOf(code)
    .filter(({ lines }) => lines > MAX_FUNCTION_LINES)
    .map(({ line, lines }) => `line ${line}: ${lines} lines`)
}

/** Where functions of `code` have too many parameters. */
function manyParameters(code: string): string[] {
  return functionsOf(code)
    .filter(({ parameters }) => parameters > MAX_PARAMETERS)
    .map(({ line, parameters }) => `line ${line}: ${parameters} parameters`)
}

/** Which functions `code` exports without a docstring right above them. */
function undocumented(code: string): string[] {
  const lines = code.split('\n')
  return lines.flatMap((line, index) => {
    const name = /^export (?:async )?function (\w+)/.exec(line)?.[1]
    return name && !lines[index - 1]?.endsWith('*/') ? [name] : []
  })
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

/** The files in which `faultsIn` finds something, and what. */
function faultsOf(files: string[], faultsIn: (text: string) => string[]): Record<string, string[]> {
  const faults = files.map((path) => [path, faultsIn(read(path))] as const)
  return Object.fromEntries(faults.filter(([, { length }]) => length > 0))
}

const isExcepted = (path: string) => MORE_PARAMETERS_ALLOWED.some((folder) => path.startsWith(folder))
const product = sources.filter((path) => path.startsWith('src/'))
const strict = sources.filter((path) => !isExcepted(path))

test.each([
  [`no function is longer than ${MAX_FUNCTION_LINES} lines`, sources, longFunctions],
  [`no function has more than ${MAX_PARAMETERS} parameters`, strict, manyParameters],
  ['every exported function has a docstring', product, undocumented],
  [`no line of a document is longer than ${MAX_COLUMNS} columns`, pages, longLines],
] as const)('%s', (_, files, faultsIn) => {
  expect(files.length).toBeGreaterThan(10)
  expect(faultsOf([...files], faultsIn)).toEqual({})
})

test.each(MORE_PARAMETERS_ALLOWED)('%s still needs its exception for parameters', (folder) => {
  const files = sources.filter((path) => path.startsWith(folder))
  expect(Object.keys(faultsOf(files, manyParameters))).not.toEqual([])
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

  test('count the parameters of functions, constructors and arrow functions, and objects as one', () => {
    expect(manyParameters('function f(a: A, b: B, c: C, d?: D) {}')).toEqual(['line 1: 4 parameters'])
    expect(manyParameters('class A {\n  constructor(a, b, c, ...d) {}\n}')).toEqual(['line 2: 4 parameters'])
    expect(manyParameters('const f = (a, b, c, d = 1) => a')).toEqual(['line 1: 4 parameters'])
    expect(manyParameters('function f(a, b, { c, d }: E) {}')).toEqual([])
  })

  test('name functions that are exported without a docstring', () => {
    expect(
      undocumented('export function f() {}\n\nexport async function g<T>() {}\nfunction h() {}'),
    ).toEqual(['f', 'g'])
    expect(
      undocumented('/** Why. */\nexport function f() {}\n/**\n * Why.\n */\nexport async function g() {}'),
    ).toEqual([])
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
