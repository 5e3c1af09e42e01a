// What POST /v1/videos and /v1/videos/stream accept: OpenAI's fields, Dynamo's nvext, SGLang's extras. Sizes and frames are checked against the model later (videos/order.ts).
import * as z from 'zod'
import { int, record, requestId, unsupported } from './common.ts'
import { engineFields } from './images.ts'

const fps = int(1, 240).nullish().describe('Frames a second. Default: the model’s.')
const numFrames = int(1, 65_536)
  .nullish()
  .describe('Frames of the clip; wins over seconds. Models that pack frames in time take a multiple of 4 plus one (17, 49, 81).')
const negativePrompt = z.string().max(32_768).nullish().describe('What the clip should not show. Default: the model’s.')
const steps = int(1, 1000).nullish().describe('Denoising steps. Default: the model’s.')
const guidance = z.number().min(0).max(100).nullish().describe('How closely the prompt is followed. Default: the model’s.')
const seed = int(0, 2 ** 32 - 1024)
  .nullish()
  .describe('Clip i of a request has the seed + i. Default: a random one, which the answer tells.')
const boundaryRatio = z.number().min(0).max(1).nullish().describe('Passed on to the engine.')
const guidance2 = z.number().min(0).max(100).nullish().describe('Guidance of a second transformer; passed on to the engine.')

/** Dynamo's request extension for videos. */
const videoNvext = z
  .strictObject({
    annotations: z.array(z.string()).max(64).nullish().describe('Accepted and not answered.'),
    fps,
    num_frames: numFrames,
    negative_prompt: negativePrompt,
    num_inference_steps: steps,
    guidance_scale: guidance,
    seed,
    boundary_ratio: boundaryRatio,
    guidance_scale_2: guidance2,
  })
  .nullish()
  .describe('Dynamo’s place for the engine’s parameters; its members win over those of the same name beside it.')

export const videoShape = {
  prompt: z.string().min(1).max(32_768).describe('What the clip shows.'),
  model: z.string().min(1).nullish().describe('A name from /v1/models. Default: the first that makes videos.'),
  input_reference: z
    .union([z.string(), z.looseObject({})])
    .nullish()
    .describe('The image that the clip starts from: its address, a data URL, base64, {"image_url": …}, or a file of a form.'),
  reference_url: z.string().nullish().describe('Another name of input_reference.'),
  seconds: z
    .union([z.number().gt(0).max(3600), z.string().regex(/^\d{1,4}(\.\d{1,3})?$/, 'must be a number of seconds')])
    .nullish()
    .describe('Length of the clip, rounded to what the model can make. Default: the model’s.'),
  size: z.string().nullish().describe('WIDTHxHEIGHT in pixels, or auto: the shape of the image, else the model’s size.'),
  width: int(1, 65_536).nullish(),
  height: int(1, 65_536).nullish(),
  n: int(1, 10).nullish().describe('How many clips.'),
  fps,
  num_frames: numFrames,
  negative_prompt: negativePrompt,
  num_inference_steps: steps,
  guidance_scale: guidance,
  ...engineFields,
  guidance_scale_2: guidance2,
  boundary_ratio: boundaryRatio,
  seed,
  response_format: z
    .enum(['url', 'b64_json'])
    .nullish()
    .describe('Where the clip is: behind a URL, or in the answer. Jobs always keep a file.'),
  output_format: z.enum(['mp4']).nullish(),
  output_compression: int(0, 100).nullish().describe('Quality of the JPEGs of /v1/videos/stream.'),
  stream: z.boolean().nullish().describe('Progress as server-sent events, the clip in the last.'),
  partial_images: int(0, 16).nullish().describe('With stream: so many small previews of the clip while it is made.'),
  background: z.boolean().nullish().describe('Answer at once with a job. Default: true for forms and with Prefer: respond-async.'),
  user: z.string().max(1024).nullish().describe('Files of a user lie in a folder of their own.'),
  safety_identifier: z.string().max(1024).nullish().describe('Stands for user where that is absent.'),
  rid: requestId.nullish(),
  nvext: videoNvext,
  metadata: record().nullish(),
  enable_frame_interpolation: unsupported('frames are not interpolated', false),
  enable_upscaling: unsupported('clips are not upscaled', false),
  enhance_prompt: unsupported('prompts are taken as they are', false),
  video_url: unsupported('clips are made from a prompt and at most an image'),
}

/** Parameters that reach the engine under their own names; a model that does not know one refuses it. */
export const passedOn = [...(Object.keys(engineFields) as (keyof typeof engineFields)[]), 'guidance_scale_2', 'boundary_ratio'] as const

export const videoRequired = ['prompt'] as const

const videoObject = () => z.strictObject(videoShape)
export type VideoBody = z.infer<ReturnType<typeof videoObject>>

/** One clip of an answer. */
const clip = z.object({
  url: z.string().optional(),
  b64_json: z.string().optional(),
  output_format: z.string(),
  fps: z.number().optional(),
  note: z.string().optional().describe('What is to be known of the file, such as another format than MP4 because there is no ffmpeg.'),
})

const queuePosition = z.int().optional().describe('While it waits: jobs before this one.')
const status = z.enum(['queued', 'in_progress', 'completed', 'failed', 'cancelled'])
const jobError = z.object({ code: z.string(), message: z.string(), type: z.string(), param: z.string().nullable() })

/** OpenAI's Video, with the clips and the seed. */
export const videoJobAnswer = z.object({
  id: z.string(),
  object: z.literal('video'),
  status,
  progress: z.int().min(0).max(100),
  queue_position: queuePosition,
  created_at: z.int(),
  completed_at: z.int().nullable(),
  expires_at: z
    .int()
    .nullable()
    .describe('When a job and its files go away; null while it runs, and for a clip that was made while the client waited.'),
  model: z.string(),
  prompt: z.string().nullable(),
  size: z.string(),
  seconds: z.string(),
  num_frames: z.int(),
  fps: z.number(),
  seed: z.int().nullable(),
  error: jobError.nullable(),
  remixed_from_video_id: z.null(),
  data: z.array(clip),
  inference_time_s: z.number().optional(),
})

/** Dynamo's answer, with the members of a job. Its id can be asked for like one's, unless the clip was in the answer (b64_json): then nothing is kept. */
export const videoAnswer = videoJobAnswer.extend({ created: z.int(), inference_time_s: z.number() })

/** An event while a clip is made; the last one is a videoAnswer. */
export const videoProgress = z.object({
  id: z.string(),
  object: z.literal('video'),
  model: z.string(),
  status,
  progress: z.int().min(0).max(100),
  created: z.int(),
  data: z.array(clip),
  queue_position: queuePosition,
  partial: z
    .object({ index: z.int(), partial_image_index: z.int(), output_format: z.string(), b64_json: z.string() })
    .optional()
    .describe('A preview of clip `index`.'),
})

export const videoList = z.object({
  object: z.literal('list'),
  data: z.array(videoJobAnswer),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
})

export const videoDeleted = z.object({ id: z.string(), object: z.literal('video.deleted'), deleted: z.literal(true) })
