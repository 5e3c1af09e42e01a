import { expect, test } from 'bun:test'
import { atMost } from '../../../src/media/input/at-most.ts'

const never = new AbortController().signal

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
    }, never)
  const settled = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => work(i)))
  expect(most).toBe(2)
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(settled.filter((one) => one.status === 'rejected').length).toBe(7)
  expect(await two(async () => 'still here', never)).toBe('still here')
})

test('who is given up while waiting is never begun; who runs keeps its place until the end, though nobody waits', async () => {
  const one = atMost(1)
  const begun: string[] = []
  const client = new AbortController()
  const { promise: held, resolve: end } = Promise.withResolvers<void>()
  const work = (name: string, signal: AbortSignal, until?: Promise<void>) =>
    one(async () => {
      begun.push(name)
      await until
      return name
    }, signal)
  const runs = work('runs', client.signal, held)
  const waits = work('waits', client.signal)
  const other = work('other', never)
  client.abort(new Error('gone'))
  expect((await Promise.allSettled([runs, waits])).map((one) => one.status)).toEqual(['rejected', 'rejected'])
  await expect(work('late', client.signal)).rejects.toThrow('gone')
  expect(begun).toEqual(['runs'])
  end()
  expect(await other).toBe('other')
  expect(begun).toEqual(['runs', 'other'])
})
