// One served model: its names, files and the router over its workers. The registry is what requests are looked up in.
import type { EngineInfo, SamplingParams } from '../engine/types.ts'
import { AppError } from '../lib/errors.ts'
import type { Router } from '../router/router.ts'
import type { ChatTemplate } from '../template/template.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Sight } from './media-parts.ts'
import type { ServedModel } from './types.ts'

export interface LoadedModel {
  readonly served: ServedModel
  readonly tokenizer: Tokenizer
  /** Absent: the model has none; chat requests are refused with that reason. */
  readonly template: ChatTemplate | undefined
  /** Absent: it takes text alone. */
  readonly sight?: Sight
  readonly router: Router
  /** --use-sglang-tokenizer: prompts go to the engine as messages. */
  readonly engineTokenizes: boolean
  /** What a request leaves open and the model recommends (generation_config.json). */
  readonly samplingDefaults: SamplingParams
  /** Times that an answer may go on elsewhere after its worker failed; 0: never. Default 3. */
  readonly migrationLimit?: number
  /** How long a failed request waits for a worker to be there again before its failure is told. Default 3000. */
  readonly migrationWaitMs?: number
  /** It does not wait: what failed it is the only engine and takes longer to start than anybody waits (SGLang). New requests wait, as a silent engine may be back in a moment. */
  readonly failsAtOnce?: boolean
  /** Limits of the engines behind it; known once one has started. */
  readonly info: Pick<EngineInfo, 'contextLength' | 'maxPromptTokens' | 'vocabSize' | 'eosIds' | 'isEmbedding'>
}

export interface ModelRegistry {
  add(model: LoadedModel): void
  remove(id: string): void
  all(): readonly LoadedModel[]
  /** By id or alias; throws `model_not_found`, or `engine_unavailable` while nothing is served yet. */
  find(name: string): LoadedModel
}

/** A model that does not make text, for who asks it for some. */
export interface OtherModel {
  id: string
  aliases: readonly string[]
  /** "makes images: ask POST /v1/images/generations" */
  use: string
}

/** `others` are served beside: a text request that names one is told where to go. */
export function modelRegistry(others: () => readonly OtherModel[] = () => []): ModelRegistry {
  let models: LoadedModel[] = []
  const byName = new Map<string, LoadedModel>()

  function rebuild(): void {
    byName.clear()
    for (const model of models) for (const name of [model.served.id, ...model.served.aliases]) byName.set(name, model)
  }

  return {
    add(model) {
      models = [...models.filter((other) => other.served.id !== model.served.id), model]
      rebuild()
    },
    remove(id) {
      models = models.filter((model) => model.served.id !== id)
      rebuild()
    },
    all: () => models,
    find(name) {
      const model = byName.get(name)
      if (model !== undefined) return model
      const elsewhere = others()
      const other = elsewhere.find(({ id, aliases }) => id === name || aliases.includes(name))
      if (other !== undefined)
        throw new AppError('model_not_found', { message: `The model '${other.id}' makes no text; it ${other.use}.`, param: 'model' })
      if (models.length === 0 && elsewhere.length === 0)
        throw new AppError('engine_unavailable', {
          message: 'The server is starting and serves no model yet; try again shortly.',
          retryAfterSecs: 5,
        })
      const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name
      const known = [...models.map((served) => served.served.id), ...elsewhere.map(({ id, use }) => `${id} (${use})`)].join(', ')
      throw new AppError('model_not_found', { message: `The model '${shown}' is not served here. Served: ${known}.`, param: 'model' })
    },
  }
}
