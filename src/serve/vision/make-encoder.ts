// The encoder that the options name. Each kind is imported only when it is used.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { VisionEncoder } from '../../engine/vision/vision.ts'
import { log } from '../../lib/log.ts'
import { stageTimer } from '../../lib/vision-stages.ts'
import { isCpu } from '../fleet/engine-copies.ts'
import type { EncoderOptions } from '../options.ts'
import { encoderArgs } from './encoder-args.ts'
import type { SeeingModel } from './model.ts'

export type EncoderKind = 'onnx' | 'sglang' | 'mock'

/** What `auto` means for a model: a running server where one is named, our tower where there is one, else SGLang's. */
export function encoderKind({ kind, url, tower }: Pick<EncoderOptions, 'kind' | 'url' | 'tower'>, folder: string): EncoderKind {
  if (kind !== 'auto') return kind
  if (url !== undefined) return 'sglang'
  return tower !== undefined || existsSync(join(folder, 'vision.onnx')) ? 'onnx' : 'sglang'
}

/** `name` begins its lines in the log, `index` counts those of this process. Rejects with a start-up AppError. */
export async function makeEncoder(options: EncoderOptions, model: SeeingModel, index: number, name: string): Promise<VisionEncoder> {
  switch (encoderKind(options, model.folder)) {
    case 'onnx': {
      const { onnxEncoder } = await import('../../engine/vision/onnx/encoder.ts')
      const time = stageTimer(model.names[0]!)
      return onnxEncoder({
        ...(await options.onnx(model.folder)),
        observe({ decode, preprocess, encode }) {
          time('encoder_decode', decode)
          time('preprocess', preprocess)
          time('encode', encode)
        },
      })
    }
    case 'sglang':
      return sglang(options, model, index, name)
    case 'mock': {
      const { mockEncoder } = await import('../../engine/vision/mock/encoder.ts')
      const { speedupRatio, failure } = options
      // A small tower on a GPU: some milliseconds and 20 microseconds a patch.
      return mockEncoder({
        modelPath: model.path,
        dim: model.dim,
        patchesPerRow: model.patchesPerRow,
        msPerPicture: 5 / speedupRatio,
        msPerPatch: 0.02 / speedupRatio,
        failure,
      })
    }
  }
}

async function sglang(options: EncoderOptions, { path, names }: SeeingModel, index: number, name: string): Promise<VisionEncoder> {
  const { sglangEncoder } = await import('../../engine/vision/sglang/encoder.ts')
  const { url, python, args, env, receiveHost, firstGpu, besideEngine } = options
  const onNotice = (text: string) => log.warn({ encoder: name }, text)
  const time = stageTimer(names[0]!)
  const told = { modelPath: path, receiveHost, onNotice, observe: (ms: number) => time('encode', ms) }
  if (url !== undefined) return sglangEncoder({ ...told, server: { url } })
  const own = besideEngine
    ? encoderArgs(args, firstGpu === undefined ? undefined : firstGpu + index)
    : index === 0
      ? [...args]
      : [...args, '--base-gpu-id', String(index)]
  const onLine = (line: string) => process.stderr.write(`[${name}] ${line}\n`)
  return sglangEncoder({ ...told, server: { python, args: own, env, onCpu: isCpu(own), onLine } })
}
