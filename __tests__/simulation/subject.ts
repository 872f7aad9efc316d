import type * as cancellation from '../../src/cancellation.ts'
import type * as http from '../../src/http.ts'
import type * as issue from '../../src/issue-key.ts'
import type * as api from '../../src/key-api.ts'
import type * as state from '../../src/read-state.ts'
import type * as revoke from '../../src/revoke-key.ts'

/** The code that is simulated: the use cases of `src`, or of a patched copy of it. */
export type Subject = Pick<typeof issue, 'issueKey'> &
  Pick<typeof revoke, 'revokeKey'> &
  Pick<typeof api, 'createKeyApi'> &
  Pick<typeof http, 'HttpFailure'> &
  Pick<typeof cancellation, 'createCancellation' | 'CANCEL'> &
  Pick<typeof state, 'parseState'>

/** Loads it from `folder`, a file URL that ends in a slash. */
export async function loadSubject(folder: URL): Promise<Subject> {
  const names = ['issue-key', 'revoke-key', 'key-api', 'http', 'cancellation', 'read-state']
  const modules = await Promise.all(names.map((name) => import(new URL(`${name}.ts`, folder).href)))
  return Object.assign({}, ...modules) as Subject
}
