// What a diffusion worker is told, out of the settings.
import { join } from 'node:path'
import type { DiffusionEngineOptions, InputOptions, MediaOptions } from '../../serve/options.ts'
import type { Settings } from '../settings/settings.ts'
import { defined } from './engine-options.ts'
import type { Environment } from './environment.ts'

const GIGABYTE = 1e9
const HOUR = 3_600_000
const proxies = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'] as const

export function diffusionEngineOptions(settings: Settings, env: Environment, cacheDir: string): DiffusionEngineOptions {
  const { speedupRatio, mockFailure: failure, dpSize: replicas = 1 } = settings
  if (settings.engine === 'mock') return { kind: 'mock', speedupRatio, failure, replicas }
  return { kind: 'sglang', python: settings.python, args: settings.engineArgs, env: defined(env), cacheDir }
}

export function mediaOptions(settings: Settings, env: Environment, cacheDir: string): MediaOptions {
  const { mediaMaxGb, mediaMaxAgeHours, ffmpeg } = settings
  return {
    store: {
      fsUrl: settings.mediaFsUrl,
      httpUrl: settings.mediaHttpUrl,
      maxBytes: mediaMaxGb === undefined ? undefined : mediaMaxGb * GIGABYTE,
      maxAgeMs: mediaMaxAgeHours === undefined ? undefined : mediaMaxAgeHours * HOUR,
      env,
    },
    jobsFolder: settings.mediaJobsFolder ?? join(cacheDir, 'video-jobs'),
    jobKeepMs: settings.mediaJobHours * HOUR,
    queueLimit: settings.mediaQueueLimit,
    kernels: settings.gpuKernels,
    ffmpeg: ffmpeg === 'none' ? null : ffmpeg,
    encoder: settings.videoEncoder,
    input: inputOptions(settings, env),
  }
}

/** Which pictures and clips of users are read. */
export function inputOptions({ mmAllowInternal, mmLocalPath, mmMaxDataUrlMb, ffmpeg }: Settings, env: Environment): InputOptions {
  const program = ffmpeg === 'none' ? null : ffmpeg
  const byProxy = proxies.some((name) => (env[name] ?? '') !== '')
  return { allowInternal: mmAllowInternal, byProxy, localPath: mmLocalPath, maxDataUrlMb: mmMaxDataUrlMb, ffmpeg: program }
}
