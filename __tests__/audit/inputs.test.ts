import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parse } from 'yaml'
import { FINDING_KINDS } from '../../src/audit/findings.ts'
import { readAuditInputs } from '../../src/audit/inputs.ts'

const ENV: NodeJS.ProcessEnv = { GITHUB_REPOSITORY_ID: '42', GITHUB_API_URL: 'https://api.github.com' }
const read = (inputs: Record<string, string> = {}, env = ENV) =>
  readAuditInputs((name) => ({ 'api-key': 'the-api-key', ...inputs })[name] ?? '', env)
const refusal = (inputs: Record<string, string>): string => {
  try {
    read(inputs)
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  throw new Error(`${JSON.stringify(inputs)} was accepted`)
}
const action = parse(readFileSync(new URL('../../audit/action.yml', import.meta.url), 'utf8'))
const DAY_MS = 86_400_000

test('an input that is empty takes its default, which is the one of audit/action.yml', () => {
  expect(read()).toEqual({
    apiKey: 'the-api-key',
    apiUrl: 'https://www.spherescout.io',
    known: [],
    rotations: [
      {
        apiUrl: 'https://www.spherescout.io',
        server: 'github.com',
        scope: 'repo:42',
        environment: '',
        secret: 'SPHERESCOUT_API_KEY',
      },
    ],
    maxAge: 90 * DAY_MS,
    warnBefore: 14 * DAY_MS,
    failOn: new Set(),
    timeout: 120_000,
  })
  const declared = Object.entries<{ default?: string }>(action.inputs).flatMap(
    ([name, { default: value }]) => (value === undefined ? [] : [[name, value]]),
  )
  expect(declared).toHaveLength(7)
  expect(read(Object.fromEntries(declared))).toEqual(read())
})

test('audit/action.yml declares an output for each finding, and for findings and ok', () => {
  expect(new Set(Object.keys(action.outputs))).toEqual(new Set(['ok', 'findings', ...FINDING_KINDS]))
})

describe('known', () => {
  test('takes an id a line, an optional date and comment, and skips what is empty', () => {
    const known = ['', '# all of them', '48213', '  a-b until 2027-06-30 # reporting', '\t', 'x # y'].join(
      '\r\n',
    )
    expect(read({ known }).known).toEqual([
      { id: '48213', until: null },
      { id: 'a-b', until: Date.parse('2027-07-01T00:00:00Z') },
      { id: 'x', until: null },
    ])
  })

  test.each([
    ['1 2', 'is not an id with an optional until date'],
    ['1 until', 'is not an id with an optional until date'],
    ['1 until 2027-06-30 or so', 'is not an id with an optional until date'],
    ['1 until 30.6.2027', 'has no date of the form YYYY-MM-DD after until'],
    ['1 until 2027-02-30', 'has no date of the form YYYY-MM-DD after until'],
    ['1 until 2027-13-01', 'has no date of the form YYYY-MM-DD after until'],
    ['1 until +012027-06-30', 'has no date of the form YYYY-MM-DD after until'],
    ['1 until -000001-06-30', 'has no date of the form YYYY-MM-DD after until'],
    ['48213#note', 'has punctuation in the id'],
    ['48213,', 'has punctuation in the id'],
    ['48213; until 2027-06-30', 'has punctuation in the id'],
    ["'48213'", 'has punctuation in the id'],
    ['first', 'repeats an id'],
  ])('refuses %j with its line and an example', (line, fault) => {
    const message = refusal({ known: `first\n\n${line}` })
    expect(message).toContain(`Input known, line 3: "${line}" ${fault}. For example: `)
  })

  test('refuses the key itself in place of its id, without showing it', () => {
    const message = refusal({ known: '1\nthe-api-key' })
    expect(message).toMatch(/^Input known, line 2: "\*\*\*" has the key in api-key in place of an id/)
    expect(message).not.toContain('the-api-key')
  })

  const WHOLE = '0123456789abcdef'.repeat(4)
  test.each([
    [`"${WHOLE}"`, 'has punctuation in the id'],
    [`${WHOLE} until 2027-02-30`, 'has no date of the form YYYY-MM-DD after until'],
    [`${WHOLE}, reporting`, 'is not an id with an optional until date'],
    [`reporting ${WHOLE}`, 'is not an id with an optional until date'],
    [`until until until ${WHOLE}`, 'is not an id with an optional until date'],
  ])('refuses %j without showing more of the key than the dashboard does', (line, fault) => {
    const message = refusal({ known: line })
    expect(message).toContain(fault)
    expect(message).toContain(WHOLE.slice(0, 8))
    expect(message).not.toContain(WHOLE.slice(0, 16))
    expect(message).not.toContain(WHOLE.slice(-16))
  })

  test('accepts any list of ids without blanks', () => {
    const id = fc.stringMatching(/^[\w-]{1,128}$/)
    fc.assert(
      fc.property(fc.uniqueArray(id), (ids) => {
        fc.pre(!ids.some((id) => id.includes('the-api-key')))
        expect(read({ known: ids.join('\n') }).known.map((known) => known.id)).toEqual(ids)
      }),
    )
  })
})

describe('rotated-secrets', () => {
  const rotations = (value: string, env = ENV) => read({ 'rotated-secrets': value }, env).rotations

  test('takes a secret a line, with repository or organization, and environment, which ends the line', () => {
    const lines = [
      'A_KEY',
      'B environment=My production',
      'C repository=7 # there',
      'd organization=octo-org',
      'E  repository=8  environment=x',
      'F environment=prod #1',
      'G organization=o environment=# # x',
      '# H environment=x',
      'I # environment=x',
    ]
    expect(
      rotations(lines.join('\n')).map(({ scope, environment, secret }) => [scope, environment, secret]),
    ).toEqual([
      ['repo:42', '', 'A_KEY'],
      ['repo:42', 'My production', 'B'],
      ['repo:7', '', 'C'],
      ['org:octo-org', '', 'd'],
      ['repo:8', 'x', 'E'],
      ['repo:42', 'prod #1', 'F'],
      ['org:o', '# # x', 'G'],
      ['repo:42', '', 'I'],
    ])
  })

  test('leaves out a secret of this repository where its id is not known', () => {
    expect(rotations('A\nB repository=7', { ...ENV, GITHUB_REPOSITORY_ID: '' })).toMatchObject([
      { scope: 'repo:7', secret: 'B' },
    ])
  })

  test('takes the server of this run, or the one in the line, however it is spelled', () => {
    const lines = ['A', 'B organization=o server=GitHub.example:443', 'C repository=7 server=x.example:8443']
    const servers = (url?: string) =>
      rotations(lines.join('\n'), { ...ENV, GITHUB_API_URL: url }).map(({ server }) => server)
    expect(servers('https://GHES.example/api/v3/')).toEqual([
      'ghes.example',
      'github.example',
      'x.example:8443',
    ])
    for (const url of [undefined, '', 'none', 'https://api.github.com:443/'])
      expect(servers(url)[0]).toBe('github.com')
    expect(rotations('A organization=o server=github.com environment=x')).toEqual(
      rotations('A organization=o server=api.github.com environment=x'),
    )
  })

  test.each(['A organization=o server=https://x.example', 'A repository=1 server=x:99999'])(
    'refuses %j, as it has no host',
    (line) => {
      expect(refusal({ 'rotated-secrets': line })).toMatch(
        /, line 1: ".*" has no host after server=\. For example: /,
      )
    },
  )

  test.each([
    '1A',
    'A B',
    'A repository=octo/repo',
    'A environment=',
    'A organization=o repository=1',
    'A server=x.example',
  ])('refuses %j with its line', (line) => {
    expect(refusal({ 'rotated-secrets': `OK\n${line}` })).toMatch(
      /^Input rotated-secrets, line 2: ".*" is not a secret .* For example: /,
    )
  })
})

test.each(['max-age', 'warn-before', 'timeout'])(
  '%s shows of a key that was pasted there no more than the dashboard does',
  (name) => {
    for (const value of ['a1b2'.repeat(16), `90 ${'a1b2'.repeat(16)}`]) {
      const message = refusal({ [name]: value })
      expect(message).toContain(`Input ${name} is "`)
      expect(message).toContain('a1b2a1b2a1b2a1b..."')
      expect(message).not.toContain('a1b2'.repeat(4))
    }
  },
)

describe('fail-on', () => {
  test('takes findings separated by commas, blanks or line breaks, in any case', () => {
    expect(read({ 'fail-on': ' too-old,Unexpected\n\nknown-missing, ' }).failOn).toEqual(
      new Set(['too-old', 'unexpected', 'known-missing']),
    )
  })

  test('refuses a key without showing more of it than the dashboard does', () => {
    const message = refusal({ 'fail-on': 'a1b2'.repeat(16) })
    expect(message).toMatch(/^Input fail-on names "a1b2a1b2a1b2a1b\.\.\."; /)
  })

  test.each(['all', 'too old', 'known'])('refuses %j with the names that there are', (value) => {
    expect(refusal({ 'fail-on': value })).toMatch(/; the findings are list-incomplete, .*unexpected/)
  })
})
