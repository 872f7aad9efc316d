// Writes the tables of inputs and outputs from each action's action.yml; with --check, fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { table, withTables } from './tables.ts'

interface Input {
  description: string
  required?: boolean
  default?: string
}

interface Action {
  inputs: Record<string, Input>
  outputs: Record<string, { description: string }>
}

/** Each action, and the page that has its tables. */
const PAGES = [
  ['action.yml', 'README.md'],
  ['audit/action.yml', 'docs/audit.md'],
  ['rotate/action.yml', 'rotate/README.md'],
] as const

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
for (const [action, page] of PAGES) {
  const before = readFileSync(page, 'utf8')
  const after = withTables(before, tablesOf(parse(readFileSync(action, 'utf8'))))
  if (!process.argv.includes('--check')) writeFileSync(page, after)
  else if (after !== before) {
    console.error(`${page} differs from ${action}. Run \`npm run readme\`.`)
    process.exitCode = 1
  }
}

function tablesOf({ inputs, outputs }: Action): Record<string, string[]> {
  return {
    inputs: table(
      ['name', 'default', 'meaning'],
      Object.entries(inputs).map(([name, input]) => [`\`${name}\``, defaultOf(input), input.description]),
    ),
    outputs: table(
      ['name', 'meaning'],
      Object.entries(outputs).map(([name, { description }]) => [`\`${name}\``, description]),
    ),
  }
}

function defaultOf({ required, default: value }: Input): string {
  if (required) return 'required'
  return value === '' ? 'empty' : `\`${value}\``
}
