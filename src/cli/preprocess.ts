// `dynamo-sglang preprocess FILE`: what a vision model sees of a picture, as sizes and sums that can be compared with the model's own processor.
import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Backend, VisionModel } from '../media/vision/vision.ts'
import { UsageError } from './cli.ts'
import { invalid } from './settings/rules.ts'

const backends: Record<Backend, string> = {
  pil: "Pillow's resampling (transformers' `pil` backend)",
  tv_u8: "torchvision's on the CPU, in bytes (transformers' usual one without a GPU)",
  tv_f32: "torchvision's in float32, as on a GPU; within one level of it",
}

function usage(presets: readonly string[]): string {
  const lines = Object.entries(backends).map(([name, about]) => `  ${name.padEnd(8)}${about}`)
  return `dynamo-sglang preprocess: what a vision model sees of a picture

Usage: dynamo-sglang preprocess FILE --processor NAME [--model-path DIR] [--backend NAME] [--json]

--processor  ${presets.join(', ')}
--model-path limits and sizes out of this folder's config.json and preprocessor_config.json; then --processor may be left out
--backend    pil unless told otherwise:
${lines.join('\n')}

Sums are SHA-256: of the resized picture ([height, width, 3], 8 bits; tiles: each canvas after the other) and of the normalised values (float32, little endian).
`
}

interface Report {
  processor: string
  family: string
  backend: Backend
  size_hw: [number, number]
  grid_thw: number[][]
  tokens: number
  resized_hw: readonly [number, number]
  shape: readonly number[]
  u8_sha256: string | null
  pixel_values_sha256: string
}

/** Prints the report; resolves with 0. Throws UsageError, or AppError `invalid_image`, `invalid_setting`, `model_files_invalid`. */
export async function runPreprocess(argv: string[]): Promise<number> {
  const { presets } = await import('../media/vision/presets.ts')
  const options = parse(argv)
  if (options.help) {
    process.stdout.write(usage(Object.keys(presets)))
    return 0
  }
  const { file, backend } = options
  const [{ toModelPixels }, { defaultPolicy }] = await Promise.all([import('../media/input/decode.ts'), import('../media/input/policy.ts')])
  const model = await modelOf(options)
  const { data, width, height } = await toModelPixels(await bytesOf(file), defaultPolicy.maxPixels, file)
  const plan = model.plan(width, height, file)
  const { values, shape, pixels } = await model.preprocess(data, width, height, backend)
  const report: Report = {
    processor: options.processor ?? options.modelPath!,
    family: model.family,
    backend,
    size_hw: [height, width],
    grid_thw: [[...plan.grid]],
    tokens: plan.tokens,
    resized_hw: plan.resized,
    shape,
    u8_sha256: pixels === undefined ? null : sha256(pixels),
    pixel_values_sha256: sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  }
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : lines(report))
  return 0
}

function parse(argv: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        processor: { type: 'string' },
        'model-path': { type: 'string' },
        backend: { type: 'string', default: 'pil' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    const { processor, 'model-path': modelPath, backend, json, help } = values
    const [file, ...more] = positionals
    if (!help && (file === undefined || more.length > 0)) throw new UsageError('preprocess takes one FILE; see preprocess --help')
    if (!help && processor === undefined && modelPath === undefined) throw new UsageError('preprocess needs --processor or --model-path')
    if (!(backend in backends)) throw invalid('--backend', `--backend ${backend} is not known; ${Object.keys(backends).join(', ')} are`)
    return { file: file ?? '', processor, modelPath, backend: backend as Backend, json, help }
  } catch (thrown) {
    if ((thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) throw new UsageError((thrown as Error).message)
    throw thrown
  }
}

async function modelOf({ processor, modelPath }: { processor: string | undefined; modelPath: string | undefined }): Promise<VisionModel> {
  const [{ visionModel, visionModelOf }, { familyOf }, { presets }] = await Promise.all([
    import('../media/vision/open.ts'),
    import('../media/vision/families.ts'),
    import('../media/vision/presets.ts'),
  ])
  if (processor !== undefined && !(processor in presets)) {
    throw invalid('--processor', `--processor ${processor} is not known; ${Object.keys(presets).join(', ')} are`)
  }
  const preset = processor === undefined ? undefined : presets[processor as keyof typeof presets]
  if (modelPath === undefined) {
    return visionModel(familyOf(preset!.config.model_type)!, { ...preset!, video: {}, tokenId: () => undefined })
  }
  const model = await visionModelOf(modelPath)
  if (model === undefined) throw invalid('--model-path', `${modelPath} reads text only: its config.json has no vision_config`)
  if (preset !== undefined && !(preset.families as readonly string[]).includes(model.family)) {
    throw invalid('--processor', `--processor ${processor} is not what ${modelPath} needs: that is a ${model.family} model`)
  }
  return model
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const file = Bun.file(path)
  if (!(await file.exists())) throw invalid('FILE', `there is no file ${path}`)
  return file.bytes()
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function lines(report: Report): string {
  return Object.entries(report)
    .map(([name, value]) => `${name.padEnd(20)} ${typeof value === 'string' ? value : JSON.stringify(value)}\n`)
    .join('')
}
