import type { Mark } from './mark.ts'

/** A key that main's request made. Instants in milliseconds since 1970, null where the API gave none. */
export interface IssuedKey {
  /** Null where the API's answer held no key that could be sent: it can then only be revoked with `api-key`. */
  token: string | null
  id: string
  prefix: string
  createdAt: number | null
  expiresAt: number | null
  /** Left to its expiry, because the workflow said `revoke: false`. */
  keep: boolean
}

/**
 * All that main leaves for post, in one record: a later step can set `STATE_x` for a name that main never saved, so
 * parts saved under several names could be mixed with a stranger's. That is also why `api-key` is in it: it
 * goes only to the URL that was saved beside it, whatever a later step does to post's inputs.
 */
export interface SavedState {
  version: typeof STATE_VERSION
  apiUrl: string
  apiKey: string
  userAgent: string
  /** The proxy that main used; empty for none. */
  proxy: string
  /** What decides which certificate authorities are trusted (see trust.ts). */
  trust: Record<string, string>
  revoke: boolean
  onRevokeFailure: 'warn' | 'fail'
  /** Keys that post has to end. */
  keys: IssuedKey[]
  /** Create requests of which it is not known whether they made a key. */
  marks: Mark[]
}

export const STATE_VERSION = 1
export const STATE_NAME = 'record'

/** What post finds: nothing at all, a record, or something that is none, with the reason. */
export type FoundState =
  | { kind: 'none' }
  | { kind: 'record'; state: SavedState }
  | { kind: 'unreadable'; reason: string }

/** Reads what main saved. Never throws, and takes nothing on trust: every field must be there and of its kind. */
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
  trust: (value) => isObject(value) && Object.values(value).every(isText),
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
  marks: listOf({ expiry: isInstant, askedAt: isInstant, deadline: isInstant, weak: isFlag }),
}

/**
 * Checks that the runner gave the files through which `names` are handed on. Without GITHUB_STATE or GITHUB_OUTPUT,
 * @actions/core falls back to printing commands, the key among them, to the log. Throws an Error that names what is missing.
 */
export function requireCommandFiles(env: NodeJS.ProcessEnv, names: string[]): void {
  const missing = names.filter((name) => !env[name])
  if (missing.length > 0)
    throw new Error(
      `This runner does not set ${missing.join(' and ')}, so a key could only be handed on through the log. ` +
        'No key was asked for. Run the action on a current GitHub Actions runner.',
    )
}
