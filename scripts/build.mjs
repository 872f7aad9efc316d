// Builds dist/ from src/: TypeScript, then one file a step in which nothing is that is not used, then ncc.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import nodeResolve from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'

const outDir = resolve(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)))
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const run = (command, ...options) =>
  execFileSync('node', [`node_modules/${command}`, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })

/** The packages of which a part is used; of any other that is used, ncc takes the whole. */
const ROLLED_UP = ['@actions/core', '@actions/github', 'proxy-from-env']
/** How the toolkit is compiled, and that two of its modules import each other. */
const HARMLESS = ['THIS_IS_UNDEFINED', 'CIRCULAR_DEPENDENCY']

rmSync('build', { recursive: true, force: true })
run('typescript/bin/tsc')
for (const step of ['main', 'post']) {
  const folder = join(outDir, step)
  rmSync(folder, { recursive: true, force: true })
  const modules = await rollUp(`build/${step}.js`, `build/${step}/index.js`)
  run('@vercel/ncc/dist/ncc/cli.js', 'build', `build/${step}/index.js`, '-o', folder)
  writeFileSync(join(folder, 'modules.txt'), `${modules.sort().join('\n')}\n`)
  writeFileSync(join(folder, 'licenses.txt'), licensesOf(modules))
  const bundle = join(folder, 'index.js')
  writeFileSync(bundle, layOut(readFileSync(bundle, 'utf8')))
}

/**
 * Puts into one file what `entry` uses, comments included, and answers with the modules that it came from. ncc
 * by itself keeps every function of a module of which one is used, and all that those could reach: of the
 * toolkit, 480 kB of HTTP and OIDC clients that this action never calls. `moduleSideEffects: false` is what
 * makes the difference: importing a module is taken to have no effect of its own, which the toolkit's packages
 * do not say of themselves.
 */
async function rollUp(entry, file) {
  const bundle = await rollup({
    input: entry,
    plugins: [nodeResolve({ resolveOnly: ROLLED_UP })],
    external: (id) => !id.startsWith('.') && !ROLLED_UP.includes(id) && !id.startsWith('/'),
    treeshake: { moduleSideEffects: (id) => id === resolve(entry) },
    onLog: (level, { code, message }) =>
      level === 'warn' && !HARMLESS.includes(code) && console.error(message),
  })
  const { output } = await bundle.write({ file, format: 'es' })
  const used = Object.entries(output[0].modules).filter(([, { renderedLength }]) => renderedLength > 0)
  const left = output[0].imports.filter((name) => !isBuiltin(name)).map((name) => `node_modules/${name}`)
  return [...used.map(([id]) => relative('.', id).replace(/^build\/(.*)\.js$/, 'src/$1.ts')), ...left]
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
