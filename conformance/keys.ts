import { type Answer, type Client, field, KEYS_PATH, Stopped } from './client.ts'
import { millisecondsOf, readRows } from './read.ts'

/** A key that this run created. */
export interface MadeKey {
  id: string
  /** Null where only the list told of it. */
  token: string | null
  prefix: string
  expiry: string
}

/** A create request, from before it is sent. */
interface Attempt {
  expiry: string
  /** Null until there is an answer that names the key, or says that none was made. */
  outcome: MadeKey | 'none' | null
}

/** What became of the keys that were made. */
export interface CleanUp {
  verified: MadeKey[]
  left: MadeKey[]
  /** Expiries of create requests of which it is not known whether they made a key. */
  unknown: string[]
}

/** The keys that were made, and those that were there before, which are never touched. */
export interface KeyLedger {
  /** Creates a key, and notes it before and after. */
  create(client: Client, body: { expiry: string; [field: string]: string }): Promise<Answer>
  made(): MadeKey[]
  /** Revokes every key that was made, and checks each. */
  cleanUp(client: Client): Promise<CleanUp>
}

/** The clocks of a server and its database may be this far apart, in milliseconds. */
const CREATED_SLACK_MS = 60_000

/** `before` are the ids that the account had before this run, which began at `since` (ms) by the server's clock. */
export function createKeyLedger(apiKey: string, before: ReadonlySet<string>, since: number): KeyLedger {
  const attempts: Attempt[] = []
  const made = () =>
    attempts.flatMap(({ outcome }) => (outcome === null || outcome === 'none' ? [] : outcome))

  return {
    made,
    async create(client, body) {
      const attempt: Attempt = { expiry: body.expiry, outcome: null }
      attempts.push(attempt)
      const question = { method: 'POST', path: KEYS_PATH, credential: apiKey, body } as const
      const answer = await client.ask(question).catch((error: unknown) => {
        // Nothing was sent.
        if (error instanceof Stopped) attempt.outcome = 'none'
        throw error
      })
      const key = keyIn(answer, body.expiry)
      // A key that was there before is not ours, whatever the answer says.
      const isOld = key !== null && (before.has(key.id) || createdIn(answer) < since - CREATED_SLACK_MS)
      if (key !== null && !isOld && key.token !== apiKey) attempt.outcome = key
      else if (answer.status >= 400 && answer.status < 500) attempt.outcome = 'none'
      return answer
    },
    async cleanUp(client) {
      await findLost(attempts, before, made(), (path) => client.ask({ path, credential: apiKey }))
      const results: { key: MadeKey; isRevoked: boolean }[] = []
      for (const key of made()) results.push({ key, isRevoked: await revoke(key, apiKey, client) })
      return {
        verified: results.filter(({ isRevoked }) => isRevoked).map(({ key }) => key),
        left: results.filter(({ isRevoked }) => !isRevoked).map(({ key }) => key),
        unknown: attempts.filter(({ outcome }) => outcome === null).map(({ expiry }) => expiry),
      }
    },
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

/** When the key in an answer was created, in milliseconds since 1970; long ago if it does not say. */
function createdIn({ json }: Answer): number {
  return millisecondsOf(String(field(field(json, 'api_key'), 'created'))) ?? 0
}

/** Looks for the keys of unanswered create requests: each has an expiry that no other key has. */
async function findLost(
  attempts: Attempt[],
  before: ReadonlySet<string>,
  known: MadeKey[],
  read: (path: string) => Promise<Answer>,
): Promise<void> {
  if (attempts.every(({ outcome }) => outcome !== null)) return
  const { rows } = await readRows(read)
  const ids = new Set(known.map(({ id }) => id))
  const others = rows.filter(({ id }) => !before.has(id) && !ids.has(id))
  for (const attempt of attempts.filter(({ outcome }) => outcome === null)) {
    const fits = others.filter(({ expiry }) => millisecondsOf(expiry) === millisecondsOf(attempt.expiry))
    const [only] = fits
    if (only && fits.length === 1)
      attempt.outcome = { id: only.id, token: null, prefix: only.prefix, expiry: attempt.expiry }
  }
}

/** Revokes one key; true if the list no longer has it, and the API refuses it. */
async function revoke({ id, token }: MadeKey, apiKey: string, client: Client): Promise<boolean> {
  const path = `${KEYS_PATH}/${encodeURIComponent(id)}`
  const answer = await client.ask({ method: 'DELETE', path, credential: apiKey })
  if (answer.status !== 204 && token !== null) await client.ask({ method: 'DELETE', path, credential: token })
  const list = await readRows((page) => client.ask({ path: page, credential: apiKey }))
  if (!list.isComplete || list.rows.some((row) => row.id === id)) return false
  if (token === null) return true
  const probe = await client.poll({ path: KEYS_PATH, credential: token }, ({ status }) => status === 401)
  return probe.status === 401
}
