import { type SavedState, STATE_VERSION } from './saved-state.ts'

/** What post finds: nothing at all, a record, or something that is none, with the reason. */
export type FoundState =
  | { kind: 'none' }
  | { kind: 'record'; state: SavedState }
  | { kind: 'unreadable'; reason: string }

/** Reads what main saved. Never throws, and takes nothing on settings: every field must be there and of its kind. */
export function parseState(text: string): FoundState {
  if (text === '') return { kind: 'none' }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'unreadable', reason: 'it is not JSON' }
  }
  if (!isObject(value)) return { kind: 'unreadable', reason: 'it is not a record' }
  if (value.version !== STATE_VERSION)
    return {
      kind: 'unreadable',
      reason: `it is not of version ${STATE_VERSION}, the one this release writes`,
    }
  const missing = Object.entries(FIELDS).find(([name, fits]) => !fits(value[name]))
  if (missing) return { kind: 'unreadable', reason: `its ${missing[0]} is missing or malformed` }
  return { kind: 'record', state: value as unknown as SavedState }
}

type Check = (value: unknown) => boolean

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
const isText: Check = (value) => typeof value === 'string'
const isFilled: Check = (value) => typeof value === 'string' && value !== ''
const isFlag: Check = (value) => typeof value === 'boolean'
const isInstant: Check = (value) =>
  typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 8.64e15
const orNull =
  (fits: Check): Check =>
  (value) =>
    value === null || fits(value)
const listOf =
  (fields: Record<string, Check>): Check =>
  (value) =>
    Array.isArray(value) && value.every((item) => hasAll(item, fields))
const hasAll = (value: unknown, fields: Record<string, Check>) =>
  isObject(value) && Object.entries(fields).every(([name, fits]) => fits(value[name]))

const FIELDS: Record<Exclude<keyof SavedState, 'version'>, Check> = {
  apiUrl: (value) => isText(value) && URL.canParse(String(value)),
  apiKey: isFilled,
  userAgent: isFilled,
  proxy: isText,
  settings: (value) => isObject(value) && Object.values(value).every(isText),
  bootedAt: isInstant,
  revoke: isFlag,
  onRevokeFailure: (value) => value === 'warn' || value === 'fail',
  keys: listOf({
    token: orNull(isFilled),
    id: isFilled,
    prefix: isText,
    createdAt: orNull(isInstant),
    expiresAt: orNull(isInstant),
    keep: isFlag,
  }),
  intents: listOf({ expiry: isInstant, sentAt: isInstant, deadline: isInstant, ambiguous: isFlag }),
}
