// The router of one model: a pool of aggregated workers, and pools of prefill and decode workers that work in pairs. Which of them is there decides what a request gets.
import type { EngineInfo, EngineRole } from '../engine/types.ts'
import { AppError, toAppError } from '../lib/errors.ts'
import { log } from '../lib/log.ts'
import { watchAbsence } from './absence.ts'
import { realClock } from './clock.ts'
import { pairLease } from './disagg.ts'
import type { RouterOptions } from './options.ts'
import { createPool, type Pool, type PoolParts } from './pool.ts'
import { infoOf, viewOf, type WorkersView } from './role-view.ts'
import type { BusyThresholds, Decision, Lease, Placement, Router } from './router.ts'
import type { Worker, Workers } from './workers.ts'

export interface DisaggOptions {
  /** --enforce-disagg: without a prefill and a decode worker there is no answer, aggregated workers or not. */
  readonly enforceDisagg: boolean
  /** --max-local-prefill-length: a prompt with no more tokens to compute goes to an aggregated worker, where there is one. */
  readonly maxLocalPrefillLength: number
  /** --router-conditional-disagg: so do prompts that are short and mostly cached there. */
  readonly conditionalDisagg: boolean
}

export const defaultDisaggOptions: DisaggOptions = { enforceDisagg: false, maxLocalPrefillLength: 0, conditionalDisagg: false }

/** Bounds of conditional disaggregation, as Dynamo's isl_bounding: fewer tokens to compute than this, and less than this part of the prompt. */
const localTokens = 2048
const localPart = 0.7

/** The router of a model, with the pools it is made of: `aggregated`, and `prefill/GROUP` and `decode/GROUP` as such workers come. */
export interface ModelRouter extends Router {
  pools(): ReadonlyMap<string, Pool>
  /** Hears of each pool that is made later, before anything is placed in it; the returned function ends that. */
  onPool(listener: (name: string, pool: Pool) => void): () => void
}

/** Workers that can work together: of one block size, and of one tensor-parallel size unless the attention is MLA. */
interface Group {
  readonly key: string
  readonly prefill: Side
  readonly decode: Side
}
interface Side {
  readonly workers: WorkersView
  readonly pool: Pool
}

