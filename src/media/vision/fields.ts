// Fields of a model's files, with errors that name them.
import { AppError } from '../../lib/errors.ts'
import type { Json, ModelFiles, Numbers } from './family.ts'

/** `file`: how an error names it. */
export function field(file: string, name: string, why: string): AppError {
  return new AppError('model_files_invalid', { message: `${name} in ${file} ${why}`, param: '--model-path' })
}

export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

export function whole(value: unknown): number | undefined {
  return Number.isInteger(value) && (value as number) > 0 ? (value as number) : undefined
}

/** An id from config.json, by any of its spellings. */
export function idOf(config: Json, names: readonly string[], other?: number): number {
  for (const name of names) {
    const value = config[name]
    if (Number.isInteger(value) && (value as number) >= 0) return value as number
  }
  if (other !== undefined) return other
  throw field('config.json', names.join(' or '), 'is missing: it says which token stands for a picture')
}

/** One side of a square: 336, [336, 336] or { height: 336, width: 336 }. */
export function side(value: unknown, file: string, name: string): number {
  const { height, width } = object(value)
  const [first, second] = Array.isArray(value) ? value : value === null || typeof value !== 'object' ? [value, value] : [height, width]
  const found = whole(first)
  if (found !== undefined && found === second) return found
  throw field(file, name, `must be one side of a square, not ${JSON.stringify(value)}`)
}

const filters: Record<number, Numbers['filter']> = { 2: 'bilinear', 3: 'bicubic' }

type Three = readonly [number, number, number]

/** Filter, mean and deviation; what the file does not say is what the processor's class has. Throws `model_files_invalid`. */
export function numbersOf(
  { processor }: ModelFiles,
  usual: { filter: Numbers['filter']; mean: Three; std: Three },
): Pick<Numbers, 'filter' | 'mean' | 'std' | 'rescale'> {
  const { resample, rescale_factor } = processor
  const filter = resample === undefined || resample === null ? usual.filter : filters[resample as number]
  if (filter === undefined) throw field('preprocessor_config.json', 'resample', `is ${resample}; 2 (bilinear) and 3 (bicubic) are known`)
  for (const step of ['do_resize', 'do_rescale', 'do_normalize']) {
    if (processor[step] === false)
      throw field('preprocessor_config.json', step, 'is false; pictures are always resized and normalised here')
  }
  return {
    filter,
    mean: three(processor.image_mean, 'image_mean') ?? usual.mean,
    std: three(processor.image_std, 'image_std') ?? usual.std,
    rescale: typeof rescale_factor === 'number' ? rescale_factor : 1 / 255,
  }
}

function three(value: unknown, name: string): Three | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.length === 3 && value.every((one) => typeof one === 'number')) return value as unknown as Three
  throw field('preprocessor_config.json', name, 'must be three numbers')
}

export const clip = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const
export const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const
export const imageNet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const
