// Mock engines in virtual time behind the real router: what a fleet would do with a trace, in seconds instead of minutes and the same each time.
// The engines are the mock's own step machine; only time is made up.
import type { Engine } from '../../../src/engine/engine.ts'
import { engineInfo, resolveOptions } from '../../../src/engine/mock/options.ts'
import { KvCache } from '../../../src/engine/mock/rank/kv.ts'
import { Sequence } from '../../../src/engine/mock/rank/sequence.ts'
import { begin, complete, enqueue, makeFrame, makeRank } from '../../../src/engine/mock/rank/step.ts'
import { planRequest } from '../../../src/engine/mock/request.ts'
import type { EngineEvent, Sink } from '../../../src/engine/types.ts'
import type { Lease, Router } from '../../../src/router/router.ts'
import { type Workers, workerSet } from '../../../src/router/workers.ts'
import type { TraceRequest } from './read-trace.ts'

export interface FleetShape {
  workers: number
  blockSize: number
  blocks: number
}

export interface Outcome {
  hitRate: number
  ttftMs: number[]
  latencyMs: number[]
  perWorker: number[]
}

interface Running {
  lease: Lease
  arrivedAt: number
  firstAt: number
}

/** Runs the whole trace; `makeRouter` gets the workers and the virtual clock (ms). */
export function runFleet(
  trace: readonly TraceRequest[],
  shape: FleetShape,
  makeRouter: (workers: Workers, now: () => number) => Router,
): Outcome {
  let now = 0
  const workers = workerSet()
  const config = resolveOptions({
    modelPath: 'trace',
    vocabSize: 5000,
    textIds: [1, 2, 3],
    eosIds: [0],
    blockSize: shape.blockSize,
    totalKvTokens: shape.blocks * shape.blockSize,
    contextLength: shape.blocks * shape.blockSize,
  })
  const none: Sink = { push() {}, end() {}, fail() {} }
  const machines = Array.from({ length: shape.workers }, (_, i) => {
    const rank = makeRank(0, new KvCache(shape.blocks, shape.blockSize), config.timing, config.maxRunningRequests)
    rank.kv.recording = true
    const listeners = new Set<(event: EngineEvent) => void>()
    const engine = {
      info: engineInfo(config),
      ready: true,
      inFlight: () => rank.running.length + rank.waiting.length + rank.prefilling.length,
      on(listener: (event: EngineEvent) => void) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    } as unknown as Engine
    workers.add({ id: `worker-${i}`, engine })
    return { rank, frame: makeFrame(config.maxRunningRequests), listeners, due: Number.POSITIVE_INFINITY, seq: 0, served: 0 }
  })
  const router = makeRouter(workers, () => now)
  const running = new Map<Sequence, Running>()
  const outcome: Outcome = { hitRate: 0, ttftMs: [], latencyMs: [], perWorker: [] }
  let cached = 0
  let prompt = 0

  function start(machine: (typeof machines)[number]): void {
    const ms = begin(machine.rank)
    machine.due = ms === 0 ? Number.POSITIVE_INFINITY : now + ms
  }

  function arrive({ promptIds, outputTokens }: TraceRequest, i: number): void {
    const lease = router.place({ requestId: `r${i}`, promptIds, maxNewTokens: outputTokens }, new AbortController().signal)
    if (lease instanceof Promise) throw new Error('the trace bench has no queue')
    const machine = machines[Number(lease.workerId.split('-').at(-1))]!
    const request = {
      requestId: `r${i}`,
      promptIds,
      sampling: { max_new_tokens: outputTokens, ignore_eos: true, temperature: 0 },
      stream: true,
    }
    const plan = planRequest(request, { prompt: undefined, script: undefined }, none, config)
    if ('kind' in plan) throw new Error(plan.message)
    const sequence = new Sequence(plan, config)
    enqueue(machine.rank, sequence)
    machine.served++
    running.set(sequence, { lease, arrivedAt: now, firstAt: 0 })
    if (machine.rank.step === 'idle') start(machine)
  }

  function step(machine: (typeof machines)[number]): void {
    complete(machine.rank, machine.frame)
    const { rows, count } = machine.frame
    for (let i = 0; i < count; i++) {
      const sequence = rows[i]!
      const one = running.get(sequence)!
      if (one.firstAt === 0) {
        one.firstAt = now
        one.lease.started()
        outcome.ttftMs.push(now - one.arrivedAt)
        cached += sequence.cachedTokens
        prompt += sequence.plan.prompt.length
      }
      if (!sequence.left) continue
      one.lease.release()
      outcome.latencyMs.push(now - one.arrivedAt)
      running.delete(sequence)
    }
    const changes = machine.rank.kv.takeChanges()
    if (changes !== undefined) for (const tell of machine.listeners) tell({ kind: 'kv', rank: 0, seq: machine.seq++, changes })
    start(machine)
  }

  let next = 0
  for (;;) {
    const first = machines.reduce((best, machine) => (machine.due < best.due ? machine : best))
    const at = trace[next]?.atMs ?? Number.POSITIVE_INFINITY
    if (at === Number.POSITIVE_INFINITY && first.due === Number.POSITIVE_INFINITY) break
    if (at <= first.due) {
      now = Math.max(now, at)
      arrive(trace[next]!, next)
      next++
    } else {
      now = first.due
      step(first)
    }
  }
  const booked = router.booked()
  if (booked.requests !== 0 || booked.decodeBlocks !== 0 || booked.prefillTokens !== 0)
    throw new Error(`still booked: ${JSON.stringify(booked)}`)
  router.close()
  outcome.hitRate = cached / prompt
  outcome.perWorker = machines.map((machine) => machine.served).sort((a, b) => a - b)
  return outcome
}
