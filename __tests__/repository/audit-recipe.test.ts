import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../..')
const [, recipe = ''] =
  /^```yaml\n(# \.github\/workflows\/audit\.yml\n.*?)^```$/ms.exec(
    readFileSync(join(root, 'docs/recipes.md'), 'utf8'),
  ) ?? []
const step = parse(recipe).jobs.audit.steps[1]

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-recipe-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs the recipe's script with a `gh` that notes what it is asked for, and finds `issue` (a number, or nothing). */
function run(issue: string, env: Record<string, string>) {
  const gh = join(folder, 'gh')
  const noted = join(folder, 'noted')
  writeFileSync(noted, '')
  writeFileSync(
    gh,
    `#!/usr/bin/env bash\ncase "$2" in list) echo '${issue}';; *) echo "$*" >> '${noted}'; test ! -f body.md || cat body.md >> '${noted}';; esac\n`,
  )
  chmodSync(gh, 0o755)
  rmSync(join(folder, 'body.md'), { force: true })
  const { status, stderr } = spawnSync('bash', ['--noprofile', '--norc', '-e', '-c', step.run], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      TITLE: step.env.TITLE,
      RUN: 'https://github.com/run/1',
      FINDINGS: '',
      OK: '',
      ...env,
    },
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return readFileSync(noted, 'utf8')
}

const FINDINGS = JSON.stringify([
  { class: 'unexpected', finding: 'never-expires', id: '7', prefix: 'abc', created: 'x', expiry: null },
])

const hasTools = spawnSync('jq', ['--version']).status === 0 && process.platform !== 'win32'
const whereTools = hasTools ? describe : describe.skip

whereTools('the recipe of a weekly audit', () => {
  test('opens an issue that names each finding', () => {
    const noted = run('', { OK: 'false', FINDINGS })
    expect(noted).toMatch(/^issue create --title SphereScout keys need attention --body-file body\.md\n/)
    expect(noted).toContain('https://github.com/run/1')
    expect(noted).toContain('- **never-expires**: `abc` (id `7`), expires -')
  })

  test('comments on an issue that is open', () => {
    expect(run('12', { OK: 'false', FINDINGS })).toMatch(/^issue comment 12 --body-file body\.md\n/)
  })

  test('closes an issue once there are no findings', () => {
    expect(run('12', { OK: 'true', FINDINGS: '[]' })).toBe(
      'issue close 12 --comment No findings any more: https://github.com/run/1\n',
    )
  })

  test('does nothing without an issue and without findings', () => {
    expect(run('', { OK: 'true', FINDINGS: '[]' })).toBe('')
  })

  test('opens an issue too if the audit itself failed', () => {
    expect(run('', {})).toContain('The audit could not judge the keys; the log says why.')
  })
})
