import { isHeaderSafe } from '../api/call.ts'
import type { CreatedKey } from '../api/parse-response.ts'
import { MIN_CREDENTIAL_LENGTH } from '../runner/masking.ts'
import type { LocalTime, Secret } from '../util/brands.ts'
import { formatExactly } from '../util/instant.ts'
import { fitOf, type Intent, isCapped, isWithin, withoutZone } from './intent.ts'

const MAX_EXTRA_LIFETIME_MS = 5_000
/** A clock this far off is corrected. */
export const CLOCK_TOLERANCE_MS = 60_000
const MAX_TOKEN_LENGTH = 4096

/**
 * What to do with a key that a create call returned. Gateways replay and mix up responses, and some APIs return a key
 * that was there before, so it may not be ours.
 */
export type Verdict =
  | { kind: 'accept'; warning: string | null }
  /** This run made it, but it cannot be used. */
  | { kind: 'revoke'; reason: string }
  /** This run made it by a wrong clock; `skew` is the server's clock less ours, in milliseconds. */
  | { kind: 'replace'; skew: number }
  /** Neither handed on nor revoked: `api-key` or a key made before, or one that cannot be named, or shown to be ours. */
  | { kind: 'refuse'; reason: string; isKnown: boolean }

export interface AnswerContext {
  intent: Intent
  receivedAt: LocalTime
  /** In milliseconds. */
  expiresIn: number
  /** Keys that exist already: `api-key`, and those that create returned before. */
  tokens: readonly Secret[]
  ids: ReadonlySet<string>
  /** The server's clock less ours by the `Date` of the response, and as it was when the expiry was chosen. */
  dateSkew: number | null
  skew: number
}

const EXISTED = 'it returned a key that existed before'

/** Judges whether the key is ours, and as requested. */
export function judgeCreated(key: CreatedKey, context: AnswerContext): Verdict {
  const { token, id } = key
  // A server may give the id of a revoked key to the next one.
  const isKnown = token === null ? context.ids.has(id ?? '') : context.tokens.includes(token)
  const stranger = isKnown ? EXISTED : whyNotOurs(key, context)
  if (stranger !== null) return { kind: 'refuse', reason: stranger, isKnown }
  if (id === null) return { kind: 'refuse', reason: 'the response holds no usable id', isKnown }
  const unusable = whyUnusable(key, context.intent)
  if (unusable !== null) return { kind: 'revoke', reason: unusable }
  return judgeLifetime(key, context)
}

/** Whether it fits into a header, and can be masked. */
export function isSendable(token: string): boolean {
  return isHeaderSafe(token) && token.length >= MIN_CREDENTIAL_LENGTH && token.length <= MAX_TOKEN_LENGTH
}

function whyNotOurs(key: CreatedKey, context: AnswerContext): string | null {
  const { token, prefix, createdAt, expiresAt } = key
  const { intent, tokens, receivedAt, dateSkew, skew } = context
  const isDescribed =
    prefix === '' || (token === null ? !tokens.some((known) => known.startsWith(prefix)) : token.startsWith(prefix))
  if (!isDescribed) return EXISTED
  const { createdAt: created, expiresAt: expiry } = withoutSureZone(key, intent)
  const fit = fitOf(intent, expiry)
  // Some APIs give an old key a new expiry.
  const isDated = Math.abs(dateSkew ?? Infinity) < CLOCK_TOLERANCE_MS
  const window = { from: intent.sentAt, to: receivedAt, skews: [dateSkew, skew] }
  const isOld = created !== null && (isDated || created < intent.sentAt) && !isWithin(created, window)
  if (fit === 'exact' && !isOld) return null
  const isFresh = isWithin(created, { ...window, isStrict: dateSkew !== null })
  if (createdAt !== null && !isFresh)
    return `it returned a key that was created ${formatExactly(createdAt)}${dateSkew === null ? ", or this runner's clock is wrong" : ''}`
  if (fit === 'near' || (isFresh && (expiresAt === null || isCapped(key, intent)))) return null
  if (expiresAt === null) return `it returned a key whose ${key.unreadable ?? 'origin'} cannot be verified`
  return `it returned a key that expires ${formatExactly(expiresAt)}, not ${formatExactly(intent.expiry)} as requested`
}

/** See `withoutZone`, which a coarse expiry fits by chance. */
export function withoutSureZone({ createdAt, expiresAt }: CreatedKey, intent: Intent): ReturnType<typeof withoutZone> {
  const times = withoutZone({ createdAt, expiresAt }, intent)
  const isCoarse = createdAt === null || Number(times.expiresAt) % 60_000 === 0
  const isSure = fitOf(intent, times.expiresAt) === 'exact' || !isCoarse
  return isSure ? times : { createdAt, expiresAt, zone: 0 }
}

function whyUnusable(key: CreatedKey, intent: Intent): string | null {
  const { token, expiresAt, unreadable } = key
  if (token === null) return 'the response holds no key'
  if (!isSendable(token))
    return `the key is not one of ${MIN_CREDENTIAL_LENGTH} to ${MAX_TOKEN_LENGTH} visible ASCII characters`
  if (expiresAt === null && unreadable !== null) return `its ${unreadable} cannot be read`
  if (expiresAt === null) return 'the key never expires, although an expiry was requested'
  const { zone } = withoutSureZone(key, intent)
  if (zone !== 0) return `its times are off by ${zone / 3_600_000} h: the API writes local times without an offset`
  return null
}

function judgeLifetime(key: CreatedKey, context: AnswerContext): Verdict {
  const { intent, expiresIn, receivedAt, dateSkew, skew } = context
  const expiresAt = key.expiresAt ?? 0
  // A gateway may set `Date`. Its seconds are rounded down, so that no lifetime is too long.
  const byDate = dateSkew === null ? skew : dateSkew - 500 - (receivedAt - intent.sentAt) / 2
  const otherwise = Math.abs(byDate - skew) > CLOCK_TOLERANCE_MS ? byDate : skew
  const serverSkew = key.createdAt === null ? otherwise : key.createdAt - receivedAt
  const lifetime = expiresAt - (receivedAt + serverSkew)
  const asked = intent.expiry - intent.sentAt - skew
  const isMarked = fitOf(intent, expiresAt) !== 'none'
  const isShort = lifetime < asked - Math.min(CLOCK_TOLERANCE_MS, asked / 2)
  const isLong = lifetime > expiresIn + MAX_EXTRA_LIFETIME_MS
  const isWrongClock = Math.abs(serverSkew - skew) > MAX_EXTRA_LIFETIME_MS && (isLong || (isMarked && isShort))
  if (isWrongClock) return { kind: 'replace', skew: serverSkew }
  if (isLong) return { kind: 'revoke', reason: 'the key lives longer than asked' }
  if (lifetime <= 0) return { kind: 'revoke', reason: 'the key had expired when it arrived' }
  if (isMarked && !isShort) return { kind: 'accept', warning: null }
  const minutes = (duration: number) => `${Math.round(duration / 6_000) / 10} min`
  const warning = `The API shortened the key's lifetime to ${minutes(lifetime)}; expires-in is ${minutes(expiresIn)}.`
  return { kind: 'accept', warning }
}
