// What a store drops: what is too old, and the oldest of the rest until it fits. Pure; the stores list and remove.

export interface Kept {
  path: string
  bytes: number
  modifiedMs: number
}

export interface RetentionLimits {
  maxBytes: number | undefined
  maxAgeMs: number | undefined
}

/** The paths to remove, oldest first. */
export function toDrop(files: readonly Kept[], limits: RetentionLimits, now: number): string[] {
  const oldestFirst = files.toSorted((a, b) => a.modifiedMs - b.modifiedMs || (a.path < b.path ? -1 : 1))
  let left = oldestFirst.reduce((sum, { bytes }) => sum + bytes, 0)
  const dropped: string[] = []
  for (const { path, bytes, modifiedMs } of oldestFirst) {
    const old = limits.maxAgeMs !== undefined && now - modifiedMs > limits.maxAgeMs
    const tooMuch = limits.maxBytes !== undefined && left > limits.maxBytes
    if (!old && !tooMuch) break
    dropped.push(path)
    left -= bytes
  }
  return dropped
}

/** Removes one after the other; one that cannot be removed does not keep the rest. Rejects with the first failure at the end. */
export async function dropAll(paths: readonly string[], remove: (path: string) => Promise<unknown>): Promise<void> {
  const failures: unknown[] = []
  for (const path of paths) await remove(path).catch((thrown: unknown) => failures.push(thrown))
  if (failures.length > 0) throw failures[0]
}
