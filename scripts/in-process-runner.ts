// A test runner for Stryker that needs no Jest: it loads the unit tests once per process and switches mutants while they
// are loaded, so that a mutant costs the milliseconds of its tests instead of the seconds in which Jest starts.
//   npm run mutate, npm run mutate:rotation
import { globSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { collectedTests, type RegisteredTest, setFile } from './in-process-globals.ts'

/** What Stryker's instrumented code reads and writes: the active mutant, and which test reaches which mutant. */
interface StrykerGlobals {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  hitCount?: number | undefined
  hitLimit?: number | undefined
  mutantCoverage?: { static: object; perTest: object }
}

/** The parts of Stryker's interface that are used here (see its `TestRunner`). */
interface MutantRun {
  activeMutant: { id: string }
  /** The tests that reach the mutant; undefined: all. */
  testFilter?: string[]
  hitLimit?: number
  disableBail: boolean
  mutantActivation: 'runtime' | 'static'
}
interface StrykerOptions {
  inProcess: { tests: string[] }
}

const TEST_STATUS = { success: 0, failed: 1 } as const

class InProcessRunner {
  static inject = ['options'] as const
  readonly #patterns: string[]
  readonly #stryker: StrykerGlobals

  constructor({ inProcess }: StrykerOptions) {
    this.#patterns = inProcess.tests
    const shared = globalThis as { __stryker__?: StrykerGlobals }
    shared.__stryker__ ??= {}
    this.#stryker = shared.__stryker__
  }

  /** Modules cannot be loaded again, so Stryker starts a new process for a mutant that acts while they are loaded. */
  capabilities() {
    return { reloadEnvironment: false }
  }

  async dryRun() {
    const results = []
    for (const test of await this.#load()) {
      this.#stryker.currentTestId = test.id
      const startedAt = performance.now()
      const failure = await test.run()
      this.#stryker.currentTestId = undefined
      const result = { id: test.id, name: test.id, timeSpentMs: performance.now() - startedAt }
      results.push(
        failure === null
          ? { ...result, status: TEST_STATUS.success }
          : { ...result, status: TEST_STATUS.failed, failureMessage: failure },
      )
    }
    return { status: 'complete', tests: results, mutantCoverage: this.#stryker.mutantCoverage }
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, disableBail, mutantActivation }: MutantRun) {
    const stryker = this.#stryker
    if (mutantActivation === 'static') stryker.activeMutant = activeMutant.id
    const tests = await this.#load()
    Object.assign(stryker, { activeMutant: activeMutant.id, hitLimit, hitCount: hitLimit && 0 })
    const wanted = new Set(testFilter ?? tests.map(({ id }) => id))
    const killers: string[] = []
    let failureMessage = ''
    let nrOfTests = 0
    for (const test of tests.filter(({ id }) => wanted.has(id))) {
      nrOfTests += 1
      const failure = await test.run()
      if (Number(stryker.hitCount) > Number(hitLimit)) return { status: 'timeout', reason: 'hit limit' }
      if (failure === null) continue
      killers.push(test.id)
      failureMessage ||= failure
      if (!disableBail) break
    }
    stryker.activeMutant = undefined
    if (killers.length === 0) return { status: 'survived', nrOfTests }
    return { status: 'killed', killedBy: killers, failureMessage, nrOfTests }
  }

  /** Loads the test files once, those of the simulation last. */
  async #load(): Promise<readonly RegisteredTest[]> {
    if (collectedTests.length > 0) return collectedTests
    useOwnGlobals()
    for (const path of this.#patterns.flatMap((pattern) => globSync(pattern).sort())) {
      setFile(path)
      await import(pathToFileURL(resolve(path)).href)
    }
    return collectedTests
  }
}

/** Gives tests in-process-globals.ts instead of Jest's globals. */
function useOwnGlobals(): void {
  const url = new URL('in-process-globals.ts', import.meta.url).href
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === '@jest/globals' ? { url, shortCircuit: true } : next(specifier, context),
  })
}

/** Tells Stryker that the option `inProcess` is no typo. */
export const strykerValidationSchema = { properties: { inProcess: { type: 'object' } } }

export const strykerPlugins = [{ kind: 'TestRunner', name: 'in-process', injectableClass: InProcessRunner }]
