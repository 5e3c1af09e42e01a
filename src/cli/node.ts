// `worker --node-rank N`, N > 0: a host of a model that runs on several. Until a signal ends it.
import { log } from '../lib/log.ts'
import { onSignals } from '../serve/lifecycle.ts'
import type { Environment } from './deployment/environment.ts'
import { workerOptions } from './deployment/process-options.ts'
import type { Settings } from './settings/settings.ts'

/** Works until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function node(settings: Settings, env: Environment): Promise<number> {
  const { openNode } = await import('../serve/worker/node.ts')
  const process_ = openNode(workerOptions(settings, env))
  const { id, lifecycle } = process_
  const unsignal = onSignals(lifecycle, () => process_.kill())
  const { nodeRank, nnodes, distInitAddr, modelPath } = settings
  log.info({ worker: id, node: nodeRank, of: nnodes, group: distInitAddr, model: modelPath }, 'the node is starting')
  try {
    const started = await Promise.race([process_.start(), lifecycle.stopped])
    if (started !== undefined && lifecycle.state === 'ready') {
      const told = started.ranks.length === 0 ? '' : `, tells the KV events of ranks ${started.ranks.join(', ')}`
      process.stdout.write(`Node ${started.rank} of ${nnodes} of ${modelPath} at ${started.group} works${told}\n`)
    }
  } catch (error) {
    if (lifecycle.state === 'starting') throw error
  }
  await lifecycle.stopped
  unsignal()
  return 0
}
