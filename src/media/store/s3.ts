// An S3 bucket as media store (s3://bucket/prefix), by Bun's client. A put is whole or not there at all.
import { S3Client } from 'bun'
import { AppError } from '../../lib/errors.ts'
import type { MediaStore, StoredFile } from '../store.ts'
import { checkPath, contentTypeOf, isOurs, isSafePath, urlOf } from './paths.ts'
import { dropAll, type Kept, type RetentionLimits, toDrop } from './retention.ts'

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
  /** A silent server is given up after this. Default 30 s. */
  timeoutMs?: number
}

const defaultTimeoutMs = 30_000

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
    await this.ask(what, this.client.list({ prefix, maxKeys: 1 }), reasonAtStart)
  }

  async save(path: string, bytes: Uint8Array, contentType: string): Promise<string> {
    checkPath(path)
    // One put, not parts: half an upload is nowhere then.
    const put = this.client.write(this.key(path), bytes, { type: contentType, partSize: Math.max(bytes.byteLength, 5 << 20) })
    await this.ask('The finished file could not be stored', put)
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
        start === 0
          ? firstBytes(this.client.file(key).stream() as ReadableStream<Uint8Array>, end)
          : (this.client.file(key).slice(start, end).stream() as ReadableStream<Uint8Array>),
    }
  }

  async remove(path: string): Promise<boolean> {
    // S3 says nothing of whether there was one.
    if ((await this.open(path)) === undefined) return false
    await this.ask('The file cannot be removed', this.client.delete(this.key(path)))
    return true
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

  async close(): Promise<void> {}

  private key(path: string): string {
    const { prefix } = this.options
    return prefix === '' ? path : `${prefix}/${path}`
  }

  /** Bounded in time; failures become `storage_failed`. */
  private async ask<T>(what: string, answer: Promise<T>, reason = reasonOf): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error(`no answer within ${this.timeoutMs} ms`)), this.timeoutMs)
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

function firstBytes(stream: ReadableStream<Uint8Array>, count: number): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  let left = count
  return new ReadableStream({
    async pull(controller) {
      const part = left > 0 ? (await reader.read()).value : undefined
      if (part !== undefined) {
        controller.enqueue(part.subarray(0, left))
        left -= Math.min(left, part.byteLength)
        if (left > 0) return
      }
      if (left > 0) throw new AppError('storage_failed', { message: 'The stored file ended before its length.' })
      controller.close()
      await reader.cancel()
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** undefined for an object that is not there; anything else is thrown on. */
function notThere(thrown: unknown): undefined {
  const code = codeOf(thrown)
  if (code === 'NoSuchKey' || code === 'NotFound' || code === 'UnknownError404') return undefined
  throw thrown
}

function codeOf(thrown: unknown): string {
  return (thrown as { code?: string } | null)?.code ?? ''
}

const reasons: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket',
  AccessDenied: 'the keys do not allow it',
  InvalidAccessKeyId: 'the access key is not known there',
  SignatureDoesNotMatch: 'the secret key is wrong',
  ERR_S3_MISSING_CREDENTIALS: 'there are no keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)',
  ConnectionRefused: 'nobody answers there',
  FailedToOpenSocket: 'nobody answers there',
  DNSResolveFailed: 'there is no host of that name',
  TLSHandshakeFailed: 'what answers there does not speak TLS',
  InvalidResponse: 'what answers there is no S3 server',
}

function reasonOf(thrown: unknown): string {
  return known(thrown) ?? 'the server log has the cause'
}

/** Of the first list, which asks for no key; only the operator reads it, so what is not known is told in the server's own words. */
function reasonAtStart(thrown: unknown): string {
  const code = codeOf(thrown)
  // A 404 that is not S3's.
  if (code === 'NoSuchKey') return reasons.InvalidResponse!
  const said = thrown instanceof Error ? thrown.message.replaceAll(/\s+/g, ' ').trim() : String(thrown)
  return known(thrown) ?? [code, said.slice(0, 200)].filter(Boolean).join(': ')
}

function known(thrown: unknown): string | undefined {
  if (thrown instanceof Error && thrown.message.startsWith('no answer')) return 'it did not answer in time'
  return reasons[codeOf(thrown)]
}

/** Without what an address may hold of secrets. */
function addressOf({ endpoint, region = 'us-east-1' }: S3Options): string {
  const text = endpoint ?? `https://s3.${region}.amazonaws.com`
  if (!URL.canParse(text)) return text
  const { protocol, host, pathname } = new URL(text)
  return host === '' ? text : `${protocol}//${host}${pathname.replace(/\/$/, '')}`
}
