// A pool over engines that only say what the test lets them say, with time and chance in the test's hands.
import type { EngineEvent, EngineInfo, KvChange } from '../../../src/engine/types.ts'
import { promptHashes } from '../../../src/lib/block-hash.ts'
import type { Clock } from '../../../src/router/clock.ts'
import { defaultRouterOptions, type RouterOptions } from '../../../src/router/options.ts'
import { createPool, type Pool, type PoolParts } from '../../../src/router/pool.ts'
import type { Lease, Placement } from '../../../src/router/router.ts'
import { type Worker, type Workers, workerSet } from '../../../src/router/workers.ts'
import { type ScriptedEngine, scriptedEngine, scriptedInfo } from './scripted-engine.ts'

export interface FakeWorker extends Worker {
  readonly engine: ScriptedEngine
  emit(event: EngineEvent): void
  /** Tells that this rank's GPU holds every complete block of these ids. */
  holds(ids: Uint32Array, rank?: number): void
}

/** A worker that is ready; `info` over the scripted engine's: blocks of 16 tokens, 62 of them, one rank. */
export function fakeWorker(id: string, info: Partial<EngineInfo> = {}): FakeWorker {
  const listeners = new Set<(event: EngineEvent) => void>()
  const engine = Object.assign(scriptedEngine(), {
    info: { ...scriptedInfo, kvEvents: true, ...info },
    on(listener: (event: EngineEvent) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
  let seq = 0
  const emit = (event: EngineEvent) => {
    for (const listener of listeners) listener(event)
  }
  return {
    id,
    engine,
    emit,
    holds: (ids, rank = 0) => emit({ kind: 'kv', rank, seq: seq++, changes: [stored(ids, engine.info.blockSize)] }),
  }
}

/** The event of blocks named by their own chained hashes. */
export function stored(ids: Uint32Array, blockSize: number): KvChange {
  const { local, chain } = promptHashes(ids, blockSize)
  return { kind: 'stored', blocks: chain.slice(), parent: null, local: local.slice(), tier: 'device' }
}

/** Numbers from 0 to below 1, the same for one seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

export interface FakeClock extends Clock {
  /** Lets this much time pass, timers included. */
  pass(ms: number): void
}

export function fakeClock(): FakeClock {
  let now = 1000
  const timers = new Set<{ at: number; run: () => void }>()
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    pass(ms) {
      now += ms
      for (const timer of [...timers].sort((a, b) => a.at - b.at)) {
        if (timer.at > now || !timers.delete(timer)) continue
        timer.run()
      }
    },
  }
}

export interface TestPool {
  readonly pool: Pool
  readonly workers: Workers
  readonly clock: FakeClock
  /** Places at once; fails when it would wait. */
  place(placement?: Partial<Placement>): Lease
  /** Places, waiting if need be. */
  wait(placement?: Partial<Placement>, signal?: AbortSignal): Promise<Lease>
}

export function testPool(members: readonly Worker[], options: Partial<RouterOptions> = {}, parts: PoolParts = {}): TestPool {
  const workers = workerSet()
  for (const worker of members) workers.add(worker)
  const clock = fakeClock()
  // Dynamo's formula can be followed in the head.
  const pool = createPool(workers, { ...defaultRouterOptions, cost: 'dynamo', ...options }, { random: seededRandom(1), clock, ...parts })
  const live = new AbortController().signal
  return {
    pool,
    workers,
    clock,
    place(placement = {}) {
      const lease = pool.place({ requestId: 'r', promptIds: tokens(64), ...placement }, live)
      if (lease instanceof Promise) throw new Error('it waits')
      return lease
    },
    wait: async (placement = {}, signal = live) => pool.place({ requestId: 'r', promptIds: tokens(64), ...placement }, signal),
  }
}

/** `count` token ids, other ones for each `seed`. */
export function tokens(count: number, seed = 0): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => seed * 100_000 + i)
}
