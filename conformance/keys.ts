import type { ListedKey } from '../src/api/key-api.ts'
import { readKey, textOf } from '../src/api/parse-response.ts'
import { doubtAbout, isRowOf } from '../src/protocol/list-trust.ts'
import { isVerifiedRevoked, MAX_REPLICA_LAG_MS } from '../src/protocol/revoke-and-verify.ts'
import { type Answer, type Client, field, KEYS_PATH, Stopped } from './client.ts'
import { isWithin, type Span } from './clocks.ts'
import { failureIn, gridOf, instantOf, readKeys, timeText, wholeMilliseconds } from './read.ts'

/** A key that this run created. */
export interface MadeKey {
  id: string
  /** Null if only the list showed it. */
  token: string | null
  prefix: string
  /** As it was asked for, and as the API gives it, in milliseconds since 1970. */
  expiry: string
  expiresAt: number | null
  /** When this run learned of it, by this machine's clock. */
  madeAt: number
}

/** A create request, from before it is sent. */
interface Attempt {
  expiry: string
  /** Whether that is in the past: a key of it gives no access. */
  isPast: boolean
  /** By this machine's clock; null until there is an answer, or none in time. */
  sentAt: number | null
  /** Null until there is an answer that names the key, or says that none was made. */
  outcome: MadeKey | 'none' | null
  /** A key that the answer named, and that may be someone else's. */
  doubtful: MadeKey | null
}

/** What became of the keys that were made. */
export interface CleanUp {
  verified: MadeKey[]
  left: MadeKey[]
  /** Create requests of which it is not known whether they made a key. */
  unknown: UnknownRequest[]
  /** Keys that responses named, but that may be someone else's. */
  doubtful: MadeKey[]
}

/** A create request that may have made a key. */
export interface UnknownRequest {
  expiry: string
  sentAt: number | null
  /** Keys that it may have made although its expiry was in the past; null if that was in the future. */
  mayBe: ListedKey[] | null
}

/** The keys that were made, and those that were there before, which are never touched. */
export interface KeyLedger {
  /** Creates a key, and notes it before and after. */
  create(client: Client, body: KeyBody, isPast?: boolean): Promise<Answer>
  made(): MadeKey[]
  /** Whether the key in an answer to create was there before this run. */
  wasThere(answer: Answer): boolean
  /** Whether the key in an answer to create was created since this run began, as far as the answer says. */
  isFresh(answer: Answer): boolean
  /** The API granted the revocation of this key. */
  granted(id: string): void
  /** Revokes every key that was made, and checks each. */
  cleanUp(client: Client): Promise<CleanUp>
}

type KeyBody = { expiry: string; [field: string]: string }

/** When a run began, by this machine's clock, and which clocks the API may go by: see `clocksOf`. */
export interface RunTimes {
  beganAt: number
  clocks: readonly number[]
}

/** What a ledger knows. */
interface Ledger {
  apiKey: string
  /** The ids that the account had before this run. */
  before: ReadonlySet<string>
  times: RunTimes
  attempts: Attempt[]
  /** Keys that no response named. */
  found: MadeKey[]
  granted: Set<string>
}

/** `before` are the ids that the account had before this run. */
export function createKeyLedger(apiKey: string, before: ReadonlySet<string>, times: RunTimes): KeyLedger {
  const ledger: Ledger = { apiKey, before, times, attempts: [], found: [], granted: new Set() }
  return {
    made: () => madeKeys(ledger),
    wasThere: (answer) => wasThere(ledger, answer),
    isFresh: (answer) => isFresh(ledger, answer),
    granted: (id) => void ledger.granted.add(id),
    create(client, body, isPast = false) {
      const attempt: Attempt = { expiry: body.expiry, isPast, sentAt: null, outcome: null, doubtful: null }
      ledger.attempts.push(attempt)
      return create(ledger, attempt, () => client.ask({ method: 'POST', path: KEYS_PATH, credential: apiKey, body }))
    },
    cleanUp: (client) => cleanUp(ledger, client),
  }
}

function madeKeys({ attempts, found }: Ledger): MadeKey[] {
  const named = attempts.flatMap(({ outcome }) => (outcome === null || outcome === 'none' ? [] : outcome))
  return [...named, ...found]
}

async function create(ledger: Ledger, attempt: Attempt, send: () => Promise<Answer>): Promise<Answer> {
  const answer = await send().catch((error: unknown) => {
    // Nothing was sent.
    if (error instanceof Stopped) attempt.outcome = 'none'
    throw error
  })
  attempt.sentAt = answer.sentAt
  const key = keyIn(answer, attempt.expiry)
  // A key that was there before, or that someone else asked for, is not ours, whatever the answer says.
  const isOurs = !wasThere(ledger, answer) && isFresh(ledger, answer) && isAsked(answer, attempt.expiry)
  if (key !== null && isOurs) attempt.outcome = key
  else if (key !== null) attempt.doubtful = key
  else if (isRefusal(answer)) attempt.outcome = 'none'
  return answer
}

/** Whether an answer proves that nothing was done: a gateway may refuse what the API has carried out. */
function isRefusal(answer: Answer): boolean {
  return answer.status >= 400 && !failureIn(answer).mayHaveActed
}

