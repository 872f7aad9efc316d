import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { createMasker } from './runner/masker.ts'
import { createLineReader, createStepLog } from './runner/step-log.ts'
import { cancel, createJob, HAS_SIGNALS, type Job, type JobOptions, type StepResult } from './runner.ts'

/** For tests of what a process does about a signal: skipped where there are none. */
const whereSignals = HAS_SIGNALS ? test : test.skip
/** What a system adds to the environment of every process, whatever it is given. */
const ADDED: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: ['__CF_USER_TEXT_ENCODING'],
  win32: [
    'HOMEDRIVE',
    'HOMEPATH',
    'LOGONSERVER',
    'SYSTEMDRIVE',
    'SYSTEMROOT',
    'USERDOMAIN',
    'USERNAME',
    'USERPROFILE',
    'WINDIR',
  ],
}

const action = fileURLToPath(new URL('fixtures/action.yml', import.meta.url))

const jobs: Job[] = []
afterEach(async () => {
  await Promise.all(jobs.splice(0).map((job) => job.cleanUp()))
})

function newJob(options: JobOptions = {}): Job {
  const job = createJob({ action, ...options })
  jobs.push(job)
  return job
}

/** A module that appends to one of its command files. */
function append(variable: string, text: string): string {
  return `require('node:fs').appendFileSync(process.env.${variable}, ${JSON.stringify(text)});`
}

/** `require` for modules that the fixtures run, which have no file of their own to resolve from: Node's own alone. */
const prelude = 'const require = (name) => process.getBuiltinModule(name);'
const code = (...statements: string[]) => [prelude, ...statements].join('\n')
const print = (text: string) => `process.stdout.write(${JSON.stringify(text)});`
const printEnv = 'console.log(JSON.stringify(process.env));'
const envOf = (step: StepResult): Record<string, string> => JSON.parse(step.stdout)
const stayAlive = 'setInterval(() => {}, 1000); console.log("ready");'

const run = (...statements: string[]) => newJob().main({ code: code(...statements) })

/** What the log makes of text that a step prints, without a process. */
function logOf(text: string, { debug = false } = {}) {
  const masker = createMasker()
  const log = createStepLog(masker, debug)
  const lines = createLineReader(log.print)
  lines.push(text)
  lines.end()
  return {
    shown: log.shown(),
    annotations: log.annotations(),
    outputs: log.outputs(),
    state: log.state(),
    failed: log.failed(),
    masks: masker.values(),
  }
}

