import type { ApiFailure, KeyApi, KeyList } from '../api/key-api.ts'
import { createBudget, retry } from '../retry/budget.ts'
import { whyNotListed } from '../rotate/list-failure.ts'
import { canHaveRotationTag, rotationTag } from '../rotate/rotation-tag.ts'
import { MIN_CREDENTIAL_LENGTH, maskedForms } from '../runner/masking.ts'
import type { Runner } from '../runner/runner.ts'
import { sanitizeName } from '../runner/sanitize.ts'
import type { Clock } from '../util/system.ts'
import { type AccountKey, classify, type ReadKey, readLists, type TaggedRotation, usableKeys } from './classify.ts'
import { FINDING_KINDS, type Finding, findFindings, LIST_INCOMPLETE } from './findings.ts'
import { type AuditInputs, quoted } from './inputs.ts'
import { BLIND_SPOTS, findingsJson, groupByKind, groupLine, overview, summaryOf } from './report.ts'

/** What the audit needs of the world. `random` is in [0, 1). */
export interface AuditDeps {
  api: Pick<KeyApi, 'list'>
  clock: Clock
  random: () => number
  sha256: (text: string) => Uint8Array
  runner: Pick<Runner, 'info' | 'warning' | 'setSecret' | 'setOutput' | 'writeSummary'> & {
    /** Adds an error to the log and makes the step fail. */
    fail(message: string): void
  }
}

