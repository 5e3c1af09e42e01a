// The files of one answer in the store: all of them or none, and a note of their paths by which /v1/images/{id}/content finds them.
import { log } from '../../lib/log.ts'
import { safeSegment } from '../../media/store/safe-segment.ts'
import type { MediaStore } from '../../media/store.ts'
import type { EncodedFile } from '../../pipeline/media/media.ts'
import type { ImageJob } from './request.ts'

/** Exactly one of `finish` and `undo` must be the last call. */
export interface Saving {
  /** Keeps picture `index`; resolves with the store's address. Rejects with `storage_failed`. */
  save(index: number, file: EncodedFile): Promise<string>
  /** Rejects with `storage_failed`. */
  finish(): Promise<void>
  /** Removes what was kept. Never rejects: what cannot be removed is told in the log, and goes when it is old where ages are limited. */
  undo(): Promise<void>
}

export function startSaving(store: MediaStore, job: ImageJob): Saving {
  const folder = `users/${safeSegment(job.user ?? job.request.requestId)}/generations/${job.id}`
  const paths: string[] = []
  return {
    save(index, file) {
      const path = `${folder}/${crypto.randomUUID()}.${file.extension}`
      paths[index] = path
      return store.save(path, file.bytes, file.contentType)
    },
    async finish() {
      await store.save(notePath(job.id), new TextEncoder().encode(JSON.stringify({ paths })), 'application/json')
    },
    async undo() {
      if (paths.length === 0) return
      const all = [...paths, notePath(job.id)]
      const tried = await Promise.allSettled(all.map((path) => store.remove(path)))
      const failed = tried.flatMap((one, i) => (one.status === 'rejected' ? [{ path: all[i]!, err: one.reason as unknown }] : []))
      if (failed.length > 0)
        log.warn(
          { id: job.id, paths: failed.map(({ path }) => path), err: failed[0]!.err },
          'what the media store may have of a failed answer could not be removed: remove it there, or limit the age of files (--media-max-age-hours)',
        )
    },
  }
}

/** The paths of an answer's pictures; undefined: there is no such answer. */
export async function savedPaths(store: MediaStore, id: string): Promise<readonly string[] | undefined> {
  const note = await store.open(notePath(id))
  if (note === undefined) return undefined
  const { paths } = (await new Response(note.read(0, note.bytes)).json()) as { paths: string[] }
  return paths
}

function notePath(id: string): string {
  return `images/${id}.json`
}
