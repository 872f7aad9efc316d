import { type Answer, type Client, field, KEYS_PATH, Stopped } from './client.ts'
import { gridOf, millisecondsOf, type Row, readRows } from './read.ts'

/** A key that this run created. */
export interface MadeKey {
  id: string
  /** Null if only the list showed it. */
  token: string | null
  prefix: string
  expiry: string
}

/** A create request, from before it is sent. */
interface Attempt {
  expiry: string
  /** Null until there is an answer that names the key, or says that none was made. */
  outcome: MadeKey | 'none' | null
  /** A key that the answer named, and that may be someone else's. */
  doubtful: MadeKey | null
}

/** What became of the keys that were made. */
export interface CleanUp {
  verified: MadeKey[]
  left: MadeKey[]
  /** Expiries of create requests of which it is not known whether they made a key. */
  unknown: string[]
  /** Keys that responses named, but that may be someone else's. */
  doubtful: MadeKey[]
}

/** The keys that were made, and those that were there before, which are never touched. */
export interface KeyLedger {
  /** Creates a key, and notes it before and after. */
  create(client: Client, body: { expiry: string; [field: string]: string }): Promise<Answer>
  made(): MadeKey[]
  /** The API granted the revocation of this key. */
  granted(id: string): void
  /** Revokes every key that was made, and checks each. */
  cleanUp(client: Client): Promise<CleanUp>
}

/** The clocks of a server and its database may be this far apart, in milliseconds. */
const CREATED_SLACK_MS = 60_000

/** What a ledger knows. */
interface Ledger {
  apiKey: string
  /** The ids that the account had before this run. */
  before: ReadonlySet<string>
  /** When this run began, in milliseconds since 1970 by the server's clock. */
  since: number
  attempts: Attempt[]
  /** Keys that no response named. */
  found: MadeKey[]
  granted: Set<string>
}

/** `before` are the ids that the account had before this run, which began at `since` (ms) by the server's clock. */
export function createKeyLedger(apiKey: string, before: ReadonlySet<string>, since: number): KeyLedger {
  const ledger: Ledger = { apiKey, before, since, attempts: [], found: [], granted: new Set() }
  return {
    made: () => madeKeys(ledger),
    granted: (id) => void ledger.granted.add(id),
    create: (client, body) => create(ledger, client, body),
    cleanUp: (client) => cleanUp(ledger, client),
  }
}

function madeKeys({ attempts, found }: Ledger): MadeKey[] {
  const named = attempts.flatMap(({ outcome }) => (outcome === null || outcome === 'none' ? [] : outcome))
  return [...named, ...found]
}

async function create(
  { apiKey, before, since, attempts }: Ledger,
  client: Client,
  body: { expiry: string; [field: string]: string },
): Promise<Answer> {
  const attempt: Attempt = { expiry: body.expiry, outcome: null, doubtful: null }
  attempts.push(attempt)
  const question = { method: 'POST', path: KEYS_PATH, credential: apiKey, body } as const
  const answer = await client.ask(question).catch((error: unknown) => {
    // Nothing was sent.
    if (error instanceof Stopped) attempt.outcome = 'none'
    throw error
  })
  const key = keyIn(answer, body.expiry)
  // A key that was there before, or that someone else asked for, is not ours, whatever the answer says.
  const isOurs = key !== null && !before.has(key.id) && key.token !== apiKey && isFreshSince(since, answer, body.expiry)
  if (key !== null && isOurs) attempt.outcome = key
  else if (key !== null) attempt.doubtful = key
  else if (answer.status >= 400 && answer.status < 500) attempt.outcome = 'none'
  return answer
}

async function cleanUp(ledger: Ledger, client: Client): Promise<CleanUp> {
  const { apiKey, before, attempts, found, granted } = ledger
  const { rows } = await readRows((path) => client.ask({ path, credential: apiKey }))
  const ids = new Set([...before, ...madeKeys(ledger).map(({ id }) => id)])
  found.push(
    ...findLost(
      attempts,
      rows.filter(({ id }) => !ids.has(id)),
    ),
  )
  const results: { key: MadeKey; isRevoked: boolean }[] = []
  for (const key of madeKeys(ledger))
    results.push({
      key,
      isRevoked: await revoke(key, { apiKey, client, isGranted: granted.has(key.id) }),
    })
  return {
    verified: results.filter(({ isRevoked }) => isRevoked).map(({ key }) => key),
    left: results.filter(({ isRevoked }) => !isRevoked).map(({ key }) => key),
    unknown: attempts.filter(({ outcome }) => outcome === null).map(({ expiry }) => expiry),
    doubtful: attempts.flatMap(({ outcome, doubtful }) => (outcome === null && doubtful ? doubtful : [])),
  }
}

function keyIn({ status, json }: Answer, expiry: string): MadeKey | null {
  if (status < 200 || status > 299) return null
  const described = field(json, 'api_key')
  const [id, token] = [field(described, 'id'), field(json, 'token')]
  if (typeof id !== 'string' && typeof id !== 'number') return null
  return {
    id: String(id),
    token: typeof token === 'string' ? token : null,
    prefix: String(field(described, 'token_key') ?? '').slice(0, 15),
    expiry,
  }
}

/** Whether the key in an answer was created since this run began, with the expiry asked for, rounded or left out. */
function isFreshSince(since: number, { json }: Answer, asked: string): boolean {
  const textOf = (name: string) => {
    const value = field(field(json, 'api_key'), name)
    return value === null || value === undefined ? null : String(value)
  }
  const expiry = textOf('expiry')
  const isAsked = expiry === null || gridOf([[asked, expiry]]) !== null
  return isAsked && (millisecondsOf(textOf('created')) ?? 0) >= since - CREATED_SLACK_MS
}

/**
 * Keys among `others` that no response named: those of unanswered requests, and of requests that something carried out
 * twice. Each has the exact expiry of an attempt, with a fraction that no other run asks for in the same second.
 */
function findLost(attempts: Attempt[], others: Row[]): MadeKey[] {
  return others.flatMap(({ id, prefix, expiry }) => {
    const at = millisecondsOf(expiry)
    const attempt = attempts.find((one) => at !== null && at % 1000 !== 0 && millisecondsOf(one.expiry) === at)
    if (!attempt) return []
    attempt.outcome ??= 'none'
    return { id, token: null, prefix, expiry: attempt.expiry }
  })
}

interface Revocation {
  apiKey: string
  client: Client
  /** Whether the API has already granted it. */
  isGranted: boolean
}

/** Revokes one key; true if the API granted it or no longer lists the key, and refuses the key. */
async function revoke({ id, token }: MadeKey, { apiKey, client, isGranted }: Revocation): Promise<boolean> {
  const path = `${KEYS_PATH}/${encodeURIComponent(id)}`
  let granted = isGranted
  for (const credential of granted ? [] : [apiKey, token])
    if (credential !== null && !granted)
      granted = (await client.ask({ method: 'DELETE', path, credential })).status === 204
  const list = await readRows((page) => client.ask({ path: page, credential: apiKey }))
  const isGone = list.isComplete && !list.rows.some((row) => row.id === id)
  if (token === null) return isGone
  const probe = await client.poll({ path: KEYS_PATH, credential: token }, ({ status }) => status === 401)
  return probe.status === 401 && (isGone || granted)
}
