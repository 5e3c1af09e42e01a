// What a mock diffusion engine is made of, checked once before anything runs, and how long its work takes.
import { AppError } from '../../../lib/errors.ts'
import type { DiffusionInfo, DiffusionRequest } from '../../diffusion/diffusion.ts'
import { readModelIndex } from '../../diffusion/model-index.ts'
import { type DiffusionFailure, parseDiffusionFailure } from './failure.ts'
import { type MockModel, mockModel } from './models.ts'

export interface MockDiffusionOptions {
  /** A folder in the diffusers layout; only its model_index.json is read. */
  modelPath: string
  /** Of the kind that the worker was started as; a model of the other kind is refused. Default: what the model makes. */
  makes?: 'image' | 'video' | undefined
  /** 1 is a real GPU's pace, 1000000 practically at once. Default 1. */
  speedupRatio?: number | undefined
  /** Jobs that run at the same time. Default 1. */
  replicas?: number | undefined
  /** Default: whether the pipeline does. */
  takesImages?: boolean | undefined
  /** Faults to play, as parseDiffusionFailure reads them: `crash-after=20,restart=500`. */
  failure?: string | undefined
  /** Told as info.version. */
  version?: string | undefined
}

export interface MockDiffusionConfig {
  readonly model: MockModel
  readonly info: DiffusionInfo
  readonly speedupRatio: number
  readonly failure: DiffusionFailure
}

/** Throws AppError `model_path_not_found`, `model_files_invalid`, `invalid_setting`. */
export function resolveDiffusion(options: MockDiffusionOptions): MockDiffusionConfig {
  const { modelPath, speedupRatio = 1, replicas = 1 } = options
  if (!(speedupRatio > 0 && Number.isFinite(speedupRatio))) {
    throw new AppError('invalid_setting', {
      param: '--speedup-ratio',
      message: `--speedup-ratio must be a number above 0 (1 is a real GPU's pace, 1000000 is practically at once), not ${speedupRatio}`,
    })
  }
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 1024) {
    throw new AppError('invalid_setting', {
      param: '--dp-size',
      message: `--dp-size must be a whole number from 1 to 1024, not ${replicas}`,
    })
  }
  const { pipeline } = readModelIndex(modelPath)
  const model = mockModel(pipeline, modelPath)
  if (options.makes !== undefined && options.makes !== model.makes) {
    const flag = model.makes === 'image' ? '--image-diffusion-worker' : '--video-generation-worker'
    throw new AppError('invalid_setting', {
      param: '--model-path',
      message: `${modelPath} is a ${pipeline}, which makes ${model.makes}s; serve it with ${flag}`,
    })
  }
  const { makes, defaults, sizeMultiple, frameMultiple } = model
  const info: DiffusionInfo = {
    kind: 'mock',
    version: options.version ?? '0',
    modelPath,
    pipeline,
    takesImages: options.takesImages ?? model.takesImages,
    ...{ makes, defaults, sizeMultiple, frameMultiple, replicas },
  }
  return { model, info, speedupRatio, failure: parseDiffusionFailure(options.failure ?? '') }
}

/**
 * Simulated milliseconds of a request's parts: those of FLUX.1-dev (157 ms a step at 1024x1024, 25 ms to decode) and Wan2.1-1.3B
 * (1446 ms a step and 264 ms to decode at 832x480x81) on one H200, by the pixel.
 */
export function workMs(model: MockModel, request: Pick<DiffusionRequest, 'width' | 'height' | 'frames'>) {
  const pixels = request.width * request.height * request.frames
  return model.makes === 'image'
    ? { text: 20, step: pixels * 150e-6, decode: pixels * 24e-6 }
    : { text: 20, step: pixels * 44.7e-6, decode: pixels * 8.2e-6 }
}
