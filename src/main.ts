// Wires the real runner, network, clock and signals into the main step.
import { getInput, setFailed, setSecret } from '@actions/core'
import { context } from '@actions/github'
import { createKeyApi } from './api/key-api.ts'
import { createHttpClient } from './http/http-client.ts'
import { networkSettings, proxyLogins } from './http/network-settings.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { issueKey } from './protocol/issue-key.ts'
import { CANCEL, createCancellation } from './retry/cancellation.ts'
import { requireCommandFiles } from './runner/command-files.ts'
import { explainMissingSecrets, readInputs } from './runner/inputs.ts'
import { maskedForms } from './runner/masking.ts'
import { runner } from './runner/runner.ts'
import { bootedAt, systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

const cancellation = createCancellation(systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, cancellation.request)
// Whatever still waits then, the runner is about to kill it; the record for post is already saved.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.end).unref())

async function run(): Promise<void> {
  try {
    for (const form of maskedForms(getInput('api-key'))) setSecret(form)
    for (const form of proxyLogins(process.env).flatMap(maskedForms)) setSecret(form)
    const inputs = readInputs(getInput, explainMissingSecrets(context))
    requireCommandFiles(process.env, [
      'GITHUB_STATE',
      'GITHUB_OUTPUT',
      ...(inputs.exportEnv ? ['GITHUB_ENV'] : []),
    ])
    const proxy = proxyFor(new URL(inputs.apiUrl), process.env)
    const agent = userAgent(process.env.GITHUB_REPOSITORY, process.env.GITHUB_RUN_ID)
    await issueKey(inputs, {
      api: createKeyApi(createHttpClient(proxy), inputs.apiUrl, agent, systemClock.now),
      clock: systemClock,
      random: Math.random,
      runner,
      cancellation,
      userAgent: agent,
      proxy,
      settings: networkSettings(process.env),
      bootedAt,
    })
  } catch (error) {
    setFailed(error instanceof Error ? error.message : String(error))
  }
}

void run()
