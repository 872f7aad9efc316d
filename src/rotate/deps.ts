import type { ApiResult, KeyApi, KeyList } from '../api/key-api.ts'
import { readList } from '../protocol/list-trust.ts'
import type { Budget } from '../retry/budget.ts'
import type { Cancellation } from '../retry/cancellation.ts'
import type { Runner } from '../runner/runner.ts'
import type { Clock } from '../util/system.ts'
import type { GithubSecrets } from './github-secrets.ts'
import type { Connection } from './saved-state.ts'

/** What a request to the key API needs. `random` is in [0, 1). */
export interface KeyDeps {
  api: KeyApi
  clock: Clock
  random: () => number
}

/** What the main step runs in. */
export interface RotateDeps extends KeyDeps {
  secrets: GithubSecrets
  runner: Runner
  cancellation: Cancellation
  sha256(text: string): Uint8Array
  /** Encrypts `text`; `publicKey` and the result are base64. */
  seal(text: string, publicKey: string): string
  /** `id` is null if the runner does not set it. */
  repository: { owner: string; repo: string; id: string | null }
  /** By how much the last `Date` of the API differed from `clock`, in milliseconds; null if it sent none. */
  dateDifference(): number | null
  /** What the post step needs to know about this process. */
  connection: Pick<Connection, 'userAgent' | 'proxy' | 'settings'>
}

/**
 * Reads the account's list, with retries; one of several pages twice (see `readList`). It may take as long as is left,
 * and a page at most 10 s.
 */
export function listKeys(credential: string, { api, random }: KeyDeps, budget: Budget): Promise<ApiResult<KeyList>> {
  const list: KeyApi['list'] = (key) => {
    const read = api.list(key)
    return (limits) => read({ ...limits, timeout: Math.max(1, budget.left()) })
  }
  return readList(credential, { api: { ...api, list }, budget, random })
}
