// `dynamo-sglang preprocess FILE`: what a vision model sees of a picture, as sizes and sums that can be compared with the model's own processor.
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { KernelMode } from '../../kernels/perform.ts'
import { AppError } from '../lib/errors.ts'
import type { Backend, VisionModel } from '../media/vision/vision.ts'
import type { SoundReport } from './preprocess-sound.ts'
import { invalid } from './settings/rules.ts'
import { UsageError } from './usage-error.ts'

const backends: Record<Backend, string> = {
  pil: "Pillow's resampling (transformers' `pil` backend)",
  tv_u8: "torchvision's on the CPU, in bytes (transformers' usual one without a GPU)",
  tv_f32: "torchvision's in float32, as on a GPU; within one level of it",
}

function usage(presets: readonly string[]): string {
  const lines = Object.entries(backends).map(([name, about]) => `  ${name.padEnd(8)}${about}`)
  return `dynamo-sglang preprocess: what a vision model sees of a picture

Usage: dynamo-sglang preprocess FILE… --processor NAME [--model-path DIR] [--backend NAME] [--json] [--repeat N]

--processor  ${presets.join(', ')}
--model-path limits and sizes out of this folder's config.json and preprocessor_config.json; then --processor may be left out
--backend    pil unless told otherwise:
${lines.join('\n')}
--repeat N       prepare it N times more and tell the milliseconds (decoding not counted)
--bytes          with --repeat: as bytes to be normalised later, instead of float32
--threads N      with --repeat: that many threads at one picture (0: none)
--gpu-kernels    cpu (default), webgpu, or auto; with another than cpu it is told how many kernels ran where

A model that hears (--model-path of a Qwen2-Audio) takes sounds instead: WAV, MP3, FLAC, Ogg, M4A, WebM, AAC; told are their length, tokens, and the sum of the
WAV file that the engine gets.

Files are PNG, JPEG, WebP or GIF (the first frame of an animation); each has its own report, and one that cannot be read does not end the others: it is told,
and the exit code is 1.

Sums are SHA-256: of the resized picture ([height, width, 3], 8 bits; tiles: each canvas after the other) and of the normalised values (float32, little endian).
The first one, u8_sha256, is null where no bytes lie in between: internvl is normalised before it is resized, so only pixel_values_sha256 can be compared.
`
}

interface Report {
  /** As the command line names it. */
  file: string
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
  /** Kernels that ran on each, of the first time. */
  ran?: { cpu: number; webgpu: number }
  /** Milliseconds of each further time, ascending. */
  ms?: number[]
}

/**
 * Prints a report for each file; resolves with 0, or 1 where some of several failed, each of which is told. Throws UsageError, or AppError `invalid_setting`,
 * `model_files_invalid`, `storage_failed`, and what is wrong with the only file (`invalid_image`, `invalid_setting`).
 */
export async function runPreprocess(argv: string[]): Promise<number> {
  const { presets } = await import('../media/vision/presets.ts')
  const options = parse(argv)
  if (options.help) {
    process.stdout.write(usage(Object.keys(presets)))
    return 0
  }
  const { hearingOf, soundReport } = await import('./preprocess-sound.ts')
  const hearing = await hearingOf(options)
  const reported = hearing === undefined ? await seen(options) : async (file: string) => soundReport(file, await bytesOf(file), hearing)
  const { configureKernels } = await import('../../kernels/perform.ts')
  let failed = 0
  for (const [i, file] of options.files.entries()) {
    configureKernels({ mode: options.kernels })
    let report: Report | SoundReport
    try {
      report = await reported(file)
    } catch (thrown) {
      if (options.files.length === 1) throw thrown
      failed++
      const { report: tell } = await import('./failure.ts')
      await tell(thrown)
      continue
    }
    if (!(await said(options.json ? `${JSON.stringify(report)}\n` : `${i > failed ? '\n' : ''}${lines(report)}`))) break
  }
  return failed > 0 ? 1 : 0
}

