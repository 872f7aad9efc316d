import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { CANCEL, createCancellation } from '../src/cancellation.ts'
import { requireCommandFiles } from '../src/command-files.ts'
import { clockNote, inFull, issuedLine, type Runner, shortened, summarise } from '../src/report.ts'
import type { IssuedKey } from '../src/saved-state.ts'
import { fileDigest, systemClock } from '../src/system.ts'
import { INPUTS } from './support/rehearsal.ts'

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
    /does not set B and C, .*No key was asked for\./,
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

  test('tells one file’s content from another’s', () => {
    const folder = mkdtempSync(join(tmpdir(), 'digest-'))
    const path = join(folder, 'file')
    writeFileSync(path, 'abc')
    expect(fileDigest(path)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(fileDigest(join(folder, 'none'))).toBeNull()
    rmSync(folder, { recursive: true })
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
    const runner = { summarise: (text: string) => (markdown += text) } as unknown as Runner
    summarise(runner, 'Title', 'Fate', [{ key, fate: 'ended' }])
    return markdown
  }

  test('a key in short and in full, and never its text', () => {
    expect(shortened(key)).toBe('the-sec... (id aaaaaaaa...)')
    expect(shortened({ prefix: 'p', id: '1234567890123456' })).toBe('p... (id 1234567890123456)')
    expect(inFull(key)).toBe(`the-sec... (id ${'a'.repeat(128)})`)
    const all = issuedLine(key, INPUTS, 0) + table(key)
    expect(all).not.toContain('the-secret-key')
  })

  test('the lifetime, in minutes or hours', () => {
    expect(issuedLine(key, INPUTS, Date.parse('2027-01-01T00:00:00Z'))).toContain(
      'valid until 2027-01-01 03:00:00 UTC (3 h from now)',
    )
    expect(issuedLine(key, INPUTS, Date.parse('2027-01-01T02:00:00Z'))).toContain('(60 min from now)')
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
