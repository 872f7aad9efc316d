import {
  type AccountState,
  apartMs,
  type KeysInTurn,
  rowOptions,
  type StoredKey,
  storedInstant,
  storeKey,
} from './account-state.ts'
import { type ApiResponse, answer } from './api-answers.ts'
import { quantize } from './instants.ts'
import { rowOf } from './rows.ts'

/** Which key the answer to a create request holds, and whether the request made one. */
export const CREATE_ANSWERS = [
  /** The key that was asked for. */
  'own',
  /** The second of two, as a gateway repeated the request at once. */
  'own twin',
  /** Another job's fresh key: two answers were mixed up. */
  "another job's, own made",
  "another job's, none made",
  /** An earlier answer, from a cache or a filter of duplicates; a key of 20 minutes ago where there was none. */
  'replayed',
  /** A key that the account had before, as APIs with one token per user answer. */
  'old key',
  /** A key of another client, of 20 minutes ago, that never expires or lives for whole minutes: for a cache. */
  'stored',
  /** The very credential that was used, without an expiry or with one. */
  'api-key',
  'api-key with expiry',
  /** None: a success that carries an error. */
  'error',
] as const
export type CreateAnswer = (typeof CREATE_ANSWERS)[number]

/** How old the response to a create request is that a cache gives. */
export const STORED_AGE_MS = 20 * 60_000
export const CREATE_ERROR = 'API key limit reached for your plan (5 of 5).'
const MINUTE_MS = 60_000
const DAY_MS = 1440 * MINUTE_MS

/** The expiry that a create request asked for, null if it asked for none, and what is stored for it. */
export interface Expiry {
  asked: number | null
  stored: number | null
}

/** Carries out a valid create request and answers it. */
export function createAnswers(
  state: AccountState,
  { asked, stored }: Expiry,
  which: CreateAnswer,
): ApiResponse {
  const { options, made, foreign, longLived } = state
  const now = options.now()
  const say = (key: StoredKey) => described(options, key)
  const own = () => onlyKey(state, stored) ?? keyInTurn(state, asked) ?? storeKey(state, made, now, stored)
  const repeated = repeatedExpiry(options, asked)
  const repeating = (key: StoredKey) => (repeated === null ? key : { ...key, expiry: repeated })
  const oldExpiry = () => (options.random() < 0.5 ? null : storedInstant(options, now + 40 * MINUTE_MS))
  const other = () => elsewhere(state, stored ?? asked)
  switch (which) {
    case 'own':
      return say(repeating(own()))
    case 'own twin':
      own()
      return say(repeating(own()))
    case "another job's, own made":
      own()
      return say(storeKey(state, foreign, now, other()))
    case "another job's, none made":
      return say(storeKey(state, foreign, now, other()))
    case 'replayed':
      return say(made.at(-1) ?? oldKey(state, 20 * MINUTE_MS, other()))
    case 'old key':
      return say(oldKey(state, ageOf(options.random), oldExpiry()))
    case 'stored':
      return say(oldKey(state, STORED_AGE_MS, storedExpiry(options)))
    case 'api-key':
      return say(longLived)
    case 'api-key with expiry':
      return say({ ...longLived, expiry: now + 40 * MINUTE_MS })
    case 'error':
      return answer(options, 200, { success: false, error: CREATE_ERROR })
  }
}

/** The response that holds this key. */
function described(options: AccountState['options'], key: StoredKey): ApiResponse {
  const without = options.keysInTurn?.isDated === false ? ('created' as const) : undefined
  return answer(options, options.createStatus ?? 201, {
    token: key.token,
    api_key: rowOf(key, { ...rowOptions(options), without }),
  })
}

/** The expiry in the response of a server that repeats the one that was asked for; null if it does not. */
function repeatedExpiry({ repeatsExpiry }: AccountState['options'], asked: number | null): number | null {
  if (!repeatsExpiry || asked === null) return null
  if (repeatsExpiry === 'in seconds') return Math.floor(asked / 1000) * 1000
  return repeatsExpiry === 'whole' ? asked : Math.floor(asked)
}

/** An expiry that another job may have asked for, and that cannot be taken for `expiry`, on whatever grid. */
function elsewhere({ options }: AccountState, expiry: number | null): number {
  const apart = apartMs(options) + options.random() * MINUTE_MS
  const now = options.now()
  const made = now + (options.nodeErrorMs ?? 0)
  const base = expiry ?? now + 60 * MINUTE_MS
  const sign = base - apart > now + 2000 && options.random() < 0.5 ? -1 : 1
  const isWholeMinutes = (ms: number) => Math.abs(ms - Math.round(ms / MINUTE_MS) * MINUTE_MS) <= 50
  // A whole minute could be what was asked for, rounded, and whole minutes of lifetime a limit of the API.
  const shown = quantize(made, rowOptions(options).createdGrid ?? '1 us')
  const isMistakable = (stored: number) =>
    isWholeMinutes(stored) ||
    [made, shown, storedInstant(options, made)].some((at) => isWholeMinutes(stored - at))
  for (let more = 0; ; more += 1000) {
    const stored = storedInstant(options, base + sign * (apart + more))
    if (!isMistakable(stored) || more > MINUTE_MS) return stored
  }
}

function oldKey(state: AccountState, ageMs: number, expiry: number | null): StoredKey {
  return storeKey(state, state.foreign, state.options.now() - ageMs, expiry)
}

/** The only key that the user may have, with a new expiry; null where there may be several. */
function onlyKey(state: AccountState, expiry: number | null): StoredKey | null {
  const { onlyKeyAgeMs } = state.options
  if (onlyKeyAgeMs === undefined) return null
  state.onlyKey ??= oldKey(state, onlyKeyAgeMs, expiry)
  state.onlyKey.expiry = expiry
  return state.onlyKey
}

/** The expiry of a key of `STORED_AGE_MS` ago that is still valid. */
function storedExpiry(options: AccountState['options']): number | null {
  if (options.random() < 0.5) return null
  const lifetime = (options.random() < 0.5 ? 30 : 60) * MINUTE_MS
  return storedInstant(options, options.now() - STORED_AGE_MS + lifetime)
}

/** Another key of one other client, as far from the one before as the requests are; null where create makes keys. */
function keyInTurn(state: AccountState, asked: number | null): StoredKey | null {
  const { keysInTurn, now } = state.options
  if (!keysInTurn) return null
  return oldKey(state, keysInTurn.ageMs, expiryInTurn(keysInTurn, now(), asked))
}

function expiryInTurn(
  { ageMs, expiry, isDated }: KeysInTurn,
  now: number,
  asked: number | null,
): number | null {
  if (expiry === 'never' || asked === null) return null
  if (expiry === 'in days') return now - ageMs + (Math.ceil(ageMs / DAY_MS) + 1) * DAY_MS
  // Beside `created`, the same zone shifts both.
  const shifted = isDated
    ? Math.floor(asked / MINUTE_MS) * MINUTE_MS - ageMs
    : Math.floor(asked / 1000) * 1000 + 120 * MINUTE_MS
  return shifted > now ? shifted : null
}

/** Up to a month, in ms, and more than `STORED_AGE_MS`: a clock that is behind by that would take it for new. */
function ageOf(random: () => number): number {
  return 21 * MINUTE_MS * 2_050 ** random()
}
