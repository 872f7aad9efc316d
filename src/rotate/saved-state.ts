import { readId } from '../api/parse-response.ts'
import { proxyFor } from '../http/proxy-for-url.ts'

/** A key that was created, with what is needed to revoke it. */
export interface UnusedKey {
  /** Null if the API did not return it. */
  token: string | null
  id: string
  prefix: string
  /** Milliseconds since 1970; null if unknown, or if it never expires. */
  createdAt: number | null
  expiresAt: number | null
}

/** A created key that can be written. */
export interface NewKey extends UnusedKey {
  token: string
  createdAt: number
  expiresAt: number
}

/** How the main step reached the API. */
export interface Connection {
  apiUrl: string
  apiKey: string
  userAgent: string
  /** The proxy that the main step used; empty for none. */
  proxy: string
  /** The environment's settings for the network when the main step ran (see network-settings.ts). */
  settings: Record<string, string>
}

/** What the record holds from its start. */
export interface RotateStart extends Connection {
  /** The key in hand for the log, if an emergency has to revoke it; empty otherwise. */
  leaked: string
}

/**
 * How far the rotation came. `creating`: a create request was sent, and its response is not known. `created`: the key is
 * known and nothing was written. `writing`: a write may have reached GitHub. `revoking`: every place holds the new key,
 * and an emergency is revoking old ones. `settled`: nothing is left to do.
 */
export type Phase = 'creating' | 'created' | 'writing' | 'revoking' | 'settled'

/** What the main step leaves for the post step, in one record (see the root action's saved-state.ts). */
export interface RotateState extends RotateStart {
  version: typeof ROTATE_STATE_VERSION
  phase: Phase
  /** The requested expiry, in milliseconds since 1970. */
  expiry: number
  /** Null until there is a key. */
  key: UnusedKey | null
}

export const ROTATE_STATE_VERSION = 1
export const ROTATE_STATE_NAME = 'rotation'

/** What the post step finds: nothing, a record, or something unreadable. */
export type FoundRotateState = { kind: 'none' } | { kind: 'record'; state: RotateState } | { kind: 'unreadable' }

/** Reads what the main step saved. Never throws; requires every field, each of its type, and such that requests can be sent. */
export function parseRotateState(text: string): FoundRotateState {
  if (text === '') return { kind: 'none' }
  try {
    const value: unknown = JSON.parse(text)
    return isRotateState(value) ? { kind: 'record', state: value } : { kind: 'unreadable' }
  } catch {
    return { kind: 'unreadable' }
  }
}

const PHASES: readonly unknown[] = ['creating', 'created', 'writing', 'revoking', 'settled'] satisfies Phase[]

/** After the key was created, the record names it. */
const NEEDS_KEY: readonly unknown[] = ['created', 'writing'] satisfies Phase[]

function isRotateState(value: unknown): value is RotateState {
  return (
    isRecord(value) &&
    value.version === ROTATE_STATE_VERSION &&
    areTexts(value, ['apiUrl', 'apiKey', 'userAgent', 'proxy', 'leaked']) &&
    areSendable(value) &&
    isRecord(value.settings) &&
    areTexts(value.settings, Object.keys(value.settings)) &&
    PHASES.includes(value.phase) &&
    isInstant(value.expiry) &&
    (value.key === null ? !NEEDS_KEY.includes(value.phase) : isUnusedKey(value.key)) &&
    (value.phase !== 'revoking' || value.leaked !== '')
  )
}

/** What Node or the URL would refuse to send, or would send elsewhere. */
function areSendable({ apiUrl, userAgent, proxy }: Record<string, unknown>): boolean {
  return (
    /^https?:/.test(String(apiUrl)) &&
    URL.canParse(String(apiUrl)) &&
    /^[\x20-\x7e]*$/.test(String(userAgent)) &&
    isProxyUsable(String(proxy))
  )
}

/** As `proxyFor` returned it; a loopback host has none, whatever the variable says. */
function isProxyUsable(proxy: string): boolean {
  try {
    return proxyFor(new URL('https://api.invalid'), { https_proxy: proxy }) === proxy
  } catch {
    return false
  }
}

function isUnusedKey(value: unknown): boolean {
  return (
    isRecord(value) &&
    areTexts(value, ['prefix']) &&
    typeof value.id === 'string' &&
    readId(value.id) !== null &&
    (value.token === null || typeof value.token === 'string') &&
    [value.createdAt, value.expiresAt].every((time) => time === null || isInstant(time))
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function areTexts(value: Record<string, unknown>, names: string[]): boolean {
  return names.every((name) => typeof value[name] === 'string')
}

function isInstant(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15
}
