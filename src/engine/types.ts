// The words between the pipeline and an engine. Token ids only: text belongs to the pipeline.
import type { HashPairs } from '../lib/block-hash.ts'
import type { PadScheme } from '../lib/media-pads.ts'

/** SGLang's own sampling names (sglang/srt/sampling/sampling_params.py). An absent field takes the engine's default. */
export interface SamplingParams {
  /** Absent: until EOS or the context is full. */
  max_new_tokens?: number
  min_new_tokens?: number
  temperature?: number
  top_p?: number
  top_k?: number
  min_p?: number
  frequency_penalty?: number
  presence_penalty?: number
  repetition_penalty?: number
  stop?: string[]
  stop_token_ids?: number[]
  stop_regex?: string[]
  ignore_eos?: boolean
  skip_special_tokens?: boolean
  spaces_between_special_tokens?: boolean
  no_stop_trim?: boolean
  logit_bias?: Record<string, number>
  sampling_seed?: number
  json_schema?: string
  regex?: string
  ebnf?: string
  structural_tag?: string
  custom_params?: Record<string, unknown>
}

/** Which log-probabilities the engine shall compute. */
export interface LogprobRequest {
  /** How many alternatives per position, 0 to 20. */
  top: number
  /** Prompt position from which to report the prompt's own; -1: none. */
  promptStart: number
  /** Report these ids at each position as well. */
  tokenIds?: number[]
}

/**
 * A picture (or a clip, or a sound) of a request. `offset` and `tokens` say which of `promptIds` stand for it: among them one `placeholder` for each row. Pictures are in the order of
 * their places.
 */
export interface MediaItem {
  kind: 'image' | 'video' | 'audio'
  /** A file that every decoder reads as the same upright 8-bit RGB pixels (PNG, or an untouched JPEG/WebP), or as the same samples (WAV); frames of a clip: `frames`. */
  file: Uint8Array
  contentType: string
  /** SHA-256 of what the model sees of it (file and preprocessing limits), hex: its name in caches and, where the engine lets us choose, in KV events. */
  hash: string
  /** Of sounds 0. */
  width: number
  height: number
  /** Temporal, vertical and horizontal patches (Qwen's image_grid_thw); families without a grid: [1, tiles, tokens per tile]; sounds: [1, 1, tokens]. */
  grid: readonly [number, number, number]
  /** The request's field that it came by (`messages[0].content[1].image_url.url`), for errors about it. */
  param?: string
  /** Its first position in the expanded `promptIds`. */
  offset: number
  tokens: number
  placeholder: number
  /** The one id that stands for all of it in a prompt that is not expanded, as chat templates write it. */
  single: number
  /** Clips: the sampled frames as PNG files in time order (`file` is empty, or the client's own where the engine wants that), and seconds between them. */
  frames?: Uint8Array[]
  secondsPerFrame?: number
  /** Clips: what they were sampled from. */
  clip?: ClipTimes
  /** What a tower elsewhere made of it: the engine's own is not asked. All pictures of a request have them, or none. */
  rows?: Rows
}

/** The whole of a clip, by number and rate of its frames. */
export interface ClipTimes {
  frames: number
  fps: number
  /** Which of them are `MediaItem.frames`, ascending. */
  positions: readonly number[]
  /** The times that the prompt shows before each group of frames; absent: it shows none. */
  seconds?: readonly number[]
  /** The client chose which frames are looked at, or sent them as pictures: whoever samples the file again gets others. */
  chosen: boolean
}

/** A picture as the rows that the language model reads in place of its placeholders. */
export interface Rows {
  /** One for each placeholder. */
  rows: number
  dim: number
  type: 'float32' | 'bfloat16' | 'float16'
  /** rows × dim values, row by row, little endian. */
  bytes: Uint8Array
}

export interface GenerateRequest {
  /** The HTTP request's id, for logs and abort; choices of one request share it. */
  requestId: string
  /** With `media`: expanded, one placeholder id for each row of each picture. */
  promptIds: Uint32Array
  media?: readonly MediaItem[]
  /** With `media`, of families whose processor reads pictures out of text: the prompt as such a text, for servers that hand it our prompt as it is. */
  mediaText?: string
  /** The engine tokenizes this and `promptIds` is empty. */
  promptText?: string
  /** Only with --use-sglang-tokenizer, and only for the sglang engine: SGLang renders and tokenizes, and `promptIds` is empty. */
  chat?: { messages: readonly unknown[]; tools?: readonly unknown[]; variables: Record<string, unknown> }
  sampling: SamplingParams
  /** False lets the engine hand over many tokens a row. */
  stream: boolean
  logprobs?: LogprobRequest
  priority?: number
  dpRank?: number
  lora?: string
  cacheSalt?: string
  extraKey?: string
  /** Tokens at the end of `promptIds` that an earlier attempt produced (migration): the grammar is advanced over them. */
  resumed?: number
  /** Disaggregation: both legs of a request carry the same room. Without it a prefill or decode engine refuses, unless it `worksAlone`. */
  bootstrap?: Bootstrap
}

