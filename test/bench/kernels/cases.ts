// The calls that the kernel bench measures: sizes of images, clips and previews that the product makes.
import { floatToRgbCall } from '../../../kernels/float-to-rgb/kernel.ts'
import { floatToRgbPlain } from '../../../kernels/float-to-rgb/reference.ts'
import { latentPreviewCall } from '../../../kernels/latent-preview/kernel.ts'
import { latentPreviewPlain } from '../../../kernels/latent-preview/reference.ts'
import { normalizePatchifyCall } from '../../../kernels/normalize-patchify/kernel.ts'
import { levelsOf } from '../../../kernels/normalize-patchify/levels.ts'
import type { Call } from '../../../kernels/perform.ts'
import { resizeAcross, resizeDown } from '../../../kernels/resize/cpu.ts'
import { resizeCall } from '../../../kernels/resize/kernel.ts'
import { resizePlain, type Size } from '../../../kernels/resize/reference.ts'
import { type ResizeFilter, tapsOf } from '../../../kernels/resize/taps.ts'
import { resizeVisionCall } from '../../../kernels/resize-bicubic/kernel.ts'
import { rgbToYuv420Rows } from '../../../kernels/rgb-to-yuv420/cpu.ts'
import { rgbToYuv420Call } from '../../../kernels/rgb-to-yuv420/kernel.ts'
import { rgbToYuv420Plain, yuv420Bytes } from '../../../kernels/rgb-to-yuv420/reference.ts'
import { tilesBicubicCall } from '../../../kernels/tiles-bicubic/kernel.ts'
import { sharpenRows } from '../../../kernels/upscale/cpu.ts'
import { upscaleCall } from '../../../kernels/upscale/kernel.ts'
import { upscalePlain } from '../../../kernels/upscale/reference.ts'

export interface BenchCase {
  kernel: string
  size: string
  call(): Call<Uint8Array>
  /** Absent where it would take many seconds. */
  plain?(): Uint8Array
  /** The way of cpu.ts, where the product takes WebAssembly. */
  typed?(): Uint8Array
}

type Pair = readonly [width: number, height: number]

export function* benchCases(): Generator<BenchCase> {
  for (const [width, height] of [
    [832, 480],
    [1280, 720],
    [1920, 1080],
    [3840, 2160],
  ] as const) {
    // prettier-ignore
    const rgb = picture(width, height)
    yield {
      kernel: 'rgb-to-yuv420',
      size: `${width}x${height}`,
      call: () => rgbToYuv420Call(rgb, width, height),
      plain: () => rgbToYuv420Plain(rgb, width, height),
      typed() {
        const out = new Uint8Array(yuv420Bytes(width, height))
        rgbToYuv420Rows(rgb, width, height, out, 0, (height + 1) >> 1)
        return out
      },
    }
  }
  for (const [frames, width, height] of [
    [1, 832, 480],
    [1, 1024, 1024],
    [24, 832, 480],
  ] as const) {
    // prettier-ignore
    const planes = floats(3 * frames * width * height, 1.2, -0.1)
    yield {
      kernel: 'float-to-rgb',
      size: `${frames} of ${width}x${height}`,
      call: () => floatToRgbCall(planes, width, height, 'unit'),
      ...(frames > 1 ? {} : { plain: () => floatToRgbPlain(planes, width, height, 'unit') }),
    }
  }
  for (const [width, height] of [
    [64, 64],
    [104, 60],
    [128, 128],
    [256, 256],
  ] as const) {
    // prettier-ignore
    const latents = { family: 'flux' as const, data: floats(16 * width * height, 6, -3), channels: 16, width, height }
    yield {
      kernel: 'latent-preview',
      size: `${width}x${height}`,
      call() {
        const { cpu, gpu, ...rest } = latentPreviewCall(latents)
        return {
          ...rest,
          cpu: { ...cpu, result: () => cpu.result().rgb },
          gpu: { ...gpu, result: (bytes) => gpu.result(bytes).rgb },
        }
      },
      plain: () => latentPreviewPlain(latents).rgb,
    }
  }
  yield resizing('bicubic', [128, 128], [512, 512])
  yield resizing('lanczos', [1024, 1024], [512, 512])
  yield resizing('bicubic', [1920, 1080], [1932, 1092], false)
  yield resizing('bicubic', [3840, 2160], [1024, 576], false)
  for (const [side, factor] of [
    [512, 2],
    [1024, 2],
    [1024, 4],
  ] as const) {
    // prettier-ignore
    const rgb = picture(side, side)
    const size = { width: side, height: side }
    yield {
      kernel: 'upscale',
      size: `${side}x${side} by ${factor}`,
      call: () => upscaleCall(rgb, size, factor, 'lanczos-sharp'),
      typed() {
        const [wide, high] = [factor * side, factor * side]
        const out = new Uint8Array(3 * wide * high)
        sharpenRows(typedResize('lanczos', rgb, size, { width: wide, height: high }), wide, high, out, 0, high)
        return out
      },
      ...(side * factor > 1024 ? {} : { plain: () => upscalePlain(rgb, size, factor, 'lanczos-sharp') }),
    }
  }
  yield* visionCases()
}

