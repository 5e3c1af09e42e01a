// What the threads of a crew are told about a picture, and what each of them does: rows of blocks, one after another, until none is left. A row of blocks
// needs nothing of the others, so nobody waits.
import { normalizePatchifyCall } from '../../../../kernels/normalize-patchify/kernel.ts'
import type { PatchOrder } from '../../../../kernels/normalize-patchify/reference.ts'
import { resizeVisionCall } from '../../../../kernels/resize-bicubic/kernel.ts'
import type { Size } from '../../../../kernels/resize-bicubic/reference.ts'
import type { Numbers } from '../family.ts'
import type { Backend } from '../vision.ts'

/** All arrays lie in shared memory, but for `levels`. */
export interface CrewJob {
  id: number
  rgb: Uint8Array
  from: Size
  to: Size
  filter: Numbers['filter']
  backend: Backend
  resized: Uint8Array
  order: Pick<PatchOrder, 'patch' | 'merge' | 'temporal'>
  /** As `levelsOf` gives them; absent: `values` are bytes. */
  levels?: Float32Array
  values: Float32Array | Uint8Array
  /** The next row of blocks that nobody has taken. */
  next: Int32Array
}

export type CrewAnswer = { kind: 'ready' } | { kind: 'done'; id: number } | { kind: 'failed'; id: number; message: string }

export function doRows({ rgb, from, to, filter, backend, resized, order, levels, values, next }: CrewJob): void {
  const resize = resizeVisionCall(rgb, from, to, filter, backend, resized)
  const cut = normalizePatchifyCall([resize === undefined ? rgb : resized], { ...to, ...order }, levels, values)
  const height = order.patch * order.merge
  for (let row = Atomics.add(next, 0, 1); row < cut.cpu.units; row = Atomics.add(next, 0, 1)) {
    resize?.cpu.step(row * height, (row + 1) * height)
    cut.cpu.step(row, row + 1)
  }
}
