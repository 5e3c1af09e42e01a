// The workers a frontend knows: their cards come and go (discovery), each becomes an engine behind the router of its model.
import type { Card, CardChange } from '../../discovery/discovery.ts'
import { readWorkerCard, type WorkerCard } from '../../engine/remote/card.ts'
import type { RemoteEngine } from '../../engine/remote/engine.ts'
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { LoadedModel, ModelRegistry } from '../../pipeline/model.ts'
import type { Router } from '../../router/router.ts'
import { type Worker, type Workers, workerSet } from '../../router/workers.ts'
import { withLimitsOf } from './model-limits.ts'

/** A model whose workers are all gone answers 503 for so long, as during a rolling restart; then it is not served any more (404). */
const keepModelMs = 60_000
const loadAgainMs = 2000
/** A worker that left may finish what it runs for us; should it die meanwhile, its connection says so. */
const finishMs = 3_600_000

export interface FleetParts {
  models: ModelRegistry
  connect(card: WorkerCard): RemoteEngine
  router(workers: Workers, model: string): Router
  /** Reads the model's files, from the worker if need be. */
  load(card: WorkerCard, engine: RemoteEngine, router: Router): Promise<LoadedModel>
  added?(worker: Worker): void
  /** Default keepModelMs. */
  keepModelMs?: number
}

export interface Fleet {
  /** A model that this process serves itself: workers elsewhere join its own; cards of the own ones mean nothing here. */
  adopt(model: string, local: LocalModel): void
  change(change: CardChange): void
  workers(): readonly Worker[]
  close(): Promise<void>
}

export interface LocalModel {
  workers: Workers
  router: Router
  files: WorkerCard['model']['files']
  own: ReadonlySet<string>
  /** As it is in the registry. */
  model: LoadedModel
}

interface ServedModel {
  readonly workers: Workers
  readonly router: Router
  /** Of the workers that serve it; undefined: none came yet. */
  reads: Reads | undefined
  loading: boolean
  /** Set once it is in the registry. */
  loaded: LoadedModel | undefined
  forget: ReturnType<typeof setTimeout> | undefined
}

interface Member {
  readonly worker: Worker & { engine: RemoteEngine }
  readonly model: string
  card: WorkerCard
  /** Its first connection, or that none came in time. */
  readonly starting: Promise<void>
}

