import type { ApiFailure, KeyApi, KeyList } from '../api/key-api.ts'
import { type Clock, createBudget, retry } from '../retry/budget.ts'
import type { Runner } from '../runner/report.ts'
import { rotationTag } from '../util/rotation-tag.ts'
import { classify, type ReadableList, readList } from './classify.ts'
import {
  countByKind,
  FINDING_KINDS,
  type Finding,
  findFindings,
  type Limits,
  listIncomplete,
} from './findings.ts'
import type { AuditInputs } from './inputs.ts'
import {
  BLIND_SPOTS,
  findingsJson,
  groupByKind,
  groupLine,
  incompleteLine,
  incompleteSummary,
  overview,
  summaryOf,
} from './report.ts'

/** What the audit needs of the world. `random` is in [0, 1). */
export interface AuditDeps {
  api: KeyApi
  clock: Clock
  random: () => number
  sha256: (text: string) => Uint8Array
  runner: Pick<Runner, 'info' | 'warning' | 'setOutput' | 'writeSummary'> & {
    /** Adds an error to the log and makes the step fail. */
    fail(message: string): void
  }
}

/** A wrong clock is worth a line from this difference on, in milliseconds. */
const CLOCK_TOLERANCE_MS = 3_600_000

/**
 * Lists the keys of the account once, judges them, and reports. Never revokes anything. A list that may be incomplete
 * is not judged and makes the step fail. Throws an Error where the list cannot be read.
 */
export async function auditAccount(inputs: AuditInputs, deps: AuditDeps): Promise<void> {
  const { value: list, skew } = await listKeys(inputs, deps)
  const read = readList(list, inputs.apiKey)
  if (read.kind === 'incomplete') reportIncomplete(read.reason, inputs, deps)
  else reportComplete(read, list.pages, skew ?? 0, inputs, deps)
}

/** The account's list; failing that, throws an Error that says why and what to do. */
async function listKeys(inputs: AuditInputs, { api, clock, random }: AuditDeps) {
  const budget = createBudget(clock.now() + inputs.timeout, clock)
  const inTime = ({ retryable, retryAfter = 0 }: ApiFailure) => retryable && retryAfter < budget.left()
  // A list of many pages takes longer than one request; the time of each is limited where it is sent.
  const list = () => api.list(inputs.apiKey, { timeout: Math.max(1, budget.left()) })
  const reply = await retry<KeyList>(budget, random, list, inTime)
  if (!reply.ok) throw new Error(listError(reply.failure))
  return reply
}

function listError({ status, message, retryable }: ApiFailure): string {
  if (status === 401)
    return `The API did not accept api-key: it is wrong, revoked or expired (${message}). Check the secret that api-key is given.`
  const advice = retryable ? ' Run the audit again later, or raise input timeout.' : ''
  return `Could not list the keys of the account: ${message}. No key was judged.${advice}`
}

function reportIncomplete(reason: string, inputs: AuditInputs, { runner }: AuditDeps): void {
  setOutputs([listIncomplete()], false, inputs.apiKey, runner)
  writeSummary(incompleteSummary(reason), inputs.apiKey, runner)
  runner.fail(incompleteLine(reason))
}

function reportComplete(
  read: ReadableList & { kind: 'complete' },
  pages: number,
  skew: number,
  inputs: AuditInputs,
  { clock, runner, sha256 }: AuditDeps,
): void {
  const { known, maxAge, warnBefore, failOn, apiKey } = inputs
  const limits: Limits = { now: clock.now() + skew, maxAge, warnBefore }
  const rotations = inputs.rotations.map((rotation) => ({
    secret: rotation.secret,
    tag: rotationTag(rotation, sha256),
  }))
  const keys = classify(read, known, rotations)
  const findings = findFindings(keys, known, limits)
  const notes = notesOn(read, skew, inputs)

  runner.info(`Read ${overview(keys)} (${pages} ${pages === 1 ? 'page' : 'pages'}).`)
  for (const note of notes) runner.info(note)
  setOutputs(findings, true, apiKey, runner)
  writeSummary(summaryOf(keys, findings, notes, limits), apiKey, runner)
  for (const group of groupByKind(findings)) {
    const line = groupLine(group, limits)
    if (failOn.has(group.kind)) runner.fail(line)
    else runner.warning(line)
  }
  if (findings.length === 0) runner.info('No findings.')
  runner.info(BLIND_SPOTS)
}

/** What a reader should know besides the findings. */
function notesOn(read: ReadableList & { kind: 'complete' }, skew: number, inputs: AuditInputs): string[] {
  const notes: string[] = []
  const { length } = read.inUse
  if (length === 0)
    notes.push(
      'No key of the list is in use here, as api-key is a JWT: expires-soon covers rotated keys only.',
    )
  if (length > 1)
    notes.push(
      `The first characters of api-key fit ${length} keys, so the key in use could not be told from the others.`,
    )
  if (inputs.rotations.length === 0)
    notes.push(
      'Keys made by rotate are not recognized, as this runner does not set GITHUB_REPOSITORY_ID: give repository=ID in input rotated-secrets.',
    )
  if (Math.abs(skew) > CLOCK_TOLERANCE_MS)
    notes.push(
      `This runner's clock is ${(Math.abs(skew) / 3_600_000).toFixed(1)} h ${skew > 0 ? 'behind' : 'ahead of'} the API's; ages are by the API's.`,
    )
  return notes
}

/**
 * The outputs. Where nothing was judged, the counts of the other kinds stay empty: zero would say that there is
 * nothing. The key itself can be in none of them, even if the API gives it for an id.
 */
function setOutputs(
  findings: readonly Finding[],
  judged: boolean,
  apiKey: string,
  runner: AuditDeps['runner'],
): void {
  const counts = countByKind(findings)
  runner.setOutput('ok', judged && findings.length === 0)
  runner.setOutput('findings', findingsJson(findings).replaceAll(apiKey, '***'))
  for (const kind of FINDING_KINDS) {
    const isKnown = judged || kind === 'list-incomplete'
    runner.setOutput(kind, isKnown ? counts[kind] : '')
  }
}

/** A summary that cannot be written is no reason to fail: the log says the same. */
function writeSummary(markdown: string, apiKey: string, runner: AuditDeps['runner']): void {
  try {
    runner.writeSummary(markdown.replaceAll(apiKey, '***'))
  } catch {
    runner.info('The job summary could not be written.')
  }
}
