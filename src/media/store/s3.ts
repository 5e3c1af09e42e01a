// An S3 bucket as media store (s3://bucket/prefix), by Bun's client. A put is whole or not there at all.
import { S3Client } from 'bun'
import { AppError } from '../../lib/errors.ts'
import { log } from '../../lib/log.ts'
import { within } from '../../lib/within.ts'
import type { MediaStore, StoredFile } from '../store.ts'
import { checkPath, contentTypeOf, isOurs, isSafePath, urlOf } from './paths.ts'
import { dropAll, type Kept, type RetentionLimits, toDrop } from './retention.ts'
import { mayBeThere, reasonAtStart, reasonOf, wasNotThere } from './s3-faults.ts'
import { storedBytes } from './s3-read.ts'

export interface S3Options extends RetentionLimits {
  bucket: string
  /** Without slashes at its ends; may be empty. */
  prefix: string
  httpUrl: string | undefined
  endpoint: string | undefined
  region: string | undefined
  accessKeyId: string | undefined
  secretAccessKey: string | undefined
  sessionToken: string | undefined
  /** A server that is silent for so long is given up; a put has the time of its bytes besides. Default 30 s. */
  timeoutMs?: number
  /** The slowest line that a put may have. Default 256 KiB a second. */
  floorBytesPerSec?: number
}

const defaultTimeoutMs = 30_000
const defaultFloor = 1 << 18
/** At the end of a process, for puts under way. */
const lastMs = 5000
/** Before each try to remove what nobody may find. */
const undoPausesMs = [0, 1000, 10_000, 60_000]

/** Asks the bucket once. Rejects with `storage_failed` naming what is wrong. */
export async function s3Store(options: S3Options): Promise<MediaStore> {
  const store = new S3Store(options)
  await store.prove()
  return store
}

class S3Store implements MediaStore {
  readonly place: string
  private readonly options: S3Options
  private readonly client: S3Client
  private readonly timeoutMs: number
  /** Puts and removals that are not over. */
  private readonly underWay = new Set<Promise<unknown>>()
  private readonly closing = new AbortController()

  constructor(options: S3Options) {
    const { bucket, endpoint, region, accessKeyId, secretAccessKey, sessionToken, prefix } = options
    this.options = options
    this.place = `s3://${prefix === '' ? bucket : `${bucket}/${prefix}`}`
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.client = new S3Client({
      bucket,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(accessKeyId === undefined ? {} : { accessKeyId }),
      ...(secretAccessKey === undefined ? {} : { secretAccessKey }),
      ...(sessionToken === undefined ? {} : { sessionToken }),
    })
  }

  async prove(): Promise<void> {
    const { bucket, prefix } = this.options
    const what = `The bucket ${bucket} at ${addressOf(this.options)} cannot be used`
    await this.ask(what, this.client.list({ prefix, maxKeys: 1 }), { reason: reasonAtStart })
  }

  async save(path: string, bytes: Uint8Array, contentType: string): Promise<string> {
    checkPath(path)
    // One put, not parts: half an upload is nowhere then.
    const put = this.client.write(this.key(path), bytes, { type: contentType, partSize: Math.max(bytes.byteLength, 5 << 20) })
    this.watch(put)
    const limitMs = this.timeoutMs + (bytes.byteLength / (this.options.floorBytesPerSec ?? defaultFloor)) * 1000
    try {
      await this.ask('The finished file could not be stored', put, { limitMs })
    } catch (thrown) {
      // Not waited for: the server may be silent for long.
      this.watch(this.undo(path, put))
      throw thrown
    }
    return urlOf(path, this.options.httpUrl)
  }

  async open(path: string): Promise<StoredFile | undefined> {
    if (!isSafePath(path)) return undefined
    const key = this.key(path)
    const found = await this.ask('The file cannot be read', this.client.stat(key).catch(notThere))
    if (found === undefined) return undefined
    return {
      bytes: found.size,
      contentType: contentTypeOf(path),
      modifiedMs: new Date(found.lastModified).getTime(),
      // Bun asks for the whole object when a slice begins at 0: the rest is not read then.
      read: (start, end) =>
        storedBytes(
          () => (start === 0 ? this.client.file(key) : this.client.file(key).slice(start, end)).stream(),
          end - start,
          this.timeoutMs,
        ),
    }
  }

  remove(path: string): Promise<boolean> {
    return this.watch(this.removeFound(path))
  }

