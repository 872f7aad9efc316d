import { describe, expect, test } from '@jest/globals'
import type { IssuedKey } from '../../src/protocol/saved-state.ts'
import { issuedLine } from '../../src/runner/issue-report.ts'
import { formatSeconds, keyLabel, keySummary } from '../../src/runner/report.ts'

const key: IssuedKey = {
  token: 'the-secret-key',
  id: 'a'.repeat(128),
  prefix: 'the-sec',
  createdAt: Date.parse('2027-01-01T00:00:00Z'),
  expiresAt: Date.parse('2027-01-01T03:00:00Z'),
  asked: Date.parse('2027-01-01T03:00:00Z'),
  keep: false,
}

describe('issuedLine', () => {
  test.each([
    [57.4 * 60_000, '(for 57 min)'],
    [3 * 3_600_000, '(for 3 h)'],
    [119 * 60_000, '(for 119 min)'],
    [5 * 86_400_000, '(for 120 h)'],
  ])('gives a lifetime of %d ms as %s, by the server’s clock', (lifetime, text) => {
    const expiresAt = (key.createdAt ?? 0) + lifetime
    expect(issuedLine({ ...key, expiresAt }, true)).toContain(` UTC ${text}. The post step`)
  })

  test('gives no lifetime if the creation time is unknown or not before the expiry', () => {
    for (const createdAt of [null, key.expiresAt, (key.expiresAt ?? 0) + 241 * 60_000])
      expect(issuedLine({ ...key, createdAt }, false)).toBe(
        'Created the API key the-sec... (id aaaaaaaa...), valid until 2027-01-01 03:00:00 UTC. ' +
          'It stays valid until it expires (`revoke: false`).',
      )
  })

  test('says that an expiry is unknown', () => {
    expect(issuedLine({ ...key, expiresAt: null }, true)).toContain(', whose expiry is unknown. ')
  })
})

test('keyLabel shows no character of the API that could start a command, a tag or a link', () => {
  expect(keyLabel({ prefix: '##[add-mask]o', id: '[x](y)' })).toBe('???add-mask?o... (id ?x??y?)')
})

test('formatSeconds shows one decimal', () => {
  expect(formatSeconds(2_500)).toBe('2.5 s')
})

describe('keySummary', () => {
  test('writes one row for each key, with its status', () => {
    expect(keySummary('Title', [{ key, status: '**Revoked**' }])).toBe(
      '### Title\n\n| API key | ID | Created | Expires | Status |\n| --- | --- | --- | --- | --- |\n' +
        '| `the-sec...` | `aaaaaaaa...` | 2027-01-01 00:00:00 UTC | 2027-01-01 03:00:00 UTC | **Revoked** |\n',
    )
  })

  test('tells an expiry that is never from one that is unknown', () => {
    const unknown = { ...key, createdAt: null, expiresAt: null }
    expect(keySummary('Title', [{ key: unknown, status: 'x' }])).toContain('| unknown | unknown | x |')
  })

  test('keeps its five columns whatever the API calls a key', () => {
    const hostile = { ...key, prefix: '\n|`<b>\\', id: '|`<img>[x](y)' }
    const rows = keySummary('Title', [{ key: hostile, status: 'x' }]).split('\n')
    expect(rows).toHaveLength(6)
    expect(rows[4]?.match(/\|/g)).toHaveLength(6)
    expect(rows[4]?.match(/`/g)).toHaveLength(4)
    expect(rows[4]).not.toMatch(/[<>[\]]/)
  })
})
