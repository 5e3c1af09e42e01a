// Paths in a media store: plain segments with `/` between them, so that no path leaves the store, names a hidden file, or means two things.
import { AppError } from '../../lib/errors.ts'

const segment = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/
const maxSegments = 8

/** Whether every segment is one that safeSegment could have made. */
export function isSafePath(path: string): boolean {
  const segments = path.split('/')
  return segments.length <= maxSegments && segments.every((one) => segment.test(one))
}

/** Whether a file is one that this product has made, by where it lies: what others keep in the same place is never removed. */
export function isOurs(path: string): boolean {
  return isSafePath(path) && /^(?:users\/[^/]+\/generations\/|images\/img_[\da-f]{32}\.json$|videos\/video[-_])/.test(path)
}

/** Throws `storage_failed`: whoever saves makes the path, so a bad one is our own fault. */
export function checkPath(path: string): void {
  if (!isSafePath(path)) throw new AppError('storage_failed', { message: 'The file cannot be stored: its name is not safe.' })
}

const types: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  mp4: 'video/mp4',
  webm: 'video/webm',
  json: 'application/json',
}

/** By the name's ending. */
export function contentTypeOf(path: string): string {
  return types[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
}

/** Where clients find `path`: below the address that the user named, else below this server's /media. */
export function urlOf(path: string, httpUrl: string | undefined): string {
  return `${httpUrl === undefined ? '/media' : httpUrl.replace(/\/+$/, '')}/${path}`
}