/** Follows `workers` until `close`. Throws AppError `invalid_setting` for an unknown mode or cost. */
export function createRouter(workers: Workers, options: RouterOptions & Partial<DisaggOptions>, parts: PoolParts = {}): ModelRouter {
  const { enforceDisagg, maxLocalPrefillLength, conditionalDisagg } = { ...defaultDisaggOptions, ...options }
  const pools = new Map<string, Pool>()
  const listeners = new Set<(name: string, pool: Pool) => void>()
  /** What `busyThresholds` changed, for pools that come later. */
  let busy: BusyThresholds = {}
  const side = (name: string, accepts: (role: EngineRole, key: string) => boolean, sideOptions: RouterOptions): Side => {
    const view = viewOf(workers, (info) => accepts(info.role, groupKey(info)))
    const pool = createPool(view, { ...sideOptions, ...busy }, parts)
    pools.set(name, pool)
    for (const listener of listeners) listener(name, pool)
    return { workers: view, pool }
  }
  const aggregated = side('aggregated', (role) => role === 'aggregated', options)
  const groups = new Map<string, Group>()
  // Prefill keeps no blocks after its one token; decode gets its KV sent, so what it holds of other prompts is worth nothing.
  const prefillOptions: RouterOptions = { ...options, trackActiveBlocks: false }
  const decodeOptions: RouterOptions = { ...options, overlapScoreCredit: 0, assumeKvReuse: false, trackPrefillTokens: false }

  function group(key: string): Group {
    let found = groups.get(key)
    if (found === undefined) {
      found = {
        key,
        prefill: side(`prefill/${key}`, (role, own) => role === 'prefill' && own === key, prefillOptions),
        decode: side(`decode/${key}`, (role, own) => role === 'decode' && own === key, decodeOptions),
      }
      groups.set(key, found)
    }
    return found
  }

  const note = (worker: Worker): void => {
    const info = infoOf(worker)
    if (info?.role !== 'prefill' && info?.role !== 'decode') return
    const { key } = group(groupKey(info))
    const other = [...groups.values()].find(
      (one) => one.key !== key && one[info.role === 'prefill' ? 'decode' : 'prefill'].workers.all().length > 0,
    )
    if (other === undefined) return
    const [prefill, decode] = info.role === 'prefill' ? [key, other.key] : [other.key, key]
    log.warn({ worker: worker.id }, mismatch(prefill, decode).message)
  }
  const started = viewOf(workers, () => true)
  for (const worker of started.all()) note(worker)
  started.on(({ kind, worker }) => kind === 'added' && note(worker))

  /** The group for this placement; undefined: no pair can be made now. Throws when the workers that it names cannot be one. */
  function pairFor(placement: Placement): Group | undefined {
    const named = [placement.workerId, placement.prefillWorkerId].map((id) => keyOf(id))
    if (named[0] !== undefined && named[1] !== undefined && named[0] !== named[1]) throw mismatch(named[1], named[0])
    const wanted = named[0] ?? named[1]
    let best: Group | undefined
    let bestLoad = Number.POSITIVE_INFINITY
    for (const one of groups.values()) {
      if ((wanted !== undefined && one.key !== wanted) || !one.prefill.pool.ready() || !one.decode.pool.ready()) continue
      const load = one.decode.pool.booked().requests / Math.max(1, one.decode.workers.all().length)
      if (load < bestLoad) {
        best = one
        bestLoad = load
      }
    }
    return best
  }

  function keyOf(id: string | undefined): string | undefined {
    const worker = id === undefined ? undefined : workers.find(id)
    const info = worker && infoOf(worker)
    return info?.role === 'prefill' || info?.role === 'decode' ? groupKey(info) : undefined
  }

  /** Where a placement goes: to one pool, or to a pair. Throws the AppError of a request that can go nowhere. */
  function choose(placement: Placement): Pool | Group {
    checkPins(placement)
    if (placement.embedding) return aggregated.pool
    const role = roleOf(placement.workerId)
    if (role === 'aggregated' && placement.prefillWorkerId === undefined && !enforceDisagg) return aggregated.pool
    const pair = pairFor(placement)
    if (pair !== undefined) return role === undefined && goesLocal(placement) ? aggregated.pool : pair
    if (enforceDisagg) throw noPair(true)
    // No pair: whoever can do all of it alone. Aggregated workers that are only starting tell so in their own words.
    if (role !== 'decode' && aggregated.workers.all().length > 0) return aggregated.pool
    const lone = loneDecoder()
    if (lone !== undefined) return lone
    if (groups.size === 0) return aggregated.pool
    throw noPair(false)
  }

  function goesLocal(placement: Placement): boolean {
    if ((maxLocalPrefillLength === 0 && !conditionalDisagg) || placement.prefillWorkerId !== undefined || enforceDisagg) return false
    if (!aggregated.pool.ready()) return false
    const total = placement.promptIds.length
    if (total <= maxLocalPrefillLength) return true
    const decision = aggregated.pool.explain(placement)
    const chosen = decision.candidates.find((candidate) => `${candidate.workerId}/${candidate.dpRank}` === decision.chosen)
    const { device, host, disk } = chosen?.overlap ?? { device: 0, host: 0, disk: 0 }
    const left = Math.max(0, total - (device + host + disk) * decision.blockSize)
    return left <= maxLocalPrefillLength || (conditionalDisagg && left < localTokens && left < localPart * total)
  }

  function loneDecoder(): Pool | undefined {
    for (const { decode } of groups.values())
      if (decode.pool.ready() && decode.workers.all().every((worker) => worker.engine.info.worksAlone === true)) return decode.pool
    return undefined
  }

  const roleOf = (id: string | undefined): EngineRole | undefined => {
    const worker = id === undefined ? undefined : workers.find(id)
    return worker && infoOf(worker)?.role
  }

  function checkPins({ workerId, prefillWorkerId }: Placement): void {
    if (roleOf(workerId) === 'prefill')
      throw wrongRole('nvext.backend_instance_id', workerId!, 'is a prefill worker; name it as prefill_worker_id')
    const role = roleOf(prefillWorkerId)
    if (prefillWorkerId === undefined || role === 'prefill') return
    const known = ids((info) => info === 'prefill')
    throw wrongRole('nvext.prefill_worker_id', prefillWorkerId, `is no prefill worker; those are: ${known || 'none'}`)
  }

  const ids = (wanted: (role: EngineRole | undefined) => boolean) =>
    workers.all().filter((worker) => wanted(infoOf(worker)?.role)).map((worker) => worker.id).join(', ') // biome-ignore format: one line reads better

  /** Why no pair can be made now. */
  function noPair(enforced: boolean): AppError {
    const prefill = [...groups.values()].filter((one) => one.prefill.pool.ready())
    const decode = [...groups.values()].filter((one) => one.decode.pool.ready())
    if (prefill.length > 0 && decode.length > 0) return mismatch(prefill[0]!.key, decode[0]!.key)
    const missing = prefill.length === 0 ? (decode.length === 0 ? 'prefill and decode worker' : 'prefill worker') : 'decode worker'
    const why = enforced ? '--enforce-disagg asks for both' : 'an SGLang decode or prefill worker cannot answer alone'
    return new AppError('engine_unavailable', { message: `No ${missing} is ready, and ${why}. Try again shortly.`, retryAfterSecs: 2 })
  }

  async function placePair(one: Group, placement: Placement, signal: AbortSignal): Promise<Lease> {
    let prefill: Lease
    try {
      prefill = await one.prefill.pool.place(prefillPlacement(placement), signal)
    } catch (thrown) {
      const free = !enforceDisagg && placement.prefillWorkerId === undefined && placement.workerId === undefined && aggregated.pool.ready()
      if (free && toAppError(thrown).code === 'engine_unavailable') return aggregated.pool.place(placement, signal)
      throw thrown
    }
    try {
      const worker = one.prefill.workers.find(prefill.workerId)
      if (worker === undefined) throw new AppError('engine_unavailable', { message: 'The prefill worker has left.', retryAfterSecs: 1 })
      return pairLease(prefill, worker.engine, await one.decode.pool.place(placement, signal))
    } catch (thrown) {
      prefill.release()
      throw thrown
    }
  }

  const ready = () =>
    (!enforceDisagg && (aggregated.pool.ready() || loneDecoder() !== undefined)) ||
    [...groups.values()].some((one) => one.prefill.pool.ready() && one.decode.pool.ready())
  let closed = false
  const absence = watchAbsence(workers, ready, parts.clock ?? realClock)

  return {
    pools: () => pools,
    onPool(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    place(placement, signal) {
      const target = choose(placement)
      return 'place' in target ? target.place(placement, signal) : placePair(target, placement, signal)
    },
    explain(placement): Decision {
      const target = choose(placement)
      if ('explain' in target) return target.explain(placement)
      return { ...target.decode.pool.explain(placement), prefill: target.prefill.pool.explain(prefillPlacement(placement)) }
    },
    ready,
    absentMs: absence.ms,
    booked() {
      const sum = { requests: 0, prefillTokens: 0, decodeBlocks: 0, queued: 0 }
      for (const pool of pools.values()) {
        const booked = pool.booked()
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += booked[key]
      }
      return sum
    },
    busyThresholds(change = {}) {
      busy = { ...busy, ...change }
      for (const pool of pools.values()) pool.busyThresholds(change)
      return aggregated.pool.busyThresholds()
    },
    closed: () => closed,
    close() {
      closed = true
      absence.close()
      started.close()
      for (const pool of pools.values()) pool.close()
      aggregated.workers.close()
      for (const { prefill, decode } of groups.values()) {
        prefill.workers.close()
        decode.workers.close()
      }
    },
  }
}

/** The prefill side of a placement: its own pins, one token of answer. */
function prefillPlacement(placement: Placement): Placement {
  return { ...placement, workerId: placement.prefillWorkerId, dpRank: placement.prefillDpRank, maxNewTokens: 1 }
}

/** What both sides must have in common: `tp2-block16`, or `mla-block64` where every tensor-parallel rank has the same KV. */
function groupKey({ isMla, tpSize = 1, blockSize }: EngineInfo): string {
  return `${isMla === true ? 'mla' : `tp${tpSize}`}-block${blockSize}`
}

function mismatch(prefill: string, decode: string): AppError {
  const sizes = (key: string) => {
    const [heads = '', block = ''] = key.split('-block')
    return `${heads === 'mla' ? 'MLA attention' : `tensor-parallel size ${heads.slice(2)}`} and KV blocks of ${block} tokens`
  }
  return new AppError('engine_unavailable', {
    message: `Prefill workers have ${sizes(prefill)}, decode workers ${sizes(decode)}: KV can only go between equal ones (--tp-size, --page-size).`,
    retryAfterSecs: 30,
  })
}

function wrongRole(param: string, id: string, what: string): AppError {
  return new AppError('invalid_value', { message: `Worker ${id} ${what}.`, param })
}
