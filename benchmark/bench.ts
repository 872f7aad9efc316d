// What the action costs a job: bytes to read and to download, time and memory against those of Node itself.
//   npm run bench -- --rounds 100
//   npm run bench -- --write          also writes the table of docs/performance.md
//   npm run bench -- --against /tmp/dist     also runs another dist in each round, to compare two builds
// Sizes are the same everywhere, and fail the run where they pass their limit. Times are not, and are only printed.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { startEmulator } from '../__tests__/support/emulator.ts'
import { createJob } from '../__tests__/support/runner.ts'
import { readOptions } from '../scripts/options.ts'
import { table, withTables } from '../scripts/tables.ts'
import { MAX_DOWNLOAD_BYTES, type Size, sizes } from './sizes.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))
const values = readOptions({
  rounds: { type: 'string', default: '40' },
  write: { type: 'boolean', default: false },
  against: { type: 'string' },
})
const folder = mkdtempSync(join(tmpdir(), 'bench-'))

/** An emulator in a process of its own, so that it does not compete with what is measured for one thread. */
interface Api {
  url: string
  apiKey: string
  /** The file of its private CA, where it speaks TLS. */
  ca: string | null
  stop(): void
}

async function startApi(tls: boolean): Promise<Api> {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(repository, 'examples/emulator.ts'), ...(tls ? ['--tls'] : [])],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += chunk
    if (text.includes('Ends with')) break
  }
  const [url = '', apiKey = ''] = ['URL', 'API key'].map(
    (name) => new RegExp(`^${name} +(\\S+)$`, 'm').exec(text)?.[1],
  )
  const pem = /-----BEGIN[\s\S]+END CERTIFICATE-----/.exec(text)?.[0]
  const ca = pem ? join(folder, 'ca.pem') : null
  if (ca) writeFileSync(ca, `${pem}\n`)
  return { url, apiKey, ca, stop: () => child.kill() }
}

type Env = Record<string, string>
const FILES = ['GITHUB_STATE', 'GITHUB_OUTPUT', 'GITHUB_ENV', 'GITHUB_STEP_SUMMARY'] as const

/** The environment of a step as the runner makes it, with empty command files. */
function stepEnv(api: Api, more: Env = {}): Env {
  const files = FILES.map((name) => [name, join(folder, name)] as const)
  for (const [, path] of files) writeFileSync(path, '')
  return {
    PATH: process.env.PATH ?? '',
    GITHUB_REPOSITORY: 'owner/repo',
    GITHUB_RUN_ID: '1',
    ...(api.ca ? { NODE_EXTRA_CA_CERTS: api.ca } : {}),
    ...Object.fromEntries(files),
    ...more,
  }
}

