import { execFileSync } from 'node:child_process'
import { describe, expect, jest, test } from '@jest/globals'
import type { IssuedKey } from '../../src/protocol/saved-state.ts'
import { CANCEL, createCancellation } from '../../src/retry/cancellation.ts'
import { requireCommandFiles } from '../../src/runner/command-files.ts'
import { clockNote, issuedLine, keyLabel, type Runner, writeSummary } from '../../src/runner/report.ts'
import { bootedAt, systemClock } from '../../src/util/system.ts'
import { INPUTS } from '../support/harness.ts'

describe('a cancellation', () => {
  test('happens once, when it is first asked for', () => {
    let now = 5
    const cancellation = createCancellation(() => now)
    expect(cancellation.requestedAt).toBeNull()
    expect(cancellation.signal.aborted).toBe(false)
    cancellation.request()
    now = 9
    cancellation.request()
    expect(cancellation.requestedAt).toBe(5)
    expect(cancellation.signal.aborted).toBe(true)
  })

  test('leaves main less than the runner does before SIGTERM', () => {
    expect(CANCEL.lastReply).toBeLessThan(CANCEL.lastRequest)
    expect(CANCEL.lastRequest).toBeLessThan(CANCEL.end)
    expect(CANCEL.end).toBeLessThan(7_000)
  })
})

test('the runner’s files have to be there', () => {
  expect(() => requireCommandFiles({ A: 'x', B: 'y' }, ['A', 'B'])).not.toThrow()
  expect(() => requireCommandFiles({ A: 'x', B: '' }, ['A', 'B', 'C'])).toThrow(
    /does not set B and C, .*No key was requested\./,
  )
})

describe('the machine', () => {
  test('sleeps, and is woken', async () => {
    const startedAt = Date.now()
    await systemClock.sleep(20)
    expect(systemClock.now() - startedAt).toBeGreaterThanOrEqual(18)
    await systemClock.sleep(60_000, AbortSignal.timeout(10))
    await systemClock.sleep(60_000, AbortSignal.abort())
    expect(Date.now() - startedAt).toBeLessThan(5_000)
  })

  test('has one time for all its processes, which nobody sets', async () => {
    const source = `import { bootedAt } from '${new URL('../../src/util/system.ts', import.meta.url)}'; console.log(bootedAt)`
    const other = execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
      encoding: 'utf8',
    })
    expect(Math.abs(Number(other) - bootedAt)).toBeLessThan(20)
    const before = systemClock.now()
    const setBack = jest.spyOn(Date, 'now').mockReturnValue(0)
    expect(systemClock.now() - before).toBeLessThan(1_000)
    setBack.mockRestore()
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000)
  })
})

describe('what a person reads', () => {
  const key: IssuedKey = {
    token: 'the-secret-key',
    id: 'a'.repeat(128),
    prefix: 'the-sec',
    createdAt: Date.parse('2027-01-01T00:00:00Z'),
    expiresAt: Date.parse('2027-01-01T03:00:00Z'),
    keep: false,
  }
  const table = (key: IssuedKey) => {
    let markdown = ''
    const runner = { writeSummary: (text: string) => (markdown += text) } as unknown as Runner
    writeSummary(runner, 'Title', 'Fate', [{ key, fate: 'ended' }])
    return markdown
  }

  test('a key in short and in full, and never its text', () => {
    expect(keyLabel(key)).toBe('the-sec... (id aaaaaaaa...)')
    expect(keyLabel({ prefix: 'p', id: '1234567890123456' })).toBe('p... (id 1234567890123456)')
    const all = issuedLine(key, INPUTS, 0) + table(key)
    expect(all).not.toContain('the-secret-key')
  })

  test('the lifetime, in minutes or hours', () => {
    expect(issuedLine(key, INPUTS)).toContain('valid until 2027-01-01 03:00:00 UTC (for 3 h)')
  })

  test('text of the server’s cannot start a line, a command, a cell or a tag', () => {
    const hostile = { ...key, prefix: '\n::error::x', id: '|`<b>\\' }
    expect(issuedLine(hostile, INPUTS, 0)).not.toContain('\n')
    const row = table(hostile).split('\n')[4] ?? ''
    expect(row.match(/\|/g)).toHaveLength(6)
    expect(row).not.toContain('<b>')
  })

  test('which way a clock is wrong', () => {
    expect(clockNote(90_000)).toContain("1.5 min behind the API's")
    expect(clockNote(-90_000)).toContain("1.5 min ahead of the API's")
  })
})
