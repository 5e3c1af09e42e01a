// What our own vision encoder is told, out of the settings.
import { join } from 'node:path'
import { type OnnxEncoderOptions, usualLimits } from '../../engine/vision/onnx/encoder.ts'
import type { EmbeddingType } from '../../engine/vision/vision.ts'
import { readJsonIfThere } from '../../tokenizer/json-file.ts'
import { selfCommand } from '../self.ts'
import type { Settings } from '../settings/settings.ts'
import { defined } from './engine-options.ts'
import type { Environment } from './environment.ts'

type VisionSettings = Pick<Settings, 'visionTower' | 'visionDevice' | 'visionThreads' | 'visionDtype' | 'visionBackend' | 'engineArgs'>

/** `modelPath`: the model's folder on this machine. Rejects with `model_files_invalid` when its config.json cannot be read. */
export async function onnxEncoderOptions(settings: VisionSettings, env: Environment, modelPath: string): Promise<OnnxEncoderOptions> {
  const { visionTower, visionDevice: device, visionThreads: threads, visionDtype, visionBackend: backend } = settings
  return {
    ...usualLimits,
    modelPath,
    tower: visionTower ?? join(modelPath, 'vision.onnx'),
    device,
    threads,
    type: visionDtype === 'auto' ? await typeOfModel(settings.engineArgs, modelPath) : visionDtype,
    backend,
    clips: 'sglang',
    command: [...selfCommand(), 'vision-process'],
    env: defined(env),
  }
}

const types: Readonly<Record<string, EmbeddingType>> = {
  float32: 'float32',
  float: 'float32',
  bfloat16: 'bfloat16',
  float16: 'float16',
  half: 'float16',
}

/** As SGLang chooses it (srt/configs/model_config.py, 0.5.23): --dtype, else the checkpoint's, where float32 becomes float16. */
async function typeOfModel(args: readonly string[], modelPath: string): Promise<EmbeddingType> {
  const at = args.lastIndexOf('--dtype')
  const joined = args.findLast((word) => word.startsWith('--dtype='))
  const given = joined?.slice('--dtype='.length) ?? (at >= 0 ? args[at + 1] : undefined)
  if (given !== undefined && given in types) return types[given]!
  const config = (await readJsonIfThere<Config>(join(modelPath, 'config.json'))) ?? {}
  const text = config.text_config ?? config
  const stored = types[text.dtype ?? text.torch_dtype ?? config.dtype ?? config.torch_dtype ?? 'float32']!
  return stored === 'float32' ? 'float16' : stored
}

interface Types {
  dtype?: string
  torch_dtype?: string
}
interface Config extends Types {
  text_config?: Types
}
