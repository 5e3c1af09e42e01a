// What turns pixels into files, for the makers of this process: pictures by media/image, clips by media/video, previews by a kernel.
import { latentPreview } from '../../../kernels/latent-preview/kernel.ts'
import { encodeImage } from '../../media/image/encode.ts'
import { startClip } from '../../media/video/clip.ts'
import { yuv420ToRgb } from '../../media/video/yuv-to-rgb.ts'
import type { Encoders } from '../../pipeline/media/maker/encoders.ts'
import type { MediaOptions } from '../options.ts'

export function mediaEncoders({ ffmpeg, encoder }: Pick<MediaOptions, 'ffmpeg' | 'encoder'>): Encoders {
  return {
    image: encodeImage,
    clip: (shape) => startClip({ ...shape, ffmpeg, ...(encoder === undefined ? {} : { encoder }) }),
    preview: latentPreview,
    toRgb: (yuv, { width, height }) => yuv420ToRgb(yuv, width, height),
  }
}
