import type { ApiRequest, ApiResponse } from './account.ts'

/** The permissions of a token that matter here. */
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
  visibility?: string
  selected?: number[]
}

export interface GithubOptions {
  /** Milliseconds since 1970. */
  now: () => number
  /** Opens a value that was sealed for `publicKey`; throws where it cannot. */
  open(sealed: string): string
  publicKey: { id: string; key: string }
  token: string
  permissions?: readonly Permission[]
  owner?: string
  repo?: string
  repositoryId?: number
  /** As on older Enterprise Servers: environments are only known by the repository's id. */
  environmentsById?: boolean
}

/** GitHub's secrets API, as documented: state and rules without a network. */
export interface Github {
  handle(request: ApiRequest): ApiResponse
  /** Adds a secret. Places: `repository`, `environment NAME`, `organization NAME`, `dependabot`, `codespaces`. */
  addSecret(
    place: string,
    name: string,
    secret: Pick<StoredSecret, 'value' | 'visibility' | 'selected'>,
  ): void
  /** The secret as it is kept, or undefined. */
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

/** A GitHub with one repository and its organization. */
export function createGithub(options: GithubOptions): Github {
  const { now, token, permissions = ALL, environmentsById = false } = options
  const { owner = 'octo-org', repo = 'octo-repo', repositoryId = 4711 } = options
  let { publicKey, open } = options
  const secrets = new Map<string, StoredSecret>()
  const keyOf = (place: string, name: string) => `${place.toLowerCase()}\n${name.toUpperCase()}`

  const answer = (status: number, body?: unknown): ApiResponse => ({
    status,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json; charset=utf-8' },
    body: body === undefined ? '' : JSON.stringify(body),
  })
  const refuse = (status: number, message: string) =>
    answer(status, { message, documentation_url: 'https://docs.github.com/rest', status: String(status) })

  /** The place that a path names, and what follows; null where there is no such thing. */
  function route(path: string): { place: string; rest: string } | null {
    const repository = `/repos/${owner}/${repo}`
    const forms: [RegExp, (name: string) => string][] = [
      [/^\/actions\/secrets\/(.*)$/, () => 'repository'],
      [/^\/dependabot\/secrets\/(.*)$/, () => 'dependabot'],
      [/^\/codespaces\/secrets\/(.*)$/, () => 'codespaces'],
      [/^\/environments\/([^/]+)\/secrets\/(.*)$/, (name) => `environment ${decodeURIComponent(name)}`],
    ]
    const org = /^\/orgs\/([^/]+)\/actions\/secrets\/(.*)$/.exec(path)
    if (org) return { place: `organization ${decodeURIComponent(org[1] ?? '')}`, rest: org[2] ?? '' }
    const byId = path.startsWith(`/repositories/${repositoryId}/`)
    if (!byId && !path.toLowerCase().startsWith(`${repository.toLowerCase()}/`)) return null
    const tail = path.slice(byId ? `/repositories/${repositoryId}`.length : repository.length)
    for (const [form, placeOf] of forms) {
      const match = form.exec(tail)
      if (!match) continue
      const place = placeOf(match[1] ?? '')
      if (place.startsWith('environment') && environmentsById !== byId) return null
      return { place, rest: match[match.length - 1] ?? '' }
    }
    return null
  }

  function serveSecret(method: string, place: string, name: string, body: string): ApiResponse {
    const found = secrets.get(keyOf(place, name))
    const date = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`
    if (method === 'GET') {
      if (!found) return refuse(404, 'Not Found')
      return answer(200, {
        name: name.toUpperCase(),
        created_at: date(found.createdAt),
        updated_at: date(found.updatedAt),
        ...(found.visibility && { visibility: found.visibility }),
      })
    }
    if (method !== 'PUT') return refuse(405, 'Method not allowed')
    const given = JSON.parse(body) as Record<string, unknown>
    if (given.key_id !== publicKey.id)
      return refuse(422, 'Bad request - encrypted_value key_id does not match a public key')
    const { visibility, selected_repository_ids: selected } = given
    if (place.startsWith('organization') && !['all', 'private', 'selected'].includes(String(visibility)))
      return refuse(422, 'Invalid request. "visibility" wasn\'t supplied.')
    const value = open(String(given.encrypted_value))
    secrets.set(keyOf(place, name), {
      value,
      createdAt: found?.createdAt ?? now(),
      updatedAt: now(),
      ...(typeof visibility === 'string' && { visibility }),
      ...(visibility === 'selected' && { selected: Array.isArray(selected) ? selected : [] }),
    })
    return answer(found ? 204 : 201, found ? undefined : {})
  }

  return {
    addSecret(place, name, { value, ...audience }) {
      secrets.set(keyOf(place, name), { value, createdAt: now(), updatedAt: now(), ...audience })
    },
    secret: (place, name) => secrets.get(keyOf(place, name)),
    replacePublicKey(newKey, newOpen) {
      publicKey = newKey
      open = newOpen
    },
    handle({ method, path, headers, body }) {
      const url = new URL(path, 'https://github.example')
      if (headers.authorization !== `Bearer ${token}`) return refuse(401, 'Bad credentials')
      if (method === 'GET' && url.pathname.toLowerCase() === `/repos/${owner}/${repo}`.toLowerCase())
        return answer(200, { id: repositoryId, full_name: `${owner}/${repo}` })
      const found = route(url.pathname)
      if (!found) return refuse(404, 'Not Found')
      const { place, rest } = found
      const needed = NEEDED[place.split(' ', 1)[0] ?? ''] ?? []
      if (!needed.every((permission) => permissions.includes(permission)))
        return refuse(403, 'Resource not accessible by integration')
      if (rest === 'public-key') return answer(200, { key_id: publicKey.id, key: publicKey.key })
      const name = decodeURIComponent(rest.split('/', 1)[0] ?? '')
      if (rest.endsWith('/repositories')) {
        const ids = secrets.get(keyOf(place, name))?.selected ?? []
        const size = Number(url.searchParams.get('per_page') ?? 30)
        const from = (Number(url.searchParams.get('page') ?? 1) - 1) * size
        const repositories = ids.slice(from, from + size).map((id) => ({ id, name: `repository-${id}` }))
        return answer(200, { total_count: ids.length, repositories })
      }
      return serveSecret(method, place, name, body)
    },
  }
}
