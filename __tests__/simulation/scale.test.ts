import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { RULE_REMOVALS_AT_SCALE, withoutRule } from './rule-removals.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The rows that `npm run scale` prints for these sizes, table by table, each a list of its cells. */
async function scale(...options: string[]): Promise<string[][][]> {
  const { stdout } = await promisify(execFile)(process.execPath, [`${root}/benchmark/scale.ts`, ...options])
  const tables = stdout.trim().split('\n\n')
  return tables.map((table) =>
    table
      .split('\n')
      .slice(2)
      .map((row) => row.slice(2, -2).split(' | ')),
  )
}

const of = (table: string[][] | undefined, jobs: string, rate: string) =>
  table?.find(([first, second]) => first === jobs && second === rate) ?? []

describe('many simulated jobs at once', () => {
  test('behave as docs/scale.md shows', async () => {
    const page = readFileSync(`${root}/docs/scale.md`, 'utf8')
    const rows = (await scale('--jobs', '16,256')).flat()
    expect(rows).toHaveLength(13)
    for (const cells of rows) expect(page).toContain(`| ${cells.join(' | ')} |`)
  })

  test('all obtain a key within 1.2 times the ideal time, and none is valid after post', async () => {
    const [obtaining, , ending] = await scale('--jobs', '256')
    const [, , , , time, requests] = of(obtaining, '256', '60')
    expect(Number(time)).toBeLessThanOrEqual(1.2)
    expect(Number(requests)).toBeLessThan(2.5)
    const [, , keys, inTurn, together, , cancelled] = of(ending, '256', '60')
    expect({ keys, inTurn, together, cancelled }).toEqual({
      keys: '256',
      inTurn: '0',
      together: '0',
      cancelled: '0',
    })
  })

  test('that are spread beforehand need at most 1.3 requests each', async () => {
    const [, spread] = await scale('--jobs', '256')
    const [, , , , time, requests] = of(spread, '256', '60')
    expect(Number(time)).toBeLessThanOrEqual(1.2)
    expect(Number(requests)).toBeLessThanOrEqual(1.3)
  })

  test(`leave more than 100 valid keys without ${RULE_REMOVALS_AT_SCALE.patience.rule}`, async () => {
    const [, , ending] = await withoutRule(RULE_REMOVALS_AT_SCALE.patience, (folder) =>
      scale('--jobs', '256', '--src', folder),
    )
    const [, , , , together] = of(ending, '256', '60')
    expect(Number(together)).toBeGreaterThan(100)
  })

  test(`send more than 2.75 requests each without ${RULE_REMOVALS_AT_SCALE.spread.rule}`, async () => {
    const [obtaining] = await withoutRule(RULE_REMOVALS_AT_SCALE.spread, (folder) =>
      scale('--jobs', '256', '--src', folder),
    )
    expect(Number(of(obtaining, '256', '60')[5])).toBeGreaterThan(2.75)
  })
})
