// Shows a running maker to frontends elsewhere: a port that answers for it, and last its card, so that nobody finds it too early.

import type { Announcement, Discovery } from '../../discovery/discovery.ts'
import type { DiffusionEngine } from '../../engine/diffusion/diffusion.ts'
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { MediaMaker } from '../../pipeline/media/media.ts'
import type { MediaCard } from '../../pipeline/media/remote/card.ts'
import { hostMaker } from '../../pipeline/media/remote/host.ts'
import type { Planes } from '../fleet/planes.ts'
import { countOpen } from './open-streams.ts'

/** The card tells changes of the load so late: jobs take seconds, and each change is a write of every worker to the discovery. */
const loadMs = 1000

export interface MediaParts {
  maker: MediaMaker
  /** Of the maker: its ups and downs are told. */
  engine: DiffusionEngine
  /** The first is the id. */
  names: readonly string[]
  endpoint: string
  namespace: string
  draining(): boolean
}

export interface HostedMedia {
  readonly card: MediaCard
  /** Jobs and operations of others, until the last file was fetched. */
  open(): number
  /** Out of sight: no frontend sends anything new; what runs goes on. */
  withdraw(): Promise<void>
  close(): Promise<void>
}

/** The engine has started; it stays the caller's. What was opened is closed again when a later step rejects. */
export async function hostMedia(parts: MediaParts, planes: Planes, discovery: Discovery): Promise<HostedMedia> {
  const { maker, engine, names, endpoint, namespace } = parts
  const { kind, pipeline, version, modelPath } = engine.info
  const startedAt = Date.now()
  let shown: Announcement | undefined
  let told = 0
  let loadTimer: ReturnType<typeof setTimeout> | undefined
  const cardNow = (): MediaCard => ({
    ...{ id: maker.id, endpoint, address: server.address, names, info: maker.info, ready: maker.ready, pending: maker.pending() },
    engine: { kind, level: pipeline, version, model: modelPath },
    startedAt,
  })
  const renew = () => {
    told = maker.pending()
    shown
      ?.update({ ...cardNow() })
      .catch((error) => log.warn({ worker: maker.id, reason: toAppError(error).message }, 'the change of state could not be announced'))
  }
  const tellLoad = () => {
    loadTimer = undefined
    if (maker.pending() !== told) renew()
  }
  const service = hostMaker(maker, { card: cardNow, draining: parts.draining })
  const streams = countOpen(service, {
    changed() {
      loadTimer ??= setTimeout(tellLoad, loadMs)
    },
  })
  const server = await planes.serve(streams.service)
  const card = cardNow()
  const announcement = await discovery
    .announce({ id: maker.id, kind: 'media-worker', namespace, body: { ...card } })
    .catch(async (error) => {
      await server.close()
      throw error
    })
  shown = announcement
  const off = engine.on(renew)
  // It may have failed while discovery was told of it.
  if (maker.ready !== card.ready) renew()
  const withdraw = () => {
    shown = undefined
    return announcement.withdraw()
  }
  return {
    card,
    open: streams.open,
    withdraw,
    async close() {
      clearTimeout(loadTimer)
      await withdraw()
      off()
      await server.close()
    },
  }
}
