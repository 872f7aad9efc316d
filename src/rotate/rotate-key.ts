import type { ListedKey } from '../api/key-api.ts'
import { type Budget, createBudget, retry } from '../retry/budget.ts'
import { formatUtc, keyLabel } from '../runner/report.ts'
import {
  DAY_MS,
  dueAt,
  dueWhileStuck,
  findCurrentKey,
  holdsOlderKey,
  isAnyPlaceInDoubt,
  isEphemeral,
  isOwn,
  keysInDoubt,
  keysToRetire,
  mayHoldOlderKey,
  rotatedLately,
  writeOrder,
  writtenApart,
} from './decisions.ts'
import { listKeys, type RotateDeps } from './deps.ts'
import { fullLabel, notRevokedLine, revokeAtOnce } from './emergency.ts'
import { expiryWarning, keyNotReceived, wasWrittenByOthers } from './expiry-warning.ts'
import type { RotateInputs } from './inputs.ts'
import { whyNotListed } from './list-failure.ts'
import { createKey, discardKey, type FreshKey, proveKey } from './new-key.ts'
import { doubtNote, foreverWarnings, initialKeyNote, previousKeyNote, unusedKeysNote } from './old-key-notes.ts'
import { placeLabel, type Repository } from './places.ts'
import { openReport, plainLine, type RotationReport, setOutputs, writeRotationSummary } from './report.ts'
import { revokeListed } from './revoke-listed.ts'
import { openRecord, type RotationRecord, saveIfPossible } from './rotation-record.ts'
import { githubServer, rotationTag } from './rotation-tag.ts'
import { inspectPlace, type Target, type WriteResult, writePlaces } from './write-places.ts'

/** What the functions of one run share. */
interface Run {
  inputs: RotateInputs
  deps: RotateDeps
  repository: Repository
  tag: number
  /** The account's keys at the start, why they may not be all, and the row of the key in hand. */
  keys: readonly ListedKey[]
  doubt: string | null
  current: ListedKey
  /** The API's clock less this machine's, in milliseconds; null if unknown. */
  skew: number | null
  record: RotationRecord
  report: RotationReport
}

/**
 * The main step: reads the places and retires old keys; if the key in hand is due, creates a new one, confirms that it
 * works, and writes it to every place, last to where the key in hand came from. Throws an Error for the person reading
 * the log.
 */
export async function rotateKey(inputs: RotateInputs, deps: RotateDeps): Promise<void> {
  const report = openReport()
  let run: Run | null = null
  let targets: Target[] = []
  let behind: Behind = 'none'
  let spared: Spared = { kept: [], left: [] }
  let failure: Error | null = null
  try {
    run = await openRun(inputs, deps, report)
    targets = await inspectPlaces(run)
    refuseEphemeralKey(targets, run)
    report.dueAt = nextRotation(targets, run)
    const isEmergency = inputs.revokePrevious === 'now'
    if (report.dueAt <= apiTime(run)) report.dueAt = 0
    const isDue = isEmergency || report.dueAt === 0
    behind = noteOlderKeys(targets, run, isDue)
    // Until it succeeds.
    if (behind === 'write') report.dueAt = 0
    // An emergency revokes them anyway, with a list that it reads then.
    if (behind === 'none' && !isEmergency) spared = await retireOldKeys(targets, run)
    if (isDue || behind === 'write') await rotate(run, targets)
    else report.state = 'Not due'
    deps.runner.info(outcomeLine(report))
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error))
    failure.message = plainLine(failure.message)
    report.notes.push(failure.message)
  }
  if (run !== null && report.current !== null) {
    noteInitialKey(targets, { behind, ...spared }, run)
    warnOfExpiry(targets, run)
  }
  writeRotationSummary(report, deps.runner)
  finish(report, failure, deps)
}

/** Sets the outputs, and throws what made the run fail. Outputs that cannot be set must not hide that. */
function finish(report: RotationReport, failure: Error | null, { runner }: RotateDeps): void {
  try {
    setOutputs(report, runner)
  } catch (error) {
    if (failure === null) throw error
    runner.warning(error instanceof Error ? error.message : String(error))
  }
  if (failure !== null) throw failure
}

