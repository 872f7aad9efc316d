import { accepts, behind, createThrottle, isUnknown } from './access.ts'
import {
  type AccountOptions,
  type AccountState,
  hex,
  isAlive,
  openState,
  rowOptions,
  type StoredKey,
  storedInstant,
  storeKey,
  wasRevoked,
} from './account-state.ts'
import { type ApiRequest, type ApiResponse, answer, refuse } from './api-answers.ts'
import { createAnswers, type Expiry } from './create-answers.ts'
import { gateAnswer } from './gate.ts'
import { readAsked } from './instants.ts'
import { pageOf } from './list-forms.ts'
import { rowOf, usualId } from './rows.ts'

export type { AccountOptions, StoredKey } from './account-state.ts'
export type { ApiRequest, ApiResponse } from './api-answers.ts'

/** The account of one user, behind the API: state and rules without a network. */
export interface Account {
  handle(request: ApiRequest): ApiResponse
  /** Every key that was made through the API. */
  keys(): StoredKey[]
  /** Those of them that are neither revoked nor expired. */
  live(): StoredKey[]
  longLivedKey: string
  /** A JWT access token that is accepted like a key, and has no row in the list. */
  jwt: string
  /** Adds another run's key. */
  addKey(key: { expiry: number | null; created?: number }): StoredKey
  /** Keys of others: those that were added, and those that other jobs made. */
  foreign(): StoredKey[]
  /** The ids of other runs' keys that were revoked, and of the long-lived key if it was. */
  touchedForeign(): string[]
  /** From now on, the long-lived key and the JWT are rejected. */
  endApiKey(): void
  /** `instant` (ms since 1970) as this server stores it. */
  stored(instant: number): number
}

const KEYS = '/api/user/api-keys'

/** A new account with one long-lived key. */
export function createAccount(options: AccountOptions): Account {
  const { now, random } = options
  const longLivedKey = options.longLivedKey ?? hex(64, random)
  const jwt = `eyJhbGciOiJIUzI1NiJ9.${hex(40, random)}.${hex(43, random)}`
  const state = { ...openState(options, longLivedKey), jwt }
  const handle = createHandler(state)
  return {
    longLivedKey,
    jwt,
    handle,
    keys: () => [...state.made],
    live: () => state.made.filter((key) => isAlive(key, now())),
    foreign: () => [...state.foreign],
    addKey: ({ expiry, created }) => storeKey(state, state.foreign, created ?? now(), expiry),
    touchedForeign: () =>
      [state.longLived, ...state.foreign].filter(({ revoked }) => revoked).map(({ id }) => id),
    endApiKey() {
      state.longLived.expiry = now()
      Object.assign(state, { jwt: null })
    },
    stored: (instant) => storedInstant(options, instant),
  }
}

/** Reads the body of a create request; `wrong` is why it is refused. */
function readExpiry(options: AccountOptions, body: string): Expiry | { wrong: string } {
  const { now, fractions, maxDigits = fractions === 'refuse' ? 0 : 6 } = options
  const asked = (JSON.parse(body || '{}') as { expiry?: unknown }).expiry
  const read = readAsked(asked)
  if (asked === undefined || asked === null || options.ignoreExpiry)
    return { asked: read?.instant ?? null, stored: null }
  if (read === null) return { wrong: 'Datetime has wrong format.' }
  if (read.digits > maxDigits)
    return {
      wrong:
        maxDigits === 0
          ? 'Fractions are not accepted.'
          : `No more than ${maxDigits} digits of a second are accepted.`,
    }
  const stored = Math.min(storedInstant(options, read.instant), now() + (options.maxLifetimeMs ?? Infinity))
  return stored <= now() ? { wrong: 'Expiry must be in the future.' } : { asked: read.instant, stored }
}

function create(state: AccountState, body: string): ApiResponse {
  const { options, made, foreign } = state
  let read: ReturnType<typeof readExpiry>
  try {
    read = readExpiry(options, body)
  } catch {
    return refuse(options, 400, 'JSON parse error')
  }
  if ('wrong' in read) return answer(options, 400, { expiry: [read.wrong] })
  const alive = [...foreign, ...made].filter((key) => isAlive(key, options.now()))
  if (options.keyLimit !== undefined && alive.length >= options.keyLimit)
    return refuse(options, 403, 'Maximum amount of tokens allowed per user exceeded.')
  return createAnswers(state, read, options.createAnswer?.() ?? 'own')
}

