import { expect, test } from 'bun:test'
import { givingWay } from '../../../src/media/input/give-way.ts'

const never = new AbortController().signal

/** Work that nobody ends but its signal. */
const endless = (signal: AbortSignal) => new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
const outcome = (work: Promise<unknown>) => work.then(String, ({ code }) => code as string)

test('whoever has taken longest gives way to who waits, and only as many as wait', async () => {
  const turn = givingWay({ most: 3, fairMs: 20 })
  const begun: string[] = []
  const slow = ['a', 'b', 'c', 'd'].map((name) =>
    outcome(
      turn(name, never, (signal) => {
        begun.push(name)
        return endless(signal)
      }),
    ),
  )
  expect(await outcome(turn('quick', never, async () => 'done'))).toBe('done')
  expect(await Promise.all(slow.slice(0, 2))).toEqual(['overloaded', 'overloaded'])
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
  // Two are left, in three places: nobody waits, nobody has to go.
  expect(await outcome(turn('e', never, async () => 'done'))).toBe('done')
  expect(await Promise.race([...slow.slice(2), Bun.sleep(60).then(() => 'still there')])).toBe('still there')
})

test('a place that is left is taken at once, by who waits longest', async () => {
  const turn = givingWay({ most: 1, fairMs: 60_000 })
  const ended: string[] = []
  await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      turn(name, never, async () => {
        await Bun.sleep(1)
        ended.push(name)
      }),
    ),
  )
  expect(ended).toEqual(['a', 'b', 'c'])
})

test('who leaves, waiting or at work, ends with that; its place is the next one’s', async () => {
  const turn = givingWay({ most: 1, fairMs: 60_000 })
  const [first, second] = [new AbortController(), new AbortController()]
  const atWork = turn('a', first.signal, endless)
  const waits = outcome(turn('b', second.signal, async () => 'done'))
  const third = outcome(turn('c', never, async () => 'done'))
  second.abort()
  expect(await waits).toBe('overloaded')
  first.abort(new Error('gone'))
  await expect(atWork).rejects.toThrow('gone')
  expect(await third).toBe('done')
  expect(await outcome(turn('d', first.signal, async () => 'done'))).toBe('overloaded')
})

test('work that fails leaves its place', async () => {
  const turn = givingWay({ most: 1, fairMs: 60_000 })
  await expect(turn('a', never, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await turn('b', never, async () => 'done')).toBe('done')
})
