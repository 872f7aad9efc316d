import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { readRotateInputs } from '../../src/rotate/inputs.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const { inputs, outputs, runs } = parse(read('rotate/action.yml')) as {
  inputs: Record<string, { default?: string; required?: boolean; description: string }>
  outputs: Record<string, { description: string }>
  runs: { using: string; main: string; post: string }
}

/** What every `yaml` block of a page gives to rotate. */
function uses(page: string): Record<string, string>[] {
  const blocks = [...read(page).matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => parse(text))
  const steps = blocks.flatMap((block) =>
    Array.isArray(block) ? block : Object.values(block.jobs as object).flatMap(({ steps }) => steps),
  )
  return steps.filter(({ uses = '' }) => uses.includes('/rotate@')).map((step) => step.with)
}

describe('rotate/action.yml', () => {
  test('has the defaults that an empty input takes', () => {
    const given: Record<string, string> = { 'api-key': 'the-long-key', 'github-token': 'token' }
    const defaults: Record<string, string> = Object.fromEntries(
      Object.entries(inputs).map(([name, input]) => [name, input.default ?? '']),
    )
    const empty = readRotateInputs((name) => given[name] ?? '', {})
    expect(readRotateInputs((name) => given[name] ?? defaults[name] ?? '', {})).toEqual(empty)
  })

  test('runs its own bundle on Node 24', () => {
    expect(runs).toEqual({
      using: 'node24',
      main: '../dist/rotate/index.js',
      post: '../dist/rotate/post/index.js',
    })
  })
})

describe.each(['docs/rotation.md', 'rotate/README.md'])('%s', (page) => {
  test('uses only existing inputs, and all required ones', () => {
    expect(uses(page)).not.toEqual([])
    const required = Object.keys(inputs).filter((name) => inputs[name]?.required)
    for (const given of uses(page)) {
      expect(Object.keys(inputs)).toEqual(expect.arrayContaining(Object.keys(given)))
      expect(Object.keys(given)).toEqual(expect.arrayContaining(required))
    }
  })
})

test('docs/rotation.md explains every state and every output', () => {
  const page = read('docs/rotation.md')
  const states = [...read('src/rotate/report.ts').matchAll(/^ {2}state: (.*)$/gm)]
    .flatMap(([, union = '']) => [...union.matchAll(/'([^']+)'/g)])
    .map(([, state]) => state)
  expect(states.length).toBeGreaterThanOrEqual(4)
  for (const state of states) expect(page).toContain(`| \`${state}\` |`)
  for (const name of Object.keys(outputs)) expect(page).toContain(`\`${name}\``)
})

test('every module of src/rotate is mutated, except the one of types', () => {
  const { mutate } = JSON.parse(read('stryker.rotate.config.json')) as { mutate: string[] }
  const modules = readdirSync(new URL('../../src/rotate', import.meta.url)).map(
    (name) => `src/rotate/${name}`,
  )
  expect([...mutate, 'src/rotate/deps.ts'].sort()).toEqual(modules.sort())
})
