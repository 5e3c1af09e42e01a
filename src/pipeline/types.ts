// The only words the middle speaks: what a handler asks for, and what comes back.
import type { EmbedRequest, SamplingParams } from '../engine/types.ts'
import type { AppError } from '../lib/errors.ts'
import type { SamplingWishes } from '../media/vision/vision.ts'
import type { Decision, RouterOverrides } from '../router/router.ts'
import type { TemplateInput } from '../template/template.ts'

export type Prompt =
  | { kind: 'chat'; input: TemplateInput }
  | { kind: 'text'; text: string; addSpecial: boolean }
  /** `param`: the field of the request that has them; absent: `prompt`. */
  | { kind: 'ids'; ids: Uint32Array; param?: string }

/** A picture, clip or sound of a chat, in the order of the messages. */
export interface MediaPart {
  kind: 'image' | 'video' | 'audio'
  url: string
  /** A clip that comes as pictures of its frames, each with its path in the body; `url` is empty. */
  frames?: readonly { url: string; param: string }[]
  /** Clips: which frames the client wants to be looked at. Of frames that come as pictures `fps` is their own rate. */
  sampling?: SamplingWishes
  /** OpenAI's: `low` is a version that fits into 512 × 512. */
  detail?: 'auto' | 'low' | 'high' | 'original'
  /** Its path in the body, for errors. */
  param: string
}

export interface TextRequest {
  requestId: string
  /** As the client wrote it; an alias is fine. */
  model: string
  /** performance.now() when the request's head was read. */
  receivedAt: number
  prompt: Prompt
  /** Of a chat prompt's parts; absent: it is text alone. */
  media?: readonly MediaPart[]
  /** Everything for the engine but `stop`, which the pipeline derives from `stops`. `max_new_tokens` absent: the model decides. */
  sampling: SamplingParams
  /** The field whose grammar holds the answer (`response_format`, `guided_regex`, `tools`), for errors. */
  constrainedBy?: string
  /** When `max_new_tokens` is absent: this many, or as many as still fit. */
  defaultMaxTokens?: number
  stops: readonly string[]
  /** Keep the matched stop string in the text. */
  includeStop: boolean
  /** Choices, 1 to 128. */
  n: number
  /** Completions' `best_of`: generate this many, answer with the `n` likeliest. Absent: `n`. */
  bestOf?: number
  stream: boolean
  /** Alternatives per token; absent: no logprobs. */
  topLogprobs?: number
  /** Answer with the prompt first (completions). */
  echo: boolean
  skipSpecial: boolean
  priority?: number
  cacheSalt?: string
  extraKey?: string
  lora?: string
  /** Only this worker / rank (nvext, headers); with prefill and decode apart these name the decode side. */
  workerId?: string
  dpRank?: number
  prefillWorkerId?: string
  prefillDpRank?: number
  /** Requests of one session go to one worker while it lives. */
  sessionId?: string
  /** The length that the client expects of the answer, where it knows better than `max_new_tokens`. */
  expectedTokens?: number
  overrides?: RouterOverrides
}

export interface TokenLogprob {
  id: number
  /** Natural logarithm; null for the prompt's first token. */
  value: number | null
  text: string
  bytes: Uint8Array
  top: { id: number; value: number; text: string; bytes: Uint8Array }[]
}

export interface Usage {
  promptTokens: number
  completionTokens: number
  cachedTokens: number
  reasoningTokens: number
  /** Of `promptTokens` those of sounds; absent: the request has none. */
  audioTokens?: number
}

/** Where a request was put; of several choices the first one's place. */
export interface Place {
  readonly workerId: string
  readonly dpRank: number | undefined
  /** With prefill and decode apart: the prefill side. */
  readonly prefillWorkerId?: string | undefined
  readonly prefillDpRank?: number | undefined
  /** Prompt tokens that the worker was believed to hold already. */
  readonly overlapTokens: number
}

/** What a sink may look at while the answer runs; counts and place are live. */
export interface Answer extends Place {
  readonly promptIds: Uint32Array
  readonly usage: Readonly<Usage>
}

export interface ChoiceFinish {
  reason: 'stop' | 'length'
  /** The stop string or stop token id that ended it; null at EOS or length. */
  matched: string | number | null
  /** All ids of the choice, the ending one included. */
  ids: Uint32Array
}

/**
 * Where an answer goes. Called synchronously from the engine's frame loop: no promise, no throw.
 * begin → text* → finish (once a choice) → end, or fail at any moment; nothing follows end or fail.
 */
export interface AnswerSink {
  /** The request has a place and is about to run. */
  begin(answer: Answer): void
  /** `text` became certain. `logprobs` has the tokens of this text (held-back tokens come with the text they end in). */
  text(choice: number, text: string, logprobs: TokenLogprob[] | undefined): void
  finish(choice: number, finish: ChoiceFinish): void
  end(usage: Usage): void
  fail(error: AppError): void
}

export interface EmbeddingRequest {
  requestId: string
  model: string
  /** One vector each. */
  inputs: readonly (string | Uint32Array)[]
  /** Cut to this many dimensions and renormalise (matryoshka). */
  dimensions?: number
  options?: Pick<EmbedRequest, 'priority' | 'dpRank'>
  /** Only this worker. */
  workerId?: string
  sessionId?: string
  cacheSalt?: string
}

export interface EmbeddingAnswer extends Place {
  /** One for each input, in order. */
  vectors: Float32Array[]
  promptTokens: number
}

/** A model as clients see it. */
export interface ServedModel {
  /** The first name of --served-model-name, else the path as given. */
  id: string
  aliases: readonly string[]
  createdSecs: number
  contextLength: number
  isEmbedding: boolean
}

/** What the handlers of openai/ may ask of the middle; pipeline/pipeline.ts makes one. */
export interface Pipeline {
  models(): readonly ServedModel[]
  /** True when some engine can take a request now. */
  ready(): boolean
  /** Resolves after the sink's terminal call; failures go to the sink. `signal` is the client's connection. */
  run(request: TextRequest, sink: AnswerSink, signal: AbortSignal): Promise<void>
  /** Rejects with an AppError. */
  embed(request: EmbeddingRequest, signal: AbortSignal): Promise<EmbeddingAnswer>
  /** Where the request would go now, and why; nothing is booked. Rejects with an AppError. */
  explain(request: TextRequest): Promise<Decision>
  /** Rejects with an AppError (unknown model, template errors). */
  tokenize(model: string, prompt: Prompt): Promise<Uint32Array>
  detokenize(model: string, ids: Uint32Array, skipSpecial: boolean): string
}
