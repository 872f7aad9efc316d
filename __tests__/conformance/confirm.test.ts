import { PassThrough } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { confirm } from '../../conformance/confirm.ts'

const ENTER = '\r'
const CTRL_C = '\x03'
const CTRL_D = '\x04'

/** A terminal in raw mode, in which a person types; `shown` is what the screen has received. */
function fakeTerminal() {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => input })
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 })
  let shown = ''
  output.setEncoding('utf8').on('data', (text) => {
    shown += text
  })
  const stop = new AbortController()
  return {
    input,
    stop,
    shown: () => shown,
    answer: confirm('Go ahead?', { input, output, stop: stop.signal }),
  }
}

describe('the question before keys are created', () => {
  test.each(['y', 'Y', 'yes', 'YES', ' yes '])('is answered with yes by %j and Enter', async (typed) => {
    const { input, answer, shown } = fakeTerminal()
    input.write(typed + ENTER)
    expect(await answer).toBe(true)
    expect(shown()).toContain('Go ahead? [y/N] ')
  })

  test.each(['', 'n', 'no', 'yy', 'yes please', 'oy', '1', 'true'])(
    'is answered with no by %j and Enter',
    async (typed) => {
      const { input, answer } = fakeTerminal()
      input.write(typed + ENTER)
      expect(await answer).toBe(false)
    },
  )

  test.each([
    ['Ctrl-C', CTRL_C],
    ['Ctrl-C after y', `y${CTRL_C}`],
    ['Ctrl-D', CTRL_D],
  ])('is answered with no by %s', async (_, typed) => {
    const { input, answer } = fakeTerminal()
    input.write(typed)
    expect(await answer).toBe(false)
  })

  test('is answered with no by a signal, before or while it is asked', async () => {
    const { stop, answer, shown } = fakeTerminal()
    stop.abort()
    expect(await answer).toBe(false)
    expect(shown()).toContain('Go ahead?')
    const [input, output] = [Object.assign(new PassThrough(), { isTTY: true }), new PassThrough()]
    expect(await confirm('Go ahead?', { input, output, stop: AbortSignal.abort() })).toBe(false)
    expect(output.read()).toBeNull()
  })

  test('is answered once: y after an empty line comes too late', async () => {
    const { input, answer } = fakeTerminal()
    input.write(`${ENTER}y${ENTER}`)
    expect(await answer).toBe(false)
  })

  test('cannot be asked where the input is no terminal', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()]
    input.write(`y${ENTER}`)
    await expect(confirm('Go ahead?', { input, output, stop: new AbortController().signal })).rejects.toThrow(
      'Run it with --yes',
    )
    expect(output.read()).toBeNull()
  })
})
