import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { ALL_FAULTS } from './faults.ts'
import { HARDSHIPS } from './hardships.ts'
import { ALL_ODDITIES } from './oddities.ts'
import { RULE_REMOVALS, withoutRule } from './rule-removals.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Ten times what the slowest of these takes on a machine with two cores. */
const LIMIT_MS = 15 * 60_000

/** Runs the simulation in a process of its own, as `npm run simulate` does. */
function simulate(...options: string[]): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, 'scripts/simulate.ts'), ...options], (error, stdout, stderr) => {
      resolve({ exitCode: error ? Number(error.code ?? 1) : 0, output: stdout + stderr })
    })
  })
}

describe('the simulation', () => {
  test(
    'finds no violation in 20,000 schedules that contain every kind of fault',
    async () => {
      const { exitCode, output } = await simulate('--schedules', '20000')
      expect(output).toContain('schedules with violations: 0')
      expect(exitCode).toBe(0)
      expect(output).toContain('schedules run: 20000')
      const kinds = ALL_FAULTS.filter((fault) => fault !== 'none')
      const others = [
        'signal',
        'main killed',
        'wrong clock',
        'clock some seconds wrong',
        'twin key of another job',
        'saveState fails',
        'API down',
        'a gate in front of the API',
        'replicas that lag',
        'expiries on a coarser grid',
        'expiries computed anew',
        'digits refused',
        'lifetimes limited by the API',
        'times in another spelling',
        'times that cannot be read',
        'local time without an offset',
        'wrong Date',
        'acts after the grace',
        'list in pages of an unknown kind',
        'list that moves',
        'rows without times',
        'ids beyond 2\\^53',
        'ids under another name',
        'api-key is a JWT',
        'every success is unreadable',
        'a damaged entry in the record',
        'a limit of one credential',
        'post stopped',
      ]
      for (const kind of [...kinds, ...others, ...ALL_ODDITIES, ...HARDSHIPS])
        expect(output).toMatch(new RegExp(`\\d+ {2}${kind}`))
    },
    LIMIT_MS,
  )

  test('holds its promise in other schedules, run by two threads', async () => {
    const { output } = await simulate('--schedules', '400', '--start', '700001', '--workers', '2')
    expect(output).toContain('schedules run: 400')
    expect(output).toContain('schedules with violations: 0')
  })

  test('replays a schedule exactly from its seed', async () => {
    const [once, again] = await Promise.all([simulate('--seed', '277'), simulate('--seed', '277')])
    expect(once.output).toContain('schedules run: 1')
    expect(again).toEqual(once)
  })

  test.each(RULE_REMOVALS)(
    'finds a violation without the rule: $rule',
    async (removal) => {
      const { exitCode, output } = await withoutRule(removal, async (folder) => {
        const { caughtBy = 1 } = removal
        const known = await simulate('--src', folder, '--start', String(caughtBy), '--schedules', '1')
        if (known.exitCode === 1) return known
        return simulate('--src', folder, '--stop-at-first', '--schedules', '20000')
      })
      expect(output).toMatch(/violation, seed \d+: (?!main took|main never)/)
      expect(exitCode).toBe(1)
    },
    LIMIT_MS,
  )
})
