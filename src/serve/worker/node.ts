// `worker --node-rank N`, N > 0: this host's part of a model that runs on several. No requests come here; KV events and metrics go out.
import type { Discovery } from '../../discovery/discovery.ts'
import { sglangNode } from '../../engine/sglang/node/engine.ts'
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import type { Worker } from '../../router/workers.ts'
import type { Planes } from '../fleet/planes.ts'
import { createLifecycle, type Lifecycle } from '../lifecycle.ts'
import { sglangOptions } from '../make-engine.ts'
import type { WorkerOptions } from '../options.ts'
import { hostNode } from './node-card.ts'
import { joinFleet, startOrStop } from './start.ts'
import { watchWorker } from './watch-worker.ts'
import { startSystem } from './worker-system.ts'

export interface NodeProcess {
  readonly id: string
  readonly lifecycle: Lifecycle
  /** Resolves when all nodes of the model have met; `ranks`: those that tell KV events from here. Rejects after everything was stopped again. */
  start(): Promise<{ rank: number; group: string; ranks: number[] }>
  /** Ends every child process at once, for a second signal. */
  kill(): void
}

/** Opens the system port, if one is set. Throws AppError `port_in_use`, and `invalid_setting` when the options are not a node's. */
export function openNode(options: WorkerOptions): NodeProcess {
  const { id, engine, fleet } = options
  if (engine.kind !== 'sglang' || engine.nodes === undefined)
    throw new AppError('invalid_setting', { message: 'Only an SGLang engine runs on several hosts.', param: '--node-rank' })
  const { rank, group } = engine.nodes
  const node = sglangNode(sglangOptions(engine, `node ${rank}`))
  const workers: Worker[] = []
  const parts: { planes?: Planes; discovery?: Discovery; hosted?: { close(): Promise<void> } } = {}
  const lifecycle = createLifecycle({
    graceMs: options.graceMs,
    drainMs: options.drainMs,
    // Requests run on all nodes until the first one, which drains, ends them together.
    inFlight: () => (node.ready ? 1 : 0),
    async leaving() {
      node.retire()
      if (node.ready) log.info('waiting for the first node to end the model; a second signal ends this node at once')
    },
    stop,
  })
  const system = startSystem(options, workers, lifecycle, false)

  async function stop(): Promise<void> {
    await parts.hosted?.close()
    await parts.discovery?.close()
    await node.stop()
    await parts.planes?.close()
    await system?.stop(true)
  }

  /** Only where this node has something to tell: with tensor parallelism alone the first node tells all. */
  async function show(): Promise<void> {
    const { backend } = fleet.discovery
    if (backend === 'static' || backend === 'mem')
      return log.warn(
        { ranks: node.ranks },
        `${backend} discovery: the first node cannot find this one, so the KV events of its ranks are not told`,
      )
    const { planes, discovery } = await joinFleet(parts, fleet, lifecycle)
    parts.hosted = await hostNode({ id, node, rank, group, namespace: fleet.namespace }, planes, discovery)
    lifecycle.goOn()
  }

  async function start(): Promise<{ rank: number; group: string; ranks: number[] }> {
    const worker = { id, engine: node }
    watchWorker(worker)
    workers.push(worker)
    await node.start()
    const { ranks } = node
    if (ranks.length > 0) await show()
    return { rank, group, ranks }
  }

  return {
    id,
    lifecycle,
    start: () => startOrStop(lifecycle, start, stop),
    kill() {
      void node.stop()
    },
  }
}
