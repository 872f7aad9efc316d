// Wires the real runner, network, clock and signals into the main step of rotate.
import { createKeyApi } from './api/key-api.ts'
import { createHttpClient } from './http/http-client.ts'
import { logRequests } from './http/log-requests.ts'
import { networkSettings, proxyLogins } from './http/network-settings.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { CANCEL, createCancellation } from './retry/cancellation.ts'
import { watchDate } from './rotate/date-watch.ts'
import { createGithubSecrets } from './rotate/github-secrets.ts'
import { readRotateInputs } from './rotate/inputs.ts'
import { rotateKey } from './rotate/rotate-key.ts'
import { sealForGithub } from './rotate/sealed-box.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from './runner/masking.ts'
import { debugLog, failStep, getInput, runner } from './runner/runner.ts'
import type { Clock } from './util/system.ts'
import { systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

// A machine that sleeps may stop one clock and not the other; a key must not be written late by either.
const clock: Clock = { ...systemClock, now: () => Math.max(systemClock.now(), Date.now()) }
const cancellation = createCancellation(clock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']) process.on(signal, cancellation.request)
// The runner is about to kill this process; the record for the post step is already saved.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.EXIT_MS).unref())

async function run(): Promise<void> {
  for (const name of ['api-key', 'github-token'])
    for (const form of maskedForms(getInput(name), MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)
  for (const login of proxyLogins(process.env)) for (const form of maskedForms(login)) runner.setSecret(form)
  const inputs = readRotateInputs(getInput, process.env)
  const proxy = proxyFor(new URL(inputs.apiUrl), process.env)
  const agent = userAgent(process.env)
  const connect = (proxyUrl: string) => logRequests(createHttpClient(proxyUrl), debugLog(), clock.now)
  const github = connect(proxyFor(new URL(inputs.githubApiUrl), process.env))
  const watch = watchDate(connect(proxy), clock.now)
  const { apiUrl, githubApiUrl, githubToken } = inputs
  const [owner = '', repo = ''] = (process.env.GITHUB_REPOSITORY ?? '').split('/')
  await rotateKey(inputs, {
    api: createKeyApi({ client: watch.send, apiUrl, userAgent: agent, now: clock.now }),
    secrets: createGithubSecrets(github, {
      apiUrl: githubApiUrl,
      token: githubToken,
      userAgent: agent,
      now: clock.now,
    }),
    clock,
    dateDifference: watch.difference,
    random: Math.random,
    runner,
    cancellation,
    sha256: (text) => process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest(),
    seal: sealForGithub,
    repository: { owner, repo, id: process.env.GITHUB_REPOSITORY_ID || null },
    connection: { userAgent: agent, proxy, settings: networkSettings(process.env) },
  })
}

run().catch(failStep)
