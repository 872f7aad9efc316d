// Wires the real runner, network and clock into the post step.
import { getInput, getState, setFailed } from '@actions/core'
import { createKeyApi } from './api/key-api.ts'
import { createHttpClient } from './http/http-client.ts'
import { networkSettings } from './http/network-settings.ts'
import { parseState } from './protocol/parse-state.ts'
import { revokeKey } from './protocol/revoke-keys.ts'
import { STATE_NAME } from './protocol/saved-state.ts'
import { runner } from './runner/runner.ts'
import { bootedAt, systemClock } from './util/system.ts'

// Nothing is more urgent than the revocation: a signal does not stop it, only the runner's kill does.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, () => {})

async function run(): Promise<void> {
  try {
    await revokeKey(parseState(getState(STATE_NAME)), {
      clock: systemClock,
      random: Math.random,
      runner,
      connect: ({ apiUrl, proxy, userAgent }) =>
        createKeyApi(createHttpClient(proxy), apiUrl, userAgent, systemClock.now),
      settings: networkSettings(process.env),
      bootedAt,
      verificationOff: process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0',
      policyWithoutRecord: () => (/^fail$/i.test(getInput('on-revoke-failure')) ? 'fail' : 'warn'),
    })
  } catch (error) {
    setFailed(error instanceof Error ? error.message : String(error))
  }
}

void run()
