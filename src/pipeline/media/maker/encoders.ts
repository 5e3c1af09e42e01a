// What a maker needs to turn pixels into files; the real ones come from media/ and kernels/, tests pass plain fakes.
import type { Latents } from '../../../engine/diffusion/diffusion.ts'
import type { PixelFormat } from '../../../media/frames.ts'

export interface Encoders {
  /** One picture, 8-bit rgb24. Rejects with `encoding_failed`. */
  image(rgb: Uint8Array, size: { width: number; height: number }, format: ImageFormat): Promise<Encoded>
  /** One clip, fed frame by frame. */
  clip(shape: { width: number; height: number; fps: number; frames: number; pixels: PixelFormat }): ClipEncoder
  /** Latents as the small picture that they stand for. */
  preview(latents: Latents): Promise<{ rgb: Uint8Array; width: number; height: number }>
  /** A `yuv420p` frame as rgb24. */
  toRgb(yuv: Uint8Array, size: { width: number; height: number }): Uint8Array
}

export interface ImageFormat {
  type: 'png' | 'jpeg' | 'webp'
  compression?: number
  background?: 'auto' | 'opaque' | 'transparent'
}

export interface Encoded {
  bytes: Uint8Array
  contentType: string
  extension: string
  /** Where the file's size is not that of the pixels: an MP4's sides are even. */
  width?: number
  height?: number
  note?: string
}

export interface ClipEncoder {
  /** Resolves when the next frame may come; the bytes are no longer needed then. */
  write(frame: Uint8Array): Promise<void>
  finish(): Promise<Encoded>
  /** Gives up: a pending `write` or `finish` settles soon. Idempotent. */
  abort(): void
}
