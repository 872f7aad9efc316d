/** A job summary as plain text for a terminal: columns aligned, the marks of Markdown and HTML removed. */
export function plainSummary(markdown: string): string {
  const lines = markdown
    .split('\n')
    .map((line) => line.replace(/<details><summary>(.*)<\/summary>/, '$1:').replace('</details>', ''))
    .map((line) => line.replace(/^#+\s*/, '').replace(/\*\*|`/g, ''))
    .filter((line) => line.trim() !== '' && !isTableRule(line))
  const widths = columnWidths(lines.map(cellsOf))
  return lines.map((line) => (isRow(line) ? aligned(cellsOf(line), widths) : line)).join('\n')
}

function isTableRule(line: string): boolean {
  return /^[|:\s-]+$/.test(line)
}

function isRow(line: string): boolean {
  return line.startsWith('|')
}

function cellsOf(line: string): string[] {
  if (!isRow(line)) return []
  return line
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim())
}

function columnWidths(rows: string[][]): number[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  }
  return widths
}

function aligned(cells: string[], widths: number[]): string {
  return `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()
}
