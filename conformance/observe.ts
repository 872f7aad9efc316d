import type { ListedKey } from '../src/api/key-api.ts'
import { readKey } from '../src/api/parse-response.ts'
import { doubtAbout, ownRows } from '../src/protocol/list-trust.ts'
import { formatUtc } from '../src/runner/report.ts'
import { type Answer, type Client, field, KEYS_PATH, statusOf } from './client.ts'
import { CLOCK_SLACK_MS } from './clocks.ts'
import type { KeyLedger, MadeKey } from './keys.ts'
import { failureIn, type ListReading, readKeys, timeText } from './read.ts'

/** A key as create described it, with what was asked for. */
export interface Created {
  /** The expiry that was asked for, and the one in the response. */
  asked: string
  answered: string | null
  answer: Answer
  key: MadeKey | null
  /** Whether the response describes a key at all, and none that was there before. */
  mayBeNew: boolean
}

/** How expiries are asked for. */
export interface Form {
  /** Digits of a second. */
  digits: 6 | 3 | 0
  /** By which clock: how far it is ahead of this machine's, in milliseconds. */
  ahead: number
}

/** What this run has seen so far; null for what it has not. */
export interface Evidence {
  /** The first reading of the list, and all of them. */
  list: ListReading | null
  readings: ListReading[]
  ownRow: boolean | null
  wrongKey: Answer | null
  slash: Answer | null
  compressed: Answer | null
  creates: Created[]
  /** How many digits of a second were accepted; those that would be more were refused with 400. */
  digits: Form['digits'] | null
  /** Whether the first key was looked for in a list that could be read. */
  isSought: boolean
  /** The first key in the list, and how many milliseconds after its creation. */
  listed: { key: ListedKey; afterMs: number } | null
  /** Milliseconds until the new key was accepted. */
  acceptedAfterMs: number | null
  /** Whether it was still rejected in the end. */
  isRejected: boolean
  unknownField: Answer | null
  pastExpiry: Answer | null
  selfRevocation: Answer | null
  /** The statuses of ten probes with the revoked key, and milliseconds from the revocation to the first 401. */
  probes: { statuses: number[]; firstAfterMs: number | null } | null
  revokedTwice: Answer | null
  /** Every answer, for what their headers say. */
  answers: Answer[]
  /** Why the run ended before all was observed. */
  ended: string | null
}

export function noEvidence(answers: Answer[]): Evidence {
  return {
    list: null,
    readings: [],
    ownRow: null,
    wrongKey: null,
    slash: null,
    compressed: null,
    creates: [],
    digits: null,
    isSought: false,
    listed: null,
    acceptedAfterMs: null,
    isRejected: false,
    unknownField: null,
    pastExpiry: null,
    selfRevocation: null,
    probes: null,
    revokedTwice: null,
    answers,
    ended: null,
  }
}

/** How long the keys of a run live at least, in milliseconds; none lives for 10 minutes. */
const LIFETIME_MS = 9 * 60_000
const PROBES = 10

export interface Run {
  client: Client
  apiKey: string
  keys: KeyLedger
  evidence: Evidence
  /** See `clocksOf`. */
  clocks: readonly number[]
  /** Settled by the first key. */
  form: Form
}

/**
 * Asks the API everything, and notes what it says in `evidence`, which is complete at every moment for what was asked
 * so far. Throws `Stopped` when a person stops it. The keys that it makes are in `keys`.
 */
export async function observe(run: Run): Promise<void> {
  await observeReading(run)
  const first = await observeCreating(run)
  if (first === null) return
  await observeNewKey(first, run)
  await observeOddRequests(run)
  await observeRevoking(first, run)
}

async function observeReading({ client, apiKey, evidence }: Run): Promise<void> {
  evidence.ownRow = evidence.list && showsOwn(evidence.list, apiKey)
  evidence.compressed = await client.ask({ path: KEYS_PATH, credential: apiKey, encoding: 'gzip' })
  evidence.wrongKey = await client.ask({ path: KEYS_PATH, credential: 'not-a-key-of-any-account' })
  evidence.slash = await client.ask({ path: `${KEYS_PATH}/`, credential: apiKey })
}

/** Whether a list shows the key that it is read with; null for a credential that the actions expect in no list. */
function showsOwn(list: ListReading, apiKey: string): boolean | null {
  const isExempt = doubtAbout({ keys: [], doubt: null, pages: 1 }, apiKey, new Set()) === null
  return isExempt ? null : ownRows(list, apiKey).length > 0
}

/** An expiry in nine minutes, and so many seconds, with these microseconds or as many of their digits as asked for. */
function expiryIn({ client, form: { digits, ahead } }: Run, micros: string, plusSeconds = 0): string {
  const at = client.now() + ahead + LIFETIME_MS + plusSeconds * 1000
  const second = new Date(at).toISOString().slice(0, 19)
  return digits === 0 ? `${second}Z` : `${second}.${micros.slice(0, digits)}Z`
}

