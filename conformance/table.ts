import { FACTS, type Fact } from './facts.ts'
import type { Evidence } from './observe.ts'
import { cell } from './printable.ts'

const COLUMNS: [title: string, width: number][] = [
  ['fact', 42],
  ['', 10],
  ['observed', 30],
  ['what it means for the action', 44],
]

/** One row of the result: what a run saw of a fact. */
export interface Result {
  fact: Fact
  holds: boolean | null
  observed: string
}

/** What the evidence says of every fact, without the secrets. */
export function resultsOf(evidence: Evidence, secrets: readonly string[]): Result[] {
  return FACTS.map((fact) => {
    const { holds, observed } = fact.observe(evidence)
    return { fact, holds, observed: cell(observed, secrets) }
  })
}

/** `observed` went through `cell` already. */
function cellsOf({ fact, holds, observed }: Result): string[] {
  const mark = holds === null ? '' : holds ? 'yes: ' : 'NO: '
  return [fact.fact, fact.basis, `${mark}${observed}`, holds === false ? fact.otherwise : fact.relied]
}

/** The result as a table for a terminal of 132 columns. */
export function textTable(results: readonly Result[]): string {
  const rule = COLUMNS.map(([, width]) => '-'.repeat(width)).join('  ')
  const rows = results.map((result) => textRow(cellsOf(result).map((cell) => cell.replaceAll('`', ''))))
  return [textRow(COLUMNS.map(([title]) => title)), rule, rows.join('\n\n'), rule].join('\n')
}

function textRow(cells: readonly string[]): string {
  const wrapped = cells.map((cell, index) => wrap(cell, COLUMNS[index]?.[1] ?? 40))
  const height = Math.max(...wrapped.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) =>
    wrapped
      .map((lines, index) => (lines[line] ?? '').padEnd(COLUMNS[index]?.[1] ?? 40))
      .join('  ')
      .trimEnd(),
  ).join('\n')
}

/** `text` in lines of at most `width` characters, broken at blanks, and inside a word that is longer. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').flatMap((long) => long.match(new RegExp(`.{1,${width}}`, 'g')) ?? [])) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, line]
}

/** The result as a Markdown table, for a job summary. */
export function markdownTable(results: readonly Result[]): string {
  const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const head = [row(['fact', 'basis', 'observed', 'what it means for the action']), row(['---', '---', '---', '---'])]
  return [...head, ...results.map((result) => row(cellsOf(result)))].join('\n')
}

/** The facts for docs/contract.md, in Markdown of at most 100 columns. */
export function factsPage(): string {
  return FACTS.map(({ fact, basis, relied, otherwise }) => {
    const item = (label: string, text: string) => wrap(`- ${label}: ${text}`, 98).join('\n  ')
    return [
      `${wrap(`**${fact}** (${basis})`, 98).join('\n')}`,
      '',
      item('So', relied),
      item('If not', otherwise),
      '',
    ].join('\n')
  }).join('\n')
}
