// Shows a running engine to frontends elsewhere: a port that answers for it, its events published, and last its card, so that nobody finds it too early.
import type { Discovery } from '../../discovery/discovery.ts'
import type { Engine } from '../../engine/engine.ts'
import type { ModelCard, WorkerCard } from '../../engine/remote/card.ts'
import { hostEngine } from '../../engine/remote/host.ts'
import { publishEvents } from '../../engine/remote/kv-publish.ts'
import { toAppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { Planes } from '../fleet/planes.ts'
import type { ModelFiles } from '../load-model.ts'
import type { ModelOptions } from '../options.ts'
import { shareModel } from './model-share.ts'

export interface HostedParts {
  /** Unique in the deployment, another for each life. */
  id: string
  engine: Engine
  /** The first is the id. */
  names: readonly string[]
  files: ModelFiles
  model: ModelOptions
  endpoint: string
  namespace: string
  migrationLimit: number
}

export interface Hosted {
  readonly card: WorkerCard
  /** Out of sight: no frontend sends anything new; what runs goes on. */
  withdraw(): Promise<void>
  close(): Promise<void>
}

/** The engine has started; it stays the caller's. What was opened is closed again when a later step rejects. */
export async function hostWorker(parts: HostedParts, planes: Planes, discovery: Discovery): Promise<Hosted> {
  const { id, engine, namespace } = parts
  const share = await shareModel(parts.files.folder, parts.files.textFolder, parts.model.customTemplate)
  const publisher = await planes.events.publisher(id)
  const published = publishEvents(engine, (message) => publisher.publish(message))
  const cardNow = (): WorkerCard => ({ ...card, info: engine.info, ready: engine.ready })
  const calls = {
    card: async () => cardNow(),
    'kv.dump': async ({ rank }: Record<string, unknown>) => published.dump(Number(rank)),
    'model.file': share.read,
  }
  const quiet = () => {
    published.close()
    publisher.close()
  }
  const server = await planes.serve(hostEngine(engine, { calls })).catch((error) => {
    quiet()
    throw error
  })
  const card: WorkerCard = {
    id,
    endpoint: parts.endpoint,
    address: server.address,
    events: publisher.address,
    model: modelCard(parts, share.files, share.customTemplate),
    info: engine.info,
    ready: engine.ready,
    migrationLimit: parts.migrationLimit,
    startedAt: Date.now(),
  }
  const announcement = await discovery.announce({ id, kind: 'worker', namespace, body: { ...card } }).catch(async (error) => {
    await server.close()
    quiet()
    throw error
  })
  let shown = true
  const renew = () => {
    announcement
      .update({ ...cardNow() })
      .catch((error) => log.warn({ worker: id, reason: toAppError(error).message }, 'the change of state could not be announced'))
  }
  const off = engine.on((event) => {
    if (event.kind === 'state' && shown) renew()
  })
  // It may have failed while discovery was told of it.
  if (engine.ready !== card.ready) renew()
  const withdraw = () => {
    shown = false
    return announcement.withdraw()
  }
  return {
    card,
    withdraw,
    async close() {
      await withdraw()
      off()
      await server.close()
      quiet()
    },
  }
}

function modelCard({ names, model, engine }: HostedParts, files: ModelCard['files'], customTemplate: string | undefined): ModelCard {
  const { info } = engine
  return {
    names,
    path: model.path ?? info.modelPath,
    files,
    contextLength: info.contextLength,
    isEmbedding: info.isEmbedding,
    engineTokenizes: model.engineTokenizes,
    ...(customTemplate === undefined ? {} : { customTemplate }),
  }
}
