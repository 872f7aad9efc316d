// Wires the real runner, network and clock into the audit. It creates nothing, so it needs no post step.
import { createCaller } from './api/call.ts'
import { createListApi } from './api/key-api.ts'
import { auditAccount } from './audit/audit-account.ts'
import { readAuditInputs } from './audit/inputs.ts'
import { createHttpClient } from './http/http-client.ts'
import { logRequests } from './http/log-requests.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from './runner/masking.ts'
import { explainMissingSecrets, readRunContext } from './runner/missing-secrets.ts'
import { debugLog, failStep, getInput, runner } from './runner/runner.ts'
import { systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

async function run(): Promise<void> {
  try {
    for (const form of maskedForms(getInput('api-key'), MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
    const { env } = process
    const inputs = readAuditInputs(getInput, env, () => explainMissingSecrets(readRunContext(env)))
    const client = createHttpClient(proxyFor(new URL(inputs.apiUrl), env))
    const send = logRequests(client, debugLog(), systemClock.now)
    const agent = userAgent(env)
    await auditAccount(inputs, {
      api: createListApi(createCaller(send, agent, systemClock.now), inputs.apiUrl, systemClock.now),
      clock: systemClock,
      random: Math.random,
      sha256: (text) => process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest(),
      runner: { ...runner, fail: failStep },
    })
  } catch (error) {
    failStep(error)
  }
}

void run()
