// Previews of pictures that are still being made. reference.ts has the meaning, factors.ts the numbers and where they come from.
import { type Call, perform } from '../perform.ts'
import { latentPreviewRows } from './cpu.ts'
import { type Factors, factorsOf, type LatentFamily } from './factors.ts'
import code from './latent-preview.wgsl' with { type: 'text' }
import type { LatentPicture, Preview } from './reference.ts'

/** One pixel for each latent pixel, an eighth of the picture's size. Rejects with a RangeError when shape and family do not fit. */
export async function latentPreview(latents: LatentPicture): Promise<Preview> {
  return perform(latentPreviewCall(latents))
}

export function latentPreviewCall(latents: LatentPicture): Call<Preview> {
  const { family, data, channels, width, height } = latents
  const wanted = factorsOf[family].factors.length
  if (channels !== wanted) throw new RangeError(`latents of ${family} have ${wanted} channels, these ${channels}`)
  const pixels = width * height
  if (data.length !== channels * pixels) {
    throw new RangeError(`latents have ${data.length} values, ${channels}x${height}x${width} needs ${channels * pixels}`)
  }
  const quads = Math.ceil(pixels / 4)
  const rgb = new Uint8ClampedArray(3 * pixels)
  return {
    kernel: 'latent-preview',
    bytes: data.byteLength + 3 * pixels,
    cpu: {
      units: height,
      step: (from, to) => latentPreviewRows(latents, rgb, from, to),
      result: () => ({ rgb: new Uint8Array(rgb.buffer), width, height }),
    },
    gpu: {
      passes: () => [
        {
          key: `latent-preview ${channels}`,
          code,
          constants: { channels },
          sizes: [pixels],
          inputs: [data, tableOf(family)],
          outputBytes: 12 * quads,
          invocations: quads,
        },
      ],
      result: (bytes) => ({ rgb: bytes.subarray(0, 3 * pixels), width, height }),
    },
  }
}

/** Factors, then the bias, as the shader reads them. */
function tableOf(family: LatentFamily): Float32Array {
  const { factors, bias }: Factors = factorsOf[family]
  return Float32Array.from([...factors.flat(), ...bias])
}
