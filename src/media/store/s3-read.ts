// Bytes of an S3 object as a stream that ends: whole, or with an error when the server stops sending or the object is shorter than it was.
import { AppError } from '../../lib/errors.ts'

/**
 * The first `count` bytes of what `open` gives, which is asked when the first of them is wanted: a HEAD wants none. A server that sends nothing for
 * `stallMs` while somebody waits fails the stream with `storage_failed`, as does one that ends early.
 */
export function storedBytes(open: () => ReadableStream, count: number, stallMs: number): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let left = count
  const give = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    while (left > 0) {
      reader ??= open().getReader() as ReadableStreamDefaultReader<Uint8Array>
      const { value, done } = await inTime(reader, stallMs)
      if (done) throw failed('it ended before its length')
      if (value.byteLength === 0) continue
      const part = value.subarray(0, left)
      left -= part.byteLength
      controller.enqueue(part)
      break
    }
    if (left > 0) return
    controller.close()
    // Of a slice from 0, the rest of the object would follow.
    await reader?.cancel()
  }
  return new ReadableStream<Uint8Array>({ pull: give, cancel: (reason) => reader?.cancel(reason) }, { highWaterMark: 0 })
}

async function inTime(reader: ReadableStreamDefaultReader<Uint8Array>, stallMs: number) {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(failed(`nothing came within ${stallMs} ms`)), stallMs)
  try {
    return await Promise.race([reader.read(), late.promise])
  } catch (thrown) {
    reader.cancel().catch(() => {})
    throw thrown instanceof AppError ? thrown : failed('the connection broke', thrown)
  } finally {
    clearTimeout(timer)
  }
}

function failed(why: string, cause?: unknown): AppError {
  return new AppError('storage_failed', { message: `The stored file could not be read to its end: ${why}.`, cause })
}
