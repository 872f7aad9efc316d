import { createHash } from 'node:crypto'
import type { CreateAnswer } from './create-answers.ts'
import type { Gate } from './gate.ts'
import { GRID_STEP_US, type Grid, quantize, type Rounding, type Spelling } from './instants.ts'
import type { ListForm, NextForm } from './list-forms.ts'
import type { IdForm, RowOptions } from './rows.ts'

/** A key of the account. Instants in milliseconds since 1970, microseconds as a fraction. */
export interface StoredKey {
  id: string
  token: string
  token_key: string
  created: number
  expiry: number | null
  revoked: boolean
  /** When it was revoked through the API; null until then. */
  revokedAt: number | null
  /** How far the clock of the node that made it is wrong, in ms, and so `created`. */
  nodeErrorMs?: number
  /** What cannot be read of its row in the list. */
  unreadable?: 'id' | 'created' | 'expiry'
}

/** Every option that is left out is as the documentation says, or as Django does it. */
export interface AccountOptions {
  /** The server's clock, in milliseconds since 1970. */
  now: () => number
  /** In [0, 1). */
  random: () => number
  longLivedKey?: string
  createStatus?: 200 | 201
  idForm?: IdForm
  listForm?: ListForm
  nextForm?: NextForm
  pageSize?: number
  /** So many times, a key of page 1 expires while page 2 is read, and moves the others up. */
  listMoves?: number
  /** Rows of the list lack these. */
  rowsWithout?: RowOptions['without']
  /** The list writes ids in another form, which a revocation may name as well. */
  listsOtherIds?: boolean
  /** A cache gives out a list of this age in milliseconds, and says so in `Age`. */
  listAge?: () => number
  /** What the server does with fractions of a second in an expiry; `drop` rounds down without a word. */
  fractions?: 'keep' | 'microseconds' | 'drop' | 'refuse'
  /** The step on which expiries are stored, and how they get there. */
  grid?: Grid
  rounding?: Rounding
  /** The response to a create request repeats the expiry that was asked for; the list shows the one that is stored. */
  repeatsExpiry?: 'whole' | 'in milliseconds' | 'in seconds' | false
  /** The expiry is computed anew from the server's clock, so many milliseconds later. */
  driftMs?: number
  /** An expiry with more digits after the point than this is refused with 400. */
  maxDigits?: 0 | 3 | 6
  timeForm?: Spelling
  /** Times are printed this many ms ahead of UTC, without a zone. */
  localShiftMs?: number
  /** Only `expiry` is printed so; `created` is in UTC, with an offset. */
  localExpiryOnly?: boolean
  /** How far `created` is printed ahead of when the key was made, in ms. */
  createdErrorMs?: number
  errorShape?: 'detail' | 'error' | 'html' | 'empty' | 'codes'
  /** How many keys may be alive at once, before creating one is answered with 403. */
  keyLimit?: number
  /** The longest lifetime that the API allows, in ms: longer ones are shortened. */
  maxLifetimeMs?: number
  /** The server takes no notice of `expiry`, and makes keys that never expire. */
  ignoreExpiry?: boolean
  /** There is one key per user: create gives another run's key of this age (ms) the requested expiry, and returns it. */
  onlyKeyAgeMs?: number
  /** Create makes no key, and returns those of one other client in turn, each as old as the first one was. */
  keysInTurn?: KeysInTurn
  selfRevocation?: 'allowed' | 'forbidden' | 'unauthorized' | 'conflict'
  /** Whether any credential but the key itself, `api-key` too, may revoke it, or gets 403. */
  revocationByOthers?: 'allowed' | 'forbidden'
  /** Every revocation is answered with 204 and not done. */
  idleRevocation?: boolean
  /** Replicas revoke keys as well: what one answers that does not know the key yet, as for any id that is not there. */
  revocationOfUnknown?: 'granted' | 'not found'
  /** Requests in any `windowMs`, over all credentials of the account; refused ones do not count. */
  throttle?: { requests: number; windowMs: number }
  dateHeader?: boolean
  /** How far the `Date` header is ahead of the server's clock, in milliseconds. */
  dateErrorMs?: number
  /** Each request reaches one of two nodes: a right one, and one whose clock is so many ms behind. */
  nodeBehindMs?: number
  /** How far the clock of the node that was reached is wrong: the account sets it. */
  nodeErrorMs?: number
  /** Reads come from replicas that are behind by up to so many ms: for fresh keys, for revoked ones, for the list. Steady ones are behind by just that, or not at all. */
  replicas?: { freshMs?: number; revokedMs?: number; listMs?: number; isSteady?: boolean }
  /** What answers instead of the API just now, if anything. */
  gate?: () => Gate | null
  /** Which key the answer to a create request holds. */
  createAnswer?: () => CreateAnswer
  /** The answers of 2xx cannot be read, whatever was done. */
  unreadable?: () => boolean
}

