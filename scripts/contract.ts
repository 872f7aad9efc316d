// Writes the facts of docs/contract.md from conformance/facts.ts; with --check, fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { factsPage } from '../conformance/table.ts'
import { withTables } from './tables.ts'

const page = fileURLToPath(new URL('../docs/contract.md', import.meta.url))
const before = readFileSync(page, 'utf8')
const after = withTables(before, { facts: ['', ...factsPage().split('\n')] })
if (!process.argv.includes('--check')) writeFileSync(page, after)
else if (after !== before) {
  console.error('docs/contract.md differs from conformance/facts.ts. Run `npm run contract`.')
  process.exitCode = 1
}