/** Resolves with false where nobody reads any more (`| head`). Rejects with `storage_failed` where it cannot be written, as on a full disk. */
function said(text: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const failed = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') resolve(false)
    else reject(new AppError('storage_failed', { message: `the report cannot be written: ${error.message}`, cause: error }))
  }
  process.stdout.once('error', failed)
  process.stdout.write(text, (error) => {
    if (error) return failed(error)
    process.stdout.off('error', failed)
    resolve(true)
  })
  return promise
}

async function seen(options: ReturnType<typeof parse>): Promise<(file: string) => Promise<Report>> {
  const model = await modelOf(options)
  return (file) => reportOf(file, model, options)
}

async function reportOf(file: string, model: VisionModel, options: ReturnType<typeof parse>): Promise<Report> {
  const { backend } = options
  const [{ toModelPixels }, { defaultPolicy }] = await Promise.all([import('../media/input/decode.ts'), import('../media/input/policy.ts')])
  const { data, width, height } = await toModelPixels(await bytesOf(file), defaultPolicy.maxPixels, file)
  const plan = model.plan(width, height, file)
  const { values, shape, pixels } = await model.preprocess(data, width, height, backend)
  return {
    file,
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
    ...(options.kernels === 'cpu' ? {} : { ran: await ran() }),
    ...(options.repeat === 0 ? {} : { ms: await times(model, data, width, height, options) }),
  }
}

async function ran(): Promise<NonNullable<Report['ran']>> {
  const { kernelReport } = await import('../../kernels/perform.ts')
  const { costs } = await kernelReport()
  return { cpu: costs.reduce((sum, { calls }) => sum + calls.cpu, 0), webgpu: costs.reduce((sum, { calls }) => sum + calls.webgpu, 0) }
}

interface Repeat {
  repeat: number
  threads: number
  bytes: boolean
  backend: Backend
}

async function times(model: VisionModel, rgb: Uint8Array, width: number, height: number, options: Repeat): Promise<number[]> {
  const { useThreads } = await import('../media/vision/crew/use.ts')
  await useThreads(options.threads)
  const ms: number[] = []
  for (let i = 0; i < options.repeat; i++) {
    const started = performance.now()
    const made = await (options.bytes
      ? model.preprocessBytes!(rgb, width, height, options.backend)
      : model.preprocess(rgb, width, height, options.backend))
    ms.push(Number((performance.now() - started).toFixed(2)))
    made.release?.()
  }
  return ms.sort((a, b) => a - b)
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
        repeat: { type: 'string', default: '0' },
        bytes: { type: 'boolean', default: false },
        threads: { type: 'string', default: '0' },
        'gpu-kernels': { type: 'string', default: 'cpu' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    const { processor, 'model-path': modelPath, backend, json, help } = values
    if (!help && positionals.length === 0) throw new UsageError('preprocess needs a FILE; see preprocess --help')
    if (!help && processor === undefined && modelPath === undefined) throw new UsageError('preprocess needs --processor or --model-path')
    if (!(backend in backends)) throw invalid('--backend', `--backend ${backend} is not known; ${Object.keys(backends).join(', ')} are`)
    const kernels = values['gpu-kernels'] as KernelMode
    if (!['auto', 'webgpu', 'cpu'].includes(kernels))
      throw invalid('--gpu-kernels', `--gpu-kernels ${kernels} is not one of auto, webgpu, cpu`)
    const [repeat, threads] = [count('--repeat', values.repeat), count('--threads', values.threads)]
    const of = { processor, modelPath, backend: backend as Backend }
    return { files: positionals, ...of, json, help, repeat, threads, bytes: values.bytes, kernels }
  } catch (thrown) {
    if ((thrown as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) throw new UsageError((thrown as Error).message)
    throw thrown
  }
}

function count(flag: string, text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw invalid(flag, `${flag} must be a whole number up to 9999, not '${text}'`)
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
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw invalid('FILE', `${path} is a folder; name the files in it`)
  const file = Bun.file(path)
  if (!(await file.exists())) throw invalid('FILE', `there is no file ${path}`)
  return file.bytes()
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function lines(report: object): string {
  return Object.entries(report)
    .map(([name, value]) => `${name.padEnd(20)} ${typeof value === 'string' ? value : JSON.stringify(value)}\n`)
    .join('')
}
