import { describe, expect, test } from '@jest/globals'
import type { AccountKey } from '../../src/audit/classify.ts'
import { FINDING_KINDS, type Finding, findFindings } from '../../src/audit/findings.ts'
import { readAuditInputs } from '../../src/audit/inputs.ts'
import { findingsJson, groupByKind, groupLine, summaryOf } from '../../src/audit/report.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const DAY_MS = 86_400_000
const LIMITS = { now: NOW, maxAge: 90 * DAY_MS, warnBefore: 36 * 3_600_000 }
const entry = (id: string, more: Partial<AccountKey> = {}): AccountKey => ({
  key: { id, prefix: 'abcdef', createdAt: NOW - 100 * DAY_MS, expiresAt: null, unreadable: null },
  class: 'unexpected',
  rotation: null,
  known: null,
  ...more,
})
const finding = (kind: Finding['kind'], id: string, prefix = 'abcdef'): Finding => ({
  kind,
  class: 'unexpected',
  id,
  prefix,
  createdAt: NOW - 100 * DAY_MS,
  expiresAt: null,
  rotation: null,
})

describe('a line of the log', () => {
  test.each(FINDING_KINDS.slice(1))('for %s names the key and ends with what to do', (kind) => {
    const line = groupLine({ kind, findings: [finding(kind, '4711')] }, LIMITS)
    expect(line).toMatch(new RegExp(`^${kind} \\(1 key\\): .*id 4711.*\\. [A-Z].*\\.$`))
    expect(line).toMatch(/^[\x20-\x7e]+$/)
  })

  test('names ten keys and counts the others, below the limit of an annotation', () => {
    const findings = Array.from({ length: 5_000 }, (_, i) =>
      finding('unexpected', `${i}`.repeat(99), 'x'.repeat(20)),
    )
    const line = groupLine({ kind: 'unexpected', findings }, LIMITS)
    expect(line).toContain('unexpected (5000 keys)')
    expect(line).toContain('; and 4990 more.')
    expect(line.length).toBeLessThan(4_000)
  })

  test.each(FINDING_KINDS.slice(1))('for %s about several keys says what to do for each', (kind) => {
    const line = groupLine({ kind, findings: [finding(kind, '1'), finding(kind, '2')] }, LIMITS)
    expect(line).toMatch(new RegExp(`^${kind} \\(2 keys\\): .*\\. For each: [a-z].*\\.$`))
    expect(line.split(': ')[1]).not.toMatch(/\b(its?|expires|someone)\b/)
  })

  test('gives short times in hours', () => {
    expect(groupLine({ kind: 'expires-soon', findings: [finding('expires-soon', '1')] }, LIMITS)).toContain(
      'expiring within 36 hours',
    )
  })

  test('names the secret whose rotation has stopped', () => {
    const stopped = { ...finding('expires-soon', '1'), rotation: { secret: 'MY_KEY', tag: 1 } }
    expect(groupLine({ kind: 'expires-soon', findings: [stopped] }, LIMITS)).toContain(
      ', as the rotation of secret MY_KEY has stopped',
    )
  })
})

