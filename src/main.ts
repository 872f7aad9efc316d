// Wires the real runner, network, clock and signals into the main step.
import { getInput, setFailed, setSecret } from '@actions/core'
import { context } from '@actions/github'
import { CANCEL, createCancellation } from './cancellation.ts'
import { requireCommandFiles } from './command-files.ts'
import { createSend } from './http.ts'
import { readInputs, whyNoSecrets } from './inputs.ts'
import { issueKey } from './issue-key.ts'
import { createKeyApi } from './key-api.ts'
import { maskedForms } from './masking.ts'
import { networkSettings } from './network-settings.ts'
import { proxyFor } from './proxy-for.ts'
import { runner } from './runner.ts'
import { bootedAt, digestOf, systemClock } from './system.ts'
import { userAgent } from './version.ts'

const cancellation = createCancellation(systemClock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, cancellation.request)
// Whatever still waits then, the runner is about to kill it; the record for post is already saved.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.end).unref())

async function run(): Promise<void> {
  try {
    for (const form of maskedForms(getInput('api-key'))) setSecret(form)
    const inputs = readInputs(getInput, whyNoSecrets(context))
    requireCommandFiles(process.env, [
      'GITHUB_STATE',
      'GITHUB_OUTPUT',
      ...(inputs.exportEnv ? ['GITHUB_ENV'] : []),
    ])
    const proxy = proxyFor(new URL(inputs.apiUrl), process.env)
    const agent = userAgent(process.env.GITHUB_REPOSITORY, process.env.GITHUB_RUN_ID)
    await issueKey(inputs, {
      api: createKeyApi(createSend(proxy), inputs.apiUrl, agent, systemClock.now),
      clock: systemClock,
      random: Math.random,
      runner,
      cancellation,
      userAgent: agent,
      proxy,
      settings: networkSettings(process.env, digestOf),
      bootedAt,
    })
  } catch (error) {
    setFailed(error instanceof Error ? error.message : String(error))
  }
}

void run()