describe('command files', () => {
  test('exist and are empty when a step starts, also after a step that filled its own', async () => {
    const job = newJob()
    const names = ['GITHUB_STATE', 'GITHUB_OUTPUT', 'GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STEP_SUMMARY']
    const fill = names.map((name) => append(name, 'a=b\n'))
    const sizes = `console.log(JSON.stringify(${JSON.stringify(names)}.map((n) => require('node:fs').statSync(process.env[n]).size)));`
    await job.main({ code: code(...fill) })

    expect(JSON.parse((await job.script(code(sizes))).stdout)).toEqual([0, 0, 0, 0, 0])
  })

  test('hold name=value lines and delimited values; a later value of a name replaces the earlier', async () => {
    const text = 'one=first\n\nmany<<END\nline 1\n\nline=3\nEND\nempty=\nno-lines<<END\nEND\none=second=2'
    const { outputs, outcome } = await run(append('GITHUB_OUTPUT', text))

    expect(outputs).toEqual({ one: 'second=2', many: 'line 1\n\nline=3', empty: '', 'no-lines': '' })
    expect(outcome).toBe('success')
  })

  test('whichever of = and << comes first in a line decides its form', async () => {
    const { outputs } = await run(append('GITHUB_OUTPUT', 'a=b<<c\nd<<e=f\nvalue\ne=f\n'))

    expect(outputs).toEqual({ a: 'b<<c', d: 'value' })
  })

  test.each([
    ['a line that is neither form', 'nonsense', "Invalid format 'nonsense'"],
    ['an empty name', '=value', "Invalid format '=value'"],
    ['an empty delimiter', 'name<<\nvalue\n', "Invalid format 'name<<'"],
    ['a value that was cut short', 'name<<END\nvalu', "Invalid value. Matching delimiter not found 'END'"],
  ])('%s fails the step, and what stood before it counts', async (_, text, complaint) => {
    const { outcome, exitCode, state, shown } = await run(append('GITHUB_STATE', `before=1\n${text}`))

    expect({ outcome, exitCode, state }).toEqual({ outcome: 'failure', exitCode: 0, state: { before: '1' } })
    expect(shown).toBe(`Error: Unable to process file command 'state' successfully.\nError: ${complaint}\n`)
  })

  test('a deleted file counts as empty', async () => {
    const remove = `require('node:fs').rmSync(process.env.GITHUB_OUTPUT)`
    const { outcome, outputs } = await run(append('GITHUB_OUTPUT', 'a=b\n'), remove)

    expect({ outcome, outputs }).toEqual({ outcome: 'success', outputs: {} })
  })

  test('are read after the process was killed, too', async () => {
    const step = newJob().start({ code: code(append('GITHUB_STATE', 'id=7\n'), stayAlive) })
    await step.printed('ready')
    step.signal('SIGKILL')

    expect(await step.done).toMatchObject({
      exitCode: null,
      signal: 'SIGKILL',
      outcome: 'failure',
      state: { id: '7' },
    })
  })

  whereSignals('are read only after the process has ended', async () => {
    const step = newJob().start({
      code: code(
        'process.on("SIGTERM", () => {',
        append('GITHUB_OUTPUT', 'late=yes\n'),
        'process.exit() });',
        stayAlive,
      ),
    })
    await step.printed('ready')
    step.signal('SIGTERM')

    expect((await step.done).outputs).toEqual({ late: 'yes' })
  })

  test('that are broken cannot be written, and fail the step', async () => {
    const job = newJob()
    const attempt = `try { ${append('GITHUB_STATE', 'a=b\n')} } catch (error) { console.log(error.code) }`
    const step = await job.main(
      { code: code(attempt, append('GITHUB_OUTPUT', 'c=d\n')) },
      { brokenFiles: ['state'] },
    )

    expect(step.stdout).toBe('EISDIR\n')
    expect(step).toMatchObject({ outcome: 'failure', state: {}, outputs: { c: 'd' } })
  })
})

describe('GITHUB_ENV and GITHUB_PATH', () => {
  test('reach every later step and post, but not the step itself', async () => {
    const job = newJob()
    const main = await job.main({
      code: code(append('GITHUB_ENV', 'COLOUR=red\n'), printEnv),
      'post-code': printEnv,
    })
    const later = await job.script(code(append('GITHUB_ENV', 'SHAPE=round\n'), printEnv))

    expect(envOf(main)).not.toHaveProperty('COLOUR')
    expect(main.env).toEqual({ COLOUR: 'red' })
    expect(envOf(later)).toMatchObject({ COLOUR: 'red' })
    expect(envOf(later)).not.toHaveProperty('SHAPE')
    expect(envOf(await job.post())).toMatchObject({ COLOUR: 'red', SHAPE: 'round' })
  })

  test.each(['NODE_OPTIONS', 'node_options'])('%s is refused', async (name) => {
    const job = newJob()
    const main = await job.main({ code: code(append('GITHUB_ENV', `${name}=--no-warnings\nOTHER=kept\n`)) })

    expect(main.outcome).toBe('failure')
    expect(main.shown).toBe("Error: Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.\n")
    const later = envOf(await job.script(printEnv))
    expect(later).not.toHaveProperty(name)
    expect(later.OTHER).toBe('kept')
  })

  test("cannot take the place of an input or of the runner's own variables", async () => {
    const job = newJob()
    const hostile = 'INPUT_GREETING=forged\nGITHUB_REPOSITORY=forged\nRUNNER_TEMP=forged\n'
    await job.main({ code: code(append('GITHUB_ENV', hostile)), 'post-code': printEnv })
    const post = envOf(await job.post())

    expect(post).toMatchObject({ INPUT_GREETING: 'hello', GITHUB_REPOSITORY: 'octo-org/octo-repo' })
    expect(post.RUNNER_TEMP).not.toBe('forged')
  })

  test('a folder added last is searched first', async () => {
    const job = newJob()
    await job.main({ code: code(append('GITHUB_PATH', '/one\n/two\n')) })
    await job.script(code(append('GITHUB_PATH', '/one\n')))

    expect(envOf(await job.script(printEnv)).PATH).toMatch(/^\/one.\/two.(?!\/one)/)
  })
})

