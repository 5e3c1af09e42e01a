// Seam: something that turns token ids into token ids. `mock`, `sglang` and `http` stand behind it; test/suites/engine.suite.ts holds them all.
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, GenerateRequest, Sink } from './types.ts'

export interface Engine {
  /** Known once `start` has resolved; kept while the engine restarts. */
  readonly info: EngineInfo
  readonly ready: boolean
  /** Resolves when the engine can serve. Rejects with a start-up AppError; later crashes are repaired inside and told by `state` events. */
  start(): Promise<EngineInfo>
  /**
   * Runs one sequence into `sink`; resolves right after the sink's terminal call and never rejects.
   * An aborted `signal` stops the engine's work; the sink still gets its terminal (`abort`), at the latest after a second.
   * While the engine is not ready, `sink.fail` gets `engine_unavailable` with `retryAfterSecs`.
   */
  generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void>
  /** Rejects with an AppError. */
  embed(request: EmbedRequest, signal: AbortSignal): Promise<Embedding>
  /** A named engine operation (`flush_cache`, `start_profile`, …); rejects with an AppError. */
  control(name: string, args: Record<string, unknown>): Promise<unknown>
  /** Prometheus text of the engine's own metrics (`sglang:*`), or an empty string. */
  metrics(): Promise<string>
  /** Requests inside the engine now, by DP rank: for leaks, drains and the mock's tests. */
  inFlight(): number
  /** Subscribes; the returned function ends it. */
  on(listener: (event: EngineEvent) => void): () => void
  /** Lets what runs finish until `deadlineMs` from now, aborts the rest, ends every process it started. Idempotent. */
  stop(deadlineMs: number): Promise<void>
}
