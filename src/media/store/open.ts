// The media store that the settings name.
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '../../lib/errors.ts'
import type { MediaStore } from '../store.ts'
import type { RetentionLimits } from './retention.ts'

export interface StoreOptions extends RetentionLimits {
  /** file:///FOLDER, a folder, or s3://BUCKET/PREFIX. */
  fsUrl: string
  /** What addresses begin with; undefined: this server's /media. */
  httpUrl: string | undefined
  /** The variables of S3's own tools (AWS_…), and Dynamo's FSSPEC_S3_…. */
  env: Readonly<Record<string, string | undefined>>
}

const flag = '--media-output-fs-url'

/** Proves that it can be used. Rejects with `invalid_setting` (an address that means nothing) or `storage_failed`. */
export async function openStore(options: StoreOptions): Promise<MediaStore> {
  const { fsUrl, httpUrl, maxBytes, maxAgeMs } = options
  const common = { httpUrl, maxBytes, maxAgeMs }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(fsUrl)?.[1]?.toLowerCase()
  try {
    if (scheme === undefined || scheme === 'file') {
      const { folderStore } = await import('./folder.ts')
      return await folderStore({ ...common, folder: folderOf(fsUrl, scheme) })
    }
    if (scheme !== 's3') throw wrong(`${fsUrl} cannot be used: known are file:///FOLDER and s3://BUCKET/PREFIX`)
    const { s3Store } = await import('./s3.ts')
    return await s3Store({ ...common, ...bucketOf(fsUrl), ...credentials(options.env) })
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'storage_failed')
      throw new AppError('storage_failed', { message: `${thrown.message} (${flag} ${fsUrl})`, param: flag, cause: thrown.cause })
    throw thrown
  }
}

function folderOf(fsUrl: string, scheme: string | undefined): string {
  if (scheme === undefined) return resolve(fsUrl)
  let path: string
  try {
    path = fileURLToPath(fsUrl)
  } catch (cause) {
    throw wrong(`${fsUrl} is no folder of this machine: write file:///FOLDER with three slashes`, cause)
  }
  if (!isAbsolute(path)) throw wrong(`${fsUrl} is no whole path`)
  return resolve(path)
}

function bucketOf(fsUrl: string): { bucket: string; prefix: string } {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/?#]*)\/?([^?#]*)$/i.exec(fsUrl) ?? []
  if (!/^[a-z0-9][a-z0-9.-]{1,62}$/i.test(bucket)) throw wrong(`${fsUrl} names no bucket: write s3://BUCKET/PREFIX`)
  return { bucket, prefix: prefix.replace(/^\/+|\/+$/g, '') }
}

function credentials(env: StoreOptions['env']) {
  /** The first that is set; an empty one is not. */
  const first = (...names: string[]) => names.map((name) => env[name]?.trim()).find(Boolean)
  return {
    endpoint: first('FSSPEC_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT', 'S3_ENDPOINT'),
    region: first('AWS_REGION', 'AWS_DEFAULT_REGION'),
    accessKeyId: first('FSSPEC_S3_KEY', 'AWS_ACCESS_KEY_ID'),
    secretAccessKey: first('FSSPEC_S3_SECRET', 'AWS_SECRET_ACCESS_KEY'),
    sessionToken: first('AWS_SESSION_TOKEN'),
  }
}

function wrong(message: string, cause?: unknown): AppError {
  return new AppError('invalid_setting', { message: `${message}.`, param: flag, cause })
}
