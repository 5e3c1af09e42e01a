// From a file to the patches that a tower reads: the same decoder and the same preprocessing as everywhere else (media/).
import { AppError } from '../../../lib/errors.ts'
import { toModelPixels } from '../../../media/input/decode.ts'
import type { Backend, VisionModel } from '../../../media/vision/vision.ts'
import type { Task } from './messages.ts'

export interface Prepared {
  values: Float32Array
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
  const pixels = await toModelPixels(files[0]!, maxPixels, 'the request')
  const decoded = performance.now()
  const { values, grid } = await model.preprocess(pixels.data, pixels.width, pixels.height, backend)
  if (grid.some((side, i) => side !== task.grid[i])) throw otherGrid(grid, task.grid)
  return { values, decode: decoded - started, preprocess: performance.now() - decoded }
}

function otherGrid(found: readonly number[], wanted: readonly number[]): AppError {
  return new AppError('engine_failed', {
    message: `The encoder makes ${found.join('×')} patches of a picture that the prompt has ${wanted.join('×')} for. Are its limits those of the front end?`,
  })
}
