// The checks of `doctor` for images and videos: ffmpeg's encoders, where kernels run, the place of finished files.
import { accessSync, constants, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { KernelReport } from '../../../kernels/perform.ts'
import type { ProbedEncoders } from '../../media/video/probe.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { nearest } from './machine.ts'

/** What videos will be encoded with. */
export function checkEncoders({ ffmpeg, version, tried, chosen, reason }: ProbedEncoders): Finding {
  if (ffmpeg === null || chosen === undefined)
    return warn(
      `videos: ${reason ?? 'no encoder works'}; they will be animated WebP files`,
      'install ffmpeg with libsvtav1, libvpx-vp9 or libx264, or name one with --ffmpeg',
    )
  const others = tried.filter(({ name, works }) => works && name !== chosen).map(({ name }) => name)
  return ok(
    `videos: ${chosen} of ffmpeg ${version ?? '?'} (${ffmpeg})${others.length === 0 ? '' : `; ${others.join(' and ')} would work too`}`,
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
  const there = nearest(folder)
  try {
    accessSync(there, constants.W_OK | constants.X_OK)
    if (statSync(there).isDirectory()) return ok(`finished files go to ${folder}`)
  } catch {
    // Told below, together with a file in the way.
  }
  return fail(
    `finished files would go to ${folder}, where nothing can be written`,
    'give another place: --media-output-fs-url file:///FOLDER',
  )
}
