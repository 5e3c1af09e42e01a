// Which pictures and clips of users are read, out of the options.
import { statSync } from 'node:fs'
import { log } from '../lib/log.ts'
import { type ClipLimits, usualClipLimits } from '../media/input/clip/limits.ts'
import { defaultPolicy, type InputPolicy } from '../media/input/policy.ts'
import type { InputOptions } from './options.ts'

export function inputPolicy({ allowInternal, byProxy = false, localPath, maxDataUrlMb }: InputOptions): InputPolicy {
  return {
    ...defaultPolicy,
    allowInternal,
    byProxy,
    ...(localPath === undefined ? {} : { localPath }),
    ...(maxDataUrlMb === undefined ? {} : { maxDataUrlMb }),
  }
}

export function clipLimits({ ffmpeg }: InputOptions): ClipLimits {
  return ffmpeg === undefined ? usualClipLimits : { ...usualClipLimits, ffmpeg }
}

/** A line for operators where clips will be refused for want of the program, unless they chose to have none. */
export function noteFfmpeg(input: InputOptions): void {
  const { ffmpeg } = clipLimits(input)
  if (ffmpeg !== null && Bun.which(ffmpeg) === null)
    log.warn({ ffmpeg }, 'no such ffmpeg was found: clips in chats are refused; install one or name it with --ffmpeg (DYN_FFMPEG)')
}

/** The same where files will be refused because their folder is not there. */
export function noteFolder({ localPath }: InputOptions): void {
  if (localPath === undefined || isFolder(localPath)) return
  log.warn({ folder: localPath }, 'DYN_MM_LOCAL_PATH names no folder: file:// addresses are refused until it is there')
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
