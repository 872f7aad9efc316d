import { isHeaderSafe } from '../api/call.ts'
import type { KeyApi } from '../api/key-api.ts'
import { changedSettings } from '../http/changed-settings.ts'
import type { Budget } from '../retry/budget.ts'
import { throttleBudget } from '../retry/throttle-budget.ts'
import {
  expiryAdvice,
  formatSeconds,
  formatUtc,
  type KeyStatus,
  keyLabel,
  type Runner,
  summarizeKeys,
} from '../runner/report.ts'
import type { Intent } from './intent.ts'
import { missingCheck } from './list-trust.ts'
import type { FoundState } from './parse-state.ts'
import { DASHBOARD, resolveIntents, type Unresolved } from './resolve-intents.ts'
import { type Deps, type RevocationResult, revokeAndVerify } from './revoke-and-verify.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What post runs in. The API is made from the saved record: its URL, its proxy, its User-Agent. */
export interface PostDeps extends Omit<Deps, 'api'> {
  runner: Runner
  connect(state: SavedState): KeyApi
  settings: SavedState['settings']
  /** As in SavedState, by the clock as it is now. */
  bootedAt: number
  /** Whether NODE_TLS_REJECT_UNAUTHORIZED asks to verify no certificate. */
  verificationOff: boolean
  /** What to do about a record that cannot be read, where its own policy cannot be read either. */
  policyWithoutRecord(): 'warn' | 'fail'
}

/** All of post. */
const POST_STEP_TIMEOUT_MS = 60_000
/**
 * How much longer post goes on while the API rate limits it: it will revoke the key, only later, as the jobs of a matrix
 * that end together have to take turns.
 */
const MAX_THROTTLE_WAIT_MS = 30 * 60_000
/** What is reserved for revoking known keys, if looking for orphans has to come first. */
const RESERVED_FOR_KEYS_MS = 25_000
/** How long the look-ups wait for the revocation of the known keys, which comes first. */
const LOOKUP_DELAY_MS = 3_000

/**
 * The post step: revokes every key that main created, and looks for those whose response never came. Reads nothing but
 * what main saved. Throws an Error if it cannot confirm a revocation and the policy is `fail`; with `warn` it warns.
 */
export async function revokeKeys(found: FoundState, deps: PostDeps): Promise<void> {
  const { runner } = deps
  if (found.kind === 'none') return runner.info('This step requested no key, so there is nothing to revoke.')
  if (found.kind === 'unreadable') {
    const message =
      `The record that the main step saved cannot be used (${found.reason}), so nothing was revoked. ` +
      `If it created a key, that key stays valid until it expires; to revoke it now: ${DASHBOARD}.`
    return warnOrFail([message], deps.policyWithoutRecord(), runner)
  }
  const { state, damaged } = found
  const failures: string[] = []
  if (damaged.length > 0)
    failures.push(
      `Parts of the record that the main step saved cannot be used (${damaged.join(', ')}). ` +
        `A key that they described stays valid until it expires; to revoke it now: ${DASHBOARD}.`,
    )
  if (state.keys.length === 0 && state.intents.length === 0)
    runner.info('The main step left no key behind, so there is nothing to revoke.')
  else {
    warnOfChanges(state, deps)
    const unresolved = await settleAll(state, contextFor(state, deps))
    for (const warning of unresolved.warnings) runner.warning(warning)
    failures.push(...unresolved.failures)
  }
  warnOrFail(failures, state.onRevokeFailure, runner)
}

/** Everything that is left to settle: the known keys first, and beside them the unanswered requests. */
async function settleAll(state: SavedState, context: Context): Promise<Unresolved> {
  const { clock, apiKey, newBudget } = context
  const intents = state.intents.map((intent) => shifted(intent, context.shift))
  const end = clock.now() + POST_STEP_TIMEOUT_MS
  const resolve = async (deadline: number): Promise<Unresolved> => {
    if (intents.length === 0) return { failures: [], warnings: [] }
    const credentials = apiKey === null ? state.keys.flatMap(({ token }) => token ?? []) : [apiKey]
    const known = new Set(state.keys.map(({ id }) => id))
    const { grid } = state
    const isMissing = missingCheck({ ...context, credential: credentials[0] ?? null })
    const budget = newBudget(deadline)
    return resolveIntents(intents, { ...context, budget, credentials, known, grid, isMissing })
  }
  const revoke = () => revokeHeldKeys(state.keys, context, () => newBudget(end))
  if (apiKey === null) {
    // Only the known keys can look for others, so they have to be revoked last.
    const reserved = state.keys.some(({ keep }) => !keep) ? RESERVED_FOR_KEYS_MS : 0
    const unresolved = await resolve(end - reserved)
    return { ...unresolved, failures: [...(await revoke()), ...unresolved.failures] }
  }
  const revoking = revoke()
  const wake = new AbortController()
  const stopWaiting = () => wake.abort()
  revoking.then(stopWaiting, stopWaiting)
  if (intents.length > 0) await clock.sleep(LOOKUP_DELAY_MS, wake.signal)
  const [failures, unresolved] = await Promise.all([revoking, resolve(end)])
  return { ...unresolved, failures: [...failures, ...unresolved.failures] }
}

