import type { Secret } from '../util/brands.ts'
import { type ApiResult, type Call, type CallLimits, KEYS_PATH } from './call.ts'
import { type CreatedKey, readCreated, readJson, readRevoked } from './parse-response.ts'

/** The calls that the main step needs. Every failure is an ApiFailure. */
export interface IssuingApi {
  create(credential: Secret, expiry: string, limits: CallLimits): Promise<ApiResult<CreatedKey>>
  revoke(credential: Secret, id: string, limits: CallLimits): Promise<ApiResult<null>>
  /** Asks whether a key is still accepted. */
  probe(credential: Secret, limits: CallLimits): Promise<ApiResult<null>>
}

/** `apiUrl` has no trailing slash. */
export function createIssuingApi(call: Call, apiUrl: string): IssuingApi {
  const url = new URL(`${apiUrl}${KEYS_PATH}`)
  return {
    create: (credential, expiry, limits) =>
      call({ method: 'POST', url, credential, body: { expiry } }, limits, readCreated),
    revoke: (credential, id, limits) =>
      call({ method: 'DELETE', url: new URL(`${url}/${encodeURIComponent(id)}`), credential }, limits, readRevoked),
    probe: (credential, limits) => call({ method: 'GET', url, credential }, limits, readJson),
  }
}