/** A picture of 1080p on its way to Qwen2.5-VL, and to InternVL. */
function* visionCases(): Generator<BenchCase> {
  const [from, to] = [
    { width: 1920, height: 1080 },
    { width: 1932, height: 1092 },
  ]
  const rgb = picture(from.width, from.height)
  for (const backend of ['pil', 'tv_u8', 'tv_f32'] as const) {
    const size = `${backend} ${from.width}x${from.height} to ${to.width}x${to.height}`
    yield { kernel: 'resize-bicubic', size, call: () => resizeVisionCall(rgb, from, to, 'bicubic', backend)! }
  }
  const resized = picture(to.width, to.height)
  const order = { ...to, patch: 14, merge: 2, temporal: 2 }
  const levels = levelsOf({ mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], rescale: 1 / 255 }, 'torch')
  yield { kernel: 'normalize-patchify', size: '1932x1092', call: () => normalizePatchifyCall([resized], order, levels) }
  yield { kernel: 'normalize-patchify', size: '1932x1092 bytes', call: () => normalizePatchifyCall([resized], order, undefined) }
  const tiling = { ...from, tile: 448, rows: 2, columns: 4 }
  yield { kernel: 'tiles-bicubic', size: '1920x1080 in 2x4', call: () => tilesBicubicCall(rgb, tiling, levels) }
}

function resizing(filter: ResizeFilter, [width, height]: Pair, [newWidth, newHeight]: Pair, withPlain = true): BenchCase {
  const rgb = picture(width, height)
  const from = { width, height }
  const to = { width: newWidth, height: newHeight }
  return {
    kernel: 'resize',
    size: `${filter} ${width}x${height} to ${newWidth}x${newHeight}`,
    call: () => resizeCall(rgb, from, to, filter),
    typed: () => typedResize(filter, rgb, from, to),
    ...(withPlain ? { plain: () => resizePlain(rgb, from, to, filter) } : {}),
  }
}

function typedResize(filter: ResizeFilter, rgb: Uint8Array, from: Size, to: Size): Uint8Array {
  const wide = new Uint8ClampedArray(3 * to.width * from.height)
  const out = new Uint8ClampedArray(3 * to.width * to.height)
  resizeAcross(rgb, from.width, tapsOf(from.width, to.width, filter), wide, to.width, 0, from.height)
  resizeDown(wide, 3 * to.width, from.height, tapsOf(from.height, to.height, filter), out, 0, to.height)
  return new Uint8Array(out.buffer)
}

/** Noise over a slope: no two rows alike, nothing constant. */
function picture(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: 3 * width * height }, (_, i) => (i >> 8) + (Math.imul(i, 2654435761) >>> 26))
}

function floats(length: number, spread: number, from: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => ((Math.imul(i, 2654435761) >>> 8) / 2 ** 24) * spread + from)
}
