// `dynamo-sglang export-vision`: writes a model's vision tower for our own encoder.
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Storage } from '../../engine/vision/export/export.ts'
import { AppError } from '../../lib/errors.ts'
import { isHubName } from '../../tokenizer/hub.ts'
import { defined } from '../deployment/engine-options.ts'
import { invalid } from '../settings/rules.ts'
import { UsageError } from '../usage-error.ts'

const storages: readonly Storage[] = ['float32', 'float16', 'bfloat16']

const usage = `dynamo-sglang export-vision: the vision tower of a model as ONNX, for our own encoder

Usage: dynamo-sglang export-vision --model-path DIR [--out FILE] [--python PROGRAM] [--dtype TYPE] [--json]

--model-path folder of a Qwen2-VL, Qwen2.5-VL, Qwen3-VL or Qwen3.5 model (config.json, safetensors), or its name on the Hub
--out        vision.onnx in the model's folder unless told otherwise; weights of more than 256 MB lie beside it, in FILE.data
--python     the one of DYN_SGLANG_PYTHON, else python3; it needs numpy and onnx (pip install numpy onnx), no torch
--dtype      ${storages.join(', ')}: how the file holds the weights, as the checkpoint does unless told otherwise; computed is in float32
`

/** Prints where the tower is; resolves with 0. Throws UsageError, or an AppError of exportVision. */
export async function runExportVision(argv: string[], env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const options = parse(argv)
  if (options === undefined) {
    process.stdout.write(usage)
    return 0
  }
  const { modelPath } = options
  if (!existsSync(modelPath) && !isHubName(modelPath))
    throw new AppError('model_path_not_found', { message: `no folder ${modelPath}`, param: '--model-path' })
  const { exportVision } = await import('../../engine/vision/export/export.ts')
  const started = performance.now()
  const { json, ...rest } = options
  const { path, bytes, facts } = await exportVision({ python: env.DYN_SGLANG_PYTHON || 'python3', ...rest, env: defined(env) })
  if (json) process.stdout.write(`${JSON.stringify({ path, bytes, ...facts })}\n`)
  else {
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    process.stdout.write(
      `${path}: ${facts.family}, ${facts.depth} blocks of ${facts.hidden}, rows of ${facts.width}, ${(bytes / 1e6).toFixed(1)} MB in ${facts.storage} (${seconds} s)\n`,
    )
  }
  return 0
}

function parse(argv: string[]) {
  let values: ReturnType<typeof read>
  try {
    values = read(argv)
  } catch (thrown) {
    throw new UsageError(`${(thrown as Error).message}; see export-vision --help`)
  }
  if (values.help) return undefined
  const { 'model-path': modelPath, out, python, dtype, json } = values
  if (modelPath === undefined) throw new UsageError('export-vision needs --model-path; see export-vision --help')
  if (dtype !== undefined && !storages.includes(dtype as Storage)) {
    throw invalid('--dtype', `--dtype ${dtype} is not known; ${storages.join(', ')} are`)
  }
  return {
    modelPath,
    json,
    ...(out === undefined ? {} : { out }),
    ...(python === undefined ? {} : { python }),
    ...(dtype === undefined ? {} : { storage: dtype as Storage }),
  }
}

function read(argv: string[]) {
  return parseArgs({
    args: argv,
    options: {
      'model-path': { type: 'string' },
      out: { type: 'string' },
      python: { type: 'string' },
      dtype: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values
}
