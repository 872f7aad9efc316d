import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'

type Step = { uses?: string; with?: Record<string, unknown>; id?: string }
type Metadata = { inputs: Record<string, { required?: boolean }>; outputs: Record<string, unknown> }

const root = join(import.meta.dirname, '../..')
const thisAction = /^[\w.-]+\/spherescout-ephemeral-key((?:\/\w+)?)@v1$/
const files = blocks(readFileSync(join(root, 'docs', 'recipes.md'), 'utf8'))

/** What the action that a step uses declares: this one, or one in a folder of this repository. */
function metadataOf({ uses = '' }: Step): Metadata {
  const [, folder = ''] = thisAction.exec(uses) ?? []
  return parse(readFileSync(join(root, folder, 'action.yml'), 'utf8'))
}

/** Every `yaml` block of a document, by the path that its first line names. */
function blocks(markdown: string): Array<{ path: string; text: string }> {
  return [...markdown.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => {
    const path = /^# (\.github\/(?:workflows|actions)\/[\w./-]+\.yml)\n/.exec(text)?.[1]
    if (path === undefined) throw new Error(`A block does not begin with its path:\n${text}`)
    return { path, text }
  })
}

/** The steps of a workflow's jobs, or of a composite action. */
function stepsOf(text: string): Step[] {
  const file = parse(text, { strict: true }) as {
    jobs?: Record<string, { steps?: Step[] }>
    runs?: { steps: Step[] }
  }
  return file.runs?.steps ?? Object.values(file.jobs ?? {}).flatMap((job) => job.steps ?? [])
}

test('docs/recipes.md has at least 12 recipes, each with a path of its own', () => {
  expect(files.length).toBeGreaterThanOrEqual(12)
  expect(new Set(files.map(({ path }) => path)).size).toBe(files.length)
})

describe.each(files)('$path', ({ text }) => {
  const uses = stepsOf(text).filter((step) => thisAction.test(step.uses ?? ''))

  test('gives this action only existing inputs, and all required ones', () => {
    for (const step of uses) {
      const { inputs } = metadataOf(step)
      const given = Object.keys(step.with ?? {})
      expect(Object.keys(inputs)).toEqual(expect.arrayContaining(given))
      const required = Object.keys(inputs).filter((name) => inputs[name]?.required)
      expect(given).toEqual(expect.arrayContaining(required))
    }
  })

  test('reads only existing outputs of this action', () => {
    for (const step of uses) {
      const { id } = step
      const { outputs } = metadataOf(step)
      const read = [...text.matchAll(new RegExp(`steps\\.${id}\\.outputs\\.([\\w-]+)`, 'g'))]
      expect(Object.keys(outputs)).toEqual(expect.arrayContaining(read.map(([, name]) => name)))
    }
  })
})

/** Every step that uses this action, however deep in a block. */
function usesIn(value: unknown): Step[] {
  if (typeof value !== 'object' || value === null) return []
  const { uses } = value as Step
  return [...(thisAction.test(String(uses)) ? [value as Step] : []), ...Object.values(value).flatMap(usesIn)]
}

test.each([
  'README.md',
  'audit/README.md',
  'rotate/README.md',
  'docs/audit.md',
  'docs/faq.md',
  'docs/rotation.md',
])('the examples of %s give this action only existing inputs, and read only existing outputs', (path) => {
  const markdown = readFileSync(join(root, path), 'utf8')
  const examples = [...markdown.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text)
  const used = examples.flatMap((text) =>
    usesIn(parse(text, { strict: true })).map((step) => ({ step, text })),
  )
  expect(used.length).toBeGreaterThan(0)
  for (const { step, text } of used) {
    const { inputs, outputs } = metadataOf(step)
    expect(Object.keys(inputs)).toEqual(expect.arrayContaining(Object.keys(step.with ?? {})))
    const read = [...text.matchAll(new RegExp(`steps\\.${step.id}\\.outputs\\.([\\w-]+)`, 'g'))]
    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(read.map(([, name]) => name)))
  }
})

test('uses this action in every recipe except those that call another recipe', () => {
  const without = files.filter(({ text }) => !stepsOf(text).some((step) => thisAction.test(step.uses ?? '')))
  expect(without.map(({ path }) => path)).toEqual([
    '.github/workflows/composite.yml',
    '.github/workflows/call-download.yml',
  ])
})

const lint = spawnSync('actionlint', ['-version']).status === 0 ? describe : describe.skip

lint('actionlint', () => {
  let repository = ''

  beforeAll(() => {
    repository = mkdtempSync(join(tmpdir(), 'recipes-'))
    mkdirSync(join(repository, '.git'))
    for (const { path, text } of files) {
      mkdirSync(dirname(join(repository, path)), { recursive: true })
      writeFileSync(join(repository, path), text)
    }
  })
  afterAll(() => rmSync(repository, { recursive: true, force: true }))

  const run = () => spawnSync('actionlint', ['-no-color', '-oneline'], { cwd: repository, encoding: 'utf8' })

  test('accepts the recipes, laid out as one repository', () => {
    expect(run()).toMatchObject({ stdout: '', stderr: '', status: 0 })
  })

  test('rejects an input that the composite action does not take', () => {
    const caller = join(repository, '.github/workflows/composite.yml')
    const good = readFileSync(caller, 'utf8')
    writeFileSync(caller, good.replace('country:', 'land:'))
    try {
      expect(run().stdout).toContain('"land" is not defined')
    } finally {
      writeFileSync(caller, good)
    }
  })
})
