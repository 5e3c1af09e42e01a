// Reads a JSON file of a model folder, with errors that name the file.
import { readFile } from 'node:fs/promises'
import { AppError } from '../lib/errors.ts'

/** Undefined when there is no such file. Throws AppError `model_files_invalid` when it cannot be read or is not a JSON object. */
export async function readJsonIfThere<T extends object>(path: string): Promise<T | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new AppError('model_files_invalid', { message: `cannot read ${path}: ${(cause as Error).message}`, param: '--model-path', cause })
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as T
  } catch (cause) {
    throw new AppError('model_files_invalid', {
      message: `${path} is not valid JSON: ${(cause as Error).message}`,
      param: '--model-path',
      cause,
    })
  }
  throw new AppError('model_files_invalid', { message: `${path} is not a JSON object`, param: '--model-path' })
}
