import type { ApiFailure, KeyApi, KeyList, ListedKey } from '../api/key-api.ts'
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

export interface LookupContext extends RevocationContext, Omit<ListContext, 'dateSkew' | 'known'> {
  api: KeyApi
  runner: Runner
  /** The keys that main holds. */
  held: readonly IssuedKey[]
  /** Ids of keys that were verified as revoked. */
  gone: Set<string>
}

/** What one look showed of a create request. */
export interface Finding {
  intent: Intent
  /** Another look may show something else. */
  isOpen: boolean
  /** What could not be settled. It is only a warning if the request's own key is known, or no key has appeared. */
  failure?: string
  warning?: string
  /** The orphan that was revoked, for a person. */
  revoked?: string
  /** Whether the problem names keys; undefined if the list could not be read, or not believed. */
  hasNames?: boolean | undefined
}
type Problem = Pick<Finding, 'failure' | 'warning'>

/** Looks until even a slow server has acted, and revokes what is ours. Warns, and returns failures (sentences). */
export async function resolveIntents(intents: readonly Intent[], context: LookupContext): Promise<string[]> {
  const { runner, clock, budget } = context
  if (intents.length === 0) return []
  runner.info(`Looking for the keys of ${intents.length} create request(s) whose response was lost, unusable or slow.`)
  const watchUntil = Math.max(...intents.map(({ deadline }) => deadline)) + LATE_WRITE_GRACE_MS
  let findings: Finding[] = []
  for (let looked = intents; ; ) {
    const isWatched = clock.now() >= watchUntil
    const before = findings
    // What names keys outlasts a list that cannot be read.
    findings = (await lookOnce(looked, isWatched, context)).map((finding, index) =>
      finding.hasNames === undefined && before[index]?.hasNames
        ? { ...before[index], isOpen: finding.isOpen }
        : finding,
    )
    if (!findings.some(({ isOpen }) => isOpen) || budget.left() <= WATCH_INTERVAL_MS + MIN_LOOKUP_MS) {
      for (const warning of sentences(findings, 'warning', context)) runner.warning(warning)
      return sentences(findings, 'failure', context)
    }
    // A gateway may have replayed the response.
    const revoked = new Set(findings.map(({ revoked }) => revoked))
    looked = findings.map(({ intent }) => (revoked.has(intent.refused) ? { ...intent, refused: '' } : intent))
    const rest = isWatched ? WATCH_INTERVAL_MS : Math.max(0, watchUntil - clock.now())
    await budget.pause(Math.min(WATCH_INTERVAL_MS, rest))
  }
}

/** Looks once, and revokes keys that this run certainly made. `isWatched`: a slow server has had its time. */
export async function lookOnce(
  intents: readonly Intent[],
  isWatched: boolean,
  context: LookupContext,
): Promise<Finding[]> {
  const { credential, gone, runner, clock } = context
  if (credential === null) return unread(intents, NO_CREDENTIAL)
  const read = await readList(credential, context)
  if (!read.ok) return unread(intents, read.failure)
  const list = read.value
  const doubt = doubtAbout(list, credential, gone)
  // What is left of a key that was revoked is its twin.
  const held = context.held.filter(({ id }) => !gone.has(id)).flatMap((key) => heldRows(key, list))
  const others = [...ownRows(list, credential), ...held].map(({ id }) => id)
  const looked = { ...context, known: new Set([...gone, ...others]), dateSkew: read.skew }
  const lookFor = async (intent: Intent): Promise<Finding> => {
    const { key, candidates } = matchIntent(intent, list.keys, looked)
    const seen = { doubt, isWatched, candidates, now: clock.now() }
    const isOpen = !isWatched || doubt !== null
    const hasNames = candidates.length > 0 || (doubt === null ? false : undefined)
    if (key === null) return { intent, isOpen, hasNames, ...problemOf(intent, seen) }
    // By the clock of a server that is behind, its age is unknown.
    const result = await revokeAndVerify({ ...key, token: null, createdAt: null }, context)
    if (!result.revoked) {
      const failure = `Could not confirm that the orphaned API key ${keyLabel(key)} was revoked: ${result.failure.message}`
      return { intent, isOpen: result.failure.retryable, hasNames: true, failure }
    }
    gone.add(key.id)
    // The list no longer shows the grid of its expiry.
    context.grid = Math.min(context.grid, gridShownBy([key]))
    runner.info(`Found and revoked the orphaned key ${keyLabel(key)}.`)
    // From now on, its twin is looked for.
    const answered = { ...intent, refused: '', stored: withoutZone(key, intent).expiresAt }
    return { intent: answered, isOpen: true, hasNames: false, revoked: keyLabel(key), ...problemOf(answered, seen) }
  }
  return Promise.all(intents.map(lookFor))
}

function unread(intents: readonly Intent[], failure: ApiFailure): Finding[] {
  // A redirect shows that api-url is wrong; anything else may pass.
  const isOpen = failure !== NO_CREDENTIAL && !/^3/.test(`${failure.status}`)
  return intents.map((intent) => ({ intent, isOpen, failure: `${undetermined(intent)}: ${failure.message}` }))
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
  if (doubt !== null)
    return unsettled(`${undetermined(intent)}: the list of keys cannot be relied on, because ${doubt}`)
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

function sentences(findings: readonly Finding[], sort: keyof Problem, { skew }: LookupContext): string[] {
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
