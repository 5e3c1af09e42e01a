// Everything the server is told, in its own words; cli/serve.ts makes it from the settings.
import type { HubOptions } from '../tokenizer/hub.ts'

export interface ModelOptions {
  /** A folder, or a name on the hub; undefined: the engine tells (attached servers). */
  path: string | undefined
  /** What clients call it; the first is the id, the others are aliases. Empty: the path as given. */
  servedNames: readonly string[]
  tokenizerPath: string | undefined
  customTemplate: string | undefined
  tokenizerCacheBytes: number
  contextLength: number | undefined
  hub: HubOptions
  /** Let generation_config.json fill in sampling that a request leaves open, as SGLang does (`--sampling-defaults model`). */
  samplingDefaults: boolean
  /** --use-sglang-tokenizer. */
  engineTokenizes: boolean
}

export type EngineOptions =
  | {
      kind: 'sglang'
      python: string
      args: readonly string[]
      env: Record<string, string>
      level: 'L1' | 'L0' | 'L2' | undefined
      cacheDir: string
      silenceMs: number
    }
  | { kind: 'http'; url: string }
  | {
      kind: 'mock'
      speedupRatio: number
      failure: string
      seed: number
      blockSize: number | undefined
      dpSize: number | undefined
      maxRunningRequests: number | undefined
      totalKvTokens: number | undefined
      isEmbedding: boolean
    }

export interface ServeOptions {
  version: string
  /** `dyn://namespace.component.endpoint`, told in /health. */
  endpoint: string
  http: { host: string; port: number; tls?: { cert: string; key: string } }
  /** A second port for operators: /metrics, /health, /live. */
  system: { host: string; port: number } | undefined
  limits: { bodyBytes: number; inFlight: number; overloadStatus: number }
  ignoreUnknownFields: boolean
  corsOrigin: string | undefined
  excludeToolsWhenNone: boolean
  model: ModelOptions
  engine: EngineOptions
  health: { canaryFreshMs: number; canaryIds: Uint32Array | undefined }
  graceMs: number
  drainMs: number
}
