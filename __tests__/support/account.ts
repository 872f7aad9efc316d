/** One request to the API, as a server sees it; header names in lower case, `path` with its query. */
export interface ApiRequest {
  method: string
  path: string
  headers: Record<string, string>
  body: string
}

export interface ApiResponse {
  status: number
  headers: Record<string, string>
  body: string
}

/** A key of the account. Instants in milliseconds since 1970. */
export interface StoredKey {
  id: string
  token: string
  token_key: string
  created: number
  expiry: number | null
  revoked: boolean
}

export interface AccountOptions {
  /** The server's clock, in milliseconds since 1970. */
  now: () => number
  /** In [0, 1). */
  random: () => number
  longLivedKey?: string
  createStatus?: 200 | 201
  idForm?: 'hex' | 'integer'
  listForm?: 'array' | 'paginated'
  pageSize?: number
  /** What the server does with fractions of a second in an expiry; `drop` rounds down without a word. */
  fractions?: 'exact' | 'keep' | 'microseconds' | 'drop' | 'refuse'
  timeForm?: 'Z' | 'offset'
  errorShape?: 'detail' | 'error' | 'html' | 'empty' | 'codes'
  /** How many keys may be alive at once, before creating one is answered with 403. */
  keyLimit?: number
  /** The server takes no notice of `expiry`, and makes keys that never expire. */
  ignoreExpiry?: boolean
  selfRevocation?: 'allowed' | 'forbidden' | 'unauthorized'
  /** Every revocation is answered with 204 and not done. */
  idleRevocation?: boolean
  /** Requests in any `windowMs`, over all credentials of the account; refused ones do not count. */
  throttle?: { requests: number; windowMs: number }
  dateHeader?: boolean
}

/** The account of one user, behind the API: state and rules without a network. */
export interface Account {
  handle(request: ApiRequest): ApiResponse
  /** Every key that was made through the API. */
  keys(): StoredKey[]
  /** Those of them that are neither revoked nor expired. */
  live(): StoredKey[]
  longLivedKey: string
  /** A JWT access token that is accepted like a key. */
  jwt: string
  /** Adds a key of somebody else's. */
  addKey(key: { expiry: number | null; created?: number }): StoredKey
  /** The ids of somebody else's keys that were revoked. */
  touchedForeign(): string[]
}

const KEYS = '/api/user/api-keys'

