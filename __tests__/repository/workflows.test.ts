import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../..')
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'workflows-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The script of a workflow's step. */
function scriptOf(workflow: string, job: string, step: string): string {
  const { jobs } = parse(readFileSync(join(root, '.github/workflows', workflow), 'utf8'))
  return jobs[job].steps.find(({ name }: { name?: string }) => name === step).run
}

/** Runs a script as the runner does where `shell: bash` is asked for, with `gh` in place of the real one. */
function run(script: string, gh: string, env: Record<string, string> = {}) {
  writeFileSync(join(folder, 'gh'), `#!/usr/bin/env bash\n${gh}\n`)
  chmodSync(join(folder, 'gh'), 0o755)
  rmSync(join(folder, 'log'), { force: true })
  const { status, stdout } = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      RUNNER_TEMP: folder,
      GITHUB_REPOSITORY: 'owner/repo',
      GITHUB_RUN_ID: '1',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_SHA: 'c0ffee',
      ...env,
    },
  })
  return { status, stdout }
}

// The runner's own bash is on PATH on every system, but the stand-in for gh is a script that Windows cannot start.
const whereScripts = process.platform === 'win32' ? describe.skip : describe

whereScripts('what only GitHub runs of the end-to-end workflow', () => {
  const script = scriptOf('e2e.yml', 'verdict', 'The logs show asterisks and no key')
  const logs = (line: string) => `case "$*" in *per_page*) echo 7;; *) printf '${line}';; esac`
  const masked = 'The key reads: ***\\n'.repeat(6)

  test('accepts logs in which every key is masked, whatever digests the runner prints', () => {
    expect(run(script, logs(`Digest: sha256:${'0a'.repeat(32)}\\n${masked}`)).status).toBe(0)
  })

  test('refuses a log that shows a key, or fewer asterisks than there are', () => {
    const leak = run(script, logs(`${masked}key=${'0a'.repeat(32)}\\n`))
    expect(leak).toMatchObject({ status: 1, stdout: expect.stringContaining('looks like a key') })
    expect(leak.stdout).not.toContain('0a'.repeat(32))
    expect(run(script, logs('The key reads: ***\\n')).status).toBe(1)
  })
})

whereScripts('what only GitHub runs of a release', () => {
  const publish = scriptOf('release.yml', 'release', 'Publish the release')
  const moveTag = scriptOf('release.yml', 'release', 'Move the major tag, unless a newer release has it')
  /** What gh was asked to do: each call is noted, and fails where `fails` matches it. */
  function calls(script: string, tag: string, fails: string, tags: string[] = []) {
    const noted = join(folder, 'calls')
    writeFileSync(noted, '')
    const gh = `echo "$*" >> '${noted}'; case "$*" in ${fails}) exit 1;; *matching-refs*) printf '%s\\n' ${tags.join(' ')};; esac`
    const { status, stdout } = run(script, gh, { GITHUB_REF_NAME: tag })
    return { status, stdout, asked: readFileSync(noted, 'utf8') }
  }

  test('publishes what the changelog says, and finds a release that is there', () => {
    const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
    const [, version, firstLine] = /^## \[(.+?)\].*\n+(### .*)$/m.exec(changelog) ?? []
    const { status, asked } = calls(publish, `v${version}`, '*view*')
    expect(status).toBe(0)
    expect(asked).toContain(`release create v${version} --repo owner/repo --verify-tag`)
    expect(readFileSync(join(folder, 'notes.md'), 'utf8')).toContain(firstLine)
    expect(calls(publish, `v${version}`, 'never').asked).not.toContain('release create')
    expect(calls(publish, 'v0.0.0', '*view*')).toMatchObject({ status: 1 })
  })

  test('moves the major tag to the newest release, and never back', () => {
    expect(calls(moveTag, 'v1.10.0', 'never', ['v1.9.0', 'v1.10.0', 'v1.2.0']).asked).toContain(
      'PATCH repos/owner/repo/git/refs/tags/v1 -f sha=c0ffee',
    )
    expect(calls(moveTag, 'v1.0.0', '*ref/tags/v1', ['v1.0.0']).asked).toContain('ref=refs/tags/v1')
    const back = calls(moveTag, 'v1.2.1', 'never', ['v1.9.0', 'v1.2.1'])
    expect(back.asked).not.toMatch(/PATCH|POST/)
    expect(back.stdout).toContain('v1 stays at v1.9.0')
  })
})