/** The intent by the clock as it is now, if that was set by `shift` since main ran (in milliseconds). */
function shifted(intent: Intent, shift: number): Intent {
  return { ...intent, sentAt: intent.sentAt + shift, deadline: intent.deadline + shift }
}

function warnOrFail(failures: string[], policy: 'warn' | 'fail', runner: Runner): void {
  if (failures.length === 0) return
  const message = failures.join(' ')
  if (policy === 'fail') throw new Error(message)
  runner.warning(message)
}

/** What the rest of post works with. */
interface Context extends Deps {
  api: KeyApi
  runner: Runner
  /** The long-lived key, or null if it must not be sent. */
  apiKey: string | null
  /** By how much the clock was set between main and post, in milliseconds. */
  shift: number
  skew: number | null
  /** Ids of keys that were verified as revoked. */
  gone: Set<string>
  newBudget(deadline: number): Budget
}

/**
 * If a later step changed which certificate authorities are trusted, someone may be able to read what post sends. The
 * short-lived key is worth the risk, as it ends with that; the long-lived one is not.
 */
function contextFor(state: SavedState, deps: PostDeps): Context {
  const { runner, clock, random, connect, settings, bootedAt } = deps
  const isTrusted = changedSettings(state.settings, settings).authorities.length === 0
  const apiKey = isTrusted && state.apiKey !== null && isHeaderSafe(state.apiKey) ? state.apiKey : null
  const shift = bootedAt - state.bootedAt
  return {
    ...{ api: connect(state), clock, random, runner, apiKey, shift },
    skew: state.skew === null ? null : state.skew - shift,
    gone: new Set(),
    newBudget: (deadline) =>
      throttleBudget(deadline, deadline + MAX_THROTTLE_WAIT_MS, clock, (wait) =>
        runner.info(`Rate limited by the API (429). Retrying in ${formatSeconds(wait)}.`),
      ),
  }
}

function warnOfChanges(state: SavedState, { runner, settings, verificationOff }: PostDeps): void {
  if (verificationOff)
    runner.warning(
      'NODE_TLS_REJECT_UNAUTHORIZED is 0 in this job. The post step verifies certificates anyway.',
    )
  const { authorities, proxies } = changedSettings(state.settings, settings)
  if (authorities.length > 0)
    runner.warning(
      `A step of this job changed ${authorities.join(', ')}, which decides the certificates that are trusted. ` +
        'The post step does not send api-key under these settings.',
    )
  if (proxies.length > 0)
    runner.warning(
      `A step of this job changed the proxy settings (${proxies.join(', ')}). The post step uses those of the main step.`,
    )
}

/** Revokes every key that is not to be kept, all at the same time. What could not be confirmed comes back as sentences. */
async function revokeHeldKeys(
  keys: readonly IssuedKey[],
  context: Context,
  newBudget: () => Budget,
): Promise<string[]> {
  const { runner, apiKey, gone } = context
  const failures: string[] = []
  const revokeOne = async (key: IssuedKey): Promise<KeyStatus> => {
    if (key.keep) {
      runner.info(
        `The key ${keyLabel(key)} stays valid until it expires${expiryOf(key)} (\`revoke: false\`).`,
      )
      return { key, status: '**Kept** until it expires (`revoke: false`)' }
    }
    const credentials = apiKey === null ? [] : [apiKey]
    const isMissing = missingCheck({ ...context, credential: apiKey })
    const result = await revokeAndVerify(key, { ...context, budget: newBudget(), credentials, isMissing })
    if (result.revoked) gone.add(key.id)
    else
      failures.push(
        `Could not confirm that API key ${keyLabel(key)} was revoked: ${result.failure.message}. ${expiryAdvice(key.expiresAt)} To revoke it now: ${DASHBOARD}.`,
      )
    return { key, status: report(key, result, context) }
  }
  const rows = await Promise.all(keys.map(revokeOne))
  if (rows.length > 0) summarizeKeys(runner, 'SphereScout key after this job', rows)
  return failures
}

function report(key: IssuedKey, result: RevocationResult, { runner, clock }: Context): string {
  if (!result.revoked) return '**Revocation not confirmed**'
  const how = `${result.alreadyRevoked ? 'Already revoked or expired' : 'Revoked'}${result.verified ? ' (verified)' : ''}`
  const proof = result.verified ? '; the API rejects it with 401' : ''
  runner.info(`${how}: API key ${keyLabel(key)}${proof}.`)
  return `**${how}**, ${formatUtc(clock.now())}`
}

function expiryOf({ expiresAt }: IssuedKey): string {
  return expiresAt === null ? '' : ` at ${formatUtc(expiresAt)}`
}
