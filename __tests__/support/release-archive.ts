import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../../', import.meta.url))

/**
 * The tar file that a job would download if the work tree were committed as it is: what `export-ignore` leaves out is
 * not in it. Git's index stays as it is, and new objects go to a temporary folder.
 */
export function archiveOfWorkTree(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'archive-'))
  const git = (args: string[], env: Record<string, string> = {}) =>
    execFileSync('git', args, { cwd: repository, env: { ...process.env, ...env }, maxBuffer: 2 ** 28 })
  const path = (name: string) => resolve(repository, String(git(['rev-parse', '--git-path', name])).trim())
  const env = {
    GIT_INDEX_FILE: join(folder, 'index'),
    GIT_OBJECT_DIRECTORY: folder,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: path('objects'),
  }
  try {
    git(['add', '--all'], env)
    const tree = String(git(['write-tree'], env)).trim()
    return git(['archive', tree], env)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The paths of the files in a tar file, sorted. */
export function filesIn(archive: Buffer): string[] {
  const names = execFileSync('tar', ['-t'], { input: archive, encoding: 'utf8' }).trim().split('\n')
  return names.filter((name) => !name.endsWith('/')).sort()
}

/** Writes the files of a tar file into an existing folder. */
export function extract(archive: Buffer, folder: string): void {
  execFileSync('tar', ['-x'], { input: archive, cwd: folder })
}
