// What a mock engine is made of: the sizes, speeds and faults it plays. Checked once, here, before anything runs.
import { AppError } from '../../lib/errors.ts'
import type { EngineInfo, EngineRole } from '../types.ts'
import { type Failure, parseFailure } from './failure.ts'
import { defaultTiming, type Timing } from './rank/timing.ts'

export interface MockOptions {
  modelPath: string
  vocabSize: number
  /** Ids the answers are drawn from; each must decode to complete, readable text. EOS ids among them are left out. */
  textIds: ArrayLike<number>
  eosIds: readonly number[]
  /** Needed for json_schema and for requests that carry text; without it both are refused. Adds no special tokens. */
  encode?: ((text: string) => Uint32Array | Promise<Uint32Array>) | undefined
  /** Part of every next id: two engines with one seed give the same answers. Default 0. */
  seed?: number | undefined
  /** How much faster than `timing` the engine runs; 1000000 is practically at once. Default 1. */
  speedupRatio?: number | undefined
  /** Prompt and answer together, in tokens. Default 32768. */
  contextLength?: number | undefined
  /** Tokens in a KV block. Default 16. */
  blockSize?: number | undefined
  /** Data-parallel ranks, each with its own queue and KV. Default 1. */
  dpSize?: number | undefined
  /** Rows that run together, per rank; the rest waits. Default 1024. */
  maxRunningRequests?: number | undefined
  /** KV room per rank, in tokens; rounded down to whole blocks. Default 1048576. */
  totalKvTokens?: number | undefined
  /** Tell `kv` events. Default true. */
  kvEvents?: boolean | undefined
  /** Serves `embed` and refuses `generate`. Default false: the other way round. */
  isEmbedding?: boolean | undefined
  /** What part of a request it does when that comes with a bootstrap; without one it does all of it. Default `aggregated`. */
  role?: EngineRole | undefined
  /** Where a prefill engine's bootstrap server listens, and where decode engines look for it. Default 127.0.0.1. */
  bootstrapHost?: string | undefined
  /** A computed prompt that no decode engine fetches fails after this long, in real milliseconds. Default 300000, SGLang's. */
  bootstrapTimeoutMs?: number | undefined
  /** Simulated milliseconds that a prompt's KV is on its way: for the transfer, and for each token. */
  transfer?: { baseMs?: number; tokenMs?: number } | undefined
  /** Told as EngineInfo.tpSize and isMla; prefill and decode must agree. Default 1, false. */
  tpSize?: number | undefined
  isMla?: boolean | undefined
  /** Its pictures are encoded elsewhere: one without rows is refused. Default false. */
  rowsOnly?: boolean | undefined
  /** Length of an embedding. Default 64. */
  embeddingSize?: number | undefined
  timing?: Partial<Timing> | undefined
  /** Faults to play, as parseFailure reads them: `crash-after=200,restart=500`. */
  failure?: string | undefined
  /** Told as EngineInfo.version: the product's own version. */
  version?: string | undefined
}

/** The same with every default filled in. */
export interface MockConfig {
  readonly modelPath: string
  readonly vocabSize: number
  readonly textIds: Int32Array
  readonly eosIds: readonly number[]
  readonly encode: ((text: string) => Uint32Array | Promise<Uint32Array>) | undefined
  readonly seed: number
  readonly speedupRatio: number
  readonly contextLength: number
  readonly blockSize: number
  readonly dpSize: number
  readonly maxRunningRequests: number
  readonly totalKvTokens: number
  readonly kvEvents: boolean
  readonly isEmbedding: boolean
  readonly role: EngineRole
  readonly bootstrapHost: string
  readonly bootstrapTimeoutMs: number
  readonly transfer: { readonly baseMs: number; readonly tokenMs: number }
  readonly tpSize: number
  readonly isMla: boolean
  readonly rowsOnly: boolean
  readonly embeddingSize: number
  readonly timing: Timing
  readonly failure: Failure
  readonly version: string
}

