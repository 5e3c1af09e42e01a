// Asks the router for places: what it is told of a request, and how long a failed one waits for another.
import type { SamplingParams } from '../engine/types.ts'
import { clientGone, toAppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { migrations } from '../lib/metrics.ts'
import type { Lease, Placement, Router } from '../router/router.ts'
import type { LoadedModel } from './model.ts'
import type { TextRequest } from './types.ts'

/** `promptIds` (as blocks are named by them: Prepared.routeIds) and `sampling` are those of the attempt. */
export function placementOf(
  request: TextRequest,
  promptIds: Uint32Array,
  sampling: SamplingParams,
  avoid?: ReadonlySet<string>,
): Placement {
  return {
    requestId: request.requestId,
    promptIds,
    maxNewTokens: atMost(request.expectedTokens, sampling.max_new_tokens),
    lora: request.lora,
    cacheSalt: request.cacheSalt,
    priority: request.priority,
    workerId: request.workerId,
    dpRank: request.dpRank,
    prefillWorkerId: request.prefillWorkerId,
    prefillDpRank: request.prefillDpRank,
    sessionId: request.sessionId,
    avoid,
    overrides: request.overrides,
  }
}

function atMost(expected: number | undefined, limit: number | undefined): number | undefined {
  if (expected === undefined || limit === undefined) return expected ?? limit
  return Math.min(expected, limit)
}

/**
 * A place for a new request. One that comes when the last worker has just been lost (silent for a moment, about to be replaced) waits for it
 * like one that runs, so long after the loss. Throws and rejects as Router.place.
 */
export function placeFirst(model: LoadedModel, placement: Placement, signal: AbortSignal): Lease | Promise<Lease> {
  const { router } = model
  try {
    return router.place(placement, signal)
  } catch (thrown) {
    const absentMs = router.absentMs?.() ?? 0
    const leftMs = waitMsOf(model) - absentMs
    const lost = absentMs > 0 && leftMs > 0 && !isPinned(placement)
    if (!lost || toAppError(thrown).code !== 'engine_unavailable') throw thrown
    return placeAgain(router, placement, leftMs, signal).then((lease) => {
      if (lease !== undefined) return lease
      throw signal.aborted ? clientGone() : thrown
    })
  }
}

/** It means this worker, whose absence may be long. */
function isPinned({ workerId, prefillWorkerId }: Placement): boolean {
  return workerId !== undefined || prefillWorkerId !== undefined
}

const pollMs = 25
/** What may be otherwise in a moment. */
const passing = new Set(['engine_unavailable', 'overloaded', 'shutting_down'])

/**
 * A place for a request whose attempt has failed: at once where another worker is ready, else as soon as one is, for up to `waitMs`
 * (restarts of a second or two are bridged; SGLang's own half minute is not worth a hanging client). Undefined: there is none,
 * or `signal` was aborted.
 */
export async function placeAgain(router: Router, placement: Placement, waitMs: number, signal: AbortSignal): Promise<Lease | undefined> {
  const deadline = performance.now() + waitMs
  while (!signal.aborted) {
    try {
      const placed = router.place(placement, signal)
      return placed instanceof Promise ? await placed : placed
    } catch (thrown) {
      if (!passing.has(toAppError(thrown).code)) return undefined
    }
    if (performance.now() >= deadline || router.closed?.() === true) return undefined
    await Bun.sleep(pollMs)
  }
  return undefined
}

/** A pause before a worker that has just failed is asked again: its death may not be known to everyone yet. Ends early with `signal`. */
export async function backOff(attempts: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + 50 * 2 ** Math.min(attempts, 5)
  while (!signal.aborted && performance.now() < end) await Bun.sleep(pollMs)
}

const defaultLimit = 3
const defaultWaitMs = 3000

export const limitOf = (model: LoadedModel): number => model.migrationLimit ?? defaultLimit
export const waitMsOf = (model: LoadedModel): number => model.migrationWaitMs ?? defaultWaitMs
/** Of a request whose attempt has failed. */
export const waitAgainMsOf = (model: LoadedModel): number => (model.failsAtOnce === true ? 0 : waitMsOf(model))

/** A line and a count for each attempt after the first. */
export function noteMigration(
  model: LoadedModel,
  line: { id: string; choice?: number; from: string; to: string; tokens: number; reason: string },
): void {
  migrations.inc({ model: model.served.id, reason: line.reason })
  log.warn(line, line.tokens > 0 ? 'answer continued' : 'request tried again')
}
