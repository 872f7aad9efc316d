import type { KeyApi } from '../api/key-api.ts'
import { changedSettings } from '../http/changed-settings.ts'
import type { Budget } from '../retry/budget.ts'
import { throttleBudget } from '../retry/throttle-budget.ts'
import {
  formatUtc,
  type KeyRow,
  keyLabel,
  type Runner,
  sanitize,
  seconds,
  writeSummary,
} from '../runner/report.ts'
import { formatInstant } from '../util/instant.ts'
import { type Intent, LATE_WRITE_GRACE_MS } from './intent.ts'
import type { FoundState } from './parse-state.ts'
import { type Deps, revokeAndVerify } from './revoke-and-verify.ts'
import { type OrphanResult, revokeOrphans } from './revoke-orphans.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What post runs in. The API is made from the saved record: its URL, its proxy, its User-Agent. */
export interface PostDeps extends Omit<Deps, 'api'> {
  runner: Runner
  connect(state: SavedState): KeyApi
  settings: SavedState['settings']
  /** As in SavedState, by the clock as it is set now. */
  bootedAt: number
  /** Whether NODE_TLS_REJECT_UNAUTHORIZED asks to verify no certificate. */
  verificationOff: boolean
  /** What to do about a record that cannot be read, where its own policy cannot be read either. */
  policyWithoutRecord(): 'warn' | 'fail'
}

/** Where a person ends a key by hand. */
const DASHBOARD = 'Dashboard > Plans > API Keys'
/** All of post, in milliseconds. */
const POST = 60_000
/**
 * How much longer post goes on where the API is throttled, in milliseconds: it will revoke the key, only later, as the
 * jobs of a matrix that end together have to take turns.
 */
const MAX_THROTTLE_WAIT_MS = 30 * 60_000
/** What is kept for revoking the known key while lost ones are looked for, in milliseconds. */
const RESERVED_FOR_KEYS_MS = 25_000
/** The longest that a lost request can still be under way when post starts: one attempt, and a slow server. */
const MAX_WATCH_MS = 10_000 + LATE_WRITE_GRACE_MS
const WATCH_INTERVAL_MS = 2_000
/** No look is begun with less time than this, in milliseconds: all that it would tell is that it had none. */
const MIN_LOOKUP_MS = 1_000

/**
 * The post step: ends every key that main made, and looks for those whose reply was lost. Reads nothing but
 * what main saved. Throws an Error where it cannot show that a key is dead and the policy is `fail`; with
 * `warn` it warns.
 */
export async function revokeKey(found: FoundState, deps: PostDeps): Promise<void> {
  const { runner } = deps
  if (found.kind === 'none') {
    runner.info('No key was asked for in this job, so there is none to revoke.')
    return
  }
  if (found.kind === 'unreadable') {
    warnOrFail(
      `What the main step saved cannot be used (${found.reason}), so nothing was revoked. If it created a key, that key ` +
        `ends at its own expiry; to end it now: ${DASHBOARD}.`,
      deps.policyWithoutRecord(),
      runner,
    )
    return
  }
  const { state } = found
  if (state.keys.length === 0 && state.intents.length === 0) {
    runner.info('The main step left no key behind, so there is none to revoke.')
    return
  }

  warnOfChanges(state, deps)
  const { clock, bootedAt } = deps
  const work = toolsFor(state, deps)
  const patient = (end: number) =>
    throttleBudget(end, end + MAX_THROTTLE_WAIT_MS, clock, (wait) =>
      runner.info(`The API has too many requests (429). Trying again in ${seconds(wait)}.`),
    )
  const deadline = clock.now() + POST
  const kept = state.keys.some(({ keep }) => !keep) ? RESERVED_FOR_KEYS_MS : 0
  const intents = state.intents.map((intent) => shifted(intent, bootedAt - state.bootedAt))
  const troubles = await resolveIntents(intents, state.keys, work, patient(deadline - kept))
  // The watch may have been prolonged; what is kept for the keys is still theirs.
  const end = Math.max(deadline, clock.now() + kept)
  troubles.push(...(await revokeKeys(state.keys, work, () => patient(end))))
  if (troubles.length > 0) warnOrFail(troubles.join(' '), state.onRevokeFailure, runner)
}

/** The mark by the clock as it is now, where that was set by `shift` since main ran (in milliseconds). */
function shifted(intent: Intent, shift: number): Intent {
  return { ...intent, sentAt: intent.sentAt + shift, deadline: intent.deadline + shift }
}

function warnOrFail(message: string, policy: 'warn' | 'fail', runner: Runner): void {
  if (policy === 'fail') throw new Error(message)
  runner.warning(message)
}

/** What the rest of post works with. */
interface Context extends Deps {
  runner: Runner
  /** The long-lived key, or null where it must not be sent. */
  apiKey: string | null
}

/**
 * Where a later step changed which certificate authorities are trusted, somebody may be able to read what post
 * sends. The short-lived key is worth the risk, as it dies by it; the long-lived one is not.
 */
function toolsFor(state: SavedState, { runner, clock, random, connect, settings }: PostDeps): Context {
  const trusted = changedSettings(state.settings, settings).authorities.length === 0
  return { api: connect(state), clock, random, runner, apiKey: trusted ? state.apiKey : null }
}

