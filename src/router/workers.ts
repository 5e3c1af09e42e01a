// The workers of one model, as they come and go: what a router chooses from.
import type { Engine } from '../engine/engine.ts'

export interface Worker {
  /** Unique among all workers of the deployment; what x-worker-id shows. */
  readonly id: string
  readonly engine: Engine
}

export type WorkerChange = { kind: 'added' | 'removed'; worker: Worker }

export interface Workers {
  all(): readonly Worker[]
  find(id: string): Worker | undefined
  /** Replaces a worker of the same id. */
  add(worker: Worker): void
  remove(id: string): void
  on(listener: (change: WorkerChange) => void): () => void
}

export function workerSet(): Workers {
  const byId = new Map<string, Worker>()
  const listeners = new Set<(change: WorkerChange) => void>()
  let list: readonly Worker[] = []
  const tell = (change: WorkerChange) => {
    list = [...byId.values()]
    for (const listener of listeners) listener(change)
  }

  function remove(id: string): void {
    const worker = byId.get(id)
    if (worker === undefined) return
    byId.delete(id)
    tell({ kind: 'removed', worker })
  }

  return {
    all: () => list,
    find: (id) => byId.get(id),
    add(worker) {
      remove(worker.id)
      byId.set(worker.id, worker)
      tell({ kind: 'added', worker })
    },
    remove,
    on(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
