// A model's files on this machine: folder, tokenizer, template, limits. Everything that is read, not computed.
import type { SamplingParams } from '../engine/types.ts'
import type { HearingModel } from '../media/hearing/hearing.ts'
import type { VisionModel } from '../media/vision/vision.ts'
import { loadChatTemplate } from '../template/load.ts'
import type { ChatTemplate } from '../template/template.ts'
import { loadTokenizer, readableIds } from '../tokenizer/hf.ts'
import { resolveModel } from '../tokenizer/hub.ts'
import { type ModelFolder, readModelFolder } from '../tokenizer/model-files.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { MockModel } from './make-engine.ts'
import type { InputOptions, ModelOptions } from './options.ts'
import { hearingOf, visionOf } from './sight.ts'

export interface ModelFiles {
  folder: string
  /** Where tokenizer and chat template lie: the same, unless --tokenizer-path says otherwise. */
  textFolder: string
  tokenizer: Tokenizer
  template: ChatTemplate
  facts: ModelFolder
  samplingDefaults: SamplingParams
  /** undefined: it reads text alone. */
  vision: VisionModel | undefined
  /** undefined: it takes no sounds. */
  hearing: HearingModel | undefined
  input: InputOptions
}

/** Reads what the front half needs. Rejects with `model_path_not_found`, `model_files_invalid` or `invalid_setting`. */
export async function loadModelFiles(path: string, options: ModelOptions): Promise<ModelFiles> {
  const folder = await resolveModel(path, options.hub)
  const texts = options.tokenizerPath === undefined ? folder : await resolveModel(options.tokenizerPath, options.hub)
  const reading = Promise.all([
    loadTokenizer(texts, { pieceCacheBytes: options.tokenizerCacheBytes }),
    loadChatTemplate(texts, { customPath: options.customTemplate }),
  ])
  reading.catch(() => {})
  // First, because it tells best what kind of folder this is.
  const facts = await readModelFolder(folder)
  const [tokenizer, template] = await reading
  const hearing = await hearingOf(folder, facts.config)
  return {
    folder,
    textFolder: texts,
    tokenizer,
    template,
    facts,
    vision: await visionOf(folder, facts.config, { mustSee: hearing === undefined ? options.mustSee : undefined }),
    hearing,
    input: options.input,
    samplingDefaults: options.samplingDefaults ? samplingDefaults(facts) : {},
  }
}

const recommended = ['repetition_penalty', 'temperature', 'top_k', 'top_p', 'min_p'] as const

/** The names are SGLang's list (srt/configs/model_config.py, get_default_sampling_params). */
function samplingDefaults({ generation }: ModelFolder): SamplingParams {
  const defaults: SamplingParams = {}
  for (const name of recommended) if (typeof generation[name] === 'number') defaults[name] = generation[name]
  return defaults
}

/** The same as a mock engine wants it. */
export function mockModel(path: string, files: ModelFiles, contextLength: number | undefined): MockModel {
  const { facts, tokenizer } = files
  return {
    path,
    vocabSize: facts.vocabSize ?? tokenizer.vocabSize,
    eosIds: facts.eosIds,
    contextLength: contextLength ?? facts.contextLength,
    tokenizer,
    textIds: readableIds(tokenizer),
  }
}
