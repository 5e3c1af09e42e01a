// Which maker of a model takes the next job.
import type { MediaMaker } from './media.ts'

/** The ready maker with the fewest jobs for each of its replicas, the earlier one of equals; undefined: none is ready. */
export function placeJob(makers: readonly MediaMaker[]): MediaMaker | undefined {
  let best: MediaMaker | undefined
  for (const maker of makers) {
    if (!maker.ready) continue
    if (best === undefined || load(maker) < load(best)) best = maker
  }
  return best
}

function load(maker: MediaMaker): number {
  return maker.pending() / Math.max(1, maker.info.replicas)
}
