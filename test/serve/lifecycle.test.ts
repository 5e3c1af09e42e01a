import { expect, test } from 'bun:test'
import { createLifecycle, type LifecycleParts } from '../../src/serve/lifecycle.ts'

const parts = (change: Partial<LifecycleParts>): LifecycleParts => ({
  graceMs: 0,
  drainMs: 60_000,
  inFlight: () => 0,
  stop: async () => {},
  ...change,
})

test('it leaves in order: unready, grace, refuse, wait for what runs, stop', async () => {
  const seen: string[] = []
  let running = 1
  const life = createLifecycle(
    parts({
      inFlight() {
        seen.push(life.state)
        if (seen.length > 3) running = 0
        return running
      },
      stop: async () => void seen.push('stop'),
    }),
  )
  life.markReady()
  expect(life.state).toBe('ready')
  const left = life.leave('test')
  expect(life.state).toBe('leaving')
  await left
  expect(new Set(seen.slice(0, -1))).toEqual(new Set(['draining']))
  expect(seen.at(-1)).toBe('stop')
  expect(life.state).toBe('stopped')
})

test('drain time over: the rest is stopped all the same', async () => {
  let stopped = false
  const life = createLifecycle(
    parts({
      drainMs: 0,
      inFlight: () => 5,
      stop: async () => {
        stopped = true
      },
    }),
  )
  await life.leave('test')
  expect(stopped).toBe(true)
})

test('leaving twice is leaving once, and ready comes too late', async () => {
  let stops = 0
  const life = createLifecycle(parts({ stop: async () => void stops++ }))
  const first = life.leave('a')
  expect(life.leave('b')).toBe(first)
  life.markReady()
  await first
  expect([stops, life.state]).toEqual([1, 'stopped'])
})

test('a start goes on until the end has begun', async () => {
  const life = createLifecycle(parts({}))
  life.goOn()
  const left = life.leave('test')
  expect(() => life.goOn()).toThrow('stopped while it started')
  await left
})