/** The API's clock, or this machine's if the API's is unknown. */
function apiTime({ deps, skew }: Run): number {
  return deps.clock.now() + (skew ?? 0)
}

/**
 * What has passed by then has passed by every clock that may be right: a gateway may send a wrong Date, and a machine
 * that slept misjudges it. If the API's clock is unknown, nothing has.
 */
function surelyPast({ deps, skew }: Run): number {
  return skew === null ? Number.NEGATIVE_INFINITY : deps.clock.now() + Math.min(0, skew)
}

/**
 * Whether places may hold an older key than the one in hand, and which run writes them: this one, or a later one, which is
 * two days after the newest key (`wait`), or when that is due (`stuck`).
 */
type Behind = 'none' | 'write' | 'wait' | 'stuck'

/**
 * Warns of the places that hold an older key than the one in hand, or may because no rotation wrote them together with
 * home. They are written before any old key is revoked: by this run, or by a later one, if it seems so only because
 * something wrote one of them soon after a rotation, or puts an old key back.
 */
function noteOlderKeys(targets: readonly Target[], run: Run, isDue: boolean): Behind {
  const { inputs, current, tag, deps, report } = run
  // A person may take longer to save a key in every place.
  const writtenAt = isOwn(current, tag) ? homeUpdatedAt(targets) : null
  const isAnyOlder = targets.some(({ updatedAt }) => holdsOlderKey(updatedAt, current))
  const when = isDue || isAnyOlder ? 'write' : whenApart(targets, run)
  let isBehind = false
  for (const { place, updatedAt } of targets) {
    const isOlder = holdsOlderKey(updatedAt, current)
    const apart = writtenApart(updatedAt, writtenAt)
    if (!isOlder && apart === null) continue
    const why = isOlder ? BEFORE_CREATION : `${apartFrom(apart, placeLabel(inputs.home))}${UNTIL[when]}. ${BY_OTHERS}`
    const note = `The secret in ${placeLabel(place)} was last updated ${why}.`
    deps.runner.warning(note)
    report.notes.push(note)
    isBehind = true
  }
  return isBehind ? when : 'none'
}

const BEFORE_CREATION =
  'before the key in use was created, so that key has to be replaced. If more runs say so, another workflow rotates the ' +
  'same secret, or the clocks of the API and of GitHub differ'

/** Which run writes places that no rotation wrote together. A new key would not end what puts an old one back. */
function whenApart(targets: readonly Target[], run: Run): 'write' | 'wait' | 'stuck' {
  const newest = newestNotReceived(targets, run)
  if (newest && targets.some(({ updatedAt }) => wasWrittenByOthers(updatedAt, newest))) return 'stuck'
  return rotatedLately({ ...run, now: apiTime(run) }) ? 'wait' : 'write'
}

function apartFrom(apart: 'before' | 'after' | null, home: string): string {
  return `${apart === 'before' ? 'more than ten minutes before' : 'more than a minute after'} that in ${home}`
}

const UNTIL = {
  write: ', so the key in use has to be replaced',
  wait: '. The newest key is less than two days old, so it is not replaced again, and no old key was revoked',
  stuck: ', so no old key was revoked',
}

const BY_OTHERS = 'If more runs say so, a person, a tool or another workflow writes only one of them'

/** When the key is due. Where the server does not say when the secret was written, no key counts as one that it got. */
function nextRotation(targets: readonly Target[], run: Run): number {
  const { limits } = run.inputs
  const newest = homeUpdatedAt(targets) === null ? null : newestNotReceived(targets, run)
  return newest === null ? dueAt(run.current, limits) : dueWhileStuck(run.current, newest, limits)
}

function homeUpdatedAt(targets: readonly Target[]): number | null {
  return targets.at(-1)?.updatedAt ?? null
}

function newestNotReceived(targets: readonly Target[], run: Run): ListedKey | null {
  return keyNotReceived({ ...run, now: apiTime(run), homeUpdatedAt: homeUpdatedAt(targets) })
}

/** Warns if a person has to act because rotation does not work. */
function warnOfExpiry(targets: readonly Target[], run: Run): void {
  const { current, report, deps } = run
  const now = apiTime(run)
  const failed = report.state === 'Failed'
  const stuck = newestNotReceived(targets, run) !== null
  const warning = expiryWarning(current, { current, failed, stuck, rotated: report.created !== null, now })
  if (warning === null) return
  deps.runner.warning(warning)
  report.notes.push(warning)
}

