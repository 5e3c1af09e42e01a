// Workers of other processes as engines of this one: planes, discovery, the fleet and the other frontends, opened together and closed together.
import type { Card, CardChange, Discovery } from '../../discovery/discovery.ts'
import { openDiscovery } from '../../discovery/open.ts'
import { readWorkerCard, type WorkerCard } from '../../engine/remote/card.ts'
import { type RemoteEngine, remoteEngine } from '../../engine/remote/engine.ts'
import { remoteEvents } from '../../engine/remote/kv-follow.ts'
import { readEncoderCard } from '../../engine/vision/remote/card.ts'
import { toAppError } from '../../lib/errors.ts'
import { type MediaCard, readMediaCard } from '../../pipeline/media/remote/card.ts'
import { remoteMaker } from '../../pipeline/media/remote/maker.ts'
import type { ModelRegistry } from '../../pipeline/model.ts'
import { createRouter, type ModelRouter } from '../../router/create.ts'
import type { Router } from '../../router/router.ts'
import { loadModelFiles } from '../load-model.ts'
import type { FleetOptions, FrontOptions, ModelOptions } from '../options.ts'
import { obtainModel } from '../worker/model-share.ts'
import { createFleet, type Fleet } from './fleet.ts'
import { loadedModel } from './loaded-model.ts'
import { joinPeers, type Peers } from './peers.ts'
import { openPlanes, type Planes } from './planes.ts'

export interface RemoteFleetOptions {
  /** Unique in the deployment, another for each start. */
  id: string
  fleet: FleetOptions
  router: FrontOptions['router']
  /** How the files of a worker's model are read; paths and names come from its card. */
  model: ModelOptions
  /** static discovery: where workers are (`tcp://host:port`). */
  workerAddresses: readonly string[]
}

export interface RemoteFleet {
  readonly fleet: Fleet
  readonly planes: Planes
  readonly discovery: Discovery
  readonly peers: Peers | undefined
  /** Resolves once it is known which workers there are now; more may come at any time. `also` hears every card. */
  watch(also?: (change: CardChange) => void): Promise<void>
  close(): Promise<void>
}

/** Rejects with what is wrong with the planes or discovery, after everything was closed again. */
export async function openRemoteFleet(options: RemoteFleetOptions, models: ModelRegistry): Promise<RemoteFleet> {
  const { namespace, planes: settings } = options.fleet
  const planes = await openPlanes(settings, namespace)
  let discovery: Discovery | undefined
  try {
    discovery = await discoveryOf(options, planes)
    return remoteFleet(options, models, planes, discovery, await peersOf(options, planes, discovery))
  } catch (error) {
    await discovery?.close()
    await planes.close()
    throw error
  }
}

function discoveryOf({ fleet, workerAddresses: addresses }: RemoteFleetOptions, planes: Planes): Promise<Discovery> {
  const fetchCard = (address: string, signal: AbortSignal) => askForCard(address, signal, fleet.namespace, planes)
  return openDiscovery({ ...fleet.discovery, ...(addresses.length === 0 ? {} : { workers: { addresses, fetchCard } }) })
}

/** With fixed addresses nobody can be told that this frontend is there. */
async function peersOf(
  { id, fleet, workerAddresses }: RemoteFleetOptions,
  planes: Planes,
  discovery: Discovery,
): Promise<Peers | undefined> {
  if (workerAddresses.length > 0 || !fleet.replicaSync) return undefined
  return await joinPeers(planes.events, discovery, fleet.namespace, id)
}

function remoteFleet(
  options: RemoteFleetOptions,
  models: ModelRegistry,
  planes: Planes,
  discovery: Discovery,
  peers: Peers | undefined,
): RemoteFleet {
  const fleet = createFleet({
    models,
    connect: (card) => connect(card, planes),
    router: (workers, model) => sharedRouter(createRouter(workers, options.router, { model }), model, peers),
    added: () => peers?.renew(),
    load: (card, engine, router) => load(card, engine, router, options),
  })
  return {
    fleet,
    planes,
    discovery,
    peers,
    async watch(also) {
      await discovery.watch(options.fleet.namespace, (change) => {
        fleet.change(change)
        peers?.change(change)
        also?.(change)
      })
    },
    async close() {
      await discovery.close()
      await fleet.close()
      peers?.close()
      await planes.close()
    },
  }
}

/** The same router, whose bookings other frontends hear of until it is closed. */
export function sharedRouter(router: ModelRouter, model: string, peers: Peers | undefined): Router {
  const end = peers?.share(model, router)
  if (end === undefined) return router
  const close = router.close.bind(router)
  router.close = () => {
    end()
    close()
  }
  return router
}

function connect(card: WorkerCard, planes: Planes): RemoteEngine {
  const events = remoteEvents({
    plane: planes.events,
    address: card.events,
    ranks: card.info.dpSize,
    kv: card.info.kvEvents,
    dump: async (rank) => (await engine.call('kv.dump', { rank })) as Uint8Array,
  })
  const engine: RemoteEngine = remoteEngine({ card, client: planes.connect(card.address), events })
  return engine
}

/** The card of a worker at a known address, asked of itself; what it is says its answer. */
async function askForCard(address: string, signal: AbortSignal, namespace: string, planes: Planes): Promise<Card> {
  const client = planes.connect(address)
  const engine = remoteEngine({ card: { ready: true } as WorkerCard, client, startMs: 1000 })
  const onAbort = () => client.close()
  signal.addEventListener('abort', onAbort)
  try {
    await engine.start()
    const asked = (await engine.call('card', {}, signal).catch(onlyIfRefused)) as Record<string, unknown> | undefined
    if (asked?.kind === 'encode-worker') {
      const encoder = readEncoderCard(asked)
      return { id: encoder.id, kind: 'encode-worker', namespace, body: { ...encoder } }
    }
    if (asked !== undefined) {
      const text = readWorkerCard(asked)
      return { id: text.id, kind: 'worker', namespace, body: { ...text } }
    }
    const media = readMediaCard((await remoteMaker({} as MediaCard, client).control('card', {})) as Record<string, unknown>)
    return { id: media.id, kind: 'media-worker', namespace, body: { ...media } }
  } finally {
    signal.removeEventListener('abort', onAbort)
    await engine.stop(0)
  }
}

/** A media worker refuses what is asked of text workers. */
function onlyIfRefused(thrown: unknown): undefined {
  if (toAppError(thrown).code !== 'engine_rejected') throw thrown
}

async function load(card: WorkerCard, engine: RemoteEngine, router: Router, { fleet, model }: RemoteFleetOptions) {
  const folder = await obtainModel(card.model, fleet.cacheDir, (args) => engine.call('model.file', args))
  const custom = card.model.customTemplate
  const files = await loadModelFiles(folder, {
    ...model,
    tokenizerPath: undefined,
    customTemplate: custom === undefined ? undefined : `${folder}/${custom}`,
  })
  const { names, engineTokenizes } = card.model
  return loadedModel({ names, files, info: card.info, router, engineTokenizes, migrationLimit: card.migrationLimit })
}
