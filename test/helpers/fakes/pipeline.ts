// A pipeline that says what a test tells it to: for the HTTP layer alone, without model, tokenizer or engine.
import { AppError } from '../../../src/lib/errors.ts'
import type {
  Answer,
  AnswerSink,
  EmbeddingRequest,
  Pipeline,
  Prompt,
  ServedModel,
  TextRequest,
  TokenLogprob,
  Usage,
} from '../../../src/pipeline/types.ts'

export interface Script {
  /** Pieces of text per choice, each one token; default `Hello`, ` world`. */
  pieces?: readonly string[]
  finish?: { reason: 'stop' | 'length'; matched: string | number | null }
  usage?: Partial<Usage>
  /** Fails with this after so many pieces. */
  fail?: { after: number; error: AppError }
  /** Milliseconds between pieces. */
  paceMs?: number
  models?: readonly ServedModel[]
}

export interface ScriptedPipeline extends Pipeline {
  /** What the handlers asked for, in order. */
  readonly requests: TextRequest[]
  readonly embeddings: EmbeddingRequest[]
}

export const tinyModel: ServedModel = {
  id: 'tiny',
  aliases: ['org/tiny-alias'],
  createdSecs: 1_700_000_000,
  contextLength: 2048,
  isEmbedding: false,
}

const bytes = new TextEncoder()

export function token(text: string, id = text.length): TokenLogprob {
  return { id, value: -0.5, text, bytes: bytes.encode(text), top: [{ id, value: -0.5, text, bytes: bytes.encode(text) }] }
}

export function scriptedPipeline(script: Script = {}): ScriptedPipeline {
  const models = script.models ?? [tinyModel]
  const requests: TextRequest[] = []
  const embeddings: EmbeddingRequest[] = []

  function known(name: string): void {
    if (!models.some((model) => model.id === name || model.aliases.includes(name)))
      throw new AppError('model_not_found', { message: `The model '${name}' is not served here.`, param: 'model' })
  }

  async function run(request: TextRequest, sink: AnswerSink, signal: AbortSignal): Promise<void> {
    requests.push(request)
    try {
      known(request.model)
    } catch (error) {
      sink.fail(error as AppError)
      return
    }
    const pieces = script.pieces ?? ['Hello', ' world']
    const usage: Usage = { promptTokens: 3, completionTokens: 0, cachedTokens: 1, reasoningTokens: 0, ...script.usage }
    const answer: Answer = { workerId: 'w0', dpRank: request.dpRank, overlapTokens: 16, promptIds: Uint32Array.of(7, 8, 9), usage }
    sink.begin(answer)
    for (const [index, piece] of pieces.entries()) {
      await Bun.sleep(script.paceMs ?? 0)
      if (signal.aborted) return sink.fail(new AppError('client_closed_request', { message: 'The client closed the connection.' }))
      if (script.fail?.after === index) return sink.fail(script.fail.error)
      for (let choice = 0; choice < request.n; choice++) {
        usage.completionTokens++
        sink.text(choice, piece, request.topLogprobs === undefined ? undefined : [token(piece)])
      }
    }
    for (let choice = 0; choice < request.n; choice++)
      sink.finish(choice, { reason: 'stop', matched: null, ...script.finish, ids: Uint32Array.from(pieces, (piece) => piece.length) })
    sink.end(usage)
  }

  return {
    requests,
    embeddings,
    models: () => models,
    ready: () => true,
    run,
    async embed(request) {
      embeddings.push(request)
      known(request.model)
      const vectors = request.inputs.map((_, i) => Float32Array.of(i, 0.5))
      return { workerId: 'w0', dpRank: undefined, overlapTokens: 0, vectors, promptTokens: 2 * request.inputs.length }
    },
    async explain(request) {
      requests.push(request)
      known(request.model)
      return { mode: 'kv', blockSize: 16, promptTokens: 3, promptBlocks: 0, chosen: 'w0/0', reason: 'it is the only one', candidates: [] }
    },
    tokenize: async (_model: string, prompt: Prompt) =>
      prompt.kind === 'ids'
        ? prompt.ids
        : Uint32Array.from(prompt.kind === 'text' ? prompt.text : JSON.stringify(prompt.input), (c) => c.charCodeAt(0)),
    detokenize: (_model: string, ids: Uint32Array) => String.fromCharCode(...ids),
  }
}
