import type { KeyApi } from '../api/key-api.ts'
import { changedAuthorities } from '../http/network-settings.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import { formatSeconds, formatUtc, type KeyStatus, keyLabel, summarizeKeys } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import type { LocalTime } from '../util/brands.ts'
import { missingCheck } from './list-trust.ts'
import { gridShownBy } from './match-intent.ts'
import type { FoundState } from './parse-state.ts'
import { DASHBOARD, resolveIntents, type Unresolved } from './resolve-intents.ts'
import { type Deps, type RevocationResult, revokeAndVerify } from './revoke-and-verify.ts'
import type { LookupContext } from './revoke-orphans.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What post runs in. The API is made from the saved record: its URL, and the proxy of its settings. */
export interface PostDeps extends Omit<Deps, 'api'> {
  runner: Runner
  connect(state: SavedState): KeyApi
  settings: SavedState['settings']
  /** As in SavedState, by the clock as it is now. */
  bootedAt: LocalTime
  /** What to do about a record that cannot be read, where its own policy cannot be read either. */
  policyWithoutRecord(): 'warn' | 'fail'
}

const POST_STEP_TIMEOUT_MS = 60_000
/** Jobs of a matrix that end together take turns. */
const MAX_THROTTLE_WAIT_MS = 30 * 60_000
/** The known keys get a head start. */
const LOOKUP_DELAY_MS = 3_000
const NOTHING_LEFT = 'The main step saved no key that may be valid, so there is nothing to revoke.'
const STAYS_VALID = `stays valid until it expires; to revoke it now: ${DASHBOARD}.`

/** The post step. Throws an Error or warns, by `onRevokeFailure`, about what it cannot confirm. */
export async function revokeKeys(found: FoundState, deps: PostDeps): Promise<void> {
  const { runner } = deps
  if (found.kind === 'none') return runner.info(NOTHING_LEFT)
  if (found.kind === 'unreadable') {
    const message =
      `The record that the main step saved cannot be used (${found.reason}), so nothing was revoked. ` +
      `If it created a key, that key ${STAYS_VALID}`
    return warnOrFail([message], deps.policyWithoutRecord(), runner)
  }
  const { state, damaged } = found
  const failures: string[] = []
  if (damaged.length > 0)
    failures.push(
      `Parts of the record that the main step saved cannot be used (${damaged.join(', ')}). ` +
        `If they described another key, that key ${STAYS_VALID}`,
    )
  if (state.keys.length === 0 && state.intents.length === 0) {
    if (damaged.length === 0) runner.info(NOTHING_LEFT)
  } else {
    const unresolved = await settleAll(state, contextFor(state, deps))
    for (const warning of unresolved.warnings) runner.warning(warning)
    failures.push(...unresolved.failures)
  }
  warnOrFail(failures, state.onRevokeFailure, runner)
}

async function settleAll(state: SavedState, context: Context): Promise<Unresolved> {
  const { clock, newBudget, shift } = context
  const intents = state.intents.map(({ sentAt, deadline, ...intent }) => {
    return { ...intent, sentAt: sentAt + shift, deadline: deadline + shift }
  })
  const end = clock.now() + POST_STEP_TIMEOUT_MS
  const revoking = revokeHeldKeys(state.keys, context, () => newBudget(end))
  const wake = new AbortController()
  const stopWaiting = () => wake.abort()
  revoking.then(stopWaiting, stopWaiting)
  if (intents.length > 0) await clock.sleep(LOOKUP_DELAY_MS, wake.signal)
  const [failures, unresolved] = await Promise.all([
    revoking,
    resolveIntents(intents, { ...context, budget: newBudget(end) }),
  ])
  return { ...unresolved, failures: [...failures, ...unresolved.failures] }
}

function warnOrFail(failures: string[], policy: 'warn' | 'fail', runner: Runner): void {
  if (failures.length === 0) return
  const message = failures.join(' ')
  if (policy === 'fail') throw new Error(message)
  runner.warning(message)
}

/** What the rest of post works with. */
interface Context extends Omit<LookupContext, 'budget'> {
  runner: Runner
  gone: Set<string>
  newBudget(deadline: number): Budget
}

/** A step that changed the trusted authorities may read what post sends: never the long-lived key. */
function contextFor(state: SavedState, deps: PostDeps): Context {
  const { runner, clock, random, connect, settings, bootedAt } = deps
  const changed = changedAuthorities(state.settings, settings)
  if (changed.length > 0)
    runner.warning(
      `A step of this job changed ${changed.join(', ')}, which decides the certificates that are trusted. ` +
        'The post step does not send api-key under these settings.',
    )
  const credential = changed.length === 0 ? state.apiKey : null
  const shift = bootedAt - (state.bootedAt ?? bootedAt)
  const onWait = (wait: number) => runner.info(`Rate limited by the API (429). Retrying in ${formatSeconds(wait)}.`)
  const skew = state.skew === null ? null : state.skew - shift
  const context = { api: connect(state), clock, random, runner, credential, skew, gone: new Set<string>() }
  return {
    ...{ ...context, shift, held: state.keys },
    grid: gridShownBy(state.keys),
    isMissing: missingCheck(context),
    newBudget: (deadline) =>
      createBudget({ deadline, clock, throttle: { latest: deadline + MAX_THROTTLE_WAIT_MS, onWait } }),
  }
}

async function revokeHeldKeys(
  keys: readonly IssuedKey[],
  context: Context,
  newBudget: () => Budget,
): Promise<string[]> {
  const { runner, gone } = context
  const failures: string[] = []
  const revokeOne = async (key: IssuedKey): Promise<KeyStatus> => {
    if (key.keep) {
      const end = key.expiresAt === null ? '' : ` at ${formatUtc(key.expiresAt)}`
      runner.info(`The key ${keyLabel(key)} stays valid until it expires${end} (\`revoke: false\`).`)
      return { key, status: '**Kept** until it expires (`revoke: false`)' }
    }
    const result = await revokeAndVerify(key, { ...context, budget: newBudget() })
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

function expiryAdvice(expiresAt: number | null): string {
  if (expiresAt === null) return 'Its expiry is unknown, so it may never expire; revoke it now.'
  return `It expires at ${formatUtc(expiresAt)}.`
}

function report(key: IssuedKey, result: RevocationResult, { runner, clock }: Context): string {
  if (!result.revoked) return '**Revocation not confirmed**'
  const how = `${result.alreadyRevoked ? 'Already revoked or expired' : 'Revoked'}${result.verified ? ' (verified)' : ''}`
  const proof = result.verified ? '; the API rejects it with 401' : ''
  runner.info(`${how}: API key ${keyLabel(key)}${proof}.`)
  return `**${how}**, ${formatUtc(clock.now())}`
}
