import { expect, test } from 'bun:test'
import { markTurn, type TurnEnd } from '../../src/lib/turn.ts'

function counted(fails = false): TurnEnd & { calls: number } {
  return {
    marked: false,
    calls: 0,
    turnEnd() {
      this.calls++
      if (fails) throw new Error('on purpose')
    },
  }
}

test('what is marked often in a turn is called once, after it', async () => {
  const one = counted()
  markTurn(one)
  markTurn(one)
  expect(one.calls).toBe(0)
  await Promise.resolve()
  expect(one.calls).toBe(1)
})

test('one that throws keeps nobody else from being called, now and later', async () => {
  const [bad, good] = [counted(true), counted()]
  for (const one of [bad, good]) markTurn(one)
  await Promise.resolve()
  for (const one of [bad, good]) markTurn(one)
  await Promise.resolve()
  expect([bad.calls, good.calls]).toEqual([2, 2])
})