/** Fills in the defaults. Throws AppError `invalid_setting` naming the flag at fault. */
export function resolveOptions(options: MockOptions): MockConfig {
  const speedupRatio = options.speedupRatio ?? 1
  if (!(speedupRatio > 0 && Number.isFinite(speedupRatio))) {
    throw new AppError('invalid_setting', {
      param: '--speedup-ratio',
      message: `--speedup-ratio must be a number above 0 (1 is a real GPU's pace, 1000000 is practically at once), not ${speedupRatio}`,
    })
  }
  // Beyond these its tables would not fit the memory.
  const blockSize = count('--page-size', options.blockSize ?? 16)
  const totalKvTokens =
    Math.floor(count('--max-total-tokens', options.totalKvTokens ?? 1_048_576, 1, blockSize * 2 ** 22) / blockSize) * blockSize
  if (totalKvTokens < 2 * blockSize) {
    throw new AppError('invalid_setting', {
      param: '--max-total-tokens',
      message: `--max-total-tokens must hold at least two blocks of ${blockSize} tokens`,
    })
  }
  const textIds = Int32Array.from(options.textIds).filter((id) => !options.eosIds.includes(id))
  if (textIds.length === 0 || options.eosIds.length === 0) {
    throw new AppError('invalid_setting', { message: 'the mock engine needs at least one text id and one EOS id' })
  }
  return {
    modelPath: options.modelPath,
    vocabSize: count('vocab_size', options.vocabSize),
    textIds,
    eosIds: [...options.eosIds],
    encode: options.encode,
    seed: options.seed ?? 0,
    speedupRatio,
    contextLength: count('--context-length', options.contextLength ?? 32_768, 2),
    blockSize,
    dpSize: count('--dp-size', options.dpSize ?? 1, 1, 1024),
    maxRunningRequests: count('--max-running-requests', options.maxRunningRequests ?? 1024, 1, 1 << 20),
    totalKvTokens,
    kvEvents: options.kvEvents ?? true,
    isEmbedding: options.isEmbedding ?? false,
    role: role(options.role ?? 'aggregated'),
    bootstrapHost: options.bootstrapHost ?? '127.0.0.1',
    bootstrapTimeoutMs: options.bootstrapTimeoutMs ?? 300_000,
    // Near an 8B model's KV (128 KB a token) over a fast network.
    transfer: { baseMs: 2, tokenMs: 0.003, ...options.transfer },
    tpSize: count('--tp-size', options.tpSize ?? 1),
    isMla: options.isMla ?? false,
    rowsOnly: options.rowsOnly ?? false,
    embeddingSize: count('hidden_size', options.embeddingSize ?? 64),
    timing: { ...defaultTiming, ...options.timing },
    failure: parseFailure(options.failure ?? ''),
    version: options.version ?? '0',
  }
}

/** The same as other parts see it. */
export function engineInfo(config: MockConfig): EngineInfo {
  const { modelPath, version, isEmbedding, contextLength, vocabSize, eosIds, blockSize, dpSize, maxRunningRequests, totalKvTokens } = config
  return {
    kind: 'mock',
    level: 'mock',
    version,
    modelPath,
    isEmbedding,
    contextLength,
    maxPromptTokens: Math.min(contextLength, totalKvTokens) - 1,
    vocabSize,
    eosIds: [...eosIds],
    blockSize,
    dpSize,
    maxRunningRequests,
    totalKvTokens,
    role: config.role,
    ...(config.role === 'aggregated' ? {} : { worksAlone: true }),
    tpSize: config.tpSize,
    isMla: config.isMla,
    ...(isEmbedding ? {} : { sight: { padScheme: 'wide', clips: 'frames', sounds: true } }),
    kvEvents: config.kvEvents,
  }
}

function role(given: EngineRole): EngineRole {
  if (given === 'aggregated' || given === 'prefill' || given === 'decode') return given
  throw new AppError('invalid_setting', {
    param: '--disaggregation-mode',
    message: `the mock engine has no role '${given}'; it has aggregated, prefill and decode`,
  })
}

function count(param: string, value: number, least = 1, most = 1 << 30): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new AppError('invalid_setting', { param, message: `${param} must be a whole number from ${least} to ${most}, not ${value}` })
}
