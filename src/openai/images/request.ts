// A checked body as the request for the media pipeline, and what the answer has to know.
import type { MakerInfo, MediaRequest, OutputFormat } from '../../pipeline/media/media.ts'
import { DEFAULT_MAX_PIXELS, type ImagesApi } from '../media/api.ts'
import { pngSize, sizeLike, sizeOf } from '../media/size.ts'
import { invalid } from '../request/faults.ts'
import type { ImageBody } from '../schema/images.ts'

/** One call, checked. */
export interface ImageJob {
  /** Of the answer and its files; nobody can guess it. */
  id: string
  /** What OpenAI's events are named after. */
  route: 'image_generation' | 'image_edit'
  /** The model's id. */
  model: string
  request: MediaRequest & { seed: number }
  stream: boolean
  /** `url`: files are kept, and the answer has their addresses. */
  answer: 'url' | 'b64_json'
  format: OutputFormat & { type: 'png' | 'jpeg' | 'webp' }
  /** As the client wrote it. */
  quality: NonNullable<ImageBody['quality']>
  /** Whose folder the files are in; absent: the request's. */
  user?: string
  /** Progress as events, not only as comments. */
  progressEvents: boolean
}

/** What body, model and inputs have to say together. `images` and `mask` are PNG files. */
export interface Given {
  id: string
  requestId: string
  route: ImageJob['route']
  info: MakerInfo & { id: string }
  images: readonly Uint8Array[]
  mask?: Uint8Array
  engineFields: readonly string[]
}

/** Faults that need no inputs: called before images are fetched. Throws `invalid_value`. */
export function checkTogether(body: ImageBody, info: MakerInfo, api: ImagesApi): void {
  sizeOf(body, info, api.maxPixels ?? DEFAULT_MAX_PIXELS)
  if (body.partial_images && body.stream !== true) throw invalid('partial_images', "previews are only for 'stream': true")
  if (body.output_quality != null && body.output_quality !== 'default' && body.output_compression != null)
    throw invalid('output_quality', "'output_compression' stands beside it; give one of them")
}

export function imageJob(body: ImageBody, given: Given, api: ImagesApi, random: () => number = Math.random): ImageJob {
  const { info, images, mask } = given
  const { nvext } = body
  const maxPixels = api.maxPixels ?? DEFAULT_MAX_PIXELS
  const stream = body.stream === true
  const format = formatOf(body)
  // A picture keeps the shape of the one it is made from.
  const size = sizeOf(body, info, maxPixels) ?? (images[0] === undefined ? undefined : sizeLike(pngSize(images[0]), info, maxPixels))
  const request: ImageJob['request'] = {
    requestId: given.requestId,
    model: info.id,
    kind: 'image',
    prompt: body.prompt,
    outputs: body.n ?? 1,
    seed: nvext?.seed ?? body.seed ?? Math.floor(random() * MAX_RANDOM_SEED),
    images,
    format,
    partials: stream ? (body.partial_images ?? 0) : 0,
    extra: extraOf(body, given.engineFields),
  }
  const negative = nvext?.negative_prompt ?? body.negative_prompt
  if (negative != null) request.negativePrompt = negative
  const steps = nvext?.num_inference_steps ?? body.num_inference_steps
  if (steps != null) request.steps = steps
  const guidance = nvext?.guidance_scale ?? body.guidance_scale
  if (guidance != null) request.guidance = guidance
  if (size !== undefined) Object.assign(request, size)
  if (mask !== undefined) request.mask = mask
  const job: ImageJob = {
    id: given.id,
    route: given.route,
    model: info.id,
    request,
    stream,
    answer: body.response_format ?? (stream ? 'b64_json' : 'url'),
    format,
    quality: body.quality ?? 'auto',
    progressEvents: nvext?.annotations?.includes('progress') === true,
  }
  const user = body.user ?? body.safety_identifier
  if (user != null && user !== '') job.user = user
  return job
}

/** Small enough for every client's integers. */
const MAX_RANDOM_SEED = 2 ** 31 - 1024

const qualities = { maximum: 100, high: 90, medium: 55, low: 35 }

function formatOf(body: ImageBody): ImageJob['format'] {
  const format: ImageJob['format'] = { type: body.output_format === 'jpg' ? 'jpeg' : (body.output_format ?? 'png'), background: 'opaque' }
  const { output_quality: words } = body
  const compression = body.output_compression ?? (words == null || words === 'default' ? undefined : qualities[words])
  if (compression !== undefined) format.compression = compression
  return format
}

function extraOf(body: ImageBody, names: readonly string[]): Record<string, unknown> {
  const extra: Record<string, unknown> = {}
  for (const name of names) {
    const value = body[name as keyof ImageBody]
    if (value != null) extra[name] = value
  }
  return extra
}
