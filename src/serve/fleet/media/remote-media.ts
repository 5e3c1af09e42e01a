// Images and videos of a frontend: the engines are media workers elsewhere, the files and the jobs are here. What they need is loaded when the first
// worker joins or somebody asks for something stored: a frontend of text does without.
import { AppError, toAppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import { mediaRegistry } from '../../../pipeline/media/media-registry.ts'
import { mediaPipeline } from '../../../pipeline/media/pipeline.ts'
import type { OtherModel } from '../../../pipeline/model.ts'
import type { ServedModel } from '../../../pipeline/types.ts'
import { type MediaFront, type MediaHandlers, useOf } from '../../media/media-front.ts'
import { modelOf, noMedia } from '../../media/no-media.ts'
import type { OpenedMedia } from '../../media/open-api.ts'
import { mediaRoutes } from '../../media/routes.ts'
import type { FrontendOptions } from '../../options.ts'
import { createMediaFleet, type MediaFleet, type MediaFleetParts } from './media-fleet.ts'

export interface RemoteMedia {
  readonly front: MediaFront
  /** For who asks one of these models for text. */
  models(): readonly OtherModel[]
  /** Follows the media workers whose cards it is told from now on. */
  follow(connect: MediaFleetParts['connect']): MediaFleet
  /** Workers that have joined. */
  workers(): number
  /** Resolves when those workers can be reached, or after `withinMs`. */
  connected(withinMs: number): Promise<void>
  /** The server will stop soon: no job is taken any more, all else is. */
  leave(): void
  /** No job is taken any more; those that run have so long. */
  drain(drainMs: number): void
  close(): Promise<void>
}

/** Operations that look for what is stored, whoever made it: no worker is needed. */
const lookups: ReadonlySet<keyof MediaHandlers> = new Set([
  ...(['imageContent', 'listVideos', 'oneVideo', 'videoContent', 'cancelVideo', 'removeVideo', 'file'] as const),
])

/** `text`: the models of text behind the same frontend. */
export function remoteMedia(
  options: Pick<FrontendOptions, 'media' | 'ignoreUnknownFields'>,
  text: () => readonly ServedModel[],
): RemoteMedia {
  const registry = mediaRegistry()
  const pipeline = mediaPipeline(registry)
  const without = noMedia({ models: text })
  let fleet: MediaFleet | undefined
  let opening: Promise<OpenedMedia> | undefined
  let opened: OpenedMedia | undefined
  let left = false
  let closed = false
  const makers = () => fleet?.makers() ?? []

  async function open(): Promise<OpenedMedia> {
    const { openMediaApi } = await import('../../media/open-api.ts')
    opened = await openMediaApi(options, pipeline, registry)
    if (left) opened.jobs.refuse()
    return opened
  }
  /** A place that could not be opened is tried again with the next request. */
  function api(): Promise<OpenedMedia> {
    opening ??= open().catch((thrown) => {
      opening = undefined
      const { message } = toAppError(thrown)
      log.error({ reason: message }, 'images and videos cannot be kept')
      throw new AppError('storage_failed', { message: `The server cannot keep images and videos now: ${message}`, cause: thrown })
    })
    return opening
  }

  function handler(name: keyof MediaHandlers): MediaHandlers[typeof name] {
    return async (call) => {
      const asked = modelOf(call.body)
      const isText = () => text().some(({ id, aliases }) => id === asked || aliases.includes(String(asked)))
      if (!lookups.has(name) && (registry.all().length === 0 || isText())) return without[name](call)
      return (await api()).handlers[name](call)
    }
  }
  const names = new Set(mediaRoutes.map(({ operation }) => operation))
  const handlers = Object.fromEntries([...names].map((name) => [name, handler(name)])) as unknown as MediaHandlers

  return {
    front: {
      besideText: true,
      models: () => pipeline.models(),
      ready: () => pipeline.ready('image') || pipeline.ready('video'),
      health: {
        check: async () =>
          makers().map((maker) => {
            const { id, ready, connected, card } = maker
            const reason = ready ? null : connected ? 'the worker says it is not ready' : 'there is no connection to the worker'
            return { id, healthy: ready, ready, reason, engine: card.engine ?? null, inFlight: maker.pending(), ranks: [] }
          }),
      },
      inFlight() {
        const { queued = 0, in_progress = 0 } = opened?.jobs.counts() ?? {}
        return queued + in_progress
      },
      handlers: async () => handlers,
      workers: () => makers().map((maker) => ({ id: maker.id, models: maker.card.names, engine: maker })),
    },
    models: () => pipeline.models().map(({ id, aliases, makes }) => ({ id, aliases, use: useOf(makes) })),
    follow(connect) {
      // The first request need not wait for it.
      fleet = createMediaFleet({ registry, connect, added: () => void api().catch(() => {}) })
      return fleet
    },
    workers: () => makers().length,
    async connected(withinMs) {
      const deadline = performance.now() + withinMs
      while (!makers().every(({ connected }) => connected) && performance.now() < deadline) await Bun.sleep(10)
    },
    leave() {
      left = true
      opened?.jobs.refuse()
    },
    drain: (drainMs) => void opened?.jobs.close(drainMs),
    async close() {
      if (closed) return
      closed = true
      await opening?.catch(() => {})
      await opened?.jobs.close(0)
      fleet?.close()
      await opened?.close()
    },
  }
}
