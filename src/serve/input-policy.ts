// Which pictures and clips of users are read, out of the options.
import { type ClipLimits, usualClipLimits } from '../media/input/clip/limits.ts'
import { defaultPolicy, type InputPolicy } from '../media/input/policy.ts'
import type { InputOptions } from './options.ts'

export function inputPolicy({ allowInternal, localPath, maxDataUrlMb }: InputOptions): InputPolicy {
  return {
    ...defaultPolicy,
    allowInternal,
    ...(localPath === undefined ? {} : { localPath }),
    ...(maxDataUrlMb === undefined ? {} : { maxDataUrlMb }),
  }
}

export function clipLimits({ ffmpeg }: InputOptions): ClipLimits {
  return ffmpeg === undefined ? usualClipLimits : { ...usualClipLimits, ffmpeg }
}
