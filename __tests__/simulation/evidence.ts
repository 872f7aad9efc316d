import type { HttpResponse } from '../../src/http/http-client.ts'
import type { Account } from '../support/account.ts'
import { CREATE_ERROR } from '../support/create-answers.ts'
import { readAsked } from '../support/instants.ts'
import { DELIVERS_THE_KEY, type Fault, LOSES_THE_ANSWER, type Purpose } from './faults.ts'
import type { AccountControl, NetworkOptions } from './network.ts'
import type { Rng } from './rng.ts'
import { type Interruption, isUninterrupted } from './run-main.ts'
import type { VirtualTime } from './time.ts'
import { isListWhole, MINUTE_MS, type World } from './world.ts'

/** What client and server together know about a job's requests, for the checks. */
export interface Evidence {
  /** Keys whose answer reached the process that asked. */
  delivered: Set<string>
  /** The first key of two that one request made, if the response came too soon to show it. */
  unsigned: Set<string>
  /** Keys that were made later than the documented grace after their request's deadline. */
  veryLate: Set<string>
  /** The expiry that the request asked for which made the key, in ms since 1970. */
  askedFor: Map<string, number>
  /** Faults that requests met since this was last emptied, and whether those carried `api-key`. */
  recent: { fault: Fault; withApiKey: boolean }[]
  /** The credentials that were sent since this was last replaced. */
  sent: Set<string>
  /** How the last create request ended, in words that have to be in the last message; null after a success. */
  lastFailure: string[] | null
  /** How many create requests in a row ended in a success that could not be read, now and at most. */
  unreadableInARow: number
  mostUnreadableInARow: number
  requests: Purpose[]
}

export function noEvidence(): Evidence {
  return {
    delivered: new Set(),
    unsigned: new Set(),
    veryLate: new Set(),
    askedFor: new Map(),
    recent: [],
    sent: new Set(),
    lastFailure: null,
    unreadableInARow: 0,
    mostUnreadableInARow: 0,
    requests: [],
  }
}

/** The documented grace for a late server, in ms after the deadline. */
const LATE_WRITE_GRACE_MS = 15_000

export interface Scene {
  world: World
  account: Account
  control: AccountControl
  time: VirtualTime
  rng: Rng
  evidence: Evidence
  interruption: Interruption
  count(kind: string): void
  violation(text: string): void
}

/** Carries out a create request, adds the keys that other jobs make about then, and keeps the evidence. */
export function witnessCreate(
  scene: Scene,
  act: () => HttpResponse,
  { body, fault, late }: Parameters<NetworkOptions['aroundCreate']>[1],
): HttpResponse {
  const { account, evidence } = scene
  const before = account.keys().length
  const response = act()
  const made = account.keys().slice(before)
  for (const { token } of made) {
    evidence.askedFor.set(token, askedIn(body))
    if (late > LATE_WRITE_GRACE_MS) evidence.veryLate.add(token)
  }
  if (fault === 'POST repeated without a sign' && made[0]) evidence.unsigned.add(made[0].token)
  if (made.length > 0) addTwin(scene, body, fault)
  return response
}

function askedIn(body: string): number {
  return readAsked((JSON.parse(body) as { expiry: string }).expiry)?.instant ?? 0
}

/**
 * Another job makes a key that is close to ours. One with our very marker is only there beside a key of ours that
 * no other run revokes: alone, it could not be told from ours, with the odds that docs/design.md gives.
 */
function addTwin(scene: Scene, body: string, fault: Fault): void {
  const { world, account, time, count } = scene
  const asked = askedIn(body)
  const { twin } = world
  if (twin === null || twin === 'same by chance') return
  const same = twin === 'same before' || twin === 'same after'
  if (same && !LOSES_THE_ANSWER.has(fault)) return
  const offset = twin === 'near' ? nearOffset(scene) : 0
  const expiry = world.server.ignoreExpiry ? null : account.stored(asked + offset)
  if (twin === 'near' && mayBeOurs(expiry, asked, { ...scene, lost: !DELIVERS_THE_KEY.has(fault) })) return
  // Far from what a wrong clock takes for now.
  const { clockError, clockErrorInPost, suspendedMs } = world
  const isFar = (age: number) =>
    [clockError, clockErrorInPost, suspendedMs, suspendedMs + clockErrorInPost].every(
      (error) => Math.abs(error + age) > 2 * MINUTE_MS,
    )
  const earlier = [10, 20, 30, 40, 50].map((minutes) => minutes * MINUTE_MS).find(isFar) ?? 0
  const age = twin === 'same before' ? 1 : twin === 'earlier' ? earlier : 0
  account.addKey({ expiry, created: time.now() - age })
  count('twin key of another job')
}

function nearOffset({ world, rng }: Scene): number {
  // Where nothing can be saved, a key that main revoked is looked for, and on a grid of 1 ms a neighbor fits as well.
  if (world.failing === 'saveState') return rng.pick([-350, 350])
  return rng.pick(world.server.grid === '1 ms' ? [-1, 1] : [-0.001, 0.001, -1, 1, -350, 350])
}

/** Whether nobody could tell a key with this expiry from ours, with the odds that docs/design.md gives. */
function mayBeOurs(
  expiry: number | null,
  asked: number,
  { world, account, interruption, lost }: Scene & { lost: boolean },
): boolean {
  if (expiry === asked || expiry === account.stored(asked)) return true
  // Where post does not see our own key, this one could be ours, rounded to 1 ms.
  const isHidden = world.postRuns === 2 || !isListWhole(world.server)
  if (isHidden && expiry === Math.round(asked)) return true
  // Beside a lost response, a server that keeps milliseconds may have stored ours so, rounded down or to the nearest.
  const isUnseen = lost || !isUninterrupted(interruption)
  return isUnseen && world.server.grid === '1 ms' && expiry !== null && Math.abs(expiry - asked) < 1
}

/** Another job's key has our marker, which is a coarse one, and our own request made none. */
export function addChanceTwin({ world, account, time, count }: Scene, body: string): void {
  const asked = readAsked((JSON.parse(body) as { expiry: string }).expiry)
  if (world.twin !== 'same by chance' || asked === null || asked.digits > (world.server.maxDigits ?? 6))
    return
  account.addKey({ expiry: account.stored(asked.instant), created: time.now() })
  count('twin key of another job')
}

/** Keeps how a request ended that the process lived to see. */
export function witnessResult(
  { account, evidence, world }: Scene,
  what: Purpose,
  result: HttpResponse | Error,
): void {
  if (what !== 'create') return
  const isUnreadable = world.unreadable && !(result instanceof Error) && result.status < 300
  evidence.unreadableInARow = isUnreadable ? evidence.unreadableInARow + 1 : 0
  evidence.mostUnreadableInARow = Math.max(evidence.mostUnreadableInARow, evidence.unreadableInARow)
  if (result instanceof Error) {
    evidence.lastFailure = [result.message]
    return
  }
  const { status, body } = result
  evidence.lastFailure = failureIn(status, body)
  if (status > 299) return
  for (const { token } of account.keys().slice(-3)) if (body.includes(token)) evidence.delivered.add(token)
}

/** The words that the last message has to have, any of them; null where the answer was no failure. */
function failureIn(status: number, body: string): string[] | null {
  if (status < 300) return body.includes(CREATE_ERROR) ? [CREATE_ERROR.replace(/\.$/, '')] : null
  return status === 429 ? ['429', 'ate limit'] : [String(status)]
}
