import type { ApiFailure, KeyApi, KeyList } from '../api/key-api.ts'
import { type Clock, createBudget, retry } from '../retry/budget.ts'
import type { Runner } from '../runner/report.ts'
import { rotationTag } from '../util/rotation-tag.ts'
import { classify, type ReadableList, readList } from './classify.ts'
import { FINDING_KINDS, type Finding, findFindings, type Limits, listIncomplete } from './findings.ts'
import type { AuditInputs } from './inputs.ts'
import { BLIND_SPOTS, findingsJson, groupByKind, groupLine, overview, summaryOf } from './report.ts'

/** What the audit needs of the world. `random` is in [0, 1). */
export interface AuditDeps {
  api: Pick<KeyApi, 'list'>
  clock: Clock
  random: () => number
  sha256: (text: string) => Uint8Array
  runner: Pick<Runner, 'info' | 'warning' | 'setOutput' | 'writeSummary'> & {
    /** Adds an error to the log and makes the step fail. */
    fail(message: string): void
  }
}

/**
 * Lists the keys of the account once, judges them, and reports. Never revokes anything. A list that may be incomplete
 * is not judged and fails the step. Throws an Error if the list cannot be read.
 */
export async function auditAccount(inputs: AuditInputs, deps: AuditDeps): Promise<void> {
  const { value: list, skew } = await listKeys(inputs, deps)
  const read = readList(list, inputs.apiKey)
  const report = reporter(inputs.apiKey, deps.runner)
  if (read.kind === 'incomplete') {
    const line =
      `list-incomplete: The API's list of keys may not show every key (${read.reason}), so no key was judged. ` +
      'Run the audit again; if it says the same, run `npm run conformance` and see docs/audit.md.'
    report.outputs([listIncomplete()])
    report.summary(`### SphereScout keys: not judged\n\n${line.replace(/[|`<>\\\s]+/g, ' ')}`)
    deps.runner.fail(line)
    return
  }
  const limits = { ...inputs, now: deps.clock.now() + (skew ?? 0) }
  judge(read, limits, inputs, deps, report)
}

/** The account's list; failing that, throws an Error that says why and what to do. */
async function listKeys(inputs: AuditInputs, { api, clock, random }: AuditDeps) {
  const budget = createBudget(clock.now() + inputs.timeout, clock)
  const inTime = ({ retryable, retryAfter = 0 }: ApiFailure) => retryable && retryAfter < budget.left()
  // A list of many pages takes longer than one request; each request is limited where it is sent.
  const list = () => api.list(inputs.apiKey, { timeout: Math.max(1, budget.left()) })
  const reply = await retry<KeyList>(budget, random, list, inTime)
  if (reply.ok) return reply
  const { status, message, retryable, notFromApi } = reply.failure
  if (status === 401 && !notFromApi)
    throw new Error(
      `The API rejected api-key: ${message}. The key may be wrong, revoked or expired; check the secret that api-key is set from.`,
    )
  const advice = retryable ? ' Run the audit again later, or raise input timeout.' : ''
  throw new Error(`Could not list the keys of the account: ${message}. No key was judged.${advice}`)
}

function judge(
  read: ReadableList & { kind: 'complete' },
  limits: Limits,
  { known, failOn, rotations }: AuditInputs,
  { runner, sha256 }: AuditDeps,
  report: ReturnType<typeof reporter>,
): void {
  const tagged = rotations.map((rotation) => ({
    secret: rotation.secret,
    tag: rotationTag(rotation, sha256),
  }))
  const keys = classify(read, known, tagged)
  const findings = findFindings(keys, known, limits)
  const notes = notesOn(read.inUse.length, rotations.length)

  runner.info(`Read ${overview(keys)}.`)
  for (const note of notes) runner.info(note)
  report.outputs(findings)
  report.summary(summaryOf(keys, findings, notes, limits))
  for (const group of groupByKind(findings)) {
    const say = failOn.has(group.kind) ? runner.fail : runner.warning
    say(groupLine(group, limits))
  }
  if (findings.length === 0) runner.info('No findings.')
  runner.info(BLIND_SPOTS)
}

/** What a reader should know besides the findings. */
function notesOn(keysInUse: number, rotations: number): string[] {
  return [
    keysInUse === 0 && 'As api-key is a JWT, no key of the list is in use here.',
    keysInUse > 1 && `The first characters of api-key fit ${keysInUse} keys, so the key in use is unknown.`,
    rotations === 0 &&
      'Keys made by rotate are not recognized, as GITHUB_REPOSITORY_ID is not set: add repository=ID in input rotated-secrets.',
  ].filter((note) => note !== false)
}

/** Writes outputs and summary, in neither of which the key can be, even if the API gives it as an id. */
function reporter(apiKey: string, runner: AuditDeps['runner']) {
  const clean = (text: string) => text.replaceAll(apiKey, '***')
  return {
    /** Where nothing was judged, the other counts stay empty: zero would say that there is nothing. */
    outputs(findings: readonly Finding[]): void {
      const judged = !findings.some(({ kind }) => kind === 'list-incomplete')
      runner.setOutput('ok', String(findings.length === 0))
      runner.setOutput('findings', clean(findingsJson(findings)))
      for (const kind of FINDING_KINDS) {
        const { length } = findings.filter((finding) => finding.kind === kind)
        runner.setOutput(kind, judged || length > 0 ? String(length) : '')
      }
    },
    /** A summary that cannot be written is no reason to fail: the log says the same. */
    summary(markdown: string): void {
      try {
        runner.writeSummary(clean(markdown))
      } catch (error) {
        runner.info(error instanceof Error ? error.message : String(error))
      }
    },
  }
}
