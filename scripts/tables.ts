/** A row of a Markdown table. */
export const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`

/** A Markdown table, as lines. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return [row(head), row(head.map(() => '---')), ...rows.map(row)]
}

/** A document in which each of `tables` stands between its marks, `<!-- name: … -->` and `<!-- /name -->`. */
export function withTables(document: string, tables: Record<string, string[]>): string {
  return Object.entries(tables).reduce((text, [name, lines]) => {
    const marked = new RegExp(`(<!-- ${name}:[^>]*-->\n)[\\s\\S]*?(<!-- /${name} -->)`)
    if (!marked.test(text)) throw new Error(`The document has no place for the table ${name}.`)
    return text.replace(marked, (_, open, close) => `${open}${lines.join('\n')}\n${close}`)
  }, document)
}
