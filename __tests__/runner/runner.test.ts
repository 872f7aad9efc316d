import { execFileSync } from 'node:child_process'
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@actions/core'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { commandIn, hostileText, linesOf } from './obeyed-commands.ts'

const STDOUT = 1
let printed = ''
let isLogClosed = false
/** How many bytes the pipe takes at a time; between two times, it is full. */
let most = Infinity
let isPipeFull = false
let folder = ''
jest.unstable_mockModule('node:fs', () => ({
  ...fs,
  writeSync(target: number, bytes: Buffer) {
    if (target !== STDOUT || isLogClosed) throw new Error('EPIPE: broken pipe, write')
    isPipeFull = !isPipeFull && most < Infinity
    if (isPipeFull)
      throw Object.assign(new Error('EAGAIN: resource temporarily unavailable'), { code: 'EAGAIN' })
    const written = bytes.subarray(0, most)
    printed += written
    return written.length
  },
}))
const { debugLog, failStep, getInput, getState, runner } = await import('../../src/runner/runner.ts')
const env = { ...process.env }

beforeEach(() => {
  printed = ''
  isLogClosed = false
  most = Infinity
  folder = mkdtempSync(join(tmpdir(), 'runner-'))
  delete process.env.RUNNER_DEBUG
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
})

afterEach(() => {
  jest.restoreAllMocks()
  process.exitCode = 0
  process.env = { ...env }
  rmSync(folder, { recursive: true })
})

/** Names the variable's file, which is there and empty. */
function setFile(variable: string): string {
  const path = join(folder, variable)
  writeFileSync(path, '')
  process.env[variable] = path
  return path
}

describe('whatever is printed', () => {
  test('holds no command but the one that was meant', () => {
    process.env.RUNNER_DEBUG = '1'
    const commandsOf = (print: () => void) => {
      printed = ''
      print()
      return linesOf(printed).flatMap((line) => commandIn(line) ?? [])
    }
    fc.assert(
      fc.property(hostileText, (text) => {
        expect(commandsOf(() => runner.info(text))).toEqual([])
        expect(commandsOf(() => runner.warning(text))).toEqual(['warning'])
        expect(commandsOf(() => debugLog()?.(text))).toEqual(['debug'])
        const failed = commandsOf(() => failStep(new Error(text)))
        expect(failed[0]).toBe('error')
        expect(failed.slice(1).filter((name) => name !== 'debug')).toEqual([])
        expect(linesOf(printed).every((line) => /^::(error|debug)::/.test(line))).toBe(true)
      }),
    )
  })

  test('is escaped, so that a percent sign stays what it is', () => {
    runner.warning('100%0A')
    expect(printed).toBe('::warning::100%250A\n')
  })
})

describe('an annotation', () => {
  const long = `first ${'x'.repeat(5_000)} last`

  test.each([
    ['warning', () => runner.warning(long)],
    ['error', () => failStep(new Error(long))],
  ])('that is too long is cut, and printed in full in the log (%s)', (level, print) => {
    print()
    const [full, annotation = '', ...rest] = linesOf(printed)
    expect(full).toBe(long)
    expect(annotation).toMatch(
      new RegExp(`^::${level}::first x+\\.\\.\\. \\(truncated; the full text is in the log`),
    )
    expect(annotation).toHaveLength(4_000 + `::${level}::`.length)
    expect(annotation).toMatch(/ log of this step\)$/)
    expect(rest).toEqual([])
  })

  test('that is too long holds no command in its full text either', () => {
    runner.warning(`a\n::add-mask::x ##[group]${'x'.repeat(5_000)}`)
    expect(linesOf(printed).map((line) => commandIn(line))).toEqual([null, 'warning'])
    expect(printed).not.toMatch(/^::add-mask/m)
    expect(printed).not.toContain('##[')
  })

  test('that fits is printed once', () => {
    const longest = 'x'.repeat(4_000)
    runner.warning(longest)
    expect(printed).toBe(`::warning::${longest}\n`)
  })
})

describe('failStep', () => {
  test('fails the step with the message alone', () => {
    failStep(new Error('No key.'))
    expect(process.exitCode).toBe(1)
    expect(printed).toBe('::error::No key.\n')
  })

  test('calls an error that is not thrown on purpose unexpected, and prints its stack only in the debug log', () => {
    const error = new TypeError("Cannot read properties of null (reading 'id')")
    failStep(error)
    expect(printed).toBe(
      "::error::Unexpected TypeError, please report it: Cannot read properties of null (reading 'id')\n",
    )
    printed = ''
    process.env.RUNNER_DEBUG = '1'
    failStep(error)
    expect(printed).toContain('::debug::at ')
    expect(
      linesOf(printed)
        .slice(1)
        .every((line) => line.startsWith('::debug::')),
    ).toBe(true)
  })

  test('accepts a thrown value that is not an Error', () => {
    failStep('odd')
    expect(printed).toBe('::error::odd\n')
  })
})

describe('debugLog', () => {
  test('is null unless debug logging is on', () => {
    expect(debugLog()).toBeNull()
    process.env.RUNNER_DEBUG = '1'
    debugLog()?.('GET /')
    expect(printed).toBe('::debug::GET /\n')
  })
})

test('a pipe that is full gets every line whole, so that a mask begins a line', () => {
  most = 5
  runner.info('a text')
  runner.setSecret('some secret')
  expect(printed).toBe('a text\n::add-mask::some secret\n')
})

test('a closed log stops nothing but a mask', () => {
  isLogClosed = true
  runner.info('text')
  runner.warning('text')
  failStep(new Error('text'))
  expect(process.exitCode).toBe(1)
  expect(() => runner.setSecret('some secret')).toThrow('EPIPE')
})

