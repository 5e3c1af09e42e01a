// What POST /v1/images/generations and /v1/images/edits accept and answer: OpenAI's fields, Dynamo's nvext, SGLang's extra fields.
import * as z from 'zod'
import { int, record, requestId, unsupported } from './common.ts'

const flag = () => z.boolean().nullish()
const within = (min: number, max: number) => z.number().min(min).max(max).nullish()
const name = () =>
  z
    .string()
    .regex(/^[\w.:-]{1,64}$/, 'it must be 1 to 64 letters, digits or _.:-')
    .nullish()

/** Most pictures in an edit, as OpenAI has it. */
export const MAX_IMAGES = 16
const MAX_PROMPT = 32_000

const steps = int(1, 1000).nullish().describe('Denoising steps; absent: what the model’s makers advise.')
const guidance = within(0, 100).describe('How closely the prompt is followed; 0 is a value like any other.')
/** SGLang adds a picture's index to it, torch takes 63 bits, numpy 32. */
const seed = int(0, 2 ** 32 - 1024)
  .nullish()
  .describe('Picture i of a request has the seed + i. Absent: a random one, which the answer tells.')
const negative = z.string().max(MAX_PROMPT).nullish().describe('What should not be seen.')
const effortless = 'the model paints without planning'
const still = 'one picture has no frames; make a clip with /v1/videos'

const nvext = z
  .strictObject({
    annotations: z
      .array(z.string().max(64))
      .max(64)
      .nullish()
      .describe('"progress": a stream also has `image_generation.progress` events; without it they are comments. Others are accepted.'),
    negative_prompt: negative,
    num_inference_steps: steps,
    guidance_scale: guidance,
    seed,
  })
  .nullish()
  .describe('Dynamo’s extension; its members win over those of the same name beside it.')

/** Sampling parameters of SGLang that reach the engine under their own names; a model that does not know one refuses it. */
export const engineFields = {
  true_cfg_scale: within(0, 100),
  guidance_rescale: within(0, 1),
  cfg_gate_step: within(0, 1000),
  flow_shift: within(0, 1000),
  max_sequence_length: int(1, 8192).nullish(),
  generator_device: name().describe('Where the noise is made: cuda, cpu.'),
  enable_teacache: flag(),
  enable_cache_dit: flag(),
  cache_dit_params: record().nullish(),
  skip_softmax_params: record().nullish(),
  attention_backend_override: name(),
  progressive_mode: name(),
  progressive_levels: int(1, 16).nullish(),
  progressive_delta: within(0, 1),
  diffusers_kwargs: record().nullish(),
}

const common = {
  prompt: z.string().min(1).max(MAX_PROMPT),
  model: z.string().min(1).max(1024).nullish().describe('A name from /v1/models; absent: the first that makes images.'),
  n: int(1, 10).nullish(),
  size: z.string().max(32).nullish().describe('WIDTHxHEIGHT in pixels, or auto.'),
  width: int(1, 1 << 16)
    .nullish()
    .describe('SGLang’s way to give the size, with height.'),
  height: int(1, 1 << 16).nullish(),
  quality: z
    .enum(['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd'])
    .nullish()
    .describe('Accepted and told back; num_inference_steps is what changes it.'),
  style: z.enum(['vivid', 'natural']).nullish().describe('Accepted; say it in the prompt.'),
  moderation: z.enum(['auto', 'low']).nullish().describe('Accepted; nothing is moderated.'),
  background: z
    .enum(['auto', 'opaque', 'transparent'])
    .refine((value) => value !== 'transparent', {
      error: 'pictures are made without an alpha channel; use opaque or auto',
      params: { code: 'unsupported_parameter' },
    })
    .nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish().describe('Default url; in a stream b64_json, as OpenAI’s clients expect there.'),
  output_format: z.enum(['png', 'jpeg', 'webp', 'jpg']).nullish().describe('Default png; jpg is SGLang’s word for jpeg.'),
  output_compression: int(0, 100)
    .nullish()
    .describe('Quality of jpeg and webp, effort of png; the size of a png never changes its pixels.'),
  output_quality: z
    .enum(['default', 'maximum', 'high', 'medium', 'low'])
    .nullish()
    .describe('SGLang’s words for output_compression: 100, 90, 55, 35.'),
  stream: flag().describe('Server-sent events: previews, progress, each picture when it is done.'),
  partial_images: int(0, 3).nullish().describe('Previews of each picture in a stream.'),
  user: z.string().max(1024).nullish().describe('Names the folder of the files.'),
  safety_identifier: z.string().max(1024).nullish(),
  num_inference_steps: steps,
  guidance_scale: guidance,
  seed,
  negative_prompt: negative,
  ...engineFields,
  nvext,
  rid: requestId.nullish(),
  complexity: unsupported(effortless),
  frame_count: unsupported(still),
  frame_duration_ms: unsupported(still),
  num_frames: unsupported(still, 1),
  enhance_prompt: unsupported('prompts are taken as they are', false),
  task_type: unsupported('the route says what is to be done'),
  enable_upscaling: unsupported('pictures are not upscaled; ask for a larger size', false),
  upscaling_model_path: unsupported('pictures are not upscaled; ask for a larger size'),
  upscaling_scale: unsupported('pictures are not upscaled; ask for a larger size', 4),
  profile: unsupported('profiles are taken by the server’s operator', false),
  profile_all_stages: unsupported('profiles are taken by the server’s operator', false),
  num_profiled_timesteps: unsupported('profiles are taken by the server’s operator'),
  perf_dump_path: unsupported('clients cannot name files of the server'),
}

