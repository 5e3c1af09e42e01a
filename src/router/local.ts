// Routes among the engines of this process: the ready one with the least in flight, booked before it is handed out.
import type { Engine } from '../engine/engine.ts'
import { AppError } from '../lib/errors.ts'
import type { Lease, Placement, Router } from './router.ts'

export interface LocalWorker {
  readonly id: string
  readonly engine: Engine
}

/** A router over `workers`; the array may change while it runs. */
export function localRouter(workers: readonly LocalWorker[]): Router {
  const booked = new Map<string, number>()

  function pick(placement: Placement): LocalWorker {
    let best: LocalWorker | undefined
    let bestLoad = Number.POSITIVE_INFINITY
    for (const worker of workers) {
      if (!worker.engine.ready || (placement.workerId !== undefined && placement.workerId !== worker.id)) continue
      const load = booked.get(worker.id) ?? 0
      if (load < bestLoad) {
        best = worker
        bestLoad = load
      }
    }
    if (best !== undefined) return best
    const known = workers.map((worker) => worker.id).join(', ')
    if (placement.workerId !== undefined && !workers.some((worker) => worker.id === placement.workerId))
      throw new AppError('invalid_value', {
        message: `No worker ${placement.workerId}; known: ${known}.`,
        param: 'nvext.backend_instance_id',
      })
    throw new AppError('engine_unavailable', {
      message: 'No engine is ready. It is starting or restarting; try again shortly.',
      retryAfterSecs: 5,
    })
  }

  function checkRank(rank: number | undefined, { engine }: LocalWorker): void {
    const { dpSize } = engine.info
    if (rank !== undefined && rank >= dpSize)
      throw new AppError('invalid_value', {
        message: `There is no data-parallel rank ${rank}; ranks are 0 to ${dpSize - 1}.`,
        param: 'nvext.dp_rank',
      })
  }

  return {
    ready: () => workers.some((worker) => worker.engine.ready),
    explain: () => {
      throw new AppError('internal_error', { message: 'This router does not explain.' })
    },
    booked: () => ({ requests: [...booked.values()].reduce((sum, count) => sum + count, 0), prefillTokens: 0, decodeBlocks: 0, queued: 0 }),
    close() {},
    place(placement): Lease {
      const worker = pick(placement)
      checkRank(placement.dpRank, worker)
      booked.set(worker.id, (booked.get(worker.id) ?? 0) + 1)
      let held = true
      return {
        workerId: worker.id,
        engine: worker.engine,
        dpRank: placement.dpRank,
        overlapTokens: 0,
        started() {},
        release() {
          if (!held) return
          held = false
          booked.set(worker.id, booked.get(worker.id)! - 1)
        },
      }
    },
  }
}
