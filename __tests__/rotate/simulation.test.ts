import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { withoutRule } from '../simulation/rule-removals.ts'
import { FAULTS } from './history.ts'
import { ROTATION_RULE_REMOVALS } from './rule-removals.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs the simulation in a process of its own, as `npm run simulate:rotation` does. */
function simulate(...options: string[]): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'scripts/simulate-rotation.ts'), ...options],
      (error, stdout, stderr) => {
        resolve({ exitCode: error ? Number(error.code ?? 1) : 0, output: stdout + stderr })
      },
    )
  })
}

/** Ten times what the slowest of these takes on a busy machine. */
const LIMIT_MS = 15 * 60_000

describe('histories of rotations, simulated', () => {
  test('have no violation in 300 histories with every kind of fault', async () => {
    const { exitCode, output } = await simulate('--histories', '300')
    expect(output).toContain('histories with violations: 0')
    expect(exitCode).toBe(0)
    const others = [
      'two runs at once',
      'run with a stale secret',
      'emergency run',
      'a person replaced the secret',
      'saveState fails',
    ]
    for (const kind of [...FAULTS, ...others]) expect(output).toMatch(new RegExp(`\\d+ {2}${kind}`))
  })

  test('have no violation on a server without updated_at', async () => {
    const { exitCode, output } = await simulate('--histories', '100', '--without-updated-at')
    expect(output).toContain('histories with violations: 0')
    expect(exitCode).toBe(0)
  })

  test('are deterministic', async () => {
    const [once, again] = await Promise.all([simulate('--seed', '277'), simulate('--seed', '277')])
    expect(once.output).toContain('histories run: 1')
    expect(again).toEqual(once)
  })

  test.each(ROTATION_RULE_REMOVALS)(
    'have violations without $rule',
    async (removal) => {
      const { exitCode, output } = await withoutRule(removal, (folder) =>
        simulate('--src', folder, '--stop-at-first', '--histories', '2000', ...(removal.options ?? [])),
      )
      expect(output).toMatch(/violation, seed \d+: .*(revoked|not valid|own keys are valid)/)
      expect(exitCode).toBe(1)
    },
    LIMIT_MS,
  )
})