async function cleanUp(ledger: Ledger, client: Client): Promise<CleanUp> {
  const { apiKey, before, attempts, found, granted } = ledger
  const listed = await readKeys(client, apiKey).then(
    ({ keys }) => keys,
    () => [],
  )
  const notIn = (ids: Iterable<string>) => {
    const known = new Set([...before, ...ids])
    return listed.filter(({ id }) => !known.has(id))
  }
  const idsMade = () => madeKeys(ledger).map(({ id }) => id)
  found.push(...findLost(attempts, notIn(idsMade()), client.now()))
  const others = notIn(idsMade())
  const gone = new Set<string>()
  for (const key of madeKeys(ledger)) {
    const revocation = { apiKey, client, isGranted: granted.has(key.id), gone }
    // Whatever goes wrong with one key, the others are revoked and all are named.
    if (await revoke(key, revocation).catch(() => false)) gone.add(key.id)
  }
  const open = attempts.filter(({ outcome }) => outcome === null)
  const unknown = open.map(({ expiry, sentAt, isPast, doubtful }): UnknownRequest => {
    const span = { from: sentAt ?? client.now(), to: client.now() }
    const isNew = ({ createdAt }: ListedKey) => createdAt === null || isWithin(createdAt, span, ledger.times.clocks)
    return { expiry, sentAt, mayBe: isPast && doubtful === null ? others.filter(isNew) : null }
  })
  return {
    verified: madeKeys(ledger).filter(({ id }) => gone.has(id)),
    left: madeKeys(ledger).filter(({ id }) => !gone.has(id)),
    unknown: unknown.filter(({ mayBe }) => mayBe?.length !== 0),
    doubtful: open.flatMap(({ doubtful }) => doubtful ?? []),
  }
}

function keyIn({ status, json, receivedAt }: Answer, expiry: string): MadeKey | null {
  if (status < 200 || status > 299) return null
  const { id, prefix, expiresAt } = readKey(field(json, 'api_key'))
  const token = textOf(field(json, 'token'))
  return id === null ? null : { id, token, prefix, expiry, expiresAt, madeAt: receivedAt }
}

function wasThere({ apiKey, before }: Ledger, { json }: Answer): boolean {
  const { id } = readKey(field(json, 'api_key'))
  return (id !== null && before.has(id)) || field(json, 'token') === apiKey
}

function isFresh({ times: { beganAt, clocks } }: Ledger, { json, receivedAt }: Answer): boolean {
  const span: Span = { from: beganAt, to: receivedAt }
  return isWithin(readKey(field(json, 'api_key')).createdAt ?? 0, span, clocks)
}

/** Whether the key in an answer has the expiry asked for, rounded or left out. */
function isAsked({ json }: Answer, asked: string): boolean {
  const expiry = timeText(field(field(json, 'api_key'), 'expiry'))
  return expiry === null || gridOf([[asked, expiry]]) !== null
}

/**
 * Keys among `others` that no response named: those of unanswered requests, and of requests that something carried out
 * twice. Each has the exact expiry of an attempt, with a fraction that no other run asks for in the same second.
 */
function findLost(attempts: Attempt[], others: ListedKey[], now: number): MadeKey[] {
  return others.flatMap(({ id, prefix, expiresAt }) => {
    const at = wholeMilliseconds(expiresAt)
    const isAsked = ({ expiry }: Attempt) => wholeMilliseconds(instantOf(expiry)) === at
    const attempt = at === null || at % 1000 === 0 ? undefined : attempts.find(isAsked)
    if (!attempt) return []
    attempt.outcome ??= 'none'
    return { id, token: null, prefix, expiry: attempt.expiry, expiresAt, madeAt: now }
  })
}

interface Revocation {
  apiKey: string
  client: Client
  /** Whether the API has already granted it. */
  isGranted: boolean
  /** The ids that are known to be revoked. */
  gone: ReadonlySet<string>
}

/** Revokes one key; true if there is the proof that the actions ask for. Without the key, it takes grant and list. */
async function revoke(key: MadeKey, revocation: Revocation): Promise<boolean> {
  const { apiKey, client, isGranted } = revocation
  const { id, token, madeAt } = key
  const path = `${KEYS_PATH}/${encodeURIComponent(id)}`
  let granted = isGranted
  for (const credential of granted ? [] : [apiKey, token])
    if (credential !== null && !granted)
      granted = (await client.ask({ method: 'DELETE', path, credential })).status === 204
  if (token === null) return granted && (await isMissing(key, revocation))
  const probe = await client.poll({ path: KEYS_PATH, credential: token }, isRejection)
  const rejected = isRejection(probe)
  if (rejected && !granted) await client.pause(MAX_REPLICA_LAG_MS - (probe.receivedAt - madeAt))
  const missing = rejected && !granted && (await isMissing(key, revocation))
  return isVerifiedRevoked({ granted, rejected, missing, expired: false })
}

/** Whether the API itself answered 401. */
function isRejection(answer: Answer): boolean {
  return answer.status === 401 && !failureIn(answer).notFromApi
}

/** Whether a list that the actions would believe does not show a key. Several pages are read twice, as they move. */
async function isMissing(key: MadeKey, { apiKey, client, gone }: Revocation): Promise<boolean> {
  const first = await readKeys(client, apiKey)
  const readings = first.pages > 1 ? [first, await readKeys(client, apiKey)] : [first]
  return readings.every(
    (list) =>
      doubtAbout(list, apiKey, gone) === null && !list.keys.some((row) => isRowOf({ ...key, createdAt: null }, row)),
  )
}
