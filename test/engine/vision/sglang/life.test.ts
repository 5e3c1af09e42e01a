// Samples of an encoder server's processes, made up: when it was last heard, and when it was last seen at work.
import { expect, test } from 'bun:test'
import type { ProcessSample } from '../../../../src/engine/process-group.ts'
import { nextSigns, noSigns, type Signs } from '../../../../src/engine/vision/sglang/life.ts'

const server = (cpuMs: number, more: Partial<ProcessSample> = {}): ProcessSample => ({
  pid: 7,
  cpuMs,
  stopped: false,
  wanting: [],
  ...more,
})

/** A sample each 250 ms from 0 on. */
function after(samples: readonly (readonly ProcessSample[])[], first: Signs = noSigns(0)): Signs {
  return samples.reduce((signs, sample, i) => nextSigns(signs, sample, i * 250), first)
}

test('who uses CPU works, in whichever of its processes; who idles lives and does not work', () => {
  expect(after([[server(0)], [server(240)], [server(490)]])).toMatchObject({ heardAt: 500, seenAt: 500 })
  // What a server takes that has nothing to do: up to 12 ms of 250, told in steps of ten.
  expect(after([0, 10, 10, 20, 20, 30].map((cpuMs) => [server(cpuMs)]))).toMatchObject({ heardAt: 1250, seenAt: 0 })
  // A rank or a compiler beside a server that waits for it, from its second sample on: what it had before was before.
  const child = (cpuMs: number) => ({ ...server(cpuMs), pid: 8 })
  expect(after([[server(0)], [server(0), child(5000)]])).toMatchObject({ seenAt: 0 })
  expect(after([[server(0)], [server(0), child(5000)], [server(0), child(5200)]])).toMatchObject({ seenAt: 500 })
})

test('a thread that wants to run all the time works, though it gets nothing; others are seen wanting once', () => {
  const starved = server(0, { wanting: [9] })
  expect(after([[starved], [starved]])).toMatchObject({ seenAt: 0 })
  expect(after([[starved], [starved], [starved]])).toMatchObject({ seenAt: 500 })
  const loops = [[9], [10], [9], [], [10], [9, 11], [10]]
  expect(after(loops.map((wanting) => [server(0, { wanting })]))).toMatchObject({ seenAt: 0 })
})

test('one of its processes is stopped: it is not heard, until it goes on', () => {
  const stopped = server(240, { stopped: true })
  const rank = { ...server(0), pid: 8 }
  const busy = [[server(0)], [server(240)]]
  const still = after([...busy, [stopped], [stopped, rank], [server(240), { ...rank, stopped: true }]])
  expect(still).toMatchObject({ heardAt: 250, seenAt: 250 })
  expect(nextSigns(still, [server(240), rank], 1250)).toMatchObject({ heardAt: 1250, seenAt: 250 })
})

test('of one that is gone nothing is heard; samples that come too close say nothing', () => {
  expect(after([[server(0)], []])).toMatchObject({ heardAt: 0 })
  const known = after([[server(0)]])
  expect(nextSigns(known, [server(10)], 20)).toBe(known)
  // Our own loop stood still: what happened meanwhile counts.
  expect(nextSigns(known, [server(3000)], 5000)).toMatchObject({ heardAt: 5000, seenAt: 5000 })
})
