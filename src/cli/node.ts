// `worker --node-rank N`, N > 0: a host of a model that runs on several. Until a signal ends it.
import { log } from '../lib/log.ts'
import type { Environment } from './deployment/environment.ts'
import { workerOptions } from './deployment/process-options.ts'
import type { Settings } from './settings/settings.ts'
import { untilStopped } from './until-stopped.ts'

/** Works until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function node(settings: Settings, env: Environment): Promise<number> {
  const { openNode } = await import('../serve/worker/node.ts')
  const opened = openNode(workerOptions(settings, env))
  const { nodeRank, nnodes, distInitAddr, modelPath } = settings
  const group = { node: nodeRank, of: nnodes, group: distInitAddr }
  return untilStopped(opened, {
    open: () => log.info({ worker: opened.id, ...group, model: modelPath }, 'the node is starting'),
    ready({ rank, group: at, ranks }) {
      const told = ranks.length === 0 ? '' : `, tells the KV events of ranks ${ranks.join(', ')}`
      process.stdout.write(`Node ${rank} of ${nnodes} of ${modelPath} at ${at} works${told}\n`)
    },
  })
}
