import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const root = join(import.meta.dirname, '../..')

/** The files that `mutate` of a configuration of Stryker names: for each of its patterns, those that it matches. */
function mutatedBy(config: string): [pattern: string, files: string[]][] {
  const { mutate }: { mutate: string[] } = JSON.parse(readFileSync(join(root, config), 'utf8'))
  return mutate.map((pattern) => [pattern, globSync(pattern, { cwd: root })])
}

describe.each(['stryker.config.json', 'stryker.rotate.config.json'])('%s', (config) => {
  test('names only files that exist', () => {
    const stale = mutatedBy(config).filter(([, files]) => files.length === 0)
    expect(stale.map(([pattern]) => pattern)).toEqual([])
  })
})

test.each(['protocol', 'retry'])('every file of src/%s is mutated', (folder) => {
  const mutated = new Set(mutatedBy('stryker.config.json').flatMap(([, files]) => files))
  const missing = globSync(`src/${folder}/**/*.ts`, { cwd: root }).filter((file) => !mutated.has(file))
  expect(missing).toEqual([])
})
