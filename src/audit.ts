// Wires the real runner, network and clock into the audit. It creates nothing, so it needs no post step.
import { appendFileSync, readFileSync } from 'node:fs'
import { getInput, info, setFailed, setOutput, setSecret, warning } from '@actions/core'
import { createKeyApi } from './api/key-api.ts'
import { auditAccount } from './audit/audit-account.ts'
import { readAuditInputs } from './audit/inputs.ts'
import { createHttpClient, type HttpClient } from './http/http-client.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { MAX_ATTEMPT_MS } from './retry/budget.ts'
import { explainMissingSecrets, type RunContext } from './runner/inputs.ts'
import { maskedForms } from './runner/masking.ts'
import { systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

/** What of the run explains an empty secret. An event that cannot be read explains nothing, and stops nothing. */
function runContext({ GITHUB_EVENT_NAME, GITHUB_ACTOR, GITHUB_EVENT_PATH }: NodeJS.ProcessEnv): RunContext {
  const names = { eventName: GITHUB_EVENT_NAME ?? '', actor: GITHUB_ACTOR ?? '' }
  try {
    return { ...names, payload: JSON.parse(readFileSync(GITHUB_EVENT_PATH ?? '', 'utf8')) ?? {} }
  } catch {
    return { ...names, payload: {} }
  }
}

async function run(): Promise<void> {
  try {
    for (const form of maskedForms(getInput('api-key'))) setSecret(form)
    const { env } = process
    const whyNoKey = explainMissingSecrets(runContext(env))
    const inputs = readAuditInputs(getInput, { whyNoKey, repositoryId: env.GITHUB_REPOSITORY_ID })
    const client = createHttpClient(proxyFor(new URL(inputs.apiUrl), env))
    const send: HttpClient = (request) =>
      client({ ...request, timeout: Math.min(request.timeout, MAX_ATTEMPT_MS) })
    const agent = userAgent(env.GITHUB_REPOSITORY, env.GITHUB_RUN_ID)
    await auditAccount(inputs, {
      api: createKeyApi(send, inputs.apiUrl, agent, systemClock.now),
      clock: systemClock,
      random: Math.random,
      sha256: (text) => process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest(),
      runner: {
        info,
        warning,
        setOutput,
        writeSummary: (markdown) => appendFileSync(env.GITHUB_STEP_SUMMARY ?? '', `${markdown}\n`),
        fail: setFailed,
      },
    })
  } catch (error) {
    setFailed(error instanceof Error ? error.message : String(error))
  }
}

void run()
