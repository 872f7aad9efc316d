import type * as api from '../../src/api/key-api.ts'
import type * as http from '../../src/http/http-error.ts'
import type * as issue from '../../src/protocol/issue-key.ts'
import type * as state from '../../src/protocol/parse-state.ts'
import type * as revoke from '../../src/protocol/revoke-keys.ts'
import type * as cancellation from '../../src/retry/cancellation.ts'

/** The code that is simulated: the use cases of `src`, or of a patched copy of it. */
export type CodeUnderTest = Pick<typeof issue, 'issueKey'> &
  Pick<typeof revoke, 'revokeKeys'> &
  Pick<typeof api, 'createKeyApi'> &
  Pick<typeof http, 'HttpError'> &
  Pick<typeof cancellation, 'createCancellation' | 'CANCEL'> &
  Pick<typeof state, 'parseState'>

/** Loads it from `folder`, a file URL that ends in a slash. */
export async function loadCodeUnderTest(folder: URL): Promise<CodeUnderTest> {
  const names = [
    'protocol/issue-key',
    'protocol/revoke-keys',
    'api/key-api',
    'http/http-error',
    'retry/cancellation',
    'protocol/parse-state',
  ]
  const modules = await Promise.all(names.map((name) => import(new URL(`${name}.ts`, folder).href)))
  return Object.assign({}, ...modules) as CodeUnderTest
}