describe('the job summary', () => {
  test('is masked with all masks known at the end of the step', async () => {
    const { summary } = await run(
      append('GITHUB_STEP_SUMMARY', '| key |\n| s3cret |\n'),
      print('::add-mask::s3cret\n'),
    )

    expect(summary).toBe('| key |\n| *** |\n')
  })

  test('of 1 MiB is kept, and a longer one dropped with a complaint', async () => {
    const fill = (size: number) =>
      `require('node:fs').writeFileSync(process.env.GITHUB_STEP_SUMMARY, 'x'.repeat(${size}));`
    const kept = await run(fill(1024 * 1024))
    const dropped = await run(fill(1024 * 1024 + 1))

    expect([kept.summary.length, kept.annotations]).toEqual([1024 * 1024, []])
    expect([dropped.summary, dropped.outcome]).toEqual(['', 'success'])
    expect(dropped.annotations[0]?.message).toContain('up to a size of 1024k')
  })
})

describe('inputs', () => {
  test('are named in capitals, with spaces as underscores and dashes kept', async () => {
    const env = envOf(await newJob().main({ code: printEnv, 'two words': 'a', 'api-key': 'b' }))

    expect(env).toMatchObject({ INPUT_TWO_WORDS: 'a', 'INPUT_API-KEY': 'b' })
  })

  test('have the defaults of action.yml unless given', async () => {
    const unset = envOf(await newJob().main({ code: printEnv }))
    const given = envOf(await newJob().main({ code: printEnv, greeting: '' }))

    expect([unset.INPUT_GREETING, unset.INPUT_TWO_WORDS, given.INPUT_GREETING]).toEqual(['hello', '', ''])
  })

  test("are main's in post, unless evaluated to something else", async () => {
    const job = newJob()
    await job.main({ code: '', 'post-code': printEnv, greeting: 'good day' })

    const evaluatedAgain = envOf(await job.post({ 'post-code': printEnv, 'two words': 'changed' }))

    expect(envOf(await job.post()).INPUT_GREETING).toBe('good day')
    expect(evaluatedAgain).toMatchObject({ INPUT_GREETING: 'hello', INPUT_TWO_WORDS: 'changed' })
  })

  test('are not given to run steps', async () => {
    const job = newJob()
    await job.main({ code: '', greeting: 'good day' })

    expect(envOf(await job.script(printEnv))).not.toHaveProperty('INPUT_GREETING')
  })

  test('other bundles can be run in place of those in action.yml', async () => {
    const post = fileURLToPath(new URL('fixtures/post.mjs', import.meta.url))
    const job = newJob({ bundles: { main: post, post } })

    expect((await job.main({ 'post-code': print('from post.mjs') })).stdout).toBe('from post.mjs')
  })
})

describe('state', () => {
  test('reaches post, and no run step', async () => {
    const job = newJob()
    await job.main({ code: code(append('GITHUB_STATE', 'keyId=7\n')), 'post-code': printEnv })

    expect(envOf(await job.script(printEnv))).not.toHaveProperty('STATE_keyId')
    expect(envOf(await job.post())).toMatchObject({ STATE_keyId: '7' })
  })

  test('wins over a variable of the same name from GITHUB_ENV; one that main never saved reaches post', async () => {
    const job = newJob()
    await job.main({ code: code(append('GITHUB_STATE', 'keyId=7\n')), 'post-code': printEnv })
    await job.script(code(append('GITHUB_ENV', 'STATE_keyId=forged\nSTATE_other=forged\n')))

    expect(envOf(await job.post())).toMatchObject({ STATE_keyId: '7', STATE_other: 'forged' })
  })
})

