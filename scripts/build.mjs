// Builds dist/ from src/: TypeScript to a scratch folder, then one readable file per step with ncc.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const outDir = process.argv[2] ?? 'dist'

// The toolkit's packages do not say that importing them has no effect of its own, so the bundler has to keep
// all they could reach: an HTTP client and an OIDC client that this action never calls (480 kB). Saying it for
// them lets the bundler drop what is unused. A package that is gone after an upgrade is simply skipped.
for (const name of ['core', 'github', 'http-client', 'exec', 'io']
  .map((p) => `@actions/${p}`)
  .concat('undici')) {
  const path = `node_modules/${name}/package.json`
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, `${JSON.stringify({ ...manifest, sideEffects: false }, null, 2)}\n`)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}

rmSync('build', { recursive: true, force: true })
execFileSync('node', ['node_modules/typescript/bin/tsc'], { stdio: 'inherit' })
for (const step of ['main', 'post']) {
  rmSync(`${outDir}/${step}`, { recursive: true, force: true })
  execFileSync(
    'node',
    [
      'node_modules/@vercel/ncc/dist/ncc/cli.js',
      'build',
      `build/${step}.js`,
      '-o',
      `${outDir}/${step}`,
      '--license',
      'licenses.txt',
      '--stats-out',
      `build/${step}.stats.json`,
      '-q',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
}
