import type { ApiResult, CallLimits, KeyApi, KeyList } from '../api/key-api.ts'
import { type Budget, type Clock, retry } from '../retry/budget.ts'
import type { Cancellation } from '../retry/cancellation.ts'
import type { Runner } from '../runner/report.ts'
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

/** Reads the account's list, with retries. */
export function listKeys(credential: string, { api, random }: KeyDeps, budget: Budget): Promise<ApiResult<KeyList>> {
  return retry((limits: CallLimits) => api.list(credential, limits), { budget, random })
}
