// The media workers a frontend knows: their cards come and go (discovery), each becomes a maker of its model.
import type { Card, CardChange } from '../../../discovery/discovery.ts'
import { toAppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import type { ServedMedia } from '../../../pipeline/media/media.ts'
import type { MediaRegistry } from '../../../pipeline/media/media-registry.ts'
import { type MediaCard, readMediaCard } from '../../../pipeline/media/remote/card.ts'
import type { RemoteMaker } from '../../../pipeline/media/remote/maker.ts'

/** A model whose workers are all gone answers 503 for so long, as during a rolling restart; then it is not served any more (404). */
const keepModelMs = 60_000

export interface MediaFleetParts {
  registry: MediaRegistry
  connect(card: MediaCard): RemoteMaker
  /** A worker joined. */
  added?(): void
  /** Default keepModelMs. */
  keepModelMs?: number
  /** [0, 1) */
  random?: () => number
}

export interface MediaFleet {
  /** Cards of other kinds mean nothing here. */
  change(change: CardChange): void
  makers(): readonly RemoteMaker[]
  close(): void
}

interface Served {
  readonly createdSecs: number
  readonly makes: ServedMedia['makes']
  aliases: string
  /** The registry's own: who waits for a place sees who comes and goes. */
  readonly makers: RemoteMaker[]
  forget: ReturnType<typeof setTimeout> | undefined
}

/** Nothing happens until cards come. */
export function createMediaFleet({ registry, connect, added, random = Math.random, ...parts }: MediaFleetParts): MediaFleet {
  const models = new Map<string, Served>()
  const makers = new Map<string, RemoteMaker>()
  /** Workers whose model makes something else than those of the same name: their turn comes when the last of these has left. */
  const unfit = new Map<string, MediaCard>()
  let closed = false

  function add(card: MediaCard): void {
    const id = modelOf(card)
    const { makes } = card.info
    let model = models.get(id)
    if (model !== undefined && model.makes !== makes) {
      if (model.makers.length > 0) {
        if (!unfit.has(card.id))
          log.error({ worker: card.id, model: id, makes }, `this worker is not used: the model makes ${model.makes}s`)
        unfit.set(card.id, card)
        return
      }
      drop(id, model)
      model = undefined
    }
    unfit.delete(card.id)
    model ??= { createdSecs: Math.floor(Date.now() / 1000), makes, aliases: '', makers: [], forget: undefined }
    clearTimeout(model.forget)
    const maker = connect(card)
    makers.set(card.id, maker)
    // Of idle workers the first one gets the job: not the same one from every frontend.
    model.makers.splice(Math.floor(random() * (model.makers.length + 1)), 0, maker)
    show(id, model)
    log.info({ worker: card.id, model: id, makes, address: card.address }, 'media worker joined')
    added?.()
  }

  /** In the registry, under all names that its workers have for it. */
  function show(id: string, model: Served): void {
    const aliases = [...new Set(model.makers.flatMap(({ card }) => card.names.slice(1)))]
    const text = JSON.stringify(aliases)
    if (models.get(id) === model && model.aliases === text) return
    model.aliases = text
    models.set(id, model)
    registry.add({ id, aliases, createdSecs: model.createdSecs, makes: model.makes }, model.makers)
  }

  function remove(workerId: string, reason: string): void {
    unfit.delete(workerId)
    const maker = makers.get(workerId)
    if (maker === undefined) return
    const id = modelOf(maker.card)
    const model = models.get(id)!
    makers.delete(workerId)
    model.makers.splice(model.makers.indexOf(maker), 1)
    // What runs there is finished; should the worker die meanwhile, the connection says so.
    maker.retire()
    log.info({ worker: workerId, model: id }, reason)
    if (model.makers.length > 0) {
      show(id, model)
      return
    }
    const heirs = [...unfit.values()].filter((card) => modelOf(card) === id)
    for (const heir of heirs) add(heir)
    if (heirs.length > 0) return
    model.forget = setTimeout(() => {
      if (models.get(id) !== model || model.makers.length > 0) return
      drop(id, model)
      log.info({ model: id }, 'no worker has made this model’s media for a while: it is not served any more')
    }, parts.keepModelMs ?? keepModelMs)
    model.forget.unref()
  }

  function drop(id: string, model: Served): void {
    clearTimeout(model.forget)
    models.delete(id)
    registry.remove(id)
  }

  return {
    makers: () => [...makers.values()],
    change({ kind, card }) {
      if (closed || card.kind !== 'media-worker') return
      if (kind === 'gone') return remove(card.id, 'media worker left')
      const body = understood(card)
      if (body === undefined) return
      const maker = makers.get(card.id)
      if (maker === undefined) return add(body)
      if (sameWorker(maker.card, body)) return maker.update(body)
      remove(card.id, 'media worker changed')
      add(body)
    },
    close() {
      closed = true
      for (const { forget } of models.values()) clearTimeout(forget)
      for (const maker of makers.values()) maker.close()
    },
  }
}

const modelOf = (card: MediaCard): string => card.names[0]!

function sameWorker(one: MediaCard, other: MediaCard): boolean {
  return one.address === other.address && one.names.join('\n') === other.names.join('\n') && one.info.makes === other.info.makes
}

function understood(card: Card): MediaCard | undefined {
  try {
    return readMediaCard(card.body)
  } catch (error) {
    log.error({ card: card.id, reason: toAppError(error).message }, 'a media worker cannot be used')
    return undefined
  }
}
