import { createKeyApi } from './api/key-api.ts'
import { connect } from './connect.ts'
import { networkSettings } from './http/network-settings.ts'
import { parseState } from './protocol/parse-state.ts'
import { revokeKeys } from './protocol/revoke-keys.ts'
import { STATE_NAME } from './protocol/saved-state.ts'
import { createCancellation } from './retry/cancellation.ts'
import { failStep, getInput, getState, runner } from './runner/runner.ts'
import { bootedAt, systemClock } from './util/system.ts'

const cancellation = createCancellation(systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, cancellation.request)

async function run(): Promise<void> {
  await revokeKeys(parseState(getState(STATE_NAME)), {
    clock: systemClock,
    random: Math.random,
    runner,
    connect: ({ apiUrl, settings }) => createKeyApi(connect(apiUrl, settings)),
    settings: networkSettings(process.env),
    bootedAt,
    stopping: cancellation.signal,
    policyWithoutRecord: () => (/^fail$/i.test(getInput('on-revoke-failure')) ? 'fail' : 'warn'),
  })
}

run().catch(failStep)
