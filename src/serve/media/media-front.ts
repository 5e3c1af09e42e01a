// What the HTTP half of a process asks of its images and videos, whether they are made in it or by workers elsewhere.
import type { Handler } from '../../openai/call.ts'
import type { ServedMedia } from '../../pipeline/media/media.ts'
import type { Controlled } from '../control/engine.ts'
import type { Health } from '../health.ts'

/** Every operation of the media API; each answers one route. */
export interface MediaHandlers {
  generateImages: Handler
  editImages: Handler
  imageContent: Handler
  createVideo: Handler
  streamVideo: Handler
  listVideos: Handler
  oneVideo: Handler
  videoContent: Handler
  cancelVideo: Handler
  removeVideo: Handler
  /** What OpenAI's API has and needs another kind of model. */
  remixVideo: Handler
  editVideo: Handler
  extendVideo: Handler
  videoCharacters: Handler
  file: Handler
}

/** What a process that serves images or videos brings to its front. */
export interface MediaFront {
  /** Text models are served here as well: their health counts too, and operators' routes are for both. */
  readonly besideText?: boolean
  models(): readonly ServedMedia[]
  /** Some maker can take a job now. */
  ready(): boolean
  health: Health
  /** Jobs that go on without a connection. */
  inFlight(): number
  handlers(): Promise<MediaHandlers>
  /** What operations are run on (LoRA and the like). */
  workers(): readonly Controlled[]
}

/** For who asks such a model for text. */
export function useOf(makes: ServedMedia['makes']): string {
  return `makes ${makes}s: ask POST ${makes === 'image' ? '/v1/images/generations' : '/v1/videos'}`
}
