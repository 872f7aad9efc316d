// Wires the real runner, network and clock into the post step of rotate.
import { createKeyApi } from './api/key-api.ts'
import { createHttpClient } from './http/http-client.ts'
import { logRequests } from './http/log-requests.ts'
import { networkSettings } from './http/network-settings.ts'
import { cleanUp } from './rotate/clean-up.ts'
import { parseRotateState, ROTATE_STATE_NAME } from './rotate/saved-state.ts'
import { debugLog, failStep, getState, runner } from './runner/runner.ts'
import { systemClock } from './util/system.ts'

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, () => {})

async function run(): Promise<void> {
  await cleanUp(parseRotateState(getState(ROTATE_STATE_NAME)), {
    clock: systemClock,
    random: Math.random,
    runner,
    connect: ({ apiUrl, proxy, userAgent }) =>
      createKeyApi({
        client: logRequests(createHttpClient(proxy), debugLog(), systemClock.now),
        apiUrl,
        userAgent,
        now: systemClock.now,
      }),
    settings: networkSettings(process.env),
  })
}

run().catch(failStep)
