import { isHeaderSafe } from '../api/call.ts'
import { readId } from '../api/parse-response.ts'
import { proxyFor } from '../http/proxy-for-url.ts'
import type { Intent } from './intent.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What post finds. */
export interface FoundState {
  /** Null if main saved nothing, or nothing that can be used. */
  state: SavedState | null
  /** What cannot be used of it, or why none of it can; empty if nothing is wrong. */
  damage: string
}

type Fields = Record<string, unknown>

/** Never throws. Replaces each damaged part; only the API's URL must be sound. */
export function parseState(text: string): FoundState {
  if (text === '') return { state: null, damage: '' }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { state: null, damage: 'it is not JSON' }
  }
  if (!isFields(value)) return { state: null, damage: 'it is not a record' }
  const { apiUrl } = value
  const isUrl = isText(apiUrl) && /^https?:/.test(apiUrl) && URL.canParse(apiUrl)
  return isUrl ? readParts(value, apiUrl) : { state: null, damage: 'it holds no API URL' }
}

function readParts(value: Fields, apiUrl: string): FoundState {
  const damaged: string[] = []
  const part = <T>(name: string, isSound: (part: unknown) => part is T, otherwise: T): T => {
    const found = value[name]
    if (isSound(found)) return found
    damaged.push(name)
    return otherwise
  }
  const entries = <T>(name: string, isSound: (entry: unknown) => entry is T): T[] => {
    const found = part(name, Array.isArray, [])
    const sound = found.filter(isSound)
    if (sound.length < found.length) damaged.push(`${found.length - sound.length} of its ${name}`)
    return sound
  }
  const state: SavedState = {
    apiUrl,
    apiKey: part('apiKey', isSecret, null),
    settings: part('settings', (value) => areSettings(value, apiUrl), {}),
    bootedAt: part('bootedAt', isNumberOrNull, null),
    onRevokeFailure: part('onRevokeFailure', (value) => value === 'warn' || value === 'fail', 'warn'),
    skew: part('skew', isNumberOrNull, null),
    keys: entries('keys', isKey),
    intents: entries('intents', isIntent),
  }
  return { state, damage: damaged.join(', ') }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string'
/** A token that cannot be sent would make Node throw. */
const isSecret = (value: unknown): value is string => isText(value) && isHeaderSafe(value)
const isTexts = (value: unknown): value is Record<string, string> =>
  isFields(value) && Object.values(value).every(isText)
/** A Date beyond 8.64e15 does not exist, and post adds such numbers. */
const isNumber = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= 1e15
const isNumberOrNull = (value: unknown): value is number | null => value === null || isNumber(value)

const isKey = (value: unknown): value is IssuedKey =>
  isFields(value) &&
  (value.token === null || isSecret(value.token)) &&
  isText(value.id) &&
  readId(value.id) === value.id &&
  isText(value.prefix) &&
  isNumberOrNull(value.createdAt) &&
  isNumberOrNull(value.expiresAt) &&
  isNumber(value.asked) &&
  typeof value.keep === 'boolean'

const isIntent = (value: unknown): value is Intent =>
  isFields(value) &&
  isNumber(value.expiry) &&
  isNumber(value.sentAt) &&
  isNumber(value.deadline) &&
  (value.stored === undefined || isNumberOrNull(value.stored)) &&
  isText(value.refused)

/** A proxy that main could not have used would keep post from sending anything. */
function areSettings(value: unknown, apiUrl: string): value is Record<string, string> {
  try {
    return isTexts(value) && proxyFor(new URL(apiUrl), value) !== null
  } catch {
    return false
  }
}
