import { createHttpClient } from './http/http-client.ts'
import { logRequests } from './http/log-requests.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { debugLog } from './runner/runner.ts'
import { systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

/** The real network, with the proxies of `env`. Throws if they are unusable. */
export function connect(apiUrl: string, env: NodeJS.ProcessEnv) {
  const { now } = systemClock
  const client = logRequests(createHttpClient(proxyFor(new URL(apiUrl), env)), debugLog(), now)
  return { client, apiUrl, userAgent: userAgent(process.env), now }
}
