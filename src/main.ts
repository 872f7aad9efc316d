// Wires the real runner, network, clock and signals into the main step.
import { createCaller } from './api/call.ts'
import { createIssuingApi } from './api/issuing-api.ts'
import { createHttpClient } from './http/http-client.ts'
import { logRequests } from './http/log-requests.ts'
import { networkSettings, proxyLogins } from './http/network-settings.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { issueKey } from './protocol/issue-key.ts'
import { CANCEL, createCancellation } from './retry/cancellation.ts'
import { requireCommandFiles } from './runner/command-files.ts'
import { readInputs } from './runner/inputs.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from './runner/masking.ts'
import { explainMissingSecrets, readRunContext } from './runner/missing-secrets.ts'
import { debugLog, failStep, getInput, runner } from './runner/runner.ts'
import { bootedAt, systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

const cancellation = createCancellation(systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, cancellation.request)
// Exit before the runner kills this process; post has what it needs.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.EXIT_MS).unref())

async function run(): Promise<void> {
  try {
    for (const form of maskedForms(getInput('api-key'), MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
    for (const login of proxyLogins(process.env)) for (const form of maskedForms(login)) runner.setSecret(form)
    const inputs = readInputs(getInput, () => explainMissingSecrets(readRunContext(process.env)))
    requireCommandFiles(process.env, ['GITHUB_STATE', 'GITHUB_OUTPUT', ...(inputs.exportEnv ? ['GITHUB_ENV'] : [])])
    const proxy = proxyFor(new URL(inputs.apiUrl), process.env)
    const send = logRequests(createHttpClient(proxy), debugLog(), systemClock.now)
    const agent = userAgent(process.env)
    await issueKey(inputs, {
      api: createIssuingApi(createCaller(send, agent, systemClock.now), inputs.apiUrl),
      clock: systemClock,
      random: Math.random,
      runner,
      cancellation,
      settings: networkSettings(process.env),
      bootedAt,
    })
  } catch (error) {
    failStep(error)
  }
}

void run()
