// What clips of users may be, besides what InputPolicy says of all files.

export interface ClipLimits {
  /** The program that decodes; null: none, and clips are refused. */
  ffmpeg: string | null
  /** Of the file, or of all frames that a client sends as pictures. */
  maxBytes: number
  maxSecs: number
  /** In the file, not of those that are looked at. */
  maxFrames: number
  /** For reading a clip's index, and again for decoding its frames. */
  timeoutMs: number
}

/** Two hours at 60 frames a second. 200 MB are what SGLang's and Dynamo's own clients send at the most before they encode again. */
export const usualClipLimits: ClipLimits = {
  ffmpeg: 'ffmpeg',
  maxBytes: 200_000_000,
  maxSecs: 7200,
  maxFrames: 432_000,
  timeoutMs: 60_000,
}
