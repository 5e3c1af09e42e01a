// Finished pictures in OpenAI's shapes, for whole answers and for streams. What is not known is left out, never null.
import type { EncodedFile, Made } from '../../pipeline/media/media.ts'
import { base64Of, type Shown } from '../media/shown.ts'
import { pngSize } from '../media/size.ts'
import type { ImageJob } from './request.ts'

/** The whole answer; `shown[i]` is where picture i is. */
export function imagesBody(job: ImageJob, created: number, made: Made, shown: readonly Shown[]) {
  return {
    id: job.id,
    created,
    model: job.model,
    background: 'opaque',
    output_format: job.format.type,
    ...(levels.has(job.quality) ? { quality: job.quality } : {}),
    size: `${made.width}x${made.height}`,
    seed: made.seed,
    data: shown.map((one, i) => ({ ...one, seed: made.seed + i })),
    usage: usageOf(job, made.files),
    inference_time_s: Math.round(made.ms.engine) / 1000,
    ...(made.peakMemoryMb === undefined ? {} : { peak_memory_mb: made.peakMemoryMb }),
  }
}

/** The words that OpenAI's answers may have. */
const levels: ReadonlySet<string> = new Set(['low', 'medium', 'high', 'xhigh', 'max'])

export function partialBody(job: ImageJob, output: number, index: number, file: EncodedFile) {
  return { type: `${job.route}.partial_image`, partial_image_index: index, ...base64Of(file), ...eventOf(job, output, file) }
}

export function completedBody(job: ImageJob, output: number, file: EncodedFile, shown: Shown) {
  const seed = job.request.seed + output
  return { type: `${job.route}.completed`, ...shown, ...eventOf(job, output, file), seed, usage: usageOf(job, [file]) }
}

function eventOf(job: ImageJob, output: number, file: EncodedFile) {
  return {
    created_at: Math.floor(Date.now() / 1000),
    size: `${file.width}x${file.height}`,
    quality: job.quality,
    background: 'opaque',
    output_format: job.format.type,
    ...(job.request.outputs > 1 ? { image_index: output } : {}),
  }
}

/** Pixels of a token's side: a latent pixel is 8 wide, and diffusion transformers take 2x2 of them at once. */
const TOKEN_SIDE = 16

/** What OpenAI's clients expect, as far as it means something here: pictures by their tokens; the text is not counted. */
function usageOf(job: ImageJob, files: readonly EncodedFile[]) {
  const input = job.request.images.reduce((sum, image) => sum + tokens(pngSize(image)), 0)
  const output = files.reduce((sum, file) => sum + tokens(file), 0)
  return {
    input_tokens: input,
    input_tokens_details: { text_tokens: 0, image_tokens: input },
    output_tokens: output,
    total_tokens: input + output,
  }
}

function tokens({ width, height }: { width: number; height: number }): number {
  return Math.ceil(width / TOKEN_SIDE) * Math.ceil(height / TOKEN_SIDE)
}
