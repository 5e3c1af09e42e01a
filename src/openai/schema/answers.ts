// What the endpoints answer, for /openapi.json. The handlers write these shapes by hand; test/serve/http/openapi.test.ts holds real answers against them.
import * as z from 'zod'

const usage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z.int(),
    audio_tokens: z.int().optional().describe('Of chats with sounds: the tokens that these are.'),
  }),
  completion_tokens_details: z.object({ reasoning_tokens: z.int() }),
})

const finish = {
  index: z.int(),
  finish_reason: z.enum(['stop', 'length', 'tool_calls']).nullable(),
  matched_stop: z.union([z.string(), z.int()]).nullish().describe('The stop string or token id that ended it.'),
  token_ids: z.array(z.int()).optional(),
  prompt_token_ids: z.array(z.int()).optional(),
}

const scored = { token: z.string(), logprob: z.number().nullable(), bytes: z.array(z.int()) }
const chatLogprobs = z
  .object({ content: z.array(z.object({ ...scored, top_logprobs: z.array(z.object(scored)) })), refusal: z.null() })
  .nullable()
const completionLogprobs = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().nullable()),
    top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
    text_offset: z.array(z.int()),
  })
  .nullable()

const toolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
})

const head = { id: z.string(), created: z.int(), model: z.string() }
const nvext = z.looseObject({}).optional().describe('The members named in nvext.extra_fields.')

export const chatAnswer = z.object({
  ...head,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.object({
      ...finish,
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable(),
        refusal: z.null(),
        tool_calls: z.array(toolCall).optional(),
      }),
      logprobs: chatLogprobs,
    }),
  ),
  usage,
  nvext,
})

export const chatChunk = z.object({
  ...head,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      ...finish,
      delta: z.object({
        role: z.literal('assistant').optional(),
        content: z.string().nullish(),
        tool_calls: z.array(toolCall.extend({ index: z.int() })).optional(),
      }),
      logprobs: chatLogprobs,
    }),
  ),
  usage: usage.nullish(),
  nvext,
})

export const completionAnswer = z.object({
  ...head,
  object: z.literal('text_completion'),
  choices: z.array(z.object({ ...finish, text: z.string(), logprobs: completionLogprobs })),
  usage: usage.nullish(),
  nvext,
})

export const embeddingAnswer = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      object: z.literal('embedding'),
      index: z.int(),
      embedding: z.union([z.array(z.number()), z.string()]).describe('Numbers, or base64 of little-endian 32-bit floats.'),
    }),
  ),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
})

export const modelAnswer = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  root: z.string(),
  parent: z.null(),
  max_model_len: z.int().optional(),
  context_window: z.int().optional(),
  makes: z.enum(['image', 'video']).optional().describe('Of a model that makes no text.'),
})

export const modelsAnswer = z.object({ object: z.literal('list'), data: z.array(modelAnswer) })

const idLists = z.union([z.array(z.int()), z.array(z.array(z.int()))])
export const tokenizeAnswer = z.object({
  tokens: idLists,
  count: z.union([z.int(), z.array(z.int())]),
  max_model_len: z.int(),
  token_strs: z.union([z.array(z.string()), z.array(z.array(z.string()))]).optional(),
})

const texts = z.union([z.string(), z.array(z.string())])
export const detokenizeAnswer = z.object({ text: texts, prompt: texts })

export const errorAnswer = z.object({
  error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() }),
})
