// The media routes of a process that makes no images and no videos: what an unknown model is told, and that nothing is stored here.
import { AppError } from '../../lib/errors.ts'
import type { Call } from '../../openai/call.ts'
import { FormFields } from '../../openai/media/form-fields.ts'
import type { Pipeline, ServedModel } from '../../pipeline/types.ts'
import type { MediaHandlers } from './media-front.ts'

/** Every handler throws `model_not_found`, `engine_unavailable` while nothing is served yet, or `media_not_found`. */
export function noMedia(pipeline: Pick<Pipeline, 'models'>): MediaHandlers {
  const make = (what: string) => async (call: Call) => {
    throw refusal(what, modelOf(call.body), pipeline.models())
  }
  const find = async () => {
    throw new AppError('media_not_found', { message: 'This server makes no images and no videos, so it has none.' })
  }
  return {
    generateImages: make('images'),
    editImages: make('images'),
    createVideo: make('videos'),
    streamVideo: make('videos'),
    remixVideo: make('videos'),
    editVideo: make('videos'),
    extendVideo: make('videos'),
    videoCharacters: make('videos'),
    listVideos: async () => Response.json({ object: 'list', data: [], first_id: null, last_id: null, has_more: false }),
    imageContent: find,
    oneVideo: find,
    videoContent: find,
    cancelVideo: find,
    removeVideo: find,
    file: find,
  }
}

function refusal(what: string, name: unknown, models: readonly ServedModel[]): AppError {
  if (models.length === 0)
    return new AppError('engine_unavailable', {
      message: 'The server is starting and serves no model yet; try again shortly.',
      retryAfterSecs: 5,
    })
  const known = models.map(({ id }) => id).join(', ')
  const text = models.find(({ id, aliases }) => id === name || aliases.includes(String(name)))
  const message =
    text === undefined
      ? `No model that makes ${what} is served here. Served: ${known}.`
      : `The model '${text.id}' makes no ${what}; ask POST ${text.isEmbedding ? '/v1/embeddings' : '/v1/chat/completions'}.`
  return new AppError('model_not_found', { message, param: 'model' })
}

/** The model that a body of JSON or a form names. */
export function modelOf(body: unknown): unknown {
  if (body instanceof FormFields) {
    const part = body.parts.find(({ name }) => name === 'model')
    return part !== undefined && 'text' in part ? part.text : undefined
  }
  return typeof body === 'object' && body !== null ? (body as { model?: unknown }).model : undefined
}
