import { expect, test } from '@jest/globals'
import type { LocalTime, Printable, Secret, ServerTime } from '../../src/util/brands.ts'

// `npm run types` checks this file: an expected error that does not come is an error.
const local: LocalTime = 1
const secret: Secret = 'a secret'
const print = (text: Printable) => text.length
const ask = (time: ServerTime) => time

test('the compiler refuses a secret where a text is printed, and a local time where a server time is meant', () => {
  // @ts-expect-error A secret is not printable.
  expect(print(secret)).toBe(8)
  // @ts-expect-error These are different clocks.
  expect(ask(local)).toBe(1)
  expect(print('a text') + ask(2)).toBe(8)
})
