// Previews of pictures that are still being made. reference.ts has the meaning, factors.ts the numbers and where they come from.
import { latentPreviewCpu } from './cpu.ts'
import { factorsOf } from './factors.ts'
import type { LatentPicture, Preview } from './reference.ts'

/** One pixel for each latent pixel. Throws a RangeError when shape and family do not fit. */
export async function latentPreview(latents: LatentPicture): Promise<Preview> {
  const { family, data, channels, width, height } = latents
  const wanted = factorsOf[family].factors.length
  if (channels !== wanted) throw new RangeError(`latents of ${family} have ${wanted} channels, these ${channels}`)
  if (data.length !== channels * width * height) {
    throw new RangeError(`latents have ${data.length} values, ${channels}x${height}x${width} needs ${channels * width * height}`)
  }
  return latentPreviewCpu(latents)
}
