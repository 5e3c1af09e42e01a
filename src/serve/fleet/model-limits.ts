// What a model promises to clients when its workers are not all alike: what each of them can take.
import type { EngineInfo } from '../../engine/types.ts'
import { log } from '../../lib/log.ts'
import { modelContextLength } from '../../lib/metrics.ts'
import type { LoadedModel } from '../../pipeline/model.ts'

/** The model with the limits of the least of these engines; the same object when nothing changes. */
export function withLimitsOf(model: LoadedModel, engines: readonly EngineInfo[]): LoadedModel {
  if (engines.length === 0) return model
  const contextLength = Math.min(...engines.map((info) => info.contextLength))
  const maxPromptTokens = Math.min(...engines.map((info) => info.maxPromptTokens))
  if (contextLength === model.info.contextLength && maxPromptTokens === model.info.maxPromptTokens) return model
  const { id } = model.served
  const most = Math.max(...engines.map((info) => info.contextLength))
  if (most > contextLength)
    log.warn({ model: id, contextLength, most }, "this model's workers have different context lengths: the least counts")
  modelContextLength.set({ model: id }, contextLength)
  return { ...model, served: { ...model.served, contextLength }, info: { ...model.info, contextLength, maxPromptTokens } }
}
