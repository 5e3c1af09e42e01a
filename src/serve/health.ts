// Is there an engine that really answers? One token is asked of each rank, only while its engine is idle, and the answer is kept for a while.
import { canaryRequest } from '../engine/canary.ts'
import type { Engine } from '../engine/engine.ts'
import type { GenerateRequest, Sink } from '../engine/types.ts'
import type { Worker } from '../router/workers.ts'

export interface HealthOptions {
  workers(): readonly Worker[]
  /** Whose engines are asked for a token; of the others their own word counts. */
  canary(worker: Worker): boolean
  /** How long one proof of life counts (DYN_CANARY_WAIT_TIME). */
  canaryFreshMs: number
  canaryTimeoutMs: number
  /** A busy engine is asked all the same when its load has not moved for this long. */
  stallMs?: number
  /** Prompt of the canary; absent: one token. */
  canaryIds?: Uint32Array
}

export interface RankHealth {
  rank: number
  /** `unknown`: not asked yet, because the engine was busy since it started. */
  canary: 'passed' | 'failed' | 'unknown'
  checkedSecsAgo: number | null
  ms: number | null
  error: string | null
}

export interface WorkerHealth {
  id: string
  healthy: boolean
  ready: boolean
  /** Why it is not ready, for people. */
  reason: string | null
  engine: { kind: string; level: string; version: string; model: string } | null
  inFlight: number
  ranks: RankHealth[]
}

export interface Health {
  /** Asks what is due, then tells. Calls at the same time share one canary. */
  check(): Promise<WorkerHealth[]>
}

/** A prompt may be long, and its first token far away. */
const STALL_MS = 30_000

interface Proof {
  ok: boolean
  at: number
  ms: number
  error: string | null
}

interface Watched {
  reason: string | null
  /** performance.now() of the last sign that a busy engine gets on; undefined: it was not seen busy. */
  movedAt: number | undefined
  proofs: (Proof | undefined)[]
  running: Promise<void> | undefined
}

export function createHealth(options: HealthOptions): Health {
  const watched = new WeakMap<Engine, Watched>()

  function watch(engine: Engine): Watched {
    let entry = watched.get(engine)
    if (entry === undefined) {
      const made: Watched = { reason: null, movedAt: undefined, proofs: [], running: undefined }
      engine.on((event) => {
        if (event.kind === 'load') made.movedAt = performance.now()
        if (event.kind !== 'state') return
        made.reason = event.ready ? null : event.reason
        // A restarted engine has to prove itself again.
        if (!event.ready) made.proofs = []
      })
      watched.set(engine, made)
      entry = made
    }
    return entry
  }

  /** Busy and getting on, as far as its load tells; an engine that tells none is given time from when it was first seen busy. */
  function moving(engine: Engine, entry: Watched): boolean {
    if (engine.inFlight() === 0) {
      entry.movedAt = undefined
      return false
    }
    entry.movedAt ??= performance.now()
    return performance.now() - entry.movedAt < (options.stallMs ?? STALL_MS)
  }

  /** Engines are asked when their proof is old and they are idle or stuck; one that failed is asked again even if something is queued on it. */
  async function prove(engine: Engine, entry: Watched): Promise<void> {
    for (let rank = 0; rank < engine.info.dpSize; rank++) {
      const last = entry.proofs[rank]
      if (last !== undefined && performance.now() - last.at < options.canaryFreshMs) continue
      if (last?.ok !== false && moving(engine, entry)) continue
      entry.proofs[rank] = await canary(engine, rank, options)
    }
  }

  async function one(worker: Worker): Promise<WorkerHealth> {
    const { id, engine } = worker
    const entry = watch(engine)
    if (engine.ready && options.canary(worker)) {
      entry.running ??= prove(engine, entry).finally(() => {
        entry.running = undefined
      })
      await entry.running
    }
    const info = engine.ready ? engine.info : undefined
    const ranks = Array.from({ length: info?.dpSize ?? 0 }, (_, rank) => rankHealth(rank, entry.proofs[rank]))
    return {
      id,
      healthy: engine.ready && ranks.every((rank) => rank.canary !== 'failed'),
      ready: engine.ready,
      reason: engine.ready ? null : (entry.reason ?? 'starting'),
      engine: info === undefined ? null : { kind: info.kind, level: info.level, version: info.version, model: info.modelPath },
      inFlight: engine.inFlight(),
      ranks,
    }
  }

  for (const worker of options.workers()) watch(worker.engine)
  return { check: () => Promise.all(options.workers().map(one)) }
}

function rankHealth(rank: number, proof: Proof | undefined): RankHealth {
  if (proof === undefined) return { rank, canary: 'unknown', checkedSecsAgo: null, ms: null, error: null }
  const secs = Math.round((performance.now() - proof.at) / 100) / 10
  return { rank, canary: proof.ok ? 'passed' : 'failed', checkedSecsAgo: secs, ms: Math.round(proof.ms * 10) / 10, error: proof.error }
}

async function canary(engine: Engine, rank: number, options: HealthOptions): Promise<Proof> {
  const began = performance.now()
  const stop = new AbortController()
  const request = { ...canaryRequest(engine.info, rank, `health-${rank}`, options.canaryIds), dpRank: rank }
  const error = await new Promise<string | null>((resolve) => {
    const late = setTimeout(() => {
      resolve(`no answer within ${options.canaryTimeoutMs} ms`)
      stop.abort()
    }, options.canaryTimeoutMs)
    ask(engine, request, stop.signal, (error) => {
      clearTimeout(late)
      resolve(error)
    })
  })
  return { ok: error === null, at: performance.now(), ms: performance.now() - began, error }
}

/** `told` gets null when a token (or a vector) came, else what happened. */
function ask(engine: Engine, request: GenerateRequest, signal: AbortSignal, told: (error: string | null) => void): void {
  const failed = (cause: unknown) => told(cause instanceof Error ? cause.message : String(cause))
  if (engine.info.isEmbedding) {
    engine.embed(request, signal).then(() => told(null), failed)
    return
  }
  const sink: Sink = {
    push() {},
    end: (finish) => told(finish.kind === 'abort' ? finish.message : null),
    fail: (error) => told(error.message),
  }
  engine.generate(request, sink, signal).catch(failed)
}
