// A model as requests find it: its files, the limits of its engines, and the router over its workers.
import type { EngineInfo } from '../../engine/types.ts'
import { modelContextLength, modelKvBlockSize, modelTotalKvBlocks } from '../../lib/metrics.ts'
import type { LoadedModel } from '../../pipeline/model.ts'
import type { Router } from '../../router/router.ts'
import type { ModelFiles } from '../load-model.ts'
import { sightOf } from '../sight.ts'

export interface ModelParts {
  /** The first is the id. */
  names: readonly string[]
  files: ModelFiles
  /** Of the first engine that serves it. */
  info: EngineInfo
  router: Router
  engineTokenizes: boolean
  migrationLimit: number
  failsAtOnce?: boolean
}

/** Ready for the registry; its sizes go to the metrics. */
export function loadedModel({ names, files, info, router, engineTokenizes, migrationLimit, failsAtOnce = false }: ModelParts): LoadedModel {
  const [id, ...aliases] = names as [string, ...string[]]
  const { contextLength, isEmbedding } = info
  modelContextLength.set({ model: id }, contextLength)
  modelKvBlockSize.set({ model: id }, info.blockSize)
  modelTotalKvBlocks.set({ model: id }, Math.ceil(info.totalKvTokens / info.blockSize) * info.dpSize)
  const sight = sightOf(files, info, files.input, id)
  return {
    ...(sight === undefined ? {} : { sight }),
    served: { id, aliases, createdSecs: Math.floor(Date.now() / 1000), contextLength, isEmbedding },
    tokenizer: files.tokenizer,
    template: isEmbedding ? undefined : files.template,
    samplingDefaults: files.samplingDefaults,
    engineTokenizes,
    migrationLimit,
    failsAtOnce,
    router,
    // An attached server tells neither; what its model's folder says is known only where that lies on this machine.
    info: {
      ...info,
      eosIds: info.eosIds.length > 0 ? info.eosIds : files.facts.eosIds,
      vocabSize: info.vocabSize || (files.facts.vocabSize ?? files.tokenizer.vocabSize),
    },
  }
}
