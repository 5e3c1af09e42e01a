// The images that a request starts from: out of fields and files, fetched and made PNG under the server's policy.
import { AppError } from '../../lib/errors.ts'
import type { MakerInfo } from '../../pipeline/media/media.ts'
import type { Call } from '../call.ts'
import type { ImagesApi } from '../media/api.ts'
import type { FormFile } from '../media/form-fields.ts'
import { pngSize } from '../media/size.ts'
import { type NamedSource, sourceOf, sourcesOf } from '../media/sources.ts'
import { checkLength, invalid } from '../request/faults.ts'
import { type ImageBody, MAX_IMAGES } from '../schema/images.ts'

/** Fields that name images, in the order in which the model sees them. */
const imageFields = ['image', 'images', 'input_reference', 'url'] as const

export interface Sources {
  images: NamedSource[]
  mask?: NamedSource
}

/** Nothing is fetched yet. Throws `invalid_type`, `invalid_value`, `unknown_parameter` (a file in another field), `unsupported_parameter`. */
export function findSources(body: ImageBody, files: ReadonlyMap<string, readonly FormFile[]>, info: MakerInfo & { id: string }): Sources {
  const images: NamedSource[] = []
  for (const field of imageFields) {
    images.push(...fromFiles(field, files.get(field)), ...sourcesOf(body[field], field, MAX_IMAGES))
  }
  for (const field of files.keys())
    if (field !== 'mask' && !(imageFields as readonly string[]).includes(field))
      throw new AppError('unknown_parameter', {
        message: `No file is expected in '${field}'; images go into 'image', or 'image[]'.`,
        param: field,
      })
  checkLength(images.length, 0, MAX_IMAGES, images[0]?.param.replace(/\[.*/, '') ?? 'image')
  const found: Sources = { images }
  const masks = fromFiles('mask', files.get('mask'))
  if (body.mask != null) masks.push({ source: sourceOf(body.mask, 'mask'), param: 'mask' })
  if (masks.length > 1) throw invalid('mask', 'there may be one')
  if (masks[0] !== undefined) found.mask = masks[0]
  if (images[0] !== undefined && !info.takesImages)
    throw new AppError('unsupported_parameter', {
      message: `The model '${info.id}' makes pictures from a prompt alone; it takes no images.`,
      param: images[0].param,
    })
  if (found.mask !== undefined && info.takesMask !== true)
    throw new AppError('unsupported_parameter', {
      message: `The model '${info.id}' cannot repaint a part of an image: leave out 'mask', and say in the prompt what is to change.`,
      param: 'mask',
    })
  return found
}

/** One after the other: each is bounded in memory, all at once are not. Rejects with `invalid_image`, `invalid_value`. */
export async function readSources(sources: Sources, call: Call, api: ImagesApi): Promise<{ images: Uint8Array[]; mask?: Uint8Array }> {
  const images: Uint8Array[] = []
  for (const { source, param } of sources.images) images.push(await api.input(source, param, call.signal))
  if (sources.mask === undefined) return { images }
  const mask = await api.input(sources.mask.source, 'mask', call.signal)
  const first = images[0]
  if (first === undefined) throw invalid('mask', 'there is no image that it could be for')
  const [own, other] = [pngSize(mask), pngSize(first)]
  if (own.width !== other.width || own.height !== other.height)
    throw invalid('mask', `it is ${own.width}x${own.height}, but the image is ${other.width}x${other.height}; both must have one size`)
  return { images, mask }
}

function fromFiles(field: string, files: readonly FormFile[] = []): NamedSource[] {
  return files.map(({ bytes }, i) => {
    const param = files.length === 1 ? field : `${field}[${i}]`
    if (bytes.byteLength === 0) throw new AppError('invalid_image', { message: `The file in '${param}' is empty.`, param })
    return { source: { bytes }, param }
  })
}