describe('post', () => {
  test('runs after a main that failed, and after one that was killed, with what they saved', async () => {
    const failed = newJob()
    await failed.main({
      code: code(append('GITHUB_STATE', 'id=1\n'), 'process.exit(3)'),
      'post-code': printEnv,
    })
    const killed = newJob()
    const step = killed.start({
      code: code(append('GITHUB_STATE', 'id=2\n'), stayAlive),
      'post-code': printEnv,
    })
    await step.printed('ready')
    step.signal('SIGKILL')

    expect(envOf(await failed.post()).STATE_id).toBe('1')
    expect(envOf(await killed.post()).STATE_id).toBe('2')
  })

  test('waits for main to end', async () => {
    const job = newJob()
    job.start({
      code: code(`setTimeout(() => { ${append('GITHUB_STATE', 'id=9\n')} }, 200)`),
      'post-code': printEnv,
    })

    expect(envOf(await job.post()).STATE_id).toBe('9')
  })

  test('is not registered before main has started', async () => {
    await expect(newJob().post()).rejects.toThrow('main was never started')
  })

  test('belongs to one use: a job refuses to start main twice', async () => {
    const job = newJob()
    await job.main({ code: '' })

    expect(() => job.start({ code: '' })).toThrow('uses the action once')
  })
})

