// GET /v1/models and /v1/models/{id}: what is served; an alias is a model of its own with the same root.
import { AppError } from '../lib/errors.ts'
import type { Pipeline, ServedModel } from '../pipeline/types.ts'
import { json } from './call.ts'

export function listModels(pipeline: Pipeline): Response {
  const data = pipeline.models().flatMap((model) => [model.id, ...model.aliases].map((id) => modelBody(id, model)))
  return json({ object: 'list', data })
}

/** `id` as it stands in the path, decoded; it may hold slashes. Throws `model_not_found`. */
export function oneModel(pipeline: Pipeline, id: string): Response {
  const models = pipeline.models()
  const model = models.find((one) => one.id === id || one.aliases.includes(id))
  if (model !== undefined) return json(modelBody(id, model))
  const known = models.map((one) => one.id).join(', ') || 'none yet'
  throw new AppError('model_not_found', { message: `The model '${id}' is not served here. Served: ${known}.`, param: 'model' })
}

function modelBody(id: string, model: ServedModel) {
  return {
    id,
    object: 'model',
    created: model.createdSecs,
    owned_by: 'dynamo-sglang',
    root: model.id,
    parent: null,
    max_model_len: model.contextLength,
    context_window: model.contextLength,
  }
}
