// The routes of images and videos as data. What answers on them is loaded with the first request, or at the start of a process that makes media.
import type { Handler } from '../../openai/call.ts'
import type { Pipeline } from '../../pipeline/types.ts'
import type { MediaFront, MediaHandlers } from './media-front.ts'

export interface MediaRoute {
  method: 'GET' | 'POST' | 'DELETE'
  /** Hono's pattern. */
  path: string
  /** The endpoint's label in metrics. */
  name: string
  operation: keyof MediaHandlers
  /** Of a POST: JSON unless it says otherwise. */
  body?: 'form' | 'none'
}

export const mediaRoutes: readonly MediaRoute[] = [
  { method: 'POST', path: '/v1/images/generations', name: 'images_generations', operation: 'generateImages' },
  { method: 'POST', path: '/v1/images/edits', name: 'images_edits', operation: 'editImages', body: 'form' },
  { method: 'GET', path: '/v1/images/:id/content', name: 'images_content', operation: 'imageContent' },
  { method: 'POST', path: '/v1/videos', name: 'videos', operation: 'createVideo', body: 'form' },
  { method: 'GET', path: '/v1/videos', name: 'videos_list', operation: 'listVideos' },
  { method: 'POST', path: '/v1/videos/stream', name: 'videos_stream', operation: 'streamVideo', body: 'form' },
  { method: 'GET', path: '/v1/videos/:id', name: 'videos_get', operation: 'oneVideo' },
  { method: 'DELETE', path: '/v1/videos/:id', name: 'videos_delete', operation: 'removeVideo' },
  { method: 'POST', path: '/v1/videos/:id/cancel', name: 'videos_cancel', operation: 'cancelVideo', body: 'none' },
  { method: 'GET', path: '/v1/videos/:id/content', name: 'videos_content', operation: 'videoContent' },
  { method: 'POST', path: '/v1/videos/:id/remix', name: 'videos_remix', operation: 'remixVideo', body: 'none' },
  { method: 'POST', path: '/v1/videos/edits', name: 'videos_edits', operation: 'editVideo', body: 'none' },
  { method: 'POST', path: '/v1/videos/extensions', name: 'videos_extensions', operation: 'extendVideo', body: 'none' },
  { method: 'POST', path: '/v1/videos/characters', name: 'videos_characters', operation: 'videoCharacters', body: 'none' },
  { method: 'GET', path: '/media/*', name: 'media', operation: 'file' },
]

/** The handler of a route; everything behind it is loaded when it is first asked. */
export function mediaHandler(route: MediaRoute, deps: { media?: MediaFront; pipeline: Pick<Pipeline, 'models'> }): Handler {
  let loading: Promise<MediaHandlers> | undefined
  const load = async () => {
    if (deps.media !== undefined) return deps.media.handlers()
    return (await import('./no-media.ts')).noMedia(deps.pipeline)
  }
  const handler: Handler = async (call) => {
    loading ??= load()
    const response = await (await loading)[route.operation](call)
    // What is only looked up is answered with the head; where something is made, the handler says when that is over.
    if (route.method !== 'POST' || route.body === 'none') call.outcome({})
    return response
  }
  return Object.assign(handler, { takesForms: route.body === 'form', takesNoBody: route.body === 'none' })
}
