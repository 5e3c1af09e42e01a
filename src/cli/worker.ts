// `worker`: an engine that frontends elsewhere use. Until a signal ends it.
import { log } from '../lib/log.ts'
import { onSignals } from '../serve/lifecycle.ts'
import type { Environment } from './deployment/environment.ts'
import { workerOptions } from './deployment/process-options.ts'
import type { Settings } from './settings/settings.ts'

/** Works until stopped; resolves with the exit code. Rejects with a start-up AppError. */
export async function worker(settings: Settings, env: Environment): Promise<number> {
  log.level = settings.logLevel
  for (const notice of settings.notices) log.warn(notice)
  if (settings.nodeRank > 0) return (await import('./node.ts')).node(settings, env)
  const { openWorker } = await import('../serve/worker/worker.ts')
  const process_ = openWorker(workerOptions(settings, env))
  const { id, lifecycle } = process_
  const unsignal = onSignals(lifecycle, () => process_.kill())
  const { discoveryBackend: discovery, fileKv, namespace } = settings
  log.info({ worker: id, engine: settings.engine, model: settings.modelPath }, 'the engine is starting')
  try {
    const started = await Promise.race([process_.start(), lifecycle.stopped])
    if (started !== undefined && lifecycle.state === 'ready') {
      const { card } = started
      log.info({ worker: id, address: card.address, events: card.events, discovery, namespace }, 'worker is ready')
      const where = discovery === 'file' ? `file discovery in ${fileKv}` : `${discovery} discovery`
      process.stdout.write(`Worker ${id} serves ${card.model.names[0]} at ${card.address} (${where}, namespace ${namespace})\n`)
    }
  } catch (error) {
    if (lifecycle.state === 'starting') throw error
  }
  await lifecycle.stopped
  unsignal()
  return 0
}
