// How long nobody can take a request: one that comes while the last worker is only silent for a moment, or about to be replaced, may wait for it.
import type { Clock } from './clock.ts'
import type { Worker, Workers } from './workers.ts'

export interface Absence {
  /** ms since some worker could; 0: one can now; Infinity: none ever could. */
  ms(): number
  close(): void
}

/** Follows `workers` until `close`; `ready`: some of them can take a request now. */
export function watchAbsence(workers: Workers, ready: () => boolean, clock: Clock): Absence {
  const unhear = new Map<Worker, () => void>()
  let since = Number.NEGATIVE_INFINITY
  let was = ready()
  const look = () => {
    const is = ready()
    if (was && !is) since = clock.now()
    was = is
  }
  const add = (worker: Worker) =>
    unhear.set(
      worker,
      worker.engine.on(({ kind }) => kind === 'state' && look()),
    )
  for (const worker of workers.all()) add(worker)
  const unfollow = workers.on(({ kind, worker }) => {
    if (kind === 'added') add(worker)
    else {
      unhear.get(worker)?.()
      unhear.delete(worker)
    }
    look()
  })
  return {
    ms() {
      look()
      return was ? 0 : clock.now() - since
    },
    close() {
      unfollow()
      for (const end of unhear.values()) end()
      unhear.clear()
    },
  }
}
