// What the handlers of /v1/videos may use besides what those of images have.
import type { MediaApi } from '../media/api.ts'

export interface VideosApi extends MediaApi {
  /** Width times height times frames of all clips of one request. Default: DEFAULT_MAX_PIXEL_FRAMES. */
  maxPixelFrames?: number
  /** No stream is silent for longer. Default 15 s. */
  keepAliveMs?: number
}

/** 129 frames of 1920x1080; as rgb24, 800 MB. */
export const DEFAULT_MAX_PIXEL_FRAMES = 1 << 28
