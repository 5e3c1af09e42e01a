// What a picture would look like from its latents, without the VAE: one multiplication by a 16x3 matrix for each latent pixel.
import { factorsOf, type LatentFamily } from './factors.ts'

/** The shape that the diffusion engine tells (src/engine/diffusion/diffusion.ts, Latents). */
export interface LatentPicture {
  family: LatentFamily
  /** [channels, height, width], normalised as the model has them. */
  data: Float32Array
  channels: number
  width: number
  height: number
}

export interface Preview {
  /** [height, width, 3] */
  rgb: Uint8Array
  width: number
  height: number
}

/** One pixel for each latent pixel: an eighth of the picture's size each way. NaN is black. */
export function latentPreviewPlain({ family, data, channels, width, height }: LatentPicture): Preview {
  const { factors, bias } = factorsOf[family]
  const rgb = new Uint8Array(3 * width * height)
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let color = 0; color < 3; color++) {
      let sum = bias[color]!
      for (let channel = 0; channel < channels; channel++) sum += data[channel * width * height + pixel]! * factors[channel]![color]!
      const unit = Math.min(Math.max(sum / 2 + 0.5, 0), 1)
      rgb[3 * pixel + color] = Number.isNaN(unit) ? 0 : Math.round(unit * 255)
    }
  }
  return { rgb, width, height }
}
