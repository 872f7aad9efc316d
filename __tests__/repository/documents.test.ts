import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { BUNDLES } from '../../scripts/bundles.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8')
const sources = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => read(`src/${name}`))

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'audit/README.md',
  'rotate/README.md',
  '__tests__/README.md',
  ...readdirSync(`${root}/docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/**
 * The fixed beginnings of the action's messages, taken from the source: what it passes to the log, errors, warnings,
 * failures and refusals, each up to its first variable part.
 */
function messages(): string[] {
  const text = sources.join('\n').replace(/^\s*(\*|\/\/|\/\*\*).*$/gm, '')
  const given =
    /(?:Error|warning|info|refuse|fail|failure|warnOrFail)\(\s*(?:'[a-z-]+',\s*)?(?:true,\s*)?(['"`])((?:(?!\1)[^$]){12,})/g
  const named =
    /(?:message|reason|byHand|return \[?|[?:])\s*[=:]?\s*\(?\s*(['"`])([A-Za-z](?:(?!\1)[^$\n]){20,})/g
  const found = [...text.matchAll(given), ...text.matchAll(named)].map(([, , start]) => start ?? '')
  return [...new Set(found.map((start) => start.trim().replace(/[ ,;.:(]+$/, '')))]
}

/** Not messages: the end of one, or one that no one reads. */
const NOT_A_MESSAGE = [
  /^The post step revokes it/,
  // Caught where it is thrown: the person reads "something that is not the JSON of this API".
  /^neither an array nor a page/,
]

describe('docs/troubleshooting.md', () => {
  const page = read('docs/troubleshooting.md')

  test('has an entry for every message of the source', () => {
    const all = messages().filter((message) => !NOT_A_MESSAGE.some((pattern) => pattern.test(message)))
    expect(all.length).toBeGreaterThan(35)
    const words = (message: string) =>
      message
        .split(' ')
        .slice(0, 4)
        .join(' ')
        .replace(/[,;:.]$/, '')
    expect(all.filter((message) => !page.includes(words(message)))).toEqual([])
  })
})

describe('docs/design.md', () => {
  test('refers only to tests that exist', () => {
    const rows = [...read('docs/design.md').matchAll(/`([\w/-]+\.test\.ts)`(?:: "([^"]+)")?/g)]
    expect(rows.length).toBeGreaterThan(12)
    for (const [, file, title] of rows) {
      const source = read(`__tests__/${file}`)
      if (title) expect({ file, title, there: source.includes(title) }).toEqual({ file, title, there: true })
    }
  })
})

test('docs/contract.md has the facts of the conformance check', () => {
  execFileSync(process.execPath, [`${root}/scripts/contract.ts`, '--check'])
})

describe('README.md', () => {
  test('lists the inputs and outputs of action.yml, and docs/audit.md those of the audit', () => {
    execFileSync(process.execPath, [`${root}/scripts/readme.ts`, '--check'])
  })

  test('shows an example of valid YAML with existing inputs and outputs', () => {
    const [, example] = /```yaml\n([^`]+)```/.exec(read('README.md')) ?? []
    const [use, run] = parse(example ?? '').jobs.companies.steps
    const { inputs, outputs } = parse(read('action.yml'))
    for (const name of Object.keys(use.with)) expect(Object.keys(inputs)).toContain(name)
    const [, output] = /steps\.spherescout\.outputs\.([\w-]+)/.exec(run.env.KEY) ?? []
    expect(Object.keys(outputs)).toContain(output)
    expect(use.id).toBe('spherescout')
  })
})

test('action.yml meets the requirements of the Marketplace', () => {
  const { name, author, description, branding, runs } = parse(read('action.yml'))
  expect(name).not.toBe('')
  expect(author).not.toBe('')
  expect(description.length).toBeLessThan(125)
  expect(branding).toEqual({ icon: 'lock', color: 'blue' })
  expect(runs.using).toBe('node24')
  for (const file of [runs.main, runs.post]) expect(read(file).length).toBeGreaterThan(0)
})

describe('CONTRIBUTING.md', () => {
  const page = read('CONTRIBUTING.md')

  test('gives a reason for every dependency', () => {
    const { devDependencies, optionalDependencies } = JSON.parse(read('package.json'))
    const all = Object.keys({ ...devDependencies, ...optionalDependencies })
    expect(all.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })

  test('has every file of src on its code map', () => {
    expect(readdirSync(`${root}/src`).filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })
})

test('documents name only npm scripts that exist', () => {
  const { scripts } = JSON.parse(read('package.json'))
  for (const page of PAGES)
    for (const [, name] of read(page).matchAll(/npm run (?:--\S+ )?([\w-]+)/g))
      expect({ page, name, there: name !== undefined && name in scripts }).toEqual({
        page,
        name,
        there: true,
      })
})

test('docs/comparison.md states the limits of dist', () => {
  const { maxLoaded, maxTotal } = BUNDLES.root
  for (const limit of [maxLoaded, maxTotal])
    expect(read('docs/comparison.md')).toContain(limit.toLocaleString('en'))
})

test('README, SECURITY and design make the same promise', () => {
  const promise = (page: string) =>
    /^> After the post step,(?:.*\n>)* .*$/m.exec(read(page))?.[0].replace(/\s+>?\s*/g, ' ')
  expect(promise('docs/design.md')).toMatch(
    /No one else's key is revoked, except .* that docs\/design\.md lists\.$/,
  )
  for (const page of ['README.md', 'SECURITY.md']) expect(promise(page)).toBe(promise('docs/design.md'))
})

test('links between documents lead to existing pages and headings', () => {
  /** The anchors that GitHub gives to the headings of a page. */
  const anchors = (page: string) =>
    [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    )
  for (const page of PAGES) {
    for (const [, target = '', anchor] of read(page).matchAll(
      /\]\((?!https?:|mailto:|\.\.\/\.\.\/)([^)#]*)(?:#([^)]+))?\)/g,
    )) {
      const path = target === '' ? page : join(dirname(page), target)
      const there = read(path).length > 0 && (anchor === undefined || anchors(path).includes(anchor))
      expect({ page, target, anchor, there }).toEqual({ page, target, anchor, there: true })
    }
  }
})
