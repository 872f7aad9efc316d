import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import type { ListedKey } from '../../src/api/key-api.ts'
import { auditAccount } from '../../src/audit/audit-account.ts'
import { readAuditInputs } from '../../src/audit/inputs.ts'
import { rotatedExpiry } from '../support/audited-account.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const DAY_MS = 86_400_000
const API_KEY = '0123456789abcdef'.repeat(4)

/** Audits an account with the key in use and one other; the texts that SHA-256 was asked for, and those masked. */
async function auditOf({
  expiresAt = null as number | null,
  known = '',
  rotated = '',
  id = '2',
  prefix = 'other',
  apiKey = API_KEY,
  doubt = null as string | null,
  skew = 0,
  masked = [] as string[],
}) {
  const hashed: string[] = []
  const written: string[] = []
  const said: string[] = []
  const summaries: string[] = []
  const key = { prefix, createdAt: NOW - DAY_MS, expiresAt: null, unreadable: null }
  const keys: ListedKey[] = [
    { ...key, id: '1', prefix: prefix && API_KEY.slice(0, 15) },
    { ...key, id, expiresAt },
  ]
  const inputs = readAuditInputs(
    (name) => ({ 'api-key': apiKey, known, 'rotated-secrets': rotated })[name] ?? '',
    {
      GITHUB_REPOSITORY_ID: '42',
    },
  )
  const ignore = () => {}
  await auditAccount(inputs, {
    api: { list: () => async () => ({ ok: true, skew, value: { keys, doubt, pages: 1 } }) },
    clock: { now: () => NOW, sleep: async () => {} },
    random: () => 0,
    sha256: (text) => {
      hashed.push(text)
      return createHash('sha256').update(text).digest()
    },
    runner: {
      info: (line) => said.push(line),
      warning: ignore,
      fail: ignore,
      setSecret: (secret) => masked.push(secret),
      setOutput: (name, value) => written.push(`${name}=${value}`),
      writeSummary: (text) => summaries.push(text),
    },
  })
  return { hashed, masked, said, written, summaries }
}

describe('the audit of an account', () => {
  test.each([
    ['that never expires', null],
    ['of the main action', NOW + 3_600_123],
    ['that expires on a whole second', NOW + 60 * DAY_MS],
  ])('with a key %s computes no SHA-256, which takes long to load', async (_, expiresAt) => {
    expect((await auditOf({ expiresAt })).hashed).toEqual([])
  })

  test('with a key that a rotation may have made computes one for each rotation', async () => {
    expect((await auditOf({ expiresAt: NOW + 60 * DAY_MS + 1 })).hashed).toHaveLength(1)
  })

  test('counts a key that only one of the clocks calls expired', async () => {
    const expiresAt = NOW + 19 * 3_600_000
    for (const skew of [0, 20 * 3_600_000])
      expect((await auditOf({ expiresAt, skew })).said[0]).toMatch(/^Read 2 keys/)
    expect((await auditOf({ expiresAt: NOW - 1, skew: 20 * 3_600_000 })).said[0]).toMatch(/^Read 1 key:/)
  })

  const NAME = 'production # deployed by ops'
  test.each([
    ['that was made by no rotation', NOW + 60 * DAY_MS],
    ['that another rotation may have made', NOW + 60 * DAY_MS + 1],
  ])('names the environment that it read if there is only a key %s', async (_, expiresAt) => {
    const rotated = `SPHERESCOUT_API_KEY\nOTHER environment=${NAME}`
    const { said } = await auditOf({ expiresAt, rotated })
    const notes = said.filter((line) => line.startsWith('No key was made by a rotation'))
    expect(notes).toEqual([`No key was made by a rotation of OTHER in environment "${NAME}".`])
  })

  test('says nothing of an environment whose rotation made a key', async () => {
    const expiresAt = rotatedExpiry(NOW + 60 * DAY_MS, 'https://www.spherescout.io', { environment: NAME })
    const rotated = `SPHERESCOUT_API_KEY environment=${NAME}\n`.repeat(2)
    const { said } = await auditOf({ expiresAt, rotated })
    expect(said[0]).toContain('1 rotated')
    expect(said.join()).not.toContain('No key was made by a rotation')
  })

  test('takes an id in known for a whole key only if it is longer than a prefix of the list', async () => {
    await expect(auditOf({ known: 'other-and-the-rest' })).rejects.toThrow(/^Input known has a whole key/)
    for (const known of ['1', '2', 'other', 'another-id'])
      expect((await auditOf({ known })).masked).toEqual([])
  })

  const OTHER = 'fedcba9876543210'.repeat(4)
  test.each([
    [`key=${OTHER}`, 15],
    [`xkey${OTHER}`, 15],
    [`key=${OTHER}`, 4],
    [`(${OTHER})`, 15],
    [OTHER, 4],
  ])(
    'refuses %s in known if the list shows the first characters of that key (%i), and masks it',
    async (known, shown) => {
      const masked: string[] = []
      const audit = auditOf({ known, prefix: OTHER.slice(0, shown), masked })
      await expect(audit).rejects.toThrow(/^Input known has a whole key in place of an id: .* begins fedc/)
      expect(masked).toEqual(expect.arrayContaining([known, OTHER]))
    },
  )

  test.each([
    ['48213', '4821'.slice(1)],
    [`key=${OTHER.slice(0, 15)}`, OTHER.slice(0, 15)],
  ])('accepts the id %s although it contains %s, with which a key begins', async (known, prefix) => {
    expect((await auditOf({ known, prefix })).written).toContain('known-missing=1')
  })

  test('has no link in the summary of a list that cannot be judged', async () => {
    const { summaries } = await auditOf({ doubt: 'created "[Renew key](https://evil.example/x) ![x][y]"' })
    expect(summaries).toEqual([expect.stringContaining('Renew key (https://evil.example/x) ! x y ')])
    expect(summaries.join()).not.toMatch(/[[\]]/)
  })

  test('takes no id of the list for a whole key, even if it begins like another key', async () => {
    expect((await auditOf({ known: 'other-id', id: 'other-id' })).masked).toEqual([])
  })
})