describe('beside @actions/core', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    hostileText,
    fc.constantFrom('ghadelimiter', 'ghadelimiterghadelimiter'),
  )
  /** The pairs in a file, as the runner reads them. */
  const pairsIn = (path: string) => {
    const lines = readFileSync(path, 'utf8').split('\n')
    const [, name, delimiter = ''] = /^(.*?)<<(.*)$/s.exec(lines[0] ?? '') ?? []
    const end = lines.indexOf(delimiter, 1)
    return { name, value: lines.slice(1, end).join('\n'), rest: lines.slice(end + 1) }
  }

  test.each([
    ['GITHUB_OUTPUT', 'setOutput'],
    ['GITHUB_STATE', 'saveState'],
    ['GITHUB_ENV', 'exportVariable'],
  ] as const)('hands the runner the same value through %s, whatever it is', (variable, call) => {
    // As a variable of this process, it may hold no NUL; the files may.
    const value = anyText.map((text) => text.replaceAll('\0', ''))
    fc.assert(
      fc.property(value, (text) => {
        const [ours, theirs] = [runner, core].map((writer) => {
          const path = setFile(variable)
          writer[call]('TEST_ONLY', text)
          return pairsIn(path)
        })
        expect(ours).toEqual(theirs)
        expect(ours).toEqual({ name: 'TEST_ONLY', value: Buffer.from(text).toString(), rest: [''] })
      }),
      { numRuns: 50 },
    )
    expect(printed).toBe('')
  })

  test('prints the same mask, whatever the secret', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const [ours, theirs] = [runner, core].map(({ setSecret }) => {
          printed = ''
          setSecret(text)
          return printed.replace(/\r?\n$/, '')
        })
        expect(ours).toBe(theirs)
      }),
    )
  })

  test('reads the same inputs and state', () => {
    for (const [name, value] of Object.entries({
      'INPUT_API-KEY': ' a\n',
      INPUT_API_KEY: 'b',
      STATE_record: ' {} ',
    }))
      process.env[name] = value
    for (const name of ['api-key', 'api_key', 'none']) expect(getInput(name)).toBe(core.getInput(name))
    for (const name of ['record', 'none']) expect(getState(name)).toBe(core.getState(name))
  })
})

describe('the runner’s files', () => {
  test.each([
    ['GITHUB_OUTPUT', () => runner.setOutput('key', 'value'), 'later steps get no outputs'],
    ['GITHUB_STATE', () => runner.saveState('record', 'value'), 'the post step could not revoke the key'],
    ['GITHUB_ENV', () => runner.exportVariable('TEST_ONLY_KEY', 'value'), 'export-env could not be set'],
  ])(
    'are named if they cannot be written, with the cause and the consequence (%s)',
    (variable, write, loss) => {
      process.env[variable] = folder
      expect(write).toThrow(
        new RegExp(`^Could not write the file ${variable} \\(EISDIR: .*\\), so ${loss}\\. Check`),
      )
    },
  )

  test.each([undefined, ''])('are said not to be set if their variable is %j', (path) => {
    if (path === undefined) delete process.env.GITHUB_STATE
    else process.env.GITHUB_STATE = path
    expect(() => runner.saveState('record', 'value')).toThrow(
      /^Could not write the file GITHUB_STATE \(ENOENT: .*'\(not set\)'\)/,
    )
  })

  test('are not created if they are not there, as the runner would not read them', () => {
    process.env.GITHUB_STATE = join(folder, 'none')
    expect(() => runner.saveState('record', 'value')).toThrow(
      /^Could not write the file GITHUB_STATE \(ENOENT: /,
    )
    expect(readdirSync(folder)).toEqual([])
  })

  test('may lack the summary, which is said in the log', () => {
    process.env.GITHUB_STEP_SUMMARY = folder
    runner.writeSummary('text')
    expect(printed).toMatch(
      /Could not write the file GITHUB_STEP_SUMMARY \(EISDIR: .*\), so the job summary is missing\. Check/,
    )
  })

  test('may have a name with a command in it, which the log does not repeat', () => {
    process.env.GITHUB_STEP_SUMMARY = join(folder, 'none\n::error::text')
    runner.writeSummary('text')
    expect(printed).toContain('Could not write the file GITHUB_STEP_SUMMARY (ENOENT: ')
    expect(linesOf(printed).flatMap((line) => commandIn(line) ?? [])).toEqual([])
  })

  test('hold all of a value or nothing of it, so that the next one can be read', () => {
    const path = setFile('GITHUB_STATE')
    const source = join(import.meta.dirname, '../../src/runner/runner.ts')
    const code =
      `import { runner } from ${JSON.stringify(source)}; runner.saveState('a', 'first');` +
      "try { runner.saveState('b', 'x'.repeat(2000)) } catch (error) { console.log(error.message) }" +
      "runner.saveState('c', 'third')"
    // Of a file that may have 1,024 bytes, the system writes as much as fits.
    const limited = 'trap "" XFSZ; ulimit -f 1; exec "$0" --input-type=module -e "$1"'
    const shown = execFileSync('bash', ['-c', limited, process.execPath, code], {
      encoding: 'utf8',
      env: process.env,
    })
    expect(shown).toMatch(/^Could not write the file GITHUB_STATE \(EFBIG: /)
    expect(readFileSync(path, 'utf8')).toBe(
      'a<<ghadelimiter\nfirst\nghadelimiter\nc<<ghadelimiter\nthird\nghadelimiter\n',
    )
  })

  test('receive the summary', () => {
    const path = setFile('GITHUB_STEP_SUMMARY')
    runner.writeSummary('### Keys')
    expect(readFileSync(path, 'utf8')).toBe('### Keys\n')
  })
})
