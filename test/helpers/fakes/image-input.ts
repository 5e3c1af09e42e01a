// What the routes of images and videos read in place of pictures.
import { AppError } from '../../../src/lib/errors.ts'
import type { ImagesApi } from '../../../src/openai/media/api.ts'

/** A file that is a PNG by its head: 8 bytes of signature, then IHDR with the size. */
export function pngHead(width: number, height: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(33)
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const view = new DataView(bytes.buffer)
  view.setUint32(16, width)
  view.setUint32(20, height)
  return bytes
}

/** Takes PNG heads and addresses of the form `https://images.test/<width>x<height>`. */
export const fakeInput: ImagesApi['input'] = async (source, param) => {
  if ('bytes' in source && source.bytes[0] === 0x89) return source.bytes
  const size = 'url' in source ? /^https:\/\/images\.test\/(\d+)x(\d+)$/.exec(source.url) : null
  if (size !== null) return pngHead(Number(size[1]), Number(size[2]))
  throw new AppError('invalid_image', { message: `The image in '${param}' cannot be read.`, param })
}
