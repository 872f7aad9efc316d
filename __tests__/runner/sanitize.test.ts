import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { sanitizeLine, sanitizeName } from '../../src/runner/sanitize.ts'
import { commandIn, hostileText } from './obeyed-commands.ts'

describe('sanitizeLine', () => {
  test.each([
    ['Down ##[stop-commands]x', 'Down # #[stop-commands]x'],
    ['###[error]x', '## #[error]x'],
    ['##[##[group]]', '# #[# #[group]]'],
    ['  ::add-mask::x', ': :add-mask::x'],
    [':::error::x', ': ::error::x'],
    ['a ::error::x', 'a ::error::x'],
    ['one\r\ntwo\u2028three\u0085four', 'one two three?four'],
    ['\n::error::x', ': :error::x'],
    ['#\u200b#[error]x', '#?#[error]x'],
    ['\u202eabc\u2066\x1b[31m\0', '?abc??[31m?'],
    ['\u034f\ufe0f\ud800', '???'],
    [
      'Zu viele Schl\u00fcssel: \u4e2d\u6587 100% #1 [x]',
      'Zu viele Schl\u00fcssel: \u4e2d\u6587 100% #1 [x]',
    ],
  ])('prints %j as %j', (text, line) => {
    expect(sanitizeLine(text)).toBe(line)
  })

  test('leaves no command of either syntax and no line break, whatever the text', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const line = sanitizeLine(text)
        expect(commandIn(line)).toBeNull()
        expect(line).not.toMatch(/[\r\n\u0085\u2028\u2029]/)
        expect(sanitizeLine(line)).toBe(line)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('sanitizeName', () => {
  test.each([
    ['sk_live-0123.~+/=:', 'sk_live-0123.~+/=:'],
    ['##[add-mask]o', '???add-mask?o'],
    ['a|b`c<d>e\\f*g', 'a?b?c?d?e?f?g'],
    ['[x](y) @z\n\u00e4', '?x??y???z??'],
    ['x'.repeat(300), 'x'.repeat(200)],
  ])('prints %j as %j', (text, name) => {
    expect(sanitizeName(text)).toBe(name)
  })
})
