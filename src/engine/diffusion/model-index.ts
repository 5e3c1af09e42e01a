// model_index.json, the only file that every diffusers folder has: which pipeline the weights belong to.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'

export interface ModelIndex {
  /** `_class_name`, as `FluxPipeline`. */
  pipeline: string
  /** Names of the parts (`transformer`, `vae`, `text_encoder`, …): folders beside the file. */
  parts: string[]
}

/** Reads FOLDER/model_index.json. Throws AppError `model_path_not_found`, or `model_files_invalid` naming the file that was looked for. */
export function readModelIndex(folder: string): ModelIndex {
  const path = join(folder, 'model_index.json')
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    throw new AppError('model_path_not_found', { message: `there is no folder ${folder} (looked for ${path})`, param: '--model-path' })
  }
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    const message = `${path} is missing: a diffusion model is a folder in the diffusers layout, which has this file. A config.json is not needed.`
    throw new AppError('model_files_invalid', { message, param: '--model-path' })
  }
  const invalid = (why: string, cause?: unknown) =>
    new AppError('model_files_invalid', { message: `${path} ${why}`, param: '--model-path', ...(cause === undefined ? {} : { cause }) })
  let read: unknown
  try {
    read = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw invalid('cannot be read as JSON', cause)
  }
  const index = (typeof read === 'object' && read !== null ? read : {}) as Record<string, unknown>
  const pipeline = index._class_name
  if (typeof pipeline !== 'string' || pipeline === '') throw invalid("has no _class_name, which says the pipeline's kind")
  const parts = Object.entries(index).filter(([name, value]) => !name.startsWith('_') && Array.isArray(value) && value[0] !== null)
  return { pipeline, parts: parts.map(([name]) => name) }
}

/** Parts that are made of weights; tokenizers, schedulers, processors and guiders have none. */
const weighty = /(^|_)(transformer|unet|vae|encoder)(_\d+)?$/
const weightFile = /\.(safetensors|safetensors\.index\.json|bin|pt|gguf)$/

/**
 * Every part of a local model has a file of weights. `args` are SGLang's: a part that they name a path for may lie elsewhere.
 * Throws AppError `model_files_invalid` naming the parts that lack them, before an engine loads for minutes to find out.
 */
export function checkWeights(folder: string, { parts }: ModelIndex, args: readonly string[] = []): void {
  const words = args.map((word) => word.replaceAll('_', '-'))
  if (words.some((word) => /^--(config|component)/.test(word))) return
  const elsewhere = (part: string) => words.some((word) => word.startsWith(`--${part.replaceAll('_', '-')}-`) && /-path(=|$)/.test(word))
  const lacking = parts.filter((part) => weighty.test(part) && !elsewhere(part) && !hasWeights(join(folder, part)))
  if (lacking.length === 0) return
  const made = existsSync(join(folder, '..', 'make.ts')) ? 'bun run models --weights makes them.' : 'Copy or download the whole model.'
  throw new AppError('model_files_invalid', {
    message: `${folder} has no weights (*.safetensors, *.bin) for ${lacking.join(', ')}, which its model_index.json names. ${made}`,
    param: '--model-path',
  })
}

function hasWeights(folder: string): boolean {
  if (!existsSync(folder)) return false
  // A link into a cache whose file is gone is no file.
  return readdirSync(folder).some((name) => weightFile.test(name) && existsSync(join(folder, name)))
}
