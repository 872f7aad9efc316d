// Fails unless dist/ is what src/ builds, byte for byte.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const fresh = mkdtempSync(join(tmpdir(), 'dist-'))
execFileSync(process.execPath, ['scripts/build.ts', fresh], { stdio: 'inherit' })
const { status } = spawnSync('git', ['diff', '--no-index', '--stat', 'dist', fresh], { stdio: 'inherit' })
rmSync(fresh, { recursive: true })
if (status === 0) console.log('dist is what the source builds.')
else console.error('dist differs from what the source builds. Run `npm run build` and commit the result.')
process.exitCode = status ?? 1
