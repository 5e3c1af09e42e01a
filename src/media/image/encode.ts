// One picture to a file: PNG, JPEG or WebP, sRGB, without metadata. The work runs on the image library's own threads.
import { availableParallelism } from 'node:os'
import { AppError } from '../../lib/errors.ts'
import { imageCodec } from './codec.ts'
import { inBands, pngInBands } from './png-bands.ts'

export interface ImageFormat {
  type: 'png' | 'jpeg' | 'webp'
  /** 0 to 100: quality of jpeg and webp (webp at 100 is lossless), effort of png. Absent: see `defaults`. */
  compression?: number
  background?: 'auto' | 'opaque' | 'transparent'
}

export interface EncodedImage {
  bytes: Uint8Array
  contentType: string
  /** Without a dot. */
  extension: string
  /** True when the file has an alpha channel: never for pixels that came without one. */
  transparent: boolean
}

/**
 * What an absent `compression` means.
 * png: filters are chosen row by row, which halves photographs and costs a third more time; zlib's own level (6) would then save half a percent
 * of the bytes for a fifth more time.
 * jpeg: 92 keeps the DCT's error near one step of 255 on smooth areas; below that, generated gradients show bands.
 * webp: 90 with sharp chroma; its scale is finer than JPEG's, and 90 looks like JPEG's 92 at two thirds of the bytes.
 */
export const defaults = { pngLevel: 3, jpegQuality: 92, webpQuality: 90 } as const

/** From this quality on JPEG keeps colour at full size: who asks for much wants red letters without fringes, and 4:2:0 is what gives those. */
const fullChromaFrom = 90

/**
 * Encodes row-major 8-bit pixels: rgb24 (3 bytes a pixel) or rgba32 (4), told apart by the array's length. Alpha stays where the format has it and
 * `background` is not `opaque`; else the pixels are laid on white. The array must not change before the promise settles. Rejects with `encoding_failed`.
 * `cores`: what may be used at once; a large PNG is written in bands where there are some to spare.
 */
export async function encodeImage(
  pixels: Uint8Array,
  size: { width: number; height: number },
  format: ImageFormat,
  cores = availableParallelism(),
): Promise<EncodedImage> {
  const { width, height } = size
  const channels = pixels.length / (width * height)
  if (channels !== 3 && channels !== 4) {
    throw new AppError('encoding_failed', { message: `${pixels.length} bytes are not the pixels of ${width}x${height}` })
  }
  const transparent = channels === 4 && format.type !== 'jpeg' && format.background !== 'opaque'
  try {
    if (format.type === 'png' && inBands(width, height, cores) && (channels === 3 || transparent)) {
      const bytes = await pngInBands({ pixels, width, height, channels }, pngLevel(format))
      return { bytes, contentType: 'image/png', extension: 'png', transparent }
    }
    const sharp = await imageCodec()
    let image = sharp(pixels, { raw: { width, height, channels } })
    if (channels === 4 && !transparent) image = image.flatten({ background: '#ffffff' })
    const bytes = await write(image, format).toBuffer()
    return { bytes, contentType: `image/${format.type}`, extension: format.type === 'jpeg' ? 'jpg' : format.type, transparent }
  } catch (cause) {
    throw new AppError('encoding_failed', { message: `The picture could not be written as ${format.type}.`, cause })
  }
}

function pngLevel({ compression }: ImageFormat): number {
  return compression === undefined ? defaults.pngLevel : Math.round((compression * 9) / 100)
}

function write(image: import('sharp').Sharp, format: ImageFormat): import('sharp').Sharp {
  const { type, compression } = format
  if (type === 'png') return image.png({ compressionLevel: pngLevel(format), adaptiveFiltering: true })
  if (type === 'jpeg') {
    const quality = Math.max(1, Math.round(compression ?? defaults.jpegQuality))
    return image.jpeg({ quality, chromaSubsampling: quality >= fullChromaFrom ? '4:4:4' : '4:2:0' })
  }
  const quality = Math.round(compression ?? defaults.webpQuality)
  // Effort 1 of lossless WebP is within 2 % of the library's default (4) on pictures; of lossy, 2 takes a third of the time.
  if (quality >= 100) return image.webp({ lossless: true, exact: true, effort: 1 })
  return image.webp({ quality: Math.max(1, quality), smartSubsample: true, effort: 2 })
}
