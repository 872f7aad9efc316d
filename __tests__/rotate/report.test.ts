import { describe, expect, test } from '@jest/globals'
import { openReport, plainLine, summaryOf } from '../../src/rotate/report.ts'

const KEY = {
  id: '17',
  prefix: 'abc',
  createdAt: Date.parse('2027-03-01T12:00:00Z'),
  expiresAt: Date.parse('2027-04-30T12:00:00Z'),
  unreadable: null,
}

describe('the summary', () => {
  test('of a run without results is the state and the reason', () => {
    expect(summaryOf({ ...openReport(), notes: ['It failed.'] })).toBe(
      '### SphereScout key rotation: Failed\n\n- It failed.\n',
    )
  })

  test('has no link from the text of a server', () => {
    const notes = [plainLine('A: "[Renew key](https://evil.example/x) ![x][y]".')]
    expect(summaryOf({ ...openReport(), notes })).toContain(
      '\n- A: "\\[Renew key\\](https:\\//evil.example/x) !\\[x\\]\\[y\\]".\n',
    )
  })

  test('of a run that was not due shows the key, the next rotation and how long the secret works', () => {
    const retired = [{ ...KEY, id: '9', prefix: 'old', expiresAt: null }]
    const report = {
      ...openReport(),
      state: 'Not due' as const,
      current: KEY,
      retired,
      dueAt: KEY.createdAt + 1000,
    }
    expect(summaryOf(report).split('\n')).toEqual([
      '### SphereScout key rotation: Not due',
      '',
      '| Key | Created | Expires | Status |',
      '| --- | --- | --- | --- |',
      '| `abc... (id 17)` | 2027-03-01 12:00:00 UTC | 2027-04-30 12:00:00 UTC | Received as api-key |',
      '| `old... (id 9)` | 2027-03-01 12:00:00 UTC | never | Revoked |',
      '',
      '- Next rotation: due at 2027-03-01 12:00:01 UTC',
      '- If rotation stops, the key in api-key works until 2027-04-30 12:00:00 UTC.',
      '',
    ])
  })

  test('tells an expiry that cannot be read from none', () => {
    const unreadable = { ...KEY, expiresAt: null, unreadable: 'expiry "soon"' }
    const summary = summaryOf({ ...openReport(), state: 'Not due', current: unreadable })
    expect(summary).toContain('| unreadable | Received as api-key |')
    expect(summary).toContain('\n- The expiry of the key in api-key cannot be read.\n')
    expect(summary).not.toMatch(/never|no expiry/)
    const never = summaryOf({ ...openReport(), current: { ...unreadable, unreadable: null } })
    expect(never).toContain('| never | Received as api-key |')
    expect(never).toContain('\n- The key in api-key has no expiry.\n')
  })

  test('of a rotation shows the new key first, then the status of the old one', () => {
    const created = { ...KEY, id: '18', prefix: 'new' }
    const report = {
      ...openReport(),
      state: 'Rotated' as const,
      current: { ...KEY, createdAt: null },
      created,
    }
    const rows = (summary: string) =>
      summary
        .split('\n')
        .filter((line) => line.startsWith('| '))
        .slice(2)
    expect(rows(summaryOf(report))).toEqual([
      '| `new... (id 18)` | 2027-03-01 12:00:00 UTC | 2027-04-30 12:00:00 UTC | New; in the secret |',
      '| `abc... (id 17)` |  | 2027-04-30 12:00:00 UTC | Replaced; still valid |',
    ])
    const revoked = rows(summaryOf({ ...report, retired: [KEY] }))
    expect(revoked).toHaveLength(2)
    expect(revoked[1]).toMatch(/\| Revoked \|$/)
  })
})

test('text from a server becomes one line without commands or Markdown', () => {
  expect(plainLine('a ##[add-mask]b `c` |d| <e> \\f\n::warning::g \u00e9')).toBe(
    'a # #[add-mask]b ?c? ?d? ?e? ?f ::warning::g \u00e9',
  )
})
