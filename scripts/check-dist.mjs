// Fails where dist/ is not what src/ builds, byte for byte.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const fresh = mkdtempSync(join(tmpdir(), 'dist-'))
execFileSync('node', ['scripts/build.mjs', fresh], { stdio: 'inherit' })
const { status } = spawnSync('git', ['diff', '--no-index', '--stat', 'dist', fresh], { stdio: 'inherit' })
if (status !== 0) {
  console.error('dist is not what the source builds. Run `npm run build` and commit the result.')
  process.exit(1)
}
console.log('dist is what the source builds.')
