import { readdirSync, readFileSync, statSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { parseAst } from 'rollup/parseAst'
import { MAX_DOWNLOAD_BYTES, sizesOf } from '../../benchmark/sizes.ts'
import { BUNDLED_PACKAGES, BUNDLES, type Bundle, foldersOf } from '../../scripts/bundles.ts'
import { archiveOfWorkTree, filesIn } from '../support/release-archive.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const modulesOf = (folder: string) => read(`dist/${folder}/modules.txt`).trim().split('\n')

/** What a user of each bundle has to trust besides src. Add a file only after reading it. */
const ACCEPTED: Record<keyof typeof BUNDLES, string[]> = {
  root: [],
  audit: [],
  rotate: [
    'node_modules/@noble/ciphers/_arx.js',
    'node_modules/@noble/ciphers/_poly1305.js',
    'node_modules/@noble/ciphers/salsa.js',
    'node_modules/@noble/ciphers/utils.js',
    'node_modules/@noble/hashes/_blake.js',
    'node_modules/@noble/hashes/_u64.js',
    'node_modules/@noble/hashes/blake2.js',
    'node_modules/@noble/hashes/utils.js',
  ],
}

/** Node's modules that a bundle loads when it starts. Others take long to load, so code loads them when it uses them. */
const LOADED_AT_START = ['fs', 'node:fs', 'os']

interface Node {
  type: string
  name?: string
  value?: unknown
  regex?: { pattern: string }
  callee?: Node
  property?: Node
  arguments?: Node[]
}

/** Every node of the syntax tree below `value`. */
function nodesIn(value: unknown): Node[] {
  if (value === null || typeof value !== 'object') return []
  const own = 'type' in value && typeof value.type === 'string' ? [{ ...value, type: value.type }] : []
  return [...own, ...Object.values(value).flatMap(nodesIn)]
}

/** The first argument of every call of `name`, or of a method of that name: a text, or null where it is computed. */
function argumentsTo(name: string, nodes: Node[]): unknown[] {
  return nodes
    .filter(
      ({ type, callee }) =>
        type === 'CallExpression' && [callee?.name, callee?.property?.name].includes(name),
    )
    .map(({ arguments: [first] = [] }) => first?.value ?? null)
}

/** A documentation comment and the name of the function that follows it. */
const DOCUMENTED_FUNCTION = /^(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\n(?:export )?(?:async )?function (\w+)/gm

const bundles = Object.entries(BUNDLES) as [keyof typeof BUNDLES, Bundle][]

describe.each(bundles)('the bundle %s', (name, bundle) => {
  const folders = foldersOf(bundle)
  const modules = folders.flatMap(modulesOf)

  test.each(sizesOf(bundle))('has at most $limit $what', ({ bytes, limit }) => {
    expect(bytes).toBeLessThanOrEqual(limit)
  })

  test('contains nothing but src and accepted files of packages', () => {
    expect(modules.filter((module) => !module.startsWith('src/')).sort()).toEqual(ACCEPTED[name])
  })

  test('contains each module once', () => {
    expect(modules).toHaveLength(new Set(modules).size)
  })

  describe.each(folders)('dist/%s/index.js', (folder) => {
    const code = read(`dist/${folder}/index.js`)
    const nodes = nodesIn(parseAst(code))

    test('loads at its start only quick modules of Node, and the shared code', () => {
      const others = argumentsTo('require', nodes).filter((path) => !LOADED_AT_START.includes(String(path)))
      const own = new URL(`dist/${folder}/index.js`, root)
      const expected =
        bundle.shared === undefined || folder === bundle.shared ? [] : [`dist/${bundle.shared}/index.js`]
      expect(others.map((path) => new URL(String(path), own).href)).toEqual(
        expected.map((path) => new URL(path, root).href),
      )
    })

    test('has no regular expression literal with a Unicode property, which takes 1 ms to parse', () => {
      const patterns = nodes.flatMap(({ regex }) => regex?.pattern ?? [])
      expect(patterns.filter((pattern) => /\\p\{/i.test(pattern))).toEqual([])
    })

    test('imports nothing else at run time', () => {
      expect(nodes.filter(({ type }) => type.startsWith('Import'))).toEqual([])
    })

    test('is ASCII, so that Node keeps it in one byte per character (docs/performance.md)', () => {
      expect(code.match(/[^\n\t\x20-\x7e]/g)).toBeNull()
    })

    test('has no line that is too long to read', () => {
      expect(Math.max(...code.split('\n').map((line) => line.length))).toBeLessThan(250)
    })
  })

  test('keeps the documentation of every function that it contains', () => {
    const code = folders.map((folder) => read(`dist/${folder}/index.js`)).join('\n')
    const sources = modules.filter((module) => module.startsWith('src/')).map(read)
    const documented = sources.flatMap((source) => [...source.matchAll(DOCUMENTED_FUNCTION)])
    const contained = documented.filter(([, , name]) => code.includes(`function ${name}(`))
    expect(contained.length).toBeGreaterThan(10)
    expect(contained.map(([, comment = '']) => comment).filter((comment) => !code.includes(comment))).toEqual(
      [],
    )
  })
})

test('dist contains no folder that is not part of a bundle', () => {
  const expected = bundles.flatMap(([, bundle]) => foldersOf(bundle))
  const found = readdirSync(new URL('dist', root), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('index.js'))
    .map((path) => path.replaceAll('\\', '/').replace(/\/index\.js$/, ''))
  expect(found.sort()).toEqual(expected.sort())
})

test('dist contains the licenses of the packages that it uses', () => {
  const licenses = read('dist/licenses.txt')
  const used = Object.values(ACCEPTED).flat()
  for (const name of BUNDLED_PACKAGES.filter((name) => used.some((path) => path.includes(`/${name}/`))))
    expect(licenses).toMatch(new RegExp(`^${name} \\d.*\\(MIT\\)$`, 'm'))
})

describe('the archive of a release', () => {
  const archive = archiveOfWorkTree()
  const files = filesIn(archive)

  test('has each action.yml and all of dist, which is what a job runs', () => {
    const built = readdirSync(new URL('dist', root), { recursive: true, encoding: 'utf8' })
      .map((path) => `dist/${path.replaceAll('\\', '/')}`)
      .filter((path) => statSync(new URL(path, root)).isFile())
    expect(built.length).toBeGreaterThan(10)
    const needed = ['action.yml', 'audit/action.yml', 'rotate/action.yml', ...built]
    expect(needed.filter((path) => !files.includes(path))).toEqual([])
  })

  test('has the license and the documents for users, and nothing else', () => {
    const others = files.filter((path) => !/^dist\/|(^|\/)action\.yml$/.test(path))
    const top = ['CHANGELOG.md', 'CODE_OF_CONDUCT.md', 'LICENSE', 'README.md', 'SECURITY.md']
    expect(others).toEqual([...top, 'audit/README.md', 'rotate/README.md'])
  })

  test(`has at most ${MAX_DOWNLOAD_BYTES} bytes, compressed`, () => {
    expect(gzipSync(archive).length).toBeLessThanOrEqual(MAX_DOWNLOAD_BYTES)
  })
})
