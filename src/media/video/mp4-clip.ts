// A clip as MP4: frames become BT.709 YUV here and go to ffmpeg one by one.
import { rgbToYuv420 } from '../../../kernels/rgb-to-yuv420/kernel.ts'
import type { ClipOptions } from './clip-encoder.ts'
import { even, ffmpegArguments, type VideoEncoder } from './encoders.ts'
import { startFfmpeg } from './ffmpeg-process.ts'
import type { OneByOne } from './in-order.ts'
import { padToEven } from './pad.ts'

/** Throws like startFfmpeg. An odd size grows by a repeated column or row: cropping would lose pixels, scaling would change them all. */
export function startMp4(options: ClipOptions, ffmpeg: string, encoder: VideoEncoder): OneByOne {
  const shape = { width: even(options.width), height: even(options.height), fps: options.fps }
  const odd = shape.width !== options.width || shape.height !== options.height
  const child = startFfmpeg({
    program: ffmpeg,
    encoder: encoder.name,
    arguments: (output) => ffmpegArguments(shape, encoder, output),
  })
  let frames = 0
  return {
    async write(frame) {
      const yuv =
        options.pixels === 'yuv420p'
          ? frame
          : await rgbToYuv420(odd ? padToEven(frame, options.width, options.height) : frame, shape.width, shape.height)
      await child.write(yuv)
      frames++
    },
    async finish() {
      const bytes = await child.finish()
      return {
        bytes,
        contentType: 'video/mp4',
        extension: 'mp4',
        width: shape.width,
        height: shape.height,
        frames,
        encoder: encoder.name,
        ...(odd && { note: `the file is ${shape.width}x${shape.height}: video needs even sizes, so the last column or row is repeated` }),
      }
    },
    abort: child.abort,
  }
}
