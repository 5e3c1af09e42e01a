// The checks of `doctor` for images and videos: ffmpeg's encoders, where kernels run, the place of finished files.
import { mkdtempSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KernelReport } from '../../../kernels/perform.ts'
import { checkWeights, readModelIndex } from '../../engine/diffusion/model-index.ts'
import { toAppError } from '../../lib/errors.ts'
import type { ProbedEncoders } from '../../media/video/probe.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { nearest } from './machine.ts'

/** All encoders tried. */
export interface FoundEncoders extends ProbedEncoders {
  /** Nobody named this ffmpeg and it is not in the PATH: SGLang's Python has it. */
  brought?: boolean
}

/** What videos will be encoded with. `encoder`: the user's choice (--video-encoder), without which a server that makes videos (`needed`) does not start. */
export function checkEncoders(
  { ffmpeg, version, brought, tried, chosen: first, reason }: FoundEncoders,
  { encoder, needed }: { encoder: string | undefined; needed: boolean } = { encoder: undefined, needed: false },
): Finding {
  const program = `ffmpeg ${version ?? '?'} (${ffmpeg}${brought ? ', of the engine’s Python' : ''})`
  const working = tried.filter(({ works }) => works).map(({ name }) => name)
  const chosen = encoder ?? first
  if (encoder !== undefined && !working.includes(encoder)) {
    const fault = ffmpeg === null ? reason : (tried.find(({ name }) => name === encoder)?.reason ?? 'it is not one that is known here')
    return (needed ? fail : warn)(
      `videos: --video-encoder ${encoder} does not work${ffmpeg === null ? '' : ` with ${program}`}: ${fault}`,
      working.length === 0 ? 'leave it out, or name another ffmpeg with --ffmpeg' : `leave it out, or name ${working.join(' or ')}`,
    )
  }
  if (ffmpeg === null || chosen === undefined)
    return warn(
      `videos: ${reason ?? 'no encoder works'}${ffmpeg === null ? '' : ` (${ffmpeg})`}; they will be animated WebP files`,
      'install ffmpeg with libsvtav1, libvpx-vp9 or libx264, or name one with --ffmpeg',
    )
  const others = working.filter((name) => name !== chosen)
  return ok(
    `videos: ${chosen} of ${program}${encoder === undefined ? '' : ', as --video-encoder says'}${others.length === 0 ? '' : `; ${others.join(' and ')} would work too`}`,
  )
}

/** Where previews, colours and resizing are computed. */
export function checkKernels({ mode, device }: KernelReport): Finding {
  if (mode === 'cpu') return ok('kernels: on the CPU, as --gpu-kernels cpu says')
  if (device.kind !== 'ready') {
    const what = `kernels: on the CPU; no WebGPU device (${device.kind === 'unopened' ? 'it was not opened' : device.reason})`
    return mode === 'webgpu' ? warn(what, 'install the Vulkan driver of the GPU, or leave out --gpu-kernels webgpu') : ok(what)
  }
  const where = `WebGPU on ${device.name}${device.software ? ' (software: right, but slow)' : ''}`
  if (mode === 'webgpu') return ok(`kernels: ${where}`)
  return ok(`kernels: on the CPU, and on ${where} where that is measured to be faster`)
}

/** `url` as --media-output-fs-url has it. A bucket is not asked. */
export function checkMediaPlace(url: string): Finding {
  if (url.startsWith('s3://')) return ok(`finished files go to ${url}; the bucket is tried at the start`)
  const folder = url.startsWith('file:') ? fileURLToPath(url) : url
  try {
    // Rights do not tell all: /proc and the like take no folder from anybody. It is gone at once.
    rmdirSync(mkdtempSync(join(nearest(folder), '.part-')))
    return ok(`finished files go to ${folder}`)
  } catch (thrown) {
    const { code = String(thrown) } = thrown as { code?: string }
    return fail(
      `finished files would go to ${folder}, where nothing can be written (${code})`,
      'give another place: --media-output-fs-url file:///FOLDER',
    )
  }
}

/** A local folder as a worker's model, by what `serve` itself looks at before it starts the engine; the mock's table tells what pipelines make. */
export async function checkMediaModel(path: string, makes: 'image' | 'video', engine: string, args: readonly string[]): Promise<Finding> {
  try {
    const index = readModelIndex(path)
    const { mockDiffusion } = await import('../../engine/mock/diffusion/engine.ts')
    try {
      mockDiffusion({ modelPath: path, makes })
    } catch (thrown) {
      // SGLang may know a pipeline that the mock does not.
      if (engine !== 'sglang' || toAppError(thrown).code !== 'model_files_invalid') throw thrown
    }
    if (engine === 'sglang') checkWeights(path, index, args)
    return ok(`model ${path} (${index.pipeline})`)
  } catch (thrown) {
    const { code, message } = toAppError(thrown)
    const advice =
      code === 'invalid_setting'
        ? 'give that flag, or another --model-path'
        : `a model that makes ${makes}s is a folder in the diffusers layout: model_index.json, and weights for its parts`
    return fail(`model ${path}: ${message.replace(/\.$/, '')}`, advice)
  }
}
