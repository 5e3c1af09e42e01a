// Public: one clip to a file while its frames come. MP4 by the user's ffmpeg; without one, an animated WebP that says so.
import { AppError } from '../../lib/errors.ts'
import { frameBytes } from '../frames.ts'
import type { ClipEncoder, ClipOptions } from './clip-encoder.ts'
import { inOrder } from './in-order.ts'
import { startMp4 } from './mp4-clip.ts'
import { chooseEncoder } from './probe.ts'
import { startWebp } from './webp-clip.ts'

/** Begins a clip. The encoder is chosen (and probed, once a process) at the first frame: failures are told by `write`. */
export function startClip(options: ClipOptions): ClipEncoder {
  const size = frameBytes(options.pixels, options.width, options.height)
  return inOrder({ size, count: options.frames }, async () => {
    const choice = await chooseEncoder(options)
    if (choice.encoder !== undefined) return startMp4(options, choice.ffmpeg, choice.encoder)
    if (options.encoder !== undefined) {
      throw new AppError('encoding_failed', { message: `The video encoder ${options.encoder} cannot be used: ${choice.reason}.` })
    }
    return startWebp(options, choice.reason)
  })
}