describe('text of the API', () => {
  const hostile = 'a|b`c<i>\n::error::d\u202e'

  test('cannot start a line, a cell or a tag', () => {
    const entries = [entry(hostile, { key: { ...entry('x').key, id: hostile, prefix: hostile } })]
    const findings = findFindings(entries, [], LIMITS)
    const lines = groupByKind(findings).map((group) => groupLine(group, LIMITS))
    for (const line of lines) expect(line).not.toMatch(/[\n|`<]|\u202e/)
    const summary = summaryOf({ keys: entries, findings, notes: [], limits: LIMITS }).replace(
      /^```\n.*\n```$/ms,
      '',
    )
    expect(summary.match(/<(?!\/?(details|summary)>)/g)).toBeNull()
    expect(summary.split('\n').filter((line) => line.startsWith('::'))).toEqual([])
    const rows = summary.split('\n').filter((line) => line.startsWith('| **'))
    for (const row of rows) expect(row.split('|')).toHaveLength(8)
  })
})

describe('the summary', () => {
  test('shows keys with findings first, and no short-lived key', () => {
    const entries = [
      entry('known', { class: 'known', known: { id: 'known', until: null } }),
      entry('short', { class: 'short-lived' }),
      entry('lost'),
    ]
    const summary = summaryOf({
      keys: entries,
      findings: findFindings(entries, [], LIMITS),
      notes: ['A note.'],
      limits: LIMITS,
    })
    const rows = summary.split('\n').filter((line) => /^\| .*abcdef/.test(line))
    expect(rows).toEqual([
      '| **unexpected, never-expires, too-old** | `abcdef...` | `lost` | unexpected | 2026-11-21 (100 days ago) | **never** |',
      '|  | `abcdef...` | `known` | known | 2026-11-21 (100 days ago) | **never** |',
    ])
    expect(summary).toContain('3 keys: 1 short-lived, 1 known, 1 unexpected.')
    expect(summary).toContain('A note.')
  })

  test('gives whole ids to paste into known, each once', () => {
    const id = '0123456789abcdef'.repeat(8)
    const entries = [entry(id)]
    const summary = summaryOf({
      keys: entries,
      findings: findFindings(entries, [], LIMITS),
      notes: [],
      limits: LIMITS,
    })
    expect(summary.split('\n').filter((line) => line.startsWith(id))).toEqual([
      `${id} # abcdef..., created 2026-11-21`,
    ])
  })

  const linesOf = (ids: string[]) => {
    const entries = ids.map((id) => entry(id))
    const findings = findFindings(entries, [], LIMITS)
    const summary = summaryOf({ keys: entries, findings, notes: [], limits: LIMITS })
    return (/^```\n(.*)\n```$/ms.exec(summary)?.[1] ?? '').split('\n')
  }
  const idsIn = (lines: string[]) =>
    readAuditInputs(
      (name) => ({ 'api-key': 'a-long-key', known: lines.join('\n') })[name] ?? '',
      {},
    ).known.map(({ id }) => id)

  test('gives lines for at most 100 keys, and says how many more there are', () => {
    const ids = Array.from({ length: 1_001 }, (_, i) => String(i))
    const lines = linesOf(ids)
    expect(lines.at(-1)).toBe('# 901 more: see output findings')
    expect(idsIn(lines)).toEqual(ids.slice(0, 100))
    expect(linesOf(ids.slice(0, 100))).toHaveLength(100)
    expect(linesOf(ids.slice(0, 101)).at(-1)).toBe('# 1 more: see output findings')
  })

  test.each(['x'.repeat(201), 'a|b', 'a<b', 'a#b', 'a\u202eb'])(
    'gives no line that names another id than %j, and says where it is',
    (id) => {
      const lines = linesOf(['17', id, '18'])
      expect(lines).toHaveLength(3)
      expect(lines[1]).toMatch(/^# see output findings: \S+ # abcdef\.\.\., created 2026-11-21$/)
      expect(idsIn(lines)).toEqual(['17', '18'])
    },
  )

  test.each([
    [['lost'], [], '1 to look at'],
    [['lost', 'other'], ['gone'], '2 to look at, 1 missing'],
    [[], ['gone', 'gone-too'], '2 missing'],
    [[], [], 'no findings'],
  ])('with findings about %j counts those that are missing (%j) apart', (lost, gone, headline) => {
    const keys = lost.map((id) => entry(id))
    const known = gone.map((id) => ({ id, until: null }))
    const summary = summaryOf({
      keys,
      findings: findFindings(keys, known, LIMITS),
      notes: [],
      limits: LIMITS,
    })
    expect(summary).toMatch(new RegExp(`^### SphereScout keys: ${headline}\n`))
  })

  test('says how many rows it leaves out', () => {
    const entries = Array.from({ length: 120 }, (_, i) => entry(String(i)))
    const summary = summaryOf({
      keys: entries,
      findings: findFindings(entries, [], LIMITS),
      notes: [],
      limits: LIMITS,
    })
    expect(summary).toContain('20 more keys are not shown here.')
    expect(summary.match(/^\| \*\*unexpected/gm)).toHaveLength(100)
    expect(summary).toContain('### SphereScout keys: 120 to look at')
  })
})

test('the JSON has at most 100,000 bytes, whatever the ids are made of', () => {
  for (const letter of ['0', '\u00e9', '\u9375', '\u{1f511}', '"', '\u0001']) {
    const findings = Array.from({ length: 2_000 }, () => finding('unexpected', letter.repeat(100)))
    const bytes = Buffer.byteLength(findingsJson(findings))
    expect(bytes).toBeLessThanOrEqual(100_000)
    expect(bytes).toBeGreaterThan(98_000)
  }
})

test('the JSON is cut after whole findings', () => {
  const findings = Array.from({ length: 5_000 }, (_, i) =>
    finding('unexpected', String(i).padStart(128, '0')),
  )
  const json = findingsJson(findings)
  expect(json.length).toBeLessThanOrEqual(100_000)
  expect(json.length).toBeGreaterThan(99_000)
  expect(JSON.parse(json)[0]).toEqual({
    class: 'unexpected',
    finding: 'unexpected',
    id: '0'.repeat(128),
    prefix: 'abcdef',
    created: '2026-11-21T12:00:00.000Z',
    expiry: null,
  })
  expect(findingsJson([])).toBe('[]')
})