function warnOfChanges(state: SavedState, { runner, settings, verificationOff }: PostDeps): void {
  if (verificationOff)
    runner.warning('NODE_TLS_REJECT_UNAUTHORIZED is 0 in this job. Post verifies certificates all the same.')
  const { authorities, proxies } = changedSettings(state.settings, settings)
  if (authorities.length > 0)
    runner.warning(
      `A step of this job changed ${authorities.join(', ')}, and with it which certificates are trusted. ` +
        'Post does not send api-key under these settings.',
    )
  if (proxies.length > 0)
    runner.warning(
      `A step of this job changed the proxy settings (${proxies.join(', ')}). Post goes the way that the main step went.`,
    )
}

/**
 * Looks for the keys of lost create requests, until a server that is slow to act has had its time. What cannot be
 * settled comes back as sentences for the person who has to.
 */
async function resolveIntents(
  intents: readonly Intent[],
  keys: readonly IssuedKey[],
  work: Context,
  budget: Budget,
): Promise<string[]> {
  const { runner, clock } = work
  if (intents.length === 0) return []
  runner.info(`Looking for the keys of ${intents.length} create request(s) whose reply was lost.`)
  const known = new Set(keys.map(({ id }) => id))
  const credentials = [...keys.map(({ token }) => token), work.apiKey]
  const slowest = Math.max(...intents.map(({ deadline }) => deadline + LATE_WRITE_GRACE_MS))
  const until = Math.min(slowest, clock.now() + MAX_WATCH_MS)

  let open = intents.map((intent): { intent: Intent; outcome: OrphanResult } => ({
    intent,
    outcome: { kind: 'absent' },
  }))
  for (;;) {
    const lookedAt = clock.now()
    const looked = open.map(({ intent }) => intent)
    const outcomes = await revokeOrphans(looked, credentials, known, work, budget)
    open = open.flatMap(({ intent }, index) => {
      const outcome = outcomes[index]
      if (outcome === undefined) return []
      if (outcome.kind !== 'revoked') return { intent, outcome }
      runner.info(
        `Found a key of this job that was never handed over, and revoked it: ${keyLabel(outcome.key)}.`,
      )
      return []
    })
    const watched = lookedAt >= until
    const worthAnother = open.some(({ outcome }) =>
      outcome.kind === 'failed' ? outcome.failure.retryable : !watched,
    )
    if (!worthAnother || budget.left() <= WATCH_INTERVAL_MS + MIN_LOOKUP_MS) {
      if (watched && open.length > 0 && open.every(({ outcome }) => outcome.kind === 'absent'))
        runner.info('No other key was made by such a request.')
      return open.flatMap(({ intent, outcome }) => unsettled(intent, outcome, watched))
    }
    await budget.pause(
      watched ? WATCH_INTERVAL_MS : Math.min(WATCH_INTERVAL_MS, Math.max(0, until - clock.now())),
    )
  }
}

function unsettled(intent: Intent, outcome: OrphanResult, watchedToTheEnd: boolean): string[] {
  const byHand =
    `If there is such a key, it was created about ${formatUtc(intent.sentAt)} with expiry ${formatInstant(intent.expiry)}, ` +
    `when it ends by itself; to end it now: ${DASHBOARD}.`
  if (outcome.kind === 'failed')
    return [
      `It could not be seen whether a lost create request made a key: ${outcome.failure.message}. ${byHand}`,
    ]
  if (outcome.kind === 'unclear')
    return [
      `A create request was lost, and ${outcome.candidates.length} key(s) may be its own or another run's, so none was revoked. ${byHand}`,
    ]
  if (!watchedToTheEnd)
    return [`A create request was lost, and there was no time to wait for a slow server. ${byHand}`]
  return []
}

/** Revokes every key that is not to be kept, and proves it. What could not be proved comes back as sentences. */
async function revokeKeys(
  keys: readonly IssuedKey[],
  work: Context,
  newBudget: () => Budget,
): Promise<string[]> {
  const { runner, clock } = work
  const troubles: string[] = []
  const ends: KeyRow[] = []
  const note = (key: IssuedKey, how: string, rest = `, ${formatUtc(clock.now())}`) =>
    ends.push({ key, fate: `**${how}**${rest}` })
  // At the same time: none has to wait for another that takes all of it.
  const endings = await Promise.all(
    keys.map((key) => (key.keep ? null : revokeAndVerify(key, work.apiKey, work, newBudget()))),
  )
  for (const [index, key] of keys.entries()) {
    const ending = endings[index]
    if (!ending) {
      runner.info(`The key ${keyLabel(key)} is left to its expiry${expiry(key)}, as revoke is false.`)
      note(key, 'Left to its expiry', ', as revoke is false')
      continue
    }
    if (ending.dead) {
      const how = `${ending.already ? 'Already revoked or expired' : 'Revoked'}${ending.verified ? ' (verified)' : ''}`
      runner.info(`${how}: the API key ${keyLabel(key)}${ending.verified ? ' is refused with 401' : ''}.`)
      note(key, how)
    } else {
      troubles.push(
        `The API key ${sanitize(key.prefix)}... (id ${sanitize(key.id)}) could not be shown to be dead: ${ending.reason}. It expires by itself${expiry(key) || ' never'}; ` +
          `to end it now: ${DASHBOARD}.`,
      )
      note(key, 'Not shown to be dead')
    }
  }
  if (ends.length > 0) writeSummary(runner, 'SphereScout key after this job', 'Ended', ends)
  return troubles
}

function expiry({ expiresAt }: IssuedKey): string {
  return expiresAt === null ? '' : ` at ${formatUtc(expiresAt)}`
}
