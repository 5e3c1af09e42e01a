// Some of a set of workers, as a set of its own that follows it: what the pool of one role chooses from.
import type { EngineInfo } from '../engine/types.ts'
import { type Worker, type Workers, workerSet } from './workers.ts'

export interface WorkersView extends Workers {
  close(): void
}

/** The workers whose engine `accepts` takes. An engine that has not started has no facts yet: it is asked again when it is ready. */
export function viewOf(workers: Workers, accepts: (info: EngineInfo) => boolean): WorkersView {
  const view = workerSet()
  const unhear = new Map<Worker, () => void>()

  function decide(worker: Worker): void {
    const info = infoOf(worker)
    const wanted = info !== undefined && accepts(info)
    const present = view.find(worker.id) === worker
    if (wanted && !present) view.add(worker)
    else if (!wanted && present) view.remove(worker.id)
  }

  function add(worker: Worker): void {
    unhear.set(
      worker,
      worker.engine.on((event) => {
        if (event.kind === 'state' && event.ready) decide(worker)
      }),
    )
    decide(worker)
  }

  for (const worker of workers.all()) add(worker)
  const unfollow = workers.on(({ kind, worker }) => {
    if (kind === 'added') return add(worker)
    unhear.get(worker)?.()
    unhear.delete(worker)
    if (view.find(worker.id) === worker) view.remove(worker.id)
  })
  return {
    ...view,
    close() {
      unfollow()
      for (const stop of unhear.values()) stop()
      unhear.clear()
    },
  }
}

/** What an engine is, or undefined before its first start. */
export function infoOf(worker: Worker): EngineInfo | undefined {
  try {
    return worker.engine.info
  } catch {
    return undefined // Its getter throws until then.
  }
}
