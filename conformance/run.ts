import type { ListedKey } from '../src/api/key-api.ts'
import { textOf } from '../src/api/parse-response.ts'
import { formatUtc } from '../src/runner/report.ts'
import { sanitizeName } from '../src/runner/sanitize.ts'
import {
  type Answer,
  type Client,
  type ClientOptions,
  createClient,
  field,
  KEYS_PATH,
  Stopped,
  statusOf,
} from './client.ts'
import { clocksOf } from './clocks.ts'
import { type CleanUp, createKeyLedger, type MadeKey, type UnknownRequest } from './keys.ts'
import { type Evidence, noEvidence, observe, type Run } from './observe.ts'
import { oneLine, withoutSecrets } from './printable.ts'
import { failureIn, type ListReading, readKeys } from './read.ts'
import { type Result, resultsOf, textTable } from './table.ts'

export interface RunOptions extends ClientOptions {
  apiKey: string
  print: (text: string) => void
}

/** How a run ended; `exitCode` is 0 if every key that it made is revoked and nothing stopped it. */
export interface RunResult {
  exitCode: number
  /** What was observed of each fact; empty if nothing was. */
  results: Result[]
}

/** What a run does to the account, said before it asks. */
export const PLAN = [
  'This creates about five API keys in the account of SPHERESCOUT_API_KEY, each expiring within',
  '10 minutes, and revokes all of them, in about 30 requests (more if the list has many pages).',
  'No other key is changed. Ctrl-C stops it, and still revokes what it made.',
].join('\n')

/**
 * Checks the API against the facts, prints the table, and revokes every key that it made, also when it is stopped.
 * Throws an Error if the list cannot be read at the start: then nothing was made.
 */
export async function checkConformance(options: RunOptions): Promise<RunResult> {
  const { apiKey, print } = options
  const client = createClient(options)
  print('Asking the API. This takes about a minute.')
  const list = await readKeys(client, apiKey).catch((error: unknown) => {
    if (error instanceof Stopped) return null
    throw error
  })
  if (list === null) return { exitCode: 1, results: [] }
  if (list.form === 'other') throw new Error(whyNotRead(list.first, apiKey))

  const run = begin(list, client, apiKey)
  const { evidence, keys } = run
  const failure: unknown = await observe(run).then(
    () => null,
    (error: unknown) => error,
  )
  const isStopped = failure instanceof Stopped
  if (isStopped) evidence.ended = 'it was stopped'
  print(
    isStopped ? 'Stopped. Revoking the keys that were made.' : 'Revoking the keys that were made, and checking each.',
  )
  const cleanedUp = await keys.cleanUp(cleaner(options))
  const secrets = [apiKey, ...client.answers.flatMap(({ json }) => textOf(field(json, 'token')) ?? [])]
  const results = resultsOf(evidence, secrets)
  print(`\n${textTable(results)}\n`)
  if (evidence.ended !== null) print(`Not everything was observed: ${oneLine(evidence.ended, secrets)}.`)
  for (const line of describe(cleanedUp, run.form.ahead)) print(withoutSecrets(line, secrets))
  if (failure !== null && !isStopped) throw failure
  return { exitCode: exitCodeOf(cleanedUp, evidence.ended), results }
}

function begin(list: ListReading, client: Client, apiKey: string): Run {
  const evidence: Evidence = { ...noEvidence(client.answers), list, readings: [list] }
  const clocks = clocksOf(list.first)
  const times = { beganAt: list.first.receivedAt, clocks }
  const keys = createKeyLedger(apiKey, new Set(list.keys.map(({ id }) => id)), times)
  return { client, apiKey, keys, evidence, clocks, form: { digits: 6, ahead: clocks[0] ?? 0 } }
}

/** Only the API itself knows whether the key is wrong. */
function whyNotRead(answer: Answer, apiKey: string): string {
  const failure = failureIn(answer)
  const reason = answer.error === null ? failure.message : `GET ${KEYS_PATH}: ${statusOf(answer)}`
  const { status } = answer
  const isRefused = (status === 401 || status === 403) && !failure.notFromApi
  const isBusy = status === 429 || status >= 500
  const advice = isRefused
    ? 'Check SPHERESCOUT_API_KEY and --api-url.'
    : isBusy
      ? 'Run it again later.'
      : 'Check --api-url.'
  return `Could not read the list of keys: ${oneLine(reason, [apiKey])}. ${advice} Nothing was created.`
}

/** A client for the clean-up, which nothing stops. */
function cleaner(options: RunOptions): Client {
  return createClient({ ...options, stop: new AbortController().signal })
}

function exitCodeOf({ left, unknown }: CleanUp, ended: string | null): number {
  return left.length + unknown.length > 0 || ended !== null ? 1 : 0
}

/** `ahead`: how far the server's clock is ahead of this machine's, in milliseconds. */
function describe({ verified, left, unknown, doubtful }: CleanUp, ahead: number): string[] {
  if (left.length === 0 && unknown.length === 0)
    return [
      verified.length === 0
        ? 'No key was made.'
        : `All keys that were made (${verified.length}) are revoked (verified).`,
    ]
  const label = ({ id, prefix, expiry }: MadeKey) =>
    `  ${sanitizeName(prefix)}... expires ${expiry}, id ${sanitizeName(id)}`
  return [
    verified.length + left.length === 0
      ? 'No key is known to have been made.'
      : `${verified.length} of the keys that were made are revoked (verified).`,
    ...(left.length > 0
      ? ['Could not confirm that these are revoked; check Dashboard > Plans > API Keys:', ...left.map(label)]
      : []),
    ...(doubtful.length > 0 ? ['Not revoked, because they may be keys of others:', ...doubtful.map(label)] : []),
    ...unknown.flatMap((request) => describeUnknown(request, ahead)),
  ]
}

function describeUnknown({ expiry, sentAt, mayBe }: UnknownRequest, ahead: number): string[] {
  const time = sentAt === null ? '' : ` at ${formatUtc(sentAt + ahead)}`
  const request = `A create request${time} got no usable answer`
  if (mayBe === null) return [`${request}; look for a key that expires at ${expiry}.`]
  const label = ({ id, prefix, createdAt }: ListedKey) =>
    `  ${sanitizeName(prefix)}... ${createdAt === null ? '' : `created ${formatUtc(createdAt)}, `}id ${sanitizeName(id)}`
  return [`${request}; it asked for an expiry in the past, and may have made:`, ...mayBe.map(label)]
}