/** A new account with one long-lived key. */
export function createAccount(options: AccountOptions): Account {
  const { now, random } = options
  const hex = (length: number) =>
    Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
  const longLivedKey = options.longLivedKey ?? hex(64)
  const jwt = `eyJhbGciOiJIUzI1NiJ9.${hex(40)}.${hex(43)}`
  const made: StoredKey[] = []
  const foreign: StoredKey[] = []
  const byToken = new Map<string, StoredKey>()
  const byId = new Map<string, StoredKey>()
  /** When requests were served, in order; those before `windowFrom` are out of the throttle's window. */
  const served: number[] = []
  let windowFrom = 0
  let lastId = 1000

  const isAlive = ({ revoked, expiry }: StoredKey) => !revoked && (expiry === null || expiry > now())
  const all = () => [...foreign, ...made].sort((a, b) => a.created - b.created)

  function store(list: StoredKey[], created: number, expiry: number | null): StoredKey {
    const token = hex(64)
    lastId += 1 + Math.floor(random() * 50)
    const id = options.idForm === 'integer' ? String(lastId) : hex(128)
    const key = { id, token, token_key: token.slice(0, 15), created, expiry, revoked: false }
    list.push(key)
    byToken.set(token, key)
    byId.set(id, key)
    return key
  }

  function instant(at: number): string {
    const shift = options.timeForm === 'offset' ? 3_600_000 : 0
    const [whole = '', milliseconds = ''] = new Date(at + shift).toISOString().slice(0, -1).split('.')
    const micros = String(Math.round((at % 1) * 1000)).padStart(3, '0')
    if (micros !== '000') return `${whole}.${milliseconds}${micros}${shift ? '+01:00' : 'Z'}`
    const fraction =
      milliseconds === '000'
        ? ''
        : options.fractions === 'microseconds'
          ? `.${milliseconds}000`
          : `.${milliseconds}`
    return `${whole}${fraction}${shift ? '+01:00' : 'Z'}`
  }

  const shown = ({ id, token_key, created, expiry }: StoredKey) => ({
    id: options.idForm === 'integer' ? Number(id) : id,
    token_key,
    created: instant(created),
    expiry: expiry === null ? null : instant(expiry),
  })

  function answer(status: number, body?: unknown, headers: Record<string, string> = {}): ApiResponse {
    const date = options.dateHeader === false ? {} : { Date: new Date(now()).toUTCString() }
    const type = body === undefined ? {} : { 'Content-Type': 'application/json' }
    return {
      status,
      headers: { ...date, ...type, ...headers },
      body: body === undefined ? '' : JSON.stringify(body),
    }
  }

  function refuse(status: number, reason: string, headers: Record<string, string> = {}): ApiResponse {
    switch (options.errorShape) {
      case 'error':
        return answer(status, { error: reason }, headers)
      case 'html':
        return {
          ...answer(status, undefined, { ...headers, 'Content-Type': 'text/html' }),
          body: `<html><h1>${reason}</h1></html>`,
        }
      case 'empty':
        return answer(status, undefined, headers)
      case 'codes':
        return answer(status, { detail: reason, code: 'refused', messages: [{ message: reason }] }, headers)
      default:
        return answer(status, { detail: reason }, headers)
    }
  }

  function create(body: string): ApiResponse {
    let asked: unknown
    try {
      asked = (JSON.parse(body || '{}') as { expiry?: unknown }).expiry
    } catch {
      return refuse(400, 'JSON parse error')
    }
    const wrong = (reason: string) => answer(400, { expiry: [reason] })
    let expiry: number | null = null
    if (asked !== undefined && asked !== null && !options.ignoreExpiry) {
      expiry = typeof asked === 'string' ? Date.parse(asked) : Number.NaN
      if (Number.isNaN(expiry)) return wrong('Datetime has wrong format.')
      if (options.fractions === 'refuse' && String(asked).includes('.'))
        return wrong('Fractions are not accepted.')
      // Microseconds as fractions of a millisecond.
      if (options.fractions === 'exact')
        expiry += Number(`0.${/\.\d{3}(\d*)/.exec(String(asked))?.[1] ?? ''}`)
      if (options.fractions === 'drop') expiry = Math.floor(expiry / 1000) * 1000
      if (expiry <= now()) return wrong('Expiry must be in the future.')
    }
    if (options.keyLimit !== undefined && all().filter(isAlive).length >= options.keyLimit)
      return refuse(403, 'Maximum amount of tokens allowed per user exceeded.')
    const key = store(made, now(), expiry)
    return answer(options.createStatus ?? 201, { token: key.token, api_key: shown(key) })
  }

  function list(query: URLSearchParams): ApiResponse {
    const own = {
      id: 'long-lived',
      token_key: longLivedKey.slice(0, 15),
      created: '2020-01-01T00:00:00Z',
      expiry: null,
    }
    const rows = [own, ...all().filter(isAlive).map(shown)]
    if (options.listForm !== 'paginated') return answer(200, rows)
    const size = options.pageSize ?? 50
    const page = Number(query.get('page') ?? 1)
    const more = page * size < rows.length
    return answer(200, {
      count: rows.length,
      next: more ? `http://internal.example${KEYS}?page=${page + 1}` : null,
      previous: null,
      results: rows.slice((page - 1) * size, page * size),
    })
  }

  function revoke(id: string, credential: string): ApiResponse {
    const key = byId.get(id)
    if (!key || !isAlive(key)) return refuse(404, 'Not found.')
    if (key.token === credential && options.selfRevocation === 'forbidden')
      return refuse(403, 'You do not have permission to perform this action.')
    if (key.token === credential && options.selfRevocation === 'unauthorized')
      return refuse(401, 'Invalid token.')
    key.revoked = !options.idleRevocation
    return answer(204)
  }

  function throttled(): ApiResponse | null {
    if (!options.throttle) return null
    const { requests, windowMs } = options.throttle
    const oldest = () => served[windowFrom] ?? Infinity
    while (oldest() <= now() - windowMs) windowFrom += 1
    if (served.length - windowFrom >= requests) {
      const wait = Math.max(1, Math.ceil((oldest() + windowMs - now()) / 1000))
      return refuse(429, `Request was throttled. Expected available in ${wait} seconds.`, {
        'Retry-After': String(wait),
      })
    }
    served.push(now())
    return null
  }

  return {
    longLivedKey,
    jwt,
    keys: () => [...made],
    live: () => made.filter(isAlive),
    addKey: ({ expiry, created }) => store(foreign, created ?? now(), expiry),
    touchedForeign: () => foreign.filter(({ revoked }) => revoked).map(({ id }) => id),
    handle({ method, path, headers, body }) {
      const url = new URL(path, 'http://server.example')
      const credential = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
      const own = byToken.get(credential)
      const accepted = credential === longLivedKey || credential === jwt || (own && isAlive(own))
      const [, id] = /^\/api\/user\/api-keys\/([^/]+)$/.exec(url.pathname) ?? []
      const known =
        url.pathname === KEYS || id !== undefined || /^\/api\/(companies|user\/profile)$/.test(url.pathname)
      if (!known)
        return { ...answer(404, undefined, { 'Content-Type': 'text/html' }), body: '<h1>Not Found</h1>' }
      if (!accepted) return refuse(401, 'Invalid token.')
      const wait = throttled()
      if (wait) return wait
      if (url.pathname === KEYS && method === 'GET') return list(url.searchParams)
      if (url.pathname === KEYS && method === 'POST') return create(body)
      if (id !== undefined && method === 'DELETE') return revoke(decodeURIComponent(id), credential)
      if (method !== 'GET') return refuse(405, `Method "${method}" not allowed.`)
      return url.pathname === '/api/companies'
        ? answer(200, {
            count: 1,
            results: [{ name: 'Example Company', country: 'US', email: 'info@company.example' }],
          })
        : answer(200, { username: 'account-owner' })
    },
  }
}