/** Runs Node to its end; milliseconds, and the peak of its resident memory in KiB where the hook reports it. */
async function run(args: string[], env: Env): Promise<{ took: number; peak: number }> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk))
  const code = await new Promise((resolve) => child.once('close', resolve))
  const took = performance.now() - startedAt
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}:\n${printed}`)
  return { took, peak: Number(/peak (\d+)/.exec(printed)?.[1]) }
}

interface StepOptions {
  nodeArgs?: string[]
  dist?: string
}
const step = (name: string, dist = 'dist') => resolve(repository, dist, name, 'index.js')

function runMain(api: Api, { nodeArgs = [], dist }: StepOptions = {}) {
  const env = stepEnv(api, { 'INPUT_API-KEY': api.apiKey, 'INPUT_API-URL': api.url })
  return run([...nodeArgs, step('main', dist)], env)
}

function runPost(api: Api, { nodeArgs = [], dist }: StepOptions = {}) {
  const saved = readFileSync(join(folder, 'GITHUB_STATE'), 'utf8')
  const record = saved.split('\n').findLast((line) => line.startsWith('{')) ?? ''
  return run([...nodeArgs, step('post', dist)], stepEnv(api, { STATE_record: record }))
}

function runAudit(api: Api, { dist }: StepOptions = {}) {
  const env = { 'INPUT_API-KEY': api.apiKey, 'INPUT_API-URL': api.url, GITHUB_REPOSITORY_ID: '1' }
  return run([step('audit', dist)], stepEnv(api, env))
}

function runNothing(nodeArgs: string[] = []) {
  return run([...nodeArgs, '-e', '0'], { PATH: process.env.PATH ?? '' })
}

/** One request that creates nothing, with nothing around it. */
function runBareRequest(api: Api) {
  const source = `require('node:${api.ca ? 'https' : 'http'}').request(process.env.URL, (answer) => answer.resume()).end()`
  return run(['-e', source], stepEnv(api, { URL: `${api.url}/api/companies` }))
}

/** One round: everything once, so that whatever slows the machine slows all of it. */
async function measureRound(http: Api, https: Api) {
  const nothing = (await runNothing()).took
  const bareHttp = (await runBareRequest(http)).took
  const main = (await runMain(http)).took
  const post = (await runPost(http)).took
  const audit = (await runAudit(http)).took
  const bareHttps = (await runBareRequest(https)).took
  const mainTls = (await runMain(https)).took
  await runPost(https)
  const other = await measureOther(http, https)
  const hook = join(folder, 'peak.cjs')
  writeFileSync(hook, "process.on('exit', () => console.log('peak', process.resourceUsage().maxRSS))")
  const nothingPeak = (await runNothing(['-r', hook])).peak
  const mainPeak = (await runMain(http, { nodeArgs: ['-r', hook] })).peak
  const postPeak = (await runPost(http, { nodeArgs: ['-r', hook] })).peak
  return {
    nothing,
    bareHttp,
    main,
    post,
    audit,
    bareHttps,
    mainTls,
    nothingPeak,
    mainPeak,
    postPeak,
    ...other,
  }
}

/** The same with the `dist` of `--against`, if there is one. */
async function measureOther(http: Api, https: Api) {
  if (!values.against) return { otherMain: NaN, otherPost: NaN, otherAudit: NaN, otherMainTls: NaN }
  const other = { dist: resolve(values.against) }
  const otherMain = (await runMain(http, other)).took
  const otherPost = (await runPost(http, other)).took
  const otherAudit = (await runAudit(http, other)).took
  const otherMainTls = (await runMain(https, other)).took
  await runPost(https, other)
  return { otherMain, otherPost, otherAudit, otherMainTls }
}
type Round = Awaited<ReturnType<typeof measureRound>>

async function measure(rounds: number): Promise<Round[]> {
  const apis = [await startApi(false), await startApi(true)] as const
  try {
    const measured: Round[] = []
    // The first round pays for cold caches and is not counted.
    for (let round = 0; round <= rounds; round++) {
      const result = await measureRound(...apis)
      if (round > 0) measured.push(result)
    }
    return measured
  } finally {
    for (const api of apis) api.stop()
  }
}

async function countRequests(): Promise<[main: number, post: number]> {
  const { url, account, requests, close } = await startEmulator()
  const job = createJob()
  await job.main({ 'api-key': account.longLivedKey, 'api-url': url })
  const main = requests.length
  await job.post()
  await job.cleanUp()
  await close()
  return [main, requests.length - main]
}

function downloadSize(): number {
  return gzipSync(execFileSync('git', ['archive', 'HEAD'], { cwd: repository, maxBuffer: 2 ** 28 })).length
}

function quantile(sorted: number[], part: number): number {
  return sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN
}

/** The median of `values`, and the range of the middle 80%. */
function spread(values: number[], digits: number): [median: string, range: string] {
  const sorted = values.toSorted((a, b) => a - b)
  const show = (part: number) => quantile(sorted, part).toFixed(digits)
  return [show(0.5), `${show(0.1)} to ${show(0.9)}`]
}

const rounds = await measure(Number(values.rounds))
const [mainRequests, postRequests] = await countRequests()
rmSync(folder, { recursive: true, force: true })

const ratio = (of: keyof Round, to: keyof Round) =>
  spread(
    rounds.map((round) => round[of] / round[to]),
    2,
  )
const time = (of: keyof Round) =>
  spread(
    rounds.map((round) => round[of]),
    1,
  )
const whole = (bytes: number) => bytes.toLocaleString('en')

const gated: Size[] = [
  ...sizes(),
  {
    what: 'bytes that a job downloads (git archive, gzip)',
    bytes: downloadSize(),
    limit: MAX_DOWNLOAD_BYTES,
  },
]
type Row = [what: string, measured: string, limit: string, spread: string]
/** A row of what differs from round to round. */
const timed = (what: string, [median, range]: [string, string], limit: string): Row => [
  what,
  median,
  limit,
  range,
]
const rows: Row[] = [
  ...gated.map(({ what, bytes, limit }): Row => [what, whole(bytes), whole(limit), '']),
  ['requests of main, of post', `${mainRequests}, ${postRequests}`, '1, 2', ''],
  timed('main, to `node -e 0`', ratio('main', 'nothing'), '1.9, aim 1.7'),
  timed('post, to `node -e 0`', ratio('post', 'nothing'), '1.8, aim 1.6'),
  timed('audit, to `node -e 0`', ratio('audit', 'nothing'), '1.9, aim 1.7'),
  timed('main over TLS, to one bare https.request', ratio('mainTls', 'bareHttps'), '1.2'),
  timed('peak memory of main, to `node -e 0`', ratio('mainPeak', 'nothingPeak'), '1.25'),
  timed('peak memory of post, to `node -e 0`', ratio('postPeak', 'nothingPeak'), ''),
  timed('main, to one bare http.request', ratio('main', 'bareHttp'), ''),
  timed('post, to one bare http.request', ratio('post', 'bareHttp'), ''),
  timed('`node -e 0`, ms', time('nothing'), ''),
  timed('one bare http.request, ms', time('bareHttp'), ''),
  timed('main, ms', time('main'), ''),
  timed('post, ms', time('post'), ''),
  timed('audit, ms', time('audit'), ''),
  timed('one bare https.request, ms', time('bareHttps'), ''),
  timed('main over TLS, ms', time('mainTls'), ''),
  ...(values.against
    ? [
        timed(`main, to that of ${values.against}`, ratio('main', 'otherMain'), ''),
        timed(`post, to that of ${values.against}`, ratio('post', 'otherPost'), ''),
        timed(`audit, to that of ${values.against}`, ratio('audit', 'otherAudit'), ''),
        timed(`main over TLS, to that of ${values.against}`, ratio('mainTls', 'otherMainTls'), ''),
      ]
    : []),
]

const today = new Date().toISOString().slice(0, 10)
const about = `${today}, Node ${process.version}, ${cpus().length} CPUs, ${rounds.length} rounds; medians, and the range of the middle 80%.`
const report = [about, '', ...table(['what', 'measured', 'at most', '10% to 90%'], rows)]
console.log(report.join('\n'))
if (values.write) {
  const page = join(repository, 'docs/performance.md')
  writeFileSync(page, withTables(readFileSync(page, 'utf8'), { bench: report }))
}

for (const { what, bytes, limit } of gated) {
  if (bytes <= limit) continue
  console.error(`\nToo large: ${what}: ${whole(bytes)}, at most ${whole(limit)}.`)
  process.exitCode = 1
}
