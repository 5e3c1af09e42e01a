// What POST /v1/completions accepts.
import * as z from 'zod'
import { generation, int, unsupported } from './common.ts'

const ids = z.array(int(0, 0xffffffff)).min(1)
const some = z.string().min(1)

/** One prompt or a batch, as text or token ids. check.ts reads it by hand: it may have a million elements. */
export const prompt = z.union([some, z.array(some).min(1).max(2048), ids, z.array(ids).min(1).max(2048)])

export const completionShape = {
  ...generation,
  prompt,
  max_tokens: int(0, 0x7fffffff).nullish().describe('0 only with echo: the prompt is scored.'),
  best_of: int(1, 128).nullish(),
  echo: z.boolean().nullish(),
  logprobs: int(0, 20).nullish(),
  suffix: unsupported('text cannot be filled in before a suffix; send it as part of the prompt'),
  add_special_tokens: z.boolean().nullish(),
}

export const completionRequired = ['model', 'prompt'] as const

const completionObject = () => z.strictObject(completionShape)
export type CompletionBody = z.infer<ReturnType<typeof completionObject>>