/** Three keys with fractions that tell the grids apart. Null if there is no point in going on. */
async function observeCreating(run: Run): Promise<MadeKey | null> {
  const { evidence } = run
  // Not all in the same second or minute, so that a server that rounds to these shows it.
  for (const [micros, plus] of [
    ['125457', 0],
    ['501803', 17],
    ['987651', 37],
  ] as const) {
    const isFirst = evidence.creates.length === 0
    const created = isFirst ? await createFirst(run, micros) : await create(run, expiryIn(run, micros, plus))
    evidence.creates.push(created)
    const fault = faultOf(created, run)
    if (fault !== null) {
      evidence.ended = fault
      return null
    }
    if (run.form.digits === 0) break
  }
  return evidence.creates[0]?.key ?? null
}

/** Creates a key in the first form that is accepted: by either clock, with fewer and fewer digits of a second. */
async function createFirst(run: Run, micros: string): Promise<Created> {
  const forms = ([6, 3, 0] as const).flatMap((digits) => run.clocks.map((ahead) => ({ digits, ahead })))
  for (const [index, form] of forms.entries()) {
    run.form = form
    const created = await create(run, expiryIn(run, micros))
    const isEarlier = form.ahead !== run.clocks.at(-1)
    const isRefused = created.answer.status === 400 || (isEarlier && isTooShort(created))
    if (isRefused && index < forms.length - 1) continue
    if (created.key !== null) run.evidence.digits = form.digits
    return created
  }
  throw new Error('There is no form to ask for a key in.')
}

/** Whether a key ends so soon that the clock by which it was asked for is behind. */
function isTooShort({ answer, key }: Created): boolean {
  const { createdAt, expiresAt } = readKey(field(answer.json, 'api_key'))
  if (key === null || createdAt === null || expiresAt === null) return false
  return expiresAt - createdAt < LIFETIME_MS - CLOCK_SLACK_MS
}

async function create({ client, keys }: Run, asked: string, more = {}): Promise<Created> {
  const count = keys.made().length
  const answer = await keys.create(client, { expiry: asked, ...more })
  const key = keys.made()[count] ?? null
  const described = field(answer.json, 'api_key')
  const mayBeNew = typeof described === 'object' && described !== null && !keys.wasThere(answer)
  return { asked, answered: timeText(field(described, 'expiry')), answer, key, mayBeNew }
}

/** Why no further key should be made, or null. */
function faultOf({ answer, answered, key }: Created, { keys }: Run): string | null {
  if (answer.status < 200 || answer.status > 299)
    return `no key could be created: ${answer.error === null ? failureIn(answer).message : statusOf(answer)}`
  const { createdAt } = readKey(field(answer.json, 'api_key'))
  if (key === null && createdAt !== null && !keys.isFresh(answer))
    return `the response to create describes a key that was created at ${formatUtc(createdAt)}, before this run, unless that is a local time`
  if (key === null) return 'the response to create describes no new key'
  if (answered === null) return 'the API created a key that never expires, though an expiry was asked for'
  return null
}

async function observeNewKey(first: MadeKey, { client, apiKey, evidence }: Run): Promise<void> {
  const madeAt = evidence.creates[0]?.answer.receivedAt ?? 0
  if (first.token !== null) {
    const question = { path: KEYS_PATH, credential: first.token }
    const accepted = await client.poll(question, ({ status }) => status === 200)
    if (accepted.status === 200) evidence.acceptedAfterMs = accepted.receivedAt - madeAt
    evidence.isRejected = accepted.status === 401
  }
  for (let attempt = 1; attempt <= 10 && evidence.listed === null; attempt++) {
    const list = await readKeys(client, apiKey)
    evidence.readings.push(list)
    if (list.form !== 'other') evidence.isSought = true
    const key = list.keys.find(({ id }) => id === first.id)
    if (key) evidence.listed = { key, afterMs: list.first.receivedAt - madeAt }
  }
}

async function observeOddRequests(run: Run): Promise<void> {
  const { client, evidence, keys, form } = run
  evidence.unknownField = (await create(run, expiryIn(run, '246813'), { name: 'conformance' })).answer
  const past = new Date(client.now() + form.ahead - 3_600_000)
  evidence.pastExpiry = await keys.create(client, { expiry: `${past.toISOString().slice(0, 19)}Z` }, true)
}

async function observeRevoking(first: MadeKey, { client, apiKey, keys, evidence }: Run): Promise<void> {
  const { id, token } = first
  const path = `${KEYS_PATH}/${encodeURIComponent(id)}`
  const revoke = (credential: string) => client.ask({ method: 'DELETE', path, credential })
  if (token !== null) evidence.selfRevocation = await revoke(token)
  const own = evidence.selfRevocation
  const revocation = own?.status === 204 ? own : await revoke(apiKey)
  if (revocation.status === 204) keys.granted(id)
  if (token !== null) evidence.probes = await probeRevoked(token, revocation.receivedAt, client)
  evidence.revokedTwice = await revoke(apiKey)
}

/** What ten probes with a key get that was revoked at `revokedAt` (ms). */
async function probeRevoked(credential: string, revokedAt: number, client: Client) {
  const statuses: number[] = []
  let firstAfterMs: number | null = null
  for (let probe = 0; probe < PROBES; probe++) {
    const path = probe % 2 === 0 ? KEYS_PATH : '/api/user/profile'
    const answer = await client.ask({ path, credential })
    statuses.push(answer.status)
    if (answer.status === 401) firstAfterMs ??= answer.receivedAt - revokedAt
  }
  return { statuses, firstAfterMs }
}
