// Builds dist/ from src/: tsc removes the types, Rollup bundles the code that is used, Biome formats the result.
//   npm run build
//   npm run build -- /tmp/other-folder
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { transformSync } from '@swc/core'
import { type ModuleInfo, type OutputChunk, rollup } from 'rollup'
import { BUNDLED_PACKAGES, BUNDLES, type Bundle } from './bundles.ts'

const outDir = resolve(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)))
process.chdir(fileURLToPath(new URL('..', import.meta.url)))

rmSync('build', { recursive: true, force: true })
rmSync(outDir, { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc'], { stdio: 'inherit' })
const chunks: OutputChunk[] = []
for (const bundle of Object.values(BUNDLES)) chunks.push(...(await bundleCode(bundle)))
for (const chunk of chunks) writeChunk(chunk)
writeFileSync(join(outDir, 'package.json'), '{ "type": "commonjs" }\n')
writeFileSync(join(outDir, 'licenses.txt'), licensesOf(chunks.flatMap(modulesIn)))

/**
 * One file for each entry, and one for the code that they share, with names and comments as in the source. CommonJS,
 * because Node starts it sooner than an ES module (docs/performance.md).
 */
async function bundleCode({ entries, shared }: Bundle): Promise<OutputChunk[]> {
  const input = Object.fromEntries(
    Object.entries(entries).map(([folder, module]) => [folder, resolve(`build/${module}.js`)]),
  )
  const entryFiles = Object.values(input)
  const bundle = await rollup({
    input,
    plugins: [nodeResolve({ resolveOnly: BUNDLED_PACKAGES })],
    // Other packages are imported only by code that is not used. They are not read; `writeChunk` checks that none is left.
    external: (id) =>
      !/^[./]/.test(id) && !BUNDLED_PACKAGES.some((name) => id === name || id.startsWith(`${name}/`)),
    // Importing a module does nothing in itself; only the entries have side effects.
    treeshake: { moduleSideEffects: (id) => entryFiles.includes(id), propertyReadSideEffects: false },
    onLog: (level, { message }) => {
      if (level === 'warn') throw new Error(message)
    },
  })
  const { output } = await bundle.generate({
    format: 'cjs',
    entryFileNames: '[name]/index.js',
    chunkFileNames: `${shared}/index.js`,
    // Rollup finds the shared code automatically, but would name it after one of its modules.
    manualChunks: (id, { getModuleInfo }) =>
      shared !== undefined && entryFiles.every((entry) => importsOf(entry, getModuleInfo).has(id))
        ? 'lib'
        : null,
    exports: 'named',
    interop: 'esModule',
    esModule: false,
    externalLiveBindings: false,
    generatedCode: 'es2015',
    minifyInternalExports: false,
    hoistTransitiveImports: false,
  })
  return output.filter((file) => file.type === 'chunk')
}

/** The modules that `entry` imports, directly or not, itself included. */
function importsOf(entry: string, getModuleInfo: (id: string) => ModuleInfo | null): Set<string> {
  const found = new Set([entry])
  for (const id of found) for (const imported of getModuleInfo(id)?.importedIds ?? []) found.add(imported)
  return found
}

function writeChunk(chunk: OutputChunk): void {
  const missing = chunk.imports.filter((name) => !isBuiltin(name) && !name.endsWith('/index.js'))
  if (missing.length > 0) throw new Error(`${missing.join(', ')}: needed, but not in BUNDLED_PACKAGES`)
  const folder = join(outDir, dirname(chunk.fileName))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.js'), format(withOneExport(withoutCommentsOfPackages(chunk), chunk)))
  writeFileSync(join(folder, 'modules.txt'), `${modulesIn(chunk).join('\n')}\n`)
}

/** The code of `chunk`. What packages say in comments is in the packages, and would be a fifth of the bundle of rotate. */
function withoutCommentsOfPackages({ code, modules }: OutputChunk): string {
  const minify = { compress: false, mangle: false, format: { comments: false as const } }
  return Object.entries(modules).reduce((text, [id, module]) => {
    if (!id.includes('/node_modules/') || !module.code) return text
    const bare = transformSync(module.code, {
      configFile: false,
      swcrc: false,
      jsc: { target: 'esnext', minify },
    }).code
    return text.replace(module.code, () => bare)
  }, code)
}

/** Exports all names of `chunk` in one object, not each in a statement of its own as Rollup does: 1 kB less in main. */
function withOneExport(code: string, { exports }: OutputChunk): string {
  const lineOf = (name: string) => `\nexports.${name} = ${name};`
  const names = exports.filter((name) => code.includes(lineOf(name)))
  if (names.length === 0) return code
  const rest = names.reduce((text, name) => text.replace(lineOf(name), ''), code)
  return `${rest}\nmodule.exports = { ${names.join(', ')} };\n`
}

/** The files that the code of `chunk` comes from. */
function modulesIn({ modules }: OutputChunk): string[] {
  const used = Object.entries(modules).filter(([, { renderedLength }]) => renderedLength > 0)
  return used.map(([id]) => sourceOf(id)).sort()
}

/** The file of `src` from which tsc made `id`, or the file of a package. */
function sourceOf(id: string): string {
  const compiled = relative('build', id)
  return compiled.startsWith('..') ? relative('.', id) : join('src', compiled.replace(/\.js$/, '.ts'))
}

/** The licenses of the packages to which `modules` belong, as their authors publish them. */
function licensesOf(modules: string[]): string {
  const packages = BUNDLED_PACKAGES.map((name) => ({ name, folder: `node_modules/${name}` }))
  return packages
    .filter(({ folder }) => modules.some((module) => module.startsWith(`${folder}/`)))
    .map(({ name, folder }) => {
      const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
      return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
    })
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/** Formats code like the source, but shorter. With tabs, each reader chooses the width of the indentation. */
function format(code: string): string {
  const biome = 'node_modules/@biomejs/biome/bin/biome'
  const options = [
    'format',
    '--indent-style=tab',
    '--line-width=150',
    '--expand=never',
    '--trailing-commas=none',
    '--arrow-parentheses=as-needed',
    '--stdin-file-path=bundle.js',
  ]
  return execFileSync(process.execPath, [biome, ...options], {
    input: code,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
}
