// The product's encoders for a maker: pictures by media/image, clips by media/video, previews by kernels/.
import { latentPreview } from '../../../../kernels/latent-preview/kernel.ts'
import { encodeImage } from '../../../media/image/encode.ts'
import { startClip } from '../../../media/video/clip.ts'
import { yuv420ToRgb } from '../../../media/video/yuv-to-rgb.ts'
import type { Encoders } from './encoders.ts'

export interface MediaEncodersOptions {
  /** The program; absent: `ffmpeg` of the PATH; null: do without, clips become animated WebP. */
  ffmpeg?: string | null
  /** The only video encoder to use, by ffmpeg's name. */
  encoder?: string
  /** For ffmpeg's output; absent: the system's folder for temporary files. */
  tempFolder?: string
}

export function mediaEncoders(options: MediaEncodersOptions = {}): Encoders {
  return {
    image: encodeImage,
    clip: (shape) => startClip({ ...shape, ...options }),
    preview: latentPreview,
    toRgb: (yuv, { width, height }) => yuv420ToRgb(yuv, width, height),
  }
}
