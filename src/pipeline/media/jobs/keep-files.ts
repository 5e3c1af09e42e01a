// Finished clips into the media store: all of them or none.
import { AppError } from '../../../lib/errors.ts'
import { log } from '../../../lib/log.ts'
import type { MediaStore } from '../../../media/store.ts'
import type { EncodedFile } from '../media.ts'
import type { JobFile } from './job.ts'

/** Rejects with `storage_failed`, and then what was kept of them is gone again; what could not be removed is in the log. */
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
    await dropFiles(kept, store)
    if (cause instanceof AppError) throw cause
    throw new AppError('storage_failed', { message: 'The finished file could not be stored. The server log has the cause.', cause })
  }
}

/** Removes files that no video has. Never rejects: what cannot be removed is told to the operator, who alone can. */
export async function dropFiles(files: readonly Pick<JobFile, 'path'>[], store: Pick<MediaStore, 'remove'>): Promise<void> {
  const paths: string[] = []
  let err: unknown
  for (const { path } of files)
    await store.remove(path).catch((thrown: unknown) => {
      paths.push(path)
      err ??= thrown
    })
  if (paths.length > 0)
    log.warn(
      { paths, err },
      'clips that no video has could not be removed from the media store: remove them there, or limit the age of files (--media-max-age-hours)',
    )
}