function outcomeLine({ state, current, created, dueAt }: RotationReport): string {
  const due = dueAt === null || dueAt === 0 ? '' : ` The next rotation is due at ${formatUtc(dueAt)}.`
  if (created) return `Rotated: the secret now holds the key ${keyLabel(created)}.${due}`
  return `${state}: api-key is the key ${current ? keyLabel(current) : ''}.${due}`
}

function phaseBudget({ timeout }: RotateInputs, { clock, cancellation }: RotateDeps): Budget {
  return createBudget({ deadline: clock.now() + timeout, clock, cancellation })
}

async function openRun(inputs: RotateInputs, deps: RotateDeps, report: RotationReport): Promise<Run> {
  const { apiKey, apiUrl, home, secret, githubApiUrl } = inputs
  const budget = phaseBudget(inputs, deps)
  const repository = { ...deps.repository, id: await repositoryId(inputs, deps, budget) }
  const scope = home.kind === 'organization' ? `org:${home.name}` : `repo:${repository.id}`
  const environment = home.kind === 'environment' ? home.name : ''
  const server = githubServer(githubApiUrl)
  const tag = rotationTag({ apiUrl, server, scope, environment, secret }, deps.sha256)

  const reply = await listKeys(apiKey, deps, budget)
  if (!reply.ok) throw new Error(whyNotListed(reply.failure, REJECTED))
  if (reply.skew === null) requireEqualDays(deps)
  const current = findCurrentKey(reply.value, apiKey)
  if (typeof current === 'string')
    throw new Error(`Could not find api-key in the account's list of keys: ${current}. Nothing was changed.`)
  report.current = current
  const leaked = inputs.revokePrevious === 'now' ? plainLine(fullLabel(current)) : ''
  const record = openRecord(deps.runner, { ...deps.connection, apiUrl, apiKey, leaked })
  const { keys, doubt } = reply.value
  return { inputs, deps, repository, tag, keys, doubt, current, skew: reply.skew, record, report }
}

/** Throws an Error if the API sent a `Date` that is more than a day off, and so counts as unknown. */
function requireEqualDays({ clock, dateDifference }: RotateDeps): void {
  const difference = dateDifference()
  if (difference === null || Math.abs(difference) <= DAY_MS) return
  const now = clock.now()
  throw new Error(
    `The clocks of this machine (${formatUtc(now)}) and of the API (${formatUtc(now + difference)}) are more than a day ` +
      'apart, so ages cannot be calculated. Nothing was changed. Check the clock of the runner.',
  )
}

const REJECTED =
  'The key is wrong, revoked or expired, so rotation cannot continue. Create a key in the dashboard and save it in the secret.'

/** As api-key, each run would receive another one, and add a key that nothing retires. */
function refuseEphemeralKey(targets: readonly Target[], { current, inputs, report }: Run): void {
  if (!isEphemeral(current) || !holdsOlderKey(homeUpdatedAt(targets), current)) return
  // Nothing about this key concerns the secret.
  report.current = null
  throw new Error(
    `api-key is the short-lived key ${keyLabel(current)}, made after the secret in ${placeLabel(inputs.home)} was last ` +
      'updated, so it is not the key in that secret. Pass the secret itself as api-key. Nothing was changed.',
  )
}

async function repositoryId(
  { home }: RotateInputs,
  { repository: { owner, repo, id }, secrets, random }: RotateDeps,
  budget: Budget,
): Promise<string> {
  if (id !== null) return id
  if (home.kind === 'organization') return ''
  const reply = await retry((limits) => secrets.repositoryId(`${owner}/${repo}`, limits), { budget, random })
  if (reply.ok) return reply.value
  throw new Error(`Could not read the repository's id: ${reply.failure.message}.`)
}

/** Old keys that may still be valid: `kept` only because some place may hold one, `left` because a revocation failed. */
interface Spared {
  kept: readonly ListedKey[]
  left: readonly ListedKey[]
}

