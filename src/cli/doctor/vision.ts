// The checks of `doctor` for pictures that are encoded apart from the language model: what encodes, its tower, its runtime, its device.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readTowerFacts } from '../../engine/vision/onnx/tower-file.ts'
import { toAppError } from '../../lib/errors.ts'
import { visionModelOf } from '../../media/vision/open.ts'
import { checkSeeing } from '../../serve/vision/check.ts'
import { encoderKind } from '../../serve/vision/make-encoder.ts'
import { visionFlag, visionOptions } from '../deployment/encode-options.ts'
import type { Settings } from '../settings/settings.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** What `serve` and workers would use, with `gpu` as WebGPU has it (undefined: none). */
export async function checkVision(settings: Settings, gpu: { name: string; software: boolean } | undefined): Promise<Finding[]> {
  const { visionRole, visionEncoder, visionEncoderUrl: url, visionTower, modelPath, enableMultimodal } = settings
  const tower = visionTower ?? (modelPath === undefined ? undefined : join(modelPath, 'vision.onnx'))
  const apart = visionRole === 'encode' || visionRole === 'language'
  const refused = await refusal(settings, apart)
  if (refused !== undefined) return [refused]
  if (!apart && (enableMultimodal || tower === undefined || !existsSync(tower))) return checkSight(modelPath)
  const wanted = apart && visionEncoder === 'auto' && settings.engine === 'mock' && url === undefined ? 'mock' : visionEncoder
  const kind = apart ? encoderKind({ kind: wanted, url, tower: visionTower }, modelPath ?? '') : 'onnx'
  if (kind === 'mock') return [ok('pictures: the mock encoder, made-up rows')]
  if (kind === 'onnx') return [await checkTower(tower ?? 'vision.onnx', apart), await checkRuntime(settings, gpu)]
  return [url === undefined ? ok("pictures: SGLang's encoder server (--encoder-only), started here") : await checkUrl(url)]
}

/** What a start would say against the model that is to see; undefined: nothing. Its tower is looked at apart. */
async function refusal(settings: Settings, apart: boolean): Promise<Finding | undefined> {
  const vision = apart ? visionOptions(settings, {}, '127.0.0.1') : undefined
  const mustSee = apart ? visionFlag(settings) : settings.enableMultimodal ? '--enable-multimodal' : undefined
  try {
    await checkSeeing({ model: { path: settings.modelPath, mustSee }, ...(vision && { vision: { ...vision, count: 0 } }) })
    return undefined
  } catch (thrown) {
    return fail(`pictures: ${toAppError(thrown).message.replace(/\.$/, '')}`, 'the process would not start so')
  }
}

/** A model whose engine has the tower itself; nothing is said of text models and of those that are not on this machine yet. */
async function checkSight(modelPath: string | undefined): Promise<Finding[]> {
  if (modelPath === undefined || !existsSync(join(modelPath, 'config.json'))) return []
  try {
    const sight = await visionModelOf(modelPath)
    return sight === undefined ? [] : [ok(`pictures: the model sees (${sight.family}), with the engine's own tower`)]
  } catch (thrown) {
    return [warn(`pictures: ${toAppError(thrown).message}`, 'text is served; without --enable-multimodal pictures are refused')]
  }
}

/** `needed`: the process does not start without it. */
async function checkTower(path: string, needed: boolean): Promise<Finding> {
  try {
    const { family, depth, hidden, width, storage } = await readTowerFacts(path, '--vision-tower')
    return ok(`pictures: our own encoder, tower ${path} (${family}, ${depth} blocks of ${hidden}, rows of ${width}, ${storage})`)
  } catch (thrown) {
    const { message } = toAppError(thrown)
    return (needed ? fail : warn)(`pictures: ${message.replace(/\.$/, '')}`, 'dynamo-sglang export-vision --model-path DIR writes one')
  }
}

async function checkRuntime({ visionDevice }: Settings, gpu: { name: string; software: boolean } | undefined): Promise<Finding> {
  let version: string
  try {
    const { env } = await import('onnxruntime-node')
    version = `ONNX Runtime ${env.versions.node ?? env.versions.common}`
  } catch (thrown) {
    return fail(
      `pictures: ONNX Runtime cannot be loaded (${(thrown as Error).message.split('\n')[0]})`,
      'it needs glibc 2.27 or newer on x64; --vision-encoder sglang does without',
    )
  }
  if (visionDevice === 'cpu') return ok(`pictures: ${version} on the CPU, as --vision-device cpu says`)
  if (gpu !== undefined && !gpu.software)
    return ok(`pictures: ${version} by WebGPU on ${gpu.name}, once it is seen to compute what the CPU does`)
  if (visionDevice === 'webgpu')
    return warn(
      `pictures: --vision-device webgpu, and there is ${gpu === undefined ? 'no WebGPU device' : `only ${gpu.name} in software`}`,
      'install the Vulkan driver of the GPU, or leave it out',
    )
  return ok(`pictures: ${version} on the CPU: right, but slow for large towers; --vision-encoder sglang uses the GPU by CUDA`)
}

async function checkUrl(url: string): Promise<Finding> {
  const answer = await fetch(`${url.replace(/\/+$/, '')}/health`, { signal: AbortSignal.timeout(3000) }).catch((error: Error) => error)
  if (answer instanceof Response && answer.ok) return ok(`pictures: the SGLang encoder at ${url} answers`)
  const why = answer instanceof Response ? `answers ${answer.status}` : `does not answer (${answer.message})`
  return warn(
    `pictures: the SGLang encoder at ${url} ${why}`,
    'start it with sglang.launch_server --encoder-only, or name another with --vision-encoder-url',
  )
}
