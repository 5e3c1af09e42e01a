// When a picture is worth a crew: many cores, a large picture, and one canvas cut into small patches.
import { availableParallelism } from 'node:os'
import type { Size } from '../../../../kernels/resize-bicubic/reference.ts'
import type { Numbers, Part } from '../family.ts'
import type { Backend } from '../vision.ts'
import { Crew, type Made } from './crew.ts'

/** Below this handing out takes as long as it saves. */
const worthPixels = 400_000
/** More find the memory busy. */
const mostThreads = 16
const fewestCores = 4

let crew: Crew | undefined
let threads = availableParallelism() < fewestCores ? 0 : Math.min(availableParallelism(), mostThreads)

/**
 * How many threads; 0: none. For tests and benches, who may wait until they run; by itself as many as there are cores, and none where they are few.
 */
export async function useThreads(count: number): Promise<void> {
  crew?.stop()
  threads = count
  crew = count === 0 ? undefined : new Crew(count)
  await crew?.ready()
}

/** Undefined where a crew is not worth it, or there is none any more. */
export async function byCrew(
  rgb: Uint8Array,
  size: Size,
  parts: readonly Part[],
  numbers: Numbers,
  backend: Backend,
  levels: Float32Array | undefined,
): Promise<Made | undefined> {
  const [part] = parts
  if (threads === 0 || parts.length !== 1 || part === undefined || numbers.tiled) return undefined
  const { resized, canvas } = part
  if (resized !== canvas || Math.max(size.width * size.height, canvas.width * canvas.height) < worthPixels) return undefined
  crew ??= new Crew(threads)
  // Threads take longer to start than a picture takes without them.
  if (crew.isBroken) threads = 0
  if (!crew.isReady || crew.isBroken) return undefined
  try {
    return await crew.prepare(rgb, size, canvas, numbers, backend, levels)
  } catch {
    // It has told why; this picture and all others are prepared without it.
    return undefined
  }
}
