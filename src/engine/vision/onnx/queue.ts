// Which pictures go to the tower together: a pure step over what waits.

export interface Waiting {
  grid: readonly [number, number, number]
  patches: number
}

export interface BatchRules {
  /** Patches of a batch of more than one picture. */
  batchPatches: number
  /** False: one at a time. */
  stack: boolean
}

/**
 * Indices of the next batch, ascending: the picture that has waited longest, and with it those of the same grid, as long as all fit. Only frames of one
 * size can be stacked without a mask between them, and without one the bytes of a picture do not depend on its company.
 */
export function nextBatch(waiting: readonly Waiting[], { batchPatches, stack }: BatchRules): number[] {
  const first = waiting[0]
  if (first === undefined) return []
  const batch = [0]
  let patches = first.patches
  for (let i = 1; stack && i < waiting.length; i++) {
    const { grid, patches: more } = waiting[i]!
    if (grid.some((side, axis) => side !== first.grid[axis]) || patches + more > batchPatches) continue
    batch.push(i)
    patches += more
  }
  return batch
}
