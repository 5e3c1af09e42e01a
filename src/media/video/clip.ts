// Public: one clip to a file while its frames come. MP4 by the user's ffmpeg; without one, an animated WebP that says so.
import { AppError } from '../../lib/errors.ts'
import { frameBytes, type PixelFormat } from '../frames.ts'
import { inOrder } from './in-order.ts'
import { startMp4 } from './mp4-clip.ts'
import { chooseEncoder } from './probe.ts'
import { startWebp } from './webp-clip.ts'

export interface ClipOptions {
  width: number
  height: number
  /** Frames a second, may be broken (23.976). */
  fps: number
  /** How many frames there will be: `finish` refuses another number. */
  frames: number
  pixels: PixelFormat
  /** The program; absent: `ffmpeg` of the PATH; null: do without. */
  ffmpeg?: string | null
  /** The only encoder to use, by ffmpeg's name (`libsvtav1`); absent: the first that works. */
  encoder?: string
  /** Where ffmpeg's nameless output file takes its space; absent: the system's folder for temporary files. */
  tempFolder?: string
}

export interface EncodedClip {
  bytes: Uint8Array
  contentType: string
  /** Without a dot. */
  extension: string
  /** Of the file: even in an MP4, so an odd size has grown by one. */
  width: number
  height: number
  frames: number
  /** Who wrote it: an encoder of ffmpeg, or `webp`. */
  encoder: string
  /** What users should know. */
  note?: string
}

export interface ClipEncoder {
  /**
   * Takes the next frame; resolves when the encoder has it and its bytes may be used again. Wait for it: that is what keeps memory bounded.
   * Rejects with `encoding_failed` (the encoder ended), `storage_failed` (no space left), `client_closed_request` (after `abort`).
   */
  write(frame: Uint8Array): Promise<void>
  /** Ends the clip; resolves with the whole file. Rejects like `write`, and when frames are missing. */
  finish(): Promise<EncodedClip>
  /** Ends the encoder now and keeps nothing; whatever waits is rejected. Idempotent, also after `finish`. */
  abort(): void
  /** Bytes of frames taken and not yet with the encoder. */
  inFlight(): number
}

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
