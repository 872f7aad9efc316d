import { isHeaderSafe } from '../api/key-api.ts'
import type { CreatedKey, KeyInfo, ListedKey } from '../api/parse-response.ts'
import { formatInstant } from '../util/instant.ts'
import { fitOf, gridBetween, type Intent, LATE_WRITE_GRACE_MS, UNKNOWN_GRID_US } from './intent.ts'

/** How far `created` may lie outside the window of a request: a `Date` header has whole seconds, and takes a while. */
const CLOCK_SLACK_MS = 5_000
/** The same by this machine's clock, which is corrected only beyond a minute. */
const LOCAL_CLOCK_SLACK_MS = 65_000
/** A key may outlive what was asked for by this much: servers round, and clocks differ by a little. */
const MAX_EXTRA_LIFETIME_MS = 5_000
/** A `created` further off than this, against both other clocks, is in another time zone rather than right. */
const ZONE_ERROR_MS = 10 * 60_000
/** Offsets of time zones are multiples of a quarter of an hour, up to 14 hours. */
const ZONE_STEP_MS = 15 * 60_000
const MAX_ZONE_MS = 14 * 3_600_000
/** A clock that makes a lifetime this much shorter is corrected, in milliseconds. */
const CLOCK_TOLERANCE_MS = 60_000
const MAX_TOKEN_LENGTH = 4096

/** Whether `created` lies between `from` and `to` (this machine's clock) by one of the clocks that may be right. */
function isWithin(created: number, from: number, to: number, skews: readonly (number | null)[]): boolean {
  const fits = (skew: number, slack: number) => from + skew - slack <= created && created <= to + skew + slack
  return fits(0, LOCAL_CLOCK_SLACK_MS) || skews.some((skew) => skew !== null && fits(skew, CLOCK_SLACK_MS))
}

export type Match =
  | { kind: 'absent' }
  | { kind: 'found'; key: ListedKey }
  /** Something is there that may be the orphan, but cannot be told from another run's key. */
  | { kind: 'ambiguous'; candidates: ListedKey[] }

export interface ListContext {
  /** Ids that are known: of keys that this run holds or revoked. */
  known: ReadonlySet<string>
  /** What the server's clock may be, less ours, in milliseconds; null for one that is not known. */
  skews: readonly (number | null)[]
  /** The coarsest grid on which the server may keep an expiry, in microseconds. */
  grid: number
}

/**
 * Is one of the listed keys the one that the request of `intent` made? Found only if exactly one key, created in the
 * window of the request, has exactly the expiry asked for. A near miss, a match at another time, or a key without an
 * expiry that was created in the window is ambiguous.
 */
export function matchIntent(intent: Intent, list: readonly ListedKey[], context: ListContext): Match {
  const { known, skews, grid } = context
  const to = intent.deadline + LATE_WRITE_GRACE_MS
  const others = list.filter(({ id }) => !known.has(id))
  const inWindow = ({ createdAt }: KeyInfo) =>
    createdAt !== null && isWithin(createdAt, intent.sentAt, to, skews)
  const fitness = ({ expiresAt }: KeyInfo) => (expiresAt === null ? 'none' : fitOf(intent, expiresAt, grid))

  const exact = others.filter((key) => fitness(key) === 'exact')
  const [only] = exact
  if (only && exact.length === 1 && inWindow(only)) return { kind: 'found', key: only }
  const isNear = (key: ListedKey) => fitness(key) === 'near' && (key.createdAt === null || inWindow(key))
  // A server that ignores or garbles the expiry leaves nothing to identify its key by but the time.
  const isSuspect = (key: ListedKey) => key.expiresAt === null && inWindow(key)
  const near = others.filter((key) => isNear(key) || isSuspect(key) || zoneShift(intent, key.expiresAt) !== 0)
  const candidates = exact.length > 0 ? exact : near
  return candidates.length > 0 ? { kind: 'ambiguous', candidates } : { kind: 'absent' }
}

/** What to do with a key that a create call returned. */
export type Verdict =
  | { kind: 'accept'; warning: string | null }
  /** This run made it, but it cannot be used. */
  | { kind: 'revoke'; reason: string }
  /** This run made it by a wrong clock; `skew` is the server's clock less ours, in milliseconds. */
  | { kind: 'replace'; skew: number }
  /** Nothing shows that this run made it: it is neither handed on nor revoked. */
  | { kind: 'refuse'; reason: string }

export interface AnswerContext {
  intent: Intent
  receivedAt: number
  /** In milliseconds. */
  expiresIn: number
  /** Keys that exist already: `api-key`, and those that this run holds. */
  tokens: readonly string[]
  ids: ReadonlySet<string>
  /** The server's clock less ours by the `Date` of the response, and as it was when the expiry was chosen. */
  dateSkew: number | null
  skew: number
}

/**
 * Is the key that create returned ours, and is it what was asked for? An answer that came to our request is not
 * necessarily about it: gateways replay and mix up responses, and some APIs return a key that was there before.
 */
export function judgeCreated(key: CreatedKey, context: AnswerContext): Verdict {
  const stranger = whyNotOurs(key, context)
  if (stranger !== null) return { kind: 'refuse', reason: stranger }
  const unusable = whyUnusable(key, context.intent)
  if (unusable !== null) return { kind: 'revoke', reason: unusable }
  return judgeLifetime(key, context)
}

