// The tiny diffusion models as folders in the diffusers layout: configs and tokenizers are kept in git, weights are written when needed.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const diffusersVersion = '0.37.0'

export interface TinyPipeline {
  /** Under models/. SGLang knows pipelines by this name. */
  folder: string
  /** Path → content as JSON, or a folder of such; strings are files as they are. */
  files: Record<string, unknown>
  /** Path → bytes of a safetensors file. */
  weights: Record<string, () => Uint8Array>
}

/** Path under models/ → what it holds; a string is the file's text. */
export function smallFiles({ folder, files }: TinyPipeline): [string, unknown][] {
  return Object.entries(files).flatMap(([path, content]): [string, unknown][] =>
    path.endsWith('.json')
      ? [[`${folder}/${path}`, content]]
      : Object.entries(content as Record<string, unknown>).map(([name, inside]) => [`${folder}/${path}/${name}`, inside]),
  )
}

/** Writes the weights that are not there yet (8 MB in all, under a second each); the same bytes every time. Returns the model's folder. */
export function writeWeights(pipeline: TinyPipeline): string {
  const folder = join(import.meta.dir, '..', pipeline.folder)
  for (const [name, make] of Object.entries(pipeline.weights)) {
    const path = join(folder, name)
    if (existsSync(path)) continue
    mkdirSync(dirname(path), { recursive: true })
    // Whole or not at all: tests of several processes may come here at once.
    const half = `${path}.${process.pid}`
    writeFileSync(half, make())
    renameSync(half, path)
  }
  return folder
}
