import type { ApiRequest, ApiResponse } from './account.ts'

/** The permissions that a token may have. */
export type Permission =
  | 'secrets'
  | 'environments'
  | 'organization_secrets'
  | 'dependabot_secrets'
  | 'codespaces_secrets'

export interface StoredSecret {
  value: string
  createdAt: number
  updatedAt: number
  /** When it was written before, for replicas that lag. */
  earlier?: number[]
  visibility?: string
  selected?: number[]
}

export interface GithubOptions {
  /** Milliseconds since 1970. */
  now: () => number
  /** Opens a value that was sealed for `publicKey`; throws if it cannot. */
  open(sealed: string): string
  publicKey: { id: string; key: string }
  token: string
  permissions?: readonly Permission[]
  owner?: string
  repo?: string
  repositoryId?: number
  /** As on older Enterprise Servers: environments are only known by the repository's id. */
  environmentsById?: boolean
  /** How long after a write its `updated_at` is shown, in milliseconds. */
  lag?: number
  /** How many writes are acknowledged without being carried out. */
  idleWrites?: number
  /** How `updated_at` is written: as GitHub does, with an offset, or not at all. */
  updatedAt?: 'utc' | 'offset' | 'absent'
}

/** GitHub's secrets API, as documented: state and rules without a network. */
export interface Github {
  handle(request: ApiRequest): ApiResponse
  /** Adds a secret that was written a minute ago, or at `updatedAt`. Places: `repository`, `environment NAME`, `organization NAME`, `dependabot`, `codespaces`. */
  addSecret(
    place: string,
    name: string,
    secret: Pick<StoredSecret, 'value' | 'visibility' | 'selected'> & { updatedAt?: number },
  ): void
  /** The stored secret, or undefined. */
  secret(place: string, name: string): StoredSecret | undefined
  /** Replaces the key pair's id, so that values sealed for the old one are refused. */
  replacePublicKey(publicKey: GithubOptions['publicKey'], open: GithubOptions['open']): void
}

const ALL: Permission[] = [
  'secrets',
  'environments',
  'organization_secrets',
  'dependabot_secrets',
  'codespaces_secrets',
]
const NEEDED: Record<string, Permission[]> = {
  repository: ['secrets'],
  environment: ['secrets', 'environments'],
  organization: ['organization_secrets'],
  dependabot: ['dependabot_secrets'],
  codespaces: ['codespaces_secrets'],
}

interface GithubState {
  options: GithubOptions
  secrets: Map<string, StoredSecret>
  publicKey: GithubOptions['publicKey']
  open: GithubOptions['open']
  idleWrites: number
}

/** A GitHub with one repository and its organization. */
export function createGithub(options: GithubOptions): Github {
  const { now, publicKey, open } = options
  const { idleWrites = 0 } = options
  const state: GithubState = { options, secrets: new Map(), publicKey, open, idleWrites }
  return {
    addSecret(place, name, { value, updatedAt = now() - 60_000, ...audience }) {
      state.secrets.set(keyOf(place, name), { value, createdAt: updatedAt, updatedAt, ...audience })
    },
    secret: (place, name) => state.secrets.get(keyOf(place, name)),
    replacePublicKey(newKey, newOpen) {
      state.publicKey = newKey
      state.open = newOpen
    },
    handle: (request) => handle(state, request),
  }
}

function keyOf(place: string, name: string): string {
  return `${place.toLowerCase()}\n${name.toUpperCase()}`
}

function answer(status: number, body?: unknown): ApiResponse {
  if (body === undefined) return { status, headers: {}, body: '' }
  const headers = { 'Content-Type': 'application/json; charset=utf-8' }
  return { status, headers, body: JSON.stringify(body) }
}

function refuse(status: number, message: string): ApiResponse {
  return answer(status, {
    message,
    documentation_url: 'https://docs.github.com/rest',
    status: String(status),
  })
}

function handle(state: GithubState, { method, path, headers, body }: ApiRequest): ApiResponse {
  const { token, permissions = ALL } = state.options
  const { owner, repo, repositoryId } = repositoryOf(state.options)
  const url = new URL(path, 'https://github.example')
  if (headers.authorization !== `Bearer ${token}`) return refuse(401, 'Bad credentials')
  if (method === 'GET' && url.pathname.toLowerCase() === `/repos/${owner}/${repo}`.toLowerCase())
    return answer(200, { id: repositoryId, full_name: `${owner}/${repo}` })
  const found = route(state.options, url.pathname)
  if (!found) return refuse(404, 'Not Found')
  const { place, rest } = found
  const needed = NEEDED[place.split(' ', 1)[0] ?? ''] ?? []
  if (!needed.every((permission) => permissions.includes(permission)))
    return refuse(403, 'Resource not accessible by integration')
  if (rest === 'public-key') return answer(200, { key_id: state.publicKey.id, key: state.publicKey.key })
  const name = decodeURIComponent(rest.split('/', 1)[0] ?? '')
  if (rest.endsWith('/repositories')) return listSelected(state, place, name, url.searchParams)
  if (method === 'GET') return readSecret(state, place, name)
  return method === 'PUT' ? writeSecret(state, place, name, body) : refuse(405, 'Method not allowed')
}

