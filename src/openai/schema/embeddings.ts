// What POST /v1/embeddings accepts.
import * as z from 'zod'
import { int, model, nvext, requestId } from './common.ts'
import { prompt } from './completions.ts'

export const embeddingShape = {
  model,
  input: prompt,
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: int(1, 1 << 20).nullish(),
  user: z.string().nullish(),
  rid: requestId.nullish(),
  priority: z.int().nullish(),
  data_parallel_rank: int(0, 65535).nullish(),
  nvext,
}

export const embeddingRequired = ['model', 'input'] as const

const embeddingObject = () => z.strictObject(embeddingShape)
export type EmbeddingBody = z.infer<ReturnType<typeof embeddingObject>>
