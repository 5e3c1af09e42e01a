// Seam: where finished files go, and how they are read again. A folder and an S3 bucket stand behind it; test/suites/media-store.suite.ts holds them.

export interface MediaStore {
  /** For people: `file:///tmp/dynamo_media`, `s3://bucket/prefix`. */
  readonly place: string
  /**
   * Keeps a file under `path` (`users/u1/generations/id/name.png`), whole or not at all; resolves with the URL that clients get.
   * Every segment must be safe already (safeSegment). Rejects with `storage_failed`; nothing half-written can be read then.
   */
  save(path: string, bytes: Uint8Array, contentType: string): Promise<string>
  /** undefined: there is none (any more). */
  open(path: string): Promise<StoredFile | undefined>
  /** True when there was one. */
  remove(path: string): Promise<boolean>
  /** Drops what is too old, then the oldest until the rest fits; without limits only what a dead process left unfinished. */
  sweep(now: number): Promise<void>
  close(): Promise<void>
}

export interface StoredFile {
  bytes: number
  contentType: string
  modifiedMs: number
  /** Bytes [start, end); a fresh stream each call. */
  read(start: number, end: number): ReadableStream<Uint8Array> | Blob
}
