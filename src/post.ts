// Wires the real runner, network and clock into the post step.
import { getInput, getState, setFailed } from '@actions/core'
import { createSend } from './http.ts'
import { createKeyApi } from './key-api.ts'
import { networkSettings } from './network-settings.ts'
import { parseState } from './read-state.ts'
import { revokeKey } from './revoke-key.ts'
import { runner } from './runner.ts'
import { STATE_NAME } from './saved-state.ts'
import { bootedAt, digestOf, systemClock } from './system.ts'

// Nothing is more urgent than the revocation: a signal does not stop it, only the runner's kill does.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, () => {})

async function run(): Promise<void> {
  try {
    await revokeKey(parseState(getState(STATE_NAME)), {
      clock: systemClock,
      random: Math.random,
      runner,
      connect: ({ apiUrl, proxy, userAgent }) =>
        createKeyApi(createSend(proxy), apiUrl, userAgent, systemClock.now),
      settings: networkSettings(process.env, digestOf),
      bootedAt,
      verificationOff: process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0',
      policyWithoutRecord: () => (/^fail$/i.test(getInput('on-revoke-failure')) ? 'fail' : 'warn'),
    })
  } catch (error) {
    setFailed(error instanceof Error ? error.message : String(error))
  }
}

void run()
