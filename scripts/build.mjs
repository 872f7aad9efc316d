// Builds dist/ from src/: TypeScript to a scratch folder, one file a step with ncc, and out of that what nothing uses.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { minify } from 'terser'

const outDir = resolve(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)))
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const run = (...command) =>
  execFileSync('node', command, { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28 })

rmSync('build', { recursive: true, force: true })
run('node_modules/typescript/bin/tsc')
declareFreeOfSideEffects()
for (const step of ['main', 'post']) {
  const folder = join(outDir, step)
  rmSync(folder, { recursive: true, force: true })
  run(
    'node_modules/@vercel/ncc/dist/ncc/cli.js',
    'build',
    `build/${step}.js`,
    '-o',
    folder,
    '--license',
    'licenses.txt',
  )
  const bundle = join(folder, 'index.js')
  const whole = readFileSync(bundle, 'utf8')
  writeFileSync(join(folder, 'modules.txt'), modulesIn(whole))
  writeFileSync(bundle, layOut(await withoutUnused(whole)))
}

/**
 * The toolkit's packages do not say that importing them has no effect of its own, so the bundler has to keep all they
 * could reach: an HTTP client and an OIDC client that this action never calls (480 kB). Saying it for them lets the
 * bundler drop what is unused. A package that is gone after an upgrade is simply skipped.
 */
function declareFreeOfSideEffects() {
  for (const name of ['core', 'github', 'http-client', 'exec', 'io']
    .map((part) => `@actions/${part}`)
    .concat('undici')) {
    const path = `node_modules/${name}/package.json`
    try {
      const manifest = JSON.parse(readFileSync(path, 'utf8'))
      writeFileSync(path, `${JSON.stringify({ ...manifest, sideEffects: false }, null, 2)}\n`)
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
  }
}

/** Takes out functions that nothing calls, and the comments that described them. Renames and rewrites nothing else. */
async function withoutUnused(code) {
  const { code: used } = await minify(code, {
    module: true,
    mangle: false,
    compress: { defaults: false, unused: true, side_effects: true, passes: 5 },
    format: { beautify: true, comments: 'all' },
  })
  // A doc comment that is followed by another one has lost the function that it described.
  const orphan = /\/\*\*(?!\*)(?:(?!\*\/)[\s\S])*\*\/\s*(?=\/\*\*)/g
  return used.replaceAll('/******/', '').replace(orphan, '')
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

/** The modules that are in the bundle, one a line: what a reader has to trust, and a diff shows when it grows. */
function modulesIn(code) {
  const names = code.match(/(?<= MODULE: \.\/)\S+/g)
  const sources = names.map((name) => name.replace(/^build\/(.*)\.js$/, 'src/$1.ts'))
  return `${[...new Set(sources)].sort().join('\n')}\n`
}