/** Nothing happens until cards come. */
export function createFleet(parts: FleetParts): Fleet {
  const served = new Map<string, ServedModel>()
  const members = new Map<string, Member>()
  /** Workers that read prompts otherwise than those that serve their model: their turn comes when the last of these has left. */
  const unfit = new Map<string, WorkerCard>()
  let closed = false
  let own: ReadonlySet<string> = new Set()

  function modelOf(card: WorkerCard): ServedModel {
    const id = card.model.names[0]!
    const known = served.get(id)
    if (known !== undefined) return known
    const workers = workerSet()
    const made: ServedModel = {
      workers,
      router: parts.router(workers, id),
      reads: undefined,
      loading: false,
      loaded: undefined,
      forget: undefined,
    }
    served.set(id, made)
    return made
  }

  function add(card: WorkerCard): void {
    const id = card.model.names[0]!
    let model = modelOf(card)
    const reads = readsOf(card.model.files, card.info.sight !== undefined)
    const other = model.reads && otherIn(model.reads, reads)
    if (other !== undefined && model.workers.all().length > 0) {
      if (!unfit.has(card.id))
        log.error({ worker: card.id, model: id }, `this worker has another ${other} than the workers that serve the model; it is not used`)
      unfit.set(card.id, card)
      return
    }
    unfit.delete(card.id)
    if (other !== undefined && (model.loaded !== undefined || model.loading)) {
      // What was read of workers that have left does not fit this one.
      drop(id, model)
      model = modelOf(card)
    }
    model.reads = reads
    clearTimeout(model.forget)
    const worker = { id: card.id, engine: parts.connect(card) }
    const starting = worker.engine
      .start()
      .then(() => {})
      .catch((error) => log.warn({ worker: card.id, reason: toAppError(error).message }, 'the worker cannot be reached yet'))
    warnOfTemplate(card, [...members.values()].find((one) => one.model === id)?.card)
    const member = { worker, model: id, card, starting }
    members.set(card.id, member)
    model.workers.add(worker)
    limit(model)
    parts.added?.(worker)
    log.info({ worker: card.id, model: id, role: card.info.role, address: card.address }, 'worker joined')
    void load(id, model, member)
  }

  /** Until it works or the worker is gone: another worker of the model may be asked meanwhile. */
  async function load(id: string, model: ServedModel, { card, worker, starting }: Member): Promise<void> {
    if (model.loading || model.loaded !== undefined) return
    model.loading = true
    try {
      await starting
      const loaded = await parts.load(card, worker.engine, model.router)
      if (closed || served.get(id) !== model) return
      model.loaded = loaded
      parts.models.add(loaded)
      limit(model)
      log.info({ model: id }, 'model is served')
    } catch (error) {
      if (closed) return
      log.error(
        { worker: card.id, model: id, reason: error instanceof Error ? error.message : String(error) },
        "the model's files cannot be had from this worker",
      )
      setTimeout(() => {
        const next = nextOf(id, card.id)
        if (next !== undefined && !closed) void load(id, model, next)
      }, loadAgainMs).unref()
    } finally {
      model.loading = false
    }
  }

  /** The worker of this model that comes after that one, which is the last to be asked again. */
  function nextOf(model: string, workerId: string): Member | undefined {
    const all = [...members.values()].filter((member) => member.model === model)
    return all[(all.findIndex((member) => member.worker.id === workerId) + 1) % all.length]
  }

  function remove(workerId: string, reason: string): void {
    unfit.delete(workerId)
    const member = members.get(workerId)
    if (member === undefined) return
    members.delete(workerId)
    const model = served.get(member.model)!
    model.workers.remove(workerId)
    limit(model)
    void member.worker.engine.stop(finishMs)
    log.info({ worker: workerId, model: member.model }, reason)
    if (model.workers.all().length > 0) return
    const heirs = [...unfit.values()].filter((card) => card.model.names[0] === member.model)
    for (const heir of heirs) add(heir)
    if (heirs.length > 0) return
    model.forget = setTimeout(() => forget(member.model, model), parts.keepModelMs ?? keepModelMs)
    model.forget.unref()
  }

  function forget(id: string, model: ServedModel): void {
    if (served.get(id) !== model || model.workers.all().length > 0) return
    drop(id, model)
    log.info({ model: id }, 'no worker has served this model for a while: it is not served any more')
  }

  function drop(id: string, model: ServedModel): void {
    clearTimeout(model.forget)
    served.delete(id)
    parts.models.remove(id)
    model.router.close()
  }

  /** What clients are promised follows the workers that are there. */
  function limit(model: ServedModel): void {
    if (model.loaded === undefined) return
    const limited = withLimitsOf(
      model.loaded,
      model.workers.all().map((worker) => worker.engine.info),
    )
    if (limited === model.loaded) return
    model.loaded = limited
    parts.models.add(limited)
  }

  function understood(card: Card): WorkerCard | undefined {
    try {
      return readWorkerCard(card.body)
    } catch (error) {
      log.error({ card: card.id, reason: toAppError(error).message }, 'a worker cannot be used')
      return undefined
    }
  }

  return {
    adopt(id, { workers, router, files, own: ids, model }) {
      own = ids
      served.set(id, {
        workers,
        router,
        reads: readsOf(files, model.sight !== undefined),
        loading: false,
        loaded: model,
        forget: undefined,
      })
    },
    workers: () => [...members.values()].map((member) => member.worker),
    change({ kind, card }) {
      if (closed || card.kind !== 'worker' || own.has(card.id)) return
      if (kind === 'gone') return remove(card.id, 'worker left')
      const body = understood(card)
      if (body === undefined) return
      const member = members.get(card.id)
      if (member === undefined) return add(body)
      if (member.model === body.model.names[0]) {
        member.card = body
        return member.worker.engine.update(body)
      }
      remove(card.id, 'worker changed its model')
      add(body)
    },
    async close() {
      closed = true
      for (const model of served.values()) {
        clearTimeout(model.forget)
        model.router.close()
      }
      await Promise.all([...members.values()].map((member) => member.worker.engine.stop(0)))
    },
  }
}

/** How a model's workers read a prompt, by the sums of the files that say so: one prompt, and one plan of its pictures, is made for all of them. */
interface Reads {
  tokenizer: string | undefined
  /** A text model has none. */
  'picture preprocessing (preprocessor_config.json)': string | undefined
  /** Whether its engine takes any. */
  'setting of --enable-multimodal': boolean
}

function readsOf(files: WorkerCard['model']['files'], takesPictures: boolean): Reads {
  const pictures = (files['preprocessor_config.json'] ?? files['processor_config.json'])?.sha256
  return {
    tokenizer: (files['tokenizer.json'] ?? files['tokenizer.model'])?.sha256,
    'picture preprocessing (preprocessor_config.json)': pictures,
    'setting of --enable-multimodal': pictures !== undefined && takesPictures,
  }
}

/** What the two differ in; undefined: nothing. */
function otherIn(known: Reads, reads: Reads): keyof Reads | undefined {
  return (Object.keys(known) as (keyof Reads)[]).find((what) => known[what] !== reads[what])
}

/** Another template is not wrong, but only one can be used. */
function warnOfTemplate({ id, model }: WorkerCard, other: WorkerCard | undefined): void {
  if (other === undefined || templateSum(model.files) === templateSum(other.model.files)) return
  log.warn(
    { worker: id, other: other.id, model: model.names[0] },
    "this worker has another chat template than the model's first one, which is used",
  )
}

function templateSum(files: WorkerCard['model']['files']): string | undefined {
  return (files['custom-chat-template.jinja'] ?? files['chat_template.jinja'] ?? files['tokenizer_config.json'])?.sha256
}
