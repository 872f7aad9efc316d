import { expect, test } from '@jest/globals'
import { requireCommandFiles } from '../../src/runner/command-files.ts'

test('a runner with all command files is accepted', () => {
  expect(() => requireCommandFiles({ A: 'x', B: 'y' }, ['A', 'B'])).not.toThrow()
})

test('a runner without some command files is refused with their names', () => {
  expect(() => requireCommandFiles({ A: 'x', B: '' }, ['A', 'B', 'C'])).toThrow(/ B and C[, ]/)
})
