// What POST /tokenize and /detokenize accept: the shapes of SGLang's and vLLM's servers.
import * as z from 'zod'
import { chatShape } from './chat.ts'
import { int, model } from './common.ts'

const ids = z.array(int(0, 0xffffffff))

export const tokenizeShape = {
  model: model.nullish(),
  prompt: z.union([z.string(), z.array(z.string()).min(1).max(2048)]).nullish(),
  messages: chatShape.messages.nullish(),
  tools: chatShape.tools,
  chat_template_kwargs: chatShape.chat_template_kwargs,
  add_special_tokens: z.boolean().nullish(),
  add_generation_prompt: chatShape.add_generation_prompt,
  continue_final_message: chatShape.continue_final_message,
  return_token_strs: z.boolean().nullish(),
}

export const detokenizeShape = {
  model: model.nullish(),
  tokens: z.union([ids, z.array(ids).max(2048)]),
  skip_special_tokens: z.boolean().nullish(),
}

export const detokenizeRequired = ['tokens'] as const

const tokenizeObject = () => z.strictObject(tokenizeShape)
const detokenizeObject = () => z.strictObject(detokenizeShape)
export type TokenizeBody = z.infer<ReturnType<typeof tokenizeObject>>
export type DetokenizeBody = z.infer<ReturnType<typeof detokenizeObject>>