describe('a mask', () => {
  test('hides what is printed after it, not before', async () => {
    const { shown, stdout } = await run(print('a s3cret\n::add-mask::s3cret\nb s3cret\n'))

    expect(shown).toBe('a s3cret\nb ***\n')
    expect(stdout).toBe('a s3cret\n::add-mask::s3cret\nb s3cret\n')
  })

  test('hides each line of a value of several lines', () => {
    const { shown } = logOf('::add-mask::first%0Asecond%0D%0Athird%0A\na first b\nsecond\nthird\n')

    expect(shown).toBe('a *** b\n***\n***\n')
  })

  test('hides base64 at any of its three alignments, URI, JSON and XML forms, but neither hex nor base64url', () => {
    const secret = '<k"é+y?>>>~~~'
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    const forms = {
      aligned: base64(`abc${secret}`),
      shiftedByOne: base64(`ab${secret}`),
      shiftedByTwo: base64(`a${secret}`),
      uri: encodeURIComponent(secret),
      json: JSON.stringify(secret).slice(1, -1),
      xml: '&lt;k&quot;é+y?&gt;&gt;&gt;~~~',
    }
    const untouched = [Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64url')]
    const lines = [...Object.values(forms), ...untouched]
    const { shown } = logOf(`::add-mask::${secret}\n${lines.join('\n')}\n`)

    const masked = shown.trimEnd().split('\n')
    for (const line of masked.slice(0, 6)) expect(line).toMatch(/^.{0,4}\*\*\*$/)
    expect(masked.slice(6)).toEqual(untouched)
  })

  test('that overlaps or touches another one is shown as one with it', () => {
    const { shown } = logOf(
      '::add-mask::abc\n::add-mask::cde\n::add-mask::fg\n::add-mask::d\n-abcdefg-abc-\n',
    )

    expect(shown).toBe('-***-***-\n')
  })

  test('lasts for the whole job, post included, and covers stderr', async () => {
    const job = newJob()
    await job.main({ code: print('::add-mask::s3cret\n'), 'post-code': 'console.error("s3cret")' })

    expect((await job.script(print('s3cret\n'))).shown).toBe('***\n')
    expect((await job.post()).shown).toBe('***\n')
    expect(job.masks()).toEqual(['s3cret'])
  })

  test('of the job itself holds from the start', async () => {
    const job = newJob({ secrets: ['s3cret'] })

    expect((await job.main({ code: print('s3cret\n') })).shown).toBe('***\n')
  })

  test('of nothing is refused with a warning', () => {
    const { shown } = logOf('::add-mask::  \na b\n')

    expect(shown).toBe("Warning: Can't add secret mask for empty string in ##[add-mask] command.\na b\n")
  })

  test('hides an annotation’s message, not its title', () => {
    const { annotations } = logOf('::add-mask::s3cret\n::error title=s3cret::is s3cret\n')

    expect(annotations).toEqual([{ level: 'error', title: 's3cret', message: 'is ***' }])
  })
})

describe('a command', () => {
  test.each([
    ['::error::it broke', 'Error: it broke\n'],
    ['::warning file=a.js,line=1::look%0Ahere', 'Warning: look\nhere\n'],
    ['::notice::by the way', 'Notice: by the way\n'],
    ['::ERROR::it broke', 'Error: it broke\n'],
    [' \t::error::it broke', 'Error: it broke\n'],
    ['x ::error::it broke', 'x ::error::it broke\n'],
    ['::error::100%25 of %250A', 'Error: 100% of %0A\n'],
    ['::error::%3B%5D stay', 'Error: %3B%5D stay\n'],
    ['::debug::detail', ''],
    ['::group::Details', '▸ Details\n'],
    ['::endgroup::', ''],
    ['::unknown::text', '::unknown::text\n'],
    ['std::vector::size', 'std::vector::size\n'],
    ['##[error]it broke', 'Error: it broke\n'],
    ['Down: ##[error]it broke', 'Error: it broke\n'],
    ['##[ERROR file=a.js;line=1]it broke', 'Error: it broke\n'],
    ['##[error]a%3Bb%5D%0Ac%0D%25', 'Error: a;b]\nc\r%\n'],
    ['##[error]%3A%2C stay', 'Error: %3A%2C stay\n'],
    ['##[group]Details', '▸ Details\n'],
    ['a ##[debug]detail', ''],
    ['##[unknown]text', '##[unknown]text\n'],
    ['##[unknown] ##[error]only the first counts', '##[unknown] ##[error]only the first counts\n'],
    ['##[error it broke', '##[error it broke\n'],
    ['::unknown::##[error]it broke', 'Error: it broke\n'],
    ['::error::Down ##[stop-commands]x', 'Error: Down ##[stop-commands]x\n'],
  ])('in the line %j shows as %j', (line, shown) => {
    expect(logOf(`${line}\n`).shown).toBe(shown)
  })

  test('makes an annotation with level, title and message', () => {
    const text =
      '::error title=A%2C B%3A C,file=x::first\n::warning::second\n##[notice title=D%3B E;x=y]third\n'

    expect(logOf(text).annotations).toEqual([
      { level: 'error', title: 'A, B: C', message: 'first' },
      { level: 'warning', message: 'second' },
      { level: 'notice', title: 'D; E', message: 'third' },
    ])
  })

  test('makes an annotation of at most 4,096 characters, counted once it is masked', () => {
    const { annotations, shown } = logOf(`::add-mask::s3cret\n::warning::s3cret${'x'.repeat(5_000)}\n`)

    expect(annotations).toEqual([{ level: 'warning', message: `***${'x'.repeat(4_093)}` }])
    expect(shown).toBe(`Warning: ***${'x'.repeat(4_093)}\n`)
  })

  test.each(['::add-mask::s3cret', '  ::add-mask::s3cret', '##[add-mask]s3cret', 'text ##[add-mask]s3cret'])(
    '%j masks',
    (line) => {
      expect(logOf(`${line}\ns3cret\n`)).toMatchObject({ shown: '***\n', masks: ['s3cret'] })
    },
  )

  test.each([
    ['::set-output name=a::1%0A2\n::save-state name=b::3\n'],
    ['say ##[set-output name=a]1%0A2\nsay ##[save-state name=b]3\n'],
  ])('in %j sets an output and saves state', (text) => {
    expect(logOf(text)).toMatchObject({ outputs: { a: '1\n2' }, state: { b: '3' }, shown: '', failed: false })
  })

  test('sets what the files of the step leave unset, and state reaches post', async () => {
    const job = newJob()
    const { outputs, state } = await job.main({
      code: code(
        print('##[set-output name=a]command\n##[set-output name=b]command\n##[save-state name=id]7\n'),
        append('GITHUB_OUTPUT', 'b=file\n'),
      ),
      'post-code': printEnv,
    })

    expect({ outputs, state }).toEqual({ outputs: { a: 'command', b: 'file' }, state: { id: '7' } })
    expect(envOf(await job.post()).STATE_id).toBe('7')
  })

  test.each(['::set-env name=A::b', '::add-path::/bin', '##[set-env name=A]b', '::set-output::a'])(
    'that the runner refuses (%j) fails the step',
    async (line) => {
      const { outcome, exitCode, annotations } = await run(print(`${line}\n`))

      expect({ outcome, exitCode }).toEqual({ outcome: 'failure', exitCode: 0 })
      expect(annotations[0]?.message).toBe(`Unable to process command '${line}' successfully.`)
    },
  )

  test('is obeyed on stderr as well', async () => {
    expect((await run('console.error("::error::it broke")')).shown).toBe('Error: it broke\n')
  })

  test.each([
    ['::stop-commands::Token', '::Token::'],
    ['::stop-commands::Token', '##[token]'],
    ['Down ##[stop-commands]Token', '::TOKEN::'],
    ['Down ##[stop-commands]Token', 'up ##[Token]'],
  ])('is shown, not obeyed, between %j and %j', (stop, resume) => {
    const between = '::add-mask::s3cret\n##[error]it broke\n'
    const { shown, annotations, masks } = logOf(`${stop}\n${between}${resume}\n::error::it broke\n`)

    expect(shown).toBe(`${stop}\n${between}${resume}\nError: it broke\n`)
    expect(annotations).toHaveLength(1)
    expect(masks).toEqual([])
  })

  test('is put together again when it comes in pieces, with any line ending', () => {
    const { print, shown } = createStepLog(createMasker())
    const lines = createLineReader(print)
    for (const piece of ['::add-mask::s3c', 'ret\r', '\ns3cret\rs3cr', 'et']) lines.push(piece)
    lines.end()

    expect(shown()).toBe('***\n***\n')
  })
})

describe('debug logging', () => {
  test('shows debug lines, which are hidden without it', () => {
    expect(logOf('::debug::one%0Atwo\n', { debug: true }).shown).toBe('##[debug]one\n##[debug]two\n')
    expect(logOf('::debug::one%0Atwo\n').shown).toBe('')
  })

  test('shows what a step saved, masked only by what was masked before', async () => {
    const save = [append('GITHUB_STATE', 'record=with s3cret\n'), append('GITHUB_OUTPUT', 'key=s3cret\n')]
    const plain = await newJob({ debug: true }).main({ code: code(...save) })
    const masked = await newJob({ debug: true }).main({ code: code(print('::add-mask::s3cret\n'), ...save) })

    expect(plain.shown).toBe(
      '##[debug]Save intra-action state record = with s3cret\n##[debug]Set output key = s3cret\n',
    )
    expect(masked.shown).toBe(
      '##[debug]Save intra-action state record = with ***\n##[debug]Set output key = ***\n',
    )
  })

  test('is what RUNNER_DEBUG tells the step', async () => {
    expect(envOf(await newJob({ debug: true }).main({ code: printEnv })).RUNNER_DEBUG).toBe('1')
    expect(envOf(await newJob().main({ code: printEnv }))).not.toHaveProperty('RUNNER_DEBUG')
  })
})

describe('the environment', () => {
  test('holds nothing of the machine but PATH, HOME and TEMP', async () => {
    process.env.HOST_SECRET = 'leak'
    const env = envOf(await newJob().main({ code: printEnv }))
    delete process.env.HOST_SECRET

    const ofTheMachine = Object.keys(env).filter((name) => !/^(GITHUB|RUNNER|INPUT)_|^CI$/.test(name))
    const given = ofTheMachine.filter((name) => !ADDED[process.platform]?.includes(name.toUpperCase()))
    expect(given.sort()).toEqual(['HOME', 'PATH', 'TEMP'])
    expect(env.HOME).not.toBe(process.env.HOME)
  })

  test('tells who runs what, and the event', async () => {
    const job = newJob({
      event: { number: 5 },
      eventName: 'pull_request',
      actor: 'dependabot[bot]',
      env: { MODE: 'x' },
    })
    const readEvent = `console.error(require('node:fs').readFileSync(process.env.GITHUB_EVENT_PATH, 'utf8'))`
    const main = await job.main({ code: code(printEnv, readEvent) }, { stepEnv: { LEVEL: '2' } })

    expect(JSON.parse(main.stderr)).toEqual({ number: 5 })
    expect(envOf(main)).toMatchObject({
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTOR: 'dependabot[bot]',
      GITHUB_EVENT_NAME: 'pull_request',
      GITHUB_REPOSITORY: 'octo-org/octo-repo',
      GITHUB_RUN_ID: expect.stringMatching(/^\d+$/),
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_JOB: 'build',
      RUNNER_OS: expect.stringMatching(/^(Linux|macOS|Windows)$/),
      MODE: 'x',
      LEVEL: '2',
    })
    expect(envOf(await job.script(printEnv))).not.toHaveProperty('LEVEL')
  })

  test('a run step has the variables it is given', async () => {
    expect(envOf(await newJob().script(printEnv, { KEY: 'k' })).KEY).toBe('k')
  })

  test('node gets the arguments it is given', async () => {
    const { stdout } = await newJob().main(
      { code: 'console.log(process.execArgv.join())' },
      { nodeArgs: ['--no-warnings'] },
    )

    expect(stdout).toBe('--no-warnings\n')
  })
})

describe('ending a step', () => {
  test('a cancelled step gets SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL', async () => {
    jest.useFakeTimers()
    try {
      const signals: [string, number][] = []
      const startedAt = Date.now()
      const { promise: done, resolve } = Promise.withResolvers<StepResult>()
      const cancelled = cancel({ signal: (name) => signals.push([name, Date.now() - startedAt]), done })
      await jest.advanceTimersByTimeAsync(60_000)
      expect(signals).toEqual([
        ['SIGINT', 0],
        ['SIGTERM', 7_500],
        ['SIGKILL', 10_000],
      ])
      resolve({} as StepResult)
      await cancelled
    } finally {
      jest.useRealTimers()
    }
  })

  whereSignals('a cancelled step that obeys is sent nothing more', async () => {
    const step = newJob().start({ code: `process.on('SIGINT', () => process.exit(130)); ${stayAlive}` })
    await step.printed('ready')

    expect(await cancel(step)).toMatchObject({ exitCode: 130, signal: null })
  })

  test('waiting for a text that never comes ends with the step', async () => {
    await expect(
      newJob()
        .start({ code: print('other') })
        .printed('ready'),
    ).rejects.toThrow("without printing 'ready'")
  })

  test('cleaning up ends what still runs and leaves no file', async () => {
    const job = newJob()
    const step = job.start({ code: `console.log(process.env.GITHUB_STATE); ${stayAlive}` })
    await step.printed('ready')
    await job.cleanUp()
    const { signal, stdout } = await step.done

    expect(signal).toBe('SIGKILL')
    expect(existsSync(stdout.split('\n', 1)[0] ?? '')).toBe(false)
  })
})

describe('the log', () => {
  test('lists inputs and variables of each step, and what it printed, in order', async () => {
    const job = newJob({ env: { MODE: 'x' } })
    await job.main({ code: print('in main\n'), 'post-code': print('in post\n'), 'api-key': 's3cret' })
    await job.script('console.log("in between")', { KEY: 'k' }, 'Use the key')
    await job.post()

    expect(job.log()).toBe(`▸ Run spherescout-ephemeral-key
with:
  code: process.stdout.write("in main\\n");
  post-code: process.stdout.write("in post\\n");
  api-key: ***
  greeting: hello
env:
  MODE: x
in main

▸ Use the key
env:
  MODE: x
  KEY: k
in between

▸ Post spherescout-ephemeral-key
Post job cleanup.
in post
`)
  })

  test('hides the value of a secret input in that list only: the action has to mask it itself', async () => {
    const job = newJob()
    await job.main({ code: 'console.log(process.env["INPUT_API-KEY"])', 'api-key': 's3cret' })

    expect(job.log()).toMatch(/api-key: \*{3}\n.*\ns3cret\n$/)
  })

  test('masks the variables it lists', async () => {
    const job = newJob()
    await job.main({ code: code(print('::add-mask::s3cret\n'), append('GITHUB_ENV', 'KEY=s3cret\n')) })
    await job.script('', {}, 'Use the key')

    expect(job.log()).toContain('▸ Use the key\nenv:\n  KEY: ***\n')
  })

  test('says with which code a run step ended', async () => {
    const { shown, exitCode, outcome } = await newJob().script('process.exit(3)')

    expect({ shown, exitCode, outcome }).toEqual({
      shown: 'Error: Process completed with exit code 3.\n',
      exitCode: 3,
      outcome: 'failure',
    })
  })
})
