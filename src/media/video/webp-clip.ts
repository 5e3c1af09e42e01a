// A clip as an animated WebP, where there is no ffmpeg: every frame is a picture of its own, encoded as it comes.
import { availableParallelism } from 'node:os'
import { AppError } from '../../lib/errors.ts'
import { encodeImage } from '../image/encode.ts'
import type { ClipOptions } from './clip-encoder.ts'
import type { OneByOne } from './in-order.ts'
import { webpAnimation } from './webp-animation.ts'
import { yuv420ToRgb } from './yuv-to-rgb.ts'

/** WebP's format has 14 bits for a side. */
const longestSide = 16383

/** Frames that are encoded side by side; each is a copy in memory until it is done. */
const atOnce = Math.max(1, Math.min(4, availableParallelism()))

/** `reason`: why it is no MP4, for the note. Throws `encoding_failed` for sizes that WebP cannot have. */
export function startWebp(options: ClipOptions, reason: string): OneByOne {
  const { width, height, fps } = options
  if (Math.max(width, height) > longestSide) {
    throw new AppError('encoding_failed', { message: `${reason}, and WebP has at most ${longestSide} pixels a side` })
  }
  const stills: Uint8Array[] = []
  const running = new Set<Promise<void>>()
  let frames = 0
  let failure: unknown
  let abandoned = false

  const encode = async (rgb: Uint8Array, index: number) => {
    try {
      const still = await encodeImage(rgb, { width, height }, { type: 'webp', compression: 85 })
      if (!abandoned) stills[index] = still.bytes
    } catch (thrown) {
      failure ??= thrown
    }
  }
  return {
    async write(frame) {
      const one = encode(options.pixels === 'rgb24' ? frame.slice() : yuv420ToRgb(frame, width, height), frames++)
      running.add(one)
      one.then(() => running.delete(one))
      if (running.size >= atOnce) await Promise.race(running)
      if (failure !== undefined) throw failure
    },
    async finish() {
      await Promise.all(running)
      if (failure !== undefined) throw failure
      // Whole milliseconds, without drift: each frame ends where the next begins.
      const starts = Array.from({ length: stills.length + 1 }, (_, i) => Math.round((i * 1000) / fps))
      return {
        bytes: webpAnimation(stills, starts, width, height),
        contentType: 'image/webp',
        extension: 'webp',
        width,
        height,
        frames,
        encoder: 'webp',
        note: `an animated WebP instead of an MP4, because ${reason}`,
      }
    },
    abort() {
      abandoned = true
      stills.length = 0
    },
  }
}
