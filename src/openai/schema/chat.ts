// What POST /v1/chat/completions accepts: OpenAI's fields, SGLang's and vLLM's extras, Dynamo's nvext.
import * as z from 'zod'
import { generation, ids, int, record, unsupported } from './common.ts'

const refusedPart = (kind: string, why: string) =>
  z.looseObject({ type: z.literal(kind) }).refine(() => false, { error: why, params: { code: 'unsupported_parameter' }, abort: true })

/** Where a sound lies; some clients write the address alone. */
const address = z.union([z.string().min(1), z.looseObject({ url: z.string().min(1) })])
const detail = z.enum(['auto', 'low', 'high', 'original']).nullish()
const picture = z.union([z.string().min(1), z.looseObject({ url: z.string().min(1), detail })])

/** Which frames of a clip are looked at, in the words of SGLang (fps, max_frames), Dynamo (num_frames) and Qwen (nframes, min_frames). */
const frameCount = int(1, 100_000).nullish()
const sampling = {
  fps: z.number().gt(0).max(1000).nullish(),
  num_frames: frameCount,
  nframes: frameCount,
  min_frames: frameCount,
  max_frames: frameCount,
}
const clipAddress = z.union([z.string().min(1), z.looseObject({ url: z.string().min(1), ...sampling })])
/** A clip by its address, or as its frames (Qwen's form). */
const clip = z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(768)])

/** Whether the model takes them is said by the pipeline, which knows the model (pipeline/media-parts.ts). */
const mediaParts = [
  z.looseObject({ type: z.literal('image_url'), image_url: picture }),
  z.looseObject({ type: z.literal('input_image'), image_url: picture, detail }),
  z.looseObject({ type: z.literal('video_url'), video_url: clipAddress, ...sampling }),
  z.looseObject({ type: z.literal('video'), video: clip, ...sampling }),
  z.looseObject({ type: z.literal('audio_url'), audio_url: address }),
  z.looseObject({ type: z.literal('input_audio'), input_audio: z.looseObject({ data: z.string().min(1), format: z.string().nullish() }) }),
  refusedPart('file', 'files are not read; give pictures as image_url parts and text as text parts'),
]

const textPart = z.looseObject({ type: z.literal('text'), text: z.string() })
const refusalPart = z.looseObject({ type: z.literal('refusal'), refusal: z.string() })
const part = z.discriminatedUnion('type', [textPart, refusalPart, ...mediaParts] as never) as unknown as z.ZodType<{
  type: string
  text?: string
  refusal?: string
}>

const parts = z.array(part).min(1)
const content = z.union([z.string(), parts])

const toolCall = z.looseObject({
  id: z.string().nullish(),
  type: z.literal('function').nullish(),
  function: z.looseObject({ name: z.string().min(1), arguments: z.union([z.string(), record()]).nullish() }),
})

/** Messages are loose: templates use fields that no list knows (reasoning_content, name, prefix, …). */
export const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.literal('user'), content, name: z.string().nullish() }),
  z.looseObject({ role: z.literal('system'), content, name: z.string().nullish() }),
  z.looseObject({ role: z.literal('developer'), content, name: z.string().nullish() }),
  z.looseObject({
    role: z.literal('assistant'),
    content: content.nullish(),
    refusal: z.string().nullish(),
    reasoning_content: z.string().nullish(),
    tool_calls: z.array(toolCall).max(1536).nullish(),
    function_call: unsupported('use tool_calls'),
    audio: unsupported('this model has no audio'),
  }),
  z.looseObject({ role: z.literal('tool'), content: content.nullable(), tool_call_id: z.string() }),
  z.looseObject({ role: z.literal('function'), content: z.string().nullable(), name: z.string() }),
])

export const tool = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().regex(/^[\w.-]{1,96}$/, 'must be 1 to 96 letters, digits, underscores, dots or hyphens'),
    description: z.string().nullish(),
    parameters: record().nullish(),
    strict: z.boolean().nullish(),
  }),
})

const toolChoice = z
  .union([
    z.enum(['none', 'auto', 'required']),
    z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string().min(1) }) }),
  ])
  .nullish()

const effort = z.union([z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'ultra', 'max']), z.number().min(0).max(0.99)])

export const chatShape = {
  ...generation,
  messages: z.array(message).min(1),
  max_completion_tokens: int(1, 0x7fffffff).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: int(0, 20).nullish(),
  tools: z.array(tool).max(1536).nullish(),
  tool_choice: toolChoice,
  parallel_tool_calls: z.boolean().nullish(),
  reasoning_effort: effort.nullish(),
  reasoning: z.looseObject({ effort: effort.nullish(), enabled: z.boolean().nullish() }).nullish(),
  thinking: z.looseObject({ type: z.enum(['enabled', 'disabled', 'adaptive']) }).nullish(),
  chat_template_kwargs: record().nullish(),
  input_ids: ids.nullish().describe('Token ids in place of what the template would make of the messages.'),
  add_generation_prompt: z.boolean().nullish(),
  continue_final_message: z.boolean().nullish(),
  separate_reasoning: z.boolean().nullish(),
  stream_reasoning: z.boolean().nullish(),
  echo: unsupported('only /v1/completions echoes the prompt', false),
  verbosity: z.enum(['low', 'medium', 'high']).nullish(),
  prediction: record().nullish(),
  modalities: z.array(z.literal('text')).min(1).nullish(),
  audio: unsupported('this model has no audio'),
  web_search_options: unsupported('there is no web search'),
  functions: unsupported('use tools'),
  function_call: unsupported('use tool_choice'),
  documents: z.array(record()).nullish(),
  media_io_kwargs: z
    .strictObject({ video: z.strictObject(sampling).nullish() })
    .nullish()
    .describe('Which frames of all clips are looked at, where a part does not say it itself.'),
  chat_template: unsupported('templates are the server’s: start it with --custom-jinja-template'),
  add_special_tokens: unsupported('the chat template writes the special tokens', false),
}

export const chatRequired = ['model', 'messages'] as const

const chatObject = () => z.strictObject(chatShape)
export type ChatBody = z.infer<ReturnType<typeof chatObject>>
