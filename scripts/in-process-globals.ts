// What the unit tests use of `@jest/globals`, for in-process-runner.ts.
import { createRequire } from 'node:module'
import { format } from 'node:util'
import type { expect as JestExpect } from '@jest/globals'

/** One test, ready to run. */
export interface RegisteredTest {
  /** File, groups and title. */
  id: string
  /** Returns the message of the failure, or null. */
  run(): Promise<string | null>
}

type Body = (...values: never[]) => unknown

/** Every test of the files that were loaded, in order. */
export const collectedTests: RegisteredTest[] = []
const known = new Set<string>()
let groups: { title: string; setUps: (() => Promise<unknown>)[] }[] = []

/** Tests that are registered from now on belong to this file. */
export function setFile(path: string): void {
  groups = [{ title: path, setUps: [] }]
}

function addTest(title: string, body: () => unknown): void {
  const all = groups
  const name = [...all.map((group) => group.title), title].join(' > ')
  let id = name
  for (let count = 2; known.has(id); count++) id = `${name} (${count})`
  known.add(id)
  collectedTests.push({
    id,
    async run() {
      try {
        for (const { setUps } of all) for (const setUp of setUps) await setUp()
        await body()
        return null
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    },
  })
}

function addGroup(title: string, body: () => unknown): void {
  const outer = groups
  groups = [...outer, { title, setUps: [] }]
  body()
  groups = outer
}

/** Adds Jest's `each`: `%s` and its like take a row's values in turn, `$name` a property. */
function withEach(add: (title: string, body: () => unknown) => void) {
  const each = (rows: readonly unknown[]) => (title: string, body: Body) => {
    for (const row of rows) {
      const values = Array.isArray(row) ? row : [row]
      add(titleOf(title, values), () => body(...(values as never[])))
    }
  }
  return Object.assign(add, { each })
}

function titleOf(title: string, values: readonly unknown[]): string {
  const count = title.match(/%[a-z]/g)?.length ?? 0
  const [first] = values
  return format(title.replaceAll('%p', '%j'), ...values.slice(0, count)).replace(/\$(\w+)/g, (text, name) =>
    typeof first === 'object' && first !== null && name in first ? String(Reflect.get(first, name)) : text,
  )
}

export const describe = withEach(addGroup)
export const test = withEach(addTest)

/** Runs before the first test of the group that runs. */
export function beforeAll(setUp: () => unknown): void {
  let done: Promise<unknown> | null = null
  groups.at(-1)?.setUps.push(() => (done ??= Promise.resolve(setUp())))
}

// Jest's own. It is a dependency of Jest's, not of this project, so it is looked up from there.
const requireFor = (name: string, from: string) => createRequire(createRequire(from).resolve(name))
const jest = requireFor('@jest/expect', createRequire(import.meta.url).resolve('@jest/globals'))
export const { expect } = jest('expect') as { expect: typeof JestExpect }
