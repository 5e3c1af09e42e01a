// A worker's KV events over a wire that loses, delays, doubles and swaps messages: in the end the frontend knows what the worker holds.
import { describe, expect, test } from 'bun:test'
import type { EngineEvent } from '../../../src/engine/types.ts'
import { contentOf } from '../../helpers/block-names.ts'
import { held, removed, settle, stored, world } from './lossy-wire.ts'

test('live events arrive, batched by turn, after an empty dump', async () => {
  const all = world()
  await settle()
  all.kv([stored([1, 2])])
  all.kv([stored([3], 2), removed([3])])
  await settle()
  all.deliver()
  expect(all.view()).toEqual(held(1, 2))
  expect(all.asked).toEqual([0])
  expect(all.events.filter((event) => event.kind === 'kv').map((event) => event.seq)).toEqual([0, 1])
})

test('a late frontend gets what is there, and what came meanwhile is not doubled', async () => {
  const answer = Promise.withResolvers<void>()
  const all = world({ dump: (rank) => answer.promise.then(() => all.dumpNow(rank)) })
  all.kv([stored([1, 2])])
  await settle()
  all.deliver()
  expect(all.events.some((event) => event.kind === 'kv')).toBe(false)
  answer.resolve()
  await settle()
  all.kv([removed([2]), stored([5])])
  await settle()
  all.deliver()
  expect(all.view()).toEqual(held(1, 5))
})

test('a listener who comes later is told everything, and the first one nothing wrong', async () => {
  const all = world()
  all.kv([stored([1, 2])])
  all.tell({ kind: 'load', rank: 0, running: 1, waiting: 0, usedTokens: 2, totalTokens: 3 })
  await settle()
  all.deliver()
  const late: EngineEvent[] = []
  all.remote.subscribe((event) => late.push(event)).close()
  const later = all.remote.subscribe((event) => late.push(event))
  await settle()
  all.kv([stored([3], 2)])
  all.beat()
  await settle()
  all.deliver()
  expect(all.view()).toEqual(held(1, 2, 3))
  expect(contentOf(late.flatMap((event) => (event.kind === 'kv' ? event.changes : [])))).toEqual(held(1, 2, 3))
  expect(late.some((event) => event.kind === 'load')).toBe(true)
  later.close()
})

describe.each([
  ['a lost message', [1, 0, 1]],
  ['two lost in a row', [1, 0, 0, 1]],
  ['every message twice', [2, 2, 2]],
] as const)('%s', (_name, fates) => {
  test('is repaired by the next one', async () => {
    const fate = [...fates] as number[]
    let telling = false
    const all = world({ pass: () => (telling ? (fate.shift() ?? 1) : 1) })
    await settle()
    telling = true
    for (let i = 0; i < fates.length + 1; i++) {
      all.kv([stored([10 + i])])
      await settle()
    }
    all.deliver()
    await settle()
    expect(all.view()).toEqual(held(...Array.from({ length: fates.length + 1 }, (_, i) => 10 + i)))
  })
})

test('the last message is lost: the beat shows it', async () => {
  let lose = false
  const all = world({ pass: () => (lose ? 0 : 1) })
  await settle()
  all.deliver()
  lose = true
  all.kv([stored([1])])
  await settle()
  lose = false
  all.deliver()
  expect(all.view()).toEqual([])
  all.beat()
  await settle()
  all.deliver()
  await settle()
  expect(all.view()).toEqual(held(1))
})

test('a restarted worker: what it held before is forgotten', async () => {
  const all = world()
  await settle()
  all.kv([stored([1, 2, 3])])
  await settle()
  all.deliver()
  all.restart()
  all.kv([stored([9])])
  await settle()
  all.deliver()
  await settle()
  expect(all.view()).toEqual(held(9))
})

test('messages of the old life that arrive late do not bring it back', async () => {
  const all = world()
  all.kv([stored([1])])
  await settle()
  const late = all.wire.splice(0)
  all.restart()
  all.kv([stored([9])])
  await settle()
  all.wire.push(...late)
  all.deliver()
  all.beat()
  await settle()
  all.deliver()
  await settle()
  expect(all.view()).toEqual(held(9))
})

test('a dump that fails is asked for again', async () => {
  let failures = 3
  const all = world({ dump: (rank) => (failures-- > 0 ? Promise.reject(new Error('not now')) : Promise.resolve(all.dumpNow(rank))) })
  all.kv([stored([4])])
  await settle()
  all.deliver()
  while (all.asked.length < 4) await Bun.sleep(1)
  await settle()
  expect(all.view()).toEqual(held(4))
})

test('loads: the newest wins, an unchanged one is not repeated', async () => {
  const all = world()
  await settle()
  const load = { kind: 'load', rank: 0, running: 1, waiting: 2, usedTokens: 3, totalTokens: 4 } as const
  all.tell({ ...load, running: 9 })
  await settle()
  all.tell(load)
  await settle()
  all.tell({ kind: 'state', ready: true, reason: 'that stands in the card' })
  await settle()
  const [first, older, newer] = all.wire.splice(0)
  all.wire.push(first!, newer!, older!, newer!)
  all.deliver()
  expect(all.events.filter((event) => event.kind !== 'kv')).toEqual([load])
})

test('on any wire: once it is quiet, the frontend knows what the worker holds', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    let state = seed
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return (state >>> 8) % below
    }
    let calm = false
    const all = world({
      ranks: 2,
      pass: () => (calm ? 1 : [0, 1, 1, 1, 1, 2][random(6)]!),
      dump: async (rank) => {
        if (!calm && random(4) === 0) throw new Error('the connection broke')
        for (let i = random(6); i > 0; i--) await Promise.resolve()
        const bytes = all.dumpNow(rank)
        for (let i = random(6); i > 0; i--) await Promise.resolve()
        return bytes
      },
    })
    let next = 1
    const cached = [new Set<number>(), new Set<number>()]
    const step = async () => {
      const rank = random(2)
      const names = cached[rank]!
      const act = random(10)
      if (act === 0 && names.size > 0) {
        all.kv([{ kind: 'cleared' }], rank)
        names.clear()
      } else if (act < 3 && names.size > 0) {
        const gone = [...names][random(names.size)]!
        all.kv([removed([gone])], rank)
        names.delete(gone)
      } else if (act === 3 && random(5) === 0) {
        all.restart()
        for (const set of cached) set.clear()
      } else {
        all.kv([stored([next])], rank)
        names.add(next++)
      }
      for (let i = random(4); i > 0; i--) await Promise.resolve()
      if (random(3) === 0) {
        // Neighbours change places now and then.
        const at = random(Math.max(1, all.wire.length - 1))
        if (!calm && random(4) === 0 && all.wire.length > 1) [all.wire[at], all.wire[at + 1]] = [all.wire[at + 1]!, all.wire[at]!]
        all.deliver(random(all.wire.length + 1))
      }
    }
    for (let i = 0; i < 120; i++) await step()
    calm = true
    await settle()
    all.deliver()
    for (let i = 0; i < 6; i++) {
      all.beat()
      await settle()
      all.deliver()
      await Bun.sleep(3)
    }
    for (const rank of [0, 1]) expect({ seed, rank, view: all.view(rank) }).toEqual({ seed, rank, view: held(...cached[rank]!) })
  }
})
