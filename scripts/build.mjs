// Builds dist/ from src/: TypeScript, then what each step uses and nothing else, then ncc.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import nodeResolve from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'
import { parseAst } from 'rollup/parseAst'

const outDir = resolve(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)))
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const run = (command, ...options) =>
  execFileSync('node', [`node_modules/${command}`, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })

/** The packages of which a part is used; of any other that is used, ncc takes the whole. */
const ROLLED_UP = ['@actions/core']
/** How the toolkit is compiled, and that two of its modules import each other. */
const HARMLESS = ['THIS_IS_UNDEFINED', 'CIRCULAR_DEPENDENCY']
/** Comments of the toolkit that say nothing to a reader: to a linter, and rules across the page. */
const NO_WORDS = /^\s*(\/\/-+|(\/\/|\/\*) (eslint-disable|We use any as a valid).*)\n/gm
/** Stand for `module.exports =` and `require` while ncc is at work: calls that may do anything, so it keeps them. */
const EXPORT = '__export__'
const REQUIRE = '__require__'

rmSync('build', { recursive: true, force: true })
rmSync(outDir, { recursive: true, force: true })
run('typescript/bin/tsc')
const parts = await rollUp()
for (const { name, code, modules } of parts) {
  const folder = join(outDir, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.js'), layOut(bundle(name, code)))
  writeFileSync(join(folder, 'modules.txt'), `${modules.join('\n')}\n`)
}
writeFileSync(join(outDir, 'package.json'), '{ "type": "commonjs" }\n')
writeFileSync(join(outDir, 'licenses.txt'), licensesOf(parts.flatMap(({ modules }) => modules)))

/**
 * What main uses, what post uses, and what both use, each with the modules that it came from and with its comments.
 * ncc by itself keeps every function of a module of which one is used, and all that those could reach: of the
 * toolkit, more than 1 MB of HTTP, OIDC and GitHub clients that this action never calls. `moduleSideEffects` is what makes the
 * difference: importing a module is taken to have no effect of its own, which the toolkit's packages do not say of
 * themselves.
 */
async function rollUp() {
  const entries = ['main', 'post'].map((step) => resolve(`build/${step}.js`))
  const rolled = await rollup({
    input: { main: 'build/main.js', post: 'build/post.js' },
    plugins: [nodeResolve({ resolveOnly: ROLLED_UP })],
    external: (id) => !id.startsWith('.') && !ROLLED_UP.includes(id) && !id.startsWith('/'),
    treeshake: { moduleSideEffects: (id) => entries.includes(id), propertyReadSideEffects: false },
    onLog: (level, { code, message }) =>
      level === 'warn' && !HARMLESS.includes(code) && console.error(message),
  })
  const { output } = await rolled.generate({
    entryFileNames: '[name]/index.js',
    chunkFileNames: 'common/index.js',
    minifyInternalExports: false,
    hoistTransitiveImports: false,
  })
  return output.map(({ fileName, code, modules, imports }) => {
    const used = Object.entries(modules).filter(([, { renderedLength }]) => renderedLength > 0)
    const left = imports.filter((name) => !isBuiltin(name) && !name.endsWith('/index.js'))
    return {
      name: fileName.split('/')[0],
      code,
      modules: [
        ...used.map(([id]) => relative('.', id).replace(/^build\/(.*)\.js$/, 'src/$1.ts')),
        ...left.map((name) => `node_modules/${name}`),
      ].sort(),
    }
  })
}

/**
 * Has ncc bundle `code`, without its imports of Node's modules and of the common part, and its exports: those become
 * plain `require` and `module.exports`. ncc would put an object and a getter between each name and its use. And Node
 * starts a CommonJS file sooner than an ES module, as docs/performance.md shows.
 */
function bundle(name, code) {
  const head = []
  const body = requireWhereUsed(code)
    .replace(/^import (?:\* as [\w$]+|(\{.*\})) from '(.*)';\n/gm, (line, names, from) => {
      if (!isBuiltin(from) && from !== '../common/index.js') return line
      if (names) head.push(`const ${names.replaceAll(' as ', ': ')} = require('${from}')\n`)
      return ''
    })
    .replace(/^export (\{.*\});\n/m, `${EXPORT}($1)`)
  const entry = join('build', name, 'index.js')
  mkdirSync(join('build', name), { recursive: true })
  writeFileSync(entry, body)
  run('@vercel/ncc/dist/ncc/cli.js', 'build', entry, '-o', join('build', name, 'ncc'))
  const bundled = readFileSync(join('build', name, 'ncc/index.js'), 'utf8')
    .replaceAll(REQUIRE, 'require')
    .replace(/^var __webpack_exports__ = \{\};\n/m, '')
    .replace(NO_WORDS, '')
    .replace(new RegExp(`${EXPORT}\\((.*)\\)`, 's'), 'module.exports = $1')
  return `'use strict'\n${head.join('')}${bundled}`
}

/**
 * Node's modules that are imported whole are asked for where they are used, and so only loaded if they are: TLS takes
 * 14 ms to load and crypto 3, where Node itself starts in 25 (docs/performance.md).
 */
function requireWhereUsed(code) {
  const program = parseAst(code)
  const sources = new Map()
  for (const { type, source, specifiers } of program.body) {
    if (type !== 'ImportDeclaration' || specifiers[0]?.type !== 'ImportNamespaceSpecifier') continue
    if (isBuiltin(source.value)) sources.set(specifiers[0].local.name, source.value)
  }
  const uses = []
  const visit = (node, parent) => {
    const from = node.type === 'Identifier' && sources.get(node.name)
    const isName = parent?.property === node || parent?.key === node || parent?.type.startsWith('Import')
    if (from && parent.type === 'MemberExpression' && parent.object === node) uses.push({ ...node, from })
    else if (from && (!isName || parent.computed || parent.shorthand))
      throw new Error(
        `${node.name}, imported whole from ${from}, is also something else, or passed on as a value`,
      )
    for (const part of Object.values(node).flat()) if (part?.type) visit(part, node)
  }
  visit(program, null)
  return uses.reduceRight(
    (text, { start, end, from }) => `${text.slice(0, start)}(${REQUIRE}('${from}'))${text.slice(end)}`,
    code,
  )
}

/** The licences of the packages among `modules`, as their authors ship them. */
function licensesOf(modules) {
  const packages = modules.map((name) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1])
  return [...new Set(packages.filter(Boolean))]
    .map((name) => {
      const folder = `node_modules/${name}`
      const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
      return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
    })
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/** The layout of the source, with tabs, so that a reader sets the width of the indentation. */
function layOut(code) {
  const biome = [
    'node_modules/@biomejs/biome/bin/biome',
    'format',
    '--indent-style=tab',
    '--stdin-file-path=bundle.js',
  ]
  return execFileSync('node', biome, { input: code, encoding: 'utf8', maxBuffer: 2 ** 28 })
}
