// Images by file:// address, out of the one folder that the operator has named.

import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '../../lib/errors.ts'
import { tooLarge } from './limited.ts'
import type { InputPolicy } from './policy.ts'

/**
 * Rejects with `invalid_value` for whatever is not a readable file inside `policy.localPath`; links may not lead out. The message is the same
 * for a file that is not there and one that may not be read: it tells nothing about the machine.
 */
export async function readLocalFile(address: URL, policy: InputPolicy, param: string): Promise<Uint8Array> {
  if (policy.localPath === undefined) {
    throw new AppError('invalid_value', {
      param,
      message: `The address at ${param} may not be read: file:// needs DYN_MM_LOCAL_PATH on the server.`,
    })
  }
  const refuse = (cause?: unknown) =>
    new AppError('invalid_value', { param, message: `The address at ${param} names no file of the server's image folder.`, cause })
  let file: FileHandle | undefined
  try {
    const folder = await realpath(policy.localPath)
    // Opened first and judged by what was opened, so that nothing can be swapped in between. NONBLOCK: a pipe must not hold us.
    file = await open(fileURLToPath(address), constants.O_RDONLY | constants.O_NONBLOCK)
    const real = await readlink(`/proc/self/fd/${file.fd}`)
    const info = await file.stat()
    if (!real.startsWith(folder.endsWith(sep) ? folder : folder + sep) || !info.isFile()) throw refuse()
    if (info.size > policy.maxBytes) throw tooLarge(param, policy)
    return await file.readFile()
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown
    throw refuse(thrown)
  } finally {
    await file?.close()
  }
}
