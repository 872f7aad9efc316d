import { type Budget, MAX_ATTEMPT_MS } from '../retry/budget.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import { formatExactly } from '../util/instant.ts'
import { type Intent, LATE_WRITE_GRACE_MS, LATEST_WRITE_MS } from './intent.ts'
import { gridShownBy } from './match-intent.ts'
import { type LookupContext, type OrphanResult, revokeOrphans } from './revoke-orphans.ts'

export const DASHBOARD = 'Dashboard > Plans > API Keys'
/** One attempt, and a slow server. */
const MAX_WATCH_MS = MAX_ATTEMPT_MS + LATE_WRITE_GRACE_MS
const WATCH_INTERVAL_MS = 2_000
/** A lookup with less time would only time out. */
const MIN_LOOKUP_MS = 1_000

interface Open {
  intent: Intent
  result: OrphanResult
  /** A key of this intent was found and revoked; a gateway that repeats requests may have made another one. */
  isFound: boolean
}

/** What could not be settled, as sentences for the person who has to: failures, and warnings that are not. */
export interface Unresolved {
  failures: string[]
  warnings: string[]
}

/** Looks until even a slow server has acted, and revokes what is certainly ours. Adds to `gone`, lowers `grid`. */
export async function resolveIntents(
  intents: readonly Intent[],
  context: LookupContext & { runner: Runner; gone: Set<string>; budget: Budget },
): Promise<Unresolved> {
  const { runner, clock, budget } = context
  if (intents.length === 0) return { failures: [], warnings: [] }
  const unanswered = intents.filter(({ stored }) => stored === undefined).length
  if (unanswered > 0) runner.info(`Looking for the keys of ${unanswered} unanswered create request(s).`)
  const latest = Math.max(...intents.map(({ deadline }) => deadline + LATE_WRITE_GRACE_MS))
  const watchUntil = Math.min(latest, clock.now() + MAX_WATCH_MS)
  let open: Open[] = intents.map((intent) => ({
    intent,
    isFound: intent.stored !== undefined,
    result: { kind: 'absent', doubt: 'it was not read' },
  }))
  for (;;) {
    const lookedAt = clock.now()
    open = addResults(open, await revokeOrphans(intents, context), context)
    const isWatched = lookedAt >= watchUntil
    if (!shouldLookAgain(open, isWatched) || budget.left() <= WATCH_INTERVAL_MS + MIN_LOOKUP_MS)
      return conclude(open, isWatched, clock.now())
    const rest = isWatched ? WATCH_INTERVAL_MS : Math.max(0, watchUntil - clock.now())
    await budget.pause(Math.min(WATCH_INTERVAL_MS, rest))
  }
}

function addResults(open: Open[], results: OrphanResult[], context: Parameters<typeof resolveIntents>[1]): Open[] {
  return open.map((item, index) => {
    const result = results[index] ?? item.result
    if (result.kind !== 'revoked') return { ...item, result }
    context.gone.add(result.key.id)
    // The list no longer shows the grid of its expiry.
    context.grid = Math.min(context.grid, gridShownBy([result.key]))
    context.runner.info(`Found and revoked the orphaned key ${keyLabel(result.key)}.`)
    return { ...item, result: { kind: 'absent', doubt: result.doubt }, isFound: true }
  })
}

/** `isWatched`: a slow server has had its time. */
export function shouldLookAgain(open: readonly Open[], isWatched: boolean): boolean {
  return open.some(({ result }) => (result.kind === 'failed' ? result.retryable : !isWatched || result.doubt !== null))
}

/** What to say of each intent in the end. */
export function conclude(open: readonly Open[], isWatched: boolean, now: number): Unresolved {
  const failures = new Map<string, Intent[]>()
  const warnings = new Map<string, Intent[]>()
  for (const item of open) {
    const { intent, result, isFound } = item
    const isDoubtful = result.kind === 'absent' && result.doubt !== null
    const mayStillAct = !isFound && now < intent.deadline + LATEST_WRITE_MS
    const reason = reasonOf(item, isWatched) ?? (mayStillAct ? NOTHING_YET : null)
    if (reason === null) continue
    const sort =
      reason === NOTHING_YET || (isFound && (isDoubtful || result.kind === 'ambiguous')) ? warnings : failures
    sort.set(reason, [...(sort.get(reason) ?? []), intent])
  }
  return { failures: sentences(failures), warnings: sentences(warnings) }
}

const NOTHING_YET =
  'No key of an unanswered create request has appeared so far; if the API still creates one, this action cannot see it'

function reasonOf({ intent: { refused }, isFound, result }: Open, isWatched: boolean): string | null {
  const what = isFound ? 'a gateway repeated a create request' : 'an unanswered create request created a key'
  switch (result.kind) {
    case 'failed':
      return result.key === null
        ? `Could not determine whether ${what}: ${result.reason}`
        : `Could not confirm that the orphaned API key ${keyLabel(result.key)} was revoked: ${result.reason}`
    case 'ambiguous':
      return (
        `${isFound ? 'A possibly repeated' : 'An unanswered'} create request matches ${result.candidates.length} key(s) (${result.candidates.slice(0, 3).map(keyLabel).join(', ')}); ` +
        'revoked none, because some may belong to other runs'
      )
    case 'absent':
      if (result.doubt !== null)
        return `Could not determine whether ${what}: the list of keys cannot be relied on, because ${result.doubt}`
      if (refused !== '' && !isFound)
        return `A create request returned the key ${refused}, which may not be this run's, so it was not revoked`
      return isWatched ? null : 'There was no time to wait for an unanswered create request'
    case 'revoked':
      return null
  }
}

function sentences(byReason: ReadonlyMap<string, readonly Intent[]>): string[] {
  return [...byReason].map(([reason, intents]) => {
    const least = (of: 'sentAt' | 'expiry') => Math.min(...intents.map((intent) => intent[of]))
    const [count, later] = intents.length === 1 ? ['', ''] : [` (${intents.length} requests)`, ' or later']
    const times = `created about ${formatUtc(least('sentAt'))} and expires ${formatExactly(least('expiry'))}${later}`
    if (intents[0]?.refused) return `${reason}. Look at it: ${DASHBOARD}.`
    return `${reason}${count}. Such a key was ${times}; to revoke it now: ${DASHBOARD}.`
  })
}
