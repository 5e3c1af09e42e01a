// GET /v1/models and /v1/models/{id}: what is served; an alias is a model of its own with the same root.
import { AppError } from '../lib/errors.ts'
import type { ServedMedia } from '../pipeline/media/media.ts'
import type { ServedModel } from '../pipeline/types.ts'
import { json } from './call.ts'

type Served = ServedModel | ServedMedia

/** `models`: text and media alike. */
export function listModels(models: readonly Served[]): Response {
  const data = models.flatMap((model) => [model.id, ...model.aliases].map((id) => modelBody(id, model)))
  return json({ object: 'list', data })
}

/** `id` as it stands in the path, decoded; it may hold slashes. Throws `model_not_found`. */
export function oneModel(models: readonly Served[], id: string): Response {
  const model = models.find((one) => one.id === id || one.aliases.includes(id))
  if (model !== undefined) return json(modelBody(id, model))
  const known = models.map((one) => one.id).join(', ') || 'none yet'
  throw new AppError('model_not_found', { message: `The model '${id}' is not served here. Served: ${known}.`, param: 'model' })
}

function modelBody(id: string, model: Served) {
  return {
    id,
    object: 'model',
    created: model.createdSecs,
    owned_by: 'dynamo-sglang',
    root: model.id,
    parent: null,
    // A model of images or videos has no context; it says what it makes.
    ...('makes' in model ? { makes: model.makes } : { max_model_len: model.contextLength, context_window: model.contextLength }),
  }
}