const source = z
  .union([
    z.string(),
    z.object({ url: z.string() }),
    z.object({ image_url: z.union([z.string(), z.object({ url: z.string() })]) }),
    z.object({ b64_json: z.string() }),
  ])
  .describe('An address (https, data), or base64.')
const sources = z.union([source, z.array(source).max(MAX_IMAGES)])

export const generationShape = {
  ...common,
  input_reference: sources.nullish().describe('Dynamo: an image to start from, for models that take one.'),
}
export const generationRequired = ['prompt'] as const

export const editShape = {
  ...common,
  image: sources.nullish().describe('In a form: a file, or several as image[].'),
  images: sources.nullish(),
  input_reference: sources.nullish().describe('Dynamo’s name of image.'),
  url: sources.nullish().describe('SGLang’s name of image, for addresses; in a form also url[].'),
  mask: source.nullish().describe('Its transparent pixels are made anew; for models that can.'),
  input_fidelity: z.enum(['high', 'low']).nullish().describe('Accepted; the model decides.'),
  markup: unsupported('draw on the image itself'),
}
export const editRequired = ['prompt'] as const

const editObject = () => z.strictObject(editShape)
/** Of both routes: a generation has fewer fields. */
export type ImageBody = z.infer<ReturnType<typeof editObject>>

const usage = z.object({
  input_tokens: z.int(),
  input_tokens_details: z.object({ text_tokens: z.int().describe('0: the text is not counted.'), image_tokens: z.int() }),
  output_tokens: z.int().describe('16x16 pixels are one.'),
  total_tokens: z.int(),
})

const told = {
  background: z.literal('opaque'),
  output_format: z.enum(['png', 'jpeg', 'webp']),
  size: z.string(),
}

export const imageAnswer = z.object({
  id: z.string().describe('For /v1/images/{id}/content, when the answer has addresses.'),
  created: z.int(),
  model: z.string(),
  ...told,
  quality: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional(),
  data: z.array(
    z.object({
      url: z.string().optional(),
      b64_json: z.string().optional(),
      seed: z.int(),
    }),
  ),
  seed: z.int().describe('Of the first picture.'),
  usage,
  inference_time_s: z.number(),
  peak_memory_mb: z.number().optional(),
})

const event = {
  created_at: z.int(),
  ...told,
  quality: z.enum(['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd']),
  image_index: z.int().optional().describe('With n > 1: which picture.'),
}

export const imageEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.enum(['image_generation.partial_image', 'image_edit.partial_image']),
    partial_image_index: z.int(),
    b64_json: z.string(),
    ...event,
  }),
  z.object({
    type: z.enum(['image_generation.completed', 'image_edit.completed']),
    b64_json: z.string().optional(),
    url: z.string().optional().describe('Instead of b64_json, with "response_format": "url".'),
    seed: z.int(),
    usage,
    ...event,
  }),
  z.object({
    type: z.enum(['image_generation.progress', 'image_edit.progress']),
    image_index: z.int(),
    step: z.int(),
    steps: z.int(),
    fraction: z.number().describe('Of the whole request, 0 to 1.'),
  }),
])