/** Revokes the old keys that no run can still need. A failure is only reported: rotation must not depend on it. */
async function retireOldKeys(targets: readonly Target[], run: Run): Promise<Spared> {
  const { inputs, deps, keys, doubt, current, tag, skew, report } = run
  const { initialKeyId } = inputs
  const overlap = inputs.limits.overlap
  if (doubt !== null || skew === null) {
    const reason = doubt === null ? UNKNOWN_TIME : `The account's list may be incomplete (${doubt})`
    report.notes.push(plainLine(`${reason}, so no old key was revoked.`))
    return { kept: [], left: [] }
  }
  const updates = updatesOf(targets)
  const facts = { keys, current, tag, overlap, now: surelyPast(run), initialKeyId, updates }
  const kept = keysInDoubt(facts)
  noteDoubtfulPlaces(targets, kept, run)
  const request = { keys: keysToRetire(facts), credential: inputs.apiKey }
  const { revoked, left } = await revokeListed(request, deps, phaseBudget(inputs, deps))
  reportRevoked(revoked, run)
  for (const { key, reason } of left) {
    const failure = plainLine(`Could not confirm that the old key ${keyLabel(key)} was revoked: ${reason}.`)
    deps.runner.warning(`${failure} A later run tries again.`)
    report.notes.push(failure)
  }
  return { kept, left: left.map(({ key }) => key) }
}

/** Says which places may hold an older key than the one in hand, so that the keys `kept` are not revoked. */
function noteDoubtfulPlaces(targets: readonly Target[], kept: readonly ListedKey[], run: Run): void {
  const { current, report, deps } = run
  if (kept.length === 0) return
  const updates = updatesOf(targets)
  for (const [index, { place, updatedAt }] of targets.entries())
    if (mayHoldOlderKey(index, { updates, current }))
      report.notes.push(doubtNote({ label: placeLabel(place), updatedAt }, kept))
  for (const warning of foreverWarnings(kept).map(plainLine)) {
    deps.runner.warning(warning)
    report.notes.push(warning)
  }
}

function updatesOf(targets: readonly Target[]): (number | null)[] {
  return targets.map(({ updatedAt }) => updatedAt)
}

/** Says what is left to do about `initial-key-id`. An emergency that does not revoke that key says so itself. */
function noteInitialKey(
  targets: readonly Target[],
  { behind, ...spared }: Spared & { behind: Behind },
  run: Run,
): void {
  const { inputs, report, doubt, skew, current } = run
  const { initialKeyId, revokePrevious } = inputs
  const isRevoked = report.retired.some(({ id }) => id === initialKeyId)
  const isUnknown = targets.length === 0 || doubt !== null || skew === null || revokePrevious === 'now'
  if (isUnknown && !isRevoked) return
  const isInDoubt = behind !== 'none' || isAnyPlaceInDoubt({ updates: updatesOf(targets), current })
  const note = initialKeyNote({ ...run, ...report, ...spared, current, initialKeyId, isInDoubt, now: surelyPast(run) })
  if (note !== null) report.notes.push(note)
}

function reportRevoked(revoked: readonly ListedKey[], { deps: { runner }, report }: Run): void {
  report.retired.push(...revoked)
  for (const key of revoked) runner.info(`Revoked the old key ${keyLabel(key)} (no longer listed).`)
}

async function inspectPlaces({ inputs, deps, repository }: Run): Promise<Target[]> {
  const { home, copies, secret } = inputs
  const budget = phaseBudget(inputs, deps)
  const targets: Target[] = []
  for (const place of writeOrder(home, copies))
    targets.push(await inspectPlace({ place, secret, repository }, deps, budget))
  return targets
}

async function rotate(run: Run, targets: Target[]): Promise<void> {
  const { inputs, deps, tag, skew, keys, current, record, report } = run
  const { apiKey, timeout, limits, initialKeyId } = inputs
  const request = { apiKey, timeout, lifetime: limits.expiresIn, tag, skew, known: keys }
  const fresh = await createKey(request, record, deps).catch((error: Error) => {
    error.message += unusedKeysNote({ keys, current, tag, updates: targets.map(({ updatedAt }) => updatedAt) })
    throw error
  })
  const replacement = await useOrDiscard(fresh, targets, run)
  const { row } = replacement
  report.created = row
  report.state = 'Rotated'
  report.dueAt = dueAt(row, limits)
  saveIfPossible(inputs.revokePrevious === 'now' && replacement.confirmed ? record.revoking : record.settled)
  if (!isOwn(row, tag)) report.notes.push(UNRECOGNIZABLE)
  else if (inputs.revokePrevious !== 'now') {
    const facts = { current, tag, limits, initialKeyId, createdAt: row.createdAt ?? 0 }
    report.notes.push(plainLine(previousKeyNote({ ...facts, hasCopies: targets.length > 1 })))
  }
  if (inputs.revokePrevious === 'now') await revokePrevious(run, fresh, replacement)
}

