// Writes one output as a file while its frames come: a picture, a clip, or a row of JPEGs.
import type { Frames } from '../../../media/frames.ts'
import type { EncodedFile, OutputFormat } from '../media.ts'
import type { Encoded, Encoders, ImageFormat } from './encoders.ts'

/** Frames of one output that have come and that somebody writes. */
export interface Incoming {
  readonly clip: Frames
  /** Resolves with how many frames are there, once there are more than `index`; rejects when the job is dropped. */
  until(index: number): Promise<number>
}

/** The only frame as png, jpeg or webp. */
export async function encodePicture(encoders: Encoders, incoming: Incoming, format: ImageFormat): Promise<EncodedFile> {
  await incoming.until(0)
  const { width, height } = incoming.clip
  const encoded = await encoders.image(rgbFrame(encoders, incoming.clip, 0), { width, height }, format)
  return file(encoded, { width, height, frames: 1 })
}

/** A video file, encoded while the engine still decodes. `aborts` gets what stops it. */
export async function encodeClip(encoders: Encoders, incoming: Incoming, fps: number, aborts: Set<() => void>): Promise<EncodedFile> {
  const { clip } = incoming
  const { width, height, count } = clip
  const encoder = encoders.clip({ width, height, fps, frames: count, pixels: clip.format })
  const abort = () => encoder.abort()
  aborts.add(abort)
  try {
    for (let index = 0, ready = 0; index < count; index++) {
      if (index >= ready) ready = await incoming.until(index)
      await encoder.write(clip.frame(index))
    }
    await incoming.until(count - 1)
    return file(await encoder.finish(), { width, height, frames: count, fps })
  } catch (error) {
    encoder.abort()
    throw error
  } finally {
    aborts.delete(abort)
  }
}

/** Each frame as a JPEG, told as soon as it is written; the file is all of them in a row, which players know as Motion JPEG. */
export async function encodeFrames(
  encoders: Encoders,
  incoming: Incoming,
  fps: number,
  format: OutputFormat,
  told: (index: number, jpeg: Uint8Array) => void,
): Promise<EncodedFile> {
  const { clip } = incoming
  const { width, height, count } = clip
  const jpegs: Uint8Array[] = []
  const compression = format.compression === undefined ? {} : { compression: format.compression }
  for (let index = 0; index < count; index++) {
    await incoming.until(index)
    const { bytes } = await encoders.image(rgbFrame(encoders, clip, index), { width, height }, { type: 'jpeg', ...compression })
    jpegs.push(bytes)
    told(index, bytes)
  }
  return { bytes: Buffer.concat(jpegs), contentType: 'video/x-motion-jpeg', extension: 'mjpeg', width, height, frames: count, fps }
}

/** What encoders tell beside the file stays with them. */
export function file(encoded: Encoded, shape: { width: number; height: number; frames: number; fps?: number }): EncodedFile {
  const { bytes, contentType, extension, width = shape.width, height = shape.height, note } = encoded
  return { bytes, contentType, extension, ...shape, width, height, ...(note === undefined ? {} : { note }) }
}

function rgbFrame(encoders: Encoders, clip: Frames, index: number): Uint8Array {
  const pixels = clip.frame(index)
  return clip.format === 'rgb24' ? pixels : encoders.toRgb(pixels, clip)
}