  async sweep(now: number): Promise<void> {
    const { maxBytes, maxAgeMs, prefix } = this.options
    if (maxBytes === undefined && maxAgeMs === undefined) return
    const files: Kept[] = []
    let startAfter: string | undefined
    do {
      const page = await this.ask(
        'The bucket cannot be listed',
        this.client.list({ ...(prefix === '' ? {} : { prefix: `${prefix}/` }), ...(startAfter === undefined ? {} : { startAfter }) }),
      )
      const contents = page.contents ?? []
      for (const { key, size = 0, lastModified } of contents) {
        const path = prefix === '' ? key : key.slice(prefix.length + 1)
        // What others keep in the bucket is not ours to remove.
        if (isOurs(path)) files.push({ path, bytes: size, modifiedMs: new Date(lastModified ?? now).getTime() })
      }
      startAfter = page.isTruncated === true ? contents.at(-1)?.key : undefined
    } while (startAfter !== undefined)
    await dropAll(toDrop(files, this.options, now), (path) => this.ask('The file cannot be removed', this.client.delete(this.key(path))))
  }

  /** Waits a little for what is under way: what comes too late for its caller is removed again. */
  async close(): Promise<void> {
    this.closing.abort()
    await within(Math.min(lastMs, this.timeoutMs), this.idle())
    if (this.underWay.size > 0)
      log.warn(
        { place: this.place },
        'the media store did not answer before the end: files that nobody knows of may be there; limit the age of files (--media-max-age-hours)',
      )
  }

  private async idle(): Promise<void> {
    while (this.underWay.size > 0) {
      await Promise.allSettled(this.underWay)
      // Who waited for one may begin another.
      await Bun.sleep(0)
    }
  }

  /** Cut short by the end. */
  private pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    timer.unref()
    if (this.closing.signal.aborted) resolve()
    this.closing.signal.addEventListener('abort', () => resolve(), { once: true })
    return promise.finally(() => clearTimeout(timer))
  }

  private watch<T>(work: Promise<T>): Promise<T> {
    this.underWay.add(work)
    const over = () => this.underWay.delete(work)
    work.then(over, over)
    return work
  }

  /** Of a put that failed or was given up: what of it arrives all the same is removed. Paths are new for each file: it is nobody else's. Never rejects. */
  private async undo(path: string, put: Promise<unknown>): Promise<void> {
    if (!(await put.then(() => true, mayBeThere))) return
    let failed: AppError | undefined
    for (const pauseMs of undoPausesMs) {
      await this.pause(pauseMs)
      const removed = this.ask('The file cannot be removed', this.client.delete(this.key(path)))
      failed = await removed.then(
        () => undefined,
        (thrown: AppError) => thrown,
      )
      if (failed === undefined) return
      if (this.closing.signal.aborted) break
    }
    log.warn(
      { reason: failed?.message, err: failed?.cause, file: `${this.place}/${path}` },
      'a file whose put failed may be in the bucket all the same, and could not be removed: remove it, or limit the age of files (--media-max-age-hours)',
    )
  }

  private async removeFound(path: string): Promise<boolean> {
    // S3 says nothing of whether there was one.
    if ((await this.open(path)) === undefined) return false
    await this.ask('The file cannot be removed', this.client.delete(this.key(path)))
    return true
  }

  private key(path: string): string {
    const { prefix } = this.options
    return prefix === '' ? path : `${prefix}/${path}`
  }

  /** Bounded in time; failures become `storage_failed`. */
  private async ask<T>(what: string, answer: Promise<T>, { limitMs = this.timeoutMs, reason = reasonOf } = {}): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error(`no answer within ${Math.round(limitMs)} ms`)), limitMs)
    try {
      return await Promise.race([answer, late.promise])
    } catch (cause) {
      answer.catch(() => {})
      throw new AppError('storage_failed', { message: `${what}: ${reason(cause)}.`, cause })
    } finally {
      clearTimeout(timer)
    }
  }
}

/** undefined for an object that is not there; anything else is thrown on. */
function notThere(thrown: unknown): undefined {
  if (!wasNotThere(thrown)) throw thrown
}

/** Without what an address may hold of secrets. */
function addressOf({ endpoint, region = 'us-east-1' }: S3Options): string {
  const text = endpoint ?? `https://s3.${region}.amazonaws.com`
  if (!URL.canParse(text)) return text
  const { protocol, host, pathname } = new URL(text)
  return host === '' ? text : `${protocol}//${host}${pathname.replace(/\/$/, '')}`
}
