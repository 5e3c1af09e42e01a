// Seam inside the folder: what a clip is made from, what it becomes, and who writes it.
import type { PixelFormat } from '../frames.ts'

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
