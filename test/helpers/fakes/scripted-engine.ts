// An engine whose every row the test decides: for the pipeline's own tests, where a real engine's timing would hide the order of calls.
import type { Engine } from '../../../src/engine/engine.ts'
import type { EngineInfo, GenerateRequest, Sink } from '../../../src/engine/types.ts'

export interface Running {
  request: GenerateRequest
  sink: Sink
  signal: AbortSignal
  /** Ends the promise that `generate` gave. */
  settle(): void
}

export interface ScriptedEngine extends Engine {
  readonly running: Running[]
  ready: boolean
}

export const scriptedInfo: EngineInfo = {
  kind: 'mock',
  version: '0',
  level: 'mock',
  modelPath: 'scripted',
  isEmbedding: false,
  contextLength: 100,
  maxPromptTokens: 90,
  vocabSize: 1000,
  eosIds: [0],
  blockSize: 16,
  dpSize: 1,
  maxRunningRequests: 8,
  totalKvTokens: 1000,
  role: 'aggregated',
  kvEvents: false,
}

/** `onGenerate` gets each request as it arrives and plays the engine's part. */
export function scriptedEngine(onGenerate: (running: Running) => void = () => {}): ScriptedEngine {
  const running: Running[] = []
  return {
    running,
    info: scriptedInfo,
    ready: true,
    start: async () => scriptedInfo,
    generate: (request, sink, signal) =>
      new Promise((resolve) => {
        const one = { request, sink, signal, settle: resolve }
        running.push(one)
        onGenerate(one)
      }),
    embed: async (request) => ({ vector: Float32Array.from([3, 4, 12]), promptTokens: request.promptIds.length }),
    control: async () => null,
    metrics: async () => '',
    inFlight: () => running.length,
    on: () => () => {},
    stop: async () => {},
  }
}