function whyNotOurs(key: CreatedKey, context: AnswerContext): string | null {
  const { token, id, prefix, createdAt, expiresAt } = key
  const { intent, tokens, ids, receivedAt, dateSkew, skew } = context
  if (token !== null && tokens.includes(token)) return 'it returned a key that existed before'
  if (id !== null && ids.has(id)) return 'it returned the id of a key that existed before'
  const describesAnother = prefix !== '' && token !== null && !token.startsWith(prefix)
  if (describesAnother && tokens.some((known) => known.startsWith(prefix)))
    return 'it returned the description of a key that existed before'
  const fit = expiresAt === null ? 'none' : fitOf(intent, expiresAt, UNKNOWN_GRID_US)
  if (fit === 'exact' || zoneShift(intent, expiresAt) !== 0) return null
  const isFresh = createdAt !== null && isWithin(createdAt, intent.sentAt, receivedAt, [dateSkew, skew])
  if (createdAt !== null && !isFresh) return `it returned a key that was created ${formatInstant(createdAt)}`
  if (fit === 'near' || (isFresh && (expiresAt === null || isCapped(key, intent)))) return null
  if (expiresAt === null) return `it returned a key whose ${key.unreadable ?? 'origin'} cannot be verified`
  return `it returned a key that expires ${formatInstant(expiresAt)}, not ${formatInstant(intent.expiry)} as requested`
}

/**
 * Whether an API that limits lifetimes shortened this one: such a limit is in whole minutes, while the expiry that
 * another run asked for is not.
 */
function isCapped({ createdAt, expiresAt }: CreatedKey, intent: Intent): boolean {
  if (createdAt === null || expiresAt === null || expiresAt >= intent.expiry) return false
  const lifetime = expiresAt - createdAt
  return lifetime >= 60_000 && Math.abs(lifetime - Math.round(lifetime / 60_000) * 60_000) <= 1
}

function whyUnusable({ token, id, expiresAt, unreadable }: CreatedKey, intent: Intent): string | null {
  if (token === null) return 'the response holds no key'
  if (!isHeaderSafe(token)) return 'the key holds white space, control or non-ASCII characters'
  if (token.length > MAX_TOKEN_LENGTH) return `the key is longer than ${MAX_TOKEN_LENGTH} characters`
  if (id === null) return 'the response holds no usable id, so the key could not be revoked by it'
  if (expiresAt === null && unreadable !== null) return `its ${unreadable} cannot be read`
  if (expiresAt === null) return 'the key never expires, although an expiry was requested'
  const shift = zoneShift(intent, expiresAt)
  if (shift !== 0)
    return `its times are off by ${shift / 3_600_000} h: the API writes local times without an offset`
  return null
}

/** By how many milliseconds a server shifts times that it writes in a zone of its own without an offset; 0 if it does not. */
function zoneShift(intent: Intent, stored: number | null): number {
  if (stored === null) return 0
  const shift = Math.round((stored - intent.expiry) / ZONE_STEP_MS) * ZONE_STEP_MS
  const isZone = shift !== 0 && Math.abs(shift) <= MAX_ZONE_MS
  return isZone && fitOf(intent, stored - shift, UNKNOWN_GRID_US) === 'exact' ? shift : 0
}

function judgeLifetime(key: CreatedKey, context: AnswerContext): Verdict {
  const { intent, expiresIn, receivedAt, skew } = context
  const expiresAt = key.expiresAt ?? 0
  const serverSkew = skewOfServer(key, context)
  const lifetime = expiresAt - (receivedAt + serverSkew)
  const asked = intent.expiry - intent.sentAt - skew
  const isMarked = gridBetween(intent.expiry, expiresAt) !== null
  const isShort = lifetime < asked - Math.min(CLOCK_TOLERANCE_MS, asked / 2)
  const wasWrongClock = isMarked && (isShort || lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS)
  if (wasWrongClock) return { kind: 'replace', skew: serverSkew }
  if (lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS)
    return { kind: 'revoke', reason: 'the key lives longer than asked' }
  if (lifetime <= 0) return { kind: 'revoke', reason: 'the key had expired when it arrived' }
  const warning = isMarked ? null : 'The API shortened the lifetime'
  return { kind: 'accept', warning }
}

/**
 * The server's clock less ours, never more than it really is, so that a lifetime chosen by it is never longer than
 * asked. `created` is the API's own clock and outranks `Date`, which a gateway may set; only against both other
 * clocks, and by a time zone's worth, it is not believed.
 */
function skewOfServer({ createdAt }: CreatedKey, context: AnswerContext): number {
  const { intent, receivedAt, dateSkew, skew } = context
  const byDate = dateSkew === null ? skew : dateSkew - 500 - (receivedAt - intent.sentAt) / 2
  if (createdAt === null) return Math.abs(byDate - skew) > 60_000 ? byDate : skew
  const byCreated = createdAt - receivedAt
  const isInAnotherZone =
    Math.abs(byCreated) > ZONE_ERROR_MS && dateSkew !== null && Math.abs(dateSkew) < 60_000
  return isInAnotherZone ? byDate : byCreated
}