const UNKNOWN_TIME = "The API's time is unknown (no Date header)"

const UNRECOGNIZABLE =
  'The API changed the expiry of the new key, so later runs cannot recognize it: they revoke no old keys, which stay valid until they expire.'

/** The new key's row in the list, and whether GitHub shows that every secret changed. */
interface Replacement {
  row: ListedKey
  confirmed: boolean
}

/**
 * Confirms that the key works and writes it. A key that was certainly not written is revoked; in doubt, it stays valid.
 */
async function useOrDiscard(fresh: FreshKey, targets: Target[], run: Run): Promise<Replacement> {
  const { inputs, deps, record } = run
  const { key, writeUntil } = fresh
  const { clock, cancellation } = deps
  let row: ListedKey
  let result: WriteResult | null = null
  try {
    record.created(key)
    const proveUntil = Math.min(clock.now() + inputs.timeout, writeUntil)
    row = await proveKey(key, deps, createBudget({ deadline: proveUntil, clock, cancellation }))
    if (cancellation.requestedAt !== null) throw new Error('The job was cancelled before the new key was written.')
    record.writing()
    result = { kind: 'unclear', reason: 'writing the secret was interrupted' }
    result = await writePlaces(fresh, targets, deps)
  } catch (error) {
    if (result === null) await discard(key, run)
    throw error
  }
  if (result.kind === 'written') {
    run.report.notes.push(...result.notes)
    return { row, confirmed: result.confirmed }
  }
  if (result.kind === 'refused') await discard(key, run)
  const isEmergency = inputs.revokePrevious === 'now' && result.kind === 'unclear'
  const advice = isEmergency ? ` ${notRevokedLine({ ...run, initialKeyId: inputs.initialKeyId })}` : ''
  throw new Error(writeFailure(result, key) + advice)
}

function writeFailure({ kind, reason }: { kind: string; reason: string }, key: FreshKey['key']): string {
  if (kind === 'refused') return `The new key was not written, so this run did not change the secret: ${reason}.`
  return (
    `Could not confirm that the new key ${keyLabel(key)} was written to every place: ${reason}. ` +
    'It and the old key both stay valid; the next run rotates again if necessary.'
  )
}

/** Revokes a key that no place holds. If that fails, the post step tries again. */
async function discard(key: FreshKey['key'], { inputs, deps, record }: Run): Promise<void> {
  saveIfPossible(() => record.created(key))
  if (await discardKey(key, inputs.apiKey, deps)) saveIfPossible(record.settled)
}

/** The emergency: revokes the old keys right after the confirmed write, although running jobs use them. */
async function revokePrevious(run: Run, { key }: FreshKey, { row, confirmed }: Replacement): Promise<void> {
  const { inputs, deps, current, tag, record, report } = run
  report.state = 'Rotated; old keys may be valid'
  if (!confirmed)
    throw new Error(
      `GitHub acknowledged the new key ${keyLabel(key)}, but does not say when the secret was updated. So no old key was ` +
        `revoked. Check that a new run works, then revoke the old key ${fullLabel(current)} in the dashboard.`,
    )
  const { initialKeyId } = inputs
  const facts = { ...run, created: key, initialKeyId, now: surelyPast(run), isTagged: isOwn(row, tag) }
  const { revoked, problem } = await revokeAtOnce(facts, deps, phaseBudget(inputs, deps))
  reportRevoked(revoked, run)
  saveIfPossible(record.settled)
  if (problem !== null) throw new Error(problem)
  report.state = 'Rotated, and the old keys revoked'
  report.notes.push(REVOKED_SCOPE)
}

const REVOKED_SCOPE =
  'Only the key in hand and the older keys of this rotation were revoked. If another key leaked, revoke it in the dashboard.'
