import { describe, expect, test } from '@jest/globals'
import type { Phase, RotateState } from '../../src/rotate/saved-state.ts'
import { createAccount } from '../support/account.ts'
import { runCleanUp, START } from './harness.ts'

function setUp(phase: Phase, options: Parameters<typeof createAccount>[0] | object = {}) {
  let rolls = 0
  const account = createAccount({
    now: () => START,
    random: () => ((rolls++ * 7919) % 997) / 997,
    ...options,
  })
  const parent = account.addKey({ expiry: null })
  const { id, token, token_key } = account.addKey({ expiry: START + 1000 })
  const state: RotateState = {
    version: 1,
    apiUrl: 'https://api.example',
    apiKey: parent.token,
    userAgent: 'harness',
    proxy: '',
    settings: { NO_PROXY: 'x' },
    phase,
    leaked: '',
    expiry: START + 1000,
    key: { token, id, prefix: token_key, createdAt: START, expiresAt: START + 1000 },
  }
  return { account, parent, token, id, found: { kind: 'record', state } as const }
}

describe('the post step of rotate', () => {
  test('revokes a key that was created and not written, with the key itself', async () => {
    const { account, found, id, token } = setUp('created')
    const { traces, seen } = await runCleanUp(found, account)
    expect(account.touchedForeign()).toEqual([id])
    expect(seen.map(({ what, credential }) => [what.split(' ', 1)[0], credential === token])).toEqual([
      ['DELETE', true],
      ['GET', true],
    ])
    expect(traces.printed.join()).toContain('which was not written (verified)')
    expect(traces.warnings).toEqual([])
  })

  test('uses the old key if the new one may not revoke itself', async () => {
    const { account, found, id } = setUp('created', { selfRevocation: 'forbidden' })
    await runCleanUp(found, account)
    expect(account.touchedForeign()).toEqual([id])
  })

  test.each(['two\nlines', 'caf\u00e9-caf\u00e9'])(
    'uses the old key if the new one cannot be sent: %j',
    async (token) => {
      const { account, found, id, parent } = setUp('created')
      const { key } = found.state
      const state = { ...found.state, key: key && { ...key, token } }
      const { traces, seen } = await runCleanUp({ kind: 'record', state }, account)
      expect(account.touchedForeign()).toEqual([id])
      expect(new Set(seen.map(({ credential }) => credential))).toEqual(new Set([parent.token]))
      expect(traces.warnings).toEqual([])
    },
  )

  test('does not send the old key if the record has damaged it', async () => {
    const { account, found } = setUp('created', { selfRevocation: 'forbidden' })
    const state = { ...found.state, apiKey: 'caf\u0101' }
    const { traces, seen } = await runCleanUp({ kind: 'record', state }, account)
    expect(seen.map(({ credential }) => credential)).not.toContain('caf\u0101')
    expect(traces.warnings).toEqual([expect.stringContaining('Could not confirm that the new key')])
  })

  test('does not send the old key if a step changed which certificates are trusted', async () => {
    const { account, found, parent } = setUp('created', { selfRevocation: 'forbidden' })
    const { traces, seen } = await runCleanUp(found, account, { NODE_EXTRA_CA_CERTS: '/tmp/ca.pem abc' })
    expect(account.touchedForeign()).toEqual([])
    expect(seen.some(({ credential }) => credential === parent.token)).toBe(false)
    expect(traces.warnings[0]).toContain('Could not confirm that the new key')
  })

  test.each([
    ['writing', /ended while it was writing the key .*\. The secret may hold it, so it stays valid/],
    [
      'creating',
      /received no key for its request to create one that expires at 2027-03-01 04:17:01 UTC\. .*A later run revokes it, or it expires\. If/,
    ],
  ] as const)('revokes nothing in the phase %s and says why', async (phase, warning) => {
    const { account, found } = setUp(phase)
    const { traces, seen } = await runCleanUp(found, account)
    expect(seen).toEqual([])
    expect(traces.warnings).toHaveLength(1)
    expect(traces.warnings[0]).toMatch(warning)
  })

  test('names the key that an emergency did not get to revoke', async () => {
    const { account, found } = setUp('revoking')
    const leaked = 'abc... (id the-whole-id)'
    for (const [phase, warning] of [
      [
        'revoking',
        /^The main step ended while it was revoking the old keys\. Revoke abc\.\.\. \(id the-whole-id\) in the dashboard if it is still there, and run this again in an hour for the others\.$/,
      ],
      [
        'writing',
        /stays valid; the next run continues from there\. No old key was revoked: when a new run works, revoke abc\.\.\. \(id the-whole-id\) in the dashboard\.$/,
      ],
    ] as const) {
      const { traces, seen } = await runCleanUp(
        { ...found, state: { ...found.state, phase, leaked } },
        account,
      )
      expect(traces.warnings).toEqual([expect.stringMatching(warning)])
      expect(seen).toEqual([])
    }
  })

  test('prints nothing after a run that left no key', async () => {
    const { account, found } = setUp('settled')
    for (const state of [found, { kind: 'none' } as const]) {
      const { traces, seen } = await runCleanUp(state, account)
      expect(traces.printed).toEqual([])
      expect(seen).toEqual([])
    }
  })

  test('sends no request if the record has no key', async () => {
    const { account, found } = setUp('created')
    for (const phase of ['created', 'writing'] as const) {
      const { traces, seen } = await runCleanUp(
        { ...found, state: { ...found.state, phase, key: null } },
        account,
      )
      expect(traces.printed).toEqual([])
      expect(seen).toEqual([])
    }
  })

  test('warns of an unreadable record', async () => {
    const { account } = setUp('created')
    const { traces, seen } = await runCleanUp({ kind: 'unreadable' }, account)
    expect(traces.warnings[0]).toContain('Could not read what the main step saved, so nothing was revoked')
    expect(seen).toEqual([])
  })
})