function list(state: AccountState, path: string, query: URLSearchParams): ApiResponse {
  const { options, longLived, foreign, made } = state
  const { listForm = 'array', nextForm = 'absolute', pageSize = 50 } = options
  const age = options.listAge?.() ?? 0
  const at = options.now() - age - behind(options, options.replicas?.listMs)
  const page = Number(/\/page\/(\d+)$/.exec(path)?.[1] ?? query.get('page') ?? 1)
  if (page === 2) moveOn(state)
  const rows = [longLived, ...foreign, ...made]
    .filter((key) => key.created <= at && !wasRevoked(key, at) && (key.expiry === null || key.expiry > at))
    .sort((a, b) => a.created - b.created)
    .map((key) => listedRow(state, key))
  const { body, headers } = pageOf(rows, KEYS, { form: listForm, next: nextForm, page, size: pageSize })
  const aged = age >= 1000 ? { Age: String(Math.floor(age / 1000)), 'X-Cache': 'HIT' } : {}
  return answer(options, 200, body, { ...headers, ...aged })
}

function listedRow({ options, rows }: AccountState, key: StoredKey): unknown {
  const known = rows.get(key)
  if (known && known.expiry === key.expiry) return known.row
  const row = rowOf(key, {
    ...rowOptions(options),
    without: options.rowsWithout,
    otherIds: options.listsOtherIds,
  })
  rows.set(key, { expiry: key.expiry, row })
  return row
}

/** A key of others on page 1 expires, so that the first row of page 2 moves there, where it is no longer seen. */
function moveOn({ options, foreign }: AccountState): void {
  const now = options.now()
  const gone = foreign.find((key) => isAlive(key, now))
  if ((options.listMoves ?? 0) < 1 || !gone) return
  options.listMoves = (options.listMoves ?? 0) - 1
  gone.expiry = now
}

function revoke({ options, byId }: AccountState, id: string, credential: string): ApiResponse {
  const key = byId.get(usualId(id))
  const { revocationOfUnknown } = options
  if (options.revocationByOthers === 'forbidden' && credential !== key?.token)
    return answer(options, 403, { detail: 'You may not revoke keys.' })
  if (!key || !isAlive(key, options.now()) || (revocationOfUnknown && isUnknown(options, key, credential)))
    return revocationOfUnknown === 'granted' ? answer(options, 204) : refuse(options, 404, 'Not found.')
  if (key.token === credential && options.selfRevocation === 'forbidden')
    return refuse(options, 403, 'You do not have permission to perform this action.')
  if (key.token === credential && options.selfRevocation === 'unauthorized')
    return refuse(options, 401, 'Invalid token.')
  if (key.token === credential && options.selfRevocation === 'conflict')
    return refuse(options, 409, 'The key is in use.')
  if (!options.idleRevocation) {
    key.revoked = true
    key.revokedAt = options.now()
  }
  return answer(options, 204)
}

function createHandler(state: AccountState): Account['handle'] {
  const { options } = state
  const throttled = createThrottle(options)
  const respond = ({ method, path, headers, body }: ApiRequest): ApiResponse => {
    const url = new URL(path, 'http://server.example')
    const credential = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
    const isList = url.pathname === KEYS || /^\/api\/user\/api-keys\/page\/\d+$/.test(url.pathname)
    const [, id] = /^\/api\/user\/api-keys\/([^/]+)$/.exec(url.pathname) ?? []
    const known = isList || id !== undefined || /^\/api\/(companies|user\/profile)$/.test(url.pathname)
    if (!known)
      return {
        ...answer(options, 404, undefined, { 'Content-Type': 'text/html' }),
        body: '<h1>Not Found</h1>',
      }
    if (credential !== state.jwt && !accepts(state, credential)) return refuse(options, 401, 'Invalid token.')
    const wait = throttled()
    if (wait) return wait
    if (isList && method === 'GET') return list(state, url.pathname, url.searchParams)
    if (url.pathname === KEYS && method === 'POST') return create(state, body)
    if (id !== undefined && method === 'DELETE') return revoke(state, decodeURIComponent(id), credential)
    if (method !== 'GET') return refuse(options, 405, `Method "${method}" not allowed.`)
    return answer(options, 200, url.pathname === '/api/companies' ? COMPANIES : OWNER)
  }
  return (request) => {
    if (options.nodeBehindMs) options.nodeErrorMs = options.random() < 0.5 ? -options.nodeBehindMs : 0
    const gate = options.gate?.() ?? null
    if (gate !== null) return gateAnswer(gate)
    const response = respond(request)
    if (!options.unreadable?.() || response.status > 299) return response
    return { ...response, headers: { ...response.headers, 'Content-Encoding': 'gzip' }, body: GZIP }
  }
}

/** What the start of a compressed answer looks like when it is read as text. */
const GZIP = '\u001f\ufffd\b\u0000\u0000\u0000\u0000\u0000\u0000\u0003\ufffdVJ-*\ufffd/'
const COMPANIES = {
  count: 1,
  results: [{ name: 'Example Company', country: 'US', email: 'info@company.example' }],
}
const OWNER = { username: 'account-owner' }
