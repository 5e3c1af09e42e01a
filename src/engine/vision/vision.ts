// Seam: something that turns pictures into the rows a language model reads in place of its image tokens. Our own tower (onnx/), SGLang's encoder (sglang/), a worker
// elsewhere (remote/) and the mock stand behind it; test/suites/vision.suite.ts holds them all.
import type { MediaItem } from '../types.ts'

export type EmbeddingType = 'float32' | 'bfloat16' | 'float16'

export interface EncoderInfo {
  /** The model folder or hub name whose tower this is. */
  modelPath: string
  /** Same domain and same picture: the same bytes. Made of weights, runtime, precision and preprocessing; the key of caches besides the picture's hash. */
  domain: string
  /** Values in a row: hidden size of the language model, times 1 + levels with deepstack (Qwen3-VL). */
  dim: number
  type: EmbeddingType
  /** Patches that one row stands for (Qwen: merge size squared). Absent: a picture's rows are its `tokens`. */
  patchesPerRow?: number
  /** What a patch took in a warm-up at its start, in milliseconds: how much patience a pool begins with. */
  msPerPatch?: number
}

/** What a picture became. */
export interface Embeddings {
  /** One for each placeholder token. */
  rows: number
  dim: number
  type: EmbeddingType
  /** rows × dim values, row by row, little endian. Never changed after it was handed out: caches share it. */
  bytes: Uint8Array
  /** Temporal, vertical and horizontal patches, before merging. */
  grid: readonly [number, number, number]
  /** First 8 bytes, big endian, of SHA-256 over `bytes`: what SGLang calls the item where it gets embeddings (reference: epd, "block hashes"). */
  itemHash: bigint
}

export interface WorkSigns {
  /** When it was last seen at work (performance.now() here). */
  seenAt: number
  /** It may work unseen, on a GPU. */
  hidden: boolean
}

export interface VisionEncoder {
  /** Known once `start` has resolved. */
  readonly info: EncoderInfo
  readonly ready: boolean
  /** Resolves when it can encode. Rejects with a start-up AppError. */
  start(): Promise<EncoderInfo>
  /**
   * One picture. Rejects with an AppError: `invalid_image` (the picture is at fault, nobody else will do better), `engine_unavailable` or `engine_failed`
   * (another encoder may), `client_closed_request` when `signal` aborted; work that nobody waits for is dropped.
   */
  encode(item: MediaItem, signal: AbortSignal): Promise<Embeddings>
  /** Patches waiting and running: what a pool balances by. */
  patchesInFlight(): number
  /** What fails it tries again itself, for as long as that makes sense: nobody need ask it twice. Default: it does not. */
  readonly retries?: true
  /**
   * When it last showed life (performance.now() here), which it does about twice a second, at work or not: silence for more than a second says that it stands still. Absent:
   * nothing is heard of it but rows.
   */
  readonly heardAt?: number | undefined
  /** Whether it works on what it has, where that is seen from outside: one may be alive and do nothing any more. */
  readonly work?: WorkSigns | undefined
  /** Hears when `ready` changes; the returned function ends it. `died`: it was lost, nobody told it to end. */
  on(listener: (state: { ready: boolean; reason: string; died?: boolean }) => void): () => void
  /** Idempotent; what still runs is rejected with `engine_unavailable`. */
  stop(): Promise<void>
}
