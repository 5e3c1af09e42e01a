// What turns pixels into files, for the makers of this process: pictures by media/image, clips by media/video, previews by a kernel.
import { latentPreview } from '../../../kernels/latent-preview/kernel.ts'
import { upscale } from '../../../kernels/upscale/kernel.ts'
import { encodeImage } from '../../media/image/encode.ts'
import { startClip } from '../../media/video/clip.ts'
import { yuv420ToRgb } from '../../media/video/yuv-to-rgb.ts'
import type { Encoders } from '../../pipeline/media/maker/encoders.ts'
import type { MediaOptions } from '../options.ts'

export function mediaEncoders({ ffmpeg, encoder }: Pick<MediaOptions, 'ffmpeg' | 'encoder'>): Encoders {
  return {
    image: encodeImage,
    clip: (shape) => startClip({ ...shape, ffmpeg, ...(encoder === undefined ? {} : { encoder }) }),
    async preview(latents) {
      // A latent pixel stands for eight: half the picture's size shows all that there is to see.
      const small = await latentPreview(latents)
      const rgb = await upscale(small.rgb, small, 4, 'lanczos')
      return { rgb, width: 4 * small.width, height: 4 * small.height }
    },
    toRgb: (yuv, { width, height }) => yuv420ToRgb(yuv, width, height),
  }
}
