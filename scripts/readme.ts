// Writes the tables of inputs and outputs in README.md from action.yml; with --check, fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { table, withTables } from './tables.ts'

interface Input {
  description: string
  required?: boolean
  default?: string
}

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const action: { inputs: Record<string, Input>; outputs: Record<string, { description: string }> } = parse(
  readFileSync('action.yml', 'utf8'),
)
const { inputs, outputs } = action
const fallback = ({ required, default: value }: Input) =>
  required ? 'required' : value === '' ? 'empty' : `\`${value}\``

const before = readFileSync('README.md', 'utf8')
const after = withTables(before, {
  inputs: table(
    ['name', 'default', 'meaning'],
    Object.entries(inputs).map(([name, input]) => [`\`${name}\``, fallback(input), input.description]),
  ),
  outputs: table(
    ['name', 'meaning'],
    Object.entries(outputs).map(([name, { description }]) => [`\`${name}\``, description]),
  ),
})
if (!process.argv.includes('--check')) writeFileSync('README.md', after)
else if (after !== before) {
  console.error('README.md differs from action.yml. Run `npm run readme`.')
  process.exitCode = 1
}
