// Wires the real runner, network, clock and signals into the main step of rotate.
import * as crypto from 'node:crypto'
import { getInput, setFailed, setSecret } from '@actions/core'
import { context } from '@actions/github'
import { createKeyApi } from './api/key-api.ts'
import { createHttpClient } from './http/http-client.ts'
import { networkSettings } from './http/network-settings.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import type { Clock } from './retry/budget.ts'
import { CANCEL, createCancellation } from './retry/cancellation.ts'
import { createGithubSecrets } from './rotate/github-secrets.ts'
import { readRotateInputs } from './rotate/inputs.ts'
import { rotateKey } from './rotate/rotate-key.ts'
import { sealForGithub } from './rotate/sealed-box.ts'
import { requireCommandFiles } from './runner/command-files.ts'
import { explainMissingSecrets } from './runner/inputs.ts'
import { maskedForms } from './runner/masking.ts'
import { runner } from './runner/runner.ts'
import { certificateDigest, systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

// A machine that sleeps may stop one clock and not the other; a key must not be written late by either.
const clock: Clock = { ...systemClock, now: () => Math.max(systemClock.now(), Date.now()) }
const cancellation = createCancellation(clock.now)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK']) process.on(signal, cancellation.request)
// The runner is about to kill this process; the record for the post step is already saved.
cancellation.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), CANCEL.end).unref())

async function run(): Promise<void> {
  try {
    for (const name of ['api-key', 'github-token'])
      for (const form of maskedForms(getInput(name))) setSecret(form)
    const inputs = readRotateInputs(getInput, process.env, explainMissingSecrets(context))
    requireCommandFiles(process.env, ['GITHUB_STATE', 'GITHUB_OUTPUT'])
    const proxy = proxyFor(new URL(inputs.apiUrl), process.env)
    const agent = userAgent(process.env.GITHUB_REPOSITORY, process.env.GITHUB_RUN_ID)
    const github = createHttpClient(proxyFor(new URL(inputs.githubApiUrl), process.env))
    const { apiUrl, githubApiUrl, githubToken } = inputs
    const [owner = '', repo = ''] = (process.env.GITHUB_REPOSITORY ?? '').split('/')
    await rotateKey(inputs, {
      api: createKeyApi(createHttpClient(proxy), apiUrl, agent, clock.now),
      secrets: createGithubSecrets(github, {
        apiUrl: githubApiUrl,
        token: githubToken,
        userAgent: agent,
        now: clock.now,
      }),
      clock,
      random: Math.random,
      runner,
      cancellation,
      sha256: (text) => crypto.createHash('sha256').update(text).digest(),
      seal: sealForGithub,
      repository: { owner, repo, id: process.env.GITHUB_REPOSITORY_ID || null },
      connection: {
        userAgent: agent,
        proxy,
        settings: networkSettings(process.env, certificateDigest),
      },
    })
  } catch (error) {
    setFailed(error instanceof Error ? error.message : String(error))
  }
}

void run()
