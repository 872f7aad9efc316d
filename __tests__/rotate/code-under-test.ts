import type * as api from '../../src/api/key-api.ts'
import type * as http from '../../src/http/http-error.ts'
import type * as cancellation from '../../src/retry/cancellation.ts'
import type * as cleanUp from '../../src/rotate/clean-up.ts'
import type * as dates from '../../src/rotate/date-watch.ts'
import type * as secrets from '../../src/rotate/github-secrets.ts'
import type * as rotate from '../../src/rotate/rotate-key.ts'
import type * as tag from '../../src/rotate/rotation-tag.ts'
import type * as state from '../../src/rotate/saved-state.ts'

/** The code that is simulated: the modules of `src`, or of a patched copy of it. */
export type RotationCode = Pick<typeof rotate, 'rotateKey'> &
  Pick<typeof cleanUp, 'cleanUp'> &
  Pick<typeof api, 'createKeyApi'> &
  Pick<typeof dates, 'watchDate'> &
  Pick<typeof secrets, 'createGithubSecrets'> &
  Pick<typeof http, 'HttpError'> &
  Pick<typeof cancellation, 'createCancellation'> &
  Pick<typeof state, 'parseRotateState' | 'ROTATE_STATE_NAME'> &
  Pick<typeof tag, 'rotationTag' | 'hasRotationTag' | 'TAG_RANGE'>

/** Loads the code from `folder`, a file URL that ends in a slash. */
export async function loadRotationCode(folder: URL): Promise<RotationCode> {
  const names = [
    'api/key-api',
    'http/http-error',
    'retry/cancellation',
    'rotate/clean-up',
    'rotate/date-watch',
    'rotate/github-secrets',
    'rotate/rotate-key',
    'rotate/saved-state',
    'rotate/rotation-tag',
  ]
  const modules = await Promise.all(names.map((name) => import(new URL(`${name}.ts`, folder).href)))
  return Object.assign({}, ...modules) as RotationCode
}
