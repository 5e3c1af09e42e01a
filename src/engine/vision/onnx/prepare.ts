// From a file to the patches that a tower reads: the same decoder and the same preprocessing as everywhere else (media/).
import { AppError } from '../../../lib/errors.ts'
import { type Pixels, toModelPixels } from '../../../media/input/decode.ts'
import type { Backend, Patches, VisionModel } from '../../../media/vision/vision.ts'
import type { Task } from './messages.ts'

export interface Prepared {
  values: Float32Array
  /** Gives `values` back, which may then be used again. */
  release(): void
  /** Milliseconds. */
  decode: number
  preprocess: number
}

/** Rejects with `invalid_image`, or `engine_failed` when the picture's grid is not the one that the prompt was made for. */
export async function prepare(
  model: VisionModel,
  backend: Backend,
  maxPixels: number,
  task: Task,
  files: readonly Uint8Array[],
): Promise<Prepared> {
  const started = performance.now()
  const frames = await Promise.all(files.map((file) => toModelPixels(file, maxPixels, 'the encoder')))
  const decoded = performance.now()
  const { values, grid, release = () => {} } = await patches(model, backend, task, frames)
  if (grid.some((side, i) => side !== task.grid[i])) throw otherGrid(grid, task.grid)
  return { values, release, decode: decoded - started, preprocess: performance.now() - decoded }
}

function patches(model: VisionModel, backend: Backend, task: Task, frames: readonly Pixels[]): Promise<Patches> {
  const { data, width, height } = frames[0]!
  if (task.kind === 'image') return model.preprocess(data, width, height, backend)
  if (model.clips === undefined) throw new AppError('invalid_image', { message: `Models of ${model.family} take no clips here.` })
  if (frames.some((frame) => frame.width !== width || frame.height !== height)) {
    throw new AppError('invalid_image', { message: 'The frames of a clip must be of one size.' })
  }
  return model.clips.preprocess(
    frames.map((frame) => frame.data),
    width,
    height,
    backend,
  )
}

function otherGrid(found: readonly number[], wanted: readonly number[]): AppError {
  return new AppError('engine_failed', {
    message: `The encoder makes ${found.join('×')} patches of a picture that the prompt has ${wanted.join('×')} for. Are its limits those of the front end?`,
  })
}