/** Where a decode leg fetches its prompt's KV (SGLang's bootstrap_host, bootstrap_port, bootstrap_room). */
export interface Bootstrap {
  host: string
  port: number
  /** 1 to 2^53 - 1; prefill DP rank = room % dp size of the prefill engine. */
  room: number
  /** On the decode leg: the prefill leg's DP rank, which spares a question over HTTP. */
  prefillDpRank?: number
}

/** Alternatives at one position, best first; parallel arrays. */
export interface TopLogprobs {
  ids: number[]
  values: number[]
}

/** Log-probabilities of one pushed row: entry i belongs to the row's i-th token. */
export interface RowLogprobs {
  values: number[]
  top?: TopLogprobs[]
}

/** Of the prompt, from `promptStart`; the first value is null (nothing precedes it). Sent once, before or with the first row. */
export interface PromptLogprobs {
  ids: number[]
  values: (number | null)[]
  top?: (TopLogprobs | null)[]
}

export type Finish =
  | { kind: 'stop'; matched?: string | number | null }
  | { kind: 'length' }
  /** `status` and `errorType` both absent: a plain cancel. Else the engine refused or failed the request. */
  | { kind: 'abort'; message: string; status?: number; errorType?: string }

export interface EngineUsage {
  promptTokens: number
  completionTokens: number
  cachedTokens: number
  reasoningTokens: number
}

/**
 * Where an engine puts what it produces. Called synchronously from the engine's frame loop: must not throw, must not block.
 * After exactly one `end` or `fail`, nothing more is called.
 */
export interface Sink {
  /** `ids[start..end)` are new. The array is the engine's own and is reused: copy what is kept. */
  push(ids: Int32Array, start: number, end: number, logprobs: RowLogprobs | undefined): void
  promptLogprobs?(logprobs: PromptLogprobs): void
  end(finish: Finish, usage: EngineUsage): void
  /** The engine died, or refused the request before it ran. */
  fail(error: import('../lib/errors.ts').AppError): void
}

export interface EmbedRequest {
  requestId: string
  promptIds: Uint32Array
  priority?: number
  dpRank?: number
}

export interface Embedding {
  vector: Float32Array
  promptTokens: number
}

export interface EngineInfo {
  kind: 'sglang' | 'http' | 'mock'
  /** The engine's own version ("0.5.23"), or the product's for the mock. */
  version: string
  /** How the frames come (bridge levels; reference: the README's engine section). */
  level: 'L1' | 'L0' | 'L2' | 'http' | 'mock'
  modelPath: string
  isEmbedding: boolean
  /** Prompt and answer together, in tokens. */
  contextLength: number
  /** Longest prompt the engine takes, in tokens. */
  maxPromptTokens: number
  vocabSize: number
  eosIds: number[]
  /** Tokens in a KV block. */
  blockSize: number
  dpSize: number
  maxRunningRequests: number
  /** KV room of one rank. */
  totalKvTokens: number
  role: EngineRole
  /** Prefill and decode engines: they also answer a request by themselves (the mock; SGLang's do not). */
  worksAlone?: boolean
  /** Prefill engines: where decode engines fetch KV. */
  bootstrap?: { host: string; port: number }
  /** Prefill and decode must agree on it unless the model's attention is MLA. */
  tpSize?: number
  isMla?: boolean
  /** Tells `kv` events. */
  kvEvents: boolean
  /** Finds nothing of earlier prompts again: it keeps no prefixes (SGLang's --disable-radix-cache, and its way with transformers' own models that see). */
  forgets?: true
  /**
   * Takes `media`. `padScheme`: how it names KV blocks of pictures whose hash we give (lib/media-pads.ts); absent: not to be foreseen. `clips`: in which form it takes
   * clips: our frames, or the client's file, which it samples itself; absent: not at all. `sounds`: it takes
   * them.
   */
  sight?: { padScheme?: PadScheme; clips?: 'frames' | 'file'; sounds?: boolean }
  /** Longest prompt part of one prefill step, in tokens (SGLang's --max-prefill-tokens). */
  maxPrefillTokens?: number
}

/** What part of a request an engine does. */
export type EngineRole = 'aggregated' | 'prefill' | 'decode' | 'encode'

/** Where a block lies: GPU, pinned host memory, disk, or a store outside the worker. */
export type KvTier = 'device' | 'host' | 'disk' | 'external'

/** Blocks as their engine names them (`blocks`, opaque: only good for parents and removals) and by content (`local`, lib/block-hash.ts). One chain, in order. */
export interface KvStored {
  kind: 'stored'
  blocks: HashPairs
  /** The engine's name of the block that the first one follows; null: it starts a prompt. */
  parent: HashPairs | null
  local: HashPairs
  tier: KvTier
}
export type KvChange = KvStored | { kind: 'removed'; blocks: HashPairs; tier: KvTier } | { kind: 'cleared' }

export type EngineEvent =
  /** `ready: false` while starting, restarting or stopped; `reason` is for people. */
  | { kind: 'state'; ready: boolean; reason: string }
  | { kind: 'load'; rank: number; running: number; waiting: number; usedTokens: number; totalTokens: number }
  /** `seq` counts up by one from event to event of a rank; `cleared` comes first when what was told before is void. */
  | { kind: 'kv'; rank: number; seq: number; changes: KvChange[] }
