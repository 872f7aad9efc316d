import { expect, test } from '@jest/globals'
import { createSlots } from './slots.ts'

test('no more tasks run at once than there are slots, and a failed one gives its slot back', async () => {
  const slots = createSlots(3)
  let now = 0
  let most = 0
  const work = async (index: number) => {
    now += 1
    most = Math.max(most, now)
    await new Promise(setImmediate)
    now -= 1
    if (index % 2 === 1) throw new Error('failed')
    return index
  }
  const done = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => slots.use(() => work(index))),
  )

  expect(most).toBe(3)
  expect(done.map(({ status }) => status)).toEqual(Array(10).fill(['fulfilled', 'rejected']).flat())
})
