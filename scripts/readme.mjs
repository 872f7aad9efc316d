// Writes the tables of inputs and outputs in README.md from action.yml; with --check, fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const { inputs, outputs } = parse(readFileSync('action.yml', 'utf8'))
const cell = (text) => String(text).replaceAll('|', '\\|')
const fallback = ({ required, default: value }) =>
  required ? 'required' : value === '' ? 'empty' : `\`${value}\``

const tables = {
  inputs: [
    '| name | default | meaning |',
    '| --- | --- | --- |',
    ...Object.entries(inputs).map(
      ([name, input]) => `| \`${name}\` | ${fallback(input)} | ${cell(input.description)} |`,
    ),
  ],
  outputs: [
    '| name | meaning |',
    '| --- | --- |',
    ...Object.entries(outputs).map(([name, { description }]) => `| \`${name}\` | ${cell(description)} |`),
  ],
}

const before = readFileSync('README.md', 'utf8')
const after = Object.entries(tables).reduce(
  (text, [name, rows]) =>
    text.replace(
      new RegExp(`(<!-- ${name}:[^>]*-->\n)[\\s\\S]*?(<!-- /${name} -->)`),
      (_, open, close) => `${open}${rows.join('\n')}\n${close}`,
    ),
  before,
)
if (process.argv.includes('--check')) {
  if (after !== before) {
    console.error('README.md differs from action.yml. Run `npm run readme`.')
    process.exitCode = 1
  }
} else writeFileSync('README.md', after)
