// What the handlers of /v1/images and /v1/videos may use.
import type { MediaStore } from '../../media/store.ts'
import type { MediaJobs } from '../../pipeline/media/jobs/jobs.ts'
import type { MediaPipeline } from '../../pipeline/media/media.ts'

export interface MediaApi {
  media: MediaPipeline
  jobs: MediaJobs
  store: MediaStore
  /**
   * A user's image as an upright PNG file, under the server's policy for addresses, sizes and formats (media/input).
   * `param` is the field's name in errors: `invalid_image`, `invalid_value`.
   */
  input(source: ImageSource, param: string, signal: AbortSignal): Promise<Uint8Array>
  /** Unknown fields are dropped instead of refused (DYN_IGNORE_OPENAI_FE_UNSUPPORTED_FIELDS). */
  ignoreUnknownFields: boolean
  /** Width times height of one picture; absent: DEFAULT_MAX_PIXELS. */
  maxPixels?: number
}

/** What pictures need: they are made while the client waits. */
export type ImagesApi = Omit<MediaApi, 'jobs'>

/** `url`: http, https, file (as far as the policy goes) or data. */
export type ImageSource = { url: string } | { bytes: Uint8Array }

/** 4096 x 4096. */
export const DEFAULT_MAX_PIXELS = 1 << 24
