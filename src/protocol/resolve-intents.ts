import type { KeyApi, KeyList, ListedKey } from '../api/key-api.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import type { LocalTime } from '../util/brands.ts'
import { formatExactly } from '../util/instant.ts'
import { type Intent, withoutZone } from './intent.ts'
import { doubtAbout, isRowOf, ownRows, readList } from './list-trust.ts'
import { gridShownBy, LATE_WRITE_GRACE_MS, LATEST_WRITE_MS, type ListContext, matchIntent } from './match-intent.ts'
import { NO_CREDENTIAL, type RevocationContext, revokeAndVerify } from './revoke-and-verify.ts'
import type { IssuedKey } from './saved-state.ts'

export const DASHBOARD = 'Dashboard > Plans > API Keys'
const WATCH_INTERVAL_MS = 2_000
/** Less would only time out. */
const MIN_LOOKUP_MS = 1_000
const NOT_SENT = { ok: false, skew: null, failure: NO_CREDENTIAL } as const

export interface SearchContext extends RevocationContext, Omit<ListContext, 'dateSkew' | 'known'> {
  api: KeyApi
  runner: Runner
  /** The keys that main holds. */
  held: readonly IssuedKey[]
  /** Ids of keys that were verified as revoked. */
  gone: Set<string>
}

export interface LookupContext extends SearchContext {
  /** By ID, keys that this run certainly made, with what becomes of their revocation. */
  orphans: Map<string, Promise<Finding>>
  /** The same keys, as they are shown to a person. */
  labels: Set<string>
  /** The IDs of those that are being revoked. */
  unsettled: Set<string>
}

/** What one look showed of a create request, or what became of an orphan. */
export interface Finding {
  intent: Intent
  /** What could not be settled. It is only a warning if the request's own key is known, or no key has appeared. */
  failure?: string
  warning?: string
  /** Whether the problem names keys. */
  hasNames?: boolean
}
type Problem = Pick<Finding, 'failure' | 'warning'>

export interface Look {
  findings: readonly Finding[]
  /** Another look may show something else. */
  isOpen: boolean
}

/** Looks until even a slow server has acted, and revokes what is ours. Warns, and returns failures (sentences). */
export async function resolveIntents(intents: readonly Intent[], given: SearchContext): Promise<string[]> {
  const { runner, clock, budget } = given
  if (intents.length === 0) return []
  runner.info(`Looking for the keys of ${intents.length} create request(s) whose response was lost, unusable or slow.`)
  const watchUntil = Math.max(...intents.map(({ deadline }) => deadline)) + LATE_WRITE_GRACE_MS
  const context: LookupContext = { ...given, orphans: new Map(), labels: new Set(), unsettled: new Set() }
  let look: Look = { findings: intents.map((intent) => ({ intent })), isOpen: true }
  let pause = WATCH_INTERVAL_MS
  do {
    const isWatched = clock.now() >= watchUntil
    const wasUnsettled = context.unsettled.size > 0
    look = await lookOnce(look, isWatched, context)
    const { isOpen } = look
    const rest = budget.left() - MIN_LOOKUP_MS
    if (isWatched) pause += WATCH_INTERVAL_MS
    if (isOpen && rest > 0) await budget.pause(Math.min(pause, rest))
    // A key that ends moves the rows of a list, and until then, its twin is not certain.
    else if (!isOpen && (wasUnsettled || context.unsettled.size > 0)) await Promise.all(context.orphans.values())
    else break
  } while (budget.left() >= MIN_LOOKUP_MS)
  const all = [...(await Promise.all(context.orphans.values())), ...look.findings]
  for (const warning of sentences(all, 'warning', context)) runner.warning(warning)
  return sentences(all, 'failure', context)
}

/** Looks once, and starts to revoke what is certainly ours. `isWatched`: a slow server has had its time. */
export async function lookOnce(last: Look, isWatched: boolean, context: LookupContext): Promise<Look> {
  const { credential, gone, orphans, labels, unsettled, clock } = context
  const read = credential === null ? NOT_SENT : await readList(credential, context)
  const list = read.ok ? read.value : { keys: [], doubt: '', pages: 0 }
  const doubt = read.ok ? doubtAbout(list, credential ?? '', gone) : read.failure.message
  // A redirect shows that api-url is wrong; anything else may pass.
  const isOpen = read.ok ? !isWatched || doubt !== null : credential !== null && !/^3/.test(`${read.failure.status}`)
  // What is left of a key that was revoked is its twin.
  const held = context.held.filter(({ id }) => !gone.has(id)).flatMap((key) => heldRows(key, list))
  const known = new Set([...gone, ...[...ownRows(list, credential ?? ''), ...held].map(({ id }) => id)])
  const findings = last.findings.map((finding) => {
    const intent = { ...finding.intent }
    // A gateway may have replayed the response.
    if (labels.has(intent.refused)) intent.refused = ''
    const { key, candidates } = matchIntent(intent, list.keys, { ...context, known, dateSkew: read.skew })
    // A refusal may pass.
    if (key !== null && (!orphans.has(key.id) || (isOpen && !unsettled.has(key.id)))) {
      const orphan = revokeOrphan(intent, key, context)
      orphan.catch(() => {})
      orphans.set(key.id, orphan)
      labels.add(keyLabel(key))
      // Once it is gone, the list no longer shows the grid of its expiry.
      context.grid = Math.min(context.grid, gridShownBy([key]))
      // From now on, its twin is looked for.
      return { intent: { ...intent, refused: '', stored: withoutZone(key, intent).expiresAt } }
    }
    const others = candidates.filter(({ id }) => !orphans.has(id))
    // What names keys outlasts a list that does not.
    if (doubt !== null && others.length === 0 && finding.hasNames) return finding
    const problem = problemOf(intent, { doubt, isWatched, candidates: others, now: clock.now() })
    return { intent, hasNames: others.length > 0, ...problem }
  })
  return { findings, isOpen }
}

