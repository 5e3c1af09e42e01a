// `frontend`: HTTP and router; the engines are workers that discovery finds.

import type { Card } from '../../discovery/discovery.ts'
import { openDiscovery } from '../../discovery/open.ts'
import { readWorkerCard, type WorkerCard } from '../../engine/remote/card.ts'
import { type RemoteEngine, remoteEngine } from '../../engine/remote/engine.ts'
import { remoteEvents } from '../../engine/remote/kv-follow.ts'
import { log } from '../../lib/log.ts'
import { modelRegistry } from '../../pipeline/model.ts'
import { createRouter } from '../../router/create.ts'
import type { Router } from '../../router/router.ts'
import { type Front, openFront } from '../front.ts'
import { loadModelFiles } from '../load-model.ts'
import type { FrontendOptions } from '../options.ts'
import { createFleet } from './fleet.ts'
import { loadedModel } from './loaded-model.ts'
import { obtainModel } from './model-share.ts'
import { joinPeers } from './peers.ts'
import { openPlanes, type Planes } from './planes.ts'

export interface Frontend {
  /** Where the API listens. */
  url: string
  lifecycle: Front['lifecycle']
  /** Resolves once it is known which workers there are now; more may come at any time. */
  start(): Promise<void>
}

/** Opens the port and answers /live. Rejects with `port_in_use`, or with what is wrong with the planes or discovery. */
export async function openFrontend(options: FrontendOptions): Promise<Frontend> {
  const { fleet: settings } = options
  const models = modelRegistry()
  const planes = await openPlanes(settings.planes, settings.namespace)
  const fleet = createFleet({
    models,
    connect: (card) => connect(card, planes),
    router(workers, model) {
      const router = createRouter(workers, options.router)
      const end = peers?.share(model, router)
      return end === undefined ? router : closing(router, end)
    },
    added: () => peers?.renew(),
    load: (card, engine, router) => load(card, engine, router, options),
  })
  const addresses = options.workerAddresses
  const discovery = await openDiscovery({
    ...settings.discovery,
    ...(addresses.length === 0
      ? {}
      : { workers: { addresses, fetchCard: (address, signal) => askForCard(address, signal, settings.namespace, planes) } }),
  })
  const canAnnounce = addresses.length === 0 && settings.replicaSync
  const peers = canAnnounce ? await joinPeers(planes.events, discovery, settings.namespace, options.id) : undefined
  const front = openFront(options, { models, workers: fleet.workers, canary: false, stop })

  async function stop(): Promise<void> {
    await discovery.close()
    await fleet.close()
    peers?.close()
    await planes.close()
  }

  return {
    url: front.url,
    lifecycle: front.lifecycle,
    async start() {
      try {
        await front.warm()
        await discovery.watch(settings.namespace, (change) => {
          fleet.change(change)
          peers?.change(change)
        })
      } catch (error) {
        await front.stop()
        throw error
      }
      if (options.minWorkers > 0) log.info({ workers: options.minWorkers }, 'waiting for workers')
      while (fleet.workers().length < options.minWorkers && front.lifecycle.state === 'starting') await Bun.sleep(50)
      front.lifecycle.markReady()
    },
  }
}

function closing(router: Router, end: () => void): Router {
  const close = router.close.bind(router)
  router.close = () => {
    end()
    close()
  }
  return router
}

function connect(card: WorkerCard, planes: Planes): RemoteEngine {
  const client = planes.connect(card.address)
  const events = remoteEvents({
    plane: planes.events,
    address: card.events,
    ranks: card.info.dpSize,
    kv: card.info.kvEvents,
    dump: async (rank) => (await engine.call('kv.dump', { rank })) as Uint8Array,
  })
  const engine: RemoteEngine = remoteEngine({ card, client, events })
  return engine
}

/** The card of a worker at a known address, asked of itself. */
async function askForCard(address: string, signal: AbortSignal, namespace: string, planes: Planes): Promise<Card> {
  const nobody = { ready: true } as WorkerCard
  const engine = remoteEngine({ card: nobody, client: planes.connect(address), startMs: 1000 })
  try {
    await engine.start()
    const body = readWorkerCard((await engine.call('card', {}, signal)) as Record<string, unknown>)
    return { id: body.id, kind: 'worker', namespace, body: { ...body } }
  } finally {
    await engine.stop(0)
  }
}

async function load(card: WorkerCard, engine: RemoteEngine, router: Router, options: FrontendOptions) {
  const folder = await obtainModel(card.model, options.fleet.cacheDir, (args) => engine.call('model.file', args))
  const custom = card.model.customTemplate
  const files = await loadModelFiles(folder, {
    ...options.model,
    tokenizerPath: undefined,
    customTemplate: custom === undefined ? undefined : `${folder}/${custom}`,
  })
  const { names, engineTokenizes } = card.model
  return loadedModel({ names, files, info: card.info, router, engineTokenizes, migrationLimit: card.migrationLimit })
}
