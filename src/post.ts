// Wires the real runner, network and clock into the post step.
import { createKeyApi } from './api/key-api.ts'
import { createHttpClient } from './http/http-client.ts'
import { logRequests } from './http/log-requests.ts'
import { networkSettings } from './http/network-settings.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { parseState } from './protocol/parse-state.ts'
import { revokeKeys } from './protocol/revoke-keys.ts'
import { STATE_NAME } from './protocol/saved-state.ts'
import { debugLog, failStep, getInput, getState, runner } from './runner/runner.ts'
import { bootedAt, systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

// Only the runner's kill stops the revocation, not a signal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, () => {})

async function run(): Promise<void> {
  try {
    await revokeKeys(parseState(getState(STATE_NAME)), {
      clock: systemClock,
      random: Math.random,
      runner,
      connect: ({ apiUrl, settings }) => {
        const client = createHttpClient(proxyFor(new URL(apiUrl), settings))
        return createKeyApi({
          client: logRequests(client, debugLog(), systemClock.now),
          apiUrl,
          userAgent: userAgent(process.env),
          now: systemClock.now,
        })
      },
      settings: networkSettings(process.env),
      bootedAt,
      verificationOff: process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0',
      policyWithoutRecord: () => (/^fail$/i.test(getInput('on-revoke-failure')) ? 'fail' : 'warn'),
    })
  } catch (error) {
    failStep(error)
  }
}

void run()
