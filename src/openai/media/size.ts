// How large a picture or a clip is to be: `size`, or SGLang's `width` and `height`.
import type { MakerInfo } from '../../pipeline/media/media.ts'
import { invalid } from '../request/faults.ts'

export interface Size {
  width: number
  height: number
}

export interface SizeFields {
  size?: string | null | undefined
  width?: number | null | undefined
  height?: number | null | undefined
}

/**
 * The size that was asked for; undefined: none, or `auto`. Throws `invalid_value` for what is no size, sizes that the model cannot make,
 * and more than `maxPixels`.
 */
export function sizeOf(fields: SizeFields, info: Pick<MakerInfo, 'sizeMultiple'>, maxPixels: number): Size | undefined {
  const named = fields.size == null || fields.size === '' ? undefined : parsed(fields.size)
  if ((fields.width == null) !== (fields.height == null)) {
    const [given, other] = fields.width == null ? ['height', 'width'] : ['width', 'height']
    throw invalid(given!, `'${other}' must stand beside it`)
  }
  const sides = fields.width == null || fields.height == null ? undefined : { width: fields.width, height: fields.height }
  if (named !== undefined && sides !== undefined && (named.width !== sides.width || named.height !== sides.height))
    throw invalid('size', `it says ${fields.size}, but 'width' and 'height' say ${sides.width}x${sides.height}; give one of them`)
  const size = named ?? sides
  if (size === undefined) return undefined
  checkSize(size, named !== undefined, info.sizeMultiple, maxPixels)
  return size
}

/** The size nearest to the shape of `image`, with about as many pixels as the model's own size. */
export function sizeLike(image: Size, info: Pick<MakerInfo, 'sizeMultiple' | 'defaults'>, maxPixels: number): Size {
  const { width, height } = info.defaults
  const multiple = info.sizeMultiple
  const pixels = Math.min(width * height, maxPixels)
  // A strip of one block is the narrowest that can be made.
  const ratio = Math.min(16, Math.max(1 / 16, image.width / image.height))
  const side = (length: number) => Math.max(1, Math.floor(length / multiple + 0.5 - 1e-9)) * multiple
  return { width: side(Math.sqrt(pixels * ratio)), height: side(Math.sqrt(pixels / ratio)) }
}

/** Width and height out of a PNG file's head; the file was made by media/input. */
export function pngSize(png: Uint8Array): Size {
  const head = new DataView(png.buffer, png.byteOffset, png.byteLength)
  return { width: head.getUint32(16), height: head.getUint32(20) }
}

function parsed(size: string): Size | undefined {
  if (size === 'auto') return undefined
  const found = /^(\d{1,5})x(\d{1,5})$/i.exec(size)
  if (found === null) throw invalid('size', `${JSON.stringify(size)} is neither 'auto' nor WIDTHxHEIGHT in pixels, such as 1024x1024`)
  return { width: Number(found[1]), height: Number(found[2]) }
}

/** The parameter that says the larger side. */
export function largerSide({ width, height }: Size): 'width' | 'height' {
  return width < height ? 'height' : 'width'
}

function checkSize({ width, height }: Size, named: boolean, multiple: number, maxPixels: number): void {
  if (width * height > maxPixels)
    throw invalid(
      named ? 'size' : largerSide({ width, height }),
      `${width}x${height} are ${width * height} pixels; at most ${maxPixels} can be made at once`,
    )
  if (width % multiple !== 0 || height % multiple !== 0 || width === 0 || height === 0) {
    const near = (side: number) => Math.max(1, Math.round(side / multiple)) * multiple
    throw invalid(
      named ? 'size' : width % multiple !== 0 ? 'width' : 'height',
      `width and height must be multiples of ${multiple} for this model, but it is ${width}x${height}; the nearest is ${near(width)}x${near(height)}`,
    )
  }
}
