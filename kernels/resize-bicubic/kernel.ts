// Pictures in the size that a vision model wants, to the bit as its processor makes them. reference.ts has the meaning.
import type { Pass } from '../../src/gpu/run.ts'
import { type Call, perform } from '../perform.ts'
import { spareBytes } from '../spare.ts'
import type { Size } from './reference.ts'
import code from './resize-bicubic.wgsl' with { type: 'text' }
import { downFirst, type ResizeBackend, type Taps, tapsOf, type VisionFilter } from './taps.ts'
import { jobOf, resizeRows } from './wasm.ts'

/**
 * `rgb`: [from.height, from.width, 3]. Resolves to [to.height, to.width, 3], to `rgb` itself where the size is the same. Rejects with a RangeError when sizes
 * do not fit.
 */
export async function resizeVision(
  rgb: Uint8Array,
  from: Size,
  to: Size,
  filter: VisionFilter,
  backend: ResizeBackend,
): Promise<Uint8Array> {
  const call = resizeVisionCall(rgb, from, to, filter, backend)
  return call === undefined ? rgb : perform(call)
}

/** Undefined where nothing changes. `into`: where the new picture goes; rows may then be made by several threads that share it. */
export function resizeVisionCall(
  rgb: Uint8Array,
  from: Size,
  to: Size,
  filter: VisionFilter,
  backend: ResizeBackend,
  into?: Uint8Array,
): Call<Uint8Array> | undefined {
  check(rgb, from, to)
  if (from.width === to.width && from.height === to.height) return undefined
  const x = axisTaps(from.width, to.width, filter, backend)
  const y = axisTaps(from.height, to.height, filter, backend)
  const first = downFirst(from, to, backend)
  const job = jobOf(rgb, from, to, first, x, y)
  const out = into ?? spareBytes(3 * to.width * to.height)
  return {
    kernel: `resize-bicubic ${filter} ${backend}`,
    bytes: rgb.length + out.length,
    cpu: { units: to.height, step: (start, end) => resizeRows(job, out, start, end), result: () => out },
    gpu: { passes: () => resizePasses(rgb, from, to, first, x, y), result: (bytes) => bytes.subarray(0, out.length) },
  }
}

/** Undefined where the side stays. In float32 it then has taps that change nothing, as the passes come in pairs. */
function axisTaps(from: number, to: number, filter: VisionFilter, backend: ResizeBackend): Taps | undefined {
  return from === to && backend !== 'tv_f32' ? undefined : tapsOf(from, to, filter, backend)
}

/** What a pass reads and writes on the device: packed bytes, or between the passes of `tv_f32` floats. */
function resizePasses(rgb: Uint8Array, from: Size, to: Size, downFirst: boolean, x: Taps | undefined, y: Taps | undefined): Pass[] {
  const passes: Pass[] = []
  let now = from
  for (const axis of downFirst ? (['y', 'x'] as const) : (['x', 'y'] as const)) {
    const taps = axis === 'x' ? x : y
    if (taps === undefined) continue
    const next = axis === 'x' ? { width: to.width, height: now.height } : { width: now.width, height: to.height }
    const floats = taps.bits === 0
    const floatOut = floats && axis === 'x'
    const samples = 3 * next.width * next.height
    const words = floatOut ? samples : Math.ceil(samples / 4)
    passes.push({
      key: `resize-bicubic ${axis} ${floats}`,
      code,
      entry: floats ? 'floats' : 'bytes',
      constants: { down: axis === 'y' ? 1 : 0 },
      sizes: [now.width, next.width, taps.count, samples, taps.bits],
      inputs: [passes.length === 0 ? rgb : passes.length - 1, taps.first, taps.weights],
      outputBytes: 4 * words,
      invocations: words,
    })
    now = next
  }
  return passes
}

function check(rgb: Uint8Array, from: Size, to: Size): void {
  for (const side of [from.width, from.height, to.width, to.height]) {
    if (!Number.isInteger(side) || side < 1) throw new RangeError(`a picture cannot be ${side} wide or high`)
  }
  if (rgb.length !== 3 * from.width * from.height) {
    throw new RangeError(`rgb has ${rgb.length} bytes, ${from.width}x${from.height} needs ${3 * from.width * from.height}`)
  }
}
