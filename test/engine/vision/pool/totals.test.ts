// Sums of encoders outlive them: a failover that nobody can see afterwards is none that can be looked into.
import { expect, test } from 'bun:test'
import { mockEncoder } from '../../../../src/engine/vision/mock/encoder.ts'
import { Ledger, othersId } from '../../../../src/engine/vision/pool/totals.ts'
import { madeUpPicture } from '../../../helpers/media-items.ts'
import { options, startPool } from './world.ts'

const never = new AbortController().signal

test('one that died and left is counted as such, and goes on from there when it comes back', async () => {
  const { pool, encoders } = await startPool(['', ''], {})
  for (const name of ['a', 'b', 'c', 'd']) await pool.encode(madeUpPicture(name), never)
  const before = pool.figures()
  expect(before[0]!.pictures + before[1]!.pictures).toBe(4)
  encoders[0]!.die()
  await pool.remove('e0')
  expect(pool.figures().map(({ id }) => id)).toEqual(['e1'])
  expect(pool.left()).toMatchObject([['e0', { pictures: before[0]!.pictures, failures: 1, seconds: before[0]!.seconds }]])
  pool.add('e0', mockEncoder(options))
  expect(pool.left()).toEqual([])
  expect(pool.figures()).toMatchObject([
    { id: 'e1', failures: 0 },
    { id: 'e0', failures: 1 },
  ])
})

test('one that is told to leave has not failed', async () => {
  const { pool } = await startPool(['', ''], {})
  await pool.remove('e1')
  expect(pool.left()).toEqual([['e1', { pictures: 0, failures: 0, seconds: 0 }]])
})

test('thousands that come and go take bounded room, and no sum falls', () => {
  const ledger = new Ledger()
  for (let i = 0; i < 5000; i++) {
    const totals = ledger.take(`e${i}`)
    totals.pictures += 2
    totals.failures++
    ledger.leave(`e${i}`, totals)
  }
  const entries = ledger.entries()
  expect(entries.length).toBe(65)
  expect(entries.at(-1)![0]).toBe(othersId)
  expect(entries.reduce((sum, [, { pictures }]) => sum + pictures, 0)).toBe(10_000)
  expect(entries.reduce((sum, [, { failures }]) => sum + failures, 0)).toBe(5000)
})
