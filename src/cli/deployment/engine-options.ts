// Which engine, and what it is told.
import type { EngineOptions } from '../../serve/options.ts'
import type { Settings } from '../settings/settings.ts'
import type { Environment } from './environment.ts'

/** `kvEvents`: the engine shall tell what its cache does. */
export function engineOptions(settings: Settings, env: Environment, cacheDir: string, kvEvents: boolean): EngineOptions {
  const { engine, dpSize, maxRunningRequests, pageSize: blockSize } = settings
  if (engine === 'http') return { kind: 'http', url: settings.engineUrl! }
  if (engine === 'sglang') {
    const level = settings.bridgeLevel === 'auto' ? undefined : (settings.bridgeLevel as 'L1' | 'L0' | 'L2')
    return {
      kind: 'sglang',
      python: settings.python,
      args: settings.engineArgs,
      env: defined(env),
      level,
      cacheDir,
      kvEvents,
      silenceMs: settings.engineSilenceSecs * 1000,
      ...(settings.nnodes > 1 ? { nodes: { rank: settings.nodeRank, group: settings.distInitAddr! } } : {}),
    }
  }
  const { numGpuBlocks: blocks, disaggregationMode: mode } = settings
  return {
    kind: 'mock',
    speedupRatio: settings.speedupRatio,
    failure: settings.mockFailure,
    seed: settings.mockSeed,
    isEmbedding: settings.embeddingWorker,
    kvEvents,
    role: mode === 'prefill' || mode === 'decode' ? mode : 'aggregated',
    bootstrapHost: settings.rpcHost,
    // A decode engine needs the places of pictures only.
    rowsOnly: settings.visionRole === 'language' && mode !== 'decode',
    totalKvTokens: settings.maxTotalTokens ?? (blocks === undefined ? undefined : blocks * (blockSize ?? 16)),
    ...{ blockSize, dpSize, maxRunningRequests },
  }
}

/** Without the variables that are not set. */
export function defined(env: Environment): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
