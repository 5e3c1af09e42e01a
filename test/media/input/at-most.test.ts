import { expect, test } from 'bun:test'
import { atMost } from '../../../src/media/input/at-most.ts'

test('no more than the limit at once, in order, and a failure gives its place away', async () => {
  const two = atMost(2)
  let now = 0
  let most = 0
  const order: number[] = []
  const work = (i: number) =>
    two(async () => {
      order.push(i)
      most = Math.max(most, ++now)
      await Bun.sleep(2)
      now--
      if (i % 3 === 0) throw new Error(`no ${i}`)
      return i
    })
  const settled = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => work(i)))
  expect(most).toBe(2)
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(settled.filter((one) => one.status === 'rejected').length).toBe(7)
  expect(await two(async () => 'still here')).toBe('still here')
})
