// An engine's ups and downs into the log and the metrics.
import { log } from '../../lib/log.ts'
import { engineReady, engineRestarts } from '../../lib/metrics.ts'
import type { Worker } from '../../router/workers.ts'

/** From now on, for an engine of this process. */
export function watchWorker(worker: Worker): void {
  const labels = { worker_id: worker.id }
  let wasReady = false
  engineReady.set(labels, 0)
  worker.engine.on((event) => {
    if (event.kind !== 'state') return
    engineReady.set(labels, event.ready ? 1 : 0)
    if (event.ready && wasReady) engineRestarts.inc(labels)
    wasReady ||= event.ready
    log[event.ready ? 'info' : 'warn']({ worker: worker.id, ready: event.ready }, event.reason)
  })
}
