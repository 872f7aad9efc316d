import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import type { ListedKey } from '../../src/api/key-api.ts'
import { auditAccount } from '../../src/audit/audit-account.ts'
import { readAuditInputs } from '../../src/audit/inputs.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const DAY_MS = 86_400_000
const API_KEY = '0123456789abcdef'.repeat(4)

/** Audits an account with the key in use and one other; the texts that SHA-256 was asked for. */
async function hashedFor({ expiresAt }: { expiresAt: number | null }): Promise<string[]> {
  const hashed: string[] = []
  const key = { prefix: 'other', createdAt: NOW - DAY_MS, expiresAt: null, unreadable: null }
  const keys: ListedKey[] = [
    { ...key, id: '1', prefix: API_KEY.slice(0, 15) },
    { ...key, id: '2', expiresAt },
  ]
  const inputs = readAuditInputs((name) => (name === 'api-key' ? API_KEY : ''), {
    GITHUB_REPOSITORY_ID: '42',
  })
  const ignore = () => {}
  await auditAccount(inputs, {
    api: { list: async () => ({ ok: true, skew: 0, value: { keys, doubt: null, pages: 1 } }) },
    clock: { now: () => NOW, sleep: async () => {} },
    random: () => 0,
    sha256: (text) => {
      hashed.push(text)
      return createHash('sha256').update(text).digest()
    },
    runner: { info: ignore, warning: ignore, fail: ignore, setOutput: ignore, writeSummary: ignore },
  })
  return hashed
}

describe('the audit of an account', () => {
  test.each([
    ['that never expires', null],
    ['of the main action', NOW + 3_600_123],
    ['that expires on a whole second', NOW + 60 * DAY_MS],
  ])('with a key %s computes no SHA-256, which takes long to load', async (_, expiresAt) => {
    expect(await hashedFor({ expiresAt })).toEqual([])
  })

  test('with a key that a rotation may have made computes one for each rotation', async () => {
    expect(await hashedFor({ expiresAt: NOW + 60 * DAY_MS + 1 })).toHaveLength(1)
  })
})
