import { createIssuingApi } from './api/call.ts'
import { connect } from './connect.ts'
import { networkSettings, proxyLogins } from './http/network-settings.ts'
import { issueKey } from './protocol/issue-key.ts'
import { CANCEL, createCancellation } from './retry/cancellation.ts'
import { readInputs } from './runner/inputs.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from './runner/masking.ts'
import { failStep, getInput, runner } from './runner/runner.ts'
import { bootedAt, systemClock } from './util/system.ts'

const cancellation = createCancellation(systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, cancellation.request)
// Exit before the runner kills this process.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.EXIT_MS).unref())

async function run(): Promise<void> {
  for (const form of maskedForms(getInput('api-key'), MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
  for (const login of proxyLogins(process.env)) for (const form of maskedForms(login)) runner.setSecret(form)
  const inputs = readInputs(getInput, process.env)
  await issueKey(inputs, {
    api: createIssuingApi(connect(inputs.apiUrl, process.env)),
    clock: systemClock,
    random: Math.random,
    runner,
    cancellation,
    settings: networkSettings(process.env),
    bootedAt,
  })
}

run().catch(failStep)
