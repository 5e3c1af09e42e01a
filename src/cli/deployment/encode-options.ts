// What encodes pictures apart from the language model, out of the settings.
import { gpusOf, isCpu } from '../../serve/fleet/engine-copies.ts'
import type { EncoderOptions, EncodeWorkerOptions, PlaneOptions, VisionOptions } from '../../serve/options.ts'
import type { Settings } from '../settings/settings.ts'
import { defined } from './engine-options.ts'
import type { Environment } from './environment.ts'

const GIGABYTE = 1e9

/** Undefined: the engine encodes its pictures itself, or has none to encode (decode). `receiveHost`: the address of this machine that encoders reach. */
export function visionOptions(settings: Settings, env: Environment, receiveHost: string): VisionOptions | undefined {
  const { command, visionRole: role, disaggregationMode: mode } = settings
  if ((role !== 'language' && role !== 'encode') || (role === 'language' && mode === 'decode')) return undefined
  // A language worker finds encode workers.
  const usual = role === 'language' && command === 'worker' ? 0 : 1
  return {
    flag: visionFlag(settings),
    encoder: encoderOptions(settings, env, receiveHost),
    count: settings.visionEncoders ?? (settings.visionEncoderUrl === undefined ? usual : 1),
    cacheBytes: settings.embeddingCacheGb * GIGABYTE,
  }
}

/** What gave the process its vision role. */
export function visionFlag({ multimodalEncodeWorker, multimodalWorker, disaggregationMode }: Settings): string {
  if (multimodalEncodeWorker) return '--multimodal-encode-worker'
  if (disaggregationMode === 'encode') return '--disaggregation-mode encode'
  return multimodalWorker ? '--multimodal-worker' : '--dedicated-mm-encoder'
}

function encoderOptions(settings: Settings, env: Environment, receiveHost: string): EncoderOptions {
  const { visionEncoder, engine, engineArgs: args, workers, visionRole, speedupRatio, mockFailure } = settings
  const besideEngine = visionRole === 'language'
  return {
    kind: visionEncoder === 'auto' && engine === 'mock' && settings.visionEncoderUrl === undefined ? 'mock' : visionEncoder,
    tower: settings.visionTower,
    maxPatches: settings.visionMaxPatches,
    async onnx(folder) {
      const { onnxEncoderOptions } = await import('./vision-options.ts')
      return onnxEncoderOptions(settings, env, folder)
    },
    url: settings.visionEncoderUrl?.replace(/\/+$/, ''),
    receiveHost,
    python: settings.python,
    args,
    env: defined(env),
    besideEngine,
    firstGpu: isCpu(args) ? undefined : workers * gpusOf(args),
    speedupRatio,
    // In one process these words are the language engine's.
    failure: besideEngine ? '' : mockFailure,
  }
}

/** Undefined: SGLang's own language servers are not served. They are reached like other processes. */
export function foreignOptions(
  { encoderPort, encoderRegisterUrls, encoderSglangVersion }: Settings,
  { tcp }: PlaneOptions,
): EncodeWorkerOptions['foreign'] {
  if (encoderPort === undefined && encoderRegisterUrls.length === 0) return undefined
  const registerAt = encoderRegisterUrls.map((url) => url.replace(/\/+$/, ''))
  return { bind: tcp.bind, host: tcp.host, port: encoderPort ?? 0, registerAt, release: encoderSglangVersion }
}
