// A stored file as an HTTP answer: whole, or the one range of bytes that was asked for (RFC 9110, 14).
import type { StoredFile } from '../../media/store.ts'

/** 200, 206, 304 or 416. More than one range, or one in another unit, is answered whole, as the RFC allows. */
export function storedResponse(file: StoredFile, asked: Headers, more: Record<string, string>): Response {
  const etag = `"${file.modifiedMs.toString(36)}-${file.bytes.toString(36)}"`
  const headers: Record<string, string> = {
    'content-type': file.contentType,
    'accept-ranges': 'bytes',
    etag,
    'cache-control': 'private, max-age=3600',
    ...more,
  }
  if (asked.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
  const condition = asked.get('if-range')
  const range = condition === null || condition === etag ? rangeOf(asked.get('range'), file.bytes) : undefined
  if (range === null) return new Response(null, { status: 416, headers: { ...headers, 'content-range': `bytes */${file.bytes}` } })
  const [start, end] = range ?? [0, file.bytes]
  headers['content-length'] = String(end - start)
  if (range === undefined) return new Response(file.read(start, end), { headers })
  headers['content-range'] = `bytes ${start}-${end - 1}/${file.bytes}`
  return new Response(file.read(start, end), { status: 206, headers })
}

/** [start, end); undefined: the whole file; null: nothing of the range is in the file. */
function rangeOf(header: string | null, bytes: number): [number, number] | undefined | null {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.replaceAll(/\s/g, '') ?? '')
  if (found === null) return undefined
  const [, first, last] = found as unknown as [string, string, string]
  if (first === '') {
    if (last === '') return undefined
    return Number(last) === 0 || bytes === 0 ? null : [Math.max(0, bytes - Number(last)), bytes]
  }
  const start = Number(first)
  const end = last === '' ? bytes : Math.min(bytes, Number(last) + 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= bytes ? null : [start, end]
}
