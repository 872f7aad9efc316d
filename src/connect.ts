import { type Call, createCaller } from './api/call.ts'
import { createHttpClient } from './http/http-client.ts'
import { logRequests } from './http/log-requests.ts'
import { proxyFor } from './http/proxy-for-url.ts'
import { debugLog } from './runner/runner.ts'
import { systemClock } from './util/system.ts'
import { userAgent } from './util/user-agent.ts'

/** The real network, with the proxies of `env`. Throws if they are unusable. */
export function connect(apiUrl: string, env: NodeJS.ProcessEnv): Call {
  const client = createHttpClient(proxyFor(new URL(apiUrl), env))
  return createCaller(logRequests(client, debugLog(), systemClock.now), userAgent(process.env), systemClock.now)
}
