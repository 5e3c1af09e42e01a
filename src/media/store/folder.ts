// A folder as media store (file:///…): a file appears under its name only when it is whole.
import { lstat, mkdir, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import type { MediaStore, StoredFile } from '../store.ts'
import { checkPath, contentTypeOf, isOurs, isSafePath, urlOf } from './paths.ts'
import { dropAll, type Kept, type RetentionLimits, toDrop } from './retention.ts'

export interface FolderOptions extends RetentionLimits {
  folder: string
  /** What addresses begin with; undefined: this server's /media. */
  httpUrl: string | undefined
}

/** Unfinished files of a process that died are removed after this. */
const staleMs = 3_600_000
const unfinished = '.part-'

/** Makes the folder and proves that it can be written. Rejects with `storage_failed`. */
export async function folderStore(options: FolderOptions): Promise<MediaStore> {
  const store = new FolderStore(options)
  await store.prove()
  return store
}

class FolderStore implements MediaStore {
  readonly place: string
  private readonly options: FolderOptions
  private readonly folder: string

  constructor(options: FolderOptions) {
    this.options = options
    this.folder = options.folder
    this.place = `file://${options.folder}`
  }

  async prove(): Promise<void> {
    try {
      await this.makeFolder()
      const probe = join(this.folder, `${unfinished}${crypto.randomUUID()}`)
      try {
        await this.write(probe, new Uint8Array(1))
      } finally {
        // What could be made and not filled (a full disk) must not stay.
        await rm(probe, { force: true })
      }
    } catch (cause) {
      throw failed(`Files cannot be kept in ${this.folder}`, cause, atStart)
    }
  }

  async save(path: string, bytes: Uint8Array, _contentType: string): Promise<string> {
    checkPath(path)
    const { maxBytes } = this.options
    if (maxBytes !== undefined && bytes.byteLength > maxBytes)
      throw new AppError('storage_failed', {
        message: `The finished file is larger than all the room there is for files (--media-max-gb).`,
      })
    const target = join(this.folder, path)
    // Written at the top, which is always there: a folder below may be removed as empty at any moment.
    const part = join(this.folder, `${unfinished}${crypto.randomUUID()}`)
    try {
      await this.write(part, bytes).catch(async (thrown) => {
        // Somebody tidied up, as folders in /tmp must expect.
        if ((thrown as { code?: string }).code !== 'ENOENT') throw thrown
        await this.makeFolder()
        await this.write(part, bytes)
      })
      await this.moveTo(part, target)
    } catch (cause) {
      await unlink(part).catch(() => {})
      throw failed('The finished file could not be stored', cause)
    }
    return urlOf(path, this.options.httpUrl)
  }

  async open(path: string): Promise<StoredFile | undefined> {
    if (!isSafePath(path)) return undefined
    const target = join(this.folder, path)
    const found = await lstat(target).catch(notThere)
    if (found === undefined || !found.isFile()) return undefined
    return {
      bytes: found.size,
      contentType: contentTypeOf(path),
      modifiedMs: Math.floor(found.mtimeMs),
      read: (start, end) => Bun.file(target).slice(start, end),
    }
  }

  async remove(path: string): Promise<boolean> {
    if (!isSafePath(path)) return false
    const target = join(this.folder, path)
    try {
      await unlink(target)
    } catch (thrown) {
      return notThere(thrown) ?? false
    }
    await this.removeEmpty(dirname(target))
    return true
  }

  async sweep(now: number): Promise<void> {
    const { maxBytes, maxAgeMs } = this.options
    const files: Kept[] = []
    await this.walk('', files, now)
    if (maxBytes === undefined && maxAgeMs === undefined) return
    await dropAll(toDrop(files, this.options, now), (path) => this.remove(path))
  }

  async close(): Promise<void> {}

  private async makeFolder(): Promise<void> {
    // Somebody else's web server may have to read it; else it is the user's alone.
    await mkdir(this.folder, { recursive: true, mode: this.options.httpUrl === undefined ? 0o700 : 0o755 })
  }

  private async write(path: string, bytes: Uint8Array): Promise<void> {
    const file = await open(path, 'wx', this.options.httpUrl === undefined ? 0o600 : 0o644)
    try {
      await file.writeFile(bytes)
    } finally {
      await file.close()
    }
  }

  private async moveTo(part: string, target: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      await mkdir(dirname(target), { recursive: true, mode: this.options.httpUrl === undefined ? 0o700 : 0o755 })
      try {
        return await rename(part, target)
      } catch (thrown) {
        // Between the two calls the folder was empty, and somebody removed it as such.
        if ((thrown as { code?: string }).code !== 'ENOENT' || tries === 3) throw thrown
      }
    }
  }

  /** Lists what is kept, and removes unfinished files that nobody writes any more. Links and strangers' files are not ours: they are left alone. */
  private async walk(folder: string, files: Kept[], now: number): Promise<void> {
    const entries = await readdir(join(this.folder, folder), { withFileTypes: true }).catch(notThere)
    for (const entry of entries ?? []) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() && isSafePath(path)) await this.walk(path, files, now)
      if (!entry.isFile()) continue
      const found = await lstat(join(this.folder, path)).catch(notThere)
      if (found === undefined) continue
      if (isOurs(path)) files.push({ path, bytes: found.size, modifiedMs: found.mtimeMs })
      else if (entry.name.startsWith(unfinished) && now - found.mtimeMs > staleMs) await rm(join(this.folder, path), { force: true })
    }
  }

  private async removeEmpty(folder: string): Promise<void> {
    for (let at = folder; at.startsWith(`${this.folder}/`); at = dirname(at)) {
      try {
        await rmdir(at)
      } catch {
        return // Something is in it, or somebody else was faster.
      }
    }
  }
}

/** undefined for a file that is not there; anything else is thrown on. */
function notThere(thrown: unknown): undefined {
  const { code } = thrown as { code?: string }
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
  throw failed('The media folder cannot be read', thrown)
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "the user's share of the disk is full",
  EROFS: 'it is mounted read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOTDIR: 'a part of the path is no folder',
  EEXIST: 'a part of the path is no folder',
  EIO: 'the disk has failed',
  ENOENT: 'the folder is gone',
}

/** In place of those above, before there was a folder at all. */
const atStart: Readonly<Record<string, string>> = { ...reasons, ENOENT: 'no folder can be made there' }

/** With `known` of the start, which only the operator reads, another cause is told in its own words. */
function failed(what: string, cause: unknown, known = reasons): AppError {
  const { code = '', message = String(cause) } = (cause ?? {}) as { code?: string; message?: string }
  const why = known[code] ?? (known === atStart ? message : 'the server log has the cause')
  return new AppError('storage_failed', { message: `${what}: ${why}.`, cause })
}