async function revokeOrphan(intent: Intent, key: ListedKey, context: LookupContext): Promise<Finding> {
  context.unsettled.add(key.id)
  // By the clock of a server that is behind, its age is unknown.
  const result = await revokeAndVerify({ ...key, token: null, createdAt: null }, context)
  context.unsettled.delete(key.id)
  if (!result.revoked) {
    const failure = `Could not confirm that the orphaned API key ${keyLabel(key)} was revoked: ${result.reason}`
    return { intent, failure }
  }
  context.gone.add(key.id)
  const what = result.granted ? 'Found and revoked the' : 'No longer valid:'
  context.runner.info(`${what} orphaned key ${keyLabel(key)}.`)
  return { intent }
}

/** Also if the list writes id and expiry otherwise: no other key has our prefix. */
function heldRows(key: IssuedKey, list: KeyList): ListedKey[] {
  const byPrefix = key.token === null ? [] : ownRows(list, key.token)
  return list.keys.filter((row) => isRowOf(key, row) || (byPrefix.length === 1 && byPrefix[0] === row))
}

function undetermined({ stored, refused }: Intent): string {
  const question = refused
    ? `the key ${refused}, which a create request returned, is this run's`
    : stored === undefined
      ? 'an unresolved create request created a key'
      : 'a gateway repeated a create request'
  return `Could not determine whether ${question}`
}

interface Seen {
  candidates: ListedKey[]
  doubt: string | null
  isWatched: boolean
  now: LocalTime
}

/** As the list shows it: the API may not keep what was asked for. */
function withExpiry(key: ListedKey): string {
  const { expiresAt, unreadable } = key
  return `${keyLabel(key)}, ${expiresAt === null ? (unreadable ?? 'never expires') : `expires ${formatUtc(expiresAt)}`}`
}

/** Of a list without a key that is certainly of `intent`. */
function problemOf(intent: Intent, { candidates, doubt, isWatched, now }: Seen): Problem {
  const { refused, stored } = intent
  const isAnswered = stored !== undefined
  const unsettled = (problem: string) => (isAnswered ? { warning: problem } : { failure: problem })
  const which = refused === '' ? 'An unresolved create request' : `The create request that returned the key ${refused}`
  if (candidates.length > 0)
    return unsettled(
      `${isAnswered ? 'A possibly repeated create request' : which} matches ${candidates.length} key(s) ` +
        `(${candidates.slice(0, 3).map(withExpiry).join('; ')}); revoked none, because some may belong to other runs`,
    )
  if (doubt !== null) return unsettled(`${undetermined(intent)}: ${doubt}`)
  if (refused !== '')
    return {
      failure: `A create request returned the key ${refused}, which may not be this run's, so it was not revoked`,
    }
  if (!isWatched) return { failure: 'There was no time to wait for an unresolved create request' }
  if (isAnswered || now >= intent.deadline + LATEST_WRITE_MS) return {}
  return {
    warning:
      'No key of an unresolved create request has appeared so far; if the API still creates one, this action cannot see it',
  }
}

function sentences(findings: readonly Finding[], sort: keyof Problem, { skew }: SearchContext): string[] {
  const reasons = new Set(findings.flatMap((finding) => finding[sort] ?? []))
  return [...reasons].map((reason) => {
    const intents = findings.filter((finding) => finding[sort] === reason).map(({ intent }) => intent)
    const count = intents.length === 1 ? '' : ` (${intents.length} requests)`
    return `${reason}${count}. ${describeRequests(intents, skew)}. To revoke such a key now: ${DASHBOARD}.`
  })
}

/** What lets a person find their keys. */
export function describeRequests(intents: readonly Intent[], skew: number | null): string {
  const least = (of: 'sentAt' | 'expiry') => Math.min(...intents.map((intent) => intent[of]))
  const later = intents.length === 1 ? '' : ' or later'
  const sent = formatUtc(least('sentAt') + (skew ?? 0))
  return `Sent about ${sent}${later}, for a key that expires ${formatExactly(least('expiry'))}${later}`
}