/** Lists, judges and reports the keys; changes nothing. Throws an Error without a list or the time. */
export async function auditAccount(inputs: AuditInputs, deps: AuditDeps): Promise<void> {
  const { runner } = deps
  const { apiKey, known } = inputs
  const { readings, skew } = await listKeys(inputs, deps)
  const read = readLists(readings, apiKey)
  if (read.kind === 'incomplete') {
    const line =
      `list-incomplete: The API's list of keys may not show every key (${read.reason}), so no key was judged. ` +
      'Run the audit again; if it says the same, see docs/audit.md.'
    const summary = `### SphereScout keys: not judged\n\n${line.replace(/[|`<>\\[\]\s]+/g, ' ')}`
    publish({ findings: [LIST_INCOMPLETE], summary }, apiKey, runner)
    runner.fail(line)
    return
  }
  if (skew === null) throw new Error(UNKNOWN_TIME)
  refuseWholeKeys(known, read.keys, runner)
  // SHA-256 takes long to load, and most accounts need it for no key.
  const tagged = read.keys.some(canHaveRotationTag) ? inputs.rotations : []
  const rotations = tagged.map((rotation) => ({ secret: rotation.secret, tag: rotationTag(rotation, deps.sha256) }))
  const limits = { ...inputs, now: deps.clock.now() + skew }
  const keys = classify({ ...read, keys: usableKeys(read, Math.min(limits.now, deps.clock.now())) }, known, rotations)
  const findings = findFindings(keys, known, limits)
  const notes = [...notesOn(read.inUse.length, inputs.rotations.length), ...unseenRotations(inputs, keys, rotations)]
  for (const line of [`Read ${overview(keys)}.`, ...notes]) runner.info(line)
  for (const group of groupByKind(findings)) {
    const say = inputs.failOn.has(group.kind) ? runner.fail : runner.warning
    say(groupLine(group, limits))
  }
  if (findings.length === 0) runner.info('No findings.')
  runner.info(BLIND_SPOTS)
  publish({ findings, summary: summaryOf({ keys, findings, notes, limits }) }, apiKey, runner)
}

/** A clock that is wrong by a month hides a key that expires soon. */
const UNKNOWN_TIME =
  "Could not judge the keys: the API's time is unknown (no Date header, or one that is more than a day off). " +
  'Check the clock of the runner.'

/** Several pages are read twice: a key that disappears moves others past the page that is read next. */
async function listKeys(inputs: AuditInputs, { api, clock, random }: AuditDeps) {
  const budget = createBudget({ deadline: clock.now() + inputs.timeout, clock })
  const shouldRetry = ({ retryable, retryAfter = 0 }: ApiFailure) => retryable && retryAfter < budget.left()
  const read = async () => {
    const list = api.list(inputs.apiKey)
    const attempt = () => list({ timeout: Math.max(1, budget.left()) })
    const reply = await retry<KeyList>(attempt, { budget, random, shouldRetry })
    if (!reply.ok) throw new Error(whyNotListed(reply.failure, REJECTED))
    return reply
  }
  const { value, skew } = await read()
  if (value.pages === 1) return { readings: [value], skew }
  const again = await read()
  return { readings: [value, again.value], skew: again.skew ?? skew }
}

const REJECTED = 'The key may be wrong, revoked or expired; check the secret that api-key is set from.'

/** A whole key in place of its id, or around it, must not get into the outputs. */
function refuseWholeKeys(known: AuditInputs['known'], keys: readonly ReadKey[], runner: AuditDeps['runner']): void {
  for (const { id } of known) {
    const { prefix = '' } = keys.find((key) => keyIn(id, key.prefix) !== '') ?? {}
    const found = keyIn(id, prefix)
    if (found === '' || keys.some((key) => key.id === id)) continue
    for (const text of [id, found, found.replace(/[^\w.~+/=-].*/, '')])
      for (const form of maskedForms(text)) runner.setSecret(form)
    throw new Error(
      `Input known has a whole key in place of an id: the one that begins ${sanitizeName(prefix)}... Use the id, and ` +
        'replace the key if anyone else can read the workflow or this log.',
    )
  }
}

/** The end of `text` that begins like a key and is longer, or nothing. Ids contain a short prefix by chance. */
function keyIn(text: string, prefix: string): string {
  const at = prefix === '' ? -1 : text.indexOf(prefix)
  const begins = at >= 0 && (prefix.length >= MIN_CREDENTIAL_LENGTH || !/[a-z\d]/i.test(text.charAt(at - 1)))
  return begins && text.length > at + prefix.length ? text.slice(at) : ''
}

function notesOn(keysInUse: number, rotations: number): string[] {
  return [
    keysInUse === 0 && 'As api-key is a JWT, no key of the list is in use here.',
    keysInUse > 1 && `The first characters of api-key fit ${keysInUse} keys, so the key in use is unknown.`,
    rotations === 0 &&
      'Keys made by rotate are not recognized: add repository=ID in input rotated-secrets, as GITHUB_REPOSITORY_ID is not set.',
  ].filter((note) => note !== false)
}

/** The name of each environment whose rotation made no key: it may have taken in a comment. */
function unseenRotations(
  inputs: AuditInputs,
  keys: readonly AccountKey[],
  rotations: readonly TaggedRotation[],
): string[] {
  return inputs.rotations.flatMap(({ secret, environment }, index) => {
    const tag = rotations[index]?.tag ?? null
    if (environment === '' || keys.some(({ rotation }) => rotation?.tag === tag)) return []
    return `No key was made by a rotation of ${secret} in environment ${quoted(environment)}.`
  })
}

interface Published {
  findings: readonly Finding[]
  /** In Markdown. */
  summary: string
}

/**
 * Writes outputs and summary, without the key, even if the API gives it as an id. If nothing was judged, the other
 * counts stay empty: zero would say that there is nothing.
 */
function publish({ findings, summary }: Published, apiKey: string, runner: AuditDeps['runner']): void {
  const clean = (text: string) => text.replaceAll(apiKey, '***')
  const judged = findings[0]?.kind !== 'list-incomplete'
  runner.setOutput('ok', String(findings.length === 0))
  runner.setOutput('findings', clean(findingsJson(findings)))
  for (const kind of FINDING_KINDS) {
    const { length } = findings.filter((finding) => finding.kind === kind)
    runner.setOutput(kind, judged || length > 0 ? String(length) : '')
  }
  runner.writeSummary(clean(summary))
}
