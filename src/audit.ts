// Wires the real runner, network and clock into the audit. It creates nothing: no post step.
import { createCaller } from './api/call.ts'
import { createLister } from './api/key-api.ts'
import { auditAccount } from './audit/audit-account.ts'
import { readAuditInputs } from './audit/inputs.ts'
import { connect } from './connect.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from './runner/masking.ts'
import { failStep, getInput, runner } from './runner/runner.ts'
import { systemClock } from './util/system.ts'

async function run(): Promise<void> {
  for (const form of maskedForms(getInput('api-key'), MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
  const { env } = process
  const inputs = readAuditInputs(getInput, env)
  await auditAccount(inputs, {
    api: { list: createLister(createCaller(connect(inputs.apiUrl, env)), inputs.apiUrl, systemClock.now) },
    clock: systemClock,
    random: Math.random,
    sha256: (text) => process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest(),
    runner: { ...runner, fail: failStep },
  })
}

run().catch(failStep)
