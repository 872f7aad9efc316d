// Is the API what this action assumes? Creates a few short-lived keys, and revokes all of them.
//   SPHERESCOUT_API_KEY=... npm run conformance -- --api-url https://www.spherescout.io
//   --yes does not ask first.
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { confirm } from './confirm.ts'
import { checkConformance, PLAN } from './run.ts'
import { markdownTable } from './table.ts'

const stop = new AbortController()
let signals = 0
// SIGHUP: the terminal was closed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    signals += 1
    if (signals === 1) stop.abort()
    else console.log('Still revoking the keys that were made. They expire within 10 minutes in any case.')
  })
// No one reads the output any more, but the keys are still there.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}

/** Asks, runs, and answers with the exit code. */
async function main(): Promise<number> {
  const values = readArguments()
  const apiKey = (process.env.SPHERESCOUT_API_KEY ?? '').trim()
  if (!/^[\x21-\x7e]{8,}$/.test(apiKey))
    throw new Error('SPHERESCOUT_API_KEY is not set to an API key in the environment.')
  const apiUrl = checkedUrl(values['api-url'])
  console.log(`${PLAN}\nThe API is at ${apiUrl}.`)
  const { stdin: input, stdout: output } = process
  if (!values.yes && !(await confirm('Go ahead?', { input, output, stop: stop.signal }))) {
    console.log('Nothing was done.')
    return 1
  }
  const { exitCode, results } = await checkConformance({
    apiUrl,
    apiKey,
    fetch: globalThis.fetch,
    now: Date.now,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
    stop: stop.signal,
    print: console.log,
  })
  const { GITHUB_STEP_SUMMARY } = process.env
  if (GITHUB_STEP_SUMMARY && results.length > 0)
    appendFileSync(GITHUB_STEP_SUMMARY, `### API conformance\n\n${markdownTable(results)}\n`)
  return stop.signal.aborted ? 130 : exitCode
}

/** Throws an Error that says how the command is used. */
function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        'api-url': { type: 'string', default: 'https://www.spherescout.io' },
        yes: { type: 'boolean', default: false },
      },
    })
    return values
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error)
    throw new Error(`${fault}\nUsage: npm run conformance -- [--api-url URL] [--yes]`)
  }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? '')
  if (url === null || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)))
    throw new Error('--api-url must be an https:// URL (http:// is only for loopback hosts).')
  return url.href.replace(/\/+$/, '')
}
