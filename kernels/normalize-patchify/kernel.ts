// Pictures as the rows that a vision tower reads: normalised float32, or bytes for whoever normalises himself. reference.ts has the meaning.
import { type Call, perform } from '../perform.ts'
import { spareBytes, spareFloats } from '../spare.ts'
import { blockRows, patchRows } from './cpu.ts'
import code from './normalize-patchify.wgsl' with { type: 'text' }
import type { PatchOrder } from './reference.ts'
import { fitsWasm, patchRowsSimd } from './wasm.ts'

/**
 * `frames`: each [height, width, 3]; one, or a multiple of `temporal`. `levels`: as levels.ts gives them. Resolves to
 * [patches, 3 × temporal × patch × patch]. Rejects with a RangeError when sizes do not fit.
 */
export async function normalizePatchify(frames: readonly Uint8Array[], order: PatchOrder, levels: Float32Array): Promise<Float32Array> {
  const bytes = await perform(normalizePatchifyCall(frames, order, levels))
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

/** The same order, bytes as they are: a quarter of the size, to be normalised where they are used. */
export async function patchifyBytes(frames: readonly Uint8Array[], order: PatchOrder): Promise<Uint8Array> {
  return perform(normalizePatchifyCall(frames, order, undefined))
}

/** `into`: where the result goes; rows of blocks may then be made by several threads that share it. Its result are the bytes of what `normalizePatchify` or, without `levels`, `patchifyBytes` resolve to. */
export function normalizePatchifyCall(
  frames: readonly Uint8Array[],
  order: PatchOrder,
  levels: Float32Array | undefined,
  into?: Float32Array | Uint8Array,
): Call<Uint8Array> {
  check(frames, order)
  const { width, height, patch, merge, temporal } = order
  const groups = Math.max(1, frames.length / temporal)
  const samples = groups * width * height * 3 * temporal
  const out = into ?? (levels === undefined ? spareBytes(samples) : spareFloats(samples))
  const rows = fitsWasm(order) ? patchRowsSimd : patchRows
  return {
    kernel: levels === undefined ? 'normalize-patchify bytes' : 'normalize-patchify',
    bytes: frames.reduce((sum, frame) => sum + frame.length, 0) + out.byteLength,
    cpu: {
      units: groups * blockRows(order),
      step: (from, to) => rows(frames, order, levels, out, from, to),
      result: () => new Uint8Array(out.buffer, out.byteOffset, out.byteLength),
    },
    gpu: {
      passes: () => [
        {
          key: `normalize-patchify ${levels !== undefined}`,
          code,
          entry: levels === undefined ? 'bytes' : 'floats',
          sizes: [width, height, patch, merge, temporal, frames.length, samples],
          inputs: levels === undefined ? [together(frames)] : [together(frames), levels],
          outputBytes: Math.ceil(out.byteLength / 4) * 4,
          invocations: levels === undefined ? Math.ceil(samples / 4) : samples,
        },
      ],
      result: (bytes) => bytes.subarray(0, out.byteLength),
    },
  }
}

function together(frames: readonly Uint8Array[]): Uint8Array {
  if (frames.length === 1) return frames[0]!
  const all = new Uint8Array(frames.length * frames[0]!.length)
  for (const [i, frame] of frames.entries()) all.set(frame, i * frame.length)
  return all
}

function check(frames: readonly Uint8Array[], { width, height, patch, merge, temporal }: PatchOrder): void {
  for (const side of [width, height]) {
    if (!Number.isInteger(side / (patch * merge)) || side < 1)
      throw new RangeError(`${side} pixels are no whole blocks of ${patch * merge}`)
  }
  if (frames.length === 0 || (frames.length > 1 && frames.length % temporal !== 0)) {
    throw new RangeError(`${frames.length} frames are no whole patches of ${temporal}`)
  }
  for (const frame of frames) {
    if (frame.length !== 3 * width * height) {
      throw new RangeError(`a frame has ${frame.length} bytes, ${width}x${height} needs ${3 * width * height}`)
    }
  }
}
