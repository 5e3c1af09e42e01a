// Is there an engine that really makes pictures? One step is asked of each, only while it is idle, and the answer is kept for a while.
import { toAppError } from '../../lib/errors.ts'
import type { Health, RankHealth, WorkerHealth } from '../health.ts'
import { canaryRequest } from './canary.ts'
import type { MeasuredMaker } from './measured.ts'

/** One engine of this process. */
export interface WatchedMaker {
  maker: MeasuredMaker
  /** Why it is not ready, for people; null: it is. */
  reason: string | null
  engine: WorkerHealth['engine']
}

export interface MediaHealthOptions {
  /** Those that have started, and those that have not. */
  makers(): readonly (WatchedMaker | { id: string; reason: string })[]
  /** How long one proof of life counts (DYN_CANARY_WAIT_TIME). */
  freshMs: number
  /** DYN_HEALTH_CHECK_PAYLOAD. */
  payload?: Record<string, unknown>
  /** A step that takes longer has failed. Default two minutes: the first may compile kernels. */
  timeoutMs?: number
  /** /health answers with what was known before when a check takes longer. Default 2 s: probes do not wait long. */
  answerMs?: number
  /** A job without a step for so long means that the engine hangs. Default ten minutes: long clips decode for minutes. */
  stallMs?: number
}

interface Proof {
  ok: boolean
  at: number
  ms: number
  error: string | null
}

export function mediaHealth(options: MediaHealthOptions): Health {
  const { timeoutMs = 120_000, answerMs = 2000, stallMs = 600_000 } = options
  const proofs = new WeakMap<MeasuredMaker, Proof>()
  const running = new WeakMap<MeasuredMaker, Promise<void>>()

  async function prove(maker: MeasuredMaker): Promise<void> {
    const last = proofs.get(maker)
    if (last?.ok === true && performance.now() - last.at < options.freshMs) return
    // Its queue would make the proof wait, and its steps are proof enough.
    if (maker.pending() > 0) return
    proofs.set(maker, await canary(maker, timeoutMs, options.payload))
  }

  function check(maker: MeasuredMaker): Promise<void> {
    let now = running.get(maker)
    if (now === undefined) {
      now = prove(maker).finally(() => running.delete(maker))
      running.set(maker, now)
    }
    return now
  }

  function rank(maker: MeasuredMaker): RankHealth {
    const silentMs = performance.now() - maker.movedAt
    if (maker.pending() > 0 && silentMs > stallMs && !running.has(maker))
      return { rank: 0, canary: 'failed', checkedSecsAgo: 0, ms: null, error: `no step for ${Math.round(silentMs / 1000)} s` }
    const proof = proofs.get(maker)
    // A failed proof is no news of an engine that has made steps since.
    if (proof === undefined || (!proof.ok && maker.pending() > 0 && maker.movedAt > proof.at))
      return { rank: 0, canary: 'unknown', checkedSecsAgo: null, ms: null, error: null }
    const secs = Math.round((performance.now() - proof.at) / 100) / 10
    return { rank: 0, canary: proof.ok ? 'passed' : 'failed', checkedSecsAgo: secs, ms: Math.round(proof.ms * 10) / 10, error: proof.error }
  }

  return {
    async check() {
      const makers = options.makers()
      const started = makers.flatMap((one) => ('maker' in one && one.maker.ready ? [one.maker] : []))
      await Promise.race([Promise.all(started.map(check)), Bun.sleep(answerMs)])
      return makers.map((one): WorkerHealth => {
        if (!('maker' in one)) return { ...one, healthy: false, ready: false, engine: null, inFlight: 0, ranks: [] }
        const { maker, reason, engine } = one
        const ranks = maker.ready ? [rank(maker)] : []
        const healthy = maker.ready && ranks.every(({ canary }) => canary !== 'failed')
        return { id: maker.id, healthy, ready: maker.ready, reason: maker.ready ? null : reason, engine, inFlight: maker.pending(), ranks }
      })
    },
  }
}

async function canary(maker: MeasuredMaker, timeoutMs: number, payload: Record<string, unknown> | undefined): Promise<Proof> {
  const began = performance.now()
  const stop = AbortSignal.timeout(timeoutMs)
  const error = await maker.plain.make(canaryRequest(maker.info, 'health', payload), {}, stop).then(
    () => null,
    (thrown) => (stop.aborted ? `no picture within ${timeoutMs} ms` : toAppError(thrown).message),
  )
  return { ok: error === null, at: performance.now(), ms: performance.now() - began, error }
}
