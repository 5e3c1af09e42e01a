// A router that anyone can foretell: the first ready worker that is not to be avoided, in the order given. Keeps what it was asked and counts what is booked.
import type { Engine } from '../../../src/engine/engine.ts'
import { AppError } from '../../../src/lib/errors.ts'
import type { Lease, Outcome, Placement, Router } from '../../../src/router/router.ts'

export interface FirstRouter extends Router {
  /** Those that got a place. */
  readonly placements: Placement[]
  /** One for each release, in order. */
  readonly outcomes: Outcome[]
  /** Leases whose first row came. */
  started: number
}

export function firstRouter(engines: Record<string, Engine>): FirstRouter {
  const booked = new Map<string, number>()
  const total = () => [...booked.values()].reduce((sum, count) => sum + count, 0)

  function choose({ avoid, workerId }: Placement): [string, Engine] {
    const ready = Object.entries(engines).filter(([id, engine]) => engine.ready && (workerId === undefined || workerId === id))
    const fresh = ready.filter(([id]) => avoid?.has(id) !== true)
    // Spread over equals by load, so that siblings can be seen to part.
    const sorted = (fresh.length > 0 ? fresh : ready).sort(([a], [b]) => (booked.get(a) ?? 0) - (booked.get(b) ?? 0))
    const first = sorted[0]
    if (first === undefined) throw new AppError('engine_unavailable', { message: 'No engine is ready.', retryAfterSecs: 5 })
    return first
  }

  const router: FirstRouter = {
    placements: [],
    outcomes: [],
    started: 0,
    ready: () => Object.values(engines).some((engine) => engine.ready),
    explain: ({ promptIds }) => ({
      mode: 'first',
      blockSize: 16,
      promptTokens: promptIds.length,
      promptBlocks: 0,
      chosen: null,
      reason: 'the first',
      candidates: Object.keys(engines).map((workerId) => ({
        workerId,
        dpRank: 0,
        overlap: { device: 0, host: 0, disk: 0, predicted: 0 },
        load: { prefillTokens: 0, decodeBlocks: 0, requests: booked.get(workerId) ?? 0 },
      })),
    }),
    booked: () => ({ requests: total(), prefillTokens: 0, decodeBlocks: 0, queued: 0 }),
    close() {},
    place(placement): Lease {
      const [id, engine] = choose(placement)
      router.placements.push(placement)
      booked.set(id, (booked.get(id) ?? 0) + 1)
      let [held, fresh] = [true, true]
      return {
        workerId: id,
        dpRank: placement.dpRank,
        engine,
        overlapTokens: 0,
        started() {
          if (fresh) router.started++
          fresh = false
        },
        release(outcome = {}) {
          if (!held) throw new Error('released twice')
          held = false
          router.outcomes.push(outcome)
          booked.set(id, booked.get(id)! - 1)
        },
      }
    },
  }
  return router
}
