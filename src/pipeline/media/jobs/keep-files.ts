// Finished clips into the media store: all of them or none.
import { AppError } from '../../../lib/errors.ts'
import type { MediaStore } from '../../../media/store.ts'
import type { EncodedFile } from '../media.ts'
import type { JobFile } from './job.ts'

/** Rejects with `storage_failed`, and then what was kept of them is gone again. */
export async function keepFiles(
  files: readonly EncodedFile[],
  pathOf: (index: number, file: EncodedFile) => string,
  store: Pick<MediaStore, 'save' | 'remove'>,
): Promise<JobFile[]> {
  const kept: JobFile[] = []
  try {
    for (const [index, file] of files.entries()) {
      const path = pathOf(index, file)
      const url = await store.save(path, file.bytes, file.contentType)
      const { contentType, extension, fps, note } = file
      kept.push({
        path,
        url,
        contentType,
        extension,
        bytes: file.bytes.byteLength,
        ...(fps === undefined ? {} : { fps }),
        ...(note === undefined ? {} : { note }),
      })
    }
    return kept
  } catch (cause) {
    for (const { path } of kept) await store.remove(path).catch(() => {})
    if (cause instanceof AppError) throw cause
    throw new AppError('storage_failed', { message: 'The finished file could not be stored. The server log has the cause.', cause })
  }
}