/** Keys of another client: their age in ms, when they end, and whether the response says when they were made. */
export interface KeysInTurn {
  ageMs: number
  expiry: 'never' | 'in days' | 'as asked for, in another zone'
  isDated: boolean
}

/** What the parts of the account share. */
export interface AccountState {
  options: AccountOptions
  longLived: StoredKey
  /** A JWT access token that is accepted like a key; null once it has ended. */
  jwt: string | null
  made: StoredKey[]
  foreign: StoredKey[]
  /** The one key of a user who may have no other, once it was asked for. */
  onlyKey: StoredKey | null
  byToken: Map<string, StoredKey>
  byId: Map<string, StoredKey>
  lastId: number
  /** The rows of the list, made once for each key and expiry. */
  rows: Map<StoredKey, { expiry: number | null; row: unknown }>
}

const HEX_DIGITS = '0123456789abcdef'
const DAY_MS = 86_400_000

export function openState(options: AccountOptions, token: string): AccountState {
  // Made without `random`, so that an account with this row rolls the same numbers as one without.
  const id = isNumeric(options.idForm) ? '1000' : createHash('sha512').update(token).digest('hex')
  const created = options.now() - 90 * DAY_MS
  const longLived = {
    id,
    token,
    token_key: token.slice(0, 15),
    created,
    expiry: null,
    revoked: false,
    revokedAt: null,
  }
  return {
    options,
    longLived,
    jwt: null,
    made: [],
    foreign: [],
    onlyKey: null,
    byToken: new Map([[token, longLived]]),
    byId: new Map([[id, longLived]]),
    lastId: options.idForm === 'big' ? 0 : 1000,
    rows: new Map(),
  }
}

export function hex(length: number, random: () => number): string {
  let text = ''
  for (let digit = 0; digit < length; digit++) text += HEX_DIGITS[Math.floor(random() * 16)]
  return text
}

function isNumeric(form: IdForm | undefined): boolean {
  return form === 'integer' || form === 'big'
}

/** Whether the server accepts the key at `now`, as the one that holds the truth sees it. */
export function isAlive({ revoked, expiry }: StoredKey, now: number): boolean {
  return !revoked && (expiry === null || expiry > now)
}

/** Whether the key was revoked at `instant`, as a replica that is so far behind knows it. */
export function wasRevoked({ revoked, revokedAt }: StoredKey, instant: number): boolean {
  return revoked && (revokedAt ?? Number.NEGATIVE_INFINITY) <= instant
}

/** Makes a key and puts it into `list`, the account's own or that of others. */
export function storeKey(
  state: AccountState,
  list: StoredKey[],
  created: number,
  expiry: number | null,
): StoredKey {
  const { random, idForm, nodeErrorMs } = state.options
  const token = hex(64, random)
  state.lastId += 1 + Math.floor(random() * 50)
  // Beyond 2^53, as ids from a distributed counter are.
  const number = idForm === 'big' ? `11529215046068${String(state.lastId).padStart(5, '0')}` : state.lastId
  const id = isNumeric(idForm) ? String(number) : hex(128, random)
  const key = {
    id,
    token,
    token_key: token.slice(0, 15),
    created,
    expiry,
    revoked: false,
    revokedAt: null,
    ...(nodeErrorMs && { nodeErrorMs }),
  }
  list.push(key)
  state.byToken.set(token, key)
  state.byId.set(id, key)
  return key
}

function gridOf({ grid, fractions }: AccountOptions): Grid {
  return grid ?? (fractions === 'drop' ? '1 s' : '1 us')
}

/** `instant` (ms since 1970) as the server stores it. */
export function storedInstant(options: AccountOptions, instant: number): number {
  return quantize(instant + (options.driftMs ?? 0), gridOf(options), options.rounding)
}

/** How far two expiries have to lie apart, in ms, so as never to be taken for one another by a server that rounds. */
export function apartMs(options: AccountOptions): number {
  return 2_000 + (2 * GRID_STEP_US[gridOf(options)]) / 1000
}

/** How the server prints its keys. */
export function rowOptions(options: AccountOptions): RowOptions {
  const { idForm, timeForm, fractions, localShiftMs, localExpiryOnly, createdErrorMs } = options
  const created = GRID_STEP_US[gridOf(options)] > 1_000_000 ? '1 ms' : gridOf(options)
  return {
    idForm,
    spelling: timeForm,
    sixDigits: fractions === 'microseconds',
    localShiftMs,
    localExpiryOnly,
    createdErrorMs,
    createdGrid: created,
  }
}
