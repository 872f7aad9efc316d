import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { FILES, LIMITS, sizes } from '../../benchmark/sizes.ts'

const read = (path: string) => readFileSync(new URL(`../../dist/${path}`, import.meta.url), 'utf8')
const modules = (part: string) => read(`${part}/modules.txt`).trim().split('\n')

/** What a reader of dist has to trust besides src. A new one goes on this list only after somebody has read it. */
const ACCEPTED: string[] = []

test.each(Object.entries(LIMITS))('%s is no larger than %i bytes', (what, limit) => {
  expect(sizes()[what as keyof typeof LIMITS]).toBeLessThanOrEqual(limit)
})

test('nothing but src and accepted modules is in dist', () => {
  const foreign = FILES.flatMap(modules).filter((name) => !name.startsWith('src/'))
  expect(foreign.sort()).toEqual(ACCEPTED)
})

test('dist holds the licences of the packages in it', () => {
  const licences = read('licenses.txt')
  const packages = ACCEPTED.map((name) => name.split('/').slice(1, 3).join('/'))
  for (const name of new Set(packages)) expect(licences).toMatch(new RegExp(`^${name} \\d.*\\(MIT\\)$`, 'm'))
})

test('each module is in one file of dist', () => {
  const all = FILES.flatMap(modules)
  expect(all).toHaveLength(new Set(all).size)
})

describe.each(FILES)('dist/%s/index.js', (part) => {
  const code = read(`${part}/index.js`)

  test('takes in nothing at run time but Node’s own modules and the common part', () => {
    const taken = [...code.matchAll(/\b(?:require|getBuiltinModule|import)\(([^)]*)\)|^import .*$/gm)]
    const names = taken.map(([whole, name = whole]) => name.replace(/^'(?:node:)?|'$/g, ''))
    const common = part === 'common' ? [] : ['../common/index.js']
    const allowed = [...common, 'crypto', 'fs', 'os', 'http', 'https', 'timers/promises', 'tls']
    expect(names.filter((name) => !allowed.includes(name))).toEqual([])
    expect(names).toEqual(expect.arrayContaining(common))
  })

  test('is ASCII, so that Node keeps it in one byte a character (docs/performance.md)', () => {
    expect(code.match(/[^\n\t\x20-\x7e]/g)).toBeNull()
  })

  test('can be read: in lines, under the names of the source, with its comments', () => {
    expect(Math.max(...code.split('\n').map((line) => line.length))).toBeLessThan(250)
    expect(code.split('/**').length - 1).toBeGreaterThanOrEqual(8)
  })
})

test('what main and post say is what the comments of src say: none was lost on the way', () => {
  const both = FILES.map((part) => read(`${part}/index.js`)).join('\n')
  for (const name of [
    'protocol/issue-key',
    'protocol/revoke-keys',
    'protocol/revoke-orphans',
    'protocol/revoke-and-verify',
    'protocol/intent',
    'retry/backoff',
  ]) {
    const source = readFileSync(new URL(`../../src/${name}.ts`, import.meta.url), 'utf8')
    for (const [comment] of source.matchAll(/\/\*\*[^/]*\*\/(?=\n(?:export )?(?:async )?function)/g))
      expect(both).toContain(comment)
  }
})
