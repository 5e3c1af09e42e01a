// Pictures in the size that a vision model wants, to the bit as its processor makes them. reference.ts has the meaning.
import type { Pass } from '../../src/gpu/run.ts'
import { type Call, perform } from '../perform.ts'
import { across, down, type Samples } from './cpu.ts'
import type { Size } from './reference.ts'
import code from './resize-bicubic.wgsl' with { type: 'text' }
import { downFirst, type ResizeBackend, type Taps, tapsOf, type VisionFilter } from './taps.ts'

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

/** One axis that changes. */
interface Step {
  axis: 'x' | 'y'
  from: Size
  to: Size
  taps: Taps
}

/** Undefined where nothing changes. */
export function resizeVisionCall(
  rgb: Uint8Array,
  from: Size,
  to: Size,
  filter: VisionFilter,
  backend: ResizeBackend,
): Call<Uint8Array> | undefined {
  check(rgb, from, to)
  const steps = stepsOf(from, to, filter, backend)
  if (steps.length === 0) return undefined
  const outputs = steps.map(({ to: size }, i) => {
    const samples = 3 * size.width * size.height
    return backend === 'tv_f32' && i < steps.length - 1 ? new Float32Array(samples) : new Uint8ClampedArray(samples)
  })
  const out = outputs.at(-1)!
  return {
    kernel: `resize-bicubic ${filter} ${backend}`,
    bytes: rgb.length + out.length,
    cpu: {
      units: steps.reduce((rows, step) => rows + step.to.height, 0),
      step(start, end) {
        let before = 0
        for (const [i, step] of steps.entries()) {
          const [first, last] = [Math.max(start - before, 0), Math.min(end - before, step.to.height)]
          if (first < last) rowsOf(step, i === 0 ? rgb : outputs[i - 1]!, outputs[i]!, first, last)
          before += step.to.height
        }
      },
      result: () => new Uint8Array(out.buffer),
    },
    gpu: { passes: () => resizePasses(rgb, steps, backend), result: (bytes) => bytes.subarray(0, out.length) },
  }
}

function stepsOf(from: Size, to: Size, filter: VisionFilter, backend: ResizeBackend): Step[] {
  const steps: Step[] = []
  let now = from
  for (const axis of downFirst(from, to, backend) ? (['y', 'x'] as const) : (['x', 'y'] as const)) {
    const side = axis === 'x' ? 'width' : 'height'
    if (now[side] === to[side]) continue
    const next = { width: now.width, height: now.height, [side]: to[side] }
    steps.push({ axis, from: now, to: next, taps: tapsOf(now[side], to[side], filter, backend) })
    now = next
  }
  return steps
}

function rowsOf({ axis, from, to, taps }: Step, source: Samples, out: Samples, first: number, last: number): void {
  if (axis === 'x') across(source, from.width, taps, out, to.width, first, last)
  else down(source, 3 * to.width, taps, out, first, last)
}

/** The steps on the device: each reads packed bytes or, between the steps of `tv_f32`, floats. */
function resizePasses(rgb: Uint8Array, steps: readonly Step[], backend: ResizeBackend): Pass[] {
  return steps.map(({ axis, from, to, taps }, i) => {
    const floatIn = backend === 'tv_f32' && i > 0
    const floatOut = backend === 'tv_f32' && i < steps.length - 1
    const samples = 3 * to.width * to.height
    const words = floatOut ? samples : Math.ceil(samples / 4)
    return {
      key: `resize-bicubic ${axis} ${backend} ${floatIn} ${floatOut}`,
      code,
      entry: backend === 'tv_f32' ? 'floats' : 'bytes',
      constants: { down: axis === 'y' ? 1 : 0, ...(backend === 'tv_f32' ? { floatIn: floatIn ? 1 : 0, floatOut: floatOut ? 1 : 0 } : {}) },
      sizes: [from.width, to.width, taps.count, samples, taps.bits],
      inputs: [i === 0 ? rgb : i - 1, taps.first, taps.weights],
      outputBytes: 4 * words,
      invocations: words,
    }
  })
}

function check(rgb: Uint8Array, from: Size, to: Size): void {
  for (const side of [from.width, from.height, to.width, to.height]) {
    if (!Number.isInteger(side) || side < 1) throw new RangeError(`a picture cannot be ${side} wide or high`)
  }
  if (rgb.length !== 3 * from.width * from.height) {
    throw new RangeError(`rgb has ${rgb.length} bytes, ${from.width}x${from.height} needs ${3 * from.width * from.height}`)
  }
}