function repositoryOf({ owner = 'octo-org', repo = 'octo-repo', repositoryId = 4711 }: GithubOptions) {
  return { owner, repo, repositoryId }
}

const FORMS: [RegExp, (name: string) => string][] = [
  [/^\/actions\/secrets\/(.*)$/, () => 'repository'],
  [/^\/dependabot\/secrets\/(.*)$/, () => 'dependabot'],
  [/^\/codespaces\/secrets\/(.*)$/, () => 'codespaces'],
  [/^\/environments\/([^/]+)\/secrets\/(.*)$/, (name) => `environment ${decodeURIComponent(name)}`],
]

/** The place that a path names and the rest of the path, or null if there is no such place. */
function route(options: GithubOptions, path: string): { place: string; rest: string } | null {
  const { environmentsById = false } = options
  const { owner, repo, repositoryId } = repositoryOf(options)
  const repository = `/repos/${owner}/${repo}`
  const org = /^\/orgs\/([^/]+)\/actions\/secrets\/(.*)$/.exec(path)
  if (org) return { place: `organization ${decodeURIComponent(org[1] ?? '')}`, rest: org[2] ?? '' }
  const byId = path.startsWith(`/repositories/${repositoryId}/`)
  if (!byId && !path.toLowerCase().startsWith(`${repository.toLowerCase()}/`)) return null
  const tail = path.slice(byId ? `/repositories/${repositoryId}`.length : repository.length)
  for (const [form, placeOf] of FORMS) {
    const match = form.exec(tail)
    if (!match) continue
    const place = placeOf(match[1] ?? '')
    if (place.startsWith('environment') && environmentsById !== byId) return null
    return { place, rest: match[match.length - 1] ?? '' }
  }
  return null
}

function listSelected(
  { secrets }: GithubState,
  place: string,
  name: string,
  query: URLSearchParams,
): ApiResponse {
  const ids = secrets.get(keyOf(place, name))?.selected ?? []
  const size = Number(query.get('per_page') ?? 30)
  const from = (Number(query.get('page') ?? 1) - 1) * size
  const repositories = ids.slice(from, from + size).map((id) => ({ id, name: `repository-${id}` }))
  return answer(200, { total_count: ids.length, repositories })
}

function readSecret({ secrets, options }: GithubState, place: string, name: string): ApiResponse {
  const found = secrets.get(keyOf(place, name))
  if (!found) return refuse(404, 'Not Found')
  const { updatedAt: form = 'utc' } = options
  const date = (at: number) =>
    form === 'offset'
      ? `${new Date(at + 2 * 3_600_000).toISOString().slice(0, 19)}+02:00`
      : `${new Date(at).toISOString().slice(0, 19)}Z`
  return answer(200, {
    name: name.toUpperCase(),
    created_at: date(found.createdAt),
    ...(form !== 'absent' && { updated_at: date(shownUpdate(found, options.now() - (options.lag ?? 0))) }),
    ...(found.visibility && { visibility: found.visibility }),
  })
}

/** The last write that a replica knows, or else the first. */
function shownUpdate({ updatedAt, earlier = [] }: StoredSecret, known: number): number {
  const writes = [updatedAt, ...earlier]
  return writes.find((at) => at <= known) ?? Math.min(...writes)
}

function writeSecret(state: GithubState, place: string, name: string, body: string): ApiResponse {
  const { secrets, publicKey, open, options } = state
  const given = JSON.parse(body) as Record<string, unknown>
  if (given.key_id !== publicKey.id)
    return refuse(422, 'Bad request - encrypted_value key_id does not match a public key')
  const { visibility, selected_repository_ids: selected } = given
  if (place.startsWith('organization') && !['all', 'private', 'selected'].includes(String(visibility)))
    return refuse(422, 'Invalid request. "visibility" wasn\'t supplied.')
  const found = secrets.get(keyOf(place, name))
  if (state.idleWrites > 0) {
    state.idleWrites -= 1
    return answer(204)
  }
  const now = options.now()
  secrets.set(keyOf(place, name), {
    value: open(String(given.encrypted_value)),
    createdAt: found?.createdAt ?? now,
    updatedAt: now,
    ...(found && { earlier: [found.updatedAt, ...(found.earlier ?? [])].slice(0, 9) }),
    ...(typeof visibility === 'string' && { visibility }),
    ...(visibility === 'selected' && { selected: Array.isArray(selected) ? selected : [] }),
  })
  return answer(found ? 204 : 201, found ? undefined : {})
}
