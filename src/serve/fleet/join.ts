// How `serve` takes part in a fleet: its engines are shown to other frontends, and workers of other processes join its router.

import { isLeading } from '../../engine/sglang/node/leading.ts'
import type { ModelRegistry } from '../../pipeline/model.ts'
import type { ModelRouter } from '../../router/create.ts'
import type { Worker, Workers } from '../../router/workers.ts'
import type { FleetOptions, ServeOptions } from '../options.ts'
import type { Encoders } from '../vision/encoders.ts'
import { type Hosted, hostWorker } from '../worker/host-worker.ts'
import { followNodes } from '../worker/node-card.ts'
import { loadedModel, type ModelParts } from './loaded-model.ts'
import { openRemoteFleet, sharedRouter } from './remote-fleet.ts'

export interface Joined {
  /** Workers elsewhere. */
  others(): readonly Worker[]
  /** Takes our engines out of others' sight. */
  withdraw(): Promise<void>
  close(): Promise<void>
}

/** Adds the model to the registry, and everything that discovery finds. `workers` are those of our own model, `own` our engines, `encoders` those of their pictures. */
export async function joinFleet(
  options: ServeOptions & { fleet: FleetOptions },
  model: ModelParts & { router: ModelRouter },
  workers: Workers,
  own: readonly Worker[],
  models: ModelRegistry,
  encoders?: Encoders,
): Promise<Joined> {
  const remote = await openRemoteFleet(options, models)
  const hosted: Hosted[] = []
  const nodes: { close(): Promise<void> }[] = []
  const close = async () => {
    await Promise.all(nodes.map((one) => one.close()))
    await Promise.all(hosted.map((one) => one.close()))
    await remote.close()
  }
  try {
    const { fleet, planes, discovery, peers } = remote
    const id = model.names[0]!
    const router = sharedRouter(model.router, id, peers)
    const loaded = loadedModel({ ...model, router })
    models.add(loaded)
    const { endpoint, migrationLimit } = options
    const { namespace } = options.fleet
    for (const { id, engine } of own) {
      const parts = { id, engine, names: model.names, files: model.files, model: options.model, endpoint, namespace, migrationLimit }
      hosted.push(await hostWorker(parts, planes, discovery))
      if (isLeading(engine)) nodes.push(await followNodes(engine, options.engine, planes, discovery, namespace))
    }
    fleet.adopt(id, { workers, router, files: hosted[0]!.card.model.files, own: new Set(own.map((worker) => worker.id)), model: loaded })
    await remote.watch(encoders?.follow(planes.connect).change)
  } catch (error) {
    await close()
    throw error
  }
  return {
    others: () => remote.fleet.workers().filter((worker) => !workers.all().includes(worker)),
    async withdraw() {
      await Promise.all(hosted.map((one) => one.withdraw()))
    },
    close,
  }
}
