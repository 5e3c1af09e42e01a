// What the files of a model folder say about it: config.json and generation_config.json, read as SGLang reads them
// (sglang/srt/configs/model_config.py, utils/hf_transformers/common.py).
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../lib/errors.ts'
import { readJsonIfThere } from './json-file.ts'

export interface ModelFolder {
  folder: string
  /** First entry of `architectures` ("Qwen3ForCausalLM"), or undefined. */
  architecture: string | undefined
  modelType: string | undefined
  /** Prompt and answer together, in tokens; SGLang's default of 2048 when the config does not say. */
  contextLength: number
  vocabSize: number | undefined
  /** Of config.json and generation_config.json together, ascending. */
  eosIds: number[]
  /** generation_config.json: the model's own sampling defaults, or an empty object. */
  generation: Record<string, unknown>
  /** config.json as it is. */
  config: Record<string, unknown>
}

type Json = Record<string, unknown>

/** Throws AppError `model_path_not_found` (no such folder) or `model_files_invalid` (names the file). */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const found = await stat(folder).catch(() => undefined)
  if (!found?.isDirectory()) {
    throw new AppError('model_path_not_found', {
      message: found ? `${folder} is a file; --model-path wants the folder with config.json and tokenizer.json` : `no folder ${folder}`,
      param: '--model-path',
    })
  }
  const config = await readJsonIfThere<Json>(join(folder, 'config.json'))
  if (!config) {
    const diffusers = await stat(join(folder, 'model_index.json')).catch(() => undefined)
    const why =
      diffusers === undefined
        ? 'is it a Hugging Face model folder?'
        : 'it has model_index.json, so it makes images or videos: add --image-diffusion-worker or --video-generation-worker'
    throw invalid(`no config.json in ${folder}: ${why}`)
  }
  const generation = (await readJsonIfThere<Json>(join(folder, 'generation_config.json'))) ?? {}
  const text = textConfig(config)
  return {
    folder,
    architecture: (config.architectures as string[] | undefined)?.[0],
    modelType: config.model_type as string | undefined,
    contextLength: contextLength(text),
    vocabSize: wholeNumber(text.vocab_size) ?? wholeNumber(config.vocab_size),
    eosIds: [...new Set([...idList(config.eos_token_id), ...idList(generation.eos_token_id)])].sort((a, b) => a - b),
    generation,
    config,
  }
}

function invalid(message: string): AppError {
  return new AppError('model_files_invalid', { message, param: '--model-path' })
}

/** The language model's part of a multimodal config. */
function textConfig(config: Json): Json {
  const thinker = asObject(config.thinker_config)
  const inner = asObject(thinker?.text_config) ?? thinker
  return inner ?? asObject(config.llm_config) ?? asObject(config.language_config) ?? asObject(config.text_config) ?? config
}

/** In SGLang's order of preference. */
const lengthKeys = ['max_sequence_length', 'seq_length', 'max_seq_len', 'model_max_length', 'max_position_embeddings']

function contextLength(text: Json): number {
  const scaling = asObject(text.rope_scaling) ?? {}
  const stretched = !('original_max_position_embeddings' in scaling) && scaling.rope_type !== 'llama3'
  const factor = stretched && typeof scaling.factor === 'number' ? scaling.factor : 1
  for (const key of lengthKeys) {
    const value = text[key]
    if (typeof value === 'number') return Math.trunc(factor * value)
  }
  return 2048
}

function idList(value: unknown): number[] {
  const list = Array.isArray(value) ? value : [value]
  return list.filter((id): id is number => Number.isInteger(id))
}

function wholeNumber(value: unknown): number | undefined {
  return Number.isInteger(value) ? (value as number) : undefined
}

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
}
