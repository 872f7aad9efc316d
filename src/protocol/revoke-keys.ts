import type { KeyApi } from '../api/key-api.ts'
import { AUTHORITIES } from '../http/network-settings.ts'
import { type Budget, createBudget } from '../retry/budget.ts'
import { formatSeconds, formatUtc, keyLabel, keySummary } from '../runner/report.ts'
import type { Runner } from '../runner/runner.ts'
import type { LocalTime } from '../util/brands.ts'
import { missingCheck } from './list-trust.ts'
import { gridShownBy } from './match-intent.ts'
import type { FoundState } from './parse-state.ts'
import { DASHBOARD, describeRequests, resolveIntents, type SearchContext } from './resolve-intents.ts'
import { type Deps, revokeAndVerify } from './revoke-and-verify.ts'
import type { IssuedKey, SavedState } from './saved-state.ts'

/** What post runs in. The API is made from the saved record: its URL, and the proxy of its settings. */
export interface PostDeps extends Omit<Deps, 'api'>, Pick<SavedState, 'settings'> {
  runner: Runner
  connect(state: SavedState): KeyApi
  /** As in SavedState, by the clock as it is now. */
  bootedAt: LocalTime
  /** Aborted when the runner is about to kill this step. */
  stopping: AbortSignal
  /** What to do about a record that cannot be read, where its own policy cannot be read either. */
  policyWithoutRecord(): 'warn' | 'fail'
}

const POST_STEP_TIMEOUT_MS = 60_000
/** Jobs of a matrix that end together take turns. */
const MAX_THROTTLE_WAIT_MS = 30 * 60_000
/** For the known keys: one that ends moves the rows of a list that is being read. */
const LOOKUP_DELAY_MS = 3_000

/** The post step. Throws an Error or warns, by `onRevokeFailure`, about what it cannot confirm. */
export async function revokeKeys({ state, damage }: FoundState, deps: PostDeps): Promise<void> {
  const { runner } = deps
  const failures: string[] = []
  if (damage !== '')
    failures.push(
      `${state === null ? 'The' : 'Part of the'} record that the main step saved cannot be used (${damage}). ` +
        `A key that it described may stay valid until it expires; to revoke it now: ${DASHBOARD}.`,
    )
  if (state !== null && state.keys.length + state.intents.length > 0) await settleAll(state, failures, deps)
  else if (damage === '') runner.info('The main step saved no key that may be valid, so there is nothing to revoke.')
  if (failures.length === 0) return
  const message = failures.join(' ')
  if ((state?.onRevokeFailure ?? deps.policyWithoutRecord()) === 'fail') throw new Error(message)
  runner.warning(message)
}

/** Adds to `failures`, known keys first. */
async function settleAll(state: SavedState, failures: string[], deps: PostDeps): Promise<void> {
  const { clock, runner, stopping } = deps
  const context = contextFor(state, deps)
  let isLooking = state.intents.length > 0
  const unsettled = () => {
    const keys = state.keys.filter(({ id, keep }) => !keep && !context.gone.has(id)).map(keyLabel)
    return [...keys, ...(isLooking ? [`${state.intents.length} create request(s)`] : [])].join(', ')
  }
  const intents = state.intents.map(({ sentAt, deadline, ...intent }) => {
    return { ...intent, sentAt: sentAt + context.shift, deadline: deadline + context.shift }
  })
  const warnOfRest = () => {
    const sent = isLooking ? ` ${describeRequests(intents, context.skew)}.` : ''
    const rest = `The runner is stopping this step; not yet settled: ${unsettled()}.${sent} To revoke them now: ${DASHBOARD}.`
    runner.warning([rest, ...failures].join(' '))
  }
  stopping.addEventListener('abort', warnOfRest)
  const deadline = clock.now() + POST_STEP_TIMEOUT_MS
  const onWait = (wait: number) =>
    runner.info(`Rate limited by the API (429). Retrying in ${formatSeconds(wait)}. Not yet settled: ${unsettled()}.`)
  const newBudget = () =>
    createBudget({ deadline, clock, throttle: { latest: deadline + MAX_THROTTLE_WAIT_MS, onWait } })
  const revoking = revokeHeldKeys(context, newBudget, failures)
  const wake = new AbortController()
  const stopWaiting = () => wake.abort()
  revoking.then(stopWaiting, stopWaiting)
  if (intents.length > 0) await clock.sleep(LOOKUP_DELAY_MS, wake.signal)
  const looking = resolveIntents(intents, { ...context, budget: newBudget() }).then((found) => {
    isLooking = false
    failures.push(...found)
  })
  await Promise.all([revoking, looking])
  stopping.removeEventListener('abort', warnOfRest)
}

type Context = Omit<SearchContext, 'budget'>

/** A step that changed the trusted authorities may read what post sends: never the long-lived key. */
function contextFor(state: SavedState, { runner, clock, random, connect, settings, bootedAt }: PostDeps): Context {
  // Post uses the proxies of main, so those may differ.
  const changed = AUTHORITIES.filter((name) => state.settings[name] !== settings[name])
  if (changed.length > 0)
    runner.warning(
      `A step of this job changed ${changed.join(', ')}, which decides the certificates that are trusted. ` +
        'The post step does not send api-key under these settings.',
    )
  const shift = bootedAt - (state.bootedAt ?? bootedAt)
  const lists = { api: connect(state), gone: new Set<string>() }
  return {
    ...{ ...lists, clock, random, runner, shift, held: state.keys },
    credential: changed.length === 0 ? state.apiKey : null,
    skew: state.skew === null ? null : state.skew - shift,
    grid: gridShownBy(state.keys),
    isMissing: missingCheck(lists),
  }
}

async function revokeHeldKeys(context: Context, newBudget: () => Budget, failures: string[]): Promise<void> {
  const { runner, gone, clock, held, skew } = context
  const revokeOne = async (key: IssuedKey): Promise<string> => {
    const end = key.expiresAt === null ? null : formatUtc(key.expiresAt)
    if (key.keep) {
      const at = end === null ? '' : ` at ${end}`
      runner.info(`The key ${keyLabel(key)} stays valid until it expires${at} (\`revoke: false\`).`)
      return '**Kept** until it expires (`revoke: false`)'
    }
    const result = await revokeAndVerify(key, { ...context, budget: newBudget() })
    if (!result.revoked) {
      const expiry =
        end === null ? 'Its expiry is unknown, so it may never expire; revoke it now' : `It expires at ${end}`
      failures.unshift(
        `Could not confirm that API key ${keyLabel(key)} was revoked: ${result.reason}. ${expiry}. To revoke it now: ${DASHBOARD}.`,
      )
      return '**Revocation not confirmed**'
    }
    gone.add(key.id)
    const how = `${result.granted ? 'Revoked' : 'No longer valid'}${result.verified ? ' (verified)' : ''}`
    const proof = result.verified ? '; the API rejects it with 401' : ''
    runner.info(`${how}: API key ${keyLabel(key)}${proof}.`)
    return `**${how}**, ${formatUtc(clock.now() + (skew ?? 0))}`
  }
  const rows = await Promise.all(held.map(async (key) => ({ key, status: await revokeOne(key) })))
  if (rows.length > 0) runner.writeSummary(keySummary('SphereScout key after this job', rows))
}
