// A folder of one user in a place where all users of the machine may write.
import { lstatSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { AppError } from '../../lib/errors.ts'

/**
 * Makes the folder that holds `folder`, for this user alone, and returns `folder`. Who can write there can name himself as a worker and read
 * prompts, so one that somebody else has made throws AppError `invalid_setting`.
 */
export function privateFolder(folder: string): string {
  const holder = dirname(folder)
  mkdirSync(holder, { recursive: true, mode: 0o700 })
  const facts = lstatSync(holder)
  const foreign = process.getuid !== undefined && facts.uid !== process.getuid()
  if (!facts.isDirectory() || foreign || (facts.mode & 0o022) !== 0) {
    throw new AppError('invalid_setting', {
      param: 'DYN_FILE_KV',
      message: `${holder}, where processes of this machine would find each other, can be written by somebody else: remove it, or give another folder (DYN_FILE_KV)`,
    })
  }
  return folder
}
